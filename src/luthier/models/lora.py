"""LoRA: small matrices beside frozen ones (Hu et al. 2021, arXiv:2106.09685), by way of PEFT, the only file that knows it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from luthier import seeds
from luthier.errors import PlanError, WorldError
from luthier.files import whole_file, whole_folder

ALPHA = 2
"""LoRA's alpha as a multiple of the rank, where nobody says it: what the adapters add is scaled by alpha / rank."""
ALPHA_BY_ROOT = 8.0
"""rsLoRA's alpha where nobody says it, whatever the rank: what the adapters add is scaled by alpha / sqrt(rank), at rank 16 as
LoRA's."""
WEIGHTS = "adapter_model.safetensors"
OUTSIDE = "base_model.model."
"""What the name of a weight begins with in PEFT's files."""
SCALED = "luthier_scaled"
"""The note in an adapter's file that it adds only a share of what training came to."""
LINEAR = ("lora", "rslora")
"""Kinds of which a scaled B adds a scaled update; DoRA's is none of that kind."""


@dataclass(frozen=True)
class Design:
    """How adapters are made."""

    rank: int
    kind: str = "lora"
    """`lora`, `rslora` (Kalajdzievski 2023, arXiv:2312.03732) or `dora` (Liu et al. 2024, arXiv:2402.09353)."""
    asked_alpha: float | None = None
    """Alpha where the user says it."""

    @property
    def alpha(self) -> float:
        """
        >>> Design(16).alpha, Design(64, "rslora").alpha, Design(16, "dora", 3.0).alpha
        (32, 8.0, 3.0)
        """
        if self.asked_alpha is not None:
            return self.asked_alpha
        return ALPHA_BY_ROOT if self.kind == "rslora" else ALPHA * self.rank


@dataclass
class Adapters:
    """Adapters in a body, until they are merged into its weights."""

    tuner: Any
    config: Any

    def write(self, folder: Path, base: str) -> None:
        """Write the adapters in PEFT's own format, for `PeftModel.from_pretrained(base model, folder)`.

        Raises WorldError where what can be read back is not what has trained, or adds nothing to the base.
        """
        tensors = {
            name_in_file(name): weight.detach().float().cpu().contiguous()
            for name, weight in self.tuner.model.named_parameters()
            if is_adapter(name)
        }
        self.config.base_model_name_or_path = base
        with whole_folder(folder) as path:
            self.config.save_pretrained(str(path))
            save_file(tensors, path / WEIGHTS, metadata={"format": "pt"})
            prove(load_file(path / WEIGHTS), tensors, folder)

    def merge(self) -> None:
        """Add the adapters to the weights they stand beside, and leave the body's modules as they were before."""
        self.tuner.merge_and_unload()


def scale_written(folder: Path, scale_of: Callable[[str], float]) -> None:
    """Let a written adapter add only a share of what it added. Asked again it stays as it is: it says that it was scaled.

    scale_of: the share, by the name in the body of the weight that the adapter stands beside.
    """
    path = folder / WEIGHTS
    with safe_open(path, framework="pt") as file:
        if SCALED in (file.metadata() or {}):
            return
    tensors = load_file(path)
    for name, weight in tensors.items():
        if is_b(name):
            beside = name.removeprefix(OUTSIDE).partition(".lora_B.")[0]
            tensors[name] = weight * scale_of(f"{beside}.weight")
    with whole_file(path) as part:
        save_file(tensors, part, metadata={"format": "pt", SCALED: "yes"})


def prove(found: dict[str, Tensor], trained: dict[str, Tensor], folder: Path) -> None:
    """Raise WorldError where the adapters in a file are not those that have trained, or all of their B are still zero."""
    if found.keys() != trained.keys() or any(not torch.equal(found[name], trained[name]) for name in trained):
        raise WorldError(
            f"{folder}: the adapter that was written is not the one that has trained. Look after the disk, and give the same "
            "command again: it goes on from the last saved state."
        )
    if not any(weight.any() for name, weight in found.items() if is_b(name)):
        raise WorldError(
            f"{folder}: every B of the adapter is still zero, so it adds nothing to the model: training has taught nothing. Try "
            "a larger learning rate (--lr), or --precision fp32."
        )


def add_adapters(body: nn.Module, blocks: Sequence[str], design: Design, seed: int) -> Adapters:
    """Put adapters beside every linear layer of some blocks of a body. They add nothing before they have trained.

    Raises PlanError when PEFT is not installed.
    """
    try:
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel
    except ImportError as error:
        raise PlanError(
            "train.method 'lora' needs PEFT, which is not installed. Install it: pip install \"luthier[lora]\""
        ) from error
    inside = tuple(block + "." for block in blocks)
    linears = [
        path
        for path, module in body.named_modules()
        if isinstance(module, nn.Linear) and path.startswith(inside)
    ]
    config = LoraConfig(
        r=design.rank,
        lora_alpha=design.alpha,  # type: ignore[arg-type]  # a fraction is one number as well
        lora_dropout=0.0,
        target_modules=linears,
        use_rslora=design.kind == "rslora",
        use_dora=design.kind == "dora",
    )
    torch.manual_seed(seeds.derive(seed, "adapters"))
    return Adapters(LoraModel(body, {"default": config}, "default"), config)


def is_adapter(name: str) -> bool:
    """Whether a parameter belongs to an adapter."""
    return ".lora_" in name


def is_b(name: str) -> bool:
    """Whether a parameter is an adapter's B, the matrix that starts from zero."""
    return ".lora_B." in name


def b_rate(name: str, times: float) -> float:
    """Multiplier of a parameter's learning rate where that of B is so many times that of A (Hayou et al. 2024,
    arXiv:2402.12354)."""
    return times if is_b(name) else 1.0


def name_in_file(name: str) -> str:
    """A parameter of an adapter as PEFT's files call it.

    >>> name_in_file("layers.0.q.lora_A.default.weight"), name_in_file("layers.0.q.lora_magnitude_vector.default.weight")
    ('base_model.model.layers.0.q.lora_A.weight', 'base_model.model.layers.0.q.lora_magnitude_vector')
    """
    short = name.replace(".default.", ".")
    if ".lora_magnitude_vector." in name:
        short = short.removesuffix(".weight")
    return OUTSIDE + short
