"""How many labels a score takes, and which rows to label next."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from command import luthier as command
from luthier.scores.learning_curve import Curve, power_law, power_law_with_floor, rows_needed
from luthier.train.probe.learning_curve import probe_curve, spread
from luthier.train.probe.suggest import ENOUGH, doubtful, suggest, typical
from tiny import messages, messages_csv

ROWS = np.array([20.0, 40.0, 80.0, 160.0, 320.0])
FIRM = np.full(5, 100_000.0)


# Curves


@pytest.mark.parametrize("slope", [0.2, 0.5, 1.0])
def test_a_power_law_is_carried_on_to_where_it_leads(slope: float) -> None:
    curve = Curve(ROWS, 1 - 0.9 * ROWS**-slope, FIRM)
    truth = 1_000.0

    found = rows_needed(curve, float(1 - 0.9 * truth**-slope), at_hand=320)

    assert found.middle == pytest.approx(truth, rel=0.05)
    assert 0.7 * truth < found.low <= truth <= found.high * 1.02


def test_a_floor_is_seen() -> None:
    errors = 2.0 * ROWS**-0.9 + 0.1
    curve = Curve(ROWS, 1 - errors, FIRM)
    far = np.array([10_000.0])

    assert float(power_law_with_floor(curve)(far)[0]) == pytest.approx(0.1 + 2.0 * 10_000**-0.9, rel=0.05)
    assert float(power_law(curve)(far)[0]) < 0.09
    assert rows_needed(curve, 0.95, 320).high == float("inf")


def test_the_middle_lies_between_the_curves() -> None:
    dice = np.random.default_rng(0)
    curve = Curve(ROWS, 1 - (1.5 * ROWS**-0.6 + 0.05 + 0.004 * dice.standard_normal(5)), np.full(5, 2_000.0))

    found = rows_needed(curve, 0.88, 320)

    assert found.low <= found.middle <= found.high


def test_scores_grow_with_rows_and_every_part_has_every_label() -> None:
    dice = np.random.default_rng(0)
    targets = np.arange(600) % 3
    features = dice.standard_normal((600, 8)) + 1.5 * np.eye(8)[targets]

    curve = probe_curve(
        features, targets, 3, lambda logits, truth: float((logits.argmax(1) == truth).mean()), seed=0
    )

    assert curve.rows[-1] == 480
    assert curve.scores[-1] > curve.scores[0]
    order = spread(np.array([0] * 90 + [1] * 10), dice)
    assert [int((order[:size] >= 90).sum()) for size in (20, 50, 100)] == pytest.approx([2, 5, 10], abs=1)


# The command


def test_the_forecast_is_told_in_words_and_numbers(tmp_path: Path, bert: Path) -> None:
    rows = messages_csv(tmp_path / "rows.csv", 200)

    ended = command("check", rows, "--model", bert, "--forecast", "0.5", "--json", "--quiet")

    told = json.loads(ended.out.splitlines()[-1])["forecast"]
    assert told["words"].startswith("accuracy 0.5 ")
    assert len(told["curve"]) >= 5
    assert told["metric"] == "accuracy"


@pytest.mark.parametrize("score", ["95", "much", "0"])
def test_what_is_no_score_is_refused(score: str, tmp_path: Path, bert: Path) -> None:
    ended = command("check", messages_csv(tmp_path / "rows.csv", 100), "--model", bert, "--forecast", score)

    assert ended.code == 2
    assert ended.err == f"--forecast {score}: expected a score between 0 and 1, as in --forecast 0.95.\n"


def test_too_few_rows_tell_nothing(tmp_path: Path, bert: Path) -> None:
    ended = command(
        "check", messages_csv(tmp_path / "rows.csv", 40), "--model", bert, "--forecast", "0.9", "--quiet"
    )

    assert ended.code == 2
    assert ended.err == "--forecast: 40 rows are too few to tell how scores grow. Expected at least 60.\n"


# Which rows to label next


def clouds(sizes: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features in clouds, and the cloud of each."""
    dice = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(sizes)), sizes)
    return 8 * np.eye(16)[of] + dice.standard_normal((len(of), 16)), of


def test_without_labels_each_cloud_is_asked_for_once() -> None:
    features, cloud = clouds((60, 50, 40, 30))

    rows = typical(np.zeros((0, 16)), features, 4)

    assert sorted(cloud[rows]) == [0, 1, 2, 3]


def test_a_cloud_with_labels_waits_for_the_others() -> None:
    features, cloud = clouds((60, 50, 40, 30))
    labelled = np.flatnonzero(cloud <= 1)[::20]
    free = np.setdiff1d(np.arange(len(cloud)), labelled)

    rows = free[suggest(features[labelled], cloud[labelled], 2, features[free], 2).rows]

    assert set(cloud[rows]) <= {2, 3}


def test_with_many_labels_the_doubtful_rows_are_asked_for() -> None:
    dice = np.random.default_rng(0)
    features = dice.standard_normal((600, 4))
    targets = (features[:, 0] > 0).astype(np.int64)
    labelled, free = np.arange(2 * ENOUGH), np.arange(2 * ENOUGH, 600)

    found = suggest(features[labelled], targets[labelled], 2, features[free], 10)

    assert found.why == "its label is in doubt"
    assert np.abs(features[free][found.rows, 0]).mean() < 0.75 * np.abs(features[free][:, 0]).mean()
    assert len(set(found.rows.tolist())) == 10


def test_all_rows_can_be_asked_for() -> None:
    features, cloud = clouds((5, 4))

    assert sorted(typical(np.zeros((0, 16)), features, 9).tolist()) == list(range(9))
    assert sorted(doubtful(features[:6], cloud[:6], 2, features, 9).tolist()) == list(range(9))


def unlabelled(folder: Path) -> Path:
    path = folder / "more.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text",), *((text,) for text, _ in messages(80, seed=3))])
    return path


def test_suggestions_are_a_table_to_fill_in_and_tasks(tmp_path: Path, bert: Path) -> None:
    rows, more = messages_csv(tmp_path / "rows.csv", 12), unlabelled(tmp_path)

    ended = command("suggest", rows, "--unlabelled", more, "-n", 7, "--model", bert, "--quiet", "--json")

    record = json.loads(ended.out.splitlines()[-1])
    with open(record["csv"], encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    tasks = json.loads(Path(record["tasks"]).read_text(encoding="utf-8"))
    lines = more.read_text(encoding="utf-8").splitlines()
    assert [row["text"] for row in table] == [task["data"]["text"] for task in tasks]
    assert len({row["text"] for row in table}) == 7
    assert all(lines[int(row["row"]) - 1].strip('"') == row["text"] for row in table)
    assert all(row["label"] == "" for row in table)


def test_labels_that_were_filled_in_are_not_written_over(tmp_path: Path, bert: Path) -> None:
    rows, more = messages_csv(tmp_path / "rows.csv", 12), unlabelled(tmp_path)
    words = ("suggest", rows, "--unlabelled", more, "-n", 3, "--model", bert, "--quiet")
    assert command(*words).code == 0
    table = tmp_path / "more.suggested.csv"
    table.write_text(table.read_text().replace(",,", ",refund,"))

    ended = command(*words)

    assert ended.code == 2
    assert ended.err == f"{table}: holds labels already. Add its rows to your data, then move or delete it.\n"


def test_rows_that_have_labels_are_not_suggested(tmp_path: Path, bert: Path) -> None:
    rows = messages_csv(tmp_path / "rows.csv", 20)

    ended = command("suggest", rows, "--unlabelled", rows, "--model", bert, "--quiet")

    assert ended.code == 2
    assert ended.err == f"{rows}: every row is empty, or is labelled in {rows} already.\n"


def test_the_label_to_suggest_for_is_found_as_tune_finds_it(tmp_path: Path, bert: Path) -> None:
    rows, more = tmp_path / "rows.csv", unlabelled(tmp_path)
    told = list(enumerate(text for text, _ in messages(20)))
    with open(rows, "w", encoding="utf-8", newline="") as file:
        marks = ((text, at % 2, at % 3 == 0, at % 5 == 0) for at, text in told)
        csv.writer(file).writerows(
            [("text", "late", "rude", "odd"), *((text, *map(int, own)) for text, *own in marks)]
        )
    several = command("suggest", rows, "--unlabelled", more, "--model", bert, "--quiet")
    with open(rows, "w", encoding="utf-8", newline="") as file:
        parted = ((text, "ab"[at % 2], ("train", "train", "test")[at % 3]) for at, text in told)
        csv.writer(file).writerows([("text", "verdict", "subset"), *parted])
    parts = command("suggest", rows, "--unlabelled", more, "--model", bert, "--quiet")

    assert several.err.startswith(f"{rows}: rows have several labels, for which no rows are suggested yet.")
    assert parts.code == 0, parts.err


def test_more_than_there_are_is_said(tmp_path: Path, bert: Path) -> None:
    rows, more = messages_csv(tmp_path / "rows.csv", 12), unlabelled(tmp_path)

    ended = command("suggest", rows, "--unlabelled", more, "-n", 500, "--model", bert)

    assert ended.code == 0
    assert "not 500: there are no more without a label." in ended.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--unlabelled: name the file of rows without labels, as in --unlabelled more.csv.\n"),
        (
            ("--unlabelled", "more.csv", "-n", "ten"),
            "-n ten: expected how many rows to suggest, as in -n 50.\n",
        ),
    ],
)
def test_a_request_that_cannot_be_met_is_told(words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    ended = command("suggest", messages_csv(tmp_path / "rows.csv", 12), *words)

    assert (ended.code, ended.err) == (2, told)
