"""Outside of their homes nobody asks which form, head or task it is, nor of which class: each exception has its reason here."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import luthier
from luthier.forms import FORMS
from luthier.models.heads import HEADS
from luthier.tasks import TASKS

SOURCE = Path(luthier.__file__).parent
NAMES = {*FORMS, *HEADS, *TASKS}
HOMES = {"forms", "tasks", "models/heads"}
"""Where forms, tasks and heads are at home."""
MADE_IN = [["luthier", home] for home in ("tasks", "batches", "models", "forms")]
"""Where the classes are made that nobody else should have to tell apart."""

A_COLUMN = "the name of a column in somebody's file, or a role that a column is looked for by"
A_LAYOUT = (
    "what a tool's form says of itself: data stand below tasks, and a Layout names the task that it is for"
)
A_PAGE = "a page is made of a scorecard, perhaps an old one, without anything that computes"

COMPARED = {
    "cli/examples.py": (1, "a command that is short for a task refuses every other one"),
    "data/annotations/answers.py": (1, A_LAYOUT),
    "data/annotations/argilla.py": (1, A_COLUMN),
    "data/annotations/label_studio.py": (1, A_LAYOUT),
    "data/annotations/listed_examples.py": (1, A_COLUMN),
    "data/annotations/nested.py": (1, A_COLUMN),
    "data/annotations/prodigy.py": (4, A_LAYOUT),
    "data/annotations/spacy.py": (1, A_COLUMN),
    "data/annotations/spans.py": (2, A_LAYOUT),
    "data/annotations/text_lists.py": (1, A_COLUMN),
    "data/annotations/token_lists.py": (3, A_LAYOUT),
    "data/annotations/token_spans.py": (1, A_LAYOUT),
    "data/columns.py": (2, A_COLUMN),
    "data/formats/header.py": (2, "a kind of cell: text, or a number"),
    "data/formats/json_pairs.py": (1, A_COLUMN),
    "data/table.py": (1, A_LAYOUT),
    "models/hub/inspect.py": (
        2,
        "a folder is opened below tasks, and its last layers are a head but for two of them",
    ),
    "report/quality.py": (1, A_PAGE),
    "report/usage.py": (9, A_PAGE),
    "steps/answer.py": (1, "the one role whose column may be several that are read as one"),
}
"""By file, how many comparisons with such a name there are, and why."""

TOLD_APART: dict[str, tuple[int, str]] = {}
"""By file, how many isinstance on such classes there are, and why."""


def trees(homes: set[str]) -> Iterator[tuple[str, ast.Module]]:
    """The files outside of some folders, and what stands in them."""
    for file in sorted(SOURCE.rglob("*.py")):
        name = file.relative_to(SOURCE).as_posix()
        if not any(name.startswith(f"{home}/") for home in homes):
            yield name, ast.parse(file.read_text(encoding="utf-8"))


def constants(tree: ast.Module) -> set[str]:
    """Names that a module gives to such a name of its own: IMAGE = "image"."""
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value in NAMES
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def names_one(node: ast.expr, own: set[str]) -> bool:
    """Whether one side of a comparison is such a name, or a few of them side by side."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(names_one(one, own) for one in node.elts)
    if isinstance(node, ast.Name):
        return node.id in own
    return isinstance(node, ast.Constant) and node.value in NAMES


def comparisons(tree: ast.Module) -> int:
    """How often a module compares something with such a name."""
    own = constants(tree)
    return sum(
        any(names_one(side, own) for side in (node.left, *node.comparators))
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
    )


def classes(tree: ast.Module) -> set[str]:
    """The names that a module has from the folders whose classes nobody should have to tell apart."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[:2] in MADE_IN
        for alias in node.names
    }


def told_apart(tree: ast.Module) -> int:
    """How often a module asks whether something is of such a class."""
    concrete = classes(tree)
    return sum(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "isinstance"
        and any(isinstance(one, ast.Name) and one.id in concrete for one in ast.walk(node.args[1]))
        for node in ast.walk(tree)
    )


def test_outside_of_their_homes_no_name_of_a_form_a_head_or_a_task_is_compared_with() -> None:
    found = Counter({name: comparisons(tree) for name, tree in trees(HOMES)})

    assert +found == Counter({name: count for name, (count, _) in COMPARED.items()})


def test_outside_of_their_homes_no_task_rows_or_model_is_told_apart_by_its_class() -> None:
    found = Counter({name: told_apart(tree) for name, tree in trees({home for _, home in MADE_IN})})

    assert +found == Counter({name: count for name, (count, _) in TOLD_APART.items()})


def test_a_comparison_is_seen_in_each_of_its_spellings() -> None:
    tree = ast.parse(
        'IMAGE = "image"\nreads == "pair"\nreads in ("pair", None)\nreads != IMAGE\nrow["text"] == 3\nname == other'
    )

    assert comparisons(tree) == 3


def test_a_class_is_seen_where_it_comes_from_a_home_and_only_there() -> None:
    of_home = "from luthier.tasks.task import Task\nisinstance(x, Task | int)"
    of_another = "from luthier.plan.method import Task\nisinstance(x, Task)"

    assert [told_apart(ast.parse(text)) for text in (of_home, of_another)] == [1, 0]
