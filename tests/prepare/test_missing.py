"""Words that stand where nothing is meant, and labels that are called like them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from command import luthier
from tiny import messages

ROWS = messages(60)


def understood(tmp_path: Path, rows: Iterable[tuple[Any, Any]], *options: str) -> tuple[dict[str, Any], str]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    ended = luthier("check", path, "--model", "none", "--json", *options)
    return json.loads(ended.out.splitlines()[-1])["understood"], ended.err


@pytest.mark.parametrize("word", ["nan", "NaN", "#N/A", "NULL", "null", "<NA>", "\\N", " nan ", "", None])
def test_what_programs_write_for_nothing_is_nothing(tmp_path: Path, word: str | None) -> None:
    rows = [*ROWS, ("One more question about it.", word), (word, "refund")]

    found, _ = understood(tmp_path, rows)

    assert found["left_out_by"] == {"no text": 1, "no label": 1}
    assert word not in found["labels"]
    assert found["rows"] == 60


@pytest.mark.parametrize("word", ["-", "NA", "N/A", "None", "?"])
def test_a_word_that_is_rarer_than_labels_is_nothing_and_is_told(tmp_path: Path, word: str) -> None:
    rows = [*ROWS, ("One more question about it.", word), ("And another one, again.", word)]

    found, said = understood(tmp_path, rows)

    assert found["left_out_by"] == {"no label": 2}
    assert f"2 cells of column 'label' say {word!r}, which is taken for nothing" in said


@pytest.mark.parametrize("word", ["NA", "None"])
def test_a_word_that_is_as_frequent_as_labels_is_one(tmp_path: Path, word: str) -> None:
    rows = [*ROWS, *((f"Again, remark {at} on this.", word) for at in range(12))]

    found, said = understood(tmp_path, rows)

    assert word in found["labels"]
    assert f"--missing {word} leaves such rows out" in said


def test_the_user_says_which_words_are_nothing(tmp_path: Path) -> None:
    rows = [
        *ROWS,
        *((f"Again, remark {at} on this.", "NA") for at in range(6)),
        ("Last remark, then.", "nan"),
    ]

    named, _ = understood(tmp_path, rows, "--missing", "NA,other")
    kept, _ = understood(tmp_path, [*rows, ("The very last.", "nan")], "--missing", "nothing")

    assert named["left_out_by"]["no label"] == 6
    assert {"NA", "nan"} <= set(kept["labels"])


def test_a_text_that_says_none_is_a_text(tmp_path: Path) -> None:
    found, _ = understood(tmp_path, [*ROWS, ("None", "refund"), ("N/A", "refund")])

    assert found["left_out"] == 0


def test_predict_takes_for_nothing_what_the_run_took_for_nothing(tmp_path: Path, bert: Path) -> None:
    data, new = tmp_path / "rows.jsonl", tmp_path / "new.jsonl"
    data.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS))
    new.write_text('{"text": "nan"}\n{"text": "gone"}\n{"text": "Where is my parcel?"}\n')
    answered = {}

    for words in ("nothing", "gone"):
        out = tmp_path / words
        common = ("--model", bert, "--method", "probe", "--out", out, "--missing", words)
        assert luthier("tune", data, *common).code == 0
        lines = luthier("predict", out, new).out.splitlines()
        answered[words] = [json.loads(line)["label"] is not None for line in lines]

    assert answered == {"nothing": [True, True, True], "gone": [True, False, True]}
