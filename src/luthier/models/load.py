"""A model for a task: the body of a folder under a head of its own, new or as luthier saved it."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from luthier import seeds
from luthier.models.headed import HeadedModel, new_head
from luthier.models.heads.bi_encoder import BiEncoder
from luthier.models.heads.classifier import Classifier
from luthier.models.heads.dense import read_dense
from luthier.models.heads.image_model import ImageModel
from luthier.models.heads.sentence_encoder import SentenceEncoder
from luthier.models.heads.token_model import TokenModel
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import (
    IMAGE_CLASS,
    first_tensor,
    folder_config,
    has_head,
    head_is_missing,
    last_linear,
    own_class,
    pretrained,
    refuse_encoder_decoder,
    refuse_not_finite_answer,
    silence_head_dropout,
    telling_library_errors,
)
from luthier.models.hub.weight_files import read_header, refuse_not_finite
from luthier.models.kernels.convolutions import fold_norms
from luthier.models.kernels.dropout import use_hashed_dropout
from luthier.models.readers.images import Preparation

TOKEN_CLASSES = {"tags": "AutoModelForTokenClassification", "spans": "AutoModelForQuestionAnswering"}
"""By what a head over tokens gives, the class of transformers that has one."""


@dataclass(frozen=True)
class Wanted:
    """The model that is wanted on top of a folder's body."""

    outputs: int
    """Numbers that the head gives."""
    head: str = "row"
    """`row`, `vector` for none, `cosine` for a line through it, or a key of TOKEN_CLASSES."""
    own_pooling: bool = False
    """With pooling "auto", of several texts in one part: only the architecture's own class knows what stands for them."""
    pooling: str = "auto"
    hidden: tuple[int, ...] = ()
    """Widths of the layers between the features and the last one."""
    dropout: float = 0.1
    """In the head."""
    body_dropout: float | None = None
    """Of every dropout in the body; None leaves what the model declares."""
    seed: int = 0

    def new_head(self, width: int) -> nn.Sequential:
        torch.manual_seed(seeds.derive(self.seed, "head"))
        return new_head(width, self.hidden, self.outputs, self.dropout)


def load_model(folder: Folder, wanted: Wanted, preparation: Preparation | None = None) -> HeadedModel:
    """The model of a folder, in fp32, with a new head. preparation: of a model that reads images.

    Raises ModelError when the folder holds no such model.
    """
    torch.manual_seed(seeds.derive(wanted.seed, "fresh layers"))
    if preparation is not None:
        return load_image_model(folder, wanted, preparation)
    model: HeadedModel
    if wanted.head == "vector":
        model = load_encoder(folder, wanted.pooling, wanted.body_dropout)
    elif wanted.head == "cosine":
        model = load_bi_encoder(folder, wanted.pooling, wanted.body_dropout)
    elif wanted.head != "row":
        model = load_token_model(folder, wanted)
    elif wanted.own_pooling and wanted.pooling == "auto":
        model = load_classifier(replace(folder, pooling=None), wanted)
    else:
        model = load_classifier(folder, wanted)
    use_hashed_dropout(model.eval())
    return model


def load_token_model(folder: Folder, wanted: Wanted) -> TokenModel:
    """The body of a folder under a new head that answers token by token. Raises ModelError where it has none."""
    refuse_encoder_decoder(folder)
    kind = TOKEN_CLASSES[wanted.head]
    whole = pretrained(folder, kind, folder_config(folder, wanted.outputs, wanted.body_dropout))
    last_name, last = last_linear(whole, wanted.outputs, folder)
    made = wanted.new_head(last.in_features)
    model = TokenModel(whole.base_model, made, kind, last_name)
    # Where answers begin and end means the same for all questions: a head that knows it is kept.
    model.knows = wanted.head == "spans" and has_head(folder, last_name, last)
    if model.knows:
        made[-1].load_state_dict(last.state_dict())
    return model


def load_encoder(folder: Folder, pooling: str, body_dropout: float | None = None) -> SentenceEncoder:
    """The body of a folder, pooled as it declares, or else by the mean over tokens, with the layers that it has above that."""
    refuse_encoder_decoder(folder)
    body = pretrained(folder, "AutoModel", folder_config(folder, None, body_dropout))
    declared = (folder.pooling or "mean") if pooling == "auto" else pooling
    dense = read_dense(folder.dense, int(body.config.hidden_size))
    return SentenceEncoder(body, declared, dense, folder.normalised)


def load_bi_encoder(folder: Folder, pooling: str = "auto", body_dropout: float | None = None) -> BiEncoder:
    """The encoder of a folder under a head that gives the cosine as it is."""
    encoder = load_encoder(folder, pooling, body_dropout)
    assert encoder.pooling is not None, "a sentence encoder pools"
    head = new_head(1, (), 1, 0.0)
    nn.init.ones_(head[1].weight)  # type: ignore[arg-type]
    return BiEncoder(encoder.body, encoder.pooling, encoder.head, encoder.normalised, head)


def load_image_model(folder: Folder, wanted: Wanted, preparation: Preparation) -> ImageModel:
    """The model of a folder under a new head for images. Raises ModelError where it has no head for images."""
    body, last_name, last = own_class(folder, wanted.outputs, wanted.body_dropout, IMAGE_CLASS)
    silence_head_dropout(body)
    model = ImageModel(body, wanted.new_head(last.in_features), last_name, preparation)
    return made_fast(folder, model.eval())


def made_fast(folder: Folder, model: ImageModel) -> ImageModel:
    """Batch norms folded where no GPU does it better, memory in the order that convolutions like. Raises ModelError where the
    model cannot read an image as its processor prepares it."""
    size = model.preparation.size
    body: Any = model.body
    image = torch.linspace(-1, 1, 3 * size**2).view(1, 3, size, size)
    with telling_library_errors(folder), torch.no_grad():
        refuse_not_finite_answer(folder, body, lambda: first_tensor(body(pixel_values=image)))
    if not torch.cuda.is_available():
        fold_norms(body, lambda: body(pixel_values=image))
    body.to(memory_format=torch.channels_last)
    use_hashed_dropout(model)
    return model


def reload_model(
    folder: Folder,
    head: str,
    outputs: int,
    pooling: str | None,
    hidden: tuple[int, ...],
    preparation: Preparation | None = None,
) -> HeadedModel:
    """A model that luthier saved, its head included."""
    if preparation is not None:
        body, last_name, last = own_class(folder, outputs, auto_class=IMAGE_CLASS)
        if not has_head(folder, last_name, last):
            raise head_is_missing(folder, f"{last_name}.weight", last)
        made = new_head(last.in_features, (), outputs, 0.0)
        made[-1].load_state_dict(last.state_dict())
        return made_fast(folder, ImageModel(body, made, last_name, preparation).eval())
    if head == "vector":
        return load_encoder(folder, "auto").eval()
    if head == "cosine":
        return load_bi_encoder(folder).eval()
    if head == "row":
        return reload_classifier(folder, outputs, pooling, hidden)
    whole = pretrained(folder, TOKEN_CLASSES[head], folder_config(folder, outputs))
    last_name, last = last_linear(whole, outputs, folder)
    if not has_head(folder, last_name, last):
        raise head_is_missing(folder, f"{last_name}.weight", last)
    made = new_head(last.in_features, (), outputs, 0.0)
    made[-1].load_state_dict(last.state_dict())
    return TokenModel(whole.base_model, made, TOKEN_CLASSES[head], last_name).eval()


def load_classifier(folder: Folder, wanted: Wanted) -> Classifier:
    """The model of a folder, its pre-training head replaced by a new one.

    With `pooling` "auto" it is pooled as the folder declares, else as the architecture's own classification class does
    it. Raises ModelError when the weights are not those of the architecture.
    """
    declared = folder.pooling if wanted.pooling == "auto" else wanted.pooling
    if declared is None and wanted.hidden:
        declared = "cls"  # the architecture's own class has no room for more layers
    if declared is None:
        body, last_name, last = own_class(folder, wanted.outputs, wanted.body_dropout)
        silence_head_dropout(body)
        return Classifier(body, None, wanted.new_head(last.in_features), last_name)
    refuse_encoder_decoder(folder)
    body = pretrained(folder, "AutoModel", folder_config(folder, None, wanted.body_dropout))
    return Classifier(body, declared, wanted.new_head(int(body.config.hidden_size)))


def reload_classifier(
    folder: Folder, labels: int, pooling: str | None, hidden: tuple[int, ...]
) -> Classifier:
    """A model that luthier saved, its head included."""
    if pooling is None:
        body, last_name, last = own_class(folder, labels)
        if not has_head(folder, last_name, last):
            raise head_is_missing(folder, f"{last_name}.weight", last)
        head = new_head(last.in_features, (), labels, 0.0)
        head[-1].load_state_dict(last.state_dict())
        return Classifier(body, None, head, last_name).eval()
    body = pretrained(folder, "AutoModel", folder_config(folder, None))
    with torch.device("meta"):  # as large as luthier.json says, which is not to be believed yet
        promised = new_head(int(body.config.hidden_size), hidden, labels, 0.0)
    for level, linear in enumerate(layer for layer in promised if isinstance(layer, nn.Linear)):
        file = f"{level + 2}_Dense/model.safetensors"
        shapes = read_header(folder.home / file)[0] if (folder.home / file).is_file() else {}
        if shapes.get("linear.weight") != tuple(linear.weight.shape):
            raise head_is_missing(folder, file, linear)
    head = new_head(int(body.config.hidden_size), hidden, labels, 0.0)
    for level, linear in enumerate(layer for layer in head if isinstance(layer, nn.Linear)):
        file = f"{level + 2}_Dense/model.safetensors"
        weights = load_file(folder.home / file)
        refuse_not_finite(folder.home / file, weights.items())
        linear.load_state_dict({name.removeprefix("linear."): tensor for name, tensor in weights.items()})
    return Classifier(body, pooling, head).eval()
