"""Spans that count words of a list, not characters of a text, turned into a tag for each word."""

from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa

from luthier.data.annotations.cells import field_type, lists_in, replaced, sniffed
from luthier.data.annotations.span_places import FEWEST, RawSpan
from luthier.data.annotations.spans import all_spans, holds_spans, preferred, shares_of_fit, text_of_spans
from luthier.data.annotations.telling import named, noted, remade
from luthier.data.table import Table
from luthier.errors import DataError, shorten

WORD_NAMES = ("tokens", "words", "tokenized_text", "token", "sentence", "sentences", "text", "tokenized")
WORDS = pa.list_(pa.string())
FIT = 0.7
"""Spans count characters when at least this share of them begins and ends with words."""


def token_spans(table: Table) -> Table | None:
    """Tags for the words of a list, made of spans with the numbers of their first and last words."""
    if table.layout.task not in (None, "token-classification"):
        return None
    columns = [name for name in table.names if holds_spans(table, name)]
    words = next((name for name in WORD_NAMES if name in table.names and holds_words(table, name)), None)
    if not columns or words is None:
        return None
    best = preferred(columns)
    found = all_spans(table, best)
    text = text_of_spans(table, best)
    if text is not None and shares_of_fit(table, text, found) >= FIT:
        return None
    tokens = [[str(word) for word in own or ()] for own in lists_in(table, words, "lists of words")]
    inclusive = ends_with_last_words(tokens, found)
    tags = []
    for row, (own, spans) in enumerate(zip(tokens, found, strict=True)):
        if any(not 0 <= span.start < span.end + inclusive <= len(own) for span in spans or ()):
            if text is not None:
                return None
            raise DataError(
                f"{table.place(row)}: column {best!r} holds spans that are empty or lie beyond the {len(own)} words of "
                f"{words!r}: {shorten(repr(spans))}. Expected the numbers of a span's first word and of the one after its last, "
                "from 0. Correct the row, or add the text that the spans are in as a column 'text'."
            )
        tags.append(None if spans is None else tags_of(len(own), spans, inclusive))
    table = remade(replaced(replaced(table, words, tokens, WORDS), best, tags, WORDS))
    ends = "the number of its last word" if inclusive else "the number of the word after it"
    table = noted(
        table,
        f"the spans in {best!r} count the words of {words!r}, and end with {ends}; --label COLUMN corrects it.",
    )
    why = f"{best!r} holds spans of the words in {words!r}"
    return named(table, "token-classification", why, {"text": words, "label": best})


def ends_with_last_words(tokens: Sequence[Sequence[str]], found: Sequence[Sequence[RawSpan] | None]) -> bool:
    """Whether spans end with the number of their last word, by all rows: by their own texts, else by what each reading leaves.

    Ends at the number of words, and spans side by side that would share a word, speak for the word after it; ends that are
    starts as well, and names that would be cut, for the last word.
    """
    pairs = [(words, own) for words, own in zip(tokens, found, strict=True) if own]
    last = after = 0
    for words, own in pairs:
        for span in own:
            if span.surface:
                joined = "".join(span.surface.split())
                last += "".join(words[span.start : span.end + 1]) == joined
                after += "".join(words[span.start : span.end]) == joined
    if last != after:
        return last > after
    spans = [(len(words), span) for words, own in pairs for span in own]
    equal = sum(span.start == span.end for _, span in spans)
    beyond = sum(span.end >= words for words, span in spans)
    touching = sum(
        one.end == two.start and one.start < one.end
        for _, own in pairs
        for one, two in pairwise(sorted(own, key=lambda span: span.start))
    )
    if equal or beyond or touching:
        return equal > beyond + touching
    return len(spans) >= FEWEST and cuts_names(pairs)


def cuts_names(pairs: Sequence[tuple[Sequence[str], Sequence[RawSpan]]]) -> bool:
    """Whether most spans, read up to the word after them, would end within a name: between two words with capitals."""
    cut = [
        words[span.end][:1].isupper() and words[span.end - 1][:1].isupper()
        for words, own in pairs
        for span in own
    ]
    return sum(cut) > len(cut) / 2


def holds_words(table: Table, name: str) -> bool:
    kind = field_type(table, name)
    if pa.types.is_list(kind):
        return bool(pa.types.is_string(kind.value_type))
    seen = sniffed(table, name)
    return bool(seen) and all(
        isinstance(own, list) and all(isinstance(word, str) for word in own) for own in seen
    )


def tags_of(words: int, spans: Sequence[RawSpan], inclusive: bool) -> list[str]:
    """A tag for each word; among spans that overlap, the longest is kept."""
    tags = ["O"] * words
    for span in sorted(spans, key=lambda span: span.start - span.end):
        end = span.end + inclusive
        if all(tag == "O" for tag in tags[span.start : end]):
            tags[span.start : end] = [f"B-{span.label}"] + [f"I-{span.label}"] * (end - span.start - 1)
    return tags
