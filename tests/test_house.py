"""The floors, the public face, the speed of the door."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import luthier
from luthier.models.telemetry import SILENT

SOURCE = Path(luthier.__file__).parent

FLOORS = [
    {"terminal"},
    {"arrays", "errors", "events", "seeds", "interrupts", "machine"},
    {"files"},
    {"hashes", "records"},
    {"precision", "scores"},
    {"plan", "batches", "devices", "progress"},
    {"data", "models"},
    {"forms", "predict"},
    {"checks"},
    {"tasks"},
    {"train", "folder"},
    {"comparing", "report", "export"},
    {"prepare"},
    {"candidates", "doctor"},
    {"forecast"},
    {"steps"},
    {"searching"},
    {"session"},
    {"__init__", "cli"},
]
"""From the ground up, as docs/design.md draws them. A room is a file or a folder of the package."""

FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def rooms_imported(file: Path) -> set[str]:
    """The rooms of luthier that a file imports from, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "luthier":
            inside = node.module.split(".")[1:]
            found |= {inside[0]} if inside else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("luthier.")}
    return found & FLOOR_OF.keys()


def room_of(file: Path) -> str:
    inside = file.relative_to(SOURCE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def python_files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def test_every_room_has_a_floor() -> None:
    assert {room_of(file) for file in python_files()} == FLOOR_OF.keys()


def test_no_file_imports_from_a_floor_above_its_own_or_from_a_neighbour() -> None:
    wrong = [
        f"{file.relative_to(SOURCE)} imports {other}"
        for file in python_files()
        for other in rooms_imported(file)
        if other != room_of(file) and FLOOR_OF[other] >= FLOOR_OF[room_of(file)]
    ]
    assert wrong == []


def test_the_public_names_are_these_and_all_can_be_had() -> None:
    assert luthier.__all__ == [
        "DataError", "InputError", "Interrupted", "LuthierError", "ModelError", "ModelFolder", "Plan", "PlanError",
        "Predictions", "RunError", "WorldError", "check", "compare", "judge", "load", "search", "tune",
    ]  # fmt: skip
    assert all(getattr(luthier, name) is not None for name in luthier.__all__)


def test_nothing_unpickles_and_no_code_of_a_model_is_run() -> None:
    forbidden = ("pickle", "torch.load(", "np.load(", "trust_remote_code=True", "joblib")
    found = [
        f"{file.relative_to(SOURCE)}: {word}"
        for file in python_files()
        for word in forbidden
        if f"import {word}" in (text := file.read_text(encoding="utf-8"))
        or (word.endswith(("(", "True")) and word in text)
    ]
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "begun",
    [
        "import luthier; luthier.load",
        "from luthier import tune",
        "from luthier import cli; sys.argv = ['luthier', 'tune', 'missing.csv']; print(run(cli.main))",
        "from luthier.searching import worker; sys.argv = ['worker']; print(run(worker.main))",
    ],
)
def test_telemetry_is_off_whichever_way_one_comes_in(begun: str) -> None:
    program = (
        "import sys, os, contextlib\n"
        "def run(main):\n    with contextlib.suppress(SystemExit): main()\n"
        f"{begun}\n"
        "from huggingface_hub import constants\n"
        "print(constants.HF_HUB_DISABLE_TELEMETRY)"
    )
    clean = {name: value for name, value in os.environ.items() if name not in SILENT}

    ended = subprocess.run(
        [sys.executable, "-c", program], env=clean, capture_output=True, text=True, check=True
    )

    assert ended.stdout.splitlines()[-1] == "True"


def test_importing_luthier_changes_no_variable_of_the_process() -> None:
    program = "import os; before = dict(os.environ); import luthier; assert dict(os.environ) == before"

    subprocess.run([sys.executable, "-c", program], check=True)


# What docs/design.md says

DESIGN = SOURCE.parent.parent / "docs" / "design.md"


def test_the_floors_are_drawn_as_they_are() -> None:
    """Each line of the drawing: the number of a floor, and the rooms on it, apart by two blanks or more."""
    text = DESIGN.read_text(encoding="utf-8")
    drawn = text.split("## The floors: imports go down only", 1)[1].split("```")[1]
    lines = [line.split() for line in drawn.splitlines() if line.strip()]

    assert [int(number) for number, *_ in lines] == list(range(len(FLOORS), 0, -1))
    for (_, *words), rooms in zip(lines, reversed(FLOORS), strict=True):
        assert rooms == set(words[: len(rooms)])


READS_PLANS = {
    "__init__",
    "plan",
    "prepare",
    "candidates",
    "forecast",
    "doctor",
    "steps",
    "searching",
    "session",
    "cli",
}
OPENS_WEIGHTS = {"models/hub", "models/heads", "train", "folder", "export"}
"""`export` opens what it wrote, to compare it."""


def test_only_these_rooms_read_a_plan() -> None:
    plan = ("luthier.plan.plan import", "luthier.plan.sections import")
    found = {
        room_of(file)
        for file in python_files()
        if any(name in file.read_text(encoding="utf-8") for name in plan)
    }

    assert found <= READS_PLANS


def test_only_these_rooms_open_weights() -> None:
    opens = ("load_file(", "safe_open(", ".from_pretrained(")
    found = {
        "/".join(file.relative_to(SOURCE).parts[: 2 if room_of(file) == "models" else 1])
        for file in python_files()
        if any(word in file.read_text(encoding="utf-8") for word in opens) and file.name != "lora.py"
    }

    assert found <= OPENS_WEIGHTS | {"models/readers", "report"}, "tokenizers; a card shows how"


def test_every_file_can_be_imported_first() -> None:
    """In a process of its own each would take minutes: the files of one room are enough to see a circle through its door."""
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    for known in [one for one in sys.modules if one.split('.')[0] == 'luthier']: del sys.modules[known]\n"
        "    importlib.import_module(name)\n"
    )
    names = [
        "luthier." + ".".join(file.relative_to(SOURCE).with_suffix("").parts)
        for file in python_files()
        if room_of(file) in ("data", "plan", "scores", "records")
    ]

    subprocess.run([sys.executable, "-c", program, *names], check=True)
