"""The few numbers to remember, in the order in which they are asked for: the score, against what, forgotten, trusted, spent."""

from collections.abc import Callable, Iterator

from luthier.folder.scorecard_records import Forgetting, Score, Verdict, Worth
from luthier.folder.trust_scores import TrustScores
from luthier.report import numbers, sentences
from luthier.report.markup import Html, figures
from luthier.report.records import Records
from luthier.report.trust_words import best_limit, percent
from luthier.scores.validated import called

Figure = tuple[str, str, str]
"""What it is, its value, and what belongs to it: the interval above all."""


def key_figures(records: Records) -> Html:
    return figures(
        [
            *([the_score(records)] if records.measured else []),
            *gains(records),
            *forgotten(records.scorecard.forgetting, records.scorecard.valid_from),
            *trusted(records.scorecard.trust),
            *spent(records),
        ]
    )


def the_score(records: Records) -> Figure:
    scorecard = records.scorecard
    metric, score = numbers.shown(scorecard.metric), records.scores[scorecard.metric]
    note = f"{between(metric.show_range, score)}; on {sentences.test_rows(scorecard)}"
    return metric.title, metric.show(score.value), note


def gains(records: Records) -> Iterator[Figure]:
    """The difference to the baseline, and to the next cheaper candidate where that is another one."""
    scorecard = records.scorecard
    metric, verdict = numbers.shown(scorecard.metric), scorecard.verdict
    worth = scorecard.worth or Worth()
    if verdict is not None and records.compared and numbers.number(verdict.difference) is not None:
        told = metric.show_difference(verdict.difference)
        yield f"Against {verdict.against}", told, between(metric.show_difference_range, verdict)
    against = None if verdict is None else verdict.against
    told_already = (worth.dearer, worth.cheaper) == (scorecard.chosen, against)
    if numbers.number(worth.difference) is not None and not told_already:
        pair = sentences.sentence(f"{worth.dearer} against {worth.cheaper}")
        told = metric.show_difference(worth.difference)
        yield pair, told, between(metric.show_difference_range, worth)


def between(show: Callable[[object, object], str], part: Score | Verdict | Worth) -> str:
    told = show(part.low, part.high)
    return "no interval" if told == numbers.NOTHING else f"95 % interval {told}"


def forgotten(found: Forgetting | None, valid_from: str | None) -> Iterator[Figure]:
    """What became of the general texts, else the distance to the base. valid_from: as in a scorecard."""
    if found is None:
        return
    general, kl = found.general, numbers.number(found.kl_to_base)
    if general is not None and numbers.number(general.change) is not None:
        accuracy = numbers.shown("accuracy")
        span = accuracy.show_difference_range(general.low, general.high)
        told = f"95 % interval {span}; probe of {numbers.count(general.rows)} general texts"
        yield "On what it knew before", accuracy.show_difference(general.change), told
    elif general is not None and numbers.number(general.perplexity_after) is not None:
        before = f"on general texts, from {numbers.three_digits(general.perplexity_before)} before tuning"
        yield "Perplexity", numbers.three_digits(general.perplexity_after), before
    elif kl == 0 and found.rows is None:
        yield "Forgotten", "nothing", "the body is the pre-trained model's own"
    elif kl is not None:
        on = "" if found.rows is None else f", on {called(int(found.rows), valid_from)}"
        yield "Forgotten", numbers.nats(kl), f"KL to the base{on}"


def trusted(found: TrustScores | None) -> Iterator[Figure]:
    """How many rows are answered at a limit of error, or how wide the intervals of numbers are."""
    if found is None:
        return
    if found.limits:
        limit = best_limit(found.limits)
        sure = percent(found.certainty or 0.95)
        if limit is None:
            most = percent(max(one.error for one in found.limits))
            yield (
                "May be trusted alone",
                "no row",
                f"no error of at most {most} could be shown with {sure} confidence on {numbers.count(found.rows, 'row')}",
            )
        else:
            told = f"answered with at most {percent(limit.error)} of them wrong, at {sure} confidence"
            yield "May be trusted alone", f"{percent(limit.answered)} of rows", told
    elif found.intervals:
        one = found.intervals[0]
        told = (
            f"holds the truth in {percent(one.wanted)} of rows; on the test rows in {percent(one.coverage)}"
        )
        yield "An estimate is within", f"± {one.margin:.3g}", told


def spent(records: Records) -> Iterator[Figure]:
    """The time of the run, and what the model costs afterwards."""
    scorecard = records.scorecard
    seconds = ((scorecard.cost.seconds if scorecard.cost else None) or {}).get("total")
    if numbers.number(seconds) is None:
        return
    kept = next((one for one in records.candidates if one.name == scorecard.chosen), None)
    told = ["for the whole run"]
    if kept is not None and kept.rows_per_second is not None:
        told.append(f"then {numbers.count(kept.rows_per_second)} rows/s")
    if kept is not None and kept.bytes is not None:
        told.append(numbers.memory(kept.bytes))
    yield "Time spent", numbers.duration(seconds), "; ".join(told)
