"""The outcome of a search, as text."""

from luthier.folder.scorecard_records import ScorecardRecord
from luthier.report.numbers import shown
from luthier.report.search_page import STATES, named_of, ranked, values_of
from luthier.report.search_records import SearchRecord

SHOWN = 8


def search_words(record: SearchRecord, scorecard: ScorecardRecord) -> str:
    """The best trials, the one that is named and why, and what the test rows say of it."""
    metric, ordered, best = shown(record.metric, scorecard.task or ""), ranked(record), named_of(record)
    lines = [""]
    for one in ordered[:SHOWN]:
        mark = "  <- named" if one.number == best.number else ""
        score, state = metric.show(one.score), STATES[one.state]
        lines.append(f"  trial {one.number:<3} {score:>8}  {state:<12} {values_of(one)}{mark}")
    if len(ordered) > SHOWN:
        lines.append(f"  ... and {len(ordered) - SHOWN} more")
    tested, why = scorecard.test[record.metric], best.why or ""
    span = metric.show_range(tested.low, tested.high)
    lines += ["", f"{why[:1].upper()}{why[1:]}."]
    lines += [record.spread] if record.spread else []
    lines += [
        f"On the test rows, which no trial saw: {metric.show(tested.value)} ({span}). {scorecard.verdict_words}"
    ]
    return "\n".join(lines)
