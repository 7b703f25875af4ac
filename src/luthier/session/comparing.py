"""Comparing two finished runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Union

from luthier.comparing.runs import Comparison, compare_runs
from luthier.folder.model_folder import ModelFolder

if TYPE_CHECKING:
    from luthier.session.judging import Judgement

Finished = Union[str, Path, ModelFolder, "Judgement"]
"""A finished run: its folder, or what `tune` or `judge` returned."""


def compare(run_a: Finished, run_b: Finished) -> Comparison:
    """How much better run A is than run B on the same test rows, by A's metric, with a 95 % interval.

    run_a, run_b: folders of finished runs or searches, or what `tune` or `judge` returned. Raises RunError for runs that were not
    of one task, or not tested on the same rows.
    """
    return compare_runs(*(Path(one) if isinstance(one, str | Path) else one.path for one in (run_a, run_b)))
