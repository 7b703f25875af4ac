"""The report's section on which answers may be trusted: a table of limits of error, sets, the alarm."""

from luthier.folder.trust_scores import LimitScores
from luthier.report import numbers
from luthier.report.markup import Column, Html, beside, join, table, tag, with_note
from luthier.report.records import Records
from luthier.report.trust_words import percent, trust_words


def trust(records: Records) -> Html:
    found = records.scorecard.trust
    if found is None:
        return Html("")
    told = join(tag("p", words) for words in trust_words(found, records.scorecard.valid_from))
    listed = Html("")
    if found.limits:
        columns = [
            Column("At most wrong"),
            *[Column(name, number=True) for name in ("Answered", "Test: answered", "Test: wrong of these")],
        ]
        tested = (records.scorecard.rows or {}).get("test") if records.alone else None
        rows = [limit_row(one, tested) for one in found.limits]
        listed = table("What is answered at a limit of error (luthier predict --error)", columns, rows)
    return beside(told, listed)


def limit_row(limit: LimitScores, tested: int | None) -> tuple[object, ...]:
    """A limit of error, and what came of it. tested: how many test rows there are, each by itself; None where intervals have no
    closed form."""
    answered = numbers.number(limit.test_answered)
    rows = tested * answered if tested and answered else None
    return (
        percent(limit.error),
        numbers.share(limit.answered),
        with_span(limit.test_answered, tested),
        with_span(limit.test_wrong, rows),
    )


def with_span(share: float | None, rows: float | None) -> Html:
    """A share of some test rows, with its 95 % interval where it has one."""
    span = numbers.share_range(share, rows)
    return with_note(numbers.share(share), "" if span == numbers.NOTHING else span)
