"""An adapter's folder is merged into the base that is named for it; what is no plain adapter of low rank is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from command import luthier
from luthier.errors import ModelError
from luthier.models.heads.head import Wanted
from luthier.models.hub.inspect import Folder, inspect_folder
from luthier.models.load import load_model
from luthier.models.quiet import quiet
from tiny import messages_csv, write_json

QUERY = "encoder.layer.{}.attention.self.query"
BEFORE = "base_model.model.bert."


def adapter_on(base: Path, folder: Path, **settings: Any) -> Path:
    """An adapter of random weights, written by PEFT, with the head of the model that it was tuned in."""
    plain: dict[str, Any] = {
        "r": 3,
        "lora_alpha": 6,
        "target_modules": ["query", "value"],
        "task_type": "SEQ_CLS",
    }
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(0)
        model = get_peft_model(
            AutoModelForSequenceClassification.from_pretrained(base), LoraConfig(**plain | settings)
        )
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.data.normal_(0, 0.3)
        model.save_pretrained(str(folder))
    return folder


@pytest.fixture
def adapter(bert: Path, tmp_path: Path) -> Path:
    return adapter_on(bert, tmp_path / "adapter")


def changed(folder: Path, **settings: Any) -> Path:
    file = folder / "adapter_config.json"
    write_json(file, json.loads(file.read_text()) | settings)
    return folder


def body_of(folder: Folder, **wanted: Any) -> dict[str, Tensor]:
    return load_model(folder, Wanted(2, **wanted)).body.state_dict()


def refused(folder: Path, base: Path | None) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(inspect_folder("adapter", folder, base=None if base is None else str(base)), Wanted(2))
    return str(caught.value)


@pytest.mark.parametrize("wanted", [{}, {"pooling": "mean"}, {"head": "tags"}])
@pytest.mark.parametrize(("rooted", "scale"), [(False, 6 / 3), (True, 6 / 3**0.5)])
def test_what_is_opened_is_the_base_with_the_product_of_each_pair_added(
    rooted: bool, scale: float, wanted: dict[str, Any], bert: Path, tmp_path: Path
) -> None:
    folder = adapter_on(bert, tmp_path / "adapter", use_rslora=rooted)
    pairs = load_file(folder / "adapter_model.safetensors")

    plain = body_of(inspect_folder("bert", bert), **wanted)
    merged = body_of(inspect_folder("adapter", folder, base=str(bert)), **wanted)

    assert merged.keys() == plain.keys()
    moved = set()
    for name, weight in plain.items():
        pair = BEFORE + name.removeprefix("bert.").removesuffix(".weight")
        expected = weight
        if f"{pair}.lora_A.weight" in pairs:
            moved.add(name)
            expected = weight + scale * pairs[f"{pair}.lora_B.weight"] @ pairs[f"{pair}.lora_A.weight"]
        torch.testing.assert_close(merged[name], expected)
    assert len(moved) == 4


def test_a_layer_may_have_a_rank_and_an_alpha_of_its_own(bert: Path, tmp_path: Path) -> None:
    own = QUERY.format(1)
    folder = adapter_on(
        bert, tmp_path / "adapter", rank_pattern={own: 5}, alpha_pattern={own: 7}, target_modules=["query"]
    )
    pairs = load_file(folder / "adapter_model.safetensors")

    plain = body_of(inspect_folder("bert", bert))
    merged = body_of(inspect_folder("adapter", folder, base=str(bert)))

    for layer, scale in ((0, 6 / 3), (1, 7 / 5)):
        one, other = (pairs[f"{BEFORE}{QUERY.format(layer)}.lora_{side}.weight"] for side in "AB")
        name = f"bert.{QUERY.format(layer)}.weight"
        torch.testing.assert_close(merged[name], plain[name] + scale * other @ one)


def test_an_adapter_is_tuned_onward_and_saved_as_a_whole_model(
    adapter: Path, bert: Path, tmp_path: Path
) -> None:
    data, out = messages_csv(tmp_path / "rows.csv", 60), tmp_path / "run"
    ended = luthier(
        "tune", data, "--model", adapter, "--base", bert, "--method", "probe", "--out", out, "--quiet",
        "--set", "run.precision=fp32",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    merged = body_of(inspect_folder("adapter", adapter, base=str(bert)))
    saved = load_file(out / "model" / "model.safetensors")
    name = f"bert.{QUERY.format(0)}.weight"
    assert torch.equal(saved[name], merged[name])
    assert luthier("predict", out, data).code == 0


def test_a_run_on_another_base_is_another_run(adapter: Path, bert: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(bert, tmp_path / "other"))
    tensors = load_file(other / "model.safetensors")
    name = f"bert.{QUERY.format(0)}.weight"
    save_file(tensors | {name: tensors[name] + 1}, other / "model.safetensors", metadata={"format": "pt"})
    prints = {
        inspect_folder("adapter", adapter, base=str(bert)).fingerprint(),
        inspect_folder("adapter", adapter, base=str(other)).fingerprint(),
        inspect_folder("bert", bert).fingerprint(),
    }
    assert len(prints) == 3


def test_without_a_base_the_message_asks_for_it_and_nothing_is_opened(adapter: Path, bert: Path) -> None:
    assert refused(adapter, None) == (
        f"{adapter}: is an adapter, which is nothing without the model it was made for; adapter_config.json says "
        f"{str(bert)[:120]!r}. Name that model with --base."
    )


def test_a_base_for_what_is_no_adapter_is_refused(bert: Path) -> None:
    assert (
        refused(bert, bert)
        == f"{bert}: is no adapter, so it wants no other model below it. Leave --base out."
    )


def test_an_adapter_is_no_base(adapter: Path) -> None:
    assert refused(adapter, adapter).startswith(
        f"{adapter}: is an adapter, which is nothing without the model"
    )


@pytest.mark.parametrize("sign", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_beside_full_weights_is_refused(
    sign: str, adapter: Path, bert: Path, tmp_path: Path
) -> None:
    both = Path(shutil.copytree(bert, tmp_path / "both"))
    shutil.copy(adapter / sign, both / sign)
    told = refused(both, None)
    assert told.startswith(f"{both}: holds an adapter ({sign!r}) beside full weights ('model.safetensors')")
    assert told.endswith(f"--model ADAPTER --base {both}")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3', and luthier merges LORA alone."),
        ({"peft_type": None}, "peft_type is None, and luthier merges LORA alone."),
        ({"use_dora": True}, "sets 'use_dora', which a plain adapter of low rank does not have."),
        ({"bias": "all"}, "sets 'bias', which a plain adapter of low rank does not have."),
        ({"init_lora_weights": "pissa"}, "sets 'init_lora_weights', which a plain adapter"),
        ({"something_new": 5}, "sets 'something_new', which a plain adapter"),
        ({"lora_alpha": "six"}, "lora_alpha is 'six'. Expected a number above 0."),
        ({"lora_alpha": float("nan")}, "lora_alpha is nan. Expected a number above 0."),
        ({"alpha_pattern": {"(a+)+$": 3}}, "alpha_pattern is not a plain list of layers with their alphas."),
        ({"auto_map": {"AutoModel": "evil.M"}}, "asks to run code of its own (auto_map: 'AutoModel')."),
    ],
)
def test_what_is_no_plain_adapter_is_refused_by_name(
    settings: dict[str, Any], told: str, adapter: Path, bert: Path
) -> None:
    assert told in refused(changed(adapter, **settings), bert)


def test_code_that_an_adapter_names_is_not_imported(adapter: Path, bert: Path) -> None:
    changed(adapter, auto_mapping={"base_model_class": "M", "parent_library": "evil"})
    body_of(inspect_folder("adapter", adapter, base=str(bert)))


def test_an_adapter_that_is_a_pickle_is_refused(adapter: Path, bert: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    assert "is an adapter that holds only 'adapter_model.bin', a pickle" in refused(adapter, bert)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (
            f"{BEFORE}{QUERY.format(0)}.lora_A.weight",
            np.ones((3, 31)),
            "lora_A and lora_B are (3, 31) and (32, 3)",
        ),
        (
            f"{BEFORE}{QUERY.format(0)}.lora_B.weight",
            np.ones((32, 4)),
            "lora_A and lora_B are (3, 32) and (32, 4)",
        ),
        (
            f"{BEFORE}{QUERY.format(9)}.lora_A.weight",
            np.ones((3, 32)),
            "a linear layer that the base does not have",
        ),
        (f"{BEFORE}{QUERY.format(0)}.weight", np.ones((32, 32)), "takes the place of a weight of the base"),
        (
            f"{BEFORE}{QUERY.format(0)}.lora_magnitude_vector",
            np.ones(32),
            "which is no pair lora_A and lora_B",
        ),
        (
            f"{BEFORE}{QUERY.format(0)}.lora_A.weight",
            np.full((3, 32), np.nan),
            "weights that are not finite numbers",
        ),
    ],
)
def test_tensors_that_do_not_fit_the_base_are_refused(
    name: str, value: Any, told: str, adapter: Path, bert: Path
) -> None:
    file = adapter / "adapter_model.safetensors"
    save_file(load_file(file) | {name: torch.tensor(value, dtype=torch.float32)}, file)
    assert told in refused(adapter, bert)
