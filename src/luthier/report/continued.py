"""The report's section on rounds of labelling: what the new labels brought, what the next ones are likely to bring."""

from pathlib import PurePath

from luthier.folder.scorecard_records import ScorecardRecord
from luthier.report.markup import Column, Html, beside, join, table, tag
from luthier.report.numbers import count, shown
from luthier.report.records import Records


def round_words(scorecard: ScorecardRecord) -> list[str]:
    """What is told of a round; nothing for a run that goes on from none."""
    return [] if scorecard.continued is None else scorecard.continued.words


def continued(records: Records) -> Html:
    """Words on this round, and the score of each so far; nothing for a run that goes on from none."""
    found = records.scorecard.continued
    if found is None:
        return Html()
    metric = shown(records.scorecard.metric)
    rows = [
        (
            f"{at}: {PurePath(one.run).name}",
            count(one.rows),
            metric.show(one.value),
            metric.show_range(one.low, one.high),
        )
        for at, one in enumerate(found.rounds, start=1)
    ]
    columns = (
        Column("Round", wide=True),
        Column("Training rows", number=True),
        Column(metric.title, number=True),
        Column("95 % interval", number=True),
    )
    told = join(tag("p", words) for words in round_words(records.scorecard))
    return beside(told, table("Rounds of labelling, on the test rows", columns, rows))
