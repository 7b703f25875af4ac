"""A llama in GGUF: what the library gguf and transformers read back is the model that was written."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaTokenizer

from luthier.events import result_of
from luthier.export import EXPORTERS
from luthier.export.export_record import FileRecord
from luthier.export.exporting import TEXTS, Order, Prompts, export
from luthier.export.gguf_settings import llama_settings, rope_factors
from luthier.export.gguf_tensors import gguf_name, interleaved
from luthier.export.gguf_tokenizer import special_tokens
from luthier.export.original import Original
from luthier.models.hub.inspect import inspect_folder
from tiny_llamas import CUTTING, byte_level, llama, pieces, texts

gguf = pytest.importorskip("gguf", reason="the extra [gguf] is not installed")

GGUF = EXPORTERS["gguf"]
LLAMA_3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
STORIES = Path(__file__).resolve().parents[2].parent / "shared" / "models" / "stories260K"


def never() -> bool:
    return False


def asked(original: Original, count: int = 6) -> Prompts:
    tokenizer = original.tokenizer
    return Prompts([tokenizer.encode(text) for text in texts()[:count]], "messages")


def exported(original: Original, out: Path, kind: str = "F16", prompts: Prompts | None = None) -> FileRecord:
    order = Order("gguf", kind, out, "tiny")
    return result_of(export(GGUF, original, order, prompts or asked(original), never))


def inspected(path: Path) -> Original:
    return Original(inspect_folder(str(path), path))


def fields(path: Path) -> dict[str, Any]:
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}


def logits(model: Any, tokens: Sequence[int]) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.tensor([list(tokens)])).logits[0]
    return found


SHAPES: dict[str, dict[str, Any]] = {
    "tied": {},
    "untied": {"tie_word_embeddings": False},
    "a head for each query": {"num_key_value_heads": 4},
    "one key head": {"num_key_value_heads": 1},
    "heads of their own width": {"head_dim": 32},
    "positions as in Llama 3.1": {"rope_parameters": LLAMA_3_ROPE},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_transformers_reads_gives_the_logits_of_the_original(shape: str, tmp_path: Path) -> None:
    original = inspected(llama(tmp_path / "model", byte_level(), **SHAPES[shape]))
    found = exported(original, tmp_path / "m.gguf")
    tokens = original.tokenizer.encode(texts()[0])

    again, before = GGUF.open(original, tmp_path / "m.gguf"), original.model()

    torch.testing.assert_close(logits(again, tokens), logits(before, tokens), rtol=1e-4, atol=1e-4)
    assert found.answers.agree == 6


@pytest.mark.parametrize(
    ("kind", "share"), [("F16", 2**-11), ("BF16", 2**-8), ("Q8_0", 1 / 127), ("Q4_0", 1 / 7)]
)
def test_weights_lie_no_further_off_than_their_type_rounds(kind: str, share: float, tmp_path: Path) -> None:
    original = inspected(llama(tmp_path / "model", byte_level(), halves=False))

    found = exported(original, tmp_path / "m.gguf", kind, Prompts([], "nobody"))

    told = found.weights[kind]
    assert 0 < told.largest_difference <= share * told.largest_weight
    assert found.weights["F32"].largest_difference == 0


def test_rows_that_come_in_no_whole_blocks_are_written_as_f16_and_that_is_told(tmp_path: Path) -> None:
    original = inspected(llama(tmp_path / "model", byte_level(), intermediate_size=100))

    found = exported(original, tmp_path / "m.gguf", "Q8_0")

    assert {kind: told.tensors for kind, told in found.weights.items()} == {"Q8_0": 13, "F16": 2, "F32": 5}
    assert found.notes == [
        "2 matrices are written as F16, as their rows of 100 weights do not come in whole blocks of 32."
    ]


def test_with_4_bits_the_layer_that_chooses_the_next_token_has_8(tmp_path: Path) -> None:
    original = inspected(llama(tmp_path / "model", byte_level(), tie_word_embeddings=False))

    found = exported(original, tmp_path / "m.gguf", "Q4_0")

    types = {one.name: one.tensor_type.name for one in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    assert (types["output.weight"], types["token_embd.weight"]) == ("Q8_0", "Q4_0")
    assert len(found.notes) == 1


@pytest.mark.parametrize("pre", CUTTING)
def test_a_byte_level_tokenizer_reads_back_with_the_same_tokens(pre: str, tmp_path: Path) -> None:
    original = inspected(llama(tmp_path / "model", byte_level(pre)))

    found = exported(original, tmp_path / "m.gguf")

    told = fields(tmp_path / "m.gguf")
    assert (told["tokenizer.ggml.model"], told["tokenizer.ggml.pre"]) == ("gpt2", pre)
    assert GGUF.tokens_differ(original, tmp_path / "m.gguf", [*TEXTS, *texts()]).vocabulary == 0
    if (
        pre != "smollm"
    ):  # which transformers does not know: it leaves digits together with the blank before them
        assert found.tokens.other_reader == 0


def test_a_tokenizer_of_pieces_reads_back_with_the_same_tokens(tmp_path: Path) -> None:
    original = inspected(llama(tmp_path / "model", pieces()))

    exported(original, tmp_path / "m.gguf")

    told = fields(tmp_path / "m.gguf")
    assert told["tokenizer.ggml.model"] == "llama"
    assert told["tokenizer.ggml.add_space_prefix"]
    assert GGUF.tokens_differ(original, tmp_path / "m.gguf", [*TEXTS, *texts()]).vocabulary == 0


def merged_as_llama_cpp_does(text: str, tokens: Sequence[str], scores: Sequence[float]) -> list[str]:
    """Merge the two neighbours whose text is the token with the highest score, the leftmost first, as long as there are such."""
    score = dict(zip(tokens, scores, strict=True))
    symbols = list("▁" + text.replace(" ", "▁"))
    while True:
        ways = [
            (-score[one + other], at)
            for at, (one, other) in enumerate(pairwise(symbols))
            if one + other in score
        ]
        if not ways:
            return symbols
        _, at = min(ways)
        symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]


def test_scores_make_the_tokens_of_the_original_in_the_way_that_llama_cpp_merges(tmp_path: Path) -> None:
    original = inspected(llama(tmp_path / "model", pieces()))
    exported(original, tmp_path / "m.gguf")
    told, tokenizer = fields(tmp_path / "m.gguf"), original.tokenizer
    known = set("".join(texts()))

    for text in [*texts()[:100], " two  blanks", "aaaa bbbb"]:
        kept = "".join(letter for letter in text if letter in known)
        wanted = tokenizer.convert_ids_to_tokens(tokenizer.encode(kept, add_special_tokens=False))
        assert (
            merged_as_llama_cpp_does(kept, told["tokenizer.ggml.tokens"], told["tokenizer.ggml.scores"])
            == wanted
        )


def test_sizes_end_tokens_and_chat_template_stand_in_the_file(tmp_path: Path) -> None:
    tokenizer = byte_level()
    original = inspected(llama(tmp_path / "model", tokenizer, ends=[2, 0], vocab_size=len(tokenizer) + 8))

    exported(original, tmp_path / "m.gguf")

    told = fields(tmp_path / "m.gguf")
    assert {
        name: told[f"llama.{name}"]
        for name in ("block_count", "context_length", "embedding_length", "feed_forward_length", "vocab_size")
    } == {
        "block_count": 2,
        "context_length": 256,
        "embedding_length": 64,
        "feed_forward_length": 96,
        "vocab_size": len(tokenizer) + 8,
    }
    assert (told["llama.attention.head_count"], told["llama.attention.head_count_kv"]) == (4, 2)
    assert (told["llama.rope.dimension_count"], told["llama.rope.freq_base"]) == (16, 10_000.0)
    assert (told["tokenizer.ggml.eos_token_id"], told["tokenizer.ggml.eot_token_id"]) == (2, 0)
    assert told["tokenizer.ggml.add_bos_token"] is False
    assert told["tokenizer.chat_template"] == tokenizer.chat_template
    assert told["tokenizer.ggml.tokens"][-1] == f"[PAD{len(tokenizer) + 7}]"
    assert told["tokenizer.ggml.token_type"][:4] == [3, 3, 3, 1]
    assert told["tokenizer.ggml.token_type"][-1] == 5


def test_the_divisors_of_llama_3_positions_are_those_of_transformers() -> None:
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    config = LlamaConfig(hidden_size=256, num_attention_heads=4, rope_parameters=LLAMA_3_ROPE)
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 10_000.0 ** -(torch.arange(0, 64, 2) / 64)

    found = rope_factors(llama_settings(config.to_dict()))

    np.testing.assert_allclose(found, (plain / scaled).numpy(), rtol=1e-5)
    assert min(found) == 1
    assert max(found) == 8


def test_the_rows_of_a_head_are_paired_as_llama_cpp_turns_them() -> None:
    rows = torch.arange(8.0)[:, None]  # two heads of four rows

    assert interleaved(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_names_are_those_that_the_library_gguf_knows() -> None:
    known = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 3)

    for name in ("model.layers.2.self_attn.k_proj", "model.layers.0.mlp.down_proj", "model.norm", "lm_head"):
        assert gguf_name(f"{name}.weight") == f"{known.get_name(name)}.weight"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another activation": (
        {"hidden_act": "gelu"},
        "its activation is gelu, and llama.cpp computes its architecture llama with silu",
    ),
    "biases": ({"attention_bias": True}, "its layers have biases, which a llama in GGUF has not"),
    "positions by another rule": (
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10_000.0}},
        "its rotary positions are scaled by the rule 'linear', and written are those without scaling and those of 'llama3'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_llama_in_gguf_has_not_is_refused(what: str, tmp_path: Path) -> None:
    settings, words = REFUSED[what]
    original = inspected(llama(tmp_path / "model", byte_level(), **settings))

    assert (GGUF.why_not(original) or "").startswith(words)


def test_an_unknown_way_to_cut_texts_is_refused(tmp_path: Path) -> None:
    path = llama(tmp_path / "model", byte_level("llama-bpe"))
    file = path / "tokenizer.json"
    file.write_text(file.read_text(encoding="utf-8").replace("{1,3}", "{1,2}"), encoding="utf-8")

    assert GGUF.why_not(inspected(path)) == (
        "its tokenizer cuts texts by a rule that llama.cpp has no name for (pre_tokenizer in tokenizer.json)"
    )


def test_merges_that_no_scores_give_are_refused(tmp_path: Path) -> None:
    path = llama(tmp_path / "model", pieces())
    file = path / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    del content["model"]["merges"][40]
    file.write_text(json.dumps(content), encoding="utf-8")

    assert GGUF.why_not(inspected(path)) == (
        "its tokenizer merges by rank, and not every way to put a token together from two others is among its merges: "
        "llama.cpp merges pieces by score, and would make other tokens of the same text"
    )


def test_stories260k_gives_the_same_answers_in_f16(tmp_path: Path) -> None:
    if not STORIES.is_dir():
        pytest.skip("../shared/models is not here")
    original = inspected(STORIES)
    tokenizer = original.tokenizer
    begins = ["Once upon a time", "There was a dog", "Lily saw", "Tom and his mom", "The sun was", "One day"]

    found = exported(
        original, tmp_path / "s.gguf", prompts=Prompts([tokenizer.encode(one) for one in begins], "begins")
    )

    assert found.answers.agree == 6


@pytest.mark.parametrize(
    ("ends", "told"),
    [([2], {"eos": 2}), ([0, 2], {"eos": 2, "eot": 0}), ([0], {"eos": 0}), ([0, 1], {"eos": 0, "eot": 1})],
)
def test_the_end_tokens_are_those_at_which_the_model_stops(ends: list[int], told: dict[str, int]) -> None:
    found = special_tokens(byte_level(), ends)  # whose own end token is 2

    assert {name: number for name, number in found.items() if name in ("eos", "eot")} == told


def renamed(path: Path, names: dict[str, str]) -> Path:
    """The model's folder with tensors under other names; those named nothing are gone."""
    weights = load_file(path / "model.safetensors")
    kept = {names.get(name, name): tensor for name, tensor in weights.items()}
    kept.pop("", None)
    save_file(kept, path / "model.safetensors", metadata={"format": "pt"})
    return path


def test_tied_embeddings_may_be_saved_as_the_output_layer(tmp_path: Path) -> None:
    path = renamed(llama(tmp_path / "model", byte_level()), {"model.embed_tokens.weight": "lm_head.weight"})
    original = inspected(path)
    assert GGUF.why_not(original) is None

    exported(original, tmp_path / "m.gguf", prompts=Prompts([], "nobody"))

    assert next(one.name for one in gguf.GGUFReader(tmp_path / "m.gguf").tensors) == "token_embd.weight"


def test_weights_that_are_missing_or_too_many_are_named(tmp_path: Path) -> None:
    path = llama(tmp_path / "model", byte_level(), tie_word_embeddings=False)
    renamed(path, {"lm_head.weight": "", "model.norm.weight": "model.norm.scale"})

    assert GGUF.why_not(inspected(path)) == (
        "its weights lack 'lm_head.weight', 'model.norm.weight'; it has weights that a llama has not: 'model.norm.scale'"
    )


def test_a_mistral_is_written_where_its_attention_has_no_window(tmp_path: Path) -> None:
    path = llama(tmp_path / "model", byte_level())
    file = path / "config.json"
    config = {
        **json.loads(file.read_text()),
        "model_type": "mistral",
        "architectures": ["MistralForCausalLM"],
    }

    file.write_text(json.dumps({**config, "sliding_window": 32}))
    assert GGUF.why_not(inspected(path)) == (
        "its attention has a sliding window, which a llama in GGUF has not"
    )

    file.write_text(json.dumps({**config, "sliding_window": None}))
    assert exported(inspected(path), tmp_path / "m.gguf").answers.agree == 6


def test_pieces_of_which_the_first_alone_gets_a_blank_are_written_and_the_difference_is_told(
    tmp_path: Path,
) -> None:
    tokenizer = pieces()
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    merges = [tuple(merge) for merge in backend["model"]["merges"]]
    own = LlamaTokenizer(vocab=backend["model"]["vocab"], merges=merges)
    original = inspected(llama(tmp_path / "model", own))

    found = exported(original, tmp_path / "m.gguf")

    assert found.tokens.other_vocabulary == found.tokens.other_reader == 0
    assert found.notes == [
        "llama.cpp puts a blank before each text and behind each special token; the original does so at the beginning alone, and "
        "not before a text that begins with a blank."
    ]
