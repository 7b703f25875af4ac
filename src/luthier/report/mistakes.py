"""The report's section on the surest mistakes: what was answered, what that rests on, and the training rows like them."""

from luthier.folder.looked_into_records import MistakeScores, NearRow, WeighedPiece
from luthier.report import numbers, sentences
from luthier.report.markup import Column, Html, join, photo, picture, table, tag, with_note
from luthier.report.records import Mistake, Records
from luthier.report.rows import place

STRONGEST = 5
"""Pieces that are named of a mistake, at the most."""


def mistakes(records: Records) -> Html:
    if records.wrong is None:
        return Html("")
    if not records.mistakes:
        return tag("p", "No test row was answered wrongly.")
    looked_into = records.scorecard.mistakes
    known = {} if looked_into is None else {one.row: one for one in looked_into.surest}
    found = [known.get(mistake.row.get("row"), MistakeScores()) for mistake in records.mistakes]
    unit = None if looked_into is None else looked_into.unit
    near, rest = any(one.nearest for one in found), any(words_of(one) for one in found)
    columns = [Column("Text", wide=True), Column("Answered")]
    columns += [Column("What the answer rests on", wide=True)] * rest
    columns += [Column("Training rows like it", wide=True)] * near
    rows = [
        (*mistake_row(mistake), *[pieces(one, unit)] * rest, *[nearest(one.nearest or [])] * near)
        for mistake, one in zip(records.mistakes, found, strict=True)
    ]
    words = told(records.wrong, near, rest, None if looked_into is None else looked_into.known)
    return join(
        [*[tag("p", one) for one in words], table("The surest mistakes", columns, rows), heat(records)]
    )


def told(wrong: int, near: bool, rest: bool, known: int | None) -> list[str]:
    """How many rows were answered wrongly, and what the columns mean."""
    found = [
        f"Answered wrongly: {numbers.count(wrong, 'test row')}. Below, those it was surest about. "
        "Where it is sure and wrong, look at the given label first."
    ]
    if rest:
        found.append(
            "What an answer rests on: how much less speaks for it when these words are left out; below zero, when more does. It "
            "says what the model looked at, not what is right."
        )
    if near:
        found.append(
            f"Training rows like it: the nearest of {numbers.count(known, 'training row')}, by the cosine of the model's "
            "features. Where their labels are the answer's, look at those labels too."
        )
    return found


def mistake_row(mistake: Mistake) -> tuple[Html, Html]:
    row = mistake.row
    sure = f"{numbers.share(mistake.confidence)} sure; given: {sentences.label_of(row.get('label'))}"
    return (
        with_note(sentences.cut(row.get("text", "")) or numbers.NOTHING, place(row)),
        with_note(sentences.label_of(row.get("prediction")), sure),
    )


def words_of(one: MistakeScores) -> list[WeighedPiece]:
    """The pieces that are words, the strongest first."""
    found = [piece for piece in one.pieces or [] if piece.words is not None]
    return sorted(found, key=lambda piece: -abs(piece.weight))[:STRONGEST]


def pieces(one: MistakeScores, unit: str | None) -> Html:
    listed = ", ".join(
        f"{sentences.cut(piece.words, 40)} {piece.weight:+.2f}".replace("-", "−") for piece in words_of(one)
    )
    return with_note(listed, unit or "") if listed else Html(numbers.NOTHING)


def nearest(rows: list[NearRow]) -> Html:
    if not rows:
        return Html(numbers.NOTHING)
    return tag(
        "ul", *[tag("li", with_note(sentences.cut(row.text or line_of(row)), about(row))) for row in rows]
    )


def about(row: NearRow) -> str:
    where = line_of(row) if row.text else ""
    return ", ".join(
        filter(None, [sentences.label_of(row.label), f"likeness {numbers.three(row.likeness)}", where])
    )


def line_of(row: NearRow) -> str:
    return f"{row.file}, line {row.line}"


def heat(records: Records) -> Html:
    """The images that were mistaken, beside themselves with the regions coloured that the answer rests on."""
    if records.heat is None:
        return Html("")
    return picture(
        photo(
            records.heat,
            "Mistaken images, each beside the same with the regions coloured that its answer rests on",
        ),
        "The surest mistakes, each on a line: the image, then with its regions coloured, warm where they speak for the answer, "
        "cold where they speak against it.",
    )
