"""The file's own split: taken where a column says it, and said."""

import json
from pathlib import Path

import pytest

from command import luthier
from tiny import messages

ROWS = messages(60)


def check(tmp_path: Path, name: str, value, *options: str):
    """What `luthier check` says of rows with one more column. value: of each four rows, which have all labels."""
    path = tmp_path / "rows.csv"
    lines = [f'"{text}",{label},{value(at // 4)}\n' for at, (text, label) in enumerate(ROWS)]
    path.write_text(f"text,label,{name}\n" + "".join(lines))
    return luthier("check", path, "--model", "none", "--json", *options)


def understood(*given) -> dict:
    return json.loads(check(*given).out.splitlines()[-1])["understood"]


def third(*words: str):
    """The words in turn: the first twice as often as the others."""
    return lambda at: ([words[0], *words] * 20)[at % (len(words) + 1)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("split", ("train", "dev", "test")),
        ("Set", ("Training", "Validation", "Testing")),
        ("fold", ("TRAIN", "VAL", "TEST")),
        ("Usage", ("Training", "PublicTest", "PrivateTest")),
        ("data split", ("train", "valid", "holdout")),
    ],
)
def test_words_of_a_column_part_the_rows(tmp_path, name, words):
    found = understood(tmp_path, name, third(*words))

    assert found["split"] == f"column {name}"
    assert (found["parts"]["valid"], found["parts"]["test"]) == (16, 12)
    assert name not in found["unread"]


@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("True", "False"), ("yes", "no"), ("1.0", "0.0")])
@pytest.mark.parametrize(("name", "part"), [("is_valid", "valid"), ("isTest", "test")])
def test_a_column_of_yes_and_no_marks_one_part(tmp_path, name, part, yes, no):
    found = understood(tmp_path, name, lambda at: yes if at % 4 == 3 else no)

    assert found["split"] == f"column {name}"
    assert found["parts"][part] == 12
    assert found["rows"] == 60


def test_rows_of_no_known_part_are_left_out_and_counted(tmp_path):
    found = understood(
        tmp_path, "split", lambda at: ["train", "train", "test", "unsup"][at] if at < 4 else "train"
    )

    assert found["left_out_by"] == {"no known part in 'split'": 4}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fold", lambda at: at % 5),
        ("set", lambda at: "abc"[at % 3]),
        ("split", lambda at: "test"),
        ("part", lambda at: ""),
    ],
)
def test_other_values_part_nothing(tmp_path, name, value):
    found = understood(tmp_path, name, value)

    assert found["split"] == "random"
    assert name in found["unread"]


def test_the_user_says_by_which_column_or_by_none(tmp_path):
    assert (
        understood(tmp_path, "split", third("train", "test"), "--split-column", "none")["split"] == "random"
    )
    assert understood(tmp_path, "kind_of_use", third("train", "test"), "--split-column", "kind_of_use")[
        "split"
    ] == ("column kind_of_use")


def test_a_column_that_cannot_part_is_refused(tmp_path):
    ended = check(tmp_path, "part", third("a", "b"), "--split-column", "part")

    assert ended.code == 2
    assert "column 'part' holds 'a', 'b' and cannot part the rows." in ended.err


def test_files_part_the_rows_before_a_column_does(tmp_path):
    other = tmp_path / "test.csv"
    other.write_text("text,label,split\nA question of mine.,refund,train\nAnother one,praise,test\n")

    found = understood(tmp_path, "split", third("train", "test"), "--test", str(other))

    assert found["split"] == "files"
    assert found["parts"]["test"] == 2


def test_a_part_of_which_no_row_can_be_used_is_told_by_its_cause(tmp_path):
    path = tmp_path / "rows.csv"
    lines = [
        f'"{text}",{label if at // 4 % 4 else ""},{("valid", "test", "train", "train")[at // 4 % 4]}\n'
        for at, (text, label) in enumerate(ROWS)
    ]
    path.write_text("text,label,split\n" + "".join(lines))

    ended = luthier("check", path, "--model", "none")

    assert ended.code == 2
    assert (
        f"{path}, validation part: none of its rows can be used: each lacks its text or its label"
        in ended.err
    )
