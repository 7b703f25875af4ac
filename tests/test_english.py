"""What is written above code: every file says what it is for, and a docstring is read without the name above it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import luthier

SOURCE = Path(luthier.__file__).parent
ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").exists())


def python_files() -> list[Path]:
    return sorted(
        file for room in (SOURCE, ROOT / "tests", ROOT / "benchmarks") for file in room.rglob("*.py")
    )


def texts_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and the text of each docstring: of modules, classes and functions, and below attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for one in node.body:
                if (
                    isinstance(one, ast.Expr)
                    and isinstance(one.value, ast.Constant)
                    and isinstance(one.value.value, str)
                ):
                    yield one.lineno, one.value.value


def test_every_file_says_what_it_is_for() -> None:
    silent = [
        str(file)
        for file in python_files()
        if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_no_docstring_is_a_fragment_that_only_the_name_above_it_completes() -> None:
    fragments = [
        f"{file}, line {line}: {text}"
        for file in python_files()
        for line, text in texts_of(ast.parse(file.read_text(encoding="utf-8")))
        if text.startswith("Of ")
    ]
    assert fragments == []
