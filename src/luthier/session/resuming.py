"""Resuming a run or a search that was killed or interrupted."""

from pathlib import Path
from typing import TYPE_CHECKING

from luthier.searching.folder import SearchFolder
from luthier.searching.result import SearchResult
from luthier.session.searches import resume_search

if TYPE_CHECKING:
    from luthier.folder.model_folder import ModelFolder


def resume(run: str, *, quiet: bool = False) -> "ModelFolder | SearchResult":
    """Go on with a run or a search that was killed or interrupted, from its last saved step, to the same bytes.

    Raises RunError when the folder holds neither, and PlanError or DataError when what it was made from has changed.
    """
    path = Path(run)
    if SearchFolder(path).is_search:
        return resume_search(path, quiet)
    from luthier.session.runs import resume_run, resume_seeds

    return resume_seeds(path, quiet) or resume_run(path, quiet)
