"""CONTRIBUTING.md names what is there: files, tests, and the tables in which a new part is a row."""

import re
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[1]
GUIDE = (HOME / "CONTRIBUTING.md").read_text(encoding="utf-8")
QUOTED = set(re.findall(r"`([^`\n]+)`", GUIDE))
FILES = sorted(name for name in QUOTED if re.fullmatch(r"[\w/]+\.(py|toml|md|txt)|[\w/]+/", name))
ROW_IN = re.findall(r"`([A-Z_]{4,})`[^`]{0,12}\(`([\w/]+\.py)`", GUIDE)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_named_is_there(name: str) -> None:
    assert any((home / name).exists() for home in (HOME, HOME / "src/luthier"))


@pytest.mark.parametrize("name", sorted(name for name in QUOTED if name.startswith("test_")))
def test_a_test_that_is_named_is_there(name: str) -> None:
    assert any(f"def {name}(" in file.read_text(encoding="utf-8") for file in (HOME / "tests").rglob("*.py"))


@pytest.mark.parametrize(("table", "file"), ROW_IN)
def test_a_table_stands_where_the_guide_says(table: str, file: str) -> None:
    (found,) = [home / file for home in (HOME, HOME / "src/luthier") if (home / file).is_file()]

    assert re.search(rf"(?m)^{table}\b", found.read_text(encoding="utf-8"))
