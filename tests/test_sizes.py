"""No function takes more than can be held in mind, no class holds more."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import luthier

SOURCE = Path(luthier.__file__).parent
MOST_PARAMETERS = 8
MOST_FIELDS = 12

RECORD = "a record of a file: its fields are the file's keys"
SECTION = "a section of the plan: each field is a setting"
WIDE_CLASSES = {
    "folder.distillation_records.Distillation": RECORD,
    "folder.model_record.SavedModelRecord": RECORD,
    "folder.run_records.EventRecord": RECORD,
    "folder.scorecard_records.ScorecardRecord": RECORD,
    "report.search_records.SearchRecord": RECORD,
    "plan.sections.DataPlan": SECTION,
    "plan.sections.TrainPlan": SECTION,
}
"""The classes with more fields, and why."""


@dataclass(frozen=True)
class Class:
    """A class of the source as it is written: its own fields, and the names of its bases."""

    bases: tuple[str, ...]
    fields: frozenset[str]


def names_and_nodes(tree: ast.AST, within: str) -> Iterator[tuple[str, ast.AST]]:
    """Each function and class of a file, at any depth, by its dotted name."""
    for node in ast.iter_child_nodes(tree):
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        name = f"{within}.{node.name}" if named else within  # type: ignore[attr-defined]
        if named:
            yield name, node
        yield from names_and_nodes(node, name)


def all_nodes() -> Iterator[tuple[str, ast.AST]]:
    for file in sorted(SOURCE.rglob("*.py")):
        inside = ".".join(file.relative_to(SOURCE).with_suffix("").parts)
        yield from names_and_nodes(ast.parse(file.read_text(encoding="utf-8")), inside)


def parameters_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many parameters a function has, beside `self` and `cls`; `*args` counts as one, and so does `**kwargs`."""
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    bound = bool(plain) and plain[0].arg in ("self", "cls")
    return len(plain) - bound + len(given.kwonlyargs) + (given.vararg is not None) + (given.kwarg is not None)


def functions_of_source() -> dict[str, int]:
    """How many parameters each function of the source takes."""
    return {
        name: parameters_of(node)
        for name, node in all_nodes()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def fields_of(made: ast.ClassDef) -> frozenset[str]:
    """The fields of a dataclass or a pydantic model; of any other class the attributes that its `__init__` sets. A constant of
    the class (`ClassVar`) is none."""
    own = {
        line.target.id
        for line in made.body
        if isinstance(line, ast.AnnAssign)
        and isinstance(line.target, ast.Name)
        and "ClassVar" not in ast.unparse(line.annotation)
    }
    begun = [
        node
        for line in made.body
        if isinstance(line, ast.FunctionDef) and line.name == "__init__"
        for node in ast.walk(line)
    ]
    own |= {
        node.attr
        for node in begun
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    return frozenset(own)


def classes_of_source() -> dict[str, Class]:
    return {
        name: Class(tuple(ast.unparse(base).split("[")[0] for base in node.bases), fields_of(node))
        for name, node in all_nodes()
        if isinstance(node, ast.ClassDef)
    }


def with_inherited(made: Class, by_last_name: dict[str, Class]) -> frozenset[str]:
    """The fields of a class and of those of our own that it inherits from."""
    found = made.fields
    for base in made.bases:
        if base.split(".")[-1] in by_last_name:
            found |= with_inherited(by_last_name[base.split(".")[-1]], by_last_name)
    return found


def fields_of_source() -> dict[str, frozenset[str]]:
    """The fields of each class of the source, inherited ones among them."""
    classes = classes_of_source()
    by_last_name = {name.split(".")[-1]: made for name, made in classes.items()}
    return {name: with_inherited(made, by_last_name) for name, made in classes.items()}


def test_no_function_takes_more_than_8_parameters() -> None:
    wide = {name: count for name, count in functions_of_source().items() if count > MOST_PARAMETERS}

    assert wide == {}


def test_no_class_has_more_than_12_fields() -> None:
    wide = {name: sorted(fields) for name, fields in fields_of_source().items() if len(fields) > MOST_FIELDS}

    assert wide.keys() == WIDE_CLASSES.keys(), wide


def test_each_exception_is_what_its_reason_says() -> None:
    bases = {RECORD: {("Record",), ("VersionedRecord",)}, SECTION: {("Section",)}}
    classes = classes_of_source()

    assert all(classes[name].bases in bases[reason] for name, reason in WIDE_CLASSES.items())


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("class A:\n    a: int\n    b: str = ''\n    C: ClassVar[int] = 1\n    D = 2", {"a", "b"}),
        (
            "class A:\n    def __init__(self, a):\n        self.a, self.b = a, 0\n        self.c: int = 1",
            {"a", "b", "c"},
        ),
        ("class A:\n    def __init__(self, a):\n        a.b = 1\n        self.c.d = 2", set()),
        ("class A:\n    a: int\n    def later(self):\n        self.b = 1", {"a"}),
    ],
)
def test_fields_are_counted_as_they_are_written(source: str, fields: set[str]) -> None:
    (made,) = ast.parse(source).body
    assert isinstance(made, ast.ClassDef)

    assert fields_of(made) == fields


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("def f(a, /, b, *c, d=1, **e): ...", 5),
        ("def f(self, a): ...", 1),
        ("def f(cls): ...", 0),
        ("async def f(a, *, b, c): ...", 3),
    ],
)
def test_parameters_are_counted_without_self(source: str, count: int) -> None:
    (made,) = ast.parse(source).body
    assert isinstance(made, ast.FunctionDef | ast.AsyncFunctionDef)

    assert parameters_of(made) == count
