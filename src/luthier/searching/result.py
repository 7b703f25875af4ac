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
        self.record = SearchFolder(path).record()

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
        best, metric = self.record["best"], self.record["metric"]
        return f"SearchResult({len(self.trials)} trials, {best['number']} named: {metric} {best['score']:.4f}, {self.path})"

    def to_json(self) -> dict[str, Any]:
        return {"search": str(self.path), **self.record}
