"""Sentences on what is promised of single answers, what came of it on the test rows, and what is not promised."""

from collections.abc import Iterator

from luthier.folder.trust_scores import AlarmScores, IntervalScores, LimitScores, SetScores, TrustScores
from luthier.report.numbers import count
from luthier.scores.validated import CROSSED


def trust_words(trust: TrustScores | None, valid_from: str | None = None) -> Iterator[str]:
    """A sentence or two on each; none where nothing is promised. valid_from: as in a scorecard."""
    if trust is None:
        return
    if trust.limits:
        yield limits_words(trust, best_limit(trust.limits))
    if trust.sets is not None:
        yield sets_words(trust.sets)
    if trust.intervals:
        yield intervals_words(trust.intervals)
    if trust.alarm is not None:
        yield alarm_words(trust.alarm)
    if trust.limits or trust.sets or trust.intervals:
        yield only_words(trust, valid_from)


def best_limit(limits: list[LimitScores]) -> LimitScores | None:
    """The smallest limit of error at which at least half of the rows are answered, else that at which most are; None where no
    row is answered at any."""
    most = max(limits, key=lambda one: one.answered)
    found = next((one for one in limits if one.answered >= 0.5), most)
    return found if found.answered > 0 else None


def percent(share: float) -> str:
    """
    >>> percent(0.05), percent(0.1234), percent(0.999)
    ('5 %', '12.3 %', '99.9 %')
    """
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def limits_words(trust: TrustScores, limit: LimitScores | None) -> str:
    sure = percent(trust.certainty or 0.95)
    if limit is None:
        rows = count(trust.rows, "calibration row")
        return (
            f"On {rows} no limit of error up to {percent(max(one.error for one in trust.limits or []))} could be shown with "
            f"{sure} confidence, so --error leaves every row to a person."
        )
    words = (
        f"With --error {limit.error:g} it answers {percent(limit.answered)} of the rows with at most {percent(limit.error)} "
        f"of these wrong, at {sure} confidence; it leaves the others to a person."
    )
    if limit.test_answered is None:
        return words
    wrong = "" if limit.test_wrong is None else f", {percent(limit.test_wrong)} of these wrongly"
    return f"{words} Of the test rows it answers {percent(limit.test_answered)}{wrong}."


def sets_words(sets: SetScores) -> str:
    whose = "of the rows of each label" if sets.by_label else "of all rows together, not of each label"
    return (
        f"Sets of labels that are made to hold the right one in {percent(sets.wanted)} {whose}: on the test rows they hold it in "
        f"{percent(sets.coverage)}, with {sets.mean_size:.2f} labels on average."
    )


def intervals_words(intervals: list[IntervalScores]) -> str:
    told = "; ".join(
        f"{one.margin:.3g} either way for {percent(one.wanted)} (on the test rows {percent(one.coverage)})"
        for one in intervals
    )
    return f"Intervals that hold the truth in a share of all rows together: {told}."


def alarm_words(alarm: AlarmScores) -> str:
    words = f"Rows that are unlike the training rows are told: {percent(alarm.level)} of the usual kind are so called by mistake"
    if alarm.test_unlike is not None:
        words += f", and {percent(alarm.test_unlike)} of the test rows were"
    return f"{words}. A file as a whole raises a false alarm with a probability of {percent(alarm.stream)} at most."


def only_words(trust: TrustScores, valid_from: str | None) -> str:
    """What is not promised."""
    words = (
        "All this is promised for rows of the kind of the calibration rows, on average over draws of these, and not for any one "
        "row or sort of row."
    )
    if valid_from == CROSSED:
        words += (
            " These are the training rows, each answered by what had not learnt from it, and they chose the model too: so the "
            "promise is not exact. The model that was kept has learnt from all of them, and the numbers on the test rows are its."
        )
    elif trust.learnt_since:
        words += (
            " The probe that was kept has learnt from these rows since: the promise is that of the probe before, and the numbers "
            "on the test rows are those of the one that was kept."
        )
    elif trust.part == "valid":
        words += (
            " The validation rows calibrated, which had chosen the model too: so the promise is not exact."
        )
    return words
