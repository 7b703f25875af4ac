"""The report's section on which answers may be trusted: a table of limits of error, sets, the alarm."""

from luthier.report import numbers
from luthier.report.markup import Column, Html, join, table, tag
from luthier.report.records import Records
from luthier.report.trust_words import percent, trust_words


def trust(records: Records) -> Html:
    found = records.scorecard.trust
    if found is None:
        return Html("")
    parts = [tag("p", words) for words in trust_words(found)]
    if found.limits:
        columns = [
            Column("At most wrong"),
            *[Column(name, number=True) for name in ("Answered", "Test: answered", "Test: wrong of these")],
        ]
        rows = [
            (percent(one.error), *map(numbers.share, (one.answered, one.test_answered, one.test_wrong)))
            for one in found.limits
        ]
        parts.append(table("What is answered at a limit of error (luthier predict --error)", columns, rows))
    return join(parts)
