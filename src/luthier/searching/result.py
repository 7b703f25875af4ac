"""The result of a finished search, for callers from Python."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.searching.folder import SearchFolder

if TYPE_CHECKING:
    from luthier.folder.model_folder import ModelFolder


class SearchResult:
    """A finished search: the content of search.json, and the winner's run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told = SearchFolder(path).record()
        self.record: dict[str, Any] = self.told.to_json()

    @property
    def trials(self) -> list[dict[str, Any]]:
        """The trials, as search.json holds them."""
        found: list[dict[str, Any]] = self.record["trials"]
        return found

    @property
    def best(self) -> "ModelFolder":
        """The winner's run, complete with scorecard."""
        from luthier.folder.model_folder import ModelFolder

        return ModelFolder(SearchFolder(self.path).best)

    def __repr__(self) -> str:
        best, trials = self.told.best, len(self.told.trials)
        assert best is not None, "the search is finished"
        return f"SearchResult({trials} trials, {best.number} named: {self.told.metric} {best.score:.4f}, {self.path})"

    def to_json(self) -> dict[str, Any]:
        return {"search": str(self.path), **self.record}
