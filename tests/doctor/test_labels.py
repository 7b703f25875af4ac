"""How many labels a score takes, and which rows to label next."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command import luthier as command
from luthier.scores.learning_curve import Curve, power_law, power_law_with_floor, rows_needed
from luthier.train.probe.learning_curve import probe_curve, spread
from luthier.train.probe.suggest import ENOUGH, Doubt, doubtful, enough, least_sure, suggest, typical
from tiny import TINY_IMAGES, images_folder, messages, messages_csv, pairs_jsonl, tagged_jsonl, write_jsonl

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


def test_parts_of_nearly_one_size_tell_nothing(tmp_path: Path, bert: Path) -> None:
    rows = tmp_path / "rows.csv"
    cells = [(text, f"label {at % 25}") for at, (text, _) in enumerate(messages(100))]
    rows.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in cells), encoding="utf-8")

    ended = command("check", rows, "--model", bert, "--forecast", "0.9", "--quiet")

    assert ended.code == 2
    assert ended.err == (
        "--forecast: how scores grow is told from parts of the rows in which each label stands twice, and of 100 rows these are "
        "50 to 80, too alike to tell. Expected at least 125 rows.\n"
    )


# Which rows to label next


def clouds(sizes: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features in clouds, and the cloud of each."""
    dice = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(sizes)), sizes)
    return 8 * np.eye(16)[of] + dice.standard_normal((len(of), 16)), of


def test_without_labels_each_cloud_is_asked_for_once() -> None:
    features, cloud = clouds((60, 50, 40, 30))

    rows = typical(np.zeros((0, 16)), features, 4, seed=0)

    assert sorted(cloud[rows]) == [0, 1, 2, 3]


def test_a_cloud_with_labels_waits_for_the_others() -> None:
    features, cloud = clouds((60, 50, 40, 30))
    labelled = np.flatnonzero(cloud <= 1)[::20]
    free = np.setdiff1d(np.arange(len(cloud)), labelled)

    rows = free[suggest(features[labelled], features[free], None, 2, seed=0).rows]

    assert set(cloud[rows]) <= {2, 3}


def test_with_many_labels_the_doubtful_rows_are_asked_for() -> None:
    dice = np.random.default_rng(0)
    features = dice.standard_normal((600, 4))
    targets = (features[:, 0] > 0).astype(np.int64)
    labelled, free = np.arange(2 * ENOUGH), np.arange(2 * ENOUGH, 600)

    sureness = Doubt.of(features[labelled], targets[labelled], 2).sureness(features[free])
    found = suggest(features[labelled], features[free], sureness, 10, seed=0)

    assert enough(len(labelled), 2)
    assert found.by_doubt
    assert np.abs(features[free][found.rows, 0]).mean() < 0.75 * np.abs(features[free][:, 0]).mean()
    assert len(set(found.rows.tolist())) == 10


def test_all_rows_can_be_asked_for() -> None:
    features, _ = clouds((5, 4))

    assert sorted(typical(np.zeros((0, 16)), features, 9, seed=0).tolist()) == list(range(9))
    assert sorted(doubtful(np.linspace(0, 1, 9), features, 9, seed=0).tolist()) == list(range(9))


def test_of_any_number_of_labels_the_least_sure_one_counts() -> None:
    dice = np.random.default_rng(0)
    features = dice.standard_normal((400, 4))
    marks = (features[:, :2] > 0).astype(np.float32)

    sureness = Doubt.of(features[:200], marks[:200], 2).sureness(features[200:])

    near = np.abs(features[200:, :2]).min(1)
    assert near[np.argsort(sureness)[:20]].mean() < 0.5 * near.mean()


def test_of_words_the_three_least_sure_tell_how_sure_a_row_is() -> None:
    one_odd_word, several = np.array([0.0, 1.0, 1.0, 1.0]), np.array([0.2, 0.2, 0.2, 1.0])

    assert least_sure(several) < least_sure(one_odd_word)
    assert least_sure(np.zeros(0)) == 1.0


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
        parted = ((text, "ab"[at % 2], ("train", "train", "test")[at % 3]) for at, text in told)
        csv.writer(file).writerows([("text", "verdict", "subset"), *parted])

    ended = command("suggest", rows, "--unlabelled", more, "--model", bert, "--quiet")

    assert ended.code == 0, ended.err


def test_rows_with_any_number_of_labels_are_suggested_with_a_column_for_each(
    tmp_path: Path, bert: Path
) -> None:
    rows, more = tmp_path / "rows.csv", unlabelled(tmp_path)
    with open(rows, "w", encoding="utf-8", newline="") as file:
        marks = (
            (text, *map(int, (at % 2, at % 3 == 0, at % 5 == 0))) for at, (text, _) in enumerate(messages(60))
        )
        csv.writer(file).writerows([("text", "late", "rude", "odd"), *marks])

    found = suggested(rows, more, bert)

    assert found["why"] == "its label is in doubt"
    with open(found["csv"], encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == ["text", "late", "rude", "odd", "file", "row"]


@pytest.mark.parametrize(
    ("labelled", "why"),
    [(6, "typical of texts that no label speaks of yet"), (120, "some of its words are in doubt")],
)
def test_texts_with_entities_are_suggested(labelled: int, why: str, tmp_path: Path, bert: Path) -> None:
    rows = tagged_jsonl(tmp_path / "rows.jsonl", labelled)
    others = [
        json.loads(line)
        for line in tagged_jsonl(tmp_path / "others.jsonl", 60, seed=5).read_text().splitlines()
    ]
    more = write_jsonl(tmp_path / "more.jsonl", [{"tokens": one["tokens"]} for one in others])

    found = suggested(rows, more, bert)

    assert found["why"] == why
    texts = {" ".join(one["tokens"]) for one in others}
    assert all(row["text"] in texts for row in found["rows"])
    with open(found["csv"], encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == ["tokens", "tags", "file", "row"]


def test_pairs_are_suggested_with_both_texts(tmp_path: Path, bert: Path) -> None:
    rows = pairs_jsonl(tmp_path / "rows.jsonl", 12)
    others = [
        json.loads(line)
        for line in pairs_jsonl(tmp_path / "others.jsonl", 40, seed=5).read_text().splitlines()
    ]
    more = write_jsonl(
        tmp_path / "more.jsonl", [{key: one[key] for key in ("premise", "hypothesis")} for one in others]
    )

    found = suggested(rows, more, bert)

    tasks = json.loads(Path(found["tasks"]).read_text())
    pairs = {(one["premise"], one["hypothesis"]) for one in others}
    assert {(one["data"]["premise"], one["data"]["hypothesis"]) for one in tasks} <= pairs
    assert len(tasks) == 5


def test_images_of_a_folder_are_suggested_by_their_paths(tmp_path: Path) -> None:
    model = TINY_IMAGES["resnet"](tmp_path / "resnet")
    rows = images_folder(tmp_path / "labelled", 12)
    pool = tmp_path / "pool"
    for at, path in enumerate(sorted(images_folder(tmp_path / "others", 30, seed=7).rglob("*.png"))):
        pool.mkdir(exist_ok=True)
        path.rename(pool / f"{at:02}.png")
    known = next(iter(sorted(rows.rglob("*.png"))))
    (pool / "known.png").write_bytes(known.read_bytes())
    (pool / "torn.png").write_bytes(known.read_bytes()[:40])

    found = suggested(rows, pool, model)

    assert found["why"] == "typical of images that no label speaks of yet"
    assert (
        "Left out of 32 rows: 2 that are empty or cannot be opened, copies, or labelled already."
        in found["notes"]
    )
    with open(found["csv"], encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert all((Path(found["csv"]).parent / row["image"]).is_file() and row["label"] == "" for row in table)


def test_a_kind_of_task_that_cannot_says_so(tmp_path: Path, bert: Path) -> None:
    rows = write_jsonl(
        tmp_path / "rows.jsonl",
        [{"text": text, "score": at / 7} for at, (text, _) in enumerate(messages(40))],
    )

    ended = command("suggest", rows, "--task", "regression", "--unlabelled", rows, "--model", bert, "--quiet")

    assert ended.code == 2
    assert ended.err == (
        f"{rows}: is read as rows of regression, for which no rows are suggested yet. Use --task text-classification if each row "
        "is a text with a label.\n"
    )


def suggested(rows: Path, more: Path, model: Path) -> dict[str, Any]:
    """What the command tells of five suggested rows."""
    ended = command("suggest", rows, "--unlabelled", more, "-n", 5, "--model", model, "--quiet", "--json")
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out.splitlines()[-1])
    return found


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
