"""The outcome of a search, as text."""

from typing import Any

from luthier.report.numbers import shown
from luthier.report.records import Record
from luthier.report.search_page import STATES, values_of

SHOWN = 8


def search_words(record: Record, scorecard: Record) -> str:
    """The best trials, the one that is named and why, and what the test rows say of it."""
    metric = shown(record["metric"], scorecard["task"])
    ordered = sorted(
        record["trials"], key=lambda one: (one["state"] != "complete", -(one.get("score") or 0.0))
    )
    lines = [""]
    for one in ordered[:SHOWN]:
        mark = "  <- named" if one["number"] == record["best"]["number"] else ""
        score, state = metric.show(one.get("score")), STATES[one["state"]]
        lines.append(f"  trial {one['number']:<3} {score:>8}  {state:<12} {values_of(one)}{mark}")
    if len(ordered) > SHOWN:
        lines.append(f"  ... and {len(ordered) - SHOWN} more")
    tested: dict[str, Any] = scorecard["test"][record["metric"]]
    span = metric.show_range(tested["low"], tested["high"])
    lines += ["", f"{record['best']['why'][:1].upper()}{record['best']['why'][1:]}."]
    lines += [record["spread"]] if record.get("spread") else []
    lines += [
        f"On the test rows, which no trial saw: {metric.show(tested['value'])} ({span}). {scorecard['verdict']['words']}"
    ]
    return "\n".join(lines)
