"""A ladder made ready to train: what stands still computes as it will be used, what moves as in training."""

import torch
from torch import nn

from luthier import seeds
from luthier.errors import ModelError
from luthier.models.ladder.ladder import Ladder, Rung, ancestors


def set_modes(model: nn.Module, ladder: Ladder, frozen: int, frozen_batch_norm: bool = True) -> None:
    """Training mode, but for what begins to run before the lowest `frozen` rungs are through: evaluation mode.

    So a frozen prefix computes the same whenever it is run, and its results may be kept. A module that begins there and
    reaches further, such as an encoder around all of its blocks, is put in evaluation mode by itself, without the blocks:
    dropout that its own forward applies may come before the first of them. With `frozen_batch_norm` every batch norm
    keeps its pre-trained statistics: a small batch's are far from them.
    """
    model.train()
    still = {path for rung in ladder.rungs[:frozen] for path in rung.modules}
    for path, module in model.named_modules():
        if path in still or (frozen_batch_norm and isinstance(module, nn.modules.batchnorm._BatchNorm)):
            module.training = False


def reinitialise(model: nn.Module, ladder: Ladder, blocks: int, seed: int) -> None:
    """Give the top `blocks` blocks fresh weights, as their architecture draws them, and their fellows on the same rungs.

    Zhang et al. 2021, arXiv:2006.05987, section 5. What lies above the blocks (a last norm, a pooler) keeps its weights.
    """
    chosen = [rung for rung in ladder.rungs if rung.module is not None]
    for rung in chosen[::-1][:blocks]:
        torch.manual_seed(seeds.derive(seed, "fresh blocks", rung.name))
        # From the inside out: an attention may draw its output layer again, more narrowly, after that drew itself.
        for path in reversed(modules_of(model, ladder, rung)):
            draw(model, path)


def randomise(model: nn.Module, seed: int) -> None:
    """Give the whole body fresh weights, as its architecture draws them; a head that was put on it is fresh already."""
    torch.manual_seed(seeds.derive(seed, "from scratch"))
    paths = [path for path, _ in model.named_modules() if path.split(".")[0] == "body"]
    for path in reversed(paths):
        draw(model, path)
        module = model.get_submodule(path)
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.reset_running_stats()


def modules_of(model: nn.Module, ladder: Ladder, rung: Rung) -> list[str]:
    """Paths of the modules whose weights are all on a rung (or idle), outer ones first."""
    mine, others = set(rung.parameters), {name for other in ladder.rungs for name in other.parameters}
    others -= mine
    found = []
    for path, module in model.named_modules():
        names = {f"{path}.{name}".removeprefix(".") for name, _ in module.named_parameters()}
        if names & mine and not names & others:
            found.append(path)
    return found


def draw(model: nn.Module, path: str) -> None:
    """Fresh weights for a module, without those inside of it, as the model around it draws them."""
    from transformers import PreTrainedModel

    around = [model, *(model.get_submodule(outer) for outer in ancestors(path))]
    owner = next((outer for outer in reversed(around) if isinstance(outer, PreTrainedModel)), None)
    if owner is None:
        raise ModelError(
            f"{type(model).__name__} does not say how its weights are drawn. Leave train.reinit out."
        )
    module = around[-1]
    weights = [*module.parameters(), *module.buffers()]
    # transformers marks what it read from a file, and would leave it as it is.
    for weight in weights:
        weight._is_hf_initialized = False  # type: ignore[attr-defined]
    with torch.no_grad():
        owner._init_weights(module)
    for weight in weights:
        weight._is_hf_initialized = True  # type: ignore[attr-defined]
