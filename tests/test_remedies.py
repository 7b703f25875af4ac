"""What a message offers works: every flag that is named anywhere exists, and each remedy of a question is tried."""

import ast
import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import luthier as package
from command import luthier
from luthier import cli
from luthier.plan.plan import fields, flag
from luthier.plan.search import SearchPlan
from tiny import messages

SOURCE = Path(package.__file__).parent
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
OF_OTHERS = {"--force-reinstall", "--merge", "--no-deps", "--upgrade"}
"""Flags of pip and of llama.cpp, where a message names their commands."""
NO_MESSAGES = {"searching/worker.py", "searching/workers.py", "report/drawing.py"}
"""Files with flags of a process of our own, or with variables of CSS, which look alike."""


def known_flags() -> set[str]:
    """Every flag of every command."""
    found = {flag(key) for key in fields()} | {
        f"--{name.replace('_', '-')}" for name in SearchPlan.model_fields
    }
    for path in (SOURCE / "cli").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= {one for text in strings(tree) for one in FLAG.findall(text) if text.startswith("--")}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                found |= {f"--{argument.arg}" for argument in node.args.kwonlyargs}
    return found | {"--help", "--version"}


def strings(tree: ast.AST) -> Iterator[str]:
    return (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def test_every_flag_that_is_named_exists() -> None:
    known = known_flags() | OF_OTHERS
    strange = {
        f"{path.relative_to(SOURCE)}: {one}"
        for path in SOURCE.rglob("*.py")
        if str(path.relative_to(SOURCE)) not in NO_MESSAGES
        for text in strings(ast.parse(path.read_text(encoding="utf-8")))
        for one in FLAG.findall(text)
        if one not in known
    }

    assert cli.app.name == ("luthier",)
    assert strange == set()


TEXTS = messages(80)


def table(tmp_path: Path, columns: dict[str, Callable[[int], object]], name: str = "rows.csv") -> Path:
    """A CSV file of texts with labels and other columns, each made of the row's number."""
    path = tmp_path / name
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([make(at) for make in columns.values()] for at in range(len(TEXTS)))
    return path


def text(at: int) -> str:
    return TEXTS[at][0]


def label(at: int) -> str:
    return TEXTS[at][1]


ASKED = {
    "which of two labels": (
        {"remark": text, "shop": label, "mood": lambda at: "abc"[at % 3]}, "--label COLUMN", ["--label", "mood"]),
    "labels or amounts": (
        {"text": text, "label": lambda at: at % 26},
        "--task text-classification",
        ["--task", "text-classification", "--allow", "left-out"],
    ),
    "amounts or labels": ({"text": text, "label": lambda at: at % 26}, "--task regression", ["--task", "regression"]),
    "a comma": ({"text": text, "price": lambda at: f"{at % 9 + 1},{100 + at}"}, "--decimal point", ["--decimal", "point"]),
    "another comma": ({"text": text, "price": lambda at: f"{at % 9 + 1},{100 + at}"}, "--decimal comma", ["--decimal", "comma"]),
    "rows left out": (
        {"text": text, "label": lambda at: label(at) if at % 4 else ""}, "--allow left-out", ["--allow", "left-out"]),
    "a column that is not there": (
        {"text": text, "mood": label}, "--label COLUMN", ["--label", "mood"]),
    "what parts the rows": (
        {"text": text, "label": label, "part": lambda at: "abc"[at % 3]}, "--split-column none", ["--split-column", "none"]),
}  # fmt: skip
WRONG = {
    "a column that is not there": ["--label", "moods"],
    "what parts the rows": ["--split-column", "part"],
}
"""What is asked for at first, where a question comes of that."""


@pytest.mark.parametrize("question", ASKED)
def test_the_remedy_that_a_question_names_answers_it(question: str, tmp_path: Path) -> None:
    columns, remedy, options = ASKED[question]
    path = table(tmp_path, columns)

    asked = luthier("check", path, "--model", "none", "--json", *WRONG.get(question, []))
    answered = luthier("check", path, "--model", "none", "--json", *options)

    said = asked.err + asked.out
    assert asked.code == 2
    assert remedy in said or remedy.replace("--allow ", "") in said
    assert answered.code == 0, answered.err
    assert json.loads(answered.out.splitlines()[-1])["stops"] is False
