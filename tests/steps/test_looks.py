"""How many models were scored on the same test rows is counted once for each run, and told from the second on."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from command import luthier
from judgements import judged
from luthier.files import cache_folder
from luthier.folder.run_folder import RunFolder
from luthier.plan.plan import Plan
from luthier.prepare.rows import Rows, understand
from luthier.scores.best_of import best_of_bias, expected_maximum
from luthier.scores.intervals import Estimate
from luthier.steps.looks import NAME, Look, contents_of, earlier_looks, look_of, opened
from tiny import messages, messages_csv, write_jsonl
from tuned_elsewhere import rows_model

KEYS = [f"{number:064x}" for number in range(8)]


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Rows]:
    """The rows of a file of messages, whose test rows stand in a file of their own."""

    def read(test: list[tuple[str, str]], name: str = "test.jsonl") -> Rows:
        train = messages_csv(tmp_path / "train.csv", 80)
        path = write_jsonl(tmp_path / name, [{"text": text, "label": label} for text, label in test])
        return understand(Plan.build({"data.path": str(train), "data.test": str(path)}))

    return read


def run_of(rows: Rows, path: Path, key: str) -> Any:
    """As much of a run as knows its test rows and its folder."""
    return SimpleNamespace(ready=SimpleNamespace(rows=rows), folder=RunFolder(path, key))


def test_each_run_has_its_place_among_those_that_looked_at_the_same_rows() -> None:
    first = [earlier_looks("rows", key) for key in KEYS[:3]]

    again = [earlier_looks("rows", key) for key in KEYS[:3]]

    assert first == again == [0, 1, 2]
    assert earlier_looks("other rows", KEYS[2]) == 0


def test_what_is_kept_of_the_rows_are_a_hash_and_the_keys_of_runs(rows: Callable[..., Rows]) -> None:
    found = look_of(rows(messages(20, seed=1)), KEYS[0])

    (record,) = (cache_folder() / NAME).glob("*.json")
    assert record.stem == found.contents[:32]
    assert json.loads(record.read_text()) == {"version": 1, "runs": [KEYS[0]]}


def test_rows_are_the_same_by_what_they_hold_in_any_order_and_under_any_name(
    rows: Callable[..., Rows],
) -> None:
    some = messages(20, seed=1)
    other = [(some[0][0], some[1][1]), *some[1:]]  # another label

    found = contents_of(rows(some))

    assert contents_of(rows(some[::-1], "again.jsonl")) == found
    assert contents_of(rows(other)) != found
    assert contents_of(rows(some[1:])) != found


def test_runs_that_look_at_once_lose_no_entry() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(earlier_looks, ["rows"] * len(KEYS), KEYS))

    assert sorted(found) == list(range(len(KEYS)))


def test_a_run_that_goes_on_after_a_kill_is_told_what_it_was_told_before(
    rows: Callable[..., Rows], tmp_path: Path
) -> None:
    some = rows(messages(20, seed=1))
    look_of(some, KEYS[0])
    run = run_of(some, tmp_path / "run", KEYS[1])

    before = opened(run)
    shutil.rmtree(cache_folder() / NAME)  # which anybody may
    after = opened(run)

    assert before == after
    assert before.earlier == 1


def test_a_cache_that_cannot_be_used_is_told_and_stops_nobody(rows: Callable[..., Rows]) -> None:
    some, folder = rows(messages(20, seed=1)), cache_folder() / NAME
    folder.write_text("a file where a folder is to be")

    found = look_of(some, KEYS[0])

    folder.unlink()
    assert found.earlier is None
    assert found.trouble == (
        f"{folder}: cannot be used, so it is not counted how many models are scored on these test rows. The environment variable "
        "XDG_CACHE_HOME names another folder for what luthier keeps."
    )
    assert found.to_json("accuracy", Estimate(0.9, 0.8, 1.0)) == {
        "contents": found.contents, "rows": 20, "earlier": None,
    }  # fmt: skip


def test_a_damaged_record_is_told_with_what_mends_it(rows: Callable[..., Rows]) -> None:
    some = rows(messages(20, seed=1))
    look_of(some, KEYS[0])
    (record,) = (cache_folder() / NAME).glob("*.json")
    record.write_text('{"version": 1, "runs": "none"}')

    found = look_of(some, KEYS[1])
    record.unlink()

    assert found.earlier is None
    assert found.trouble == (
        f"{record}: 'runs' is \"none\", and should be a valid list. Delete it, and it is begun anew. Until then it is not "
        "counted how many models are scored on these test rows."
    )
    assert look_of(some, KEYS[1]).earlier == 0


def test_how_much_too_good_the_best_of_equals_looks_is_what_a_simulation_gives() -> None:
    drawn = np.random.default_rng(0).normal(0.8, 0.02, (200_000, 5)).max(1)

    assert best_of_bias(0.02, 5) == pytest.approx(drawn.mean() - 0.8, abs=2e-4)
    assert expected_maximum(1) == pytest.approx(0)
    assert expected_maximum(2) == pytest.approx(np.pi**-0.5)
    assert expected_maximum(3) == pytest.approx(1.5 * np.pi**-0.5)


def test_from_the_second_model_on_it_is_told_how_much_too_good_the_best_looks() -> None:
    first = Look("rows", 48, 0).to_json("accuracy", Estimate(0.9, 0.8, 1.0))
    fourth = Look("rows", 48, 3).to_json("accuracy", Estimate(0.9, 0.8, 1.0))
    unknown = Look("rows", 48, 1).to_json("log_loss", Estimate(0.9, np.nan, np.nan))

    assert first == {"contents": "rows", "rows": 48, "earlier": 0}
    assert fourth["too_good"] == pytest.approx(0.1 / 1.96 * 1.0294, abs=1e-4)
    assert fourth["words"] == (
        "This is the 4th model that is scored on these 48 test rows. The best of 4 equally good models looks up to 5.3 points "
        "better on them than it is, by chance alone. Choose by the validation score, or measure the model that you choose on "
        "rows that no model was scored on."
    )
    assert "too_good" not in unknown
    assert "equally good models looks better on them than it is" in unknown["words"]


def test_a_second_model_that_is_judged_on_the_same_rows_is_told_in_scorecard_summary_and_report(
    tmp_path: Path,
) -> None:
    data = messages_csv(tmp_path / "rows.csv", 41)
    models = [rows_model(tmp_path / "one"), rows_model(tmp_path / "two", hidden_dropout_prob=0.2)]

    first = judged(models[0], data, tmp_path / "first")
    ended = luthier("judge", models[1], data, "--out", tmp_path / "second", "--quiet")
    again = judged(models[0], data, tmp_path / "first")

    second = json.loads((tmp_path / "second" / "scorecard.json").read_text())
    told = "This is the 2nd model that is scored on these 41 test rows."
    assert first["looks"] == again["looks"]
    assert (first["looks"]["earlier"], second["looks"]["earlier"]) == (0, 1)
    assert first["looks"]["contents"] == second["looks"]["contents"]
    assert told in ended.out
    assert told in (tmp_path / "second" / "report.html").read_text()
    assert told not in (tmp_path / "first" / "report.html").read_text()
