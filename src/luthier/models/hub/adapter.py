"""An adapter of low rank in a folder of its own, as PEFT writes it, and how it is merged into the model it was made for."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from luthier.errors import ModelError, PlanError, listing
from luthier.models.hub.json_file import read_object
from luthier.models.hub.regular import files_of
from luthier.models.hub.settings import refuse_custom_code
from luthier.models.hub.weight_files import PICKLES, pickles_in, read_header, read_weights, refuse_not_finite

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
BEFORE = "base_model.model."
"""The prefix that PEFT gives the names of an adapter's tensors."""
LOW_RANK = re.compile(r"(.+)\.lora_([AB])\.weight")
HEEDED = {"peft_type", "r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "modules_to_save"}
OF_TRAINING = {
    *(
        "base_model_name_or_path",
        "revision",
        "task_type",
        "inference_mode",
        "target_modules",
        "exclude_modules",
    ),
    *(
        "layers_to_transform",
        "layers_pattern",
        "lora_dropout",
        "auto_mapping",
        "peft_version",
        "megatron_core",
    ),
    *(
        "qalora_group_size",
        "init_lora_weights",
        "eva_config",
        "corda_config",
        "loftq_config",
        "runtime_config",
    ),
    *("lora_ga_config", "ensure_weight_tying"),
}
"""Settings that only matter while an adapter is trained, or that say where it stands, which its tensors' names tell."""
MOVES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Initialisations that change the base's own weights, so that the adapter alone is not the whole difference."""


@dataclass(frozen=True)
class Adapter:
    """An adapter's folder that may be opened."""

    path: Path
    alpha: float
    by_root: bool
    """Whether what the adapter adds is scaled by alpha / sqrt(rank) (Kalajdzievski 2023, arXiv:2312.03732), not by
    alpha / rank."""
    alphas: tuple[tuple[str, float], ...]
    """Alphas that differ from `alpha`: endings of layers' names, and the alpha of those layers."""
    tensors: dict[str, tuple[int, ...]]
    task_type: str | None = None
    """What PEFT says that it was tuned for, such as `SEQ_CLS`."""

    @property
    def heads(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the tensors that are no pairs of low rank, such as those of a head, by their names in the model."""
        return {
            name.removeprefix(BEFORE): shape
            for name, shape in self.tensors.items()
            if not LOW_RANK.fullmatch(name)
        }

    def alpha_of(self, layer: str) -> float:
        """
        >>> Adapter(Path("x"), 4.0, False, (("query", 8.0),), {}).alpha_of("encoder.layer.0.query")
        8.0
        """
        return next(
            (own for end, own in self.alphas if layer == end or layer.endswith("." + end)), self.alpha
        )


def adapter_of(path: Path, base: str | None) -> Adapter | None:
    """The adapter that a folder holds; None where it holds none.

    base: what the user calls the model that it was made for.  Raises ModelError where that is missing, where full weights lie
    beside the adapter, and for what is no plain adapter of low rank.
    """
    signs = signs_in(path)
    if not signs:
        return None
    whole = [file.name for file in files_of(path) if file.parent == path and holds_whole_model(file.name)]
    if whole:
        raise ModelError(
            f"{path}: holds an adapter ({listing(signs)}) beside full weights ({listing(whole)}), and it is not known "
            "whether these "
            f"have it in them already. If they have, remove the adapter's files; if not, move them to a folder of their own: "
            f"--model ADAPTER --base {path}"
        )
    file = path / CONFIG
    config = read_object(
        file,
        missing=f"{path}: holds {listing(signs)} and no {CONFIG}, which says how it is added. Fetch or copy it.",
    )
    refuse_custom_code(file, config)
    if base is None:
        said = config.get("base_model_name_or_path")
        told = f"; {CONFIG} says {said[:120]!r}" if isinstance(said, str) and said else ""
        raise ModelError(
            f"{path}: is an adapter, which is nothing without the model it was made for{told}. Name that model with --base."
        )
    return checked_adapter(path, config)


def signs_in(path: Path) -> list[str]:
    """The files of a folder that show that it holds an adapter; none where it holds none."""
    return [name for name in (CONFIG, WEIGHTS, "adapter_model.bin") if os.path.lexists(path / name)]


def holds_whole_model(name: str) -> bool:
    """Whether a file of this name holds the weights of a whole model."""
    named = name.startswith(("model", "pytorch_model"))
    return named and (
        name.endswith((".safetensors", "safetensors.index.json")) or Path(name).suffix in PICKLES
    )


def checked_adapter(path: Path, config: dict[str, Any]) -> Adapter:
    """An adapter, from its settings and the header of its weights."""
    file = path / CONFIG
    kind = config.get("peft_type")
    if kind != "LORA":
        raise ModelError(
            f"{file}: peft_type is {str(repr(kind))[:40]}, and luthier merges LORA alone. Merge it into its base with PEFT, "
            "merge_and_unload(), and give the merged model's folder."
        )
    more = {key for key, value in config.items() if value and key not in HEEDED | OF_TRAINING}
    more -= {"bias"} if config.get("bias") == "none" else set()
    started = config.get("init_lora_weights")
    if isinstance(started, str) and started.lower().startswith(MOVES_BASE):
        more.add("init_lora_weights")
    if more:
        raise ModelError(
            f"{file}: sets {listing(sorted(more))}, which a plain adapter of low rank does not have. Merge it into "
            "its base with "
            "PEFT, merge_and_unload(), and give the merged model's folder."
        )
    alphas = config.get("alpha_pattern") or {}
    if not isinstance(alphas, dict) or not all(re.fullmatch(r"[\w.]+", name) for name in alphas):
        raise ModelError(
            f"{file}: alpha_pattern is not a plain list of layers with their alphas. Fetch it again."
        )
    alpha, *others = (number_of(file, config.get("lora_alpha"), "lora_alpha"),
                      *(number_of(file, value, f"alpha_pattern.{name}") for name, value in alphas.items()))  # fmt: skip
    if not isinstance(config.get("use_rslora", False), bool):
        raise ModelError(f"{file}: use_rslora is neither true nor false. Fetch or copy the file again.")
    return Adapter(
        path,
        alpha,
        config.get("use_rslora") is True,
        tuple(zip(alphas, others, strict=True)),
        shapes_of(path),
        task_type if isinstance(task_type := config.get("task_type"), str) else None,
    )


def number_of(file: Path, value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
        raise ModelError(
            f"{file}: {key} is {str(repr(value))[:40]}. Expected a number above 0. Fetch or copy it again."
        )
    return float(value)


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of an adapter's tensors, whose names must be those of low-rank pairs, or of heads beside them."""
    file = path / WEIGHTS
    if not file.is_file():
        pickled = pickles_in(path)
        found = f"only {pickled}" if pickled else "no weights"
        raise ModelError(
            f"{path}: is an adapter that holds {found}. Save it again as safetensors where you trust it: "
            "save_pretrained(FOLDER)"
        )
    shapes = read_header(file)
    strange = [
        name
        for name in shapes
        if not name.startswith(BEFORE) or ("lora_" in name and not LOW_RANK.fullmatch(name))
    ]
    if strange or not any(LOW_RANK.fullmatch(name) for name in shapes):
        raise ModelError(
            f"{file}: holds {listing(strange or sorted(shapes), 3)}, which is no pair lora_A and lora_B of a linear "
            "layer, the only "
            "kind that luthier merges. Merge it into its base with PEFT, merge_and_unload(), and give the merged "
            "model's folder."
        )
    return shapes


def merge_adapter(model: Any, adapter: Adapter) -> None:
    """Add what an adapter adds to the weights of a model of transformers, by PEFT. Raises ModelError where it does not fit."""
    try:
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel
    except ImportError as error:
        raise PlanError(
            f'{adapter.path}: is an adapter, which needs PEFT, and that is not installed. Install it: pip install "luthier[lora]"'
        ) from error
    tensors = read_weights((adapter.path / WEIGHTS,))
    refuse_not_finite(adapter.path / WEIGHTS, tensors.items())
    layers = fitting_layers(model, adapter)
    take_heads(model, adapter, tensors)
    ranks = {layer: len(tensors[f"{own}.lora_A.weight"]) for own, layer in layers.items()}
    config = LoraConfig(
        target_modules=list(layers.values()),
        rank_pattern={re.escape(layer): rank for layer, rank in ranks.items()},
        lora_alpha=adapter.alpha,  # type: ignore[arg-type]
        alpha_pattern={re.escape(layer): adapter.alpha_of(own) for own, layer in layers.items()},
        use_rslora=adapter.by_root,
        lora_dropout=0.0,
    )
    with torch.random.fork_rng(devices=[]):  # PEFT draws first weights, which are not kept
        tuner = LoraModel(model, {"default": config}, "default")
    with torch.no_grad():
        for own, layer in layers.items():
            pair: Any = model.get_submodule(layer)
            pair.lora_A["default"].weight.copy_(tensors[f"{own}.lora_A.weight"])
            pair.lora_B["default"].weight.copy_(tensors[f"{own}.lora_B.weight"])
    tuner.merge_and_unload()


def take_heads(model: Any, adapter: Adapter, tensors: dict[str, torch.Tensor]) -> None:
    """Give a model the layers above its body that an adapter has of its own, where it has such layers: a head for other labels is
    a new one."""
    state = model.state_dict()
    found = {name: tensors[BEFORE + name] for name, shape in adapter.heads.items()
             if name in state and tuple(state[name].shape) == shape}  # fmt: skip
    model.load_state_dict(found, strict=False)


def fitting_layers(model: Any, adapter: Adapter) -> dict[str, str]:
    """The linear layers of a model by what an adapter calls them. Raises ModelError for those that it lacks."""
    file, prefix = adapter.path / WEIGHTS, model.base_model_prefix + "."
    inside = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    body = set(dict(getattr(model, model.base_model_prefix, model).named_parameters()))
    found = {}
    for name in sorted(adapter.tensors):
        own = name.removeprefix(BEFORE)
        matched = LOW_RANK.fullmatch(name)
        if matched is None:
            if own.removeprefix(prefix) in body:
                raise ModelError(
                    f"{file}: {name} takes the place of a weight of the base, and luthier merges pairs of low rank "
                    "alone. Merge it "
                    "with PEFT, merge_and_unload(), and give the merged model's folder."
                )
            continue  # a head, which is taken as it is (`take_heads`)
        layer = matched[1].removeprefix(BEFORE)
        spellings = layer, prefix + layer, layer.removeprefix(prefix)
        here = next((spelt for spelt in spellings if spelt in inside), None)
        if here is None:
            raise ModelError(
                f"{file}: {name} belongs to a linear layer that the base does not have. Name the model that it was made for "
                "with --base."
            )
        refuse_other_shape(file, matched[1], adapter.tensors, inside[here])
        found[matched[1]] = here
    return found


def refuse_other_shape(file: Path, layer: str, shapes: dict[str, tuple[int, ...]], linear: nn.Linear) -> None:
    """Raise ModelError where a pair does not fit a layer: it is (rank, inputs) and (outputs, rank)."""
    one, other = (shapes.get(f"{layer}.lora_{side}.weight", ()) for side in "AB")
    rank = one[0] if one else 0
    if one != (rank, linear.in_features) or other != (linear.out_features, rank) or not rank:
        raise ModelError(
            f"{file}: {layer}.lora_A and lora_B are {one} and {other}, and the base's layer is {linear.out_features} x "
            f"{linear.in_features}. Name the model that it was made for with --base."
        )
