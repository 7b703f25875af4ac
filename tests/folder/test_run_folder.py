"""A run's folder is believed as it was written: what has changed is told or refused, and only its own files are read."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import luthier as package
from command import luthier
from luthier.errors import InputError
from luthier.folder.model_folder import ModelFolder
from luthier.folder.scorecard import Scorecard
from tiny import messages_csv

Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, bert: Path) -> Path:
    """A finished run, and the data beside it."""
    place = tmp_path_factory.mktemp("finished")
    data = messages_csv(place / "messages.csv", 80)
    ended = luthier("tune", data, "--model", bert, "--method", "probe", "--validation", "held-out", "--out", place / "run",
                    "--set", "run.precision=fp32", "--quiet")  # fmt: skip
    assert ended.code == 0, ended.err
    return place / "run"


@pytest.fixture
def run(tmp_path: Path, finished: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def changed(**more: Any) -> Change:
    """Other values in a JSON record, one level deep."""

    def change(path: Path) -> None:
        record = json.loads(path.read_text())
        for key, value in more.items():
            record[key] = {**record[key], **value} if isinstance(value, dict) else value
        path.write_text(json.dumps(record))

    return change


def flip(path: Path) -> None:
    """Change a bit of the last number."""
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)


def blank(path: Path) -> None:
    """The same JSON, in other bytes."""
    path.write_text(path.read_text() + " ")


def without_seals(run: Path) -> None:
    """A run as luthier left it before there were seals."""
    for name in (
        "scorecard.json",
        "model/luthier.json",
        "state/key.json",
        "state/features.json",
        "state/probe-0.json",
    ):
        record = json.loads((run / name).read_text())
        kept = {
            key: value for key, value in record.items() if key not in ("sha256", "files", "arrays_sha256")
        }
        (run / name).write_text(json.dumps(kept))


# What has changed


CHANGES = {
    "model.safetensors": flip,
    "tokenizer.json": blank,
    "config.json": blank,
    "luthier.json": changed(task={"labels": ["refund", "praise", "delivery", "broken"]}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_predict_from_a_changed_file_names_it_and_goes_on(name: str, run: Path, finished: Path) -> None:
    CHANGES[name](run / "model" / name)

    ended = luthier("predict", run, finished.parent / "messages.csv")

    assert ended.code == 0
    assert ended.err == f"{run / 'model' / name}: has changed since luthier wrote it (its SHA-256 differs).\n"
    assert len(ended.out.splitlines()) == 80


@pytest.mark.parametrize("name", CHANGES)
def test_tuning_onward_from_a_changed_file_names_it_also_to_who_wants_no_progress(
    name: str, run: Path, finished: Path, tmp_path: Path
) -> None:
    CHANGES[name](run / "model" / name)

    ended = luthier("tune", finished.parent / "messages.csv", "--model", run, "--method", "probe", "--out", tmp_path / "onward",
                    "--set", "run.precision=fp32", "--quiet")  # fmt: skip

    assert ended.code == 0
    assert (
        ended.err
        == f"  ! {run / 'model' / name}: has changed since luthier wrote it (its SHA-256 differs).\n"
    )


def test_files_that_came_and_went_are_told_and_the_card_may_be_edited(run: Path) -> None:
    (run / "model" / "README.md").write_text("ours")
    assert ModelFolder(run).doubts == []

    (run / "model" / "added_tokens.json").write_text("{}")
    (run / "model" / "tokenizer_config.json").unlink()

    assert ModelFolder(run).doubts == [
        f"{run}/model/tokenizer_config.json: is gone since luthier wrote this model.",
        f"{run}/model/added_tokens.json: is not among the files that luthier wrote here.",
    ]


@pytest.mark.parametrize("command", ["verdict", "report"])
@pytest.mark.parametrize(
    "value", [{"seed": 1}, {"verdict": {"words": "Ship it."}}, {"test": {"accuracy": {"value": 1.0}}}]
)
def test_a_changed_scorecard_is_refused(command: str, value: dict[str, Any], run: Path) -> None:
    changed(**value)(run / "scorecard.json")
    before = (run / "report.html").read_bytes()

    ended = luthier(command, run)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"{run / 'scorecard.json'}: is not what luthier wrote: ")
    assert (run / "report.html").read_bytes() == before


def test_a_run_from_before_there_were_seals_opens_and_one_line_says_so(run: Path, finished: Path) -> None:
    without_seals(run)

    predicted, judged, shown = (
        luthier("predict", run, finished.parent / "messages.csv"), luthier("verdict", run), luthier("report", run)
    )  # fmt: skip

    assert predicted.code == 0
    assert predicted.err == (
        f"{run}/model/luthier.json: was written before luthier kept the hashes of a model's files: a change cannot be told.\n"
    )
    sealed = "was written before luthier sealed its records, so that a change could not be told: it is believed as it is."
    assert judged.err == shown.err == f"{run / 'scorecard.json'}: {sealed}\n"
    assert (judged.code, shown.code) == (luthier("verdict", finished).code, 0)


def test_an_unfinished_run_from_before_there_were_seals_goes_on_to_the_same_model(
    run: Path, finished: Path
) -> None:
    without_seals(run)
    (run / "report.html").unlink()

    ended = luthier("resume", run, "--quiet")

    assert ended.code == 0
    assert ended.err == (
        f"  ! {run}: began before luthier sealed what it saves: features and weights there are believed as they are.\n"
    )
    weights = "model/model.safetensors"
    assert (run / weights).read_bytes() == (finished / weights).read_bytes()
    assert luthier("resume", run, "--quiet").code == 0


# What is refused


RECORD = "model/luthier.json"
WRONG: list[tuple[str, Change, str]] = [
    (RECORD, changed(hidden=[-1], pooling="mean"), "'hidden.0' is -1"),
    (RECORD, changed(hidden=[10**6], pooling="mean"), "luthier.json asks for"),
    (RECORD, changed(columns=5), "'columns' is 5"),
    (RECORD, changed(calibration={"temperature": 0}), "'temperature' is 0"),
    (RECORD, changed(calibration={"scale": [1.0]}), "'scale' and 'bias' are to be equally long"),
    (RECORD, changed(task={"labels": [["a"], {"b": 1}]}), "'labels.0' is a list"),
    (RECORD, changed(task={"labels": ["a", "a"]}), "the names are to be different"),
    (RECORD, changed(task={"many": "no"}), "'many' is \"no\""),
    (RECORD, changed(task={"name": "levitation"}), "'task.name' is \"levitation\""),
    (RECORD, changed(pooling="evil"), "'pooling' is \"evil\""),
    (RECORD, Path.unlink, "holds no model/luthier.json"),
]


@pytest.mark.parametrize(("name", "change", "told"), WRONG, ids=[told for _, _, told in WRONG])
def test_a_record_of_the_model_that_cannot_be_right_is_refused_with_its_field(
    name: str, change: Change, told: str, run: Path, finished: Path
) -> None:
    change(run / name)

    ended = luthier("predict", run, finished.parent / "messages.csv")

    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert "luthier.json" in ended.err


READS = {
    "model/luthier.json": "predict",
    "model/config.json": "predict",
    "scorecard.json": "verdict",
    "findings.json": "report",
    "predictions/test.jsonl": "report",
    "plan.toml": "report",
    "events.jsonl": "report",
    "state/key.json": "resume",
    "state/features.safetensors": "resume",
    "model": "predict",
    "state": "resume",
}


@pytest.mark.parametrize("name", READS)
def test_what_a_link_leads_to_outside_of_a_run_is_not_read(
    name: str, run: Path, finished: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.move(run / name, tmp_path / "elsewhere" / "it")
    (run / name).symlink_to(tmp_path / "elsewhere" / "it")
    words = [finished.parent / "messages.csv"] if READS[name] == "predict" else []

    ended = luthier(READS[name], run, *words)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"{run / name}: is a link that leaves {run}, to {tmp_path}/elsewhere/it, and is not followed. "
        "Put the file itself in its place.\n"
    )


@pytest.mark.parametrize(
    "name", [name for name in READS if "." in name and not name.startswith(("model/config", "state/f"))]
)
def test_a_pipe_in_the_place_of_a_record_is_refused_at_once(name: str, run: Path, finished: Path) -> None:
    (run / name).unlink()
    os.mkfifo(run / name)
    words = [finished.parent / "messages.csv"] if READS[name] == "predict" else []

    ended = luthier(READS[name], run, *words)

    assert (ended.code, ended.out) == (2, "")
    assert (
        ended.err
        == f"{run / name}: is a pipe, and a file is expected here. Put the file itself in its place.\n"
    )


def test_a_plan_file_that_is_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "plan.toml")

    ended = luthier("tune", "--plan", tmp_path / "plan.toml")

    assert (ended.code, ended.err) == (
        2, f"{tmp_path / 'plan.toml'}: is a pipe, and a file is expected here. Put the file itself in its place.\n"
    )  # fmt: skip


def test_python_reads_a_run_as_the_command_line_does(run: Path) -> None:
    changed(seed=1)(run / "scorecard.json")
    folder = package.load(run)

    with pytest.raises(package.RunError, match="is not what luthier wrote"):
        Scorecard.read(run)
    assert repr(folder) == f"ModelFolder({str(run)!r})"
    assert np.isfinite(folder.logits(["my parcel"])).all()
    (run / "model" / "luthier.json").unlink()
    os.mkfifo(run / "model" / "luthier.json")
    with pytest.raises(InputError, match="is a pipe"):
        package.load(run)


# Where a run may be


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("tune", "messages.csv/run"),
        ("tune", "a" * 300),
        ("predict", "messages.csv/lines.jsonl"),
        ("predict", "model"),
    ],
)
def test_an_out_that_cannot_be_written_is_refused_before_anything_is_opened(
    command: str, out: str, run: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.parent)
    (finished.parent / "model").mkdir(exist_ok=True)
    words = ["nowhere.csv"] if command == "tune" else ["nowhere", "nowhere.csv"]

    ended = luthier(command, *words, "--out", out)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"--out {out[:120]}")
    assert "cannot be written" in ended.err
