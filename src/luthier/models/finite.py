"""Where in a model numbers stop to be finite."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def first_not_finite(model: nn.Module, run: Callable[[], Any]) -> str:
    """The name of the first module whose answer is not finite while `run` uses the model; empty where all are."""
    found: list[str] = []
    hooks = [
        module.register_forward_hook(watching(name, found)) for name, module in model.named_modules() if name
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else ""


def watching(name: str, found: list[str]) -> Callable[[nn.Module, Any, Any], None]:
    """A hook that notes a module's name where what it gives is not finite."""

    def look(module: nn.Module, given: Any, answer: Any) -> None:
        first = answer[0] if isinstance(answer, tuple) and answer else answer
        if isinstance(first, torch.Tensor) and not bool(torch.isfinite(first).all()):
            found.append(name)

    return look
