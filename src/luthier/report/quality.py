"""Sections about the answers on the test rows: per class, confusions, calibration, the surest mistakes."""

from luthier.report import words
from luthier.report.markup import Column, Html, beside, details, join, picture, table, tag
from luthier.report.pictures import heat_map, reliability_diagram
from luthier.report.records import Mistake, Record, Records
from luthier.report.rows import place

MOST_CLASSES = 25
"""Beyond this a heat map cannot be read, and the most frequent confusions are listed instead."""

MOST_CONFUSIONS = 20


def scores(records: Records) -> Html:
    """Every metric of the test rows."""
    rows = []
    for name, score in records.scorecard["test"].items():
        metric = words.metric_named(name)
        interval = metric.show_range(score.get("low"), score.get("high"))
        rows.append((metric.title, metric.show(score.get("value")), interval, words.sentence(metric.meaning)))
    columns = [
        Column("Metric"),
        Column("Value", number=True),
        Column("95% interval", number=True),
        Column("What it is", wide=True),
    ]
    tested = words.count(records.part("rows").get("test"), "test row")
    return table(f"Scores on {tested}", columns, rows)


def classes(records: Records) -> Html:
    measured = [one for one in records.items("per_class") if isinstance(one, dict)]
    if not measured:
        return Html("")
    weakest_first = sorted(measured, key=lambda one: words.number(one.get("f1")) or 0.0)
    columns = [Column("Label"), *[Column(name, number=True) for name in ("Precision", "Recall", "F1", "Test rows")]]
    rows = [
        (
            one.get("label", ""),
            *[words.three(one.get(key)) for key in ("precision", "recall", "f1")],
            words.count(one.get("support")),
        )
        for one in weakest_first
    ]
    if len(rows) <= MOST_CLASSES:
        return table("Each class, the weakest first", columns, rows)
    whole = details(f"All {len(rows)} classes", table("Each class, the weakest first", columns, rows))
    return join([table("The ten weakest classes", columns, rows[:10]), whole])


def confusion(records: Records) -> Html:
    counts = records.items("confusion")
    labels = [str(label) for label in records.items("labels")] or [str(number) for number in range(len(counts))]
    if not counts or len(labels) != len(counts):
        return Html("")
    if len(labels) > MOST_CLASSES:
        told = f"With {len(labels)} classes a map of all confusions cannot be read; these are the most frequent ones."
        return join([tag("p", told), frequent(labels, counts)])
    columns = [Column("Given \\ answered"), *[Column(label, number=True) for label in labels]]
    rows = [(label, *map(words.count, row)) for label, row in zip(labels, counts, strict=True)]
    numbers = table("Test rows by given label (rows) and answer (columns)", columns, rows)
    caption = "Given labels by answers. The fuller the colour, the larger the share of the row; the diagonal is right."
    drawn = picture(heat_map(labels, counts), caption)
    if len(labels) <= 4:
        return beside(drawn, numbers)
    return join([beside(drawn, frequent(labels, counts, most=10)), details("All counts", numbers)])


def frequent(labels: list[str], counts: list[list[int]], most: int = MOST_CONFUSIONS) -> Html:
    """The confusions that occur most often."""
    found = [
        (value, given, said)
        for given, row in enumerate(counts)
        for said, value in enumerate(row)
        if given != said and value
    ]
    found.sort(key=lambda one: (-one[0], one[1:]))
    columns = [
        Column("Given"),
        Column("Answered"),
        Column("Rows", number=True),
        Column("Of the class", number=True),
    ]
    rows = [
        (labels[given], labels[said], words.count(value), words.share(value / sum(counts[given])))
        for value, given, said in found[:most]
    ]
    return table("The most frequent confusions", columns, rows) if rows else tag("p", "No test row was confused.")


def calibration(records: Records) -> Html:
    sentence = words.calibration_words(records.part("calibration"))
    held = records.part("reliability")
    bins = {title: list(held.get(title) or ()) for title in ("before", "after")}
    parts = [tag("p", sentence)] if sentence else []
    if any(bins.values()):
        caption = "On the dashed diagonal a confidence of 80% is right in 80% of the rows. Below: test rows per bin of confidence."
        drawn = picture(reliability_diagram(bins["before"], bins["after"]), caption)
        parts.append(beside(drawn, bin_table(bins)))
    return join(parts)


def bin_table(bins: dict[str, list[Record]]) -> Html:
    edges = sorted({(one["low"], one["high"]) for side in bins.values() for one in side})
    by_edge = {title: {(one["low"], one["high"]): one for one in side} for title, side in bins.items()}
    titles = [f"{what} {title}" for title in bins for what in ("Rows", "Right")]
    columns = [Column("Confidence"), *[Column(title, number=True) for title in titles]]
    rows = [
        (
            f"{100 * low:.0f}–{100 * high:.0f}%",
            *[value for title in bins for value in bin_cells(by_edge[title].get((low, high), {}))],
        )
        for low, high in edges
    ]
    return table("Rows per bin and the share answered right", columns, [row for row in rows if row[1] != "0" or row[3] != "0"])


def bin_cells(one: Record) -> tuple[str, str]:
    filled = bool(one.get("count"))
    return words.count(one.get("count", 0)), words.share(one.get("accuracy")) if filled else words.NOTHING


def mistakes(records: Records) -> Html:
    if records.wrong is None:
        return Html("")
    if not records.mistakes:
        return tag("p", "No test row was answered wrongly.")
    columns = [*map(Column, ("Confidence", "Answered", "Given")), Column("Text", wide=True), Column("Where")]
    rows = [mistake_row(mistake) for mistake in records.mistakes]
    told = (
        f"{words.count(records.wrong, 'test row')} {'was' if records.wrong == 1 else 'were'} answered wrongly. "
        "These are the ones the model was surest about; where it is sure and wrong, look at the given label first."
    )
    return join([tag("p", told), table("The surest mistakes", columns, rows)])


def mistake_row(mistake: Mistake) -> tuple[object, ...]:
    row = mistake.row
    return (
        words.share(mistake.confidence),
        words.label_of(row.get("prediction")),
        words.label_of(row.get("label")),
        words.cut(row.get("text", "")),
        place(row),
    )
