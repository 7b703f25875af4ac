"""A tokenizer as a GGUF file holds it: tokens, merges or scores, and llama.cpp's name of the rule for cutting texts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BYTE_LEVEL, SENTENCE_PIECE = "gpt2", "llama"
"""llama.cpp's two kinds of tokenizer that are written: pairs of bytes merged by rank, and pieces of text merged by score."""
GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
AFTER_SPACE = r"[^\r\n\p{L}\p{N}]?\p{L}+"
LLAMA_3 = rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|{AFTER_SPACE}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN_2 = rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|{AFTER_SPACE}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {GPT_2: "gpt-2", LLAMA_3: "llama-bpe", QWEN_2: "qwen2"}
"""Regular expressions that cut a text, and what llama.cpp calls them (`llama-vocab.cpp`, `LLAMA_VOCAB_PRE_TYPE_*`)."""
DIGITS_APART = "smollm"
"""What llama.cpp calls the rule that first makes each digit a piece of its own, and then cuts as GPT-2 does."""
WHOLE_WORDS_FIRST = ("llama-bpe",)
"""Rules under which llama.cpp takes a word that is a token as it is, whatever the merges would make of it (`ignore_merges`)."""
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""llama.cpp's kinds of tokens."""
BLANK = "\u2581"
"""What SentencePiece writes for a blank."""


@dataclass(frozen=True)
class GgufTokenizer:
    """The fields of a tokenizer in a GGUF file."""

    model: str
    pre: str
    """The name of the rule by which texts are cut."""
    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    merges: tuple[str, ...] = ()
    """The merges of a byte-level tokenizer, from the first to the last: two parts with a blank between."""
    scores: tuple[float, ...] = ()
    """The score of each token in a tokenizer of pieces: those with the highest are merged first."""
    blank_first: bool = False
    """Whether a blank is put before a text."""
    begins: bool = False
    """Whether the first token of a text is the beginning-of-text token."""
    ends: bool = False
    """Whether the last token of a text is the end-of-text token."""
    special: Mapping[str, int] = field(default_factory=dict)
    """Token numbers by llama.cpp's names: `bos`, `eos`, `eot`, `unk`, `pad`."""


def obstacles(tokenizer: Any) -> list[str]:
    """Return what keeps a tokenizer of transformers from being written, a sentence each."""
    backend = parts_of(tokenizer)
    model = backend["model"]
    if model["type"] != "BPE":
        return [f"its tokenizer is of the kind {model['type']}, and written is BPE"]
    if model.get("dropout") or model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        return ["its tokenizer has dropout, or marks parts of words, which llama.cpp does not"]
    found = []
    if around(tokenizer) is None:
        found.append(
            "its tokenizer puts other tokens around a text than one for its beginning and one for its end"
        )
    if is_byte_level(backend):
        return found + byte_level_obstacles(tokenizer, backend)
    return found + piece_obstacles(backend)


def parts_of(tokenizer: Any) -> dict[str, Any]:
    """Return what tokenizer.json would say of a tokenizer as transformers has opened it."""
    found: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    return found


def is_byte_level(backend: Mapping[str, Any]) -> bool:
    return any(step["type"] == "ByteLevel" for step in steps_of(backend["pre_tokenizer"]))


def steps_of(part: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """Yield the steps of a normalizer or a pre-tokenizer, one after the other."""
    if part is None:
        return
    if part["type"] != "Sequence":
        yield part
        return
    for step in part.get("pretokenizers") or part.get("normalizers") or ():
        yield from steps_of(step)


def byte_level_obstacles(tokenizer: Any, backend: Mapping[str, Any]) -> list[str]:
    """Return what keeps a byte-level tokenizer from being written, a sentence each."""
    if backend["normalizer"] is not None:
        return [
            f"its tokenizer changes texts ({backend['normalizer']['type']}) before it cuts them, which llama.cpp does not"
        ]
    pre = rule_of(backend["pre_tokenizer"])
    if pre is None:
        return [
            "its tokenizer cuts texts by a rule that llama.cpp has no name for (pre_tokenizer in tokenizer.json)"
        ]
    if any(" " in part for merge in merges_of(backend) for part in merge):
        return ["its tokenizer merges parts with blanks in them, which a GGUF file cannot hold"]
    whole = bool(backend["model"].get("ignore_merges"))
    if whole != (pre in WHOLE_WORDS_FIRST) and not all_words_are_reached(tokenizer, backend):
        rule = "takes whole words first" if whole else "goes by its merges alone"
        return [
            f"its tokenizer {rule} (ignore_merges), and llama.cpp's rule {pre} does the opposite, with other tokens"
        ]
    return []


def rule_of(pre_tokenizer: Mapping[str, Any]) -> str | None:
    """Return llama.cpp's name of the rule by which a byte-level tokenizer cuts texts; None where it has none."""
    steps = list(steps_of(pre_tokenizer))
    last = steps[-1]
    if last["type"] != "ByteLevel" or last.get("add_prefix_space"):
        return None
    own_pattern = last.get("use_regex", True)
    match steps[:-1]:
        case []:
            return PATTERNS[GPT_2] if own_pattern else None
        case [{"type": "Digits", "individual_digits": True}] if own_pattern:
            return DIGITS_APART
        case [{"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": "Isolated"} as step]:
            return None if own_pattern or step.get("invert") else PATTERNS.get(pattern)
    return None


def merges_of(backend: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the merges of a tokenizer, from the first to the last: each as a list, or, in older files, with a blank between."""
    found = []
    for merge in backend["model"]["merges"]:
        first, second = merge.split(" ") if isinstance(merge, str) else merge
        found.append((first, second))
    return found


def all_words_are_reached(tokenizer: Any, backend: Mapping[str, Any]) -> bool:
    """Whether the merges alone make every token of the token itself: then taking whole words first changes nothing."""
    from tokenizers.models import BPE

    plain = BPE(vocab=backend["model"]["vocab"], merges=merges_of(backend))
    added = {one["content"] for one in backend["added_tokens"]}
    return all(len(plain.tokenize(token)) == 1 for token in backend["model"]["vocab"] if token not in added)


def piece_obstacles(backend: Mapping[str, Any]) -> list[str]:
    """Return what keeps a tokenizer of pieces, as SentencePiece makes them, from being written, a sentence each."""
    if blank_before(backend) is None or not backend["model"].get("byte_fallback"):
        return [
            "its tokenizer is neither byte-level BPE nor BPE over pieces with bytes for unknown letters, as SentencePiece makes "
            "them (pre_tokenizer and normalizer in tokenizer.json)"
        ]
    vocabulary: Mapping[str, int] = backend["model"]["vocab"]
    if scores_of(backend) is None:
        return [
            "its tokenizer merges by rank, and not every way to put a token together from two others is among its merges: "
            "llama.cpp merges pieces by score, and would make other tokens of the same text"
        ]
    lacking = [f"<0x{byte:02X}>" for byte in range(256) if f"<0x{byte:02X}>" not in vocabulary]
    return (
        [f"its tokenizer has no tokens for {len(lacking)} of the 256 bytes, of which {lacking[0]} is one"]
        if lacking
        else []
    )


def blank_before(backend: Mapping[str, Any]) -> bool | None:
    """Whether a tokenizer of pieces puts a blank before a text; None where it cuts texts in a way that llama.cpp does not."""
    normalizer, cutting = list(steps_of(backend["normalizer"])), list(steps_of(backend["pre_tokenizer"]))
    replaces = {"type": "Replace", "pattern": {"String": " "}, "content": BLANK}
    if not cutting and normalizer == [{"type": "Prepend", "prepend": BLANK}, replaces]:
        return True
    if not cutting and normalizer == [replaces]:
        return False
    match cutting:
        case [{"type": "Metaspace", "replacement": "\u2581", "split": False, "prepend_scheme": scheme}]:
            return None if normalizer else scheme != "never"
    return None


def scores_of(backend: Mapping[str, Any]) -> dict[str, float] | None:
    """Return the score of each token that merges make: minus the place of its first merge. None where no scores give the merges.

    llama.cpp merges any two neighbours whose text is a token, the highest score first. That is the same as the merges where all
    ways to make a token stand among them, side by side, and where each letter of such a token is a token.
    """
    model = backend["model"]
    vocabulary: Mapping[str, int] = model["vocab"]
    made: dict[str, set[tuple[str, str]]] = {}
    order: list[str] = []
    for first, second in merges_of(backend):
        made.setdefault(first + second, set()).add((first, second))
        if not order or order[-1] != first + second:
            order.append(first + second)
    if len(order) != len(made):
        return None
    apart = {one["content"] for one in backend["added_tokens"]}
    for token in vocabulary:
        halves = {(token[:at], token[at:]) for at in range(1, len(token))}
        ways = {(first, second) for first, second in halves if first in vocabulary and second in vocabulary}
        letters = token not in made or all(letter in vocabulary for letter in token)
        if token not in apart and (ways != made.get(token, set()) or not letters):
            return None
    return {token: -float(place) for place, token in enumerate(order)}


def around(tokenizer: Any) -> tuple[bool, bool] | None:
    """Whether a tokenizer puts its beginning token before a text, and its end token behind it; None for any other tokens."""
    plain = tokenizer.encode("a", add_special_tokens=False)
    full = tokenizer.encode("a", add_special_tokens=True)
    for begins in (False, True):
        for ends in (False, True):
            before = [tokenizer.bos_token_id] if begins else []
            behind = [tokenizer.eos_token_id] if ends else []
            if full == [*before, *plain, *behind]:
                return begins, ends
    return None


def gguf_tokenizer(tokenizer: Any, end_tokens: Sequence[int], vocabulary: int) -> GgufTokenizer:
    """Return the fields of a tokenizer that `obstacles` has nothing against.

    end_tokens: those at which the model stops.  vocabulary: how many tokens it knows; those without a text get one.
    """
    backend = parts_of(tokenizer)
    tokens, kinds = tokens_of(backend, tokenizer, vocabulary)
    begins, ends = around(tokenizer) or (False, False)
    special = special_tokens(tokenizer, end_tokens)
    if is_byte_level(backend):
        return GgufTokenizer(
            model=BYTE_LEVEL,
            pre=rule_of(backend["pre_tokenizer"]) or "",
            tokens=tokens,
            kinds=kinds,
            merges=tuple(f"{first} {second}" for first, second in merges_of(backend)),
            begins=begins,
            ends=ends,
            special=special,
        )
    scored = scores_of(backend) or {}
    return GgufTokenizer(
        model=SENTENCE_PIECE,
        pre="default",
        tokens=tokens,
        kinds=kinds,
        scores=tuple(scored.get(token, 0.0) for token in tokens),
        blank_first=bool(blank_before(backend)),
        begins=begins,
        ends=ends,
        special=special,
    )


def tokens_of(
    backend: Mapping[str, Any], tokenizer: Any, vocabulary: int
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the text and the kind of each token; rows of the embeddings that no token has are unused."""
    tokens = [f"[PAD{number}]" for number in range(vocabulary)]
    kinds = [UNUSED] * vocabulary
    byte_level = is_byte_level(backend)
    for token, number in backend["model"]["vocab"].items():
        tokens[number] = token
        is_byte = not byte_level and len(token) == 6 and token.startswith("<0x") and token.endswith(">")
        kinds[number] = BYTE if is_byte else NORMAL
    for one in backend["added_tokens"]:
        tokens[one["id"]] = one["content"]
        kinds[one["id"]] = CONTROL if one["special"] else USER_DEFINED
    if not byte_level and tokenizer.unk_token_id is not None:
        kinds[tokenizer.unk_token_id] = UNKNOWN
    return tuple(tokens), tuple(kinds)


def special_tokens(tokenizer: Any, end_tokens: Sequence[int]) -> dict[str, int]:
    """Return the numbers of tokens with a meaning.

    The end token is the tokenizer's own where the model stops at it; the end-of-turn token is the next at which it stops.
    """
    own = tokenizer.eos_token_id
    named = {
        "bos": tokenizer.bos_token_id,
        "eos": own if own in end_tokens or not end_tokens else end_tokens[0],
        "unk": tokenizer.unk_token_id,
        "pad": tokenizer.pad_token_id,
    }
    others = [number for number in end_tokens if number != named["eos"]]
    if others:
        named["eot"] = others[0]
    return {name: number for name, number in named.items() if number is not None}


def notes(tokenizer: Any, end_tokens: Sequence[int]) -> list[str]:
    """Return what llama.cpp may read otherwise, a sentence each."""
    backend = parts_of(tokenizer)
    found = []
    greedy = [
        one["content"]
        for one in backend["added_tokens"]
        if one["lstrip"] or one["rstrip"] or one["single_word"]
    ]
    if greedy:
        found.append(
            f"{greedy[0]!r} and {len(greedy) - 1} more tokens swallow blanks beside them, or count only as whole words; a GGUF "
            "file cannot say so."
            if len(greedy) > 1
            else f"{greedy[0]!r} swallows blanks beside it, or counts only as a whole word; a GGUF file cannot say so."
        )
    cutting = list(steps_of(backend["pre_tokenizer"]))
    if not is_byte_level(backend) and cutting and blank_before(backend):
        found.append(
            "llama.cpp puts a blank before each text and behind each special token; the original does so at the beginning alone, "
            "and not before a text that begins with a blank."
        )
    rest = [number for number in end_tokens if number not in special_tokens(tokenizer, end_tokens).values()]
    if rest:
        names = ", ".join(repr(tokenizer.convert_ids_to_tokens(number)) for number in rest)
        found.append(f"A GGUF file names two end tokens; the model stops at {names} too.")
    return found
