"""What config.json may say: sizes of an architecture. It decides nothing that runs, and asks for no more than there can be."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from luthier.errors import ModelError, listing

NEVER_HEEDED = {
    *("attn_implementation", "attn_implementation_internal", "experts_implementation"),
    *("use_kernels", "kernel_config", "fusion_config", "transformers_weights", "distributed_config"),
    *("use_pretrained_backbone", "use_timm_backbone", "backbone_kwargs", "trust_remote_code", "gguf_file"),
    *(
        "generation_config",
        "custom_pipelines",
        "custom_generate",
        "tp_plan",
        "pp_plan",
        "device_map",
        "dtype",
    ),
    *(
        "torch_dtype",
        "name_or_path",
        "return_dict",
        "use_return_dict",
        "output_attentions",
        "output_hidden_states",
    ),
    "torchscript",
}
"""Keys that would choose a kernel, a file, a place or the form of answers: what luthier runs is its own choice
(models/hub/pretrained.py)."""
QUANTISED = ("quantization_config", "compression_config", "sparsity_config")
SIZES = {
    *(
        "hidden_size",
        "d_model",
        "dim",
        "n_embd",
        "embedding_size",
        "vocab_size",
        "intermediate_size",
        "hidden_dim",
    ),
    *(
        "d_ff",
        "ffn_dim",
        "encoder_ffn_dim",
        "n_inner",
        "num_hidden_layers",
        "n_layers",
        "n_layer",
        "num_layers",
    ),
    *("encoder_layers", "num_attention_heads", "n_heads", "n_head", "num_heads", "encoder_attention_heads"),
    *("num_key_value_heads", "head_dim", "max_position_embeddings", "n_positions", "num_hidden_groups"),
    *("inner_group_num", "image_size", "patch_size", "num_channels", "hidden_sizes", "depths", "embed_dim"),
    *("global_attn_every_n_layers", "max_seq_len", "local_attention", "attention_window"),
}
"""Settings that are whole numbers of one at the least, or lists of such, wherever they are given."""
COUNTS_LAYERS = ("layers", "layer", "depth", "depths", "blocks", "groups", "group_num", "repeats")
"""Endings of the names of settings that say how often something is built, or run."""
LABELS = ("id2label", "label2id")
"""Settings that hold the user's own label names: what is inside of them are no settings."""
MOST_LAYERS = 300
"""The most layers of one kind: known models have less than half of it."""
MOST_ENTRIES = 2**20
"""The most labels that a configuration may name, and the most tokens of an attention window."""
MOST_WHOLE = 2**31
DEEPEST = 32
"""The most levels of settings within settings; known ones have four."""


def checked_settings(file: Path, content: dict[str, Any]) -> dict[str, Any]:
    """The settings of a model that may be handed on, and nothing that chooses what runs.

    Raises ModelError, with the key, for code, for quantised weights and for sizes that no model has.
    """
    refuse_custom_code(file, content)
    for key, value in walked(file, content):
        refuse_impossible(file, key, value)
    return {key: heeded(value) for key, value in content.items() if is_heeded(key)}


def is_heeded(key: str) -> bool:
    return key not in NEVER_HEEDED and not key.startswith("_")


def heeded(content: Any) -> Any:
    """Settings without those that would choose what runs, however deep they stand."""
    if isinstance(content, dict):
        return {key: heeded(value) for key, value in content.items() if is_heeded(key)}
    return [heeded(one) for one in content] if isinstance(content, list) else content


def walked(file: Path, content: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Each setting with its place, as in `text_config.hidden_size`; those in a list have its name."""
    if depth > DEEPEST:
        raise ModelError(
            f"{file}: has settings within settings more than {DEEPEST} deep. Fetch or copy it again."
        )
    if isinstance(content, dict):
        for key, value in content.items():
            place = f"{name}.{key}" if name else key
            yield place, value
            if key not in LABELS:
                yield from walked(file, value, place, depth + 1)
    elif isinstance(content, list):
        for value in content:
            if isinstance(value, dict | list):
                yield from walked(file, value, name, depth + 1)


def refuse_custom_code(file: Path, content: Any) -> None:
    """Raise ModelError for a folder that brings its own Python code, which could do anything."""
    for key, value in walked(file, content):
        if key.rsplit(".", 1)[-1] == "auto_map":
            asked = listing(value) if isinstance(value, dict | list) else repr(value)[:80]
            raise ModelError(
                f"{file}: asks to run code of its own ({key}: {asked}). luthier runs no code "
                "from model folders. Use a model whose architecture is part of transformers."
            )


def refuse_impossible(file: Path, place: str, value: Any) -> None:
    """Raise ModelError for a setting that no model of this kind can have."""
    key = place.rsplit(".", 1)[-1]
    if key in QUANTISED and value:
        method = value.get("quant_method") if isinstance(value, dict) else value
        raise ModelError(
            f"{file}: says that the weights are quantised ({place}: {str(method)[:40]!r}), and luthier tunes plain weights. "
            "Choose the model that they were made of, in fp32, bf16 or fp16."
        )
    if key in LABELS:
        if value is not None and (not isinstance(value, dict) or len(value) > MOST_ENTRIES):
            raise wrong(file, place, value, "names with their numbers")
        return
    for number in value if isinstance(value, list) else [value]:
        refuse_impossible_number(file, place, key, number)


def refuse_impossible_number(file: Path, place: str, key: str, value: Any) -> None:
    """Raise ModelError for a single value, or one in a list, that no model of this kind can have."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and not math.isfinite(value):
        raise wrong(file, place, value, "a finite number")
    if key in SIZES and value is not None and not isinstance(value, dict):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise wrong(file, place, value, "a whole number, 1 at the least")
        if value > MOST_WHOLE:
            raise wrong(file, place, value, "a size that a model can have")
    if not number:
        return
    if key.endswith(COUNTS_LAYERS) and value > MOST_LAYERS:
        raise wrong(file, place, value, f"{MOST_LAYERS:,} at the most")
    if key == "num_labels" and not 0 <= value <= MOST_ENTRIES:
        raise wrong(file, place, value, f"{MOST_ENTRIES:,} at the most")
    if "window" in key and value > MOST_ENTRIES:
        raise wrong(file, place, value, f"{MOST_ENTRIES:,} tokens at the most")
    if ("dropout" in key or "drop_rate" in key or "drop_prob" in key) and not 0 <= value <= 1:
        raise wrong(file, place, value, "a share from 0 to 1")
    if key.endswith(("_eps", "epsilon")) and not 0 <= value < 1:
        raise wrong(file, place, value, "a small number above 0")
    if key in ("initializer_range", "init_std") and not 0 <= value < 100:
        raise wrong(file, place, value, "a standard deviation")


def wrong(file: Path, place: str, value: Any, expected: str) -> ModelError:
    return ModelError(
        f"{file}: {place} is {str(repr(value))[:60]}. Expected {expected}. Fetch or copy the file again."
    )
