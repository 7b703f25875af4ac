"""The verdict on a run: whether to ship it, and whether it comes to what is asked of it."""

from pathlib import Path

from luthier.files import write_text
from luthier.folder.scorecard import Scorecard
from luthier.report.requirements import Outcome, conditions_of, junit, outcomes
from luthier.session.out import refuse_unwritable_file


def verdict_on(run: Path, require: str | None, baseline: Path | None, report: Path | None) -> list[Outcome]:
    """Return the verdict, and the outcome of each condition.

    baseline: a finished run that this one may not be worse than, beyond noise.  report: JUnit XML file that is written with them.
    Raises PlanError for conditions that cannot be read, or on what was not measured, and RunError where there is no run or the
    baseline cannot be compared with.
    """
    refuse_unwritable_file(None if report is None else str(report))
    conditions = {} if require is None else conditions_of(require)
    scorecard = Scorecard.read(run)
    found = [Outcome("ship", scorecard.ship, scorecard.words), *outcomes(conditions, scorecard.card)]
    if baseline is not None:
        found.append(against(run, baseline))
    if report is not None:
        write_text(report, junit(str(run), found))
    return found


def against(run: Path, baseline: Path) -> Outcome:
    """Return whether a run is not worse than its baseline beyond noise, on the same test rows."""
    from luthier.comparing.outcome import WORSE
    from luthier.comparing.runs import compare_with_baseline

    found = compare_with_baseline(run, baseline)
    holds = found.outcome != WORSE
    return Outcome(
        "baseline", holds, found.words if holds else f"{found.words} Not worse was asked for, so it fails."
    )
