"""The scripts of benchmarks/ start: what they take from luthier is there."""

import ast
import importlib
import os
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[1] / "benchmarks"
FILES = sorted(HOME.rglob("*.py"))
SCRIPTS = [file for file in FILES if "__main__" in file.read_text(encoding="utf-8")]


@pytest.fixture
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Path, environment and modules, as a script that ran in this process found them. It has to find the others itself."""
    known, environment = set(sys.modules), dict(os.environ)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    os.environ.clear()
    os.environ.update(environment)
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(HOME)):
            del sys.modules[name]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_every_script_starts(
    script: Path, as_it_was: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    code: object = None
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        code = end.code

    assert code in (None, 0)
    assert capsys.readouterr().out.strip(), "it says what it does"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_is_taken_from_luthier_inside_of_functions_is_there_too(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "luthier":
            module = importlib.import_module(str(node.module))
            for name in node.names:
                if not hasattr(module, name.name):
                    importlib.import_module(f"{node.module}.{name.name}")


@pytest.mark.parametrize(
    "script", [file for file in FILES if file.name != "__init__.py"], ids=lambda file: file.name
)
def test_every_script_is_listed_under_its_folder(script: Path) -> None:
    sections = (HOME / "README.md").read_text(encoding="utf-8").split("\n**`")
    (section,) = [section for section in sections if section.startswith(f"{script.parent.name}/`")]

    assert f"| `{script.name}` |" in section
