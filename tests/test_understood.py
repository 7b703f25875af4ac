"""What was understood of a file is told to programs and people; what cannot be told apart is asked."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from command import Ended, luthier
from tiny import messages

ROWS = messages(60)
Row = dict[str, Any]


def check(path: Path, *options: str) -> Ended:
    return luthier("check", path, "--model", "none", "--json", *options)


def understood(path: Path, *options: str) -> dict[str, Any]:
    ended = check(path, *options)
    assert ended.out, ended.err
    found: dict[str, Any] = json.loads(ended.out.splitlines()[-1])["understood"]
    return found


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    """A file of rows, each made of a text, its label and its number."""

    def write(make: Callable[[str, str, int], Row], name: str = "rows.jsonl", many: Sequence = ROWS) -> Path:
        path = tmp_path / name
        lines = [json.dumps(make(text, label, at)) + "\n" for at, (text, label) in enumerate(many)]
        path.write_text("".join(lines))
        return path

    return write


def test_all_that_was_understood_is_in_the_json(rows):
    found = understood(rows(lambda text, label, at: {"id": at, "text": text, "label": label if at else None}))

    assert found == {
        "task": "text-classification",
        "columns": {"text": "text", "label": "label"},
        "labels": ["broken", "delivery", "praise", "refund"],
        "labels_per_row": "one",
        "rows": 59,
        "left_out": 1,
        "left_out_by": {"no label": 1},
        "encoding": "utf-8",
        "split": "random",
        "parts": {"train": 42, "valid": 6, "calibration": 0, "test": 11},
        "unread": ["id"],
    }


def test_a_person_reads_it_in_a_few_lines(rows):
    path = rows(lambda text, label, at: {"id": at, "text": text, "label": label if at else None})

    said = luthier("check", path, "--model", "none", "--quiet").out.splitlines()

    assert [line.strip() for line in said[:5]] == [
        "text-classification: text 'text', label 'label'",
        "4 labels, one a row: broken, delivery, praise, refund",
        "59 rows, parted drawn at random: 42 train, 6 valid, 0 calibration, 11 test",
        "1 rows left out: 1 no label",
        "not read: id",
    ]


def test_plan_tells_the_same(rows, bert):
    path = rows(lambda text, label, at: {"text": text, "label": label})

    record = json.loads(luthier("plan", path, "--model", bert, "--json").out.splitlines()[-1])

    assert record["understood"] == understood(path)


def test_guesses_are_kept_in_a_plan_that_tune_takes(rows, bert, tmp_path):
    path = rows(lambda text, label, at: {"remark": text, "verdict": label})
    plan = tmp_path / "kept.toml"

    assert luthier("check", path, "--model", "none", "--quiet", "--write-plan", plan).code == 0
    changed = plan.read_text().replace('text = "remark"', 'text = "verdict"')
    plan.write_text(changed.replace('label = "verdict"', 'label = "remark"'))
    ended = luthier("check", "--plan", plan, "--model", "none", "--json")

    assert 'text = "remark"' not in changed
    assert ended.code == 2
    assert luthier("plan", "--plan", plan, "--model", bert).code == 2  # each text is a label of its own


# What is left out


def test_rows_left_out_beyond_a_tenth_stop_a_run(rows, bert, tmp_path):
    path = rows(lambda text, label, at: {"text": text, "label": label if at % 5 else ""})

    refused = luthier(
        "tune", path, "--model", bert, "--method", "probe", "--out", tmp_path / "run", "--quiet"
    )
    allowed = check(path, "--allow", "left-out")

    assert refused.code == 2
    assert "12 rows of 60 would be left out: 12 with no label." in refused.err
    assert "--allow left-out goes on in spite of it." in refused.err
    assert not (tmp_path / "run").exists()
    assert allowed.code == 0


def test_a_tenth_is_no_reason_to_stop(rows):
    assert check(rows(lambda text, label, at: {"text": text, "label": label if at % 10 else ""})).code == 0


# Several columns that are one


def test_a_title_beside_the_text_is_told_and_can_be_read_with_it(rows):
    path = rows(lambda text, label, at: {"title": f"remark {at} of mine", "body": text, "label": label})

    ended = check(path)
    joined = understood(path, "--text", "title,body")

    found = json.loads(ended.out.splitlines()[-1])["findings"]
    assert [one["mend"] for one in found if one["check"] == "text-columns"] == [
        "--text 'title,body' reads them as one; --text COLUMN reads another in its place."
    ]
    assert joined["columns"]["text"] == "title,body"
    assert joined["unread"] == []


def test_what_was_read_as_one_is_predicted_as_one(rows, bert, tmp_path):
    path = rows(lambda text, label, at: {"title": text, "body": "and so on", "label": label})
    new = tmp_path / "new.csv"
    new.write_text("title,body\nMy money back,please\n,\n")
    run = tmp_path / "run"

    tuned = luthier("tune", path, "--model", bert, "--text", "title,body", "--method", "probe", "--out", run, "--quiet",
                    "--allow", "leaks")  # fmt: skip
    ended = luthier("predict", run, new)

    assert tuned.code == 0, tuned.err
    assert [json.loads(line)["label"] is None for line in ended.out.splitlines()] == [False, True]
    assert ended.err == "1 of 2 rows have nothing to read: their answer is null.\n"


@pytest.mark.parametrize("marks", [("0", "1"), ("False", "True"), ("no", "yes"), (0, 1), (0.0, 1.0)])
def test_a_column_for_each_label_is_found_and_can_be_named(rows, marks):
    def make(text: str, label: str, at: int) -> Row:
        return {
            "text": text,
            "refund": marks[label == "refund"],
            "late": marks[at % 3 == 0],
            "rude": marks[at % 5 == 0],
        }

    found, named = understood(rows(make)), understood(rows(make), "--label", "late,rude")

    assert (found["labels_per_row"], found["labels"], found["left_out"]) == (
        "many",
        ["late", "refund", "rude"],
        0,
    )
    assert found["columns"]["label"] == "refund,late,rude"
    assert (named["labels"], named["unread"]) == (["late", "rude"], ["refund"])


def test_columns_of_which_exactly_one_holds_are_one_label(rows):
    names = sorted({label for _, label in ROWS})

    found = understood(
        rows(lambda text, label, at: {"text": text} | {f"label_{name}": int(name == label) for name in names})
    )

    assert (found["labels_per_row"], found["labels"]) == ("one", names)


def test_what_is_no_mark_is_told_with_its_place(rows):
    path = rows(lambda text, label, at: {"text": text, "a": at % 2, "b": "maybe" if at == 5 else at % 3 == 0})

    assert check(path, "--label", "a,b").err.splitlines()[-1] == (
        f"{path.name}, line 6: column 'b' holds 'maybe'. Expected 0 or 1 (or true or false, yes or no) in each of the columns "
        "that --label lists, one for each label."
    )
    assert "there is no column 'c', which --label lists." in check(path, "--label", "a,c").err


# What cannot be learnt


def test_many_whole_numbers_are_amounts_by_their_name_or_asked_about(rows):
    scores = understood(rows(lambda text, label, at: {"essay": text, "score": at * 7 % 101}))
    asked = check(rows(lambda text, label, at: {"text": text, "label": at % 25}, many=messages(100)))

    assert scores["task"] == "regression"
    assert asked.code == 2
    assert "--task text-classification learns them as labels, --task regression estimates them" in asked.err


def test_few_whole_numbers_are_labels_and_that_is_told(rows):
    path = rows(lambda text, label, at: {"text": text, "stars": at % 5 + 1})

    assert understood(path)["labels"] == ["1", "2", "3", "4", "5"]
    assert (
        "the numbers 1 to 5 are taken for 5 labels; --task regression estimates them as numbers."
        in check(path).err
    )


def test_one_set_of_labels_in_all_rows_is_refused(rows):
    ended = check(rows(lambda text, label, at: {"text": text, "labels": ["a", "b"]}))

    told = json.loads(ended.out.splitlines()[-1])["findings"][0]["message"]
    assert ended.code == 2
    assert "every row has the same 2 labels in column 'labels', 'a', 'b'." in told


def test_labels_that_number_the_rows_are_refused(rows):
    ended = check(rows(lambda text, label, at: {"text": text, "label": f"row {at}"}))

    assert ended.code == 2
    assert "it looks like an identifier" in ended.out


def test_a_column_that_says_the_same_as_the_label_is_told_and_not_read(rows):
    numbers = {name: at for at, name in enumerate(sorted({label for _, label in ROWS}))}
    ended = check(rows(lambda text, label, at: {"text": text, "label": numbers[label], "label_text": label}))

    record = json.loads(ended.out.splitlines()[-1])
    assert ended.code == 0
    assert record["understood"]["unread"] == ["label_text"]
    assert [one["message"] for one in record["findings"] if one["check"] == "label-column"] == [
        "Column 'label_text' says the same as 'label', in other words, and is not read."
    ]
