"""The table of the candidates: what each scores, drawn on one axis, and what being better costs."""

from collections.abc import Callable, Iterator

from luthier.folder.scorecard_records import CandidateScores
from luthier.report import numbers, sentences
from luthier.report.axis import Axis, drawn
from luthier.report.markup import Column, Html, join, table, tag, with_note
from luthier.report.records import Records
from luthier.scores.validated import CROSSED, LEARNT, on_validation, says_something

CHOICE = {
    CROSSED: "Each training row was answered by what had not learnt from it. The dearest candidate is kept, unless a cheaper one "
    "is better so by more than two standard errors. ",
    LEARNT: "No rows could be held out to tell the candidates apart: the dearest is kept. ",
}
USUAL_CHOICE = "The candidate best on validation is kept, unless a cheaper one is within its standard error. "
UNSEEN = "The test rows had no part in the choice."

REACH = "Rows to reach"
COSTS: dict[str, Callable[[CandidateScores], str]] = {
    "Time": lambda one: numbers.duration(one.seconds),
    "Rows/s": lambda one: numbers.count(one.rows_per_second),
    "Size": lambda one: numbers.memory(one.bytes),
    REACH: lambda one: numbers.count(one.rows_to_reach),
}
"""What being better costs, by the title of its column: a dash where it was not measured."""


def measured_costs(candidates: list[CandidateScores]) -> dict[str, Callable[[CandidateScores], str]]:
    """The costs that are known of one of the candidates at least."""
    return {
        title: show
        for title, show in COSTS.items()
        if any(show(one) != numbers.NOTHING for one in candidates)
    }


def candidates(records: Records) -> Html:
    """From cheap to dear: scores with their intervals, and costs."""
    scorecard, found = records.scorecard, records.candidates
    if not found:
        return Html("")
    metric, where = numbers.shown(scorecard.metric), scorecard.valid_from
    validated = says_something(where)
    axis, costs = Axis.of(drawn_values(found, validated)), measured_costs(found)
    titles = (
        "Test",
        *(["Cross-validation" if where == CROSSED else "Validation"] if validated else []),
        *costs,
    )
    columns = [
        Column("Candidate"),
        Column(join([metric.title, axis.head(metric)]), drawn=True),
        *[Column(title, number=True) for title in titles],
    ]
    mark = "kept" if scorecard.judged is None else "judged"
    rows = [
        (
            name_of(one, scorecard.chosen, mark),
            drawn(
                axis,
                one.name == scorecard.chosen,
                *(one.test, one.test_low, one.test_high, one.valid if validated else None),
            ),
            scored(metric, one.test, one.test_low, one.test_high),
            *([scored(metric, one.valid, one.valid_low, one.valid_high)] if validated else []),
            *[show(one) for show in costs.values()],
        )
        for one in found
    ]
    return join(
        [
            tag("h3", "From cheap to dear"),
            tag("p", CHOICE.get(where or "", USUAL_CHOICE) + UNSEEN) if scorecard.method == "auto" else "",
            table(caption(metric, where), columns, rows),
            tag("p", scorecard.reaching) if scorecard.reaching and REACH in costs else "",
        ]
    )


def caption(metric: numbers.Shown, valid_from: str | None) -> str:
    drawing = "the dot is the score on the test rows, the line its 95 % interval"
    ring = f", the ring the score {on_validation(valid_from)}" if says_something(valid_from) else ""
    return f"{metric.title} of each candidate with 95 % intervals, and what it costs: {drawing}{ring}."


def drawn_values(found: list[CandidateScores], validated: bool) -> Iterator[float]:
    """All that has a place on the axis."""
    for one in found:
        held = (one.test, one.test_low, one.test_high, one.valid if validated else None)
        yield from (value for value in map(numbers.number, held) if value is not None)


def name_of(candidate: CandidateScores, chosen: str, mark: str) -> Html:
    name = candidate.name
    kept = tag("span.mark", mark) if name == chosen else ""
    kind = sentences.CANDIDATES.get(name)
    return with_note(join([name, " ", kept]), kind.meaning if kind else "")


def scored(metric: numbers.Shown, value: float | None, low: float | None, high: float | None) -> Html:
    """A score with its interval below it."""
    interval = metric.show_range(low, high)
    return with_note(metric.show(value), interval if interval != numbers.NOTHING else "")
