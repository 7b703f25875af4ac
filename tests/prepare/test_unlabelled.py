"""A file of rows without labels: read by the columns of the others, without those that stand in the others too."""

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from luthier.errors import DataError, PlanError
from luthier.forms import FORMS
from luthier.plan.plan import Plan
from luthier.prepare import unlabelled
from luthier.prepare.prepare import prepare
from luthier.prepare.rows import Rows, understand
from tiny import documents_jsonl, images_folder, messages, messages_csv, pairs_jsonl, write_jsonl


def texts_csv(path: Path, texts: Sequence[str], column: str = "text") -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[column, "other"], *([text, "x"] for text in texts)])
    return path


def understood(data: Path, more: Path, **settings: Any) -> Rows:
    return understand(
        Plan.build({"data.path": str(data), "data.unlabelled": str(more), **settings}).of_rows()
    )


def test_rows_that_stand_in_the_others_are_taken_out_and_counted(tmp_path: Path) -> None:
    data = messages_csv(tmp_path / "rows.csv", 60)
    known, new = [text for text, _ in messages(60)], [text for text, _ in messages(20, seed=5)]
    more = texts_csv(tmp_path / "more.csv", [*new, new[0].upper(), " ", *known[:30], f"  {known[0]}"])

    rows = understood(data, more)

    free = rows.unlabelled
    assert free is not None
    assert free.table.texts("text", free.chosen) == new
    train = {int(row) for row in rows.split.train} & set(range(30))
    assert (free.counts.train, free.counts.held_out) == (len(train), 30 - len(train))
    assert free.told == (
        f"{more}: 20 of 53 rows without labels are used; 1 with nothing to read, 2 like a row above, "
        f"{30 - len(train)} also among the rows for validation, calibration or test, {len(train)} also among the training rows.",
    )
    assert free.told[0] in rows.told
    assert rows.understanding.to_json()["unlabelled"] == 20


def test_without_such_a_file_nothing_is_told_of_one(tmp_path: Path) -> None:
    rows = understand(Plan.build({"data.path": str(messages_csv(tmp_path / "rows.csv", 40))}).of_rows())

    assert rows.unlabelled is None
    assert "unlabelled" not in rows.understanding.to_json()


def test_a_file_of_texts_alone_needs_no_header(tmp_path: Path) -> None:
    data = messages_csv(tmp_path / "rows.csv", 40)
    more = tmp_path / "more.txt"
    more.write_text("\n".join(text for text, _ in messages(12, seed=5)), encoding="utf-8")

    free = understood(data, more).unlabelled

    assert free is not None
    assert free.counts.used == 12


def test_a_file_without_the_column_of_the_texts_is_refused(tmp_path: Path) -> None:
    data = messages_csv(tmp_path / "rows.csv", 40)
    more = texts_csv(tmp_path / "more.csv", ["one", "two"], column="texts")

    with pytest.raises(DataError) as error:
        understood(data, more)

    assert str(error.value) == (
        f"{more}: there is no column 'text', by which the other rows are read. Did you mean 'texts'? Columns: 'texts', 'other'. "
        "Give the column that name, or leave it alone in its file."
    )
    named = understood(data, texts_csv(tmp_path / "named.csv", ["one", "two"])).unlabelled
    alone = tmp_path / "alone.csv"
    alone.write_text("texts\none\ntwo\n", encoding="utf-8")
    assert [found.counts.used for found in (named, understood(data, alone).unlabelled) if found] == [2, 2]


def test_of_more_rows_than_are_read_some_are_drawn_by_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unlabelled, "MOST_ROWS", 10)
    data = messages_csv(tmp_path / "rows.csv", 40)
    more = texts_csv(tmp_path / "more.csv", [text for text, _ in messages(30, seed=5)])

    one, same, other = (understood(data, more, **{"data.split_seed": seed}) for seed in (0, 0, 1))

    assert one.unlabelled is not None
    assert same.unlabelled is not None
    assert other.unlabelled is not None
    assert one.unlabelled.chosen.tolist() == same.unlabelled.chosen.tolist()
    assert one.unlabelled.chosen.tolist() != other.unlabelled.chosen.tolist()
    assert (
        one.unlabelled.told[0]
        == f"{more}: 10 of 30 rows without labels are used; 20 not drawn, as 10 are read at the most."
    )


def test_a_file_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    data = messages_csv(tmp_path / "rows.csv", 40)
    rows = understand(Plan.build({"data.path": str(data)}).of_rows())

    with pytest.raises(DataError) as error:
        understood(data, data)

    train = len(rows.split.train)
    assert str(error.value) == (
        f"{data}: none of its 40 rows can be used; {40 - train} also among the rows for validation, calibration or test, {train} "
        "also among the training rows. Name a file of other rows with --unlabelled, or leave it out."
    )


def test_both_texts_of_a_pair_make_a_row(tmp_path: Path) -> None:
    data = pairs_jsonl(tmp_path / "rows.jsonl", 40)
    one, two = (row[0] for row in messages(2, seed=8))
    pairs = [
        {"premise": one, "hypothesis": two},
        {"premise": one, "hypothesis": one},
        {"premise": one, "hypothesis": ""},
    ]

    free = understood(data, write_jsonl(tmp_path / "more.jsonl", pairs)).unlabelled

    assert free is not None
    assert FORMS["pair"].inputs(free.table, free.columns, free.chosen) == [(one, two), (one, one)]
    assert free.counts.empty == 1


def test_images_are_known_again_by_what_is_seen(tmp_path: Path) -> None:
    data, more = images_folder(tmp_path / "images", 30), images_folder(tmp_path / "more", 9, seed=9)
    shutil.copy(data / "red" / "002.png", more / "another-name.png")
    (more / "torn.png").write_bytes(b"no image")

    rows = understood(data, more)

    free = rows.unlabelled
    assert free is not None
    assert (free.counts.rows, free.counts.used, free.counts.empty) == (11, 9, 1)
    assert free.counts.train + free.counts.held_out == 1


def test_a_run_belongs_to_these_rows_too(tmp_path: Path, bert: Path) -> None:
    data = messages_csv(tmp_path / "rows.csv", 40)
    more = texts_csv(tmp_path / "more.csv", [text for text, _ in messages(12, seed=5)])
    asked = {
        "data.path": str(data),
        "model.name": str(bert),
        "train.method": "probe",
        "run.precision": "fp32",
    }

    def key() -> str:
        ready = prepare(Plan.build({**asked, "data.unlabelled": str(more)}))
        assert ready.unlabelled is not None
        assert len(ready.unlabelled.examples) == len(ready.unlabelled.inputs) == 12
        return ready.place.key

    before = key()
    moved = shutil.copy(more, tmp_path / "moved.csv")
    texts_csv(more, [text for text, _ in messages(12, seed=6)])

    assert key() != before
    more = Path(moved)
    assert key() == before


def test_adaptation_takes_such_rows_as_its_own(tmp_path: Path, tiny_model: Any) -> None:
    data = documents_jsonl(tmp_path / "rows.jsonl", 40)

    with pytest.raises(PlanError) as error:
        prepare(
            Plan.build(
                {"data.path": str(data), "data.unlabelled": str(data), "task.name": "adaptation",
                 "model.name": str(tiny_model("bert"))}
            )
        )  # fmt: skip

    assert str(error.value) == (
        "data.unlabelled: no effect with adaptation, to which all rows of DATA are rows without labels. Give these as DATA, too."
    )
