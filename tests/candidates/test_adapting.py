"""A body that learns from rows without labels first: kept where that helps a probe beyond noise, and else as if it never had."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from cut_short import LEARNT, until
from luthier.arrays import Array
from luthier.candidates.adapting import lesson, stage
from luthier.errors import Interrupted
from luthier.events import Event, Noted, Started
from luthier.hashes import hash_file
from luthier.plan.plan import Plan
from luthier.prepare.prepare import prepare
from luthier.scores.classification import accuracy_per_row
from luthier.steps import tune as steps
from luthier.tasks.probing import Probing
from luthier.train.probe.better_features import Gain, gain_of
from luthier.train.probe.probe import cross_validate, standardised
from tiny import TINY_IMAGES, images_folder, messages, messages_csv

BETTER, NO_BETTER = Gain(0.5, 0.8, 0.1), Gain(0.5, 0.52, 0.1)


class Accuracy(Probing):
    """Two classes, by the share that is answered rightly."""

    outputs = 2

    def to_learn(self, targets: Array) -> Array:
        return targets

    def fit_score(self, values: Array, learnt: Array) -> float:
        return float(accuracy_per_row(learnt, values.argmax(1)).mean())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    messages_csv(tmp_path / "rows.csv", 60)
    with open(tmp_path / "more.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text, _ in messages(150, seed=7))])
    return tmp_path


def plan_of(home: Path, model: Path, out: str, unlabelled: bool = True, **settings: Any) -> Plan:
    more = {"data.unlabelled": str(home / "more.csv")} if unlabelled else {}
    return Plan.build(
        {"data.path": str(home / "rows.csv"), "model.name": str(model), "run.out": str(home / out),
         "train.method": "probe", "run.precision": "fp32", "run.threads": 1, **more, **settings}
    )  # fmt: skip


def finding(found: Gain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the comparison of features come out so."""
    monkeypatch.setattr(stage, "gain_of", lambda *_: found)


def told(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Noted)]


def weights_of(run: Path) -> Path:
    """The file with the weights of the body."""
    return max((run / "model").rglob("model.safetensors"), key=lambda file: file.stat().st_size)


# The comparison


def test_features_that_tell_the_label_are_better_beyond_noise() -> None:
    dice = np.random.default_rng(0)
    targets = dice.integers(2, size=60)
    before = dice.standard_normal((60, 4)).astype(np.float32)
    after = np.concatenate([before, targets[:, None] + 0.1 * before[:, :1]], axis=1)

    found = gain_of(before, after, targets, Accuracy(), seed=0)

    assert found is not None
    assert found.after > 0.95
    assert found.beyond_noise
    assert not gain_of(after, before, targets, Accuracy(), seed=0).beyond_noise  # type: ignore[union-attr]


def test_the_same_features_are_no_better() -> None:
    dice = np.random.default_rng(0)
    features, targets = dice.standard_normal((40, 4)), dice.integers(2, size=40)

    found = gain_of(features, features, targets, Accuracy(), seed=0)

    assert found == Gain(found.before, found.before, 0.0) if found else False
    assert found is not None
    assert not found.beyond_noise


def test_features_are_compared_on_rows_that_their_head_did_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    from luthier import seeds
    from luthier.train.probe import better_features

    monkeypatch.setattr(better_features, "REPEATS", 1)
    dice = np.random.default_rng(1)
    before, after = dice.standard_normal((2, 50, 6))
    targets, how = dice.integers(2, size=50), Accuracy()

    found = gain_of(before, after, targets, how, seed=3)

    seed = seeds.derive(3, "better features", 0)
    held = [cross_validate(standardised(one)[0], targets, 2, how.fit_score, seed) for one in (before, after)]
    assert found is not None
    assert [found.before, found.after] == [one.score(one.strongest_within_noise()) for one in held]


def test_rows_that_share_something_are_held_out_together_and_count_as_one() -> None:
    """Features that know a row's group tell its label only where its like were learnt from: of groups nothing is gained."""
    dice = np.random.default_rng(0)
    clusters = np.repeat(np.arange(12), 8)
    targets = dice.integers(2, size=12)[clusters]
    before = dice.standard_normal((96, 3))
    after = np.concatenate([before, 5 * dice.standard_normal((12, 12))[clusters]], axis=1)

    alone, together = (gain_of(before, after, targets, Accuracy(), 0, of) for of in (None, clusters))

    assert alone is not None
    assert alone.beyond_noise
    assert together is not None
    assert not together.beyond_noise
    assert together.error > 2 * alone.error
    assert gain_of(before, after, targets, Accuracy(), 0, np.zeros(96, np.int64)) is None


def test_two_rows_tell_nothing() -> None:
    assert gain_of(np.zeros((2, 3)), np.ones((2, 3)), np.array([0, 1]), Accuracy(), seed=0) is None


# The stage


def test_a_body_that_helps_is_the_one_that_is_kept(
    home: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding(BETTER, monkeypatch)

    events = list(until(LEARNT, plan_of(home, sentence_bert, "run")))

    record = json.loads((home / "run" / "state" / "adapted.json").read_text("utf-8"))
    assert record["kept"]
    assert record["share"] > 0
    assert record["loss"]["after"] < record["loss"]["before"]
    assert record["words"] in told(events)
    assert record["words"].endswith(
        ": in cross-validation over the training rows a probe comes to 0.500 without and 0.800 with it, +0.300 with a standard "
        "error of 0.100. It is kept."
    )
    assert (
        "First the body learns from 135 rows without labels, at most 9 steps; 15 others say when to stop. It is kept where a "
        "probe on it is better in cross-validation over the training rows, beyond noise."
    ) in told(events)
    body, written = (
        load_file(home / "run" / "state" / "adapted.safetensors"),
        load_file(weights_of(home / "run")),
    )
    base = load_file(sentence_bert / "model.safetensors")
    assert all(np.array_equal(written[name], body[name]) for name in written)
    assert any(not np.array_equal(body[name], base[name]) for name in base)

    again = list(until(LEARNT, plan_of(home, sentence_bert, "run")))

    assert not [one for one in again if isinstance(one, Started) and one.step_name == "adapted"], (
        "it is found again"
    )
    assert record["words"] in told(again)


def test_a_body_that_does_not_help_leaves_the_run_as_it_is_without_these_rows(
    home: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding(NO_BETTER, monkeypatch)
    plain = plan_of(home, sentence_bert, "plain", unlabelled=False)

    events = list(until(LEARNT, plan_of(home, sentence_bert, "run")))

    assert any(
        words.endswith(
            "+0.020 with a standard error of 0.100, which is not beyond noise. It stays as it came."
        )
        for words in told(events)
    )
    list(until(LEARNT, plain))
    assert hash_file(weights_of(home / "run")) == hash_file(weights_of(home / "plain"))


def test_what_trains_layers_goes_on_from_the_body_that_is_kept(
    home: Path, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding(BETTER, monkeypatch)
    trains = {
        "train.method": "top:1",
        "train.epochs": 1,
        "run.cache": str(home / "cache"),
        "train.keep": "off",
    }
    plan = plan_of(home, bert, "run").with_settings(trains)

    list(until(LEARNT, plan))

    body, written = (
        load_file(home / "run" / "state" / "adapted.safetensors"),
        load_file(weights_of(home / "run")),
    )
    names = [name for name in written if "layer.0." in name]
    assert names
    assert all(np.array_equal(written[name], body[name]) for name in names if name in body), (
        "its frozen layers are that body's"
    )


def test_what_was_stopped_among_these_rows_ends_with_the_same_bytes(
    home: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding(BETTER, monkeypatch)
    seen: list[Event] = []

    def stop() -> bool:
        begun = [
            at for at, event in enumerate(seen) if isinstance(event, Started) and event.step_name == "adapted"
        ]
        return bool(begun) and len(seen) - begun[0] > 4

    def begin() -> None:
        for event in steps.tune(plan_of(home, sentence_bert, "run"), stop):
            seen.append(event)  # noqa: PERF402  it is looked at meanwhile

    with pytest.raises(Interrupted):
        begin()

    assert not (home / "run" / "state" / "adapted.json").exists()
    list(until(LEARNT, plan_of(home, sentence_bert, "run")))
    list(until(LEARNT, plan_of(home, sentence_bert, "whole")))
    for name in ("adapted", "features-adapted"):
        ours, whole = (home / out / "state" / f"{name}.safetensors" for out in ("run", "whole"))
        assert hash_file(ours) == hash_file(whole)


@pytest.mark.parametrize(("unlabelled", "keys"), [(True, 2), (False, 1)])
def test_features_are_shared_only_by_runs_whose_bodies_learn_alike_from_these_rows(
    unlabelled: bool, keys: int, home: Path, sentence_bert: Path
) -> None:
    plans = [
        plan_of(
            home, sentence_bert, "run", unlabelled, **{"train.method": "full", "model.body_dropout": rate}
        )
        for rate in (0.0, 0.3)
    ]

    assert len({prepare(plan).features_key for plan in plans}) == keys


def test_images_are_learnt_from_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finding(BETTER, monkeypatch)
    monkeypatch.setattr(lesson, "MOST_EPOCHS", 1)
    data, more = images_folder(tmp_path / "images", 30), images_folder(tmp_path / "more", 66, seed=9)
    model = TINY_IMAGES["mobilenet_v2"](tmp_path / "model")
    plan = Plan.build(
        {"data.path": str(data), "data.unlabelled": str(more), "model.name": str(model), "run.out": str(tmp_path / "run"),
         "train.method": "probe", "run.precision": "fp32", "run.threads": 1}
    )  # fmt: skip

    list(until(LEARNT, plan))

    record = json.loads((tmp_path / "run" / "state" / "adapted.json").read_text("utf-8"))
    assert (record["rows"], record["held_out"]) == (66, 7)
    assert record["kept"] == (record["share"] > 0)


@pytest.mark.parametrize(
    ("rows", "model", "words"),
    [
        (40, "sentence_bert", "The body does not learn from 40 rows without labels: at least 64 are wanted."),
        (70, "headless", "The body does not learn from the rows without labels: "),
    ],
)
def test_why_a_body_does_not_learn_is_told(
    rows: int, model: str, words: str, tmp_path: Path, tiny_model: Callable[[str], Path]
) -> None:
    if model == "headless":
        from transformers import AutoModel

        from tiny import TINY

        path = TINY["bert"](tmp_path / "headless")
        AutoModel.from_pretrained(path).save_pretrained(path)
    else:
        path = tiny_model(model)
    messages_csv(tmp_path / "rows.csv", 40)
    more = tmp_path / "more.csv"
    more.write_text("\n".join(["text", *(text for text, _ in messages(rows, seed=7))]), encoding="utf-8")

    events = list(until(LEARNT, plan_of(tmp_path, path, "run")))

    assert [one for one in told(events) if one.startswith(words)]
    assert not (tmp_path / "run" / "state" / "adapted.safetensors").exists() or model == "headless"
