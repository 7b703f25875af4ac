"""The architecture's own class of transformers: its last layer taken from a saved folder, and put back to be saved."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from luthier.models.headed import new_head
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import has_head, head_is_missing
from luthier.models.hub.weight_files import read_weights
from luthier.models.knowledge import Knowledge, Neighbours, OwnLabels


def head_of(folder: Folder, last_name: str, last: nn.Linear) -> nn.Sequential:
    """The last layer of a saved model as a head. Raises ModelError where the weight files do not hold it."""
    if not has_head(folder, last_name, last):
        raise head_is_missing(folder, f"{last_name}.weight", last)
    head = new_head(last.in_features, (), last.out_features, 0.0)
    if last.bias is None:
        head[-1] = nn.Linear(last.in_features, last.out_features, bias=False)
    head[-1].load_state_dict(last.state_dict())
    return head


def write_own_class(
    folder: Path, body: Any, last_name: str, head: nn.Sequential, settings: dict[str, Any]
) -> None:
    """The architecture's own classification class, its last layer put back."""
    hole = body.get_submodule(last_name)
    body.set_submodule(last_name, head[-1])
    try:
        with changed(body.config, settings):
            body.save_pretrained(folder)
    finally:
        body.set_submodule(last_name, hole)


@contextlib.contextmanager
def changed(config: Any, settings: dict[str, Any]) -> Iterator[None]:
    """Inside, a configuration with other settings."""
    before = {name: getattr(config, name, None) for name in settings}
    for name, value in settings.items():
        setattr(config, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(config, name, value)


def knowledge_of(folder: Folder, last_name: str | None, width: int) -> Knowledge:
    """What a classifier said by the last layer that its folder holds; by its features alone where that gives no distribution
    over labels. last_name: where the body had that layer.  width: numbers that the layer reads.
    """
    shape = folder.tensors.get(f"{last_name}.weight", ())
    many = folder.config.get("problem_type") == "multi_label_classification"
    if last_name is None or len(shape) != 2 or shape[0] < 2 or shape[1] != width or many:
        return Neighbours()
    weights = read_weights(folder.weights)
    layer = nn.Linear(shape[1], shape[0])
    with torch.no_grad():
        layer.weight.copy_(weights[f"{last_name}.weight"])
        layer.bias.copy_(weights.get(f"{last_name}.bias", torch.zeros(shape[0])))
    return OwnLabels(layer)
