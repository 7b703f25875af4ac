"""A model's folder decides what is computed, and nothing that runs; what it asks for is bounded, and lies inside of it."""

import json
import os
import shutil
import struct
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from command import luthier
from luthier.devices import Device
from luthier.errors import ModelError
from luthier.folder.write import weigh_the_same
from luthier.models.heads.head import Wanted
from luthier.models.hub import find
from luthier.models.hub.find import find_model
from luthier.models.hub.inspect import PROCESSOR, inspect_folder
from luthier.models.load import load_model
from luthier.models.readers.images import ImageReader
from luthier.models.readers.texts import Texts
from luthier.models.readers.tokenizer_file import KNOWN_PATTERNS, checked_tokenizer
from luthier.predict import features_of
from luthier.searching import workers
from tiny import TINY_IMAGES, albert, messages, messages_csv, opened, with_dense, write_json

ROWS = messages(24)
Change = Callable[[Path], None]


def settings(file: str, **changed: Any) -> Change:
    """Merge settings into a JSON file of a folder."""

    def change(folder: Path) -> None:
        path = folder / file
        write_json(path, (json.loads(path.read_text()) if path.exists() else {}) | changed)

    return change


def config(**changed: Any) -> Change:
    return settings("config.json", **changed)


def tokenizer(**changed: Any) -> Change:
    """Change tokenizer.json, and have it read by the class that takes it as it is."""

    def change(folder: Path) -> None:
        settings("tokenizer.json", **changed)(folder)
        settings("tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")(folder)

    return change


def tensor(part: str, value: float, file: str = "model.safetensors") -> Change:
    """Put a number into the first tensor whose name holds `part`."""

    def change(folder: Path) -> None:
        tensors = {name: found.copy() for name, found in load_file(folder / file).items()}
        tensors[next(name for name in sorted(tensors) if part in name)].flat[0] = value
        save_file(tensors, folder / file, metadata={"format": "pt"})

    return change


def refused(folder: Path) -> str:
    """What is said of a folder that cannot be opened for texts."""
    with pytest.raises(ModelError) as caught:
        opened(folder, ROWS)
    return str(caught.value).removeprefix(str(folder))


@pytest.fixture
def copy(bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bert, tmp_path / "model"))


# ---- settings

NOT_HEEDED = {
    "attn_implementation": "someone/kernel",
    "_attn_implementation": "someone/kernel",
    "_attn_implementation_internal": "someone/kernel",
    "attn_implementation_internal": "someone/kernel",
    "experts_implementation": "someone/kernel",
    "use_kernels": True,
    "kernel_config": {"RMSNorm": "someone/kernel"},
    "transformers_weights": "../elsewhere.safetensors",
    "fusion_config": {"patch_embeddings": True},
    "dtype": "int8",
    "return_dict": False,
}


def test_what_would_choose_a_kernel_a_file_or_a_form_of_answers_is_not_heeded(bert: Path, copy: Path) -> None:
    config(**NOT_HEEDED, text_config=NOT_HEEDED)(copy)

    found, plain = opened(copy, ROWS), opened(bert, ROWS)

    assert np.array_equal(found.logits(), plain.logits())
    settings: Any = found.model.body.config
    assert settings._attn_implementation in ("luthier", "eager", "sdpa")
    assert inspect_folder("model", copy).config["text_config"] == {}


@pytest.mark.parametrize(
    "value", [5, None, True, "evil.Model", ["evil.Model"], {"AutoModel": "evil.Model"}, []]
)
@pytest.mark.parametrize(
    ("file", "key"),
    [("config.json", "auto_map"), ("config.json", "text_config.auto_map"), ("tokenizer_config.json", "auto_map"),
     ("preprocessor_config.json", "auto_map")],
)  # fmt: skip
def test_code_of_its_own_is_refused_whatever_form_it_is_named_in(
    file: str, key: str, value: object, copy: Path
) -> None:
    inner = {"auto_map": value}
    settings(file, **({"text_config": inner} if "." in key else inner))(copy)

    assert refused(copy).startswith(f"/{file}: asks to run code of its own ({key}: ")


IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "a million layers": ({"num_hidden_layers": 10**6}, "num_hidden_layers is 1000000. Expected 300 at the most."),
    "no layer": ({"num_hidden_layers": 0}, "num_hidden_layers is 0. Expected a whole number, 1 at the least."),
    "less than no layer": ({"num_hidden_layers": -1}, "num_hidden_layers is -1. Expected a whole number, 1 at the least."),
    "layers in a word": ({"num_hidden_layers": "2"}, "num_hidden_layers is '2'. Expected a whole number, 1 at the least."),
    "true layers": ({"num_hidden_layers": True}, "num_hidden_layers is True. Expected a whole number, 1 at the least."),
    "half a layer": ({"num_hidden_layers": 2.5}, "num_hidden_layers is 2.5. Expected a whole number, 1 at the least."),
    "no heads": ({"num_attention_heads": 0}, "num_attention_heads is 0. Expected a whole number, 1 at the least."),
    "layers of another part": (
        {"vision_config": {"depths": [3, 10**6]}}, "vision_config.depths is 1000000. Expected 300 at the most."),
    "a size of none": ({"hidden_size": float("nan")}, "hidden_size is nan. Expected a finite number."),
    "a dropout of none": ({"hidden_dropout_prob": float("nan")}, "hidden_dropout_prob is nan. Expected a finite number."),
    "a dropout of seven": ({"hidden_dropout_prob": 7}, "hidden_dropout_prob is 7. Expected a share from 0 to 1."),
    "a trillion tokens": ({"vocab_size": 10**12}, "vocab_size is 1000000000000. Expected a size that a model can have."),
    "a billion labels": ({"num_labels": 10**9}, "num_labels is 1000000000. Expected 1,048,576 at the most."),
    "labels in a number": ({"id2label": 5}, "id2label is 5. Expected names with their numbers."),
    "a below-zero epsilon": ({"layer_norm_eps": -1.0}, "layer_norm_eps is -1.0. Expected a small number above 0."),
}  # fmt: skip


@pytest.mark.parametrize("harm", IMPOSSIBLE)
def test_a_setting_that_no_model_has_is_refused_by_its_name(harm: str, copy: Path) -> None:
    changed, told = IMPOSSIBLE[harm]
    config(**changed)(copy)
    assert refused(copy) == f"/config.json: {told} Fetch or copy the file again."


@pytest.mark.parametrize(
    "changed",
    [
        {"hidden_size": 10**6},
        {"intermediate_size": 10**9},
        {"type_vocab_size": 10**9},
        {"num_hidden_layers": 299},
    ],
)
def test_what_asks_for_far_more_than_the_weight_files_hold_is_refused_before_memory_is_taken(
    changed: dict[str, int], copy: Path
) -> None:
    config(**changed)(copy)
    key, value = next(iter(changed.items()))
    told = refused(copy)
    assert told.startswith(
        "/config.json: asks for far more than the 42 tensors with 26,062 numbers that the weight files hold"
    )
    assert f"{key} {value:,}" in told


def test_layers_that_share_their_weights_are_counted_too(tmp_path: Path) -> None:
    folder = albert(tmp_path / "albert")
    config(num_hidden_groups=250, inner_group_num=250)(folder)
    assert refused(folder).startswith("/config.json: asks for far more than the ")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"hidden_act": "shiny"}, "KeyError"),
        ({"num_attention_heads": 5}, "ValueError"),
        ({"layer_types": ["none"]}, "StrictDataclassClassValidationError"),
        ({"pad_token_id": "zero"}, "'pad_token_id'"),
        ({"model_type": "mamba"}, "transformers has no AutoModelForSequenceClassification for 'mamba'"),
    ],
)
def test_what_transformers_says_of_settings_is_said_as_a_fault_of_the_folder(
    changed: dict[str, Any], told: str, copy: Path
) -> None:
    config(**changed)(copy)
    assert told in refused(copy)


@pytest.mark.parametrize("key", ["quantization_config", "compression_config"])
def test_quantised_weights_are_refused(key: str, copy: Path) -> None:
    config(**{key: {"quant_method": "bitsandbytes", "load_in_4bit": True}})(copy)
    assert refused(copy).startswith(
        f"/config.json: says that the weights are quantised ({key}: 'bitsandbytes'), and luthier tunes plain weights."
    )


def test_weights_of_whole_numbers_are_refused(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    name = "bert.encoder.layer.0.attention.self.query.weight"
    save_file(tensors | {name: tensors[name].astype(np.int8)}, copy / "model.safetensors")
    assert refused(copy).startswith(f"/model.safetensors: {name} is of the kind I8, as quantised weights are")


# ---- files


def make_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)


@pytest.mark.parametrize(
    "file",
    [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "chat_template.jinja",
        "extra.json",
        "1_Pooling/config.json",
    ],
)
def test_a_pipe_in_a_model_folder_is_refused_and_never_waited_for(file: str, copy: Path) -> None:
    make_pipe(copy / file)
    assert refused(copy) == (
        f"/{file}: is a named pipe, not a file. Remove it from the model's folder, or copy the file that belongs there."
    )


def test_a_folder_in_the_place_of_a_file_is_refused(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    (copy / "tokenizer.json").mkdir()
    assert (
        refused(copy) == "/tokenizer.json: is a folder, and a file is expected there. Fetch or copy it again."
    )


@pytest.mark.parametrize("file", ["model.safetensors", "vocab.txt", "anything"])
def test_a_link_that_leaves_the_folder_is_refused(file: str, copy: Path, bert: Path) -> None:
    (copy / file).unlink(missing_ok=True)
    (copy / file).symlink_to(bert / "model.safetensors")
    assert refused(copy) == (
        f"/{file}: is a link that leads out of the model's folder, to {bert / 'model.safetensors'}. luthier opens nothing beside "
        "a model's folder: copy the file itself to its place."
    )


def test_what_other_programs_keep_in_folders_of_their_own_is_left_alone(copy: Path, bert: Path) -> None:
    for folder in ("venv", ".git"):
        (copy / folder).mkdir()
        (copy / folder / "python").symlink_to(sys.executable)
        os.mkfifo(copy / folder / "ipc")
    opened(copy, ROWS)
    inspect_folder("model", copy).fingerprint()


def test_a_link_within_the_folder_holds(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "weights.safetensors")
    (copy / "model.safetensors").symlink_to("weights.safetensors")
    opened(copy, ROWS)


@pytest.mark.parametrize(
    "name", ["/etc/weights.safetensors", "../weights.safetensors", "a/../../weights.safetensors"]
)
def test_an_index_that_names_a_file_outside_is_refused(name: str, copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    write_json(copy / "model.safetensors.index.json", {"weight_map": {"bert.weight": name}})
    assert refused(copy).startswith(
        f"/model.safetensors.index.json: names {name!r}, which may lie outside of {copy}."
    )


def test_an_index_that_names_a_pickle_is_refused(copy: Path) -> None:
    (copy / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    write_json(copy / "model.safetensors.index.json", {"weight_map": {"bert.weight": "pytorch_model.bin"}})
    assert refused(copy).startswith(
        "/model.safetensors.index.json: names 'pytorch_model.bin', and weights are read as"
    )


@pytest.mark.parametrize("path", ["/etc", "../bert", "0/../../bert"])
def test_a_module_outside_of_its_folder_is_refused(path: str, tmp_path: Path) -> None:
    folder = with_dense(tmp_path / "model")
    modules = json.loads((folder / "modules.json").read_text())
    write_json(folder / "modules.json", [*modules[:-1], modules[-1] | {"path": path}])
    assert refused(folder).startswith(f"/modules.json: names {path!r}, which may lie outside of {folder}.")


def hub_cache(cache: Path, folder: Path, name: str) -> Path:
    """A model as the hub's cache keeps it: its files in blobs, and links to them in a snapshot. The snapshot."""
    place = cache / f"models--{name.replace('/', '--')}"
    snapshot = place / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (place / "blobs").mkdir()
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("0" * 40)
    for file in folder.iterdir():
        shutil.copy(file, place / "blobs" / f"blob-of-{file.name}")
        (snapshot / file.name).symlink_to(Path("../../blobs") / f"blob-of-{file.name}")
    return snapshot


CACHED = "import sys; from luthier.models.hub.find import find_model; from luthier.models.hub.inspect import inspect_folder; " \
         "name = sys.argv[1]; print(inspect_folder(name, find_model(name)).path)"  # fmt: skip


def in_a_process(cache: Path, here: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Open a model offline, with a cache of the hub of its own, which its library reads as it is imported."""
    named = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    words = [sys.executable, "-P", "-c", CACHED, name]
    return subprocess.run(words, cwd=here, env=named, capture_output=True, text=True)


def test_the_hubs_cache_is_opened_offline_by_a_models_name(bert: Path, tmp_path: Path) -> None:
    snapshot = hub_cache(tmp_path / "hub", bert, "someone/tiny")
    assert in_a_process(tmp_path / "hub", tmp_path, "someone/tiny").stdout.strip() == str(snapshot)
    opened(snapshot, ROWS)


def test_the_hubs_cache_holds_no_link_to_another_models_blobs(bert: Path, tmp_path: Path) -> None:
    snapshot = hub_cache(tmp_path / "hub", bert, "someone/tiny")
    other = hub_cache(tmp_path / "hub", bert, "someone/other")
    (snapshot / "model.safetensors").unlink()
    (snapshot / "model.safetensors").symlink_to((other / "model.safetensors").resolve())
    assert refused(snapshot).startswith("/model.safetensors: is a link that leads out of the model's folder")


@pytest.mark.slow
def test_a_folder_with_the_name_of_a_model_of_the_hub_is_asked_about(bert: Path, tmp_path: Path) -> None:
    snapshot = hub_cache(tmp_path / "hub", bert, "someone/tiny")
    shutil.copytree(bert, tmp_path / "someone" / "tiny")
    told = in_a_process(tmp_path / "hub", tmp_path, "someone/tiny").stderr.strip().splitlines()[-1]
    assert told.endswith(
        "someone/tiny: is a folder here, and a model of the hub that this machine holds. Write ./someone/tiny for the "
        f"folder, or {snapshot} for the model of the hub."
    )
    assert in_a_process(tmp_path / "hub", tmp_path, "./someone/tiny").stdout.strip() == "someone/tiny"


def test_the_short_name_is_the_packaged_model_whatever_lies_here(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"):
        shutil.copytree(bert, name)
    packaged = find.packaged_model()
    assert find_model("all-MiniLM-L6-v2") == find_model("sentence-transformers/all-MiniLM-L6-v2") == packaged
    assert find_model("./all-MiniLM-L6-v2") == Path("all-MiniLM-L6-v2")


def test_a_search_does_not_import_what_lies_in_the_current_folder() -> None:
    assert workers.WORKER[1] == "-P"


# ---- weights


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_no_finite_number_is_refused_by_its_name(value: float, copy: Path) -> None:
    tensor("layer.0.attention.self.query.weight", value)(copy)
    assert refused(copy).startswith(
        ": bert.encoder.layer.0.attention.self.query.weight holds 1 of 1,024 weights that are not finite numbers."
    )


def test_so_it_is_in_the_layers_above_the_pooling(tmp_path: Path) -> None:
    folder = with_dense(tmp_path / "model")
    tensor("linear.bias", np.nan, "2_Dense/model.safetensors")(folder)
    with pytest.raises(ModelError, match=r"2_Dense/model.safetensors: linear.bias holds 1 of 24 weights"):
        load_model(inspect_folder("model", folder), Wanted(1, head="vector"))


def test_weights_so_large_that_nothing_finite_comes_of_them_are_refused_with_the_module(copy: Path) -> None:
    def change(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        name = "bert.encoder.layer.1.output.LayerNorm.weight"
        save_file(tensors | {name: np.full(32, 3e38, np.float32)}, folder / "model.safetensors")

    change(copy)
    assert refused(copy).startswith(
        ": what bert.encoder.layer.1.output.LayerNorm gives is not finite, though the weights are"
    )


def test_features_that_are_not_finite_end_a_run_with_the_module(bert: Path) -> None:
    found = opened(bert, ROWS)
    body: Any = found.model.body
    body.bert.encoder.layer[0].output.dense.bias.data.fill_(np.inf)
    with pytest.raises(
        ModelError, match=r"what body.bert.encoder.layer.0.output.dense gives is the first that is not"
    ):
        list(features_of(found.model, found.examples, Device("cpu", "fp32", threads=1)))


def test_a_written_model_that_opens_as_another_is_told(bert: Path, copy: Path) -> None:
    settings("tokenizer_config.json", do_lower_case=True)(copy)
    tensor("layer.0.attention.self.query.weight", 0.5)(copy)
    found, changed = opened(bert, ROWS), opened(copy, ROWS)
    assert weigh_the_same(found.model.body, opened(bert, ROWS).model.body)
    assert not weigh_the_same(found.model.body, changed.model.body)
    assert found.texts.reads_as(changed.texts)


def test_a_model_whose_file_changes_as_it_is_written_is_not_called_done(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = messages_csv(tmp_path / "rows.csv", 60)
    monkeypatch.setattr("luthier.folder.write.weigh_the_same", lambda one, other: False)
    ended = luthier("tune", data, "--model", bert, "--method", "probe", "--out", tmp_path / "run", "--quiet")
    assert (ended.code, (tmp_path / "run" / "model").exists()) == (1, False)
    assert (
        "model: was written, and opened again it is another model. The disk or a library is at fault"
        in ended.err
    )


# ---- tokenizers


def split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def replacing(*steps: tuple[str, str]) -> dict[str, Any]:
    made = [{"type": "Replace", "pattern": {"String": one}, "content": other} for one, other in steps]
    return {"type": "Sequence", "normalizers": made}


def test_a_pattern_that_takes_for_ever_is_stopped_in_a_process_of_its_own(
    copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tokenizer(normalizer=None, pre_tokenizer=split(r"^(([a-z])+.)+[A-Z]([a-z])+$"))(copy)
    texts = Texts(inspect_folder("model", copy))
    with pytest.raises(ModelError) as caught:
        texts.encode(["a" * 60 + "1"] * 3)
    assert str(caught.value).startswith(f"{copy}/tokenizer.json: the tokenizer ")
    assert str(caught.value).endswith(
        "by its pattern '^(([a-z])+.)+[A-Z]([a-z])+$'. Copy the tokenizer of this model again, or choose another model."
    )
    assert "panicked" not in capfd.readouterr().err


def test_a_process_that_does_not_answer_is_ended(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer(pre_tokenizer=split("(a|b)*c"))(copy)
    silent = "import time; print('done', flush=True); time.sleep(60)"
    monkeypatch.setattr("luthier.models.readers.rehearsal.WORKER", (sys.executable, "-c", silent))
    monkeypatch.setattr("luthier.models.readers.rehearsal.PATIENCE", 0.2)
    with pytest.raises(
        ModelError, match=r"the tokenizer takes more than 0 seconds on \d+ letters of text, by its pattern"
    ):
        Texts(inspect_folder("model", copy))


def test_a_pattern_of_its_own_reads_texts_as_ever(bert: Path, copy: Path) -> None:
    tokenizer(
        pre_tokenizer={"type": "Sequence", "pretokenizers": [split("(x|y)z"), {"type": "BertPreTokenizer"}]}
    )(copy)
    texts = Texts(inspect_folder("model", copy))
    assert texts.rehearsal is not None
    plain = Texts(inspect_folder("bert", bert))
    assert plain.rehearsal is None
    assert texts.encode(["my parcel"])["input_ids"] == plain.encode(["my parcel"])["input_ids"]


@pytest.mark.parametrize("pattern", [*sorted(KNOWN_PATTERNS), r"\s+", " {2,}", r"\p{N}", r"[0-9]+"])
def test_known_and_simple_patterns_are_not_rehearsed(pattern: str, copy: Path) -> None:
    tokenizer(pre_tokenizer=split(pattern))(copy)
    assert checked_tokenizer(copy).strange == ()


TABLE = b64encode(struct.pack("<I", 8) + b"\xff" * 8 + b"abc\0").decode()
WRONG_TOKENIZERS: dict[str, tuple[dict[str, Any], str]] = {
    "that grows step by step": (
        {"normalizer": replacing(*[("a", "a" * 10)] * 8)}, "its normalizer makes up to 100,000,000 letters of one."),
    "that grows at once": (
        {"normalizer": replacing(("a", "b" * 1_000))}, "its normalizer makes up to 1,000 letters of one."),
    "that grows before the words": (
        {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}] * 20}},
        "its pre_tokenizer makes up to 1,048,576 letters of one."),
    "of many steps": ({"normalizer": replacing(*[("a", "b")] * 100)}, "its normalizer has 100 steps."),
    "with half a table": (
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "////fwAA"}}, "its precompiled_charsmap is damaged"),
    "with a table that leads astray": (
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": TABLE}}, "the tokenizer cannot be used"),
    "of a kind that there is not": ({"normalizer": {"type": "Evil"}}, "its tokenizer cannot be loaded"),
    "with numbers that the model does not have": (
        {"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 10**6], "cls": ["[CLS]", 2]}},
        "its tokenizer gives the tokens 1000000, and the model knows 0 to 173"),
}  # fmt: skip


@pytest.mark.parametrize("harm", WRONG_TOKENIZERS)
def test_a_tokenizer_that_no_text_could_be_given_to_is_refused(harm: str, copy: Path) -> None:
    changed, told = WRONG_TOKENIZERS[harm]
    tokenizer(**changed)(copy)
    assert told in refused(copy)


def test_tokens_beyond_the_models_are_refused(copy: Path) -> None:
    content = json.loads((copy / "tokenizer.json").read_text())
    content["model"]["vocab"]["parcel"] += 1_000_000
    tokenizer(**content)(copy)
    assert "/tokenizer.json: its tokenizer gives the tokens 10" in refused(copy)


def test_words_in_which_tokens_are_looked_for_have_a_length(copy: Path) -> None:
    content = json.loads((copy / "tokenizer.json").read_text())
    content["model"]["max_input_chars_per_word"] = 10**9
    tokenizer(**content)(copy)
    assert refused(copy).startswith(
        "/tokenizer.json: max_input_chars_per_word is 1,000,000,000, and luthier takes 1,000"
    )


@pytest.mark.parametrize("length", ["abc", -1, True, float("nan"), [512]])
def test_a_length_that_is_none_is_refused(length: object, copy: Path, tmp_path: Path) -> None:
    settings("tokenizer_config.json", model_max_length=length)(copy)
    assert refused(copy).startswith(
        f"/tokenizer_config.json: model_max_length is {length!r}. Expected a number of tokens"
    )
    if isinstance(length, float):
        return
    folder = with_dense(tmp_path / "sentences")
    settings("sentence_bert_config.json", max_seq_length=length)(folder)
    assert refused(folder).startswith(
        f"/sentence_bert_config.json: max_seq_length is {length!r}. Expected a whole number"
    )


# ---- processors

WRONG_PROCESSORS: dict[str, tuple[dict[str, Any], str]] = {
    "huge": ({"size": {"height": 20_000, "width": 20_000}}, "size is {'height': 20000, 'width': 20000}."),
    "cut out too large": (
        {"crop_size": {"height": 10**9, "width": 3}},
        "crop_size is {'height': 1000000000, 'width': 3}.",
    ),
    "sized in words": ({"size": "large"}, "size is 'large'."),
    "with a mean that is a word": ({"image_mean": "abc"}, "image_mean is 'abc'. Expected three numbers"),
    "with one mean": ({"image_mean": [0.5]}, "image_mean is [0.5]. Expected three numbers"),
    "with no spread": (
        {"image_std": [0.5, 0, 0.5]},
        "image_std is [0.5, 0, 0.5]. Expected three numbers above 0",
    ),
    "scaled by a word": ({"rescale_factor": "x"}, "rescale_factor is 'x'."),
    "resized in an unknown way": ({"resample": 99}, "resample is 99."),
    "of a class that is a number": ({"image_processor_type": 5}, "transformers cannot use it"),
}


@pytest.mark.parametrize("harm", WRONG_PROCESSORS)
def test_a_processor_that_no_image_could_be_given_to_is_refused(harm: str, tmp_path: Path) -> None:
    folder = TINY_IMAGES["vit"](tmp_path / "vit")
    changed, told = WRONG_PROCESSORS[harm]
    settings("preprocessor_config.json", **changed)(folder)
    with pytest.raises(ModelError) as caught:
        ImageReader(inspect_folder("vit", folder, PROCESSOR))
    assert str(caught.value).startswith(f"{folder}/preprocessor_config.json: {told}")


def test_an_image_model_that_reads_other_sizes_than_its_processor_gives_is_refused(tmp_path: Path) -> None:
    folder = TINY_IMAGES["vit"](tmp_path / "vit")
    settings("preprocessor_config.json", size={"height": 40, "width": 40})(folder)
    found = inspect_folder("vit", folder, PROCESSOR)
    with pytest.raises(ModelError, match="make no vit model that works"):
        load_model(found, Wanted(2, head="image"), ImageReader(found).preparation)
