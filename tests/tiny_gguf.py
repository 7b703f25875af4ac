"""Tiny llamas as GGUF files, written by gguf's own writer: their weights, their vocabulary, and whatever a test wants otherwise.

llama = tiny_llama()                                 a model of transformers
write_gguf(tmp_path / "x.gguf", llama)               its file, F32, with a byte-level tokenizer
write_gguf(tmp_path / "x.gguf", llama, kind="Q4_1")  the same, in blocks of 4 bits
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from luthier.models.hub.gguf_llama import IN_A_BLOCK, ONCE

Values = Mapping[str, Any]

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
READ = (
    "the parcel was delivered to the old address, and the courier was late",
    "I've paid 12345 twice:  please send my money back!\n\nThanks,  Zoë",
    "def tuned(guitar):\n    return guitar.strings[0] * 2  # tuned",
)
"""Texts that the tiny tokenizer has learnt its merges from."""


def tiny_llama(tied: bool = True, **settings: Any) -> LlamaForCausalLM:
    """A llama of random weights: 2 blocks, 64 wide, 4 heads and 2 of keys and values."""
    plain: dict[str, Any] = {
        "vocab_size": len(byte_level()[0]), "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, "rms_norm_eps": 1e-5,
        "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2,
    }  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(tie_word_embeddings=tied, **plain | settings))
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.data.uniform_(0.5, 1.5)
    return model.eval()


def byte_level(split_digits: bool = True) -> tuple[list[str], list[str]]:
    """The tokens and the merges of a tiny vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    steps = [pre_tokenizers.Digits(individual_digits=True)] if split_digits else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [*steps, pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        min_frequency=1,
        show_progress=False,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(READ, trainer)
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    known = set(tokens)
    merges: list[str] = []
    made = {token for token in tokens if len(token) == 1}
    for token in tokens[len(SPECIAL) :]:
        if len(token) > 1:
            split = next(at for at in range(1, len(token)) if token[:at] in made and token[at:] in made)
            merges.append(f"{token[:split]} {token[split:]}")
            made.add(token)
    assert made | set(SPECIAL) == known
    return tokens, merges


def write_gguf(
    path: Path,
    llama: LlamaForCausalLM,
    kind: str = "F32",
    values: Values = {},  # noqa: B006 (nobody writes into it)
    tensors: Mapping[str, np.ndarray[Any, Any] | None] = {},
) -> Path:
    """Write a llama as a GGUF file. values: keys to be set otherwise, or left out where they are None.  tensors: alike."""
    writer = gguf.GGUFWriter(path, str(values.get("general.architecture", "llama")))
    for key, value in {**about(llama.config), **values}.items():
        if value is not None and key != "general.architecture":
            add(writer, key, value)
    held: dict[str, np.ndarray[Any, Any] | None] = {**weights_by_gguf(llama), **tensors}
    for name, weight in held.items():
        if weight is not None:
            stored = gguf.GGMLQuantizationType["F32" if weight.ndim == 1 else kind]
            writer.add_tensor(name, gguf.quants.quantize(weight, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    kind = {bool: gguf.GGUFValueType.BOOL, int: gguf.GGUFValueType.UINT32, float: gguf.GGUFValueType.FLOAT32,
            str: gguf.GGUFValueType.STRING, list: gguf.GGUFValueType.ARRAY}[type(value)]  # fmt: skip
    inner = None
    if kind == gguf.GGUFValueType.ARRAY:
        inner = {
            str: gguf.GGUFValueType.STRING,
            int: gguf.GGUFValueType.INT32,
            float: gguf.GGUFValueType.FLOAT32,
        }[type(value[0])]
    writer.add_key_value(key, value, kind, inner)


def about(config: Any) -> dict[str, Any]:
    """The keys of a llama's file."""
    tokens, merges = byte_level()
    kinds = [3 if token in SPECIAL else 1 for token in tokens]
    return {
        "llama.block_count": config.num_hidden_layers,
        "llama.context_length": config.max_position_embeddings,
        "llama.embedding_length": config.hidden_size,
        "llama.feed_forward_length": config.intermediate_size,
        "llama.attention.head_count": config.num_attention_heads,
        "llama.attention.head_count_kv": config.num_key_value_heads,
        "llama.attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "llama.rope.freq_base": 10_000.0,
        "llama.rope.dimension_count": config.head_dim,
        "llama.vocab_size": config.vocab_size,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.padding_token_id": 2,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }


def weights_by_gguf(llama: LlamaForCausalLM) -> dict[str, np.ndarray[Any, Any]]:
    """A llama's weights by GGUF's names, with the rows of queries and keys in pairs, as llama.cpp wants them."""
    config, state = llama.config, llama.state_dict()
    named = {theirs: name for name, theirs in ONCE.items() if theirs in state}
    if config.tie_word_embeddings:
        named.pop("lm_head.weight", None)
    for block in range(config.num_hidden_layers):
        named |= {
            f"model.layers.{block}.{theirs}.weight": f"blk.{block}.{name}.weight"
            for name, theirs in IN_A_BLOCK.items()
        }
    found = {name: state[theirs].numpy() for theirs, name in named.items()}
    for name, weight in found.items():
        heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(
            name.split(".")[-2]
        )
        if heads is not None:
            rows, width = weight.shape
            found[name] = (
                weight.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)
            )
    return found
