"""Dense modules of sentence-transformers: linear layers between the pooled states and the vector."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from safetensors.torch import load_file
from torch import nn

from luthier.errors import ModelError, listing
from luthier.models.hub.json_file import read_object
from luthier.models.hub.weight_files import PICKLES, read_header, refuse_not_finite

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "torch.nn.modules.linear.Identity": nn.Identity,
    "torch.nn.modules.activation.Tanh": nn.Tanh,
    "torch.nn.modules.activation.ReLU": nn.ReLU,
    "torch.nn.modules.activation.GELU": nn.GELU,
}
"""Known, by how sentence-transformers spells them: no other name is imported."""


def read_dense(folders: Sequence[Path], width: int) -> nn.Sequential:
    """The layers of Dense modules, in their order, on states of a width. Raises ModelError for what is not known or not whole."""
    layers: list[nn.Module] = []
    for folder in folders:
        linear = read_linear(folder)
        if linear.in_features != width:
            raise ModelError(
                f"{folder / 'model.safetensors'}: its layer reads {linear.in_features} numbers, and what comes before it gives "
                f"{width}. They do not belong together: fetch or copy the folder again."
            )
        layers += [linear, activation_of(folder)]
        width = linear.out_features
    return nn.Sequential(*(layer for layer in layers if not isinstance(layer, nn.Identity)))


def read_linear(folder: Path) -> nn.Linear:
    file = folder / "model.safetensors"
    if not file.is_file():
        pickles = [found.name for found in sorted(folder.glob("*")) if found.suffix in PICKLES]
        found = f"only {listing(pickles)}, which can run code as it is opened" if pickles else "no weights"
        raise ModelError(
            f"{folder}: holds {found}. Open the model in sentence-transformers once and save it again, with save_pretrained."
        )
    shapes = read_header(file)
    extra = sorted(set(shapes) - {"linear.weight", "linear.bias"})
    if extra or len(shapes.get("linear.weight", ())) != 2:
        raise ModelError(
            f"{file}: holds {listing(sorted(shapes))}. Expected linear.weight and linear.bias, which is all that luthier knows "
            "of a Dense module."
        )
    outputs, inputs = shapes["linear.weight"]
    linear = nn.Linear(inputs, outputs, bias="linear.bias" in shapes)
    tensors = load_file(file)
    refuse_not_finite(file, tensors.items())
    linear.load_state_dict({name.removeprefix("linear."): tensor for name, tensor in tensors.items()})
    return linear


def activation_of(folder: Path) -> nn.Module:
    file = folder / "config.json"
    config = read_object(file, missing=f"{file}: is missing, so it is not known what follows the layer.")
    name = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ModelError(
            f"{file}: asks for the activation {name!r}, which luthier does not know and will not import. "
            f"Known are {listing(list(ACTIVATIONS))}."
        )
    if config.get("use_residual"):
        raise ModelError(
            f"{file}: asks for a residual, which luthier does not know. Choose a model without one, or --pooling mean on the "
            "folder of the plain transformers model."
        )
    return ACTIVATIONS[name]()


def linears_of(head: nn.Sequential) -> Iterator[tuple[nn.Linear, str]]:
    """The linear layers of a head, each with the name of the activation after it."""
    names = {kind: name for name, kind in ACTIVATIONS.items()}
    layers = list(head)
    for at, layer in enumerate(layers):
        if isinstance(layer, nn.Linear):
            after = type(layers[at + 1]) if at + 1 < len(layers) else nn.Identity
            yield layer, names.get(after, names[nn.Identity])
