"""The files that a row passes on its way to a gradient, as docs/design.md lists them: a marked row is followed."""

import csv
import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow as pa
import pytest

import luthier
from luthier.plan.plan import Plan
from luthier.prepare.prepare import prepare
from luthier.steps.tune import tune
from tiny import TINY, messages

SOURCE = Path(luthier.__file__).parent
DESIGN = SOURCE.parent.parent / "docs" / "design.md"
MARK = "xyzzyplugh"
MOST = 20
"""Files that a row may pass."""


def listed(after: str) -> list[str]:
    """The files that the page names between a mark and the next empty line that follows them."""
    text = DESIGN.read_text(encoding="utf-8").split(f"<!-- {after} -->\n", 1)[1]
    return re.findall(r"`([\w/]+\.py)`", text.split("\n\n", 1)[0])


def holds(value: Any, depth: int = 0) -> bool:
    """Whether a value is the marked row's text, or holds it."""
    if isinstance(value, str):
        return MARK in value
    if isinstance(value, bytes):
        return MARK.encode() in value
    if isinstance(value, list | tuple):
        return depth < 2 and any(holds(one, depth + 1) for one in value[:200])
    if isinstance(value, pa.Array | pa.ChunkedArray) and pa.types.is_string(value.type):
        return any(MARK in (text or "") for text in value.to_pylist())
    return False


def plan_for(path: Path) -> Plan:
    """A run over 80 messages, one of which is marked."""
    with open(path / "rows.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows(
            (f"{MARK} {text}" if at == 17 else text, label) for at, (text, label) in enumerate(messages(80))
        )
    settings = {"data.path": str(path / "rows.csv"), "model.name": str(TINY["bert"](path / "bert")), "train.epochs": 1,
                "train.method": "full", "run.out": str(path / "run"), "run.precision": "fp32", "run.threads": 1}  # fmt: skip
    return Plan.build(settings)


def files_of(frames: set[str]) -> set[str]:
    return {Path(name).relative_to(SOURCE).as_posix() for name in frames if Path(name).is_relative_to(SOURCE)}


def test_they_are_few_and_there() -> None:
    passes, looks = listed("passes"), listed("looks")

    assert 0 < len(passes) <= MOST
    assert all((SOURCE / name).is_file() for name in [*passes, *looks])


def test_no_other_file_holds_the_text_of_a_row(tmp_path: Path) -> None:
    plan, met = plan_for(tmp_path), set[str]()

    def look(frame: FrameType, event: str, result: Any) -> None:
        ours = event == "return" and frame.f_code.co_filename.startswith(str(SOURCE))
        if ours and any(holds(value) for value in [*frame.f_locals.values(), result]):
            met.add(frame.f_code.co_filename)

    sys.setprofile(look)
    try:
        prepare(plan)
    finally:
        sys.setprofile(None)

    found = {name for name in files_of(met) if not name.startswith("checks/")}
    assert found <= {*listed("passes"), *listed("looks")}
    assert {"data/formats/csv_rows.py", "forms/text_form.py"} <= found


@pytest.mark.slow
def test_from_the_tokens_on_the_loop_goes_through_the_files_that_are_left(tmp_path: Path) -> None:
    """Every file after the reader's that is on the list has a function that is called in training."""
    plan, met = plan_for(tmp_path), set[str]()

    def look(frame: FrameType, event: str, result: Any) -> None:
        met.add(frame.f_code.co_filename)

    sys.setprofile(look)
    try:
        for _ in tune(plan):
            pass
    finally:
        sys.setprofile(None)

    assert set(listed("passes")) <= files_of(met)
