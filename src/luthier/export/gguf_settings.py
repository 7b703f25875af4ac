"""The settings of a llama as a GGUF file names them, and what no such file can say."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FAMILIES = ("llama", "mistral")
"""Values of `model_type` whose models llama.cpp computes as its architecture `llama`; Mistral's without a sliding window."""
PLAIN, LLAMA_3 = "default", "llama3"
"""The kinds of rotary positions that are written."""


@dataclass(frozen=True)
class LlamaSettings:
    """The sizes of a llama-type model."""

    layers: int
    width: int
    inner_width: int
    heads: int
    key_heads: int
    head_width: int
    context: int
    vocabulary: int
    epsilon: float
    rope: Mapping[str, Any]
    """Settings of the rotary positions: `rope_type`, `rope_theta`, and those of scaling."""
    tied: bool
    """Whether the output layer is the table of the embeddings."""


def llama_settings(config: Mapping[str, Any]) -> LlamaSettings:
    """Read the settings of a config.json that `obstacles` has nothing against."""
    heads, width = config["num_attention_heads"], config["hidden_size"]
    return LlamaSettings(
        layers=config["num_hidden_layers"],
        width=width,
        inner_width=config["intermediate_size"],
        heads=heads,
        key_heads=config.get("num_key_value_heads") or heads,
        head_width=config.get("head_dim") or width // heads,
        context=config["max_position_embeddings"],
        vocabulary=config["vocab_size"],
        epsilon=config["rms_norm_eps"],
        rope=rope_settings(config),
        tied=bool(config.get("tie_word_embeddings", False)),
    )


def rope_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the rotary positions, in transformers' older or newer spelling of them.

    >>> rope_settings({"rope_theta": 1e5, "rope_scaling": None})
    {'rope_type': 'default', 'rope_theta': 100000.0}
    """
    found = {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}
    kind = found.pop("type", None)
    base = found.pop("rope_theta", None) or config.get("rope_theta") or 10_000.0
    return {"rope_type": found.pop("rope_type", None) or kind or PLAIN, "rope_theta": float(base), **found}


NEEDED = (
    "num_hidden_layers",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "max_position_embeddings",
    "vocab_size",
    "rms_norm_eps",
)


def obstacles(config: Mapping[str, Any]) -> list[str]:
    """Return what keeps the settings of a model from being written, a sentence each."""
    family = config.get("model_type")
    if family not in FAMILIES:
        return [f"it is of the architecture {family}, and GGUF files are written of llama-type decoders"]
    named = [str(one) for one in config.get("architectures") or []]
    if named and not any(one.endswith("ForCausalLM") for one in named):
        return [f"it was saved as {named[0]}, which writes no text"]
    missing = [key for key in NEEDED if config.get(key) is None]
    if missing:
        return [f"its config.json lacks {', '.join(missing)}"]
    found = []
    if config.get("hidden_act", "silu") != "silu":
        found.append(
            f"its activation is {config['hidden_act']}, and llama.cpp computes its architecture llama with silu"
        )
    if config.get("attention_bias") or config.get("mlp_bias"):
        found.append("its layers have biases, which a llama in GGUF has not")
    if config.get("sliding_window"):
        found.append("its attention has a sliding window, which a llama in GGUF has not")
    rope = rope_settings(config)
    if rope["rope_type"] not in (PLAIN, LLAMA_3):
        found.append(
            f"its rotary positions are scaled by the rule {rope['rope_type']!r}, and written are those without scaling and "
            f"those of {LLAMA_3!r}"
        )
    if rope.get("partial_rotary_factor", 1.0) != 1.0 or config.get("partial_rotary_factor", 1.0) != 1.0:
        found.append("only a part of each head has rotary positions")
    return found


def rope_factors(settings: LlamaSettings) -> list[float]:
    """Return by how much each rotary frequency is divided in Llama 3.1's scaling: 1 for short waves, `factor` for long ones,
    and in between what joins the two (transformers.modeling_rope_utils, `_compute_llama3_parameters`)."""
    rope = settings.rope
    factor, trained = float(rope["factor"]), float(rope["original_max_position_embeddings"])
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    found = []
    for place in range(0, settings.head_width, 2):
        wave = 2 * math.pi * rope["rope_theta"] ** (place / settings.head_width)
        if wave < trained / high:
            found.append(1.0)
        elif wave > trained / low:
            found.append(factor)
        else:
            smooth = (trained / wave - low) / (high - low)
            found.append(1 / ((1 - smooth) / factor + smooth))
    return found
