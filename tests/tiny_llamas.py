"""Llama-type decoders small enough for a test, with byte-level tokenizers and with pieces as SentencePiece makes them."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers.pre_tokenizers import ByteLevel, Digits, Split
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.tokenization_utils_base import generate_merges

import luthier

MESSAGES = Path(luthier.__file__).parent / "demo" / "messages.csv"
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CUTTING = {
    "gpt-2": ByteLevel(add_prefix_space=False),
    "smollm": pre_tokenizers.Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]),
    "llama-bpe": pre_tokenizers.Sequence(
        [Split(Regex(LLAMA_3), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    ),
}
"""Pre-tokenizers by llama.cpp's names of them."""


def texts() -> list[str]:
    """Messages of customers, as the demo has them."""
    with open(MESSAGES, encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def byte_level(pre: str = "smollm", tokens: int = 400) -> Any:
    """A byte-level tokenizer with ChatML's tokens, trained on the messages."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = CUTTING[pre]
    backend.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=tokens, special_tokens=special, initial_alphabet=alphabet)
    backend.train_from_iterator([*texts(), "12345 678 90" * 20], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        unk_token="<|endoftext|>",
        pad_token="<|im_end|>",
        chat_template=CHATML,
        clean_up_tokenization_spaces=False,
    )


def pieces(tokens: int = 300) -> Any:
    """A tokenizer of pieces with scores, with tokens for the bytes of unknown letters, that begins each text with `<s>`."""
    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.Metaspace()
    learnt.train_from_iterator(texts(), trainers.BpeTrainer(vocab_size=tokens))
    by_number = sorted(learnt.get_vocab().items(), key=lambda entry: entry[1])
    apart = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    vocabulary = {token: number for number, token in enumerate([*apart, *(token for token, _ in by_number)])}
    scores = {token: -float(number) for token, number in vocabulary.items()}
    model = models.BPE(
        vocab=vocabulary,
        merges=generate_merges(vocabulary, scores, skip_tokens=apart),
        unk_token="<unk>",
        fuse_unk=True,
        byte_fallback=True,
    )
    backend = Tokenizer(model)
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )


def llama(
    path: Path, tokenizer: Any, ends: Sequence[int] | None = None, halves: bool = True, **settings: Any
) -> Path:
    """The folder of a tiny llama with random weights. halves: whether they are numbers that F16 has, so that no answer hangs on
    how weights are rounded."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "tie_word_embeddings": True,
        "initializer_range": 0.3,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    model = LlamaForCausalLM(LlamaConfig(**{**sizes, **settings}))
    for name, weight in model.named_parameters():
        if "norm" in name:
            weight.data.uniform_(0.5, 1.5)
        if halves:
            weight.data.copy_(weight.data.half())
    if ends is not None:
        model.generation_config.eos_token_id = list(ends)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
