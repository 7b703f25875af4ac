"""The body of a model folder, in its own class of transformers: the only place that opens one."""

from typing import Any

import torch
from torch import nn

from luthier.errors import ModelError, listing
from luthier.models.attention import use_short_attention
from luthier.models.inspect import Folder
from luthier.models.quiet import quiet
from luthier.models.texts import first_line

IMAGE_CLASS = "AutoModelForImageClassification"


def has_head(folder: Folder, name: str, layer: nn.Linear) -> bool:
    """Whether a folder's weights hold a last layer of this shape."""
    return folder.tensors.get(f"{name}.weight") == tuple(layer.weight.shape)


def head_is_missing(folder: Folder, what: str, layer: nn.Linear) -> ModelError:
    """A saved model without its head would answer at random."""
    return ModelError(
        f"{folder.home}: {what} is not there with the {layer.out_features} x {layer.in_features} weights that "
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
            "Leave --pooling, --hidden and --pair out."
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
