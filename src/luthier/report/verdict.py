"""The report's first section: ship or not, against what, by how much, how sure; then all candidates."""

from collections.abc import Callable

from luthier.folder.scorecard_records import CandidateScores, Score, Verdict, Worth
from luthier.report import numbers, sentences
from luthier.report.charts import candidate_dots
from luthier.report.markup import Column, Html, beside, join, picture, table, tag, with_note
from luthier.report.records import Records

CHOICE = (
    "The candidate best on validation is kept, unless a cheaper one is within its standard error. "
    "The test rows had no part in the choice."
)


REACH = "Rows to reach"
COSTS: dict[str, Callable[[CandidateScores], str]] = {
    "Rows/s": lambda one: "" if one.rows_per_second is None else numbers.count(one.rows_per_second),
    "Size": lambda one: "" if one.bytes is None else numbers.memory(one.bytes),
    REACH: lambda one: "" if one.rows_to_reach is None else numbers.count(one.rows_to_reach),
}
"""What being better costs, by the title of its column; empty where it was not measured."""


def verdict(records: Records) -> Html:
    scorecard = records.scorecard
    metric = numbers.shown(scorecard.metric)
    explained = {
        "How sure?": sentences.certainty(scorecard.verdict, metric) if records.compared else "",
        "Worth its price?": sentences.worth_words(scorecard),
        "Seen before?": scorecard.looks_words,
    }
    headline = "p.headline.ship" if scorecard.ship else "p.headline"
    return join(
        [
            tag(headline, sentences.headline(scorecard)),
            tag("p.lead", scorecard.in_short) if scorecard.in_short else "",
            tag("p.lead", sentences.verdict_words(scorecard)),
            figures(records),
            *[tag("p", tag("strong", question), " ", told) for question, told in explained.items() if told],
            candidates(records),
        ]
    )


def figures(records: Records) -> Html:
    """The few numbers to remember."""
    scorecard = records.scorecard
    metric = numbers.shown(scorecard.metric)
    score = records.scores[scorecard.metric]
    note = f"on {sentences.test_rows(scorecard)}; {between(metric.show_range, score)}"
    shown = [(metric.title, metric.show(score.value), note)]
    verdict, worth = scorecard.verdict, scorecard.worth or Worth()
    if verdict is not None and records.compared and numbers.number(verdict.difference) is not None:
        told = metric.show_difference(verdict.difference)
        shown.append((f"Against {verdict.against}", told, between(metric.show_difference_range, verdict)))
    against = None if verdict is None else verdict.against
    told_already = (worth.dearer, worth.cheaper) == (scorecard.chosen, against)
    if numbers.number(worth.difference) is not None and not told_already:
        told = metric.show_difference(worth.difference)
        pair = sentences.sentence(f"{worth.dearer} against {worth.cheaper}")
        shown.append((pair, told, between(metric.show_difference_range, worth)))
    seconds = ((scorecard.cost.seconds if scorecard.cost else None) or {}).get("total")
    if numbers.number(seconds) is not None:
        shown.append(("Time spent", numbers.duration(seconds), "for the whole run"))
    groups = [tag("div", tag("dt", name), tag("dd", value), tag("dd", note)) for name, value, note in shown]
    return tag("dl.figures", *groups)


def between(show: Callable[[object, object], str], part: Score | Verdict | Worth) -> str:
    told = show(part.low, part.high)
    return "no interval" if told == numbers.NOTHING else f"95 % interval {told}"


def candidates(records: Records) -> Html:
    scorecard = records.scorecard
    metric, chosen = numbers.shown(scorecard.metric), scorecard.chosen
    validated = scorecard.valid_from is None
    titles = (*(["Validation"] if validated else []), "Test", "Time")
    columns = [Column("Candidate"), *[Column(title, number=True) for title in titles]]
    rows = [
        (
            name_of(candidate, chosen, "kept" if scorecard.judged is None else "judged"),
            *([metric.show(candidate.valid)] if validated else []),
            with_interval(candidate, metric),
            numbers.duration(candidate.seconds),
        )
        for candidate in records.candidates
    ]
    drawn = candidate_dots(records.candidates, chosen, metric, validated)
    dots = ": the filled dot on test, the open one on validation" if validated else ""
    caption = f"{metric.title} of each candidate{dots}."
    listed = table("The same in numbers; below each test score its 95 % interval", columns, rows)
    return join(
        [
            tag("h3", "From cheap to dear"),
            tag("p", CHOICE) if scorecard.method == "auto" else "",
            beside(picture(drawn, caption), listed),
            price(records),
        ]
    )


def price(records: Records) -> Html:
    """What being better costs, candidate by candidate; nothing where it was not measured."""
    metric, reaching = numbers.shown(records.scorecard.metric), records.scorecard.reaching
    shown = {title: show for title, show in COSTS.items() if any(map(show, records.candidates))}
    if not shown:
        return Html("")
    columns = [Column("Candidate"), *[Column(title, number=True) for title in ("Test", *shown)]]
    rows = [
        (one.name, metric.show(one.test), *[show(one) or numbers.NOTHING for show in shown.values()])
        for one in records.candidates
    ]
    told = tag("p", reaching) if reaching and REACH in shown else ""
    return join([table("What being better costs: answers a second, and place on disk", columns, rows), told])


def name_of(candidate: CandidateScores, chosen: str, mark: str) -> Html:
    name = candidate.name
    kept = tag("span.mark", mark) if name == chosen else ""
    kind = sentences.CANDIDATES.get(name)
    return with_note(join([name, " ", kept]), kind.meaning if kind else "")


def with_interval(candidate: CandidateScores, metric: numbers.Shown) -> Html:
    interval = metric.show_range(candidate.test_low, candidate.test_high)
    return with_note(metric.show(candidate.test), interval if interval != numbers.NOTHING else "")
