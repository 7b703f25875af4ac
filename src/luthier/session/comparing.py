"""Comparing two finished runs."""

from pathlib import Path

from luthier.comparing.runs import Comparison, compare_runs
from luthier.folder.model_folder import ModelFolder


def compare(run_a: str | Path | ModelFolder, run_b: str | Path | ModelFolder) -> Comparison:
    """How much better run A is than run B on the same test rows, by A's metric, with a 95 % interval.

    run_a, run_b: folders of finished runs or searches, or what `tune` returned. Raises RunError for runs that were not of one
    task, or not tested on the same rows.
    """
    return compare_runs(*(one.path if isinstance(one, ModelFolder) else Path(one) for one in (run_a, run_b)))
