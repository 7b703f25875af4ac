"""The report's section on a student and its teacher."""

from luthier.folder.distillation_records import Distillation, DistilledSide
from luthier.report import numbers
from luthier.report.markup import Column, Html, join, table, tag
from luthier.report.records import Records


def distilled(records: Records) -> Html:
    """Both beside each other; nothing where no teacher was learnt from."""
    found = records.scorecard.distillation
    if found is None:
        return Html("")
    told = [words for words in (found.words, learnt_from(found), found.seen_words) if words]
    return join([*(tag("p", words) for words in told), both(found, records.scorecard.metric)])


def learnt_from(found: Distillation) -> str:
    """What the student learnt from, in words; empty where that was nothing of the teacher, as `words` says."""
    if found.teacher_share == 0:
        return ""
    rows = found.rows or {}
    labelled, more = rows.get("labelled", 0), rows.get("unlabelled", 0)
    share = numbers.share(found.teacher_share)
    told = (
        f"It learnt from {labelled:,} rows, of each {share} the answer of {found.run} and the rest the label"
    )
    return f"{told}, and from {more:,} rows without a label the answer alone." if more else f"{told}."


def both(found: Distillation, metric: str) -> Html:
    """What was measured of both, in numbers."""
    shown = numbers.shown(metric)
    columns = [
        Column("Model"), Column(shown.title, number=True), Column("95 % interval", number=True),
        Column("Bytes", number=True), Column("Rows a second", number=True),
    ]  # fmt: skip

    def row(name: str, side: DistilledSide) -> tuple[str, ...]:
        return (
            name,
            shown.show(side.score),
            shown.show_range(side.low, side.high),
            numbers.memory(side.bytes),
            numbers.count(side.rows_per_second),
        )

    gap = (
        "Difference",
        shown.show_difference(found.difference),
        shown.show_difference_range(found.low, found.high),
        numbers.NOTHING,
        numbers.NOTHING,
    )
    rows = [row("teacher", found.teacher), row("student", found.student), gap]
    return table("Teacher and student on the same test rows", columns, rows)
