"""What tokenizer.json and tokenizer_config.json may ask for, found out before a tokenizer is made of them."""

import base64
import binascii
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.errors import ModelError, listing
from luthier.models.hub.json_file import read_object

Numbers = np.ndarray[Any, np.dtype[np.uint32]]

FILE, SETTINGS = "tokenizer.json", "tokenizer_config.json"
MOST_GROWTH = 64
"""The most characters that a tokenizer may make of one before it looks for tokens; known ones make four."""
MOST_STEPS = 64
"""The most normalizers or pre-tokenizers that follow each other."""
MOST_WORD = 1_000
"""The most characters of a word in which WordPiece may look for tokens, in time that grows with their square; known ones stop
at 200."""
MOST_AFFIX = 64
"""The most characters that are put before or behind a token."""
KNOWN_PATTERNS = {
    # GPT-2, cl100k and Llama 3, Qwen 2, o200k: each alternative ends with what it repeats.
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
"""Regular expressions of widely used tokenizers, which are known to take time in proportion to the text."""
SIMPLE = re.compile(
    r"(\\[sSdDwW]|\\[pP]\{\w+\}|\[(\\.|[^\[\]\\])+\]|[^\\.\[\](){}*+?|^$]){1,16}(\+|\{\d{1,3},?\d{0,3}\})?"
)
"""A pattern without groups or choices that repeats nothing but what it ends with."""


@dataclass(frozen=True)
class TokenizerFile:
    """What was found out about a folder's tokenizer."""

    path: Path
    strange: tuple[str, ...]
    """Patterns that may take any time, and tables that may be damaged: they are tried out first (models/readers/rehearsal.py)."""


def checked_tokenizer(folder: Path) -> TokenizerFile:
    """Raise ModelError, with the file and what it asks for, for a tokenizer that texts could not be given to."""
    check_settings(folder)
    path = folder / FILE
    content = read_object(path)
    parts = {name: content.get(name) for name in ("normalizer", "pre_tokenizer")}
    for name, part in parts.items():
        steps = list(steps_of(part))
        if len(steps) > MOST_STEPS:
            raise ModelError(
                f"{path}: its {name} has {len(steps):,} steps. luthier takes {MOST_STEPS} at the most. Copy the "
                "tokenizer of this "
                "model again."
            )
        growth = math.prod(growth_of(path, step) for step in steps)
        if growth > MOST_GROWTH:
            raise ModelError(
                f"{path}: its {name} makes up to {growth:,.0f} letters of one. luthier takes a tokenizer that makes "
                f"{MOST_GROWTH} at "
                "the most. Copy the tokenizer of this model again."
            )
    check_model(path, content.get("model"))
    patterns = [pattern for part in parts.values() for pattern in patterns_in(part)]
    strange = [one for one in patterns if one not in KNOWN_PATTERNS and not SIMPLE.fullmatch(one)]
    tables = [
        step["precompiled_charsmap"]
        for step in steps_of(parts["normalizer"])
        if step.get("type") == "Precompiled"
    ]
    strange += ["precompiled_charsmap"] * any(leads_astray(*opened_table(path, table)) for table in tables)
    return TokenizerFile(path, tuple(dict.fromkeys(strange)))


def check_settings(folder: Path) -> None:
    """Raise ModelError for a length that is none, and for another file in the place of tokenizer.json."""
    path = folder / SETTINGS
    content = read_object(path)
    length = content.get("model_max_length")
    plain = isinstance(length, int | float) and not isinstance(length, bool)
    if length is not None and (not plain or not length >= 1):
        raise ModelError(
            f"{path}: model_max_length is {str(repr(length))[:60]}. Expected a number of tokens, 1 at the least. "
            "Correct it there."
        )
    others = content.get("fast_tokenizer_files")
    if others and others != [FILE]:
        raise ModelError(
            f"{path}: fast_tokenizer_files names {str(repr(others))[:80]}, and luthier reads {FILE} alone. Remove that setting."
        )


def check_model(path: Path, model: Any) -> None:
    """Raise ModelError for a word length, or an affix, with which any text would take for ever."""
    if not isinstance(model, dict):
        return
    longest = model.get("max_input_chars_per_word", 0)
    if isinstance(longest, int) and longest > MOST_WORD:
        raise ModelError(
            f"{path}: max_input_chars_per_word is {longest:,}, and luthier takes {MOST_WORD:,} at the most: the time "
            "goes with the "
            "square of it. Copy the tokenizer of this model again."
        )
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        if isinstance(model.get(key), str) and len(model[key]) > MOST_AFFIX:
            raise ModelError(
                f"{path}: {key} has {len(model[key]):,} letters, and luthier takes {MOST_AFFIX} at the most. Copy the "
                "tokenizer of "
                "this model again."
            )


def steps_of(part: Any) -> Iterator[dict[str, Any]]:
    """The normalizers, or pre-tokenizers, that are applied one after the other."""
    waiting = [part]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, dict):
            continue
        inner = [value for key in ("normalizers", "pretokenizers") for value in listed(one.get(key))]
        waiting += inner
        if not inner:
            yield one


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def growth_of(path: Path, step: dict[str, Any]) -> float:
    """Letters that a step makes of one, at the most; of one letter in Unicode's own forms, which make up to 18, one."""
    kind, content = step.get("type"), step.get("content")
    if kind == "Replace" and isinstance(content, str):
        pattern = step.get("pattern")
        found = pattern.get("String") if isinstance(pattern, dict) else None
        return max(1.0, len(content) / (len(found) if isinstance(found, str) and found else 1))
    if kind == "Prepend":
        return max(1.0, len(str(step.get("prepend"))) / 8)
    if kind == "ByteLevel":
        return 2.0
    if kind == "Precompiled":
        _, texts = opened_table(path, step.get("precompiled_charsmap"))
        return max(1.0, max(map(len, texts.split(b"\0"))) / MOST_GROWTH)
    return 1.0


def opened_table(path: Path, charsmap: Any) -> tuple[Numbers, bytes]:
    """SentencePiece's table of letters: a trie in an array, and the texts that its leaves put in the place of others."""
    try:
        table = base64.b64decode(charsmap, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ModelError(
            f"{path}: its precompiled_charsmap is damaged ({error}). Fetch or copy it again."
        ) from error
    size = int.from_bytes(table[:4], "little")
    if len(table) < 4 or size % 4 or size + 4 > len(table):
        raise ModelError(
            f"{path}: its precompiled_charsmap is damaged: it promises {size:,} bytes and holds {len(table):,}. Fetch "
            "or copy it again."
        )
    return np.frombuffer(table, "<u4", size // 4, 4), table[4 + size :]


def leads_astray(trie: Numbers, texts: bytes) -> bool:
    """Whether a step through a trie could lead out of its array, or a leaf of it out of the texts.

    Each number holds how far away its children are (Darts: bits 10 to 30, times 256 where bit 9 is set), or where its text
    begins (bit 31 is set).
    """
    leaves = trie >> 31 == 1
    away = (trie >> 10) << ((trie & 512) >> 6)
    furthest = (np.arange(len(trie), dtype=np.uint32) ^ away) | 255
    begins = trie[leaves] & (2**31 - 1)
    return bool((furthest[~leaves] >= len(trie)).any() or (begins >= max(1, len(texts))).any())


def patterns_in(part: Any) -> Iterator[str]:
    """The regular expressions of a part of tokenizer.json."""
    waiting = [part]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
            if isinstance(one.get("Regex"), str):
                yield one["Regex"]
        waiting += listed(one)


def token_out_of_range(path: Path, numbers: list[int], tokens: int) -> ModelError:
    """The error for tokens whose numbers lie beyond those that the model knows."""
    return ModelError(
        f"{path}: its tokenizer gives the tokens {listing(numbers, 3)}, and the model knows 0 to {tokens - 1:,}: they "
        "do not belong "
        "together. Copy the tokenizer of this model."
    )
