"""The first section: ship or not, against what, by how much, how sure; then all candidates from cheap to dear."""

from collections.abc import Callable

from luthier.report import words
from luthier.report.markup import Column, Html, beside, join, picture, table, tag
from luthier.report.pictures import candidate_dots
from luthier.report.records import Record, Records


CHOICE = (
    "The candidate best on validation is kept, unless a cheaper one is within its standard error. "
    "The test rows had no part in the choice."
)


def verdict(records: Records) -> Html:
    scorecard = records.scorecard
    metric = words.metric_named(scorecard["metric"])
    explained = {
        "How sure?": words.certainty(records.part("verdict"), metric),
        "Worth its price?": words.worth_words(scorecard),
    }
    return join(
        [
            tag("p.headline", words.headline(scorecard)),
            tag("p.lead", words.verdict_words(scorecard)),
            figures(records),
            *[tag("p", tag("strong", question), " ", told) for question, told in explained.items() if told],
            candidates(records),
        ]
    )


def figures(records: Records) -> Html:
    """The few numbers to remember."""
    scorecard = records.scorecard
    metric = words.metric_named(scorecard["metric"])
    score = scorecard["test"][scorecard["metric"]]
    rows = words.count(records.part("rows").get("test"), "unseen test row")
    shown = [(metric.title, metric.show(score.get("value")), f"on {rows}; {between(metric.show_range, score)}")]
    verdict, worth = records.part("verdict"), records.part("worth")
    if words.number(verdict.get("difference")) is not None:
        told = metric.show_difference(verdict["difference"])
        shown.append((f"Against {verdict.get('against')}", told, between(metric.show_difference_range, verdict)))
    if words.number(worth.get("difference")) is not None:
        told = metric.show_difference(worth["difference"])
        pair = words.sentence(f"{worth.get('dearer')} against {worth.get('cheaper')}")
        shown.append((pair, told, between(metric.show_difference_range, worth)))
    seconds = (records.part("cost").get("seconds") or {}).get("total")
    if words.number(seconds) is not None:
        shown.append(("Time", words.duration(seconds), "for the whole run"))
    return tag("dl.figures", join(tag("div", tag("dt", name), tag("dd", value), tag("dd", note)) for name, value, note in shown))


def between(show: Callable[[object, object], str], part: Record) -> str:
    told = show(part.get("low"), part.get("high"))
    return "no interval" if told == words.NOTHING else f"95% interval {told}"


def candidates(records: Records) -> Html:
    scorecard = records.scorecard
    metric = words.metric_named(scorecard["metric"])
    chosen = str(scorecard["chosen"])
    columns = [Column("Candidate"), *[Column(title, number=True) for title in ("Validation", "Test", "Time")]]
    rows = [
        (
            name_of(candidate, chosen),
            metric.show(candidate.get("valid")),
            with_interval(candidate, metric),
            words.duration(candidate.get("seconds")),
        )
        for candidate in records.candidates
    ]
    drawn = candidate_dots(records.candidates, chosen, metric)
    caption = f"{metric.title} of each candidate: the filled dot on the test rows, the open one on validation."
    numbers = table("The same in numbers; below each test score its 95% interval", columns, rows)
    return join(
        [
            tag("h3", "From cheap to dear"),
            tag("p", CHOICE) if scorecard.get("method") == "auto" else "",
            beside(picture(drawn, caption), numbers),
        ]
    )


def name_of(candidate: Record, chosen: str) -> Html:
    name = str(candidate.get("name"))
    kept = tag("span.mark", "kept") if name == chosen else ""
    kind = words.CANDIDATES.get(name)
    return join([name, kept, tag("small", kind.meaning) if kind else ""])


def with_interval(candidate: Record, metric: words.Metric) -> Html:
    interval = metric.show_range(candidate.get("test_low"), candidate.get("test_high"))
    return join([metric.show(candidate.get("test")), tag("small", interval) if interval != words.NOTHING else ""])
