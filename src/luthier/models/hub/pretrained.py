"""The body of a model folder, in its own class of transformers: the only place that opens one."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as registration

from luthier.errors import LuthierError, ModelError, first_line, listing
from luthier.models.finite import first_not_finite
from luthier.models.hub.adapter import merge_adapter
from luthier.models.hub.inspect import Folder
from luthier.models.hub.static_table import read_table, settings_of
from luthier.models.hub.weight_files import read_weights, refuse_not_finite
from luthier.models.kernels.attention import use_short_attention
from luthier.models.quiet import quiet

IMAGE_CLASS = "AutoModelForImageClassification"
BARE = "AutoModel"
"""The class of a body without anything above it."""
MORE_TENSORS, SPARE_TENSORS = 4, 1_000
"""A model may have so many tensors for each one in the weight files, which may hold several in one; and so many more."""
MORE_NUMBERS, SPARE_NUMBERS = 3, 50_000_000
"""A model may have so many numbers for each one on disk, where tied weights are stored once; and so many more, for tables of
positions, which are not stored."""
OUTPUT_LAYER = "lm_head.weight"
"""The name that most language models give the layer from states to tokens."""
PARTS_A_TENSOR = 10
"""The most modules that a model may have for each of its tensors."""


def has_head(folder: Folder, name: str, layer: nn.Linear) -> bool:
    """Whether the weights of a folder, or of its adapter, hold a last layer of this shape."""
    own = {} if folder.adapter is None else folder.adapter.heads
    return tuple(layer.weight.shape) in (own.get(f"{name}.weight"), folder.tensors.get(f"{name}.weight"))


def head_is_missing(folder: Folder, what: str, layer: nn.Linear) -> ModelError:
    """The error for a saved model without its head, which would answer at random."""
    if not (folder.home / "luthier.json").is_file():
        return ModelError(
            f"{folder.place}: {what} is not there with the {layer.out_features} x {layer.in_features} weights that config.json "
            "asks for: the model's head is missing. Save the whole model again, by save_pretrained of the class that was tuned."
        )
    return ModelError(
        f"{folder.home}: {what} is not there with the {layer.out_features} x {layer.in_features} weights that "
        "luthier.json asks for. The folder was changed after luthier wrote it: copy it again from the run."
    )


def own_class(
    folder: Folder,
    labels: int,
    body_dropout: float | None = None,
    auto_class: str = "AutoModelForSequenceClassification",
    tuned: bool = False,
) -> tuple[Any, str, nn.Linear]:
    """The architecture's own classification model with its last layer taken out; that layer, and its name.

    tuned: whether it answers already, as a decoder may from its last token, and is not to be tuned here.
    """
    config = folder_config(folder, labels, body_dropout)
    # Without a token that pads, decoders' own class fails at two rows, in words that name no remedy.
    if getattr(config, "pad_token_id", 0) is None:
        last_linear(skeleton_of(folder, auto_class, config), labels, folder, tuned)
    body = pretrained(folder, auto_class, config)
    name, last = last_linear(body, labels, folder, tuned)
    body.set_submodule(name, nn.Identity())
    return body, name, last


def refuse_encoder_decoder(folder: Folder) -> None:
    """Raise ModelError for T5 and its like, which cannot be run without a text to decode, as their own classes do."""
    if folder.config.get("is_encoder_decoder"):
        raise ModelError(
            f"{folder.place}: {folder.family} is an encoder with a decoder, whose states luthier does not pool. "
            "Leave --pooling, --hidden and --pair out."
        )


def folder_config(folder: Folder, labels: int | None, body_dropout: float | None = None) -> Any:
    """The settings of a folder's model, of those that may be heeded (models/hub/settings.py)."""
    from transformers import PretrainedConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if folder.is_table:
        return PretrainedConfig(**settings_of(next(iter(folder.tensors.values()))))
    file = folder.path / "config.json"
    if folder.family not in CONFIG_MAPPING:
        raise ModelError(
            f"{file}: its model_type is {folder.family[:60]!r}, an architecture that transformers does not know. "
            "Choose another model."
        )
    try:
        with quiet():
            config = CONFIG_MAPPING[folder.family].from_dict(dict(folder.config))
    except Exception as error:  # transformers raises many kinds; each means that the settings cannot be used.
        raise ModelError(
            f"{file}: transformers cannot use it ({told(error)}). Fetch or copy it again."
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
    """A transformers model with the folder's weights, once its shapes are known to be those of its settings.

    transformers is given settings and weights, and no folder in which it would find more: adapters, kernels, other files.
    """
    if folder.is_table:
        if auto_class != BARE:
            raise ModelError(
                f"{folder.name}: is a table of word vectors, whose mean stands for a text: it answers for single texts as "
                "a whole, and for nothing else. Name an encoder with --model."
            )
        return read_table(folder.path, folder.weights)
    skeleton = skeleton_of(folder, auto_class, config)
    check_shapes(folder, skeleton)
    attention = "eager" if "eager" in attention_ways(skeleton) and not torch.cuda.is_available() else "sdpa"
    with telling_library_errors(folder), quiet():
        model, info = type(skeleton).from_pretrained(
            None,
            config=config if isinstance(config, type(skeleton).config_class) else skeleton.config,
            state_dict=with_embeddings(read_weights(folder.weights, kept=True), skeleton),
            dtype=torch.float32,
            # Plain products beat torch's fused CPU attention, whose backward is slow at these lengths (docs/recipes.md).
            attn_implementation=attention,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    check_nothing_missing(folder, model, info["missing_keys"])
    refuse_not_finite(folder.path, chain(model.named_parameters(), model.named_buffers()))
    if folder.adapter is not None:
        merge_adapter(model, folder.adapter)
    if auto_class != IMAGE_CLASS:
        tried(folder, model)
        if attention == "eager":
            use_short_attention(model, lambda: first_tensor(model(**few_tokens(model.config))))
    return model


def with_embeddings(weights: Mapping[str, torch.Tensor], skeleton: Any) -> dict[str, torch.Tensor]:
    """Weights whose table of tokens stands under the output layer's name alone, as both are tied, with that table under its own:
    a class without that layer looks for no other."""
    found = dict(weights)
    if OUTPUT_LAYER not in found or not getattr(skeleton.config, "tie_word_embeddings", False):
        return found
    table, tied = skeleton.get_input_embeddings(), found[OUTPUT_LAYER]
    prefix = f"{skeleton.base_model_prefix}."
    name = next(name for name, weight in skeleton.named_parameters() if weight is table.weight)
    spellings = {name.removeprefix(prefix), prefix + name.removeprefix(prefix)}
    if not spellings & found.keys() and tied.shape == table.weight.shape:
        found[prefix + name.removeprefix(prefix)] = tied
    return found


def skeleton_of(folder: Folder, auto_class: str, config: Any) -> Any:
    """A model without weights: its shapes alone. Raises ModelError where the weight files cannot fill it."""
    import transformers

    auto, file = getattr(transformers, auto_class), folder.path / "config.json"
    try:
        with torch.device("meta"), building_at_most(folder), quiet():
            return auto.from_config(config)
    except LuthierError:
        raise
    except Exception as error:  # of many kinds: sizes that do not divide, names that are none
        if isinstance(error, ValueError) and "Unrecognized configuration class" in str(error):
            raise ModelError(
                f"{folder.place}: transformers has no {auto_class} for {folder.family!r}. Choose an encoder such as BERT."
            ) from error
        raise ModelError(
            f"{file}: transformers can build no {folder.family} model of it ({told(error)}). Fetch or copy it again."
        ) from error


@contextlib.contextmanager
def building_at_most(folder: Folder) -> Iterator[None]:
    """Inside, no model is built that has many more tensors or numbers than the weight files: it would take time alone."""
    given = len(folder.tensors), sum(torch.Size(shape).numel() for shape in folder.tensors.values())
    most = MORE_TENSORS * given[0] + SPARE_TENSORS, MORE_NUMBERS * given[1] + SPARE_NUMBERS
    tensors = numbers = parts = 0

    def count(_: nn.Module, name: str, tensor: Any) -> None:
        nonlocal tensors, numbers
        if tensor is not None:
            tensors, numbers = tensors + 1, numbers + tensor.numel()
        refuse()

    def count_part(_: nn.Module, name: str, part: Any) -> None:
        nonlocal parts
        parts += 1
        refuse()

    def refuse() -> None:
        if tensors <= most[0] and numbers <= most[1] and parts <= PARTS_A_TENSOR * most[0]:
            return
        layers = {key: value for key, value in folder.config.items() if type(value) is int and value > 1}
        largest = sorted(layers, key=lambda key: layers[key], reverse=True)[:4]
        raise ModelError(
            f"{folder.path / 'config.json'}: asks for far more than the {given[0]:,} tensors with {given[1]:,} "
            "numbers that the weight "
            f"files hold; its largest settings are {', '.join(f'{key} {layers[key]:,}' for key in largest)}. Fetch or "
            "copy both again."
        )

    hooks = [
        registration.register_module_parameter_registration_hook(count),
        registration.register_module_buffer_registration_hook(count),
        registration.register_module_module_registration_hook(count_part),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextlib.contextmanager
def telling_library_errors(folder: Folder) -> Iterator[None]:
    """Inside, errors that transformers or torch raise over a model become ModelError, in our words."""
    try:
        yield
    except LuthierError:
        raise
    except Exception as error:  # of many kinds; each means that settings and weights make no model that works
        raise ModelError(
            f"{folder.path}: config.json and the weights make no {folder.family} model that works ({told(error)}). "
            "Fetch or copy both again, or choose another model."
        ) from error


def told(error: Exception) -> str:
    """A library's error message, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    more = f" {lines[1]}" if len(lines) > 1 and lines[0].endswith(":") else ""
    return f"{type(error).__name__}: {first_line(error)}{more}"[:300]


def tried(folder: Folder, model: Any) -> None:
    """Let a model read a few tokens: what fails here would fail in the midst of a run."""
    with telling_library_errors(folder), torch.no_grad():
        refuse_not_finite_answer(folder, model, lambda: first_tensor(model(**few_tokens(model.config))))


def refuse_not_finite_answer(folder: Folder, model: Any, run: Callable[[], torch.Tensor]) -> None:
    """Raise ModelError for a model whose weights are finite and whose answers, of `run`, are not."""
    if not bool(torch.isfinite(run()).all()):
        raise ModelError(
            f"{folder.path}: what {first_not_finite(model, run) or 'the model'} gives is not finite, though the weights are: "
            "some are far too large, or a setting of config.json is not the one that they were trained with. Fetch or copy both "
            "again, or choose another model."
        )


def few_tokens(config: Any) -> dict[str, torch.Tensor]:
    """A small batch with padding, for looking at how a model computes."""
    mask = torch.ones(2, 7, dtype=torch.int64)
    mask[1, 5:] = 0
    tokens = torch.arange(14).reshape(2, 7) % 7 + 1
    end = getattr(config, "eos_token_id", None)
    if config.is_encoder_decoder and isinstance(end, int):  # whose classes answer at the end of a text
        tokens[0, 6] = tokens[1, 4] = end
    return {"input_ids": tokens, "attention_mask": mask}


def first_tensor(output: Any) -> torch.Tensor:
    """The main result of a transformers model."""
    found: torch.Tensor = output[0]
    return found


def attention_ways(model: Any) -> tuple[str, ...]:
    """The implementations of attention that the architecture offers; all of transformers' own models know `eager`."""
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


def last_linear(model: Any, labels: int, folder: Folder, tuned: bool = False) -> tuple[str, nn.Linear]:
    """The layer above the pre-trained body that gives the logits, with its name. tuned: whether it may be one that reads the last
    token, which transformers finds by the token that pads."""
    kind, below = type(model).__name__, model.base_model_prefix + "."
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not name.startswith(below)
    ]
    if not found or found[-1][1].out_features != labels:
        raise ModelError(f"{folder.place}: luthier finds no last linear layer in {kind}. Use --pooling mean.")
    # Decoders (whose last layer has no bias) and XLNet: with padding at the right, their last token is padding.
    decoder = found[-1][1].bias is None and not tuned
    if decoder or getattr(model.config, "summary_type", None) == "last":
        raise ModelError(
            f"{folder.place}: {kind} takes its answer from the last token, which luthier does not. Use --pooling mean."
        )
    return found[-1]


def silence_head_dropout(model: Any) -> None:
    """Dropout outside of the pre-trained body is luthier's own (`model.dropout`): the architecture's is switched off."""
    for name, module in model.named_modules():
        if not name.startswith(model.base_model_prefix + ".") and "dropout" in type(module).__name__.lower():
            module.p = 0.0
