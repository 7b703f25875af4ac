"""Which way to train a language model fits into memory, known from the header of its weights, before any are loaded."""

import math
from dataclasses import dataclass

import torch

from luthier.devices import Device
from luthier.errors import PlanError
from luthier.machine import available_bytes
from luthier.models.hub.inspect import Folder
from luthier.plan.plan import Plan

FULL, FROZEN = 16, 4
"""Bytes for each weight: where it trains, in fp32 the weight, its gradient and AdamW's two moments, as the best state lies on the
disk; where it stands still, the weight alone."""
COPY = 2
"""Bytes more for each weight where training computes in bf16."""
ADAPTED = 0.02
"""Weights of adapters of rank 16 beside all linear layers, as a share of the model's, at the most of usual models."""
SPARE = 1.5e9
"""Bytes for what goes through the model, and for the libraries."""


@dataclass(frozen=True)
class Fit:
    """The method that was taken, and why."""

    plan: Plan
    why: str | None = None
    """Why all layers are not trained; None where they are, or where the user named the method."""


def fitting(plan: Plan, folder: Folder, device: Device) -> Fit:
    """The plan with a method that fits into memory, where the user names none.

    Raises PlanError where not even adapters fit beside the frozen model.
    """
    if plan.train.method != "auto":
        return Fit(plan)
    weights = sum(math.prod(shape) for shape in folder.tensors.values())
    copy = COPY if device.precision == "bf16" else 0
    full = weights * (FULL + copy) + SPARE
    adapters = weights * (FROZEN + copy) + ADAPTED * weights * FULL + SPARE
    free = free_bytes(device)
    if full <= free:
        return Fit(plan)
    told = f"training all {weights / 1e9:.2f} billion weights takes about {full / 1e9:.0f} GB, and {free / 1e9:.0f} GB are free"
    if adapters > free:
        raise PlanError(
            f"{folder.name}: {told}; adapters beside frozen weights take about {adapters / 1e9:.0f} GB. Name a smaller model "
            "with --model, or give this machine more memory."
        )
    return Fit(plan.with_settings({"train.method": "lora"}), told)


def free_bytes(device: Device) -> float:
    """Bytes that are free where the model will be."""
    if device.kind == "cuda":
        return float(torch.cuda.mem_get_info()[0])
    return float(available_bytes())
