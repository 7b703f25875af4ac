"""The frozen prefix: replayed, it is what it was computed to be; lost, it is computed to the same bytes."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cut_short import LEARNT, until
from luthier.candidates.records import OutcomeRecord
from luthier.candidates.tuned.prefixes import Prefixes
from luthier.events import Noted, Stepped
from luthier.folder.run_folder import RunFolder
from luthier.hashes import hash_file
from luthier.models.ladder.ladder import find_ladder
from luthier.models.ladder.policies import TopRungs
from luthier.models.ladder.prefix import Prefix, States
from luthier.models.master_weights import MasterWeights
from luthier.plan.plan import Plan
from luthier.predict import features_of, logits_of
from luthier.prepare.memo import Memo
from luthier.steps.trial import OUTCOME, trial
from luthier.tasks.records import CalibrationRecord
from luthier.train import prefix_cache
from luthier.train.loop import Lesson, train
from luthier.train.prefix_cache import PrefixCache
from luthier.train.state import State
from luthier.train.unfreezing import LadderUnfreezing
from luthier.train.weights import Weights
from tiny import cpu, make_settings, messages, messages_csv, opened

pytestmark = pytest.mark.slow

ARCHITECTURES = ("bert", "roberta", "deberta_v2", "modernbert", "distilbert", "electra", "sentence_bert")
DEPTH = 2
"""Embeddings and block 0 stand still; block 1 and the head train."""


def recorded(found: Any) -> tuple[Prefix, States]:
    """A model's prefix with the states of its examples."""
    few = found.examples.batch(np.arange(2))
    prefix = Prefix(found.model, find_ladder(found.model, lambda: found.model(few)))
    found.model.prefix = prefix
    states = States(found.examples, torch.zeros(len(found.examples.ids), found.model.state_width))
    with prefix.recording({DEPTH: states}):
        list(features_of(found.model, found.examples, cpu()))
    return prefix, states


def tuned(folder: Path, replay: bool) -> Any:
    """A model of which the top block was trained for two epochs."""
    found = opened(folder, messages(60), seed=1)
    few = found.examples.batch(np.arange(2))
    ladder = find_ladder(found.model, lambda: found.model(few))
    prefix, states = recorded(found)
    unfreezing = LadderUnfreezing(found.model, ladder, TopRungs(1))
    masters = MasterWeights(found.model.body, torch.float32)
    train_settings = make_settings(epochs=2, lr=2e-3)
    state = State(found.model, Weights(found.model, unfreezing.parts(2), masters))
    better = iter(range(100))

    def run() -> None:
        lesson = Lesson(found.task, found.examples, lambda: (float(next(better)), 0.0))
        list(train(state, lesson, train_settings, unfreezing, cpu(), lambda: 0.0))

    if replay:
        with prefix.replaying(DEPTH, lambda: states):
            run()
    else:
        run()
    return found


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_replayed_states_are_the_computed_ones(name: str, tiny_model: Callable[[str], Path]) -> None:
    found = opened(tiny_model(name), messages(30))
    expected = found.logits(tokens=200)
    prefix, states = recorded(found)

    with prefix.replaying(DEPTH, lambda: states):
        replayed = found.logits(tokens=777)  # other batches, other padding

    assert np.abs(replayed - expected).max() <= 1e-6 * max(1.0, np.abs(expected).max())
    assert np.array_equal(found.logits(tokens=200), expected), "afterwards the blocks compute again"


@pytest.mark.parametrize("name", ["bert", "roberta", "deberta_v2", "modernbert", "distilbert"])
def test_tuning_with_and_without_the_cache_gives_the_same_probabilities(
    name: str, tiny_model: Callable[[str], Path]
) -> None:
    with_it, without = tuned(tiny_model(name), replay=True), tuned(tiny_model(name), replay=False)

    one, other = (torch.softmax(torch.tensor(found.logits()), 1) for found in (with_it, without))

    assert torch.allclose(one, other, atol=1e-4)
    right = [
        float((found.logits().argmax(1) == found.examples.targets).mean()) for found in (with_it, without)
    ]
    assert right[0] == right[1]
    before = opened(tiny_model(name), messages(60), seed=1)
    assert not np.allclose(before.logits(), with_it.logits(), atol=1e-3), "something was learnt"


def test_a_model_whose_upper_block_reads_more_than_the_last_states_is_found_out(bert: Path) -> None:
    found = opened(bert, messages(20))
    prefix, _ = recorded(found)
    lower, upper = prefix.blocks
    attention: dict[str, Any] = {}
    lower.register_forward_hook(lambda module, args, output: attention.update(seen=output.std()))
    honest = upper.forward
    upper.forward = lambda hidden, *args, **kwargs: honest(hidden * attention.pop("seen"), *args, **kwargs)

    reason = prefix.why_not(DEPTH, found.examples, found.model.features, found.model.state_width)

    assert reason == "its upper blocks read more of the lower ones than their last states"


def test_a_lost_cache_is_computed_again_to_the_same_bytes(tmp_path: Path, bert: Path) -> None:
    data = messages_csv(tmp_path / "m.csv", 80)

    def run(out: str) -> Path:
        settings = {
            "data.path": data, "model.name": bert, "train.method": "top:1", "train.epochs": 1, "run.device": "cpu",
            "run.precision": "fp32", "run.out": tmp_path / out, "run.cache": tmp_path / "cache",
        }  # fmt: skip
        list(until(LEARNT, Plan.build(settings)))
        return tmp_path / out / "model"

    def files() -> dict[str, str]:
        return {path.name: hash_file(path) for path in (tmp_path / "cache").glob("*.states")}

    first, kept = run("first"), files()
    second = run("second")
    for path in (tmp_path / "cache").iterdir():
        path.unlink()
    third = run("third")

    assert len(kept) == 2
    assert files() == kept
    weights = [hash_file(folder / "model.safetensors") for folder in (first, second, third)]
    assert len(set(weights)) == 1


def thawed(home: Path, bert: Path, name: str, cache: str, step: int | None = None, **more: Any) -> str:
    """Hash of the weights of a run that thaws block after block; or nothing of one that is left at a step."""
    settings = {
        "data.path": home / "m.csv", "model.name": bert, "train.method": "thaw", "train.epochs": 3, "run.device": "cpu",
        "run.precision": "fp32", "run.threads": 1, "run.out": home / name, "run.cache": home / cache, "train.batch_rows": 8,
        "train.lr": 1e-2, "run.save_every": "0.001s", **more,
    }  # fmt: skip
    for event in until(LEARNT, Plan.build(settings)):
        if isinstance(event, Stepped) and event.step == step:
            return ""
    assert step is None, "it ended before"
    return hash_file(home / name / "model" / "model.safetensors")


def tuned_run(home: Path, bert: Path, cache: Path, name: str) -> tuple[str, list[str]]:
    """Hash of the weights of a run with a frozen prefix, and its notes."""
    settings = {
        "data.path": home / "m.csv", "model.name": bert, "train.method": "top:1", "train.epochs": 1, "run.device": "cpu",
        "run.precision": "fp32", "run.threads": 1, "run.out": home / name, "run.cache": cache,
    }  # fmt: skip
    notes = [event.text for event in until(LEARNT, Plan.build(settings)) if isinstance(event, Noted)]
    return hash_file(home / name / "model" / "model.safetensors"), notes


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory, bert: Path) -> tuple[Path, str]:
    """A folder with rows and the cache of a run over them, and the hash of that run's weights."""
    home = tmp_path_factory.mktemp("cached")
    messages_csv(home / "m.csv", 80)
    return home, tuned_run(home, bert, home / "cache", "first")[0]


@pytest.mark.parametrize("damage", ["a bit", "half", "a folder", "a pipe", "another record", "no hash"])
def test_a_damaged_cache_is_told_and_computed_again_to_the_same_bytes(
    damage: str, tmp_path: Path, bert: Path, cached: tuple[Path, str]
) -> None:
    home, first = cached
    shutil.copyfile(home / "m.csv", tmp_path / "m.csv")
    shutil.copytree(home / "cache", tmp_path / "cache")
    for states in (tmp_path / "cache").glob("*.states"):
        record = states.with_suffix(".json")
        if damage == "a bit":
            content = bytearray(states.read_bytes())
            content[500] ^= 0x40
            states.write_bytes(content)
        elif damage == "half":
            os.truncate(states, states.stat().st_size // 2)
        elif damage == "another record":
            record.write_text("[" * 100_000)
        elif damage == "no hash":
            record.write_text('{"whole": true}')
        else:
            states.unlink()
            states.mkdir() if damage == "a folder" else os.mkfifo(states)

    again, notes = tuned_run(tmp_path, bert, tmp_path / "cache", "again")

    assert again == first
    assert sum("cannot be believed" in words and "it is computed again" in words for words in notes) == 2
    assert len(list((tmp_path / "cache").glob("*.states"))) == 2
    assert not any(
        "cannot be believed" in words for words in tuned_run(tmp_path, bert, tmp_path / "cache", "third")[1]
    )


def test_blocks_that_start_anew_are_not_taken_for_the_pre_trained_ones(tmp_path: Path, bert: Path) -> None:
    messages_csv(tmp_path / "m.csv", 80)
    anew = {"train.reinit": 1}
    plain, other = thawed(tmp_path, bert, "a", "own"), thawed(tmp_path, bert, "b", "another", **anew)

    assert plain != other
    assert thawed(tmp_path, bert, "c", "own", **anew) == other
    assert thawed(tmp_path, bert, "d", "another") == plain


def test_who_goes_on_without_the_cache_leaves_nothing_in_it_of_blocks_that_have_moved(
    tmp_path: Path, bert: Path
) -> None:
    messages_csv(tmp_path / "m.csv", 80)
    clean = thawed(tmp_path, bert, "clean", "own")
    thawed(tmp_path, bert, "left", "lost", step=12)  # of 7 steps an epoch: the upper block has begun to move
    shutil.rmtree(tmp_path / "lost")

    assert thawed(tmp_path, bert, "left", "lost") == clean
    assert thawed(tmp_path, bert, "next", "lost") == clean


@pytest.mark.precision
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_trials_are_scored_in_fp32_from_states_that_all_of_them_share(
    tmp_path: Path, bert: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    data = messages_csv(tmp_path / "m.csv", 80)
    replayed: list[str] = []

    @contextlib.contextmanager
    def noted(self: Prefixes, part: str) -> Iterator[None]:
        with exactly(self, part):
            replayed.extend([part] if "forward" in vars(self.prefix.blocks[0]) else [])
            yield

    exactly = Prefixes.exactly
    monkeypatch.setattr(Prefixes, "exactly", noted)

    def files() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("*.json")}

    def trained(out: str, cache_gb: float) -> tuple[np.ndarray, CalibrationRecord]:
        settings = {
            "data.path": data, "model.name": bert, "train.method": "top:1", "train.epochs": 1, "run.device": "cpu",
            "run.precision": precision, "run.out": tmp_path / out, "run.cache": tmp_path / "cache", "run.cache_gb": cache_gb,
            "train.batch_rows": 16, "data.calibration_share": 0.1,
        }  # fmt: skip
        list(trial(Plan.build(settings), Memo(tmp_path / "shared")))
        record = RunFolder.key_record(tmp_path / out)
        assert record is not None
        saved = RunFolder(tmp_path / out, record.key).saved(OUTCOME, OutcomeRecord)
        assert saved is not None
        arrays, outcome = saved
        return arrays["valid"], outcome.calibration

    logits, calibration = trained("without", 0)
    assert replayed == []

    kept = []
    for name in ("first", "second"):
        found, fitted = trained(name, 1)
        assert np.array_equal(found, logits)
        assert fitted == calibration, "of the logits of calibration rows"
        kept.append(files())

    assert replayed == 2 * ["valid", "calibration"]
    assert kept[0] == kept[1], "the second trial has recorded nothing"
    # Of train and valid to train with, of valid and calibration in fp32.
    assert len(kept[0]) == {"fp32": 3, "bf16": 4}[precision]


def test_states_that_a_killed_process_left_unfinished_go_and_those_in_work_stay(
    tmp_path: Path, bert: Path
) -> None:
    examples = opened(bert, messages(10)).examples
    ours, theirs = PrefixCache(tmp_path, 1e9), PrefixCache(tmp_path, 1e9)
    ours.begin("a", examples, 32, torch.float32)
    ours.begin("b", examples, 32, torch.float32)
    for key in "ab":
        os.utime(ours.filling[key][0], (0, 0))
    left, file = ours.filling.pop("a")
    os.close(file)  # as the system does when a process ends

    theirs.begin("c", examples, 32, torch.float32)

    assert not left.exists()
    ours.finish("b")
    assert theirs.find("b", examples, 32, torch.float32) is not None
    theirs.give_up()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.json", "b.states"]


def test_states_that_another_process_takes_away_count_as_missing(
    tmp_path: Path, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = opened(bert, messages(10)).examples
    cache = PrefixCache(tmp_path, 1e9)
    cache.begin("a", examples, 32, torch.float32)
    cache.finish("a")
    plain = prefix_cache.mapped

    def too_late(path: Path, *sizes: Any) -> Any:
        for name in ("a.json", "a.states"):
            (tmp_path / name).unlink()
        return plain(path, *sizes)

    monkeypatch.setattr(prefix_cache, "mapped", too_late)
    assert cache.find("a", examples, 32, torch.float32) is None


def test_states_hold_no_padding(bert: Path) -> None:
    found = opened(bert, messages(10))
    _, states = recorded(found)

    assert states.kept.shape == (len(found.examples.ids), found.model.state_width)
    batch = found.examples.batch(np.array([3, 7]))
    assert torch.equal(states.take(batch)[batch.inputs["attention_mask"] == 0].abs().sum(), torch.tensor(0.0))


def test_logits_do_not_change_by_recording(bert: Path) -> None:
    found = opened(bert, messages(10))
    before = logits_of(found.model, found.examples, cpu())

    recorded(found)

    assert np.array_equal(logits_of(found.model, found.examples, cpu()), before)
