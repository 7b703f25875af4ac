"""The report's section on what the surest mistakes may come from: the training rows like them, and what the answers rest on."""

from luthier.folder.looked_into_records import MistakeScores, NearRow, WeighedPiece
from luthier.report import numbers, sentences
from luthier.report.markup import Column, Html, join, photo, picture, table, tag, with_note
from luthier.report.records import Records

STRONGEST = 5
"""Pieces that are named of a mistake, at the most."""


def explained(records: Records) -> Html:
    found = records.scorecard.mistakes
    if found is None:
        return Html("")
    shown = [one for one in found.surest if one.nearest or one.pieces]
    if not shown:
        return Html("")
    near, rest = any(one.nearest for one in shown), any(words_of(one) for one in shown)
    columns = [Column("Test row", wide=True)]
    columns += [Column("What the answer rests on", wide=True)] * rest + [
        Column("Training rows like it", wide=True)
    ] * near
    rows = [
        (mistaken(one), *[pieces(one, found.unit)] * rest, *[nearest(one.nearest or [])] * near)
        for one in shown
    ]
    return join(
        [
            *[tag("p", words) for words in told(near, rest, found.known)],
            table("The surest mistakes, and what they may come from", columns, rows),
            heat(records),
        ]
    )


def told(near: bool, rest: bool, known: int | None) -> list[str]:
    """What the columns mean."""
    found = []
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


def mistaken(one: MistakeScores) -> Html:
    answered, given = sentences.label_of(one.prediction), sentences.label_of(one.label)
    said = f"answered {answered} ({numbers.share(one.confidence)} sure); given: {given}"
    return with_note(sentences.cut(one.text or f"row {one.row}"), said)


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
        "ul", *[tag("li", with_note(sentences.cut(row.text or place(row)), about(row))) for row in rows]
    )


def about(row: NearRow) -> str:
    where = place(row) if row.text else ""
    return ", ".join(
        filter(None, [sentences.label_of(row.label), f"likeness {numbers.three(row.likeness)}", where])
    )


def place(row: NearRow) -> str:
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
