"""Orange's tables: names, types and roles in three rows above the data."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.data.read import read
from luthier.data.table import Table

FEW = "".join(
    f"{'cats' if at % 2 else 'dogs'}\tthe story of animal number {at}\t{at}.5\n" for at in range(12)
)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Table]:
    monkeypatch.chdir(tmp_path)

    def table(content: str, name: str = "a.tab") -> Table:
        Path(name).write_text(content)
        return read(name)

    return table


@pytest.mark.parametrize("name", ["a.tab", "a.tsv", "a.tab.gz", "a.csv"])
@pytest.mark.parametrize("types", ["d\tstring\tc", "discrete\tstring\tcontinuous", "cats dogs\ts\tc"])
@pytest.mark.parametrize(
    "roles", ["class\tinclude=True\tmeta", "class\tmeta include=True title=True\t", "c\tinclude=True"]
)
def test_types_and_roles_are_no_rows_and_say_which_column_is_the_label(
    table: Callable[..., Table], tmp_path: Path, name: str, types: str, roles: str
) -> None:
    content = f"Kind\tStory\tScore\n{types}\n{roles}\n{FEW}"
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(content.encode()))
        found = read(tmp_path / name)
    else:
        found = table(content, name)

    assert len(found) == 12
    assert found.names == ["Kind", "Story", "Score"]
    assert found.values("Kind")[:2] == ["dogs", "cats"]
    assert found.place(0).line == 4
    assert found.layout.columns == {"label": "Kind", "text": "Story"}
    assert any("types and roles of columns, as Orange writes them" in guess for guess in found.guesses)


def test_a_table_without_such_rows_keeps_all_its_rows(table: Callable[..., Table]) -> None:
    found = table("Kind\tStory\tScore\n" + FEW)

    assert len(found) == 12
    assert dict(found.layout.columns) == {}
