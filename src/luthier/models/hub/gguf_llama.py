"""Settings and weights of a llama in a GGUF file, as transformers has them."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from luthier.errors import ModelError, listing
from luthier.machine import available_bytes
from luthier.models.hub.gguf_header import AGAIN, ORIGINAL, GgufHeader, GgufTensor, gguf_library
from luthier.models.hub.settings import MOST_LAYERS, MOST_WHOLE
from luthier.models.hub.weight_files import refuse_not_finite

ARCHITECTURE = "llama"
"""The one architecture that is opened. Mistral's files have that name too."""
FACTORS = "rope_freqs.weight"
"""The tensor that divides the frequencies of positions, as Llama 3.1 has it."""
PLAIN = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Types of numbers that are kept as they are, with torch's name for them."""
ONCE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
IN_A_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""The layers of a block: what GGUF calls them, and what transformers does."""
ALTERING = ("logit_scale", "embedding_scale", "residual_scale", "use_parallel_residual", "attention.scale", "attention.clamp_kqv",
            "attn_logit_softcapping", "final_logit_softcapping")  # fmt: skip
"""Settings of other architectures that change what is computed; a plain llama has none of them."""
LLAMA_3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""How every Llama from 3.1 on divides the frequencies of positions, but for how far; GGUF has the quotients alone."""


def refuse_other_architecture(header: GgufHeader) -> None:
    """Raise ModelError for a file of an architecture that luthier does not open, and for a part of one."""
    parts = header.value("split.count", int, 0)
    if parts > 1:
        raise ModelError(
            f"{header.path}: is one of {parts:,} files that hold a model together. Join them with llama.cpp's llama-gguf-split "
            "--merge, and give the file that it writes."
        )
    found = header.value("general.architecture", str)
    if found != ARCHITECTURE:
        said = "names no general.architecture" if found is None else f"is of the architecture {found[:60]!r}"
        raise ModelError(
            f"{header.path}: {said}, and of GGUF files luthier opens those of {ARCHITECTURE!r}. {ORIGINAL}"
        )
    altered = [key for key in ALTERING if header.values.get(f"llama.{key}")]
    altered += ["attention.causal"] if header.values.get("llama.attention.causal") is False else []
    if altered:
        raise ModelError(
            f"{header.path}: sets llama.{altered[0]} to {str(header.values[f'llama.{altered[0]}'])[:40]}, which a plain llama "
            f"does not have. {ORIGINAL}"
        )
    experts = header.value("llama.expert_count", int, 0)
    if experts:
        raise ModelError(
            f"{header.path}: has {experts:,} experts a block, and of GGUF files luthier opens those without. "
            f"{ORIGINAL}"
        )


def llama_config(header: GgufHeader) -> dict[str, Any]:
    """The settings of config.json. Raises ModelError for those that are missing, or that no llama can have."""
    refuse_other_architecture(header)
    width, heads = size(header, "embedding_length"), size(header, "attention.head_count")
    shared = size(header, "attention.head_count_kv", heads)
    head = size(header, "attention.key_length", width // heads)
    if heads % shared or size(header, "attention.value_length", head) != head:
        raise ModelError(
            f"{header.path}: its {heads:,} heads of {head:,} numbers do not go with {shared:,} heads of keys and values. {AGAIN}"
        )
    if size(header, "rope.dimension_count", head) != head or head % 2:
        raise ModelError(
            f"{header.path}: turns {size(header, 'rope.dimension_count', head):,} of the {head:,} numbers of a head by position, "
            f"and a llama of transformers turns all of them, two by two. {AGAIN}"
        )
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "mlp_bias": False,
        "hidden_act": "silu",
        "hidden_size": width,
        "intermediate_size": size(header, "feed_forward_length"),
        "num_hidden_layers": size(header, "block_count", most=MOST_LAYERS),
        "num_attention_heads": heads,
        "num_key_value_heads": shared,
        "head_dim": head,
        "max_position_embeddings": size(header, "context_length"),
        "vocab_size": vocabulary(header),
        "rms_norm_eps": fraction(header, "attention.layer_norm_rms_epsilon"),
        "rope_parameters": rope(header, head),
        "tie_word_embeddings": "output.weight" not in header.tensors,
        "dtype": "float32",
        "use_cache": True,
        **{key: value for key, value in numbered(header).items() if value is not None},
    }


def size(header: GgufHeader, key: str, otherwise: int | None = None, most: int = MOST_WHOLE) -> int:
    """A size of the architecture. Raises ModelError where it is missing, or none that a model can have."""
    found = header.value(f"llama.{key}", int, otherwise)
    if found is None:
        raise ModelError(
            f"{header.path}: lacks llama.{key}, without which no model can be made of it. {AGAIN}"
        )
    if not 1 <= found <= most:
        raise ModelError(f"{header.path}: llama.{key} is {found:,}. Expected 1 to {most:,}. {AGAIN}")
    return int(found)


def fraction(header: GgufHeader, key: str, otherwise: float | None = None) -> float:
    """A setting that is no whole number, in the fewest digits that give the file's 32 bits: 1e-05, not 9.99999974e-06."""
    found = header.value(f"llama.{key}", (int, float), otherwise)
    if found is None:
        raise ModelError(
            f"{header.path}: lacks llama.{key}, without which no model can be made of it. {AGAIN}"
        )
    if not math.isfinite(found) or found <= 0:
        raise ModelError(f"{header.path}: llama.{key} is {found}. Expected a number above 0. {AGAIN}")
    return float(str(np.float32(found)))


def vocabulary(header: GgufHeader) -> int:
    """How many tokens the model knows: the rows of its embeddings."""
    tensor = header.tensors.get("token_embd.weight")
    if tensor is None:
        raise ModelError(
            f"{header.path}: lacks the tensor 'token_embd.weight', which each llama has. {AGAIN}"
        )
    return tensor.shape[0]


def numbered(header: GgufHeader) -> dict[str, int | list[int] | None]:
    """The tokens that begin a text, end it and fill it up, as config.json and generation_config.json number them.

    Several may end a text: the end of a turn is one of them, where the file tells it from the end of a text.
    """
    told = {
        name: header.value(f"tokenizer.ggml.{name}_token_id", int)
        for name in ("bos", "eos", "eot", "padding")
    }
    ends = [told[name] for name in ("eot", "eos") if told[name] is not None]
    ends = list(dict.fromkeys(ends))
    return {
        "bos_token_id": told["bos"],
        "eos_token_id": None if not ends else ends[0] if len(ends) == 1 else ends,
        "pad_token_id": told["padding"],
    }


def rope(header: GgufHeader, head: int) -> dict[str, Any]:
    """How positions turn the numbers of a head. Raises ModelError for a way that transformers would not follow exactly."""
    base = fraction(header, "rope.freq_base", 10_000.0)
    way = header.value("llama.rope.scaling.type", str, "none")
    factors = header.tensors.get(FACTORS)
    if way == "linear" and factors is None:
        factor = fraction(header, "rope.scaling.factor")
        return {"rope_type": "linear", "rope_theta": base, "factor": factor}
    if way != "none":
        raise ModelError(
            f"{header.path}: scales positions by {way[:40]!r}, and of GGUF files luthier opens those that scale them "
            f"by 'linear' or not at all. {ORIGINAL}"
        )
    if factors is None:
        return {"rope_type": "default", "rope_theta": base}
    found = values_of(header, FACTORS, factors).float().numpy()
    factor = float(str(found.max()))
    if found.shape != (head // 2,) or not np.allclose(found, quotients(base, head, factor), rtol=1e-4):
        raise ModelError(
            f"{header.path}: its tensor {FACTORS!r} divides the frequencies of positions as no Llama from 3.1 on does. "
            f"{ORIGINAL}"
        )
    return {"rope_type": "llama3", "rope_theta": base, "factor": factor, **LLAMA_3}


def quotients(base: float, head: int, factor: float) -> Any:
    """(head / 2,) what Llama 3.1 divides the frequencies of positions by: long waves by all of `factor`, short ones by 1."""
    low, high, window = LLAMA_3.values()
    waves = 2 * np.pi * base ** (np.arange(0, head, 2) / head)
    smooth = np.clip((window / waves - low) / (high - low), 0, 1)
    return 1 / ((1 - smooth) / factor + smooth)


def shapes_wanted(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor that a llama of such settings has, by GGUF's names."""
    width, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    asks, told = (config[f"num_{name}_heads"] * head for name in ("attention", "key_value"))
    block: dict[str, tuple[int, ...]] = {
        "attn_norm": (width,), "ffn_norm": (width,), "attn_q": (asks, width), "attn_k": (told, width), "attn_v": (told, width),
        "attn_output": (width, asks), "ffn_gate": (inner, width), "ffn_up": (inner, width), "ffn_down": (width, inner),
    }  # fmt: skip
    words = (config["vocab_size"], width)
    wanted = {"token_embd.weight": words, "output_norm.weight": (width,)}
    if not config["tie_word_embeddings"]:
        wanted["output.weight"] = words
    for number in range(config["num_hidden_layers"]):
        wanted |= {f"blk.{number}.{name}.weight": shape for name, shape in block.items()}
    return wanted


def check_tensors(header: GgufHeader, config: dict[str, Any]) -> None:
    """Raise ModelError for tensors that are missing, of another shape, or that a llama does not have."""
    wanted = shapes_wanted(config)
    missing = [name for name in wanted if name not in header.tensors]
    if missing:
        raise ModelError(
            f"{header.path}: lacks {len(missing):,} of the tensors of a llama with {config['num_hidden_layers']} blocks: "
            f"{listing(missing, 3)}. {AGAIN}"
        )
    others = [name for name in header.tensors if name not in wanted and name != FACTORS]
    if others:
        raise ModelError(
            f"{header.path}: holds {listing(others, 3)}, which a plain llama does not have, and leaving it out would make "
            f"another model of it. {ORIGINAL}"
        )
    for name, shape in wanted.items():
        found = header.tensors[name].shape
        if found != shape:
            raise ModelError(
                f"{header.path}: {name} is {found}, and by the sizes in its header {shape}. {AGAIN}"
            )


def llama_weights(header: GgufHeader, config: dict[str, Any]) -> dict[str, Tensor]:
    """All weights by transformers' names: those that were quantised in fp32, which holds them exactly, others as they are.

    Raises ModelError for weights that are no numbers, or that this machine has no memory for.
    """
    check_tensors(header, config)
    needed = sum(4 * tensor.numbers for tensor in header.tensors.values())
    room = available_bytes()
    if needed > room:
        raise ModelError(
            f"{header.path}: its weights take {needed / 1e9:,.1f} GB once they are opened, and this machine has "
            f"{room / 1e9:,.1f} GB of memory free. Choose a smaller model."
        )
    return dict(converted(header, config))


def converted(header: GgufHeader, config: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for name in shapes_wanted(config):
        weight = values_of(header, name, header.tensors[name])
        refuse_not_finite(header.path, [(name, weight)])
        if name in ONCE:
            yield ONCE[name], weight
            continue
        _, number, layer, _ = name.split(".")
        if layer in heads:
            weight = halved(weight, heads[layer])
        yield f"model.layers.{number}.{IN_A_BLOCK[layer]}.weight", weight


def halved(weight: Tensor, heads: int) -> Tensor:
    """(heads x head, width) a projection whose rows are ordered as transformers turns them by position.

    llama.cpp turns neighbours (0 with 1, 2 with 3), transformers halves (0 with head / 2), so rows were put in pairs when the
    file was written: https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py, `permute`.
    """
    rows, width = weight.shape
    return weight.view(heads, rows // heads // 2, 2, width).transpose(1, 2).reshape(rows, width)


def values_of(header: GgufHeader, name: str, tensor: GgufTensor) -> Tensor:
    """A tensor's numbers."""
    raw = np.fromfile(header.path, np.uint8, tensor.bytes, offset=tensor.begins)
    if tensor.kind in PLAIN:
        return torch.from_numpy(raw).view(PLAIN[tensor.kind]).view(tensor.shape)
    gguf = gguf_library(header.path)
    rows = raw.reshape(*tensor.shape[:-1], -1)
    try:
        with np.errstate(all="ignore"):  # what is not finite is told by its name
            found = gguf.quants.dequantize(rows, gguf.GGMLQuantizationType[tensor.kind])
    except NotImplementedError as error:
        raise ModelError(
            f"{header.path}: {name} is of the type {tensor.kind}, which gguf does not turn into plain numbers. Choose a file of "
            "another type, such as Q8_0 or F16."
        ) from error
    return torch.from_numpy(found).float()
