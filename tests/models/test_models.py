"""Every architecture opens with a new head, its weights as they were saved, and answers alike however it is batched."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GPT2Config,
    GPT2Model,
    T5Config,
    T5Model,
    XLNetConfig,
    XLNetModel,
)

from luthier.batches.examples import Batch
from luthier.errors import DataError, ModelError
from luthier.models.headed import new_head
from luthier.models.heads.classifier import pool
from luthier.models.heads.head import Wanted
from luthier.models.hub.inspect import inspect_folder
from luthier.models.load import load_model
from luthier.models.quiet import quiet
from luthier.models.readers.texts import Long, Texts
from tiny import POSITIONS, SPECIAL, TINY, WIDTH, make_tokenizer, messages, opened, save, write_json

ROWS = messages(24)
LONG_TEXT = " ".join(["lovely guitar and the broken parcel with noise today"] * 20)


def texts_of(folder: Path) -> Texts:
    return Texts(inspect_folder(folder.name, folder))


def one_by_one(texts: Texts, given: list[str], way: str = "cut") -> tuple[list[list[int]], Long]:
    """The token numbers of each part, and what was too long."""
    examples, long = texts.examples(given, np.zeros(len(given), np.int64), way)
    bounds = zip(examples.ends, examples.ends[1:], strict=False)
    return [examples.ids[begin:end].tolist() for begin, end in bounds], long


@pytest.fixture(params=TINY)
def architecture(request: pytest.FixtureRequest, tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model(request.param)


def test_every_architecture_opens_with_a_head_for_the_labels(architecture: Path) -> None:
    model = opened(architecture, ROWS).model

    assert model.outputs == 4
    assert all(weight.dtype == torch.float32 and weight.requires_grad for weight in model.parameters())
    assert not model.training


def test_the_body_is_the_one_in_the_folder_and_not_a_fresh_one(architecture: Path) -> None:
    ours = opened(architecture, ROWS).model
    with quiet():
        plain = AutoModel.from_pretrained(architecture).eval()
    body = getattr(ours.body, str(ours.body.base_model_prefix), ours.body)
    inputs = torch.tensor([[1, 9, 12, 30, 2]])

    with torch.no_grad():
        found, expected = body(inputs).last_hidden_state, plain(inputs).last_hidden_state

    assert torch.allclose(found, expected, atol=1e-5)


def test_fresh_layers_follow_from_the_seed(architecture: Path) -> None:
    first, same = (opened(architecture, ROWS, seed=3).model.state_dict() for _ in range(2))
    other = opened(architecture, ROWS, seed=4).model.state_dict()

    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["head.1.weight"], other["head.1.weight"])


def test_the_head_of_a_seed_is_the_same_on_every_body_of_a_width(bert: Path, sentence_bert: Path) -> None:
    first, second = (opened(folder, ROWS, seed=3).model.head.state_dict() for folder in (bert, sentence_bert))

    assert all(torch.equal(first[name], second[name]) for name in first)


def test_answers_do_not_depend_on_which_rows_share_a_batch(architecture: Path) -> None:
    found = opened(architecture, ROWS)

    whole = found.logits(tokens=100_000)

    assert np.abs(found.logits(tokens=1) - whole).max() < 1e-5
    assert np.abs(found.logits(tokens=60) - whole).max() < 1e-5


def test_a_head_reads_the_features(architecture: Path) -> None:
    found = opened(architecture, ROWS, hidden=(16,))
    batch = found.examples.batch(np.arange(5))

    with torch.no_grad():
        features, logits = found.model.features(batch), found.model(batch)

    assert features.shape == (5, found.model.width)
    assert torch.allclose(found.model.head(features), logits, atol=1e-6)


def test_an_architectures_own_dropout_before_the_logits_is_off(architecture: Path) -> None:
    """`model.dropout` is the one dropout before the head."""
    model = opened(architecture, ROWS, dropout=0.3).model
    prefix = f"{model.body.base_model_prefix}."
    own = [
        module.p
        for name, module in model.body.named_modules()
        if "dropout" in type(module).__name__.lower() and not name.startswith(prefix)
    ]

    assert model.pooling is not None or set(own) <= {0.0}
    assert model.head[0].p == 0.3


def test_a_plain_folder_is_pooled_by_its_own_class_and_a_sentence_folder_as_it_declares(
    bert: Path, sentence_bert: Path
) -> None:
    assert opened(bert, ROWS).model.pooling is None
    assert opened(sentence_bert, ROWS).model.pooling == "mean"
    assert opened(bert, ROWS, pooling="max").model.pooling == "max"
    assert opened(sentence_bert, ROWS, pooling="cls").model.pooling == "cls"


def test_hidden_layers_on_a_plain_folder_read_its_first_token(bert: Path) -> None:
    model = opened(bert, ROWS, hidden=(16, 8)).model

    shapes = [(layer.in_features, layer.out_features) for layer in model.head if isinstance(layer, nn.Linear)]
    assert model.pooling == "cls"
    assert shapes == [(WIDTH, 16), (16, 8), (8, 4)]
    assert [type(layer).__name__ for layer in model.head] == ["Dropout", "Linear", "Tanh"] * 2 + [
        "Dropout",
        "Linear",
    ]


def test_pooling_looks_at_real_tokens_only() -> None:
    states = torch.tensor([[[1.0, -4.0], [3.0, -2.0], [99.0, 99.0]]])
    mask = torch.tensor([[1, 1, 0]])

    assert pool(states, mask, "mean").tolist() == [[2.0, -3.0]]
    assert pool(states, mask, "max").tolist() == [[3.0, -2.0]]
    assert pool(states, mask, "cls").tolist() == [[1.0, -4.0]]


def test_a_long_text_in_windows_has_the_mean_of_its_windows_logits(architecture: Path) -> None:
    found = opened(architecture, [(LONG_TEXT, "a"), ("great thanks", "b")], way="windows")
    tokenizer, limit = found.texts.tokenizer, found.texts.limit
    words = tokenizer(LONG_TEXT, add_special_tokens=False)["input_ids"]
    width, step = limit - 2, limit - 2 - limit // 4
    windows = [words[begin : begin + width] for begin in range(0, len(words) - width + step, step)]

    def alone(ids: list[int]) -> np.ndarray:
        inputs = torch.tensor([[tokenizer.cls_token_id, *ids, tokenizer.sep_token_id]])
        batch = Batch(
            {"input_ids": inputs, "attention_mask": torch.ones_like(inputs)},
            torch.zeros(1, dtype=torch.long),
            torch.zeros(1),
            np.zeros(1, np.int64),
            len(ids) + 2,
        )
        with torch.no_grad():
            return np.asarray(found.model(batch).numpy()[0])

    assert len(windows) > 3
    assert np.abs(found.logits()[0] - np.mean([alone(ids) for ids in windows], axis=0)).max() < 1e-5


def test_windows_cover_every_token_and_overlap_by_a_quarter(bert: Path) -> None:
    texts = texts_of(bert)
    words = texts.tokenizer(LONG_TEXT, add_special_tokens=False)["input_ids"]

    parts, long = one_by_one(texts, [LONG_TEXT], "windows")

    overlap = texts.limit // 4
    joined = parts[0][1:-1] + [number for part in parts[1:] for number in part[1 + overlap : -1]]
    assert joined == words
    assert all(len(part) <= texts.limit for part in parts)
    assert (long.limit, long.rows, long.tokens, long.way) == (
        texts.limit,
        1,
        len(words) + 2 - texts.limit,
        "windows",
    )
    assert long.lengths.tolist() == [len(words) + 2]


def test_what_is_cut_off_is_counted_to_the_token(bert: Path) -> None:
    texts = texts_of(bert)
    exactly, one_more, ten_more = (" ".join(["guitar"] * words) for words in (60, 61, 70))

    parts, long = one_by_one(texts, ["great", exactly, one_more, ten_more])

    assert [len(part) for part in parts] == [3, 62, 62, 62]
    assert parts[1] == parts[2] == parts[3]
    assert (long.limit, long.rows, long.tokens, long.way) == (62, 2, 1 + 10, "cut")
    assert long.lengths.tolist() == [3, 62, 63, 72]
    assert long.unknown.tolist() == [0, 0, 0, 0]


def test_refuse_refuses_a_long_text(bert: Path) -> None:
    given = ["great", " ".join(["guitar"] * 61), LONG_TEXT]
    beyond = 1 + len(texts_of(bert).tokenizer(LONG_TEXT)["input_ids"]) - 62

    with pytest.raises(DataError) as caught:
        one_by_one(texts_of(bert), given, "refuse")

    assert str(caught.value) == (
        f"2 of 3 texts are longer than the 62 tokens this model reads, by {beyond} tokens in all. "
        "Use --long cut (of single texts, also --long windows), or a model that reads more."
    )


def test_texts_are_tokenised_as_the_library_does_it(architecture: Path) -> None:
    given = [text for text, _ in ROWS]

    parts, _ = one_by_one(texts_of(architecture), given)

    assert parts == AutoTokenizer.from_pretrained(architecture)(given)["input_ids"]


def test_more_texts_than_a_chunk_keep_their_order(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [text for text, _ in ROWS]
    whole, _ = one_by_one(texts_of(bert), given)
    monkeypatch.setattr("luthier.models.readers.texts.CHUNK", 5)

    assert one_by_one(texts_of(bert), given)[0] == whole


def test_the_limit_is_the_lowest_that_anyone_declares(
    bert: Path, roberta: Path, sentence_bert: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(bert, tmp_path / "bert")
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    write_json(copy / "tokenizer_config.json", settings | {"model_max_length": 20})

    assert texts_of(bert).limit == POSITIONS
    assert texts_of(roberta).limit == POSITIONS
    assert texts_of(sentence_bert).limit == 48
    assert texts_of(copy).limit == 20


def test_positions_that_roberta_keeps_for_padding_are_no_room_for_tokens(
    roberta: Path, tmp_path: Path
) -> None:
    """Its tokenizer often declares no limit; then only its 64 positions do, two of which are not for tokens."""
    copy = shutil.copytree(roberta, tmp_path / "roberta")
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    write_json(copy / "tokenizer_config.json", settings | {"model_max_length": int(1e30)})

    found = opened(copy, [(LONG_TEXT, "a"), ("great", "b")])

    assert found.texts.limit == 62
    assert np.isfinite(found.logits()).all()


def test_a_folder_that_asks_for_lower_case_gets_it(sentence_bert: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(sentence_bert, tmp_path / "lower")
    write_json(copy / "sentence_bert_config.json", {"max_seq_length": 48, "do_lower_case": True})
    tokenizer = json.loads((copy / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    write_json(copy / "tokenizer.json", tokenizer)

    parts, _ = one_by_one(texts_of(copy), ["GREAT Guitar"])

    assert parts == one_by_one(texts_of(sentence_bert), ["great guitar"])[0]


def test_a_head_starts_small_and_without_bias() -> None:
    torch.manual_seed(0)

    inner, last = (part for part in new_head(1000, (50,), 3, dropout=0.2) if isinstance(part, nn.Linear))

    assert float(last.weight.detach().std()) == pytest.approx(0.02, rel=0.25)
    assert float(inner.weight.detach().std()) == pytest.approx(1000**-0.5, rel=0.1)
    assert not inner.bias.any()
    assert not last.bias.any()


def test_opening_a_model_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], architecture: Path
) -> None:
    opened(architecture, ROWS)

    assert capfd.readouterr() == ("", "")


def test_quiet_leaves_the_bars_of_transformers_as_the_user_had_them() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    with quiet():
        pass
    off = not logging.is_progress_bar_enabled()
    logging.enable_progress_bar()
    with quiet():
        pass

    assert off
    assert logging.is_progress_bar_enabled()


def with_tensors(
    folder: Path, to: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> Path:
    """A copy of a model folder whose tensors went through `change`."""
    shutil.copytree(folder, to)
    save_file(change(load_file(folder / "model.safetensors")), to / "model.safetensors", {"format": "pt"})
    return to


def test_weights_of_other_shapes_than_the_settings_say_are_refused(bert: Path, tmp_path: Path) -> None:
    def wider(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        name = "bert.embeddings.word_embeddings.weight"
        return tensors | {name: torch.zeros(tensors[name].shape[0], 64)}

    folder = with_tensors(bert, tmp_path / "wide", wider)
    words = load_file(bert / "model.safetensors")["bert.embeddings.word_embeddings.weight"].shape[0]

    with pytest.raises(ModelError) as caught:
        opened(folder, ROWS)

    assert str(caught.value) == (
        f"{folder}: weights and config.json do not belong together: bert.embeddings.word_embeddings.weight is "
        f"({words}, 64) in the file and ({words}, 32) by config.json. Fetch or copy both again."
    )


def test_a_config_that_asks_for_absurd_sizes_is_refused_before_memory_is_taken(
    bert: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(bert, tmp_path / "absurd")
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", config | {"vocab_size": 10**9})

    with pytest.raises(
        ModelError, match=r"config\.json: asks for far more than the \d+ tensors with [\d,]+ numbers that"
    ):
        opened(folder, ROWS)


def test_weights_that_lack_a_part_of_the_body_are_refused(bert: Path, tmp_path: Path) -> None:
    folder = with_tensors(
        bert,
        tmp_path / "torso",
        lambda tensors: {name: tensor for name, tensor in tensors.items() if "layer.1.output" not in name},
    )

    with pytest.raises(ModelError) as caught:
        opened(folder, ROWS)

    assert str(caught.value) == (
        f"{folder}: the weights lack 4 tensors of a bert model: 'bert.encoder.layer.1.output.LayerNorm.bias', "
        "'bert.encoder.layer.1.output.LayerNorm.weight', 'bert.encoder.layer.1.output.dense.bias' and 1 more. "
        "They belong to another architecture, or are not whole."
    )


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "other")
    tokenizer = make_tokenizer(SPECIAL)
    known = len(tokenizer)
    tokenizer.add_tokens(["ukulele", "banjo"])
    tokenizer.save_pretrained(folder)

    with pytest.raises(ModelError) as caught:
        texts_of(folder)

    assert str(caught.value) == (
        f"{folder}: its tokenizer knows {known + 2} tokens and its model {known}: "
        "they do not belong together. Copy the tokenizer of this model."
    )


def test_a_damaged_tokenizer_is_refused(bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "damaged")
    (folder / "tokenizer.json").write_text("{")

    with pytest.raises(ModelError) as caught:
        texts_of(folder)

    assert str(caught.value) == (
        f"{folder}/tokenizer.json: is not valid JSON (Expecting property name enclosed in double quotes: line 1 column 2 "
        "(char 1)). Fetch or copy it again."
    )


def test_an_unknown_architecture_is_refused(bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "unknown")
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", config | {"model_type": "lyre"})

    with pytest.raises(ModelError, match=r"config.json: its model_type is 'lyre', an architecture that"):
        load_model(inspect_folder("unknown", folder), Wanted(2))


def refused(folder: Path, **settings: Any) -> str:
    with pytest.raises(ModelError) as caught:
        opened(folder, ROWS, **settings)
    return str(caught.value)


def test_a_class_that_answers_from_the_last_token_is_refused_and_its_states_can_be_pooled(
    tmp_path: Path,
) -> None:
    """Its head has no bias, and with padding at the right its last token is padding."""
    gpt = save(
        tmp_path / "gpt", GPT2Model, GPT2Config(n_embd=WIDTH, n_layer=1, n_head=2, n_positions=POSITIONS)
    )
    xlnet = save(tmp_path / "xlnet", XLNetModel, XLNetConfig(d_model=WIDTH, n_layer=1, n_head=2, d_inner=64))

    for folder, kind in ((gpt, "GPT2ForSequenceClassification"), (xlnet, "XLNetForSequenceClassification")):
        assert refused(folder) == (
            f"{folder}: {kind} takes its answer from the last token, which luthier does not. Use --pooling mean."
        )
        found = opened(folder, ROWS, pooling="mean")
        assert np.abs(found.logits(tokens=1) - found.logits()).max() < 1e-5


def test_an_encoder_with_a_decoder_is_not_pooled(tmp_path: Path) -> None:
    config = T5Config(d_model=WIDTH, d_kv=16, d_ff=64, num_layers=1, num_heads=2, decoder_start_token_id=0)
    folder = save(tmp_path / "t5", T5Model, config)

    assert opened(folder, ROWS).model.pooling is None
    for settings in ({"pooling": "mean"}, {"hidden": (16,)}):
        assert refused(folder, **settings) == (
            f"{folder}: t5 is an encoder with a decoder, whose states luthier does not pool. "
            "Leave --pooling, --hidden and --pair out."
        )


def test_a_model_is_in_fp32_even_when_its_file_is_in_half_precision(bert: Path, tmp_path: Path) -> None:
    folder = with_tensors(
        bert,
        tmp_path / "half",
        lambda tensors: {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()},
    )
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", config | {"dtype": "bfloat16"})

    assert {weight.dtype for weight in opened(folder, ROWS).model.parameters()} == {torch.float32}


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
def test_an_open_model_holds_no_file_of_weights_in_memory(bert: Path) -> None:
    """A mapped file stays in memory whole as long as one of its weights is used, also those that training put elsewhere."""
    found = opened(bert, ROWS)
    assert found.model.body is not None
    assert str(bert / "model.safetensors") not in Path("/proc/self/maps").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in TINY if name != "sentence_bert"])
def test_the_logits_of_an_own_class_are_those_of_transformers_with_the_same_head(
    name: str, tiny_model: Callable[[str], Path]
) -> None:
    architecture = tiny_model(name)
    found = opened(architecture, ROWS)
    ours = found.model
    with quiet():
        plain = AutoModelForSequenceClassification.from_pretrained(architecture, num_labels=4).eval()
    last = {f"{ours.last_name}.{name}": weight for name, weight in ours.head[-1].state_dict().items()}
    plain.load_state_dict(ours.body.state_dict() | last)
    tokens = AutoTokenizer.from_pretrained(architecture)(
        [text for text, _ in ROWS], padding=True, return_tensors="pt"
    )

    with torch.no_grad():
        expected = plain(**tokens).logits.numpy()

    assert np.abs(found.logits() - expected).max() < 1e-5
