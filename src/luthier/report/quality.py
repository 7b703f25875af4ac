"""The report's sections on the answers to the test rows: per class, confusions, calibration, the surest mistakes."""

from luthier.folder.scorecard_records import Bin
from luthier.report import numbers, sentences
from luthier.report.charts import heat_map, reliability_diagram, scatter
from luthier.report.markup import Column, Html, beside, details, join, picture, table, tag, with_note
from luthier.report.records import Mistake, Records
from luthier.report.rows import place

MOST_CLASSES = 25
"""The most classes of a heat map: with more, the most frequent confusions are listed instead."""

MOST_CONFUSIONS = 20


def scores(records: Records) -> Html:
    """Every metric of the test rows."""
    rows = []
    for name, score in records.scores.items():
        metric = numbers.shown(name, records.scorecard.task or "")
        interval = metric.show_range(score.low, score.high)
        rows.append((with_note(metric.title, metric.meaning), metric.show(score.value), interval))
    columns = [Column("Metric"), Column("Value", number=True), Column("95 % interval", number=True)]
    return table(f"Scores on {sentences.test_rows(records.scorecard)}", columns, rows)


def classes(records: Records) -> Html:
    measured = records.scorecard.per_class
    if not measured:
        return Html("")
    weakest_first = sorted(measured, key=lambda one: numbers.number(one.f1) or 0.0)
    columns = [
        Column("Label"),
        *[Column(name, number=True) for name in ("Precision", "Recall", "F1", "Rows")],
    ]
    rows = [
        (
            one.label,
            *[numbers.three(value) for value in (one.precision, one.recall, one.f1)],
            numbers.count(one.support),
        )
        for one in weakest_first
    ]
    if len(rows) <= MOST_CLASSES:
        return table("Each class on the test rows, the weakest first", columns, rows)
    whole = details(f"All {len(rows)} classes", table("Each class, the weakest first", columns, rows))
    return join([table("The ten weakest classes", columns, rows[:10]), whole])


def confusion(records: Records) -> Html:
    counts = records.scorecard.confusion or []
    labels = records.scorecard.labels or [str(label) for label in range(len(counts))]
    if not counts or len(labels) != len(counts):
        return Html("")
    if len(labels) > MOST_CLASSES:
        told = f"A map of {len(labels)} classes cannot be read; these are the most frequent confusions."
        return join([tag("p", told), frequent(labels, counts)])
    columns = [Column("Given \\ answered"), *[Column(label, number=True) for label in labels]]
    rows = [(label, *map(numbers.count, row)) for label, row in zip(labels, counts, strict=True)]
    listed = table("Test rows by given label (rows) and answer (columns)", columns, rows)
    caption = "Given labels by answers. The fuller the colour, the larger its share of the row."
    drawn = picture(heat_map(labels, counts), caption)
    if len(labels) <= 4:
        return beside(drawn, listed)
    return join([beside(drawn, frequent(labels, counts, most=10)), details("All counts", listed)])


def frequent(labels: list[str], counts: list[list[int]], most: int = MOST_CONFUSIONS) -> Html:
    """The confusions that occur most often."""
    found = [
        (value, given, said)
        for given, row in enumerate(counts)
        for said, value in enumerate(row)
        if given != said and value
    ]
    found.sort(key=lambda one: (-one[0], one[1:]))
    columns = [*map(Column, ("Given", "Answered")), Column("Rows", number=True), Column("Share", number=True)]
    rows = [
        (labels[given], labels[said], numbers.count(value), numbers.share(value / sum(counts[given])))
        for value, given, said in found[:most]
    ]
    if not rows:
        return tag("p", "No test row was confused.")
    return table("The most frequent confusions, and their share of the given class", columns, rows)


def estimates(records: Records) -> Html:
    """The section on predicted numbers beside the true ones."""
    points = records.scorecard.scatter
    if not points:
        return Html("")
    said = "cosine" if records.scorecard.task == "embedding" else "estimate"
    drawn = picture(scatter(points, said), f"A dot a row: the {said} against the truth.")
    few = [points[at] for at in sorted({round(part * (len(points) - 1) / 9) for part in range(10)})]
    columns = [Column("Truth", number=True), Column(sentences.sentence(said), number=True)]
    rows = [tuple(numbers.three(value) for value in point) for point in few]
    return beside(drawn, table("Ten of them, in the order of their truth", columns, rows))


ANSWERED = {
    "right": "Answered, word for word",
    "partly": "Answered in part",
    "wrong": "Answered with other words",
    "silent_though_answerable": "Left unanswered, though the text answers",
    "answered_though_unanswerable": "Answered, though the text does not",
    "unanswerable": "Questions that the text does not answer",
}
"""Kinds of answers to questions, by the scorecard's key."""


def answered(records: Records) -> Html:
    """How the questions of the test rows were answered."""
    counts = records.scorecard.answers or {}
    rows = [(told, numbers.count(counts[key])) for key, told in ANSWERED.items() if key in counts]
    columns = [Column("Questions"), Column("Rows", number=True)]
    return table("How the questions of the test rows were answered", columns, rows) if rows else Html("")


def calibration(records: Records) -> Html:
    sentence = sentences.calibration_words(records.scorecard.calibration)
    held = records.scorecard.reliability or {}
    bins = {title: held.get(title, []) for title in ("before", "after")}
    parts = [tag("p", sentence)] if sentence else []
    if any(bins.values()):
        caption = "On the dashed line, 80 % sure is right in 80 % of the rows. Below: test rows per bin."
        drawn = picture(reliability_diagram(bins["before"], bins["after"]), caption)
        parts.append(beside(drawn, bin_table(bins)))
    return join(parts)


def bin_table(bins: dict[str, list[Bin]]) -> Html:
    edges = sorted({(one.low, one.high) for side in bins.values() for one in side})
    by_edge = {title: {(one.low, one.high): one for one in side} for title, side in bins.items()}
    titles = [f"{what} {title}" for title in bins for what in ("Rows", "Right")]
    columns = [Column("Confidence"), *[Column(title, number=True) for title in titles]]
    rows = [
        (
            f"{100 * low:.0f}–{100 * high:.0f} %",
            *[value for title in bins for value in bin_cells(by_edge[title].get((low, high)))],
        )
        for low, high in edges
    ]
    filled = [row for row in rows if row[1] != "0" or row[3] != "0"]
    return table("Rows per bin and the share answered right", columns, filled)


def bin_cells(one: Bin | None) -> tuple[str, str]:
    if one is None or not one.count:
        return "0", numbers.NOTHING
    return numbers.count(one.count), numbers.share(one.accuracy)


def mistakes(records: Records) -> Html:
    if records.wrong is None:
        return Html("")
    if not records.mistakes:
        return tag("p", "No test row was answered wrongly.")
    columns = [Column("Text", wide=True), Column("Answered")]
    rows = [mistake_row(mistake) for mistake in records.mistakes]
    told = (
        f"Answered wrongly: {numbers.count(records.wrong, 'test row')}. Below, those it was surest about. "
        "Where it is sure and wrong, look at the given label first."
    )
    return join([tag("p", told), table("The surest mistakes", columns, rows)])


def mistake_row(mistake: Mistake) -> tuple[Html, Html]:
    row = mistake.row
    sure = f"{numbers.share(mistake.confidence)} sure; given: {sentences.label_of(row.get('label'))}"
    return (
        with_note(sentences.cut(row.get("text", "")), place(row)),
        with_note(sentences.label_of(row.get("prediction")), sure),
    )
