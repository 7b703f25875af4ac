"""A ladder made ready to train: what stands still computes as it will be used, what moves as in training."""

from typing import Any

import torch
from torch import nn

from luthier import seeds
from luthier.models.ladder import Ladder


def set_modes(model: nn.Module, ladder: Ladder, frozen: int, frozen_batch_norm: bool = True) -> None:
    """Training mode, but for the lowest `frozen` rungs: their blocks, and all that runs before the first one.

    A frozen prefix without dropout computes the same in each epoch, so its results may be kept. A module all of whose
    weights lie on frozen rungs (a norm between two stages) stands still as well. With `frozen_batch_norm` every batch
    norm keeps its pre-trained statistics: small batches estimate them badly.
    """
    model.train()
    still = {name for rung in ladder.rungs[:frozen] for name in rung.parameters}
    paths = {rung.module for rung in ladder.rungs[:frozen] if rung.module is not None}
    paths |= set(ladder.before) if frozen else set()
    for name, module in model.named_modules():
        own = [f"{name}.{key}" if name else key for key, _ in module.named_parameters()]
        if (
            name in paths
            or (own and all(key in still for key in own))
            or (frozen_batch_norm and isinstance(module, nn.modules.batchnorm._BatchNorm))
        ):
            module.eval()


def reinitialise(model: nn.Module, ladder: Ladder, blocks: int, seed: int) -> None:
    """Give the top `blocks` blocks fresh weights, as their architecture draws them.

    Zhang et al. 2021, arXiv:2006.05987, section 5. Layers of the body above the blocks keep theirs.
    """
    owner = next(module for module in model.modules() if hasattr(module, "_init_weights"))
    init: Any = owner._init_weights
    torch.manual_seed(seeds.derive(seed, "fresh blocks"))
    for name in ladder.blocks[len(ladder.blocks) - blocks :]:
        for module in model.get_submodule(name).modules():
            with torch.no_grad():
                init(module)
