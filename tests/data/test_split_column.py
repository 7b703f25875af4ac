"""The file's own split: taken where a column says it, and said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command import Ended, luthier
from tiny import messages

ROWS = messages(60)


def check(tmp_path: Path, name: str, value: Callable[[int], Any], *options: str) -> Ended:
    """What `luthier check` says of rows with one more column. value: of each four rows, which have all labels."""
    path = tmp_path / "rows.csv"
    lines = [f'"{text}",{label},{value(at // 4)}\n' for at, (text, label) in enumerate(ROWS)]
    path.write_text(f"text,label,{name}\n" + "".join(lines))
    return luthier("check", path, "--model", "none", "--json", *options)


def understood(*given: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(check(*given).out.splitlines()[-1])["understood"]
    return told


def third(*words: str) -> Callable[[int], str]:
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
def test_words_of_a_column_part_the_rows(tmp_path: Path, name: str, words: tuple[str, ...]) -> None:
    found = understood(tmp_path, name, third(*words))

    assert found["split"] == f"column {name}"
    assert (found["parts"]["valid"], found["parts"]["test"]) == (16, 12)
    assert name not in found["unread"]


@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("True", "False"), ("yes", "no"), ("1.0", "0.0")])
@pytest.mark.parametrize(("name", "part"), [("is_valid", "valid"), ("isTest", "test")])
def test_a_column_of_yes_and_no_marks_one_part(
    tmp_path: Path, name: str, part: str, yes: str, no: str
) -> None:
    found = understood(tmp_path, name, lambda at: yes if at % 4 == 3 else no)

    assert found["split"] == f"column {name}"
    assert found["parts"][part] == 12
    assert found["rows"] == 60


def test_rows_of_no_known_part_are_left_out_and_counted(tmp_path: Path) -> None:
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
        ("part", lambda at: (0, 0, 0, 1, 2)[at % 5]),
        ("split", lambda at: at % 3 if at % 4 else 2),
    ],
)
def test_other_values_part_nothing(tmp_path: Path, name: str, value: Callable[..., Any]) -> None:
    found = understood(tmp_path, name, value)

    assert found["split"] == "random"
    assert name in found["unread"]


def test_the_user_says_by_which_column_or_by_none(tmp_path: Path) -> None:
    assert (
        understood(tmp_path, "split", third("train", "test"), "--split-column", "none")["split"] == "random"
    )
    assert understood(tmp_path, "kind_of_use", third("train", "test"), "--split-column", "kind_of_use")[
        "split"
    ] == ("column kind_of_use")


def test_a_column_that_cannot_part_is_refused(tmp_path: Path) -> None:
    ended = check(tmp_path, "part", third("a", "b"), "--split-column", "part")

    assert ended.code == 2
    assert "column 'part' holds 'a', 'b' and cannot part the rows." in ended.err


def test_files_part_the_rows_before_a_column_does(tmp_path: Path) -> None:
    other = tmp_path / "test.csv"
    other.write_text("text,label,split\nA question of mine.,refund,train\nAnother one,praise,test\n")

    found = understood(tmp_path, "split", third("train", "test"), "--test", str(other))

    assert found["split"] == "files"
    assert found["parts"]["test"] == 2


def test_a_part_of_which_no_row_can_be_used_is_told_by_its_cause(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    lines = [
        f'"{text}",{label if at // 4 % 4 else ""},{("valid", "test", "train", "train")[at // 4 % 4]}\n'
        for at, (text, label) in enumerate(ROWS)
    ]
    path.write_text("text,label,split\n" + "".join(lines))

    ended = luthier("check", path, "--model", "none")

    assert ended.code == 2
    assert (
        f"{path}, validation part: none of its rows can be used: 16 have no label. Fill in their labels, or name "
        "--split-column none with --allow left-out" in ended.err
    )
    assert (
        luthier(
            "check", path, "--model", "none", "--split-column", "none", "--allow", "left-out", "--json"
        ).code
        == 0
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ml_use", ("TRAINING", "VALIDATION", "TEST")),
        ("which rows", ("train", "test")),
        ("corpus", ("Train", "dev", "")),
    ],
)
def test_a_column_of_words_for_parts_alone_parts_the_rows_whatever_its_name(
    tmp_path: Path, name: str, words: tuple[str, ...]
) -> None:
    ended = check(tmp_path, name, third(*words))

    assert json.loads(ended.out)["understood"]["split"] == f"column {name}"
    assert f"split_column: column {name!r}, by its values, all of which are words for parts" in ended.err


@pytest.mark.parametrize(
    ("name", "words"), [("Ml use", ("train", "test", "unsure")), ("mood", ("dev", "test"))]
)
def test_a_column_of_other_words_too_is_none_by_its_values(
    tmp_path: Path, name: str, words: tuple[str, ...]
) -> None:
    assert understood(tmp_path, name, third(*words))["split"] == "random"


def test_a_column_of_labels_is_not_one_of_parts_whatever_its_words(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    lines = [f'{at},"{text}",{("train", "test")[at % 2]}\n' for at, (text, _) in enumerate(ROWS)]
    path.write_text("id,text,topic\n" + "".join(lines))

    found = json.loads(luthier("check", path, "--model", "none", "--json").out)["understood"]

    assert (found["split"], found["columns"]["label"]) == ("random", "topic")


def test_a_file_without_a_header_has_its_column_of_parts_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    words = ("TRAIN", "TRAIN", "VALIDATION", "TEST")
    path.write_text(
        "".join(f'{words[at // 4 % 4]},"{text}",{label}\n' for at, (text, label) in enumerate(ROWS))
    )

    found = json.loads(luthier("check", path, "--model", "none", "--json").out)["understood"]

    assert found["split"] == "column column 1"
    assert found["columns"] == {"text": "column 2", "label": "column 3"}


@pytest.mark.parametrize("name", ["partition", "split", "eval_partition"])
def test_parts_by_number_are_train_valid_and_test(tmp_path: Path, name: str) -> None:
    ended = check(tmp_path, name, lambda at: (0, 0, 0, 1, 2)[at % 5])
    found = json.loads(ended.out)["understood"]

    assert found["split"] == f"column {name}"
    assert (found["parts"]["valid"], found["parts"]["test"]) == (12, 12)
    assert "by its numbers: 0 for train, 1 for valid, 2 for test" in ended.err


@pytest.mark.parametrize("name", ["kfold", "fold", "cv_fold"])
def test_folds_are_told_and_refused_as_parts_with_what_helps(tmp_path: Path, name: str) -> None:
    ended = check(tmp_path, name, lambda at: at % 5)
    refused = check(tmp_path, name, lambda at: at % 5, "--split-column", name)

    assert json.loads(ended.out)["understood"]["split"] == "random"
    assert f"column {name!r} numbers folds, which part no rows here" in ended.err
    assert refused.code == 2
    assert f"column {name!r} numbers folds, 0 to 4, and says of none of them" in refused.err
