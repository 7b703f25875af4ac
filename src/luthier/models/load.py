"""Open a model folder, the only place that does, and put a head for the task on it."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from luthier import seeds
from luthier.errors import ModelError, listing
from luthier.models.attention import use_short_attention
from luthier.models.classifier import Classifier
from luthier.models.convolutions import fold_norms
from luthier.models.dropout import use_hashed_dropout
from luthier.models.headed import HeadedModel, new_head
from luthier.models.image_model import ImageModel
from luthier.models.inspect import Folder, read_header
from luthier.models.pictures import Preparation
from luthier.models.quiet import quiet
from luthier.models.sentence_encoder import SentenceEncoder
from luthier.models.texts import first_line
from luthier.models.token_model import TokenModel

IMAGE_CLASS = "AutoModelForImageClassification"
TOKEN_CLASSES = {"tags": "AutoModelForTokenClassification", "spans": "AutoModelForQuestionAnswering"}
"""By what a head over tokens gives, the class of transformers that has one."""


@dataclass(frozen=True)
class Wanted:
    """The model that is wanted on top of a folder's body."""

    outputs: int
    """Numbers that the head gives."""
    head: str = "row"
    """`row`, or a key of TOKEN_CLASSES."""
    own_pooling: bool = False
    """With pooling "auto", of several texts in one part: only the architecture's own class knows what stands for them."""
    pooling: str = "auto"
    hidden: tuple[int, ...] = ()
    dropout: float = 0.1
    seed: int = 0
    body_dropout: float | None = None


def load_model(folder: Folder, wanted: Wanted, preparation: Preparation | None = None) -> HeadedModel:
    """The model of a folder in fp32 with a new head. preparation: of a model that reads images.

    Raises ModelError when the folder holds no such model.
    """
    new = wanted.hidden, wanted.dropout, wanted.seed, wanted.body_dropout
    if preparation is not None:
        return load_image_model(folder, wanted.outputs, preparation, *new)
    if wanted.head == "vector":
        return load_encoder(folder, wanted.pooling, wanted.seed, wanted.body_dropout)
    if wanted.head != "row":
        return load_token_model(folder, wanted.head, wanted.outputs, *new)
    if wanted.own_pooling and wanted.pooling == "auto":
        folder = replace(folder, pooling=None)
    return load_classifier(folder, wanted.outputs, wanted.pooling, *new)


def load_token_model(
    folder: Folder,
    head: str,
    outputs: int,
    hidden: tuple[int, ...] = (),
    dropout: float = 0.1,
    seed: int = 0,
    body_dropout: float | None = None,
) -> TokenModel:
    """The body of a folder in fp32 under a new head that answers token by token. Raises ModelError where it has none."""
    refuse_encoder_decoder(folder)
    torch.manual_seed(seeds.derive(seed, "fresh layers"))
    whole = pretrained(folder, TOKEN_CLASSES[head], folder_config(folder, outputs, body_dropout))
    last_name, last = last_linear(whole, outputs, folder)
    body = whole.base_model
    torch.manual_seed(seeds.derive(seed, "head"))
    made = new_head(last.in_features, hidden, outputs, dropout)
    if head == "spans" and folder.tensors.get(f"{last_name}.weight") == tuple(last.weight.shape):
        # Where answers begin and end means the same for all questions: a head that knows it is kept.
        made[-1].load_state_dict(last.state_dict())
    model = TokenModel(body, made, TOKEN_CLASSES[head], last_name).eval()
    use_hashed_dropout(model)
    return model


def load_encoder(
    folder: Folder, pooling: str = "auto", seed: int = 0, body_dropout: float | None = None
) -> SentenceEncoder:
    """The body of a folder in fp32, pooled as it declares, or else by the mean over tokens."""
    refuse_encoder_decoder(folder)
    torch.manual_seed(seeds.derive(seed, "fresh layers"))
    body = pretrained(folder, "AutoModel", folder_config(folder, None, body_dropout))
    declared = (folder.pooling or "mean") if pooling == "auto" else pooling
    model = SentenceEncoder(body, declared, folder.normalised).eval()
    use_hashed_dropout(model)
    return model


def load_image_model(
    folder: Folder,
    labels: int,
    preparation: Preparation,
    hidden: tuple[int, ...] = (),
    dropout: float = 0.1,
    seed: int = 0,
    body_dropout: float | None = None,
) -> ImageModel:
    """The model of a folder in fp32 under a new head for images. Raises ModelError where it has no head for images."""
    torch.manual_seed(seeds.derive(seed, "fresh layers"))
    body, last_name, last = own_class(folder, labels, body_dropout, IMAGE_CLASS)
    silence_head_dropout(body)
    torch.manual_seed(seeds.derive(seed, "head"))
    model = ImageModel(body, new_head(last.in_features, hidden, labels, dropout), last_name, preparation)
    return made_fast(model.eval())


def made_fast(model: ImageModel) -> ImageModel:
    """Batch norms folded where no GPU does it better, memory in the order that convolutions like."""
    size = model.preparation.size
    body: Any = model.body
    if not torch.cuda.is_available():
        fold_norms(body, lambda: body(pixel_values=torch.linspace(-1, 1, 3 * size**2).view(1, 3, size, size)))
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
        if folder.tensors.get(f"{last_name}.weight") != tuple(last.weight.shape):
            raise head_is_missing(folder, f"{last_name}.weight", last)
        made = new_head(last.in_features, (), outputs, 0.0)
        made[-1].load_state_dict(last.state_dict())
        return made_fast(ImageModel(body, made, last_name, preparation).eval())
    if head == "vector":
        return load_encoder(folder)
    if head == "row":
        return reload_classifier(folder, outputs, pooling, hidden)
    whole = pretrained(folder, TOKEN_CLASSES[head], folder_config(folder, outputs))
    last_name, last = last_linear(whole, outputs, folder)
    if folder.tensors.get(f"{last_name}.weight") != tuple(last.weight.shape):
        raise head_is_missing(folder, f"{last_name}.weight", last)
    made = new_head(last.in_features, (), outputs, 0.0)
    made[-1].load_state_dict(last.state_dict())
    return TokenModel(whole.base_model, made, TOKEN_CLASSES[head], last_name).eval()


def load_classifier(
    folder: Folder,
    labels: int,
    pooling: str = "auto",
    hidden: tuple[int, ...] = (),
    dropout: float = 0.1,
    seed: int = 0,
    body_dropout: float | None = None,
) -> Classifier:
    """The model of a folder in fp32, its pre-training head replaced by one for `labels` labels.

    body_dropout: of every dropout in the body; None leaves what the model declares.

    With `pooling` "auto" it is pooled as the folder declares, else as the architecture's own classification class does
    it. Raises ModelError when the weights are not those of the architecture.
    """
    declared = folder.pooling if pooling == "auto" else pooling
    if declared is None and hidden:
        declared = "cls"  # the architecture's own class has no room for more layers
    torch.manual_seed(seeds.derive(seed, "fresh layers"))
    if declared is None:
        body, last_name, last = own_class(folder, labels, body_dropout)
        silence_head_dropout(body)
        width = last.in_features
    else:
        refuse_encoder_decoder(folder)
        body, last_name = pretrained(folder, "AutoModel", folder_config(folder, None, body_dropout)), None
        width = int(body.config.hidden_size)
    torch.manual_seed(seeds.derive(seed, "head"))
    model = Classifier(body, declared, new_head(width, hidden, labels, dropout), last_name).eval()
    use_hashed_dropout(model)
    return model


def reload_classifier(
    folder: Folder, labels: int, pooling: str | None, hidden: tuple[int, ...]
) -> Classifier:
    """A model that luthier saved, its head included."""
    if pooling is None:
        body, last_name, last = own_class(folder, labels)
        if folder.tensors.get(f"{last_name}.weight") != tuple(last.weight.shape):
            raise head_is_missing(folder, f"{last_name}.weight", last)
        head = new_head(last.in_features, (), labels, 0.0)
        head[-1].load_state_dict(last.state_dict())
        return Classifier(body, None, head, last_name).eval()
    body = pretrained(folder, "AutoModel", folder_config(folder, None))
    head = new_head(int(body.config.hidden_size), hidden, labels, 0.0)
    for level, linear in enumerate(layer for layer in head if isinstance(layer, nn.Linear)):
        file = f"{level + 2}_Dense/model.safetensors"
        shapes = read_header(folder.path / file)[0] if (folder.path / file).is_file() else {}
        if shapes.get("linear.weight") != tuple(linear.weight.shape):
            raise head_is_missing(folder, file, linear)
        weights = load_file(folder.path / file)
        linear.load_state_dict({name.removeprefix("linear."): tensor for name, tensor in weights.items()})
    return Classifier(body, pooling, head).eval()


def head_is_missing(folder: Folder, what: str, layer: nn.Linear) -> ModelError:
    """A saved model without its head would answer at random."""
    return ModelError(
        f"{folder.path}: {what} is not there with the {layer.out_features} x {layer.in_features} weights that "
        "luthier.json asks for. The folder was changed after luthier wrote it: copy it again from the run."
    )


def own_class(
    folder: Folder,
    labels: int,
    body_dropout: float | None = None,
    auto_class: str = "AutoModelForSequenceClassification",
) -> tuple[Any, str, nn.Linear]:
    """The architecture's own classification model with its last layer taken out; that layer, and its name."""
    config = folder_config(folder, labels, body_dropout)
    body = pretrained(folder, auto_class, config)
    name, last = last_linear(body, labels, folder)
    body.set_submodule(name, nn.Identity())
    return body, name, last


def refuse_encoder_decoder(folder: Folder) -> None:
    """T5 and its like cannot be run without a text to decode; their own classes know how."""
    if folder.config.get("is_encoder_decoder"):
        raise ModelError(
            f"{folder.path}: {folder.family} is an encoder with a decoder, whose states luthier does not pool. "
            "Leave --pooling and --hidden out."
        )


def folder_config(folder: Folder, labels: int | None, body_dropout: float | None = None) -> Any:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder.path, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # transformers raises many kinds; each means that the settings cannot be used.
        raise ModelError(
            f"{folder.path / 'config.json'}: transformers cannot use it ({type(error).__name__}: {first_line(error)})."
        ) from error
    if labels is not None:
        config.num_labels = labels
        config.problem_type = None
    if body_dropout is not None:
        for name, value in config.to_dict().items():
            if "dropout" in name and isinstance(value, int | float) and not isinstance(value, bool):
                setattr(config, name, body_dropout)
    return config


def pretrained(folder: Folder, auto_class: str, config: Any) -> Any:
    """A transformers model with the folder's weights, once its shapes are known to be those of its settings."""
    import transformers

    auto = getattr(transformers, auto_class)
    try:
        with torch.device("meta"):
            skeleton = auto.from_config(config)
    except ValueError as error:
        raise ModelError(
            f"{folder.path}: transformers has no {auto_class} for {folder.family!r}. Choose an encoder such as BERT."
        ) from error
    check_shapes(folder, skeleton)
    attention = "eager" if "eager" in attention_ways(skeleton) and not torch.cuda.is_available() else "sdpa"
    with quiet():
        model, info = auto.from_pretrained(
            folder.path,
            config=config,
            dtype=torch.float32,
            # Plain products beat torch's fused CPU attention, whose backward is slow at these lengths (docs/recipes.md).
            attn_implementation=attention,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    check_nothing_missing(folder, model, info["missing_keys"])
    if attention == "eager" and auto_class != IMAGE_CLASS:
        use_short_attention(model, lambda: first_tensor(model(**few_tokens())))
    return model


def few_tokens() -> dict[str, torch.Tensor]:
    """A small batch with padding, for looking at how a model computes."""
    mask = torch.ones(2, 7, dtype=torch.int64)
    mask[1, 5:] = 0
    return {"input_ids": torch.arange(14).reshape(2, 7) % 7 + 1, "attention_mask": mask}


def first_tensor(output: Any) -> torch.Tensor:
    """The main result of a transformers model."""
    found: torch.Tensor = output[0]
    return found


def attention_ways(model: Any) -> tuple[str, ...]:
    """What the architecture can be asked for; all of transformers' own models know `eager`."""
    return ("eager", "sdpa") if getattr(model, "_supports_sdpa", False) else ("eager",)


def check_shapes(folder: Folder, skeleton: Any) -> None:
    """Compare the weight files with the architecture before memory is taken: a wrong config could ask for any amount."""
    expected = {name: tuple(tensor.shape) for name, tensor in skeleton.state_dict().items()}
    prefix = skeleton.base_model_prefix + "."
    wrong = []
    for name, shape in folder.tensors.items():
        for spelling in (name, prefix + name, name.removeprefix(prefix)):
            inside = spelling.startswith(prefix) or not any(key.startswith(prefix) for key in expected)
            if inside and spelling in expected and expected[spelling] != shape:
                wrong.append(f"{name} is {shape} in the file and {expected[spelling]} by config.json")
                break
    if wrong:
        raise ModelError(
            f"{folder.path}: weights and config.json do not belong together: {wrong[0]}"
            f"{f', and {len(wrong) - 1} more' if len(wrong) > 1 else ''}. Fetch or copy both again."
        )


def check_nothing_missing(folder: Folder, model: Any, missing: set[str]) -> None:
    """All of the body's tensors must come from the file; poolers and heads may be new."""
    prefix = model.base_model_prefix + "."
    bare = not any(name.startswith(prefix) for name, _ in model.named_parameters())
    lost = sorted(name for name in missing if (bare or name.startswith(prefix)) and "pooler" not in name)
    if lost:
        raise ModelError(
            f"{folder.path}: the weights lack {len(lost)} tensors of a {folder.family} model: {listing(lost, 3)}. "
            "They belong to another architecture, or are not whole."
        )


def last_linear(model: Any, labels: int, folder: Folder) -> tuple[str, nn.Linear]:
    """The layer above the pre-trained body that gives the logits, with its name."""
    kind, below = type(model).__name__, model.base_model_prefix + "."
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not name.startswith(below)
    ]
    if not found or found[-1][1].out_features != labels:
        raise ModelError(f"{folder.path}: luthier finds no last linear layer in {kind}. Use --pooling mean.")
    # Decoders (whose last layer has no bias) and XLNet: with padding at the right, their last token is padding.
    if found[-1][1].bias is None or getattr(model.config, "summary_type", None) == "last":
        raise ModelError(
            f"{folder.path}: {kind} takes its answer from the last token, which luthier does not. Use --pooling mean."
        )
    return found[-1]


def silence_head_dropout(model: Any) -> None:
    """Dropout outside of the pre-trained body is luthier's own (`model.dropout`): the architecture's is switched off."""
    for name, module in model.named_modules():
        if not name.startswith(model.base_model_prefix + ".") and "dropout" in type(module).__name__.lower():
            module.p = 0.0
