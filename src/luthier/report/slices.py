"""The report's section on slices of the test rows: which of them differ, and all that were looked at."""

from luthier.folder.looked_into_records import SliceScores
from luthier.report import numbers
from luthier.report.markup import Column, Html, details, join, table, tag, with_note
from luthier.report.records import Records
from luthier.report.slices_words import p_words, slices_words

LENGTH = 16
"""Slices up to which the table of all is shown as it is."""


def slices(records: Records) -> Html:
    found = records.scorecard.slices
    if found is None or not found.slices:
        return Html("")
    metric = numbers.shown(found.metric)
    columns = [
        Column("Slice"),
        *[
            Column(title, number=True)
            for title in ("Rows", metric.title, "Beside the others", "p, corrected")
        ],
    ]
    rows = [slice_row(one, metric) for one in sorted(found.slices, key=lambda one: one.p_holm or 0.0)]
    caption = "Slices of the test rows, those that differ most first; below each score its 95 % interval"
    made = table(caption, columns, rows)
    told = [tag("p", words) for words in slices_words(found)]
    return join([*told, made if len(rows) <= LENGTH else details(f"All {len(rows)} slices", made)])


def slice_row(one: SliceScores, metric: numbers.Shown) -> tuple[object, ...]:
    mark = tag("span.mark", "differs") if one.differs else ""
    ends = metric.show_difference_range(one.difference_low, one.difference_high)
    return (
        with_note(join([one.name, " ", mark]), one.by),
        numbers.count(one.rows),
        with_note(metric.show(one.value), metric.show_range(one.low, one.high)),
        with_note(metric.show_difference(one.difference), ends),
        p_words(one.p_holm).removeprefix("= "),
    )
