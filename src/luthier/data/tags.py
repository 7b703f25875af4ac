"""Tags of words, brought from any scheme to strict IOB2; and entities as spans, turned into tags.

A tag is O, outside of any entity, or a mark and the type of an entity, as B-LOC. In strict IOB2, also called
BIO, B- begins every entity and I- goes on with one of the same type. In IOB1 B- stands only between two
entities of one type that touch (Ramshaw and Marcus 1995, arXiv:cmp-lg/9505040; both schemes are named in
Tjong Kim Sang and Veenstra 1999, arXiv:cs/9907006). BIOES and BILOU also mark an entity's last word and the
entity of one word. IO has no B- at all.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from luthier.errors import shorten

MARKS = {"IOB2": "BI", "IOB1": "BI", "IO": "I", "BIOES": "BIES", "BILOU": "BILU"}
"""The marks of each scheme; of the last two: begin, go on, last word, only word."""

TAG = re.compile(r"([BIELSU])-(\S(?:.*\S)?)")

WORD = re.compile("(?:\\w\u0300*)+|[^\\w\\s]\u0300*")
JOINERS = "\u200c\u200d"

EMPTY = "a span that is empty"
OUTSIDE = "a span outside the text"
CUT = "a span that reaches beyond the text, cut to it"
NO_WORD = "a span that holds no word"
WIDENED = "a span that begins or ends inside a word, widened to the word"
TWICE = "a span that is given twice"
OVERLAPPING = "a span that overlaps a longer one, or as long and given first, left out"


def repaired(tags: Sequence[str]) -> tuple[list[str], Counter[str]]:
    """The tags of one row that stands for itself in strict IOB2, and how often what was repaired.

    Where there are more rows, `scheme_of` all of them and `to_iob2` of each say more.

    >>> repaired(["B-PER", "O", "B-LOC", "O", "I-LOC"])
    (['B-PER', 'O', 'B-LOC', 'O', 'B-LOC'], Counter({'an I- without its B-': 1}))
    """
    return to_iob2(tags, scheme_of([tags]))


def scheme_of(rows: Iterable[Sequence[str]]) -> str:
    """The scheme that the tags of all rows together are in: "IOB2", "IOB1", "IO", "BIOES" or "BILOU".

    One mark that only BIOES or BILOU has decides for it. IOB1 and IOB2 differ in what most entities begin
    with. Rows without an entity are IOB2. What is no tag is passed over here: `to_iob2` tells of it.

    >>> scheme_of([["O", "I-PER", "B-PER"], ["I-LOC", "O"]])
    'IOB1'
    """
    marks: Counter[str] = Counter()
    begun_with: Counter[str] = Counter()
    for row in rows:
        before = ""
        for tag in row:
            mark, kind = parts(tag) or ("O", "")
            marks[mark] += 1
            if kind != before:
                begun_with[mark] += 1
            before = kind
    longer = {"BIOES": marks["E"] + marks["S"], "BILOU": marks["L"] + marks["U"]}
    if any(longer.values()):
        return max(longer, key=lambda scheme: longer[scheme])
    if marks["I"] and not marks["B"]:
        return "IO"
    return "IOB1" if begun_with["I"] > begun_with["B"] else "IOB2"


def to_iob2(tags: Sequence[str], scheme: str) -> tuple[list[str], Counter[str]]:
    """The tags of a row in strict IOB2, and how often what was repaired, by kind, in words.

    Only what the scheme itself forbids is a repair. No word gains or loses an entity: a fault decides at most
    where one ends and the next begins. Raises ValueError for what is no tag, or none of the scheme; the
    message names the word, and wants the row's place before it.

    >>> to_iob2(["S-PER", "O", "B-LOC", "E-LOC"], "BIOES")
    (['B-PER', 'O', 'B-LOC', 'I-LOC'], Counter())
    """
    last, only = MARKS[scheme][2:3], MARKS[scheme][3:]
    found: list[str] = []
    repairs: Counter[str] = Counter()
    begun = ""  # the type of the entity that this word may go on with
    for number, tag in enumerate(tags, start=1):
        mark, kind = of_scheme(tag, scheme, number)
        inside = mark in ("I", last)
        goes_on = inside and kind == begun
        if last and begun and not goes_on:
            repairs[f"an entity without its {last}-"] += 1
        if inside and not goes_on and scheme not in ("IOB1", "IO"):
            repairs[f"an {mark}- without its B-"] += 1
        if scheme == "IOB1" and mark == "B" and kind != begun:
            repairs["a B- where IOB1 has an I-"] += 1
        found.append("O" if mark == "O" else f"{'I' if goes_on else 'B'}-{kind}")
        begun = "" if mark in (last, only) else kind
    if last and begun:
        repairs[f"an entity without its {last}-"] += 1
    return found, repairs


def parts(tag: str) -> tuple[str, str] | None:
    """Mark and type of a tag, where O has the empty type; None when it is no tag.

    >>> parts("B-LOC"), parts("O"), parts("X_foo")
    (('B', 'LOC'), ('O', ''), None)
    """
    if tag == "O":
        return "O", ""
    match = TAG.fullmatch(tag) if isinstance(tag, str) else None  # a file may hold null or numbers as tags
    return (match[1], match[2]) if match else None


def of_scheme(tag: str, scheme: str, number: int) -> tuple[str, str]:
    """Mark and type of a tag. Raises ValueError for what is no tag of the scheme; number: that of the word, from 1."""
    found = parts(tag)
    if found is None or found[0] not in f"O{MARKS[scheme]}":
        *others, final = (f"{mark}-" for mark in MARKS[scheme])
        marks = f"{', '.join(others)} or {final}" if others else final
        raise ValueError(
            f"word {number} has the tag {shorten(repr(tag))}. Expected, in {scheme}, the scheme of the rows: "
            f"O, or {marks} with a type, such as {MARKS[scheme][0]}-LOC. Correct the tag."
        )
    return found


def spans_of(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Entities of strict IOB2: first word, one past the last word, type.

    An I- that goes on with nothing, which a model may answer, belongs to no entity.

    >>> spans_of(["B-LOC", "I-LOC", "B-LOC", "O", "I-PER"])
    [(0, 2, 'LOC'), (2, 3, 'LOC')]
    """
    spans: list[tuple[int, int, str]] = []
    begin, begun = 0, ""
    for word, tag in enumerate([*tags, "O"]):
        if begun and tag != f"I-{begun}":
            spans.append((begin, word, begun))
            begun = ""
        if tag.startswith("B-"):
            begin, begun = word, tag.removeprefix("B-")
    return spans


def words_of(text: str) -> list[tuple[int, int]]:
    """Where the words of a text begin and end, in characters: runs of letters and digits, and each other sign.

    >>> [("Paris, $5!")[begin:end] for begin, end in words_of("Paris, $5!")]
    ['Paris', ',', '$', '5', '!']
    """
    if not text.isascii():
        # `\w` leaves out vowel signs and accents that are characters of their own, and would cut words at them.
        text = "".join("\u0300" if is_part_of_the_one_before(sign) else sign for sign in text)
    return [match.span() for match in WORD.finditer(text)]


def is_part_of_the_one_before(sign: str) -> bool:
    return unicodedata.category(sign).startswith("M") or sign in JOINERS


def tags_of_spans(
    words: Sequence[tuple[int, int]], spans: Sequence[Mapping[str, object]], length: int | None = None
) -> tuple[list[str], Counter[str]]:
    """Strict IOB2 tags of the words, and how often which kind of span did not fit, in words.

    words: where each begins and ends, in characters, as from `words_of`.  spans: each with `start`, `end` (one
    past its last character) and `label`, in any order; white space at their edges is no matter.  length:
    characters of the text; when None, the text is taken to end with its last word. Of spans that overlap, once
    widened to words, the longest in characters is kept. Raises ValueError for what is no span; the message
    names it by its number, and wants the row's place before it.

    >>> tags_of_spans([(0, 3), (4, 8)], [{"start": 0, "end": 6, "label": "LOC"}])
    (['B-LOC', 'I-LOC'], Counter({'a span that begins or ends inside a word, widened to the word': 1}))
    """
    begins, ends = [begin for begin, _ in words], [end for _, end in words]
    if length is None:
        length = max(ends, default=0)
    misfits: Counter[str] = Counter()
    fitting: dict[tuple[int, int, str], None] = {}  # in their order, each once
    for number, span in enumerate(spans, start=1):
        start, end, label = edges_and_label(span, number)
        first, stop = bisect_right(ends, start), bisect_left(begins, end)  # of the words it touches
        if end <= start:
            misfits[EMPTY] += 1
            continue
        if end <= 0 or start >= length:
            misfits[OUTSIDE] += 1
            continue
        if start < 0 or end > length:
            misfits[CUT] += 1
        if first == stop:
            misfits[NO_WORD] += 1
            continue
        if begins[first] < start or end < ends[stop - 1]:
            misfits[WIDENED] += 1
        if (first, stop, label) in fitting:
            misfits[TWICE] += 1
            continue
        fitting[first, stop, label] = None

    tags = ["O"] * len(words)
    for first, stop, label in sorted(fitting, key=lambda span: begins[span[0]] - ends[span[1] - 1]):
        if any(tag != "O" for tag in tags[first:stop]):
            misfits[OVERLAPPING] += 1
        else:
            tags[first:stop] = [f"B-{label}"] + [f"I-{label}"] * (stop - first - 1)
    return tags, misfits


def edges_and_label(span: Mapping[str, object], number: int) -> tuple[int, int, str]:
    """Start, end and label of a span. Raises ValueError when one of them is missing; number: that of the span, from 1."""
    if isinstance(span, Mapping):
        start, end, label = (span.get(key) for key in ("start", "end", "label"))
        if type(start) is int and type(end) is int and isinstance(label, str) and parts(f"B-{label}"):
            return start, end, label
    raise ValueError(
        f"span {number} is {shorten(repr(span))}. Expected 'start' and 'end' as whole numbers, counted in "
        "characters from 0, and 'label' as a text, such as {'start': 0, 'end': 5, 'label': 'LOC'}. Correct the span."
    )
