"""The report's sections on the answers to the test rows: per class, confusions, calibration."""

from luthier.folder.scorecard_records import Bin, ClassScores
from luthier.report import numbers, sentences
from luthier.report.axis import Axis, drawn
from luthier.report.charts import heat_map, reliability_diagram, scatter
from luthier.report.markup import Column, Html, beside, details, join, picture, table, tag, with_note
from luthier.report.records import Records
from luthier.report.repeated import cluster_words, over_seeds, seed_words
from luthier.scores.shares import wilson_ends

MOST_CLASSES = 25
"""The most classes of a heat map: with more, the most frequent confusions are listed instead."""

MOST_CONFUSIONS = 20

LONGEST_HEAD = 24
"""The most characters of a label above a column; whole it stands before its row."""


def scores(records: Records) -> Html:
    """Every metric of the test rows, and what the numbers rest on."""
    scorecard, rows = records.scorecard, []
    if not records.measured:
        return Html("")
    for name, score in records.scores.items():
        metric = numbers.shown(name, scorecard.task or "")
        interval = metric.show_range(score.low, score.high)
        rows.append((with_note(metric.title, metric.meaning), metric.show(score.value), interval))
    columns = [Column("Metric"), Column("Value", number=True), Column("95 % interval", number=True)]
    listed = table(f"Scores on {sentences.test_rows(scorecard)}", columns, rows)
    told = join(tag("p", words) for words in (cluster_words(scorecard), seed_words(scorecard)) if words)
    return beside(listed, join([told, over_seeds(scorecard)]))


def classes(records: Records) -> Html:
    measured = records.scorecard.per_class
    if not measured:
        return Html("")
    weakest_first = sorted(measured, key=lambda one: numbers.number(one.f1) or 0.0)
    counted = records.alone and bool(records.scorecard.confusion or records.scorecard.multi_label)
    told = " with 95 % intervals" if counted else ""
    if len(weakest_first) <= MOST_CLASSES:
        return class_table(f"Each class on the test rows{told}, the weakest first", weakest_first, counted)
    whole = class_table("Each class, the weakest first", weakest_first, counted)
    few = class_table(f"The ten weakest classes{told}", weakest_first[:10], counted)
    return join([few, details(f"All {len(measured)} classes", whole)])


def class_table(caption: str, found: list[ClassScores], counted: bool) -> Html:
    """The scores of some classes. counted: whether their rows can be counted one by one, so that they have intervals."""
    axis = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))
    scores = [Column(name, number=True) for name in ("Precision", "Recall", "F1", "Rows")]
    drawing = [Column(join(["F1", axis.head(numbers.shown("f1"))]), drawn=True)] if counted else []
    rows = [class_row(one, counted, axis) for one in found]
    return table(caption, [Column("Label"), *drawing, *scores], rows)


def class_row(one: ClassScores, counted: bool, axis: Axis) -> tuple[object, ...]:
    """A class, with its F1 drawn where it has an interval."""
    values = (one.precision, one.recall, one.f1)
    spans = class_spans(one) if counted else (None, None, None)
    cells = [with_span(*pair) for pair in zip(values, spans, strict=True)]
    drawing = [drawn(axis, False, one.f1, *(spans[2] or (None, None)), None)] if counted else []
    return one.label, *drawing, *cells, numbers.count(one.support)


Span = tuple[float, float] | None
"""The ends of an interval; None where there is none."""


def with_span(value: float | None, span: Span) -> Html:
    told = "" if span is None else f"{numbers.decimals(span[0])} to {numbers.decimals(span[1])}"
    return with_note(numbers.three(value), told)


def class_spans(one: ClassScores) -> tuple[Span, Span, Span]:
    """The 95 % score intervals of precision, recall and F1: shares of the rows answered so, of the rows that are so, and of both.

    F1 is 2 J / (1 + J), where J is the share of right ones among all rows that are of the class or answered so.
    """
    precision, recall, rows = (numbers.number(value) for value in (one.precision, one.recall, one.support))
    if not rows or recall is None:
        return None, None, None
    right = recall * rows
    said = right / precision if precision else 0.0
    either = rows + said - right
    low, high = wilson_ends(right / either, either, 0.95)
    of_said = wilson_ends(precision, said, 0.95) if precision and said else None
    return of_said, wilson_ends(recall, rows, 0.95), (2 * low / (1 + low), 2 * high / (1 + high))


def confusion(records: Records) -> Html:
    counts = records.scorecard.confusion or []
    labels = records.scorecard.labels or [str(label) for label in range(len(counts))]
    if not counts or len(labels) != len(counts):
        return Html("")
    if len(labels) > MOST_CLASSES:
        told = f"A map of {len(labels)} classes cannot be read; these are the most frequent confusions."
        return join([tag("p", told), frequent(labels, counts, records.alone)])
    columns = [
        Column("Given \\ answered"),
        *[Column(sentences.cut(label, LONGEST_HEAD), number=True) for label in labels],
    ]
    rows = [(label, *map(numbers.count, row)) for label, row in zip(labels, counts, strict=True)]
    listed = table("Test rows by given label (rows) and answer (columns)", columns, rows)
    caption = "Given labels by answers. The fuller the colour, the larger its share of the row."
    drawn = picture(heat_map(labels, counts), caption)
    if len(labels) <= 4:
        return beside(drawn, listed)
    few = frequent(labels, counts, records.alone, most=10)
    return join([beside(drawn, few), details("All counts", listed)])


def frequent(labels: list[str], counts: list[list[int]], alone: bool, most: int = MOST_CONFUSIONS) -> Html:
    """The confusions that occur most often. alone: whether each row stands by itself."""
    found = [
        (value, given, said)
        for given, row in enumerate(counts)
        for said, value in enumerate(row)
        if given != said and value
    ]
    found.sort(key=lambda one: (-one[0], one[1:]))
    columns = [*map(Column, ("Given", "Answered")), Column("Rows", number=True), Column("Share", number=True)]
    rows = [
        (labels[given], labels[said], numbers.count(value), part(value, sum(counts[given]), alone))
        for value, given, said in found[:most]
    ]
    if not rows:
        return tag("p", "No test row was confused.")
    told = ", with 95 % intervals" if alone else ""
    return table(f"The most frequent confusions, and their share of the given class{told}", columns, rows)


def part(count: float, rows: float, alone: bool) -> Html:
    """A share of some rows, with its interval where each row stands by itself."""
    share = count / rows
    return with_note(numbers.share(share), numbers.share_range(share, rows) if alone else "")


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
    told = tag("p", sentence) if sentence else Html("")
    if not any(bins.values()):
        return told
    whiskers = ", with 95 % intervals" if records.alone else ""
    caption = (
        f"Share answered right by confidence{whiskers}. On the dashed line, 80 % sure is right in 80 % of the rows. Below: test "
        "rows per bin."
    )
    drawn = picture(reliability_diagram(bins["before"], bins["after"], records.alone), caption)
    return beside(join([told, drawn]), bin_table(bins, records.alone))


def bin_table(bins: dict[str, list[Bin]], alone: bool) -> Html:
    edges = sorted({(one.low, one.high) for side in bins.values() for one in side})
    by_edge = {title: {(one.low, one.high): one for one in side} for title, side in bins.items()}
    titles = [f"{what} {title}" for title in bins for what in ("Rows", "Right")]
    columns = [Column("Confidence"), *[Column(title, number=True) for title in titles]]
    rows = [
        (
            f"{100 * low:.0f}–{100 * high:.0f} %",
            *[value for title in bins for value in bin_cells(by_edge[title].get((low, high)), alone)],
        )
        for low, high in edges
    ]
    filled = [row for row in rows if row[1] != "0" or row[3] != "0"]
    return table("Rows per bin and the share answered right", columns, filled)


def bin_cells(one: Bin | None, alone: bool) -> tuple[str, Html]:
    if one is None or not one.count:
        return "0", Html(numbers.NOTHING)
    span = numbers.share_range(one.accuracy, one.count) if alone else ""
    return numbers.count(one.count), with_note(numbers.share(one.accuracy), span)
