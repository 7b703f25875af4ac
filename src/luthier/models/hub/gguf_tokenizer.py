"""The tokenizer in a GGUF file, as the files that transformers opens: tokenizer.json and its settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from luthier.errors import ModelError, listing
from luthier.models.hub.gguf_header import AGAIN, ORIGINAL, GgufHeader

UNKNOWN, CONTROL, USER_DEFINED = 2, 3, 4
"""Types of tokens that are no part of a word: they are looked for in a text before it is taken apart."""
SPACE = "▁"
"""What stands for a space in the tokens of SentencePiece."""
SPECIAL = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id",
}
"""Tokens with a meaning of their own: how transformers calls them, and how GGUF does."""
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""How Llama 3 takes texts apart: digits by threes."""


@dataclass(frozen=True)
class Parting:
    """How a text is taken apart before tokens are looked for, as llama.cpp does it for a `tokenizer.ggml.pre`."""

    digits: bool = False
    """Whether each digit stands alone."""
    pattern: str | None = None
    """What a piece is, as a regular expression; None: as GPT-2 has it."""
    whole_words: bool = False
    """Whether a piece that is a token is that token, whatever the merges make of it."""
    begins: bool = False
    """Whether a text begins with the token of the beginning, where the file does not say."""


DIGITS, GPT_2, LLAMA_3 = (
    Parting(digits=True),
    Parting(),
    Parting(pattern=WORDS, whole_words=True, begins=True),
)
PARTINGS = {
    **dict.fromkeys(
        ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"), DIGITS
    ),
    **dict.fromkeys(("gpt-2", "olmo", "jais", "mpt", "trillion"), GPT_2),
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"), LLAMA_3),
}
"""The ways that luthier knows: https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp. An unknown one is refused:
another way makes other tokens of a text, and nothing would tell."""


@dataclass(frozen=True)
class TokenizerFiles:
    """What a model's folder holds of its tokenizer."""

    tokenizer: str
    """tokenizer.json"""
    settings: dict[str, Any]
    """tokenizer_config.json"""
    template: str | None
    """chat_template.jinja"""


def tokenizer_of(header: GgufHeader) -> TokenizerFiles:
    """The files of a tokenizer that makes the tokens that llama.cpp makes. Raises ModelError for one that is not known."""
    kind = header.value("tokenizer.ggml.model", str)
    build = KINDS.get(kind)
    if build is None:
        said = (
            "says nothing of its tokenizer" if kind is None else f"has a tokenizer of the kind {kind[:40]!r}"
        )
        raise ModelError(
            f"{header.path}: {said}, and of GGUF files luthier opens those with {listing(KINDS)}. {ORIGINAL}"
        )
    tokens = tokens_of(header)
    tokenizer, begins = build(header, tokens)
    named = special_tokens(header, tokens)
    add_outside_words(tokenizer, header, tokens)
    add_ends(tokenizer, header, named, begins)
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **named,
        "model_max_length": header.value("llama.context_length", int),
        "clean_up_tokenization_spaces": False,
    }
    return TokenizerFiles(tokenizer.to_str(), settings, header.value("tokenizer.chat_template", str))


def tokens_of(header: GgufHeader) -> list[str]:
    """The vocabulary in its order. Raises ModelError where it does not belong to the model."""
    tokens = listed(header, "tokenizer.ggml.tokens", str)
    known = header.tensors["token_embd.weight"].shape[0]
    if len(tokens) > known:
        raise ModelError(
            f"{header.path}: its tokenizer knows {len(tokens):,} tokens and its model {known:,}: they do not belong "
            f"together. {AGAIN}"
        )
    if len(set(tokens)) < len(tokens):
        raise ModelError(
            f"{header.path}: its vocabulary has {len(tokens) - len(set(tokens)):,} tokens twice. {AGAIN}"
        )
    return tokens


def listed(
    header: GgufHeader, key: str, kind: type | tuple[type, ...], length: int | None = None
) -> list[Any]:
    """A list of a tokenizer. Raises ModelError for one that is missing, of another type, or of another length than `length`."""
    found: list[Any] | None = header.value(key, list)
    if found is None:
        raise ModelError(f"{header.path}: lacks {key}, without which no tokenizer can be made of it. {AGAIN}")
    if not all(isinstance(one, kind) for one in found):
        raise ModelError(f"{header.path}: {key} does not hold what it should. {AGAIN}")
    if length is not None and len(found) != length:
        raise ModelError(
            f"{header.path}: {key} has {len(found):,} entries, and the vocabulary has {length:,} tokens. {AGAIN}"
        )
    return found


def byte_level(header: GgufHeader, tokens: list[str]) -> tuple[Any, bool]:
    """The tokenizer of GPT-2 and its like, with the merges of the file; and whether a text begins with a token of its own."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    name = header.value("tokenizer.ggml.pre", str)
    way = PARTINGS.get(name)
    if way is None:
        said = (
            "does not say how texts are taken apart"
            if name is None
            else f"takes texts apart as {name[:40]!r} does"
        )
        raise ModelError(
            f"{header.path}: {said} (tokenizer.ggml.pre), and luthier knows {listing(PARTINGS, 20)}. {ORIGINAL}"
        )
    numbers = {token: number for number, token in enumerate(tokens)}
    merges = [pair_of(header, merge) for merge in listed(header, "tokenizer.ggml.merges", str)]
    check_merges(header, numbers, merges)
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=merges, ignore_merges=way.whole_words))
    steps: list[Any] = [pre_tokenizers.Digits(individual_digits=True)] if way.digits else []
    if way.pattern is not None:
        steps.append(pre_tokenizers.Split(Regex(way.pattern), behavior="isolated"))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=way.pattern is None))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, way.begins


def pair_of(header: GgufHeader, merge: str) -> tuple[str, str]:
    first, _, second = merge.partition(" ")
    if not first or not second:
        raise ModelError(f"{header.path}: its merge {merge[:40]!r} is none of two tokens. {AGAIN}")
    return first, second


def check_merges(header: GgufHeader, numbers: dict[str, int], merges: list[tuple[str, str]]) -> None:
    """Raise ModelError for merges of what the vocabulary does not have."""
    lost = next(
        (pair for pair in merges if not all(part in numbers for part in (*pair, "".join(pair)))), None
    )
    if lost is not None:
        raise ModelError(
            f"{header.path}: its merge of {lost[0][:40]!r} and {lost[1][:40]!r} is of tokens that its vocabulary lacks. {AGAIN}"
        )


def sentence_piece(header: GgufHeader, tokens: list[str]) -> tuple[Any, bool]:
    """The tokenizer of Llama 2 and its like: merges follow from the scores, and what is no token becomes bytes."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    scores = listed(header, "tokenizer.ggml.scores", (int, float), len(tokens))
    numbers = {token: number for number, token in enumerate(tokens)}
    unknown = header.value("tokenizer.ggml.unknown_token_id", int)
    tokenizer = Tokenizer(
        models.BPE(
            vocab=numbers,
            merges=merges_of(numbers, scores),
            unk_token=None if unknown is None else token_at(header, tokens, unknown, "unknown_token_id"),
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    spaced = header.value("tokenizer.ggml.add_space_prefix", bool, True)
    before = [normalizers.Prepend(SPACE)] if spaced else []
    tokenizer.normalizer = normalizers.Sequence([*before, normalizers.Replace(" ", SPACE)])
    after = [decoders.Strip(content=" ", left=1, right=0)] if spaced else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *after]
    )
    return tokenizer, True


def merges_of(numbers: dict[str, int], scores: list[float]) -> list[tuple[str, str]]:
    """All pairs of tokens that are a token together, those of the best score first, as SentencePiece merges them."""
    found = [
        (-scores[number], number, split, token[:split], token[split:])
        for token, number in numbers.items()
        for split in range(1, len(token))
        if token[:split] in numbers and token[split:] in numbers
    ]
    return [(first, second) for _, _, _, first, second in sorted(found)]


KINDS: dict[str | None, Callable[[GgufHeader, list[str]], tuple[Any, bool]]] = {
    "gpt2": byte_level,
    "llama": sentence_piece,
}
"""The kinds of tokenizers, as `tokenizer.ggml.model` names them."""


def token_at(header: GgufHeader, tokens: list[str], number: int, key: str) -> str:
    if not 0 <= number < len(tokens):
        raise ModelError(
            f"{header.path}: tokenizer.ggml.{key} is {number:,}, and the vocabulary has {len(tokens):,} tokens. {AGAIN}"
        )
    return tokens[number]


def special_tokens(header: GgufHeader, tokens: list[str]) -> dict[str, str]:
    """The tokens with a meaning of their own, by transformers' names."""
    numbers = {name: header.value(f"tokenizer.ggml.{key}", int) for name, key in SPECIAL.items()}
    return {
        name: token_at(header, tokens, number, SPECIAL[name])
        for name, number in numbers.items()
        if number is not None
    }


def add_outside_words(tokenizer: Any, header: GgufHeader, tokens: list[str]) -> None:
    """Name the tokens that are found in a text before it is taken apart, such as the one that ends a turn."""
    from tokenizers import AddedToken

    if header.value("tokenizer.ggml.token_type", list) is None:
        return
    kinds = listed(header, "tokenizer.ggml.token_type", int, len(tokens))
    whole = [
        (token, kind)
        for token, kind in zip(tokens, kinds, strict=True)
        if kind in (CONTROL, USER_DEFINED) or (kind == UNKNOWN and token)
    ]
    special = [
        AddedToken(token, normalized=False, special=True) for token, kind in whole if kind != USER_DEFINED
    ]
    plain = [
        AddedToken(token, normalized=False, special=False) for token, kind in whole if kind == USER_DEFINED
    ]
    tokenizer.add_special_tokens(special)
    tokenizer.add_tokens(plain)


def add_ends(tokenizer: Any, header: GgufHeader, named: dict[str, str], begins: bool) -> None:
    """Put the tokens of the beginning and the end around a text, where the file says so. begins: what holds where it does not."""
    from tokenizers import processors

    begin = header.value("tokenizer.ggml.add_bos_token", bool, begins)
    end = header.value("tokenizer.ggml.add_eos_token", bool, False)
    around = [
        (role, named[role])
        for role, wanted in (("bos_token", begin), ("eos_token", end))
        if wanted and role in named
    ]
    if not around:
        return
    first = "".join(f"{role}:N " for role, _ in around if role == "bos_token")
    last = "".join(f" {role}:N" for role, _ in around if role == "eos_token")
    single = f"{first}$A:N{last}"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single.replace("N", "0"),
        pair=f"{single.replace('N', '0')} {single.replace('$A', '$B').replace('N', '1')}",
        special_tokens=[
            {"id": role, "ids": [tokenizer.token_to_id(token)], "tokens": [token]} for role, token in around
        ],
    )
