"""The report's section on what a language model wrote: how much, how it ended, and some of it beside what others wrote."""

from luthier.folder.scorecard_records import Sample, SampleAnswer
from luthier.report import numbers, sentences
from luthier.report.markup import Column, Html, details, join, table, tag, with_note
from luthier.report.records import Records

SHOWN_AT_ONCE = 8
"""Samples that are shown without being asked for."""
LONGEST_ASKED = 300
"""Characters of what is asked that are shown at the most."""
LONGEST = 600
"""Characters of an answer that are shown at the most."""


def written(records: Records) -> Html:
    """What was written to the test rows, with some of it side by side."""
    scorecard = records.scorecard
    told = [sentences.written_words(scorecard.written), sentences.system_words(scorecard.system)]
    shown = scorecard.samples or []
    parts = [tag("p", one) for one in (*told, sentences.examples_words(scorecard.tuning)) if one]
    if shown:
        parts.append(side_by_side("Some test rows", shown[:SHOWN_AT_ONCE]))
    if len(shown) > SHOWN_AT_ONCE:
        more = side_by_side("More test rows", shown[SHOWN_AT_ONCE:])
        parts.append(details(f"{len(shown) - SHOWN_AT_ONCE} more", more))
    return join(parts)


def side_by_side(caption: str, samples: list[Sample]) -> Html:
    """Test rows with the right answer and what each candidate wrote, the one that is kept first."""
    names = list(dict.fromkeys(name for one in samples for name in one.answers))
    columns = [Column(title, wide=True) for title in ("Asked", "Right", *names)]
    rows = [
        (
            with_note(tag("span.written", asked(one) or numbers.NOTHING), place(one)),
            answer(one.right or ""),
            *[one_of(one.answers.get(name)) for name in names],
        )
        for one in samples
    ]
    return table(caption, columns, rows)


def asked(sample: Sample) -> str:
    """The end of what came before the answer: what is asked last stands there, and an instruction of all rows further up.

    >>> asked(Sample(text="user: Hello\\nassistant: Hi", right="Hi"))
    'user: Hello'
    """
    before = (sample.text or "").removesuffix(f"\nassistant: {sample.right}")
    return before if len(before) <= LONGEST_ASKED else f"\u2026{before[-LONGEST_ASKED:].lstrip()}"


def one_of(said: SampleAnswer | None) -> Html:
    """What a candidate wrote, and whether that was cut off."""
    if said is None or said.text is None:
        return Html(numbers.NOTHING)
    return with_note(answer(said.text), "cut off at its length" if said.finish == "length" else "")


def answer(text: str) -> Html:
    """An answer with the lines that it has."""
    if not text.strip():
        return tag("small", "no word")
    return tag("span.written", text if len(text) <= LONGEST else f"{text[:LONGEST]}\u2026")


def place(sample: Sample) -> str:
    return "" if sample.file is None else f"{sample.file}, line {sample.line}"
