"""A run killed by SIGKILL, wherever that is, ends after `luthier resume` in the same bytes as one never killed."""

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from command import luthier
from kills import at_call, at_step, die, kill_in, outcome, run
from luthier import files
from luthier.candidates import features, plain_probe
from luthier.candidates.tuned import prefixes, tuned
from luthier.errors import Interrupted, RunError, WorldError
from luthier.events import Event, Noted, Started, Stepped, WentBack
from luthier.folder import artefacts, run_folder
from luthier.models.kernels.dropout import DICE
from luthier.plan.plan import Plan, read_plan
from luthier.progress import Progress
from luthier.session.runs import plan_of, run_plan
from luthier.steps import finish, tune
from luthier.tasks.classification.task import Classification
from luthier.train import checkpoints, loop
from luthier.train.checkpoints import Checkpoints
from luthier.train.state import State
from luthier.train.weights import Weights
from tiny import cpu, make_settings, messages, messages_csv, opened, whole

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="a child is forked to be killed"),
]

WEIGHTS = "model/0_Transformer/model.safetensors"
STEPS_OF_AN_EPOCH = 7
"""Number of steps of an epoch: 50 of the 80 rows here train, 8 a step."""
SETTINGS: dict[str, Any] = {
    "lr": 3e-3, "epochs": 3, "batch_rows": 8, "validations": 1, "precision": "fp32", "threads": 1,
    "micro_tokens": 100, "save_every": "0.001s",
}  # fmt: skip
"""Several micro-batches a step, a state saved after every step."""
METHODS: dict[str, dict[str, Any]] = {
    "full": {"method": "full"},
    "auto": {"method": "auto", "precision": "bf16", "schedule": "cosine", "label_smoothing": 0.1},
    "top": {"method": "top:1", "balance": "rows"},
    "thaw": {"method": "thaw", "epochs": 4, "patience": 100},
    "averaged": {"method": "full", "ema": 0.9, "l2_sp": 0.1},
    "found": {"method": "full", "lr": "find"},
    "lora": {"method": "lora:2"},
    "probe": {
        "method": "probe",
        "validation": "held-out",
        **dict.fromkeys(set(SETTINGS) - {"precision", "threads"}),
    },
}


def plan_for(name: str, folder: Path, out: Path, **changed: Any) -> Plan:
    """The plan of a method, on the data and the model in `folder`."""
    settings = SETTINGS | METHODS[name] | changed
    places = {"data.path": str(folder / "messages.csv"), "model.name": str(folder / "model"), "run.out": str(out),
              "run.cache": str(out.parent / "cache")}  # fmt: skip
    return Plan.build(places | {key: value for key, value in settings.items() if value is not None})


def events_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "events.jsonl").read_bytes().splitlines()]


def notes(out: Path, warnings: bool = False) -> list[str]:
    return [
        event["text"]
        for event in events_of(out)
        if event["event"] == "noted" and event["warning"] is warnings
    ]


def saved_steps(out: Path) -> list[int]:
    return Checkpoints(out / "state" / "training", lambda: 0.0).steps()


# How a run is killed


def at_batch(number: int) -> Callable[[], None]:
    """The pass that gives features dies after so many batches."""

    def arm() -> None:
        real, batches = vars(features)["features_of"], iter(range(1, 10**9))

        def deadly(*args: Any, **named: Any) -> Iterator[Any]:
            for found in real(*args, **named):
                if next(batches) > number:
                    die()
                yield found

        vars(features)["features_of"] = deadly

    return arm


def in_a_second_micro_batch() -> None:
    """Step 9 dies with a part of its gradient gathered."""
    loss, begin, seen = Classification.loss, Weights.begin, {"steps": 0, "parts": 0}

    def deadly(self: Any, model: Any, batch: Any) -> Any:
        if (seen["steps"], seen["parts"]) == (9, 1):
            die()
        seen["parts"] += 1
        return loss(self, model, batch)

    def counted(self: Any) -> None:
        seen["steps"], seen["parts"] = seen["steps"] + 1, 0
        begin(self)

    Classification.loss, Weights.begin = deadly, counted  # type: ignore[method-assign]


PLACES: dict[str, tuple[str, Callable[[], None]]] = {
    "before the key of the folder is written": ("full", at_call(run_folder, "write_sealed", 1)),
    "before the plan is written": ("full", at_call(tune, "write_records", 1)),
    "in the features": ("full", at_batch(3)),
    "between the features and their record": ("full", at_call(artefacts, "write_json", 1)),
    "in the probe": ("full", at_call(plain_probe, "fit_probe", 1)),
    "while the probe's model is written": ("full", at_call(tuned, "settings_of", 1)),
    "while frozen layers are recorded": ("top", at_call(prefixes, "record", 2)),
    "in the first saved state": ("full", at_call(checkpoints, "save_file", 1, after=True)),
    "in the second micro-batch of a step": ("full", in_a_second_micro_batch),
    "between the files of a state": ("full", at_call(checkpoints, "save_file", 5, after=True)),
    "between the best weights and their numbers": ("full", at_call(checkpoints, "sealed", 9)),
    "while an old state is dropped": ("full", at_call(shutil, "rmtree", 3)),
    "in the second validation": ("full", at_call(tuned, "validated", 2)),
    "at the boundary of an epoch that thaws a block": ("thaw", at_call(loop, "epoch_order", 3)),
    "at the end of training": ("full", at_call(Checkpoints, "forget", 1)),
    "between the tuned weights and their record": ("full", at_call(artefacts, "write_json", 3)),
    "between the tuned model's answers and their record": ("full", at_call(artefacts, "write_json", 4)),
    "once training is over": ("full", at_call(tuned, "scored", 1)),
    "after the rate was found": ("found", at_call(tune, "decide", 1)),
    "after adapters were merged": ("lora", at_call(tune, "decide", 1)),
    "while it is scored": ("full", at_call(finish, "make_scorecard", 1)),
    "before the report": ("auto", at_call(finish, "write_report", 1)),
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, sentence_bert: Path) -> Path:
    """A folder with the data and the model."""
    folder = tmp_path_factory.mktemp("home")
    messages_csv(folder / "messages.csv", 80)
    shutil.copytree(sentence_bert, folder / "model")
    return folder


@pytest.fixture(scope="module")
def undisturbed(home: Path) -> Callable[[str], dict[str, Any]]:
    """The outcome of a method's run that was never killed."""
    found: dict[str, dict[str, Any]] = {}

    def outcome_of(name: str) -> dict[str, Any]:
        if name not in found:
            out = home / "undisturbed" / name
            run(plan_for(name, home, out))
            found[name] = outcome(out)
        return found[name]

    return outcome_of


def go_on(plan: Plan) -> None:
    """`luthier resume`, or where it has no plan yet, as it says, the command of the run again."""
    out = Path(str(plan.run.out))
    if (out / "plan.toml").is_file():
        ended = luthier("resume", out, "--quiet")
        assert ended.code == 0, ended.err
    else:
        run(plan)


# Killed


@pytest.mark.parametrize("place", PLACES)
def test_a_run_killed_anywhere_ends_with_the_same_bytes_as_one_never_killed(
    place: str, tmp_path: Path, home: Path, undisturbed: Callable[[str], dict[str, Any]]
) -> None:
    name, arm = PLACES[place]
    plan = plan_for(name, home, tmp_path / "run")

    kill_in(plan, arm)
    go_on(plan)

    assert outcome(tmp_path / "run") == undisturbed(name)
    assert not list(tmp_path.glob("run/**/.*")), "nothing half written is left"
    steps = [event["step"] for event in events_of(tmp_path / "run") if event["event"] == "stepped"]
    assert steps == list(range(1, len(steps) + 1)), "each step is told once"


@pytest.mark.parametrize("name", [name for name in METHODS if name != "probe"])
def test_a_run_killed_at_step_9_and_again_at_step_16_ends_with_the_same_bytes(
    name: str, tmp_path: Path, home: Path, undisturbed: Callable[[str], dict[str, Any]]
) -> None:
    plan = plan_for(name, home, tmp_path / "run")

    kill_in(plan, look=at_step(9))
    kill_in(plan_of(tmp_path / "run"), look=at_step(16))
    go_on(plan)

    assert "Going on from step 15, which was saved." in notes(tmp_path / "run")
    assert outcome(tmp_path / "run") == undisturbed(name)


@pytest.mark.parametrize("name", ["full", "averaged", "lora"])
def test_where_the_best_weights_lie_on_disk_a_killed_run_ends_with_the_same_bytes(
    name: str,
    tmp_path: Path,
    home: Path,
    undisturbed: Callable[[str], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = undisturbed(name)
    monkeypatch.setattr(checkpoints, "LARGE", 1)
    plan = plan_for(name, home, tmp_path / "run")

    kill_in(plan, look=at_step(9))
    assert (tmp_path / "run" / "state" / "training" / "best.safetensors").is_file()
    go_on(plan)

    assert outcome(tmp_path / "run") == expected


def test_what_a_tuned_model_answered_before_a_kill_is_not_computed_again(
    tmp_path: Path, home: Path, undisturbed: Callable[[str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for("full", home, tmp_path / "run")
    kill_in(plan, at_call(finish, "make_scorecard", 1))

    monkeypatch.setattr(tuned, "scored", lambda *args: pytest.fail("these rows were scored before"))
    run(plan_of(tmp_path / "run"))

    assert outcome(tmp_path / "run") == undisturbed("full")
    assert not (tmp_path / "run" / "state" / "scored.json").exists(), "a finished run has no use for it"


def test_a_probe_killed_twice_ends_with_the_same_bytes(
    tmp_path: Path, home: Path, undisturbed: Callable[[str], dict[str, Any]]
) -> None:
    plan = plan_for("probe", home, tmp_path / "run")

    kill_in(plan, at_batch(3))
    kill_in(plan, at_call(finish, "write_report", 1))
    go_on(plan)

    assert outcome(tmp_path / "run") == undisturbed("probe")


# Damaged


def flip(file: Path) -> None:
    """Change a byte in the middle of a file, for all who have it linked."""
    with open(file, "rb+") as opened_file:
        opened_file.seek(file.stat().st_size // 2)
        byte = opened_file.read(1)[0]
        opened_file.seek(-1, os.SEEK_CUR)
        opened_file.write(bytes([byte ^ 1]))


def lose(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def other_shapes(file: Path) -> None:
    save_file({name: np.zeros((7, 3), np.float32) for name in load_file(file)}, file)


def empty(file: Path) -> None:
    file.write_text("{}")


def deep(file: Path) -> None:
    file.write_text("[" * 100_000)


def unsealed(file: Path) -> None:
    """A record that looks right, and does not say that it is what was written."""
    record = json.loads(file.read_text())
    file.write_text(json.dumps({key: value for key, value in record.items() if "sha256" not in key}))


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


ARRAYS, RECORDS = ("features.safetensors", "probe-0.safetensors"), ("features.json", "probe-0.json")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *product(ARRAYS, (flip, cut, other_shapes, pipe, folder)),
        *product(RECORDS, (empty, deep, unsealed, pipe)),
    ],
)
def test_damaged_features_and_probes_are_told_once_and_computed_again(
    name: str,
    damage: Callable[[Path], None],
    tmp_path: Path,
    home: Path,
    killed_probe: Path,
    undisturbed: Callable[[str], dict[str, Any]],
) -> None:
    out = Path(shutil.copytree(killed_probe, tmp_path / "run"))
    damage(out / "state" / name)

    run(plan_of(out))

    told = [words for words in notes(out, warnings=True) if words.startswith(f"{out / 'state' / name}: ")]
    assert len(told) == 1
    assert told[0].endswith("it is computed again.")
    assert outcome(out) == undisturbed("probe")


@pytest.mark.parametrize("name", ["tuned.safetensors", "scored.safetensors"])
def test_damaged_outcomes_of_training_are_computed_again(
    name: str, tmp_path: Path, home: Path, undisturbed: Callable[[str], dict[str, Any]]
) -> None:
    kill_in(plan_for("full", home, tmp_path / "run"), at_call(finish, "make_scorecard", 1))
    flip(tmp_path / "run" / "state" / name)

    run(plan_of(tmp_path / "run"))

    assert outcome(tmp_path / "run") == undisturbed("full")


@pytest.fixture(scope="module")
def killed_probe(home: Path) -> Path:
    """A run of the probe that was killed before its report."""
    out = home / "killed" / "probe"
    kill_in(plan_for("probe", home, out), at_call(finish, "write_report", 1))
    return out


@pytest.mark.parametrize("strange", ["²", "007", "9" * 60, "a file"])
def test_strange_names_among_the_states_are_passed_over(
    strange: str,
    tmp_path: Path,
    home: Path,
    killed_at_step_11: Path,
    undisturbed: Callable[[str], dict[str, Any]],
) -> None:
    out = tmp_path / "run"
    assert os.system(f"cp -a '{killed_at_step_11}' '{out}'") == 0
    states = out / "state" / "training"
    if strange == "a file":
        shutil.rmtree(states / "10")
        (states / "10").write_text("x")
    else:
        (states / strange).mkdir()

    run(plan_of(out))

    assert outcome(out) == undisturbed("full")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("5", "expected a JSON object, found 5."),
        ('{"event": "stepped"}', "'step' is missing, or no whole number."),
        ('{"event": 5}', "'event' is 5, and should be a valid string."),
        ("[" * 100_000, "is nested too deeply to be read."),
    ],
)
def test_a_line_of_events_that_is_none_is_refused(
    line: str, told: str, tmp_path: Path, killed_at_step_11: Path
) -> None:
    out = Path(shutil.copytree(killed_at_step_11, tmp_path / "run"))
    (out / "events.jsonl").write_text(line + "\n" + (out / "events.jsonl").read_text())

    ended = luthier("resume", out, "--quiet")

    assert (ended.code, ended.err) == (2, f"{out / 'events.jsonl'}, line 1: {told}\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{}", "lacks 'key'."),
        ('{"key": "x", "where": 5}', "'where' is 5, and should be a valid list."),
        (
            '{"key": "x", "sha256": "0"}',
            "is not what luthier wrote: its content does not fit the SHA-256 that it holds.",
        ),
        ("[" * 100_000, "is nested too deeply to be read."),
    ],
)
def test_a_key_that_cannot_be_believed_is_refused(
    content: str, told: str, tmp_path: Path, killed_at_step_11: Path
) -> None:
    out = Path(shutil.copytree(killed_at_step_11, tmp_path / "run"))
    (out / "state" / "key.json").write_text(content)

    ended = luthier("resume", out, "--quiet")

    mend = "Put back the file that was there, or choose another folder with --out."
    assert (ended.code, ended.err) == (2, f"{out / 'state' / 'key.json'}: {told} {mend}\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a=" + "[" * 100_000, "is nested too deeply to be read."),
        ("[train]\nlr = " + "9" * 5000, "is not valid TOML: "),
        ('[data]\npath = "m.csv"\n[train]\nlr = "abc"', "train.lr: 'abc' does not fit."),
    ],
)
def test_a_plan_that_cannot_be_used_is_refused_with_its_file(
    content: str, told: str, tmp_path: Path, killed_at_step_11: Path
) -> None:
    out = Path(shutil.copytree(killed_at_step_11, tmp_path / "run"))
    (out / "plan.toml").write_text(content)

    ended = luthier("resume", out, "--quiet")

    assert ended.code == 2
    assert ended.err.startswith(f"{out / 'plan.toml'}: {told}")


@pytest.fixture(scope="module")
def killed_at_step_11(home: Path) -> Path:
    """A folder that holds the states of steps 7, which was validated, 9 and 10."""
    out = home / "killed" / "run"
    kill_in(plan_for("full", home, out), look=at_step(11))
    assert saved_steps(out) == [7, 9, 10]
    return out


@pytest.mark.parametrize(
    ("file", "damage", "words", "goes_on_from"),
    [
        ("now.safetensors", flip, "now.safetensors is not what was written", 9),
        ("state.json", flip, "it is not what was written", 9),
        ("now.safetensors", lose, "[Errno 2] No such file or directory: '{path}/now.safetensors'", 9),
        ("state.json", lose, "[Errno 2] No such file or directory: '{path}/state.json'", 9),
        ("best.safetensors", lose, "[Errno 2] No such file or directory: '{path}/best.safetensors'", 9),
        # States share the best weights, as long as they are the same, by a hard link.
        ("best.safetensors", flip, "best.safetensors is not what was written", 0),
    ],
)
def test_a_damaged_state_is_told_and_the_one_before_it_used(
    file: str,
    damage: Callable[[Path], None],
    words: str,
    goes_on_from: int,
    tmp_path: Path,
    home: Path,
    killed_at_step_11: Path,
    undisturbed: Callable[[str], dict[str, Any]],
) -> None:
    out = tmp_path / "run"
    copied = os.system(f"cp -a '{killed_at_step_11}' '{out}'")  # keeps the links
    assert copied == 0
    newest = out / "state" / "training" / "10"
    damage(newest / file)

    go_on(plan_for("full", home, out))

    told = f"{newest}: is damaged ({words.format(path=newest)}); the state before it is used."
    assert told in notes(out, warnings=True)
    if goes_on_from:
        assert f"Going on from step {goes_on_from}, which was saved." in notes(out)
    assert outcome(out) == undisturbed("full")


def test_best_weights_damaged_on_the_disk_are_not_believed_by_a_later_state(
    tmp_path: Path, home: Path, killed_at_step_11: Path, undisturbed: Callable[[str], dict[str, Any]]
) -> None:
    out = tmp_path / "run"
    assert os.system(f"cp -a '{killed_at_step_11}' '{out}'") == 0

    def damage_and_die(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 11:
            flip(out / "state" / "training" / "10" / "best.safetensors")
        at_step(13)(event)

    kill_in(plan_of(out), look=damage_and_die)
    go_on(plan_for("full", home, out))

    assert outcome(out) == undisturbed("full")


def test_a_line_of_events_torn_inside_a_letter_is_dropped(
    tmp_path: Path, home: Path, killed_at_step_11: Path, undisturbed: Callable[[str], dict[str, Any]]
) -> None:
    out = tmp_path / "run"
    assert os.system(f"cp -a '{killed_at_step_11}' '{out}'") == 0
    with open(out / "events.jsonl", "ab") as file:
        file.write('{"event": "noted", "text": "ü'.encode()[:-1])

    go_on(plan_for("full", home, out))

    assert outcome(out) == undisturbed("full")


# What `luthier resume` says


def test_resume_on_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()

    ended = luthier("resume", tmp_path / "letters")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"{tmp_path}/letters: is not the folder of a run: it holds no plan.toml. Give the command of the run again.\n"
    )


def test_resume_before_the_plan_was_written_asks_for_the_command(tmp_path: Path, home: Path) -> None:
    plan = plan_for("full", home, tmp_path / "run")
    kill_in(plan, at_call(tune, "write_records", 1))

    ended = luthier("resume", tmp_path / "run")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"{tmp_path}/run: was interrupted before its plan was complete: it holds no plan.toml. "
        "Give the command of the run again.\n"
    )


def test_a_folder_killed_before_its_plan_was_written_takes_any_run(tmp_path: Path, home: Path) -> None:
    """A precision that is measured anew may come out differently: nothing was computed yet, so nothing is lost."""
    kill_in(plan_for("full", home, tmp_path / "run"), at_call(tune, "write_records", 1))
    run(plan_for("probe", home, tmp_path / "run"))
    assert (tmp_path / "run" / "report.html").is_file()


def test_resume_on_a_finished_run_prints_its_result_and_changes_nothing(
    home: Path, undisturbed: Callable[[str], dict[str, Any]]
) -> None:
    before = undisturbed("full")
    out = home / "undisturbed" / "full"

    ended = luthier("resume", out, "--quiet")

    assert (ended.code, ended.err) == (0, "")
    assert f"{out}/report.html   the report\n{out}/model         the model\n" in ended.out
    assert outcome(out) == before


def test_resume_on_changed_data_is_refused(tmp_path: Path, home: Path) -> None:
    shutil.copytree(home / "model", tmp_path / "model")
    messages_csv(tmp_path / "messages.csv", 80)
    kill_in(plan_for("full", tmp_path, tmp_path / "run"), at_batch(3))
    messages_csv(tmp_path / "messages.csv", 80, seed=1)

    ended = luthier("resume", tmp_path / "run", "--quiet")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"{tmp_path}/run: cannot be gone on with, as what it was made from has changed since: {tmp_path}/messages.csv "
        f"(data.path). Put it back as it was, or begin anew: luthier tune --plan {tmp_path}/run/plan.toml --out ANOTHER\n"
    )


def test_resume_finds_the_runs_files_from_another_folder_also_when_killed_in_between(
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: Callable[[str], dict[str, Any]],
) -> None:
    shutil.copytree(home / "model", tmp_path / "there" / "model")
    messages_csv(tmp_path / "there" / "messages.csv", 80)
    (tmp_path / "elsewhere").mkdir()

    monkeypatch.chdir(tmp_path / "there")
    kill_in(plan_for("full", Path(), Path("run")), look=at_step(9))
    monkeypatch.chdir(tmp_path / "elsewhere")
    kill_in(plan_of(Path("../there/run")), at_call(tune, "write_records", 1))
    monkeypatch.chdir(tmp_path)
    ended = luthier("resume", "there/run", "--quiet")

    assert ended.code == 0, ended.err
    found, wanted = outcome(tmp_path / "there" / "run"), undisturbed("full")
    assert found["scorecard"].pop("model") == str(tmp_path / "there" / "model")
    assert wanted["scorecard"]["model"] == str(home / "model")
    assert found[WEIGHTS] == wanted[WEIGHTS]


def test_a_plan_names_files_outside_of_the_run_absolute_and_those_inside_from_there(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: Callable[[str], dict[str, Any]]
) -> None:
    shutil.copytree(home / "model", tmp_path / "there" / "model")
    messages_csv(tmp_path / "there" / "messages.csv", 80)
    monkeypatch.chdir(tmp_path / "there")
    kill_in(plan_for("top", Path(), Path("run"), cache="run/cache"), look=at_step(9))

    recorded = read_plan(Path("run/plan.toml"))
    assert recorded["data.path"] == str(tmp_path / "there" / "messages.csv")
    assert recorded["model.name"] == str(tmp_path / "there" / "model")
    assert recorded["run.cache"] == "cache"
    assert json.loads(Path("run/state/key.json").read_text())["where"] == []

    monkeypatch.chdir("/")
    shutil.move(tmp_path / "there" / "run", tmp_path / "moved")
    assert plan_of(tmp_path / "moved").run.cache == str(tmp_path / "moved" / "cache")
    ended = luthier("resume", tmp_path / "moved", "--quiet")

    assert ended.code == 0, ended.err
    weights = WEIGHTS
    assert outcome(tmp_path / "moved")[weights] == undisturbed("top")[weights]


def test_a_run_of_an_older_luthier_is_found_from_where_it_was_begun(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, killed_at_step_11: Path,
    undisturbed: Callable[[str], dict[str, Any]],
) -> None:  # fmt: skip
    out = tmp_path / "run"
    assert os.system(f"cp -a '{killed_at_step_11}' '{out}'") == 0
    plan = (out / "plan.toml").read_text()
    (out / "plan.toml").write_text(plan.replace(f"{home}/m", "m"))
    key = json.loads((out / "state" / "key.json").read_text())
    (out / "state" / "key.json").write_text(
        json.dumps({"key": key["key"], "where": [str(home)], "versions": key["versions"]})
    )
    monkeypatch.chdir(tmp_path)

    ended = luthier("resume", out, "--quiet")

    assert ended.code == 0, ended.err
    assert outcome(out) == undisturbed("full")


# Stopped, and two at once


def test_a_second_ctrl_c_while_a_state_is_saved_says_how_to_resume(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: Callable[[str], dict[str, Any]]
) -> None:
    calls = iter(range(1, 10**9))
    real = vars(checkpoints)["save_file"]

    def interrupted(*args: Any) -> None:
        if next(calls) == 9:
            raise KeyboardInterrupt
        real(*args)

    monkeypatch.setattr(checkpoints, "save_file", interrupted)
    with pytest.raises(Interrupted) as caught:
        run(plan_for("full", home, tmp_path / "run"))
    monkeypatch.undo()

    assert caught.value.exit_code == 130
    assert str(caught.value) == (
        f"Interrupted at once. `luthier resume {tmp_path / 'run'}` goes on from the last saved step."
    )
    go_on(plan_for("full", home, tmp_path / "run"))
    assert outcome(tmp_path / "run") == undisturbed("full")


def test_a_second_ctrl_c_while_progress_is_shown_says_how_to_resume(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Progress, event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "show", interrupted)
    with pytest.raises(Interrupted, match="luthier resume"):
        run_plan(plan_for("full", home, tmp_path / "run"), quiet=True)


@pytest.mark.parametrize("command", ["tune", "resume"])
def test_a_second_command_on_a_folder_is_refused_at_once(
    command: str, tmp_path: Path, killed_at_step_11: Path
) -> None:
    out = Path(shutil.copytree(killed_at_step_11, tmp_path / "run"))
    words = [out] if command == "resume" else ["nowhere.csv", "--out", out]

    with files.locked(out / "state" / "lock") as ours:
        assert ours
        ended = luthier(command, *words, "--quiet")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"{out}: another command is at work in this folder. Wait for its end, or choose another folder with --out.\n"
    )


def test_of_two_commands_that_begin_together_one_is_refused(tmp_path: Path, home: Path) -> None:
    first, second = (tune.tune(plan_for("probe", home, tmp_path / "run")) for _ in range(2))
    for path in (first, second):  # both have opened data and model, and found the folder free
        for event in path:
            if isinstance(event, Noted):
                break
    begun = next(event for event in first if isinstance(event, Started))

    with pytest.raises(RunError, match="another command is at work"):
        list(second)

    assert begun.step_name == "features"
    list(first)
    assert (tmp_path / "run" / "report.html").is_file()


# Losses that are no numbers


def spoiling(patch: pytest.MonkeyPatch) -> Callable[[Path, int, int], None]:
    """Lets the loss of a step be no number until the rate was halved so often: a function of the state, as a real one."""
    now = {"step": 0}
    throw, loss = DICE.throw, Classification.loss

    def thrown(seed: int, step: int, batch: Any) -> None:
        now["step"] = step
        throw(seed, step, batch)

    def install(out: Path, step: int, times: int) -> None:
        def spoilt(self: Any, model: Any, batch: Any) -> Any:
            found = loss(self, model, batch)
            halved = len(Checkpoints(out / "state" / "training", lambda: 0.0).decisions)
            if now["step"] + 1 == step and halved < times:
                found.total.data.fill_(math.nan)
            return found

        patch.setattr(DICE, "throw", thrown)
        patch.setattr(Classification, "loss", spoilt)

    return install


@pytest.fixture
def no_number(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int, int], None]:
    return spoiling(monkeypatch)


@pytest.fixture(scope="module")
def went_back(home: Path) -> dict[str, Any]:
    """The outcome of a run that went back once, from step 11, and was never killed."""
    out = home / "undisturbed" / "back"
    with pytest.MonkeyPatch.context() as patch:
        spoiling(patch)(out, 11, 1)
        run(plan_for("full", home, out))
    return outcome(out)


def test_a_loss_that_is_no_number_takes_the_run_back_to_the_last_validation_at_half_the_rate(
    tmp_path: Path, home: Path, no_number: Callable[[Path, int, int], None]
) -> None:
    no_number(tmp_path / "run", 11, 1)

    events = run(plan_for("full", home, tmp_path / "run", schedule="constant", warmup=0.0))

    back = next(event for event in events if isinstance(event, WentBack))
    assert (back.step, back.back_to, back.what, back.rate) == (11, STEPS_OF_AN_EPOCH, "loss", 0.5)
    again = next(event for event in events if isinstance(event, Stepped) and event.step == 11)
    assert len(back.rows) == again.rows
    rates = [(event.step, event.lr) for event in events if isinstance(event, Stepped)]
    assert rates == [(step, 3e-3) for step in range(1, 11)] + [(step, 1.5e-3) for step in range(8, 22)]


def test_the_fourth_loss_that_is_no_number_ends_the_run(
    tmp_path: Path, home: Path, no_number: Callable[[Path, int, int], None]
) -> None:
    no_number(tmp_path / "run", 11, 4)
    plan = plan_for("full", home, tmp_path / "run", schedule="constant", warmup=0.0)
    backs: list[WentBack] = []

    def look(event: Event) -> None:
        if isinstance(event, WentBack):
            backs.append(event)

    with pytest.raises(WorldError) as caught:
        run(plan, look)

    assert [back.rate for back in backs] == [0.5, 0.25, 0.125]
    rows = loop.listed(np.array(backs[0].rows))
    assert str(caught.value) == (
        f"tuned, step 11: the loss is not finite (loss nan, learning rate 0.000375, training rows {rows}). "
        "3 times the run went back and halved its rate, in vain. "
        "Try a smaller learning rate: --lr 9.4e-05, or --precision fp32."
    )
    ended = luthier("resume", tmp_path / "run", "--quiet")
    assert (ended.code, ended.err) == (1, f"{caught.value}\n")


WAYS_BACK: dict[str, tuple[Callable[[], None], Callable[[Event], None]]] = {
    "before it is decided": (at_call(Checkpoints, "decide", 1), lambda event: None),
    "as it is decided": (at_call(checkpoints, "write_text", 1), lambda event: None),
    "between the decision and the way back": (at_call(Checkpoints, "load", 2), lambda event: None),
    "once it is told": (lambda: None, lambda event: die() if isinstance(event, WentBack) else None),
    "a step later": (at_call(Weights, "step", 12), lambda event: None),
}


@pytest.mark.parametrize("moment", WAYS_BACK)
@pytest.mark.parametrize("save_every", ["0.001s", "1h"])
def test_a_run_that_goes_back_and_is_killed_ends_with_the_same_bytes(
    save_every: str,
    moment: str,
    tmp_path: Path,
    home: Path,
    went_back: dict[str, Any],
    no_number: Callable[[Path, int, int], None],
) -> None:
    plan = plan_for("full", home, tmp_path / "run", save_every=save_every)
    no_number(tmp_path / "run", 11, 1)

    kill_in(plan, *WAYS_BACK[moment])
    go_on(plan)

    assert outcome(tmp_path / "run") == went_back


def test_damaged_decisions_are_told_and_training_begins_anew(
    tmp_path: Path, home: Path, went_back: dict[str, Any], no_number: Callable[[Path, int, int], None]
) -> None:
    decided = tmp_path / "run" / "state" / "training" / "decisions.json"
    plan = plan_for("full", home, tmp_path / "run")
    no_number(tmp_path / "run", 11, 1)
    kill_in(plan, at_call(Weights, "step", 14))
    flip(decided)

    go_on(plan)

    assert f"{decided}: is damaged; training begins anew." in notes(tmp_path / "run", warnings=True)
    assert outcome(tmp_path / "run") == went_back


def test_a_way_back_to_states_that_are_all_damaged_is_told(
    tmp_path: Path, home: Path, no_number: Callable[[Path, int, int], None]
) -> None:
    no_number(tmp_path / "run", 11, 1)
    saved = tmp_path / "run" / "state" / "training"

    def spoil(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 10:
            for file in saved.glob("*/now.safetensors"):
                flip(file)

    with pytest.raises(WorldError) as caught:
        run(plan_for("full", home, tmp_path / "run"), spoil)

    assert str(caught.value) == (
        f"{saved}: no saved state is whole, and training had to go back to step 7. "
        "Give the same command again: it trains anew."
    )


# Memory


def no_memory() -> None:
    raise RuntimeError(
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 4096 bytes. Error code 12 (Cannot allocate memory)"
    )


def test_memory_that_ran_out_is_told_and_the_step_taken_again_in_smaller_parts(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, calls = Classification.loss, iter(range(1, 10**9))

    def narrow(self: Any, model: Any, batch: Any) -> Any:
        if next(calls) == 2:
            no_memory()
        return loss(self, model, batch)

    monkeypatch.setattr(Classification, "loss", narrow)
    events = run(plan_for("full", home, tmp_path / "run", micro_tokens=16_384))

    told = [event.text for event in events if isinstance(event, Noted) and event.warning]
    words = next(text for text in told if text.startswith("Memory"))
    assert re.fullmatch(r"Memory ran out at step 2: the same step again, \d\d tokens at a time\.", words)
    assert [event.step for event in events if isinstance(event, Stepped)] == list(range(1, 22))


@pytest.mark.parametrize("call", ["loss", "backward"])
def test_a_step_taken_again_in_smaller_parts_has_the_same_gradient_within_rounding(
    call: str, tmp_path: Path, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def norms(folder: Path, fails: bool) -> list[float]:
        found = opened(bert, messages(32))
        loss, calls = Classification.loss, iter(range(1, 10**9))

        def narrow(self: Any, model: Any, batch: Any) -> Any:
            first = fails and next(calls) == 1
            if first and call == "loss":
                no_memory()
            given = loss(self, model, batch)
            if first:
                # Out of memory on the way back: what lies above has its gradient, what lies below has none yet.
                low = next(model.body.parameters())
                low.register_hook(lambda gradient: no_memory() if next(calls) == 2 else None)
            return given

        with monkeypatch.context() as patch:
            patch.setattr(Classification, "loss", narrow)
            weights = Weights(found.model, whole(found.model).parts())
            events = loop.train(
                State(found.model, weights), loop.Lesson(found.task, found.examples, lambda: (0.0, 0.0), 0, None),
                make_settings(), whole(found.model), cpu(), lambda: 0.0, loop.Ending(),
                Checkpoints(folder, lambda: 0.0),
            )  # fmt: skip
            return [event.norm for event in events if isinstance(event, Stepped)]

    assert norms(tmp_path / "short", True) == pytest.approx(norms(tmp_path / "ample", False), rel=1e-4)


def test_memory_that_runs_out_with_a_single_row_ends_the_run(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classification, "loss", lambda *_: no_memory())

    with pytest.raises(WorldError) as caught:
        run(plan_for("full", home, tmp_path / "run"))

    assert str(caught.value) == (
        "step 1: memory ran out with a single row at a time. "
        "Try --recompute on, a smaller model, shorter texts (--long cut), or --method probe."
    )
