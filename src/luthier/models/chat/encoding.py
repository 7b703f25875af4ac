"""Rendered text as token numbers, each with its place in the text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.models.chat.special_text import BEGIN, END, MARKED


@dataclass(frozen=True)
class Encoded:
    """Token numbers, and where each begins and ends in the text, in characters."""

    ids: list[int]
    starts: list[int]
    ends: list[int]


def encode_all(tokenizer: Any, texts: Sequence[str]) -> list[Encoded]:
    """Encode rendered texts, which bring their special tokens: those without marks in one call, which is much faster."""
    plain = [at for at, text in enumerate(texts) if BEGIN not in text and END not in text]
    found = dict(zip(plain, encode_batch(tokenizer, [texts[at] for at in plain]), strict=True))
    return [
        found[at] if at in found else encode_apart(tokenizer, text, cut=0) for at, text in enumerate(texts)
    ]


def encode_batch(tokenizer: Any, texts: Sequence[str], as_text: bool = False) -> list[Encoded]:
    """Encode texts whole; `as_text` reads what looks like a special token as ordinary text."""
    if not texts:
        return []
    read = tokenizer(
        list(texts),
        add_special_tokens=False,
        return_offsets_mapping=True,
        return_attention_mask=False,
        return_token_type_ids=False,
        split_special_tokens=as_text,
        truncation=False,
        padding=False,
        verbose=False,
    )
    return [
        Encoded(list(ids), [start for start, _ in places], [end for _, end in places])
        for ids, places in zip(read["input_ids"], read["offset_mapping"], strict=True)
    ]


def encode_apart(tokenizer: Any, text: str, cut: int) -> Encoded:
    """Encode a text in pieces: marked text as ordinary text, and what stands before `cut` as if nothing followed it."""
    ids: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    for begin, piece, as_text in pieces(text, cut):
        one = encode_piece(tokenizer, piece, as_text, first=begin == 0)
        if as_text and len(piece) > 1 and tokenizer.convert_tokens_to_ids(piece) in one.ids:
            one = in_two(tokenizer, piece)
        ids += one.ids
        starts += [begin + start for start in one.starts]
        ends += [begin + end for end in one.ends]
    return Encoded(ids, starts, ends)


def in_two(tokenizer: Any, piece: str) -> Encoded:
    """The text of a special token that the vocabulary also has as a word: apart after its first sign, it is only text."""
    head, rest = (encode_piece(tokenizer, one, True, first=False) for one in (piece[:1], piece[1:]))
    return Encoded(
        head.ids + rest.ids,
        head.starts + [1 + start for start in rest.starts],
        head.ends + [1 + end for end in rest.ends],
    )


def pieces(text: str, cut: int) -> Iterator[tuple[int, str, bool]]:
    """Yield (place, piece, whether it is marked); the marks themselves are left out."""
    at = 0
    for found in MARKED.finditer(text):
        yield from halves(text, at, found.start(), cut)
        if found[1]:
            yield found.start(1), found[1], True
        at = found.end()
    yield from halves(text, at, len(text), cut)


def halves(text: str, begin: int, end: int, cut: int) -> Iterator[tuple[int, str, bool]]:
    """Yield a piece of a text, in two where the cut is inside it."""
    middle = min(max(cut, begin), end)
    for first, last in ((begin, middle), (middle, end)):
        if first < last:
            yield first, text[first:last], False


def encode_piece(tokenizer: Any, piece: str, as_text: bool, first: bool) -> Encoded:
    """Encode a piece from within a text.

    A line's end is put before it and its tokens taken away again, as some tokenizers put a blank before whatever
    they take for the beginning of a text.
    """
    alone, after, line = (encode_batch(tokenizer, [one], as_text)[0] for one in (piece, f"\n{piece}", "\n"))
    many = len(line.ids)
    if first or after.ids[:many] != line.ids:
        return alone
    return Encoded(
        after.ids[many:],
        [max(0, start - 1) for start in after.starts[many:]],
        [max(0, end - 1) for end in after.ends[many:]],
    )
