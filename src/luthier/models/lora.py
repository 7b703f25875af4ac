"""LoRA: small matrices beside frozen ones (Hu et al. 2021, arXiv:2106.09685), by way of PEFT, the only file that knows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from luthier import seeds
from luthier.errors import PlanError
from luthier.files import whole_folder

ALPHA = 2
"""LoRA's alpha as a multiple of the rank: what the adapters add is scaled by alpha / rank."""


@dataclass
class Adapters:
    """Adapters in a body, until they are merged into its weights."""

    tuner: Any
    config: Any

    def write(self, folder: Path, base: str) -> None:
        """Write the adapters in PEFT's own format, for `PeftModel.from_pretrained(base model, folder)`."""
        tensors = {
            "base_model.model." + name.replace(".default.", "."): weight.detach().float().cpu().contiguous()
            for name, weight in self.tuner.model.named_parameters()
            if is_adapter(name)
        }
        self.config.base_model_name_or_path = base
        with whole_folder(folder) as path:
            self.config.save_pretrained(str(path))
            save_file(tensors, path / "adapter_model.safetensors", metadata={"format": "pt"})

    def merge(self) -> None:
        """Add the adapters to the weights they stand beside, and leave the body's modules as they were before."""
        self.tuner.merge_and_unload()


def add_adapters(body: nn.Module, blocks: Sequence[str], rank: int, seed: int) -> Adapters:
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
    config = LoraConfig(r=rank, lora_alpha=ALPHA * rank, lora_dropout=0.0, target_modules=linears)
    torch.manual_seed(seeds.derive(seed, "adapters"))
    return Adapters(LoraModel(body, {"default": config}, "default"), config)


def is_adapter(name: str) -> bool:
    """Whether a parameter belongs to an adapter."""
    return ".lora_" in name
