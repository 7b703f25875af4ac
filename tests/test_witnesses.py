"""Runs of older versions of luthier, in `witnesses/`, live on: they answer as they did, are reported, judged, tuned onward."""

import json
import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import luthier as package
from command import luthier
from luthier.plan.plan import Plan, read_plan
from luthier.searching.folder import SearchFolder

HOME = Path(__file__).parent / "witnesses"
VERSIONS = sorted(path.name for path in HOME.iterdir() if (path / "text").is_dir())
RUNS = sorted(str(path.relative_to(HOME)) for path in HOME.glob("*/*") if (path / "plan.toml").is_file())
SEARCHES = [name for name in RUNS if name.endswith("/search")]
ALIKE = 1e-4
"""How far a probability, a number or a coordinate may be from what was written, rounded to six digits."""


def at_threshold(probability: float, thresholds: Sequence[float]) -> bool:
    """Whether a question's answer is as probable as the one at which the threshold was put: how far 'no answer' may lead."""
    if not 0 < probability < 1:  # rounded to six digits
        return False
    lead = math.log1p(-probability) - math.log(probability)
    return any(lead == pytest.approx(one, abs=ALIKE) for one in thresholds)


@pytest.fixture
def witnesses(tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(
        shutil.copytree(HOME, tmp_path / "witnesses", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    )


def rows_of(run: Path) -> Path:
    """The rows that a run learnt from, which lie beside the witnesses."""
    return run.parent.parent / "rows" / Path(str(read_plan(run / "plan.toml")["data.path"])).name


def recorded(run: Path) -> Iterator[dict[str, Any]]:
    """What the run itself wrote of its validation and test rows."""
    for part in ("valid", "test"):
        for line in (run / "predictions" / f"{part}.jsonl").read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def alike(found: Any, known: Any) -> bool:
    """Whether two answers are the same but for how their last digits are rounded."""
    if isinstance(known, dict):
        return found.keys() == known.keys() and all(alike(found[key], known[key]) for key in known)
    if isinstance(known, list):
        return len(found) == len(known) and all(map(alike, found, known))
    return (
        bool(found == pytest.approx(known, abs=ALIKE, rel=ALIKE / 10))
        if isinstance(known, float)
        else bool(found == known)
    )


def test_there_is_a_witness_of_every_task_and_of_a_search() -> None:
    answered = {json.loads((HOME / name / "model" / "luthier.json").read_text())["task"]["name"] for name in RUNS
                if name not in SEARCHES}  # fmt: skip

    assert answered == set(package.tasks.TASKS)
    assert len(SEARCHES) == len(VERSIONS)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_an_older_version_answers_as_it_did(name: str, witnesses: Path) -> None:
    run = witnesses / name
    best = run / "best" if name in SEARCHES else run

    ended = luthier("predict", run, rows_of(run))

    assert ended.code == 0, ended.err
    folder = package.load(run)
    answers, field = [json.loads(line) for line in ended.out.splitlines()], folder.task.answer_key
    for line in recorded(best):
        answer = answers[line["row"]]
        if field == "vector" or line.get("label") == "chosen":
            continue  # no vector is written down; of pairs it is which answer is preferred, and predict writes one
        known = {key: line[key] for key in answer.keys() & line.keys()} | {field: line["prediction"]}
        if field == "answer" and at_threshold(
            line["probability"], folder.model_record.calibration.thresholds
        ):  # which machine computes decides the last digit, and that whether the question is answered
            silent = {"answer": "", "start": None, "end": None, "probability": 1 - line["probability"]}
            assert alike(answer, known) or alike(answer, known | silent), (answer, line)
            continue
        assert alike(answer, known), (answer, line)


@pytest.mark.parametrize("name", [name for name in RUNS if name.endswith("/vectors")])
def test_vectors_of_an_older_version_are_as_near_to_each_other_as_they_were(
    name: str, witnesses: Path
) -> None:
    folder = package.load(witnesses / name)

    for line in recorded(witnesses / name):
        one, other = (np.array(row["vector"]) for row in folder.predict(line["text"].split(" | ")))
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert cosine == pytest.approx(line["similarity"], abs=ALIKE)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_an_older_version_is_judged_and_reported(name: str, witnesses: Path) -> None:
    run = witnesses / name
    ship = json.loads(
        (run / "best" / "scorecard.json" if name in SEARCHES else run / "scorecard.json").read_text()
    )
    (run / "report.html").unlink(missing_ok=True)

    judged, shown = luthier("verdict", run), luthier("report", run)

    assert (judged.code, shown.code) == (0 if ship["verdict"]["ship"] else 3, 0), shown.err
    assert ship["verdict"]["words"] in judged.out
    assert (run / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("name", RUNS)
def test_the_plan_of_an_older_run_is_a_plan_of_today(name: str, witnesses: Path) -> None:
    run = witnesses / name
    if name in SEARCHES:
        assert SearchFolder(run).plans()[0].train.method == "full"
        assert [one["state"] for one in SearchFolder(run).record().to_json()["trials"]] == ["complete"] * 2
    else:
        assert Plan.build(read_plan(run / "plan.toml")).run.seed == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_of_an_older_version_is_tuned_onward(version: str, witnesses: Path, tmp_path: Path) -> None:
    run = witnesses / version / "text"

    ended = luthier(
        "tune", rows_of(run), "--model", run, "--method", "full", "--epochs", 1, "--lr", 1e-3, "--out", tmp_path / "onward",
        "--set", "run.precision=fp32", "--quiet",
    )  # fmt: skip

    assert ended.code == 0, ended.err
    assert package.load(tmp_path / "onward").task == package.load(run).task


# What is refused


FILES = {
    "text/model/luthier.json": "predict",
    "text/scorecard.json": "verdict",
    "text/table.json": "report",
    "text/split.json": "report",
    "search/search.json": "report",
    "text/plan.toml": "tune",
}


@pytest.mark.parametrize("name", FILES)
def test_a_record_of_a_newer_luthier_is_refused_by_its_version(name: str, witnesses: Path) -> None:
    path = witnesses / VERSIONS[-1] / name
    text = path.read_text(encoding="utf-8")
    path.write_text(
        f"version = 99\n{text}" if name.endswith("toml") else json.dumps({**json.loads(text), "version": 99})
    )
    run = path.parent.parent if path.parent.name == "model" else path.parent
    words: dict[str, list[object]] = {
        "predict": [run, witnesses / "rows" / "text.csv"],
        "tune": ["--plan", path],
    }

    ended = luthier(FILES[name], *words.get(FILES[name], [run]))

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"{path}: is of version 99, and this luthier reads versions up to ")
    assert "Open it with a newer luthier." in ended.err


DAMAGED: list[tuple[str, str, object, str]] = [
    ("text/model/luthier.json", "columns", 5, "'columns' is 5, and should be a valid dictionary."),
    ("text/scorecard.json", "seed", "0", "'seed' is \"0\", and should be a valid integer."),
    ("text/table.json", "rows", "many", "'rows' is \"many\", and should be a valid number."),
    ("text/split.json", "warnings", 1, "'warnings' is 1, and should be a valid list."),
    ("search/search.json", "trials", {}, "'trials' is an object, and should be a valid list."),
    ("search/state/key.json", "where", None, "'where' is null, and should be a valid list."),
]


@pytest.mark.parametrize(("name", "key", "value", "told"), DAMAGED, ids=[one[0] for one in DAMAGED])
def test_an_older_record_that_is_damaged_is_told_by_the_field_that_is_wrong(
    name: str, key: str, value: object, told: str, witnesses: Path
) -> None:
    path = witnesses / VERSIONS[-1] / name
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), key: value}))

    command, run = ("resume", path.parent.parent) if "state" in name else (FILES[name], path.parent)
    words = [path.parent.parent, rows_of(path.parent.parent)] if command == "predict" else [run]
    ended = luthier(command, *words)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"{path}: {told}")
