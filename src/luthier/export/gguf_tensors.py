"""The tensors of a llama under llama.cpp's names, in its order of rows, and which number type each is written in."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from luthier.errors import listing
from luthier.export.gguf_settings import LLAMA_3, LlamaSettings, rope_factors

LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)\.weight")
WHOLE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
PARTS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""Parts of a layer: transformers' names, and those of llama.cpp."""
COMPUTED = ".rotary_emb.inv_freq"
"""The ending of the names of tensors that old checkpoints hold and that are computed from the settings."""
EMBEDDINGS, OUTPUT = "model.embed_tokens.weight", "lm_head.weight"
FACTORS = "rope_freqs.weight"
"""Name of the divisors of rotary frequencies, which no tensor of the original holds."""
BLOCK = 32
"""The weights that share one scale in Q8_0 and Q4_0."""
FEW_BITS, FOR_OUTPUT = "Q4_0", "Q8_0"
"""The table of the embeddings and the output layer choose each next token: they are written with 8 bits where the rest has 4, as
llama.cpp's own programs give them more bits too."""
ROUNDING = {
    "F32": (0.0, 0.0),
    "F16": (2**-11, 2**-25),
    "BF16": (2**-8, 0.0),
    "Q8_0": (0.5 / 127 + 2**-11, 127 * 2**-25),
    "Q4_0": (1 / 8 + 2**-10, 8 * 2**-25),
}
"""The most that rounding changes a weight by: a share of the largest weight that has the same scale (of the weight itself, where
each has its own), and a number for those too small for the scale. Q4_0 reaches from -8 to 7 steps: the largest weight may lie
one step off."""


@dataclass(frozen=True)
class PlacedTensor:
    """A tensor of the file."""

    name: str
    source: str | None
    """The name of the tensor that it is written from; None where it is computed from the settings."""
    shape: tuple[int, ...]
    kind: str
    """Its number type, as GGUF names it."""


def gguf_name(name: str) -> str | None:
    """Return llama.cpp's name of a tensor; None where it has none.

    >>> gguf_name("model.layers.3.self_attn.q_proj.weight")
    'blk.3.attn_q.weight'
    """
    if name in WHOLE:
        return WHOLE[name]
    found = LAYER.fullmatch(name)
    if found is None or found[2] not in PARTS:
        return None
    return f"blk.{int(found[1])}.{PARTS[found[2]]}.weight"


def expected_names(settings: LlamaSettings) -> list[str]:
    """Return the names of a model's tensors in the order in which they are written: from the embeddings to the output."""
    layers = [f"model.layers.{number}.{part}.weight" for number in range(settings.layers) for part in PARTS]
    ends = ["model.norm.weight"] if settings.tied else ["model.norm.weight", OUTPUT]
    return [EMBEDDINGS, *layers, *ends]


def obstacles(tensors: Iterable[str], settings: LlamaSettings) -> list[str]:
    """Return what keeps the tensors of a model from being written, a sentence each."""
    wanted = set(expected_names(settings))
    there = {name for name in tensors if not name.endswith(COMPUTED)}
    if settings.tied and OUTPUT in there:  # saved under either name, or both
        there = (there - {OUTPUT}) | {EMBEDDINGS}
    found = []
    if wanted - there:
        found.append(f"its weights lack {listing(sorted(wanted - there), 3)}")
    if there - wanted:
        found.append(f"it has weights that a llama has not: {listing(sorted(there - wanted), 3)}")
    return found


def placed_tensors(
    shapes: Mapping[str, tuple[int, ...]], settings: LlamaSettings, kind: str
) -> list[PlacedTensor]:
    """Return the tensors of a file in their order. kind: the number type that is asked for."""
    found = []
    for name in expected_names(settings):
        source = OUTPUT if name == EMBEDDINGS and name not in shapes else name
        own_kind = kind_of(name, shapes[source], kind, settings)
        found.append(PlacedTensor(gguf_name(name) or name, source, shapes[source], own_kind))
    if settings.rope["rope_type"] == LLAMA_3:
        found.insert(0, PlacedTensor(FACTORS, None, (settings.head_width // 2,), "F32"))
    return found


def kind_of(name: str, shape: tuple[int, ...], kind: str, settings: LlamaSettings) -> str:
    """Return the number type of a tensor: of vectors F32, of rows that do not come in whole blocks F16."""
    if len(shape) < 2:
        return "F32"
    if kind in ("Q8_0", "Q4_0") and shape[-1] % BLOCK:
        return "F16"
    chooses = name == OUTPUT or (settings.tied and name == EMBEDDINGS)
    return FOR_OUTPUT if kind == FEW_BITS and chooses else kind


def values_of(placed: PlacedTensor, weights: Mapping[str, Tensor], settings: LlamaSettings) -> Tensor:
    """Return what is to be written of a tensor, in F32."""
    if placed.source is None:
        return torch.tensor(rope_factors(settings), dtype=torch.float32)
    found = weights[placed.source].to(torch.float32)
    if placed.source.endswith("self_attn.q_proj.weight"):
        return interleaved(found, settings.heads)
    if placed.source.endswith("self_attn.k_proj.weight"):
        return interleaved(found, settings.key_heads)
    return found


def interleaved(rows: Tensor, heads: int) -> Tensor:
    """Return the rows of a query or key layer in llama.cpp's order.

    rows: (heads x head_width, width).  transformers turns row i of a head together with row i + head_width / 2, llama.cpp row 2i
    together with row 2i + 1.
    """
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return halves.transpose(1, 2).reshape(rows.shape).contiguous()


def most_rounding(values: Tensor, kind: str) -> Tensor:
    """Return the most by which rounding to a number type changes each weight, of the same shape."""
    share, least = ROUNDING[kind]
    size = values.abs()
    if kind in ("Q8_0", "Q4_0"):
        blocks = size.reshape(-1, BLOCK)
        size = blocks.amax(1, keepdim=True).expand_as(blocks).reshape(values.shape)
    return size * share + least


def bytes_of(placed: PlacedTensor) -> int:
    """Return how many bytes a tensor takes in the file, without the padding behind it."""
    bits = {"F32": 32.0, "F16": 16.0, "BF16": 16.0, "Q8_0": 34 * 8 / BLOCK, "Q4_0": 18 * 8 / BLOCK}
    return round(math.prod(placed.shape) * bits[placed.kind] / 8)
