"""Adapters: each kind adds what its paper says, opens in PEFT, is merged to the same model; one that adds nothing is refused."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from command import luthier
from luthier.errors import WorldError
from luthier.models import lora
from luthier.models.lora import Adapters, Design, add_adapters, b_rate, is_adapter
from luthier.models.master_weights import MasterWeights
from luthier.models.quiet import quiet
from luthier.train.flat_parameters import Part
from luthier.train.weights import Weights
from tiny import messages_csv, write_jsonl
from tiny_llamas import byte_level, llama

KINDS = ("lora", "rslora", "dora")
BLOCKS = ("model.layers.0", "model.layers.1")
LINEAR = "model.layers.0.self_attn.q_proj"
IDS = torch.arange(12).view(2, 6)


def body(**settings: Any) -> Any:
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 40,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    return LlamaForCausalLM(LlamaConfig(**sizes | settings)).eval()


def adapted(design: Design, moved: bool = True) -> tuple[Any, Adapters]:
    """A body with adapters that have moved as if they had trained."""
    model = body()
    adapters = add_adapters(model, BLOCKS, design, seed=0)
    for name, weight in model.named_parameters():
        if moved and is_adapter(name):
            weight.data += 0.2 * torch.randn_like(weight)
    return model.eval(), adapters


def logits(model: Any) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(IDS).logits
    return found


def opened(folder: Path, base: Any) -> Any:
    with quiet():
        return PeftModel.from_pretrained(copy.deepcopy(base), str(folder)).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_lie_beside_every_linear_layer_and_add_nothing_at_first(kind: str) -> None:
    model, _ = adapted(Design(3, kind), moved=False)

    inside = [
        name for name, module in body().named_modules() if isinstance(module, nn.Linear) and name != "lm_head"
    ]
    beside = {name.split(".lora_A.")[0] for name, _ in model.named_parameters() if ".lora_A." in name}

    assert beside == set(inside)
    torch.testing.assert_close(logits(model), logits(body()))


@pytest.mark.parametrize(
    ("design", "scale"),
    [
        (Design(4), 2.0),
        (Design(4, asked_alpha=3.0), 0.75),
        (Design(16, "rslora"), 2.0),
        (Design(4, "rslora", 3.0), 1.5),
    ],
)
def test_what_is_merged_is_the_product_times_alpha_over_the_rank_or_over_its_root(
    design: Design, scale: float
) -> None:
    model, adapters = adapted(design)
    layer = model.get_submodule(LINEAR)
    expected = (
        layer.base_layer.weight + scale * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    )

    adapters.merge()

    torch.testing.assert_close(model.get_submodule(LINEAR).weight, expected)


def test_dora_merges_directions_of_its_own_length() -> None:
    """W' = m (W + scale B A) / ||W + scale B A||, the norm of each output's weights (arXiv:2402.09353, eq. 5)."""
    model, adapters = adapted(Design(4, "dora"))
    layer = model.get_submodule(LINEAR)
    turned = layer.base_layer.weight + 2.0 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    length = layer.lora_magnitude_vector["default"].weight
    expected = length[:, None] * turned / turned.norm(dim=1, keepdim=True)

    adapters.merge()

    torch.testing.assert_close(model.get_submodule(LINEAR).weight, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_beside_its_base_opened_in_peft_and_merged_a_model_answers_alike(kind: str, tmp_path: Path) -> None:
    model, adapters = adapted(Design(3, kind))
    trained = logits(model)
    assert float((trained - logits(body())).abs().max()) > 1e-2

    adapters.write(tmp_path / "adapter", "base")
    adapters.merge()

    torch.testing.assert_close(logits(opened(tmp_path / "adapter", body())), trained)
    torch.testing.assert_close(logits(model), trained)
    assert model.state_dict().keys() == body().state_dict().keys()


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_that_add_nothing_are_not_written(kind: str, tmp_path: Path) -> None:
    _, adapters = adapted(Design(3, kind), moved=False)
    folder = tmp_path / "adapter"

    with pytest.raises(WorldError) as error:
        adapters.write(folder, "base")

    assert str(error.value) == (
        f"{folder}: every B of the adapter is still zero, so it adds nothing to the model: training has taught nothing. Try a "
        "larger learning rate (--lr), or --precision fp32."
    )
    assert not folder.exists()


def test_adapters_that_are_read_back_otherwise_than_they_trained_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, adapters = adapted(Design(3))
    folder = tmp_path / "adapter"

    def damaged(tensors: dict[str, Tensor], *rest: Any, **more: Any) -> None:
        save_file({name: tensor.clone().zero_() for name, tensor in tensors.items()}, *rest, **more)

    monkeypatch.setattr(lora, "save_file", damaged)
    with pytest.raises(WorldError) as error:
        adapters.write(folder, "base")

    assert str(error.value) == (
        f"{folder}: the adapter that was written is not the one that has trained. Look after the disk, and give the same command "
        "again: it goes on from the last saved state."
    )
    assert not folder.exists()


def test_where_the_frozen_weights_are_in_bf16_adapters_learn_in_fp32() -> None:
    model = body()
    masters = MasterWeights(model, torch.bfloat16)
    add_adapters(model, BLOCKS, Design(3), seed=0)
    masters.adopt(model)
    parts = [Part(name, 0, True) for name, _ in model.named_parameters() if is_adapter(name)]
    weights = Weights(model, parts, masters)

    with masters.training():
        weights.begin()
        model(IDS, labels=IDS).loss.backward()
        computed = {weight.dtype for weight in model.parameters()}

    assert computed == {torch.bfloat16}
    assert {flat.master.dtype for flat in weights.flat} == {torch.float32}
    assert {flat.gradient.dtype for flat in weights.flat} == {torch.float32}
    assert weights.count < sum(weight.numel() for weight in model.parameters()) / 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_computed_exactly_after_merging_is_computed_with_the_merged_weights(
    kind: str, dtype: torch.dtype
) -> None:
    model = body()
    masters = MasterWeights(model, dtype)
    adapters = add_adapters(model, BLOCKS, Design(3, kind), seed=0)
    masters.adopt(model)
    for name, weight in model.named_parameters():
        if is_adapter(name):
            weight.data += 0.2 * torch.randn_like(weight)
    adapters.merge()
    merged = logits(model)

    masters.reread()

    with masters.reporting():
        assert torch.equal(logits(model), merged)
    with masters.training():
        torch.testing.assert_close(logits(model).float(), merged, rtol=0.1, atol=0.05)


def test_the_rate_of_b_is_that_of_a_times_a_number() -> None:
    names = [name for name, _ in adapted(Design(3, "dora"))[0].named_parameters() if is_adapter(name)]
    rates = {name.split(".lora_")[1].split(".")[0]: b_rate(name, 16.0) for name in names}
    assert rates == {"A": 1.0, "B": 16.0, "magnitude_vector": 1.0}


# Whole runs


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows to learn from, and a tiny llama."""
    folder = tmp_path_factory.mktemp("adapted")
    turns = [(f"What comes after {number}?", str(number + 1)) for number in range(60)]
    rows = [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}
        for asked, answer in turns
    ]
    write_jsonl(folder / "rows.jsonl", rows)
    llama(folder / "llama", byte_level())
    return folder


def run_of(place: Path, name: str, *options: str) -> Path:
    out = place / name
    ended = luthier(
        "tune", place / "rows.jsonl", "--model", place / "llama", "--method", "lora:4", "--metric", "loss", "--epochs", "1",
        "--set", "run.precision=fp32", "--quiet", "--out", out, *options,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    return out


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_adapter_of_a_run_on_its_base_is_its_model(kind: str, place: Path) -> None:
    out = run_of(place, f"run-{kind}", "--adapter", kind)
    base = LlamaForCausalLM.from_pretrained(place / "llama").eval()
    merged = LlamaForCausalLM.from_pretrained(out / "model").eval()

    beside = opened(out / "adapter", base)

    torch.testing.assert_close(logits(beside), logits(merged), rtol=1e-4, atol=1e-4)
    assert float((logits(merged) - logits(base)).abs().max()) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "option", ["adapter=rslora", "adapter=dora", "adapter_alpha=1.0", "adapter_b_rate=16.0"]
)
def test_each_setting_of_adapters_changes_what_is_learnt(option: str, place: Path) -> None:
    if not (place / "plain").exists():
        run_of(place, "plain")
    out = run_of(place, option, "--set", f"train.{option}")
    one, other = (load_file(folder / "model" / "model.safetensors") for folder in (place / "plain", out))
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_adapters_in_an_encoder_may_be_of_any_kind(bert: Path, tmp_path: Path) -> None:
    data, out = messages_csv(tmp_path / "rows.csv", 60), tmp_path / "run"
    ended = luthier(
        "tune", data, "--model", bert, "--method", "lora:4", "--adapter", "dora", "--adapter-b-rate", "4", "--epochs", "1",
        "--set", "run.precision=fp32", "--quiet", "--out", out,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    names = load_file(out / "adapter" / "adapter_model.safetensors")
    assert any(name.endswith("lora_magnitude_vector") for name in names)
