"""Which rows share something, as intervals and the scorecard see it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from command import luthier
from luthier.data.split import Split
from luthier.prepare.clusters import COPIES, SharedRows
from luthier.scores.intervals import proportion
from tiny import messages

AUTHOR = "rows of one 'author'"


def shared(keys: list[int], authors: list[int]) -> SharedRows:
    by = {COPIES: np.array(keys), AUTHOR: np.array(authors)}
    joined = np.array([0, 0, 0, 1, 2, 2])  # as joined_groups would have it
    return SharedRows(joined, by)


def split(test: list[int]) -> Split:
    nothing = np.zeros(0, np.int64)
    return Split(nothing, np.array([4, 5]), nothing, np.array(test), "")


def test_the_clusters_of_a_part_are_those_of_its_rows_alone() -> None:
    found = shared([0, 1, 1, 3, 4, 5], [0, 0, 1, 2, 3, 3])

    groups = found.among(np.array([0, 2, 3]))

    assert groups is not None
    assert groups.tolist() == [0, 0, 1]
    assert found.among(np.array([0, 3, 4])) is None


def test_the_scorecard_says_what_joins_test_rows_and_how_many_clusters_they_are() -> None:
    found = shared([0, 1, 1, 3, 4, 5], [0, 0, 1, 2, 3, 3])

    assert found.to_json(split([0, 1, 2, 3])) == {"by": [COPIES, AUTHOR], "valid": 1, "test": 2}
    assert found.to_json(split([0, 1, 3])) == {"by": [AUTHOR], "valid": 1, "test": 2}
    assert found.to_json(split([0, 3, 4])) is None


def test_few_clusters_of_several_rows_are_told_and_few_rows_are_not() -> None:
    found = shared([0, 1, 1, 3, 4, 5], [0, 0, 1, 2, 3, 3])

    assert found.warnings(np.array([0, 1, 2, 3])) == (
        "The test rows are of 2 clusters only (copies of one row and rows of one 'author' go together), so that intervals are "
        "wide; with fewer than 6 no difference can be beyond noise.",
    )
    assert found.warnings(np.array([0, 1, 3])) == ()


def test_a_run_with_groups_measures_whole_groups_and_can_be_compared_so(
    tmp_path: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open("messages.csv", "w", newline="") as file:
        rows = [(text, label, f"author {at // 4}") for at, (text, label) in enumerate(messages(160))]
        csv.writer(file).writerows([("text", "label", "author"), *rows])
    words = ("--model", sentence_bert, "--group", "author", "--method", "probe", "--quiet", "--threads", 1)

    tuned = luthier("tune", "messages.csv", *words, "--out", "run", "--json")
    compared = luthier("compare", "run", "run", "--json")

    assert (tuned.code, compared.code) == (0, 0), tuned.err + compared.err
    record = json.loads(tuned.out.splitlines()[-1])
    lines = [json.loads(line) for line in Path("run/predictions/test.jsonl").read_text().splitlines()]
    clusters = np.array([line["cluster"] for line in lines])
    right = np.array([line["label"] == line["prediction"] for line in lines], np.float64)
    assert record["clusters"]["by"] == [AUTHOR]
    assert record["clusters"]["test"] == len(set(clusters)) == len(lines) / 4
    assert record["test"]["accuracy"] == proportion(right, groups=clusters).to_json()
    assert record["verdict"]["outcome"] in ("better", "no difference", "worse")
    found = json.loads(compared.out.splitlines()[-1])
    assert (found["outcome"], found["clusters"]) == (
        "no difference",
        {"by": [AUTHOR], "test": len(set(clusters))},
    )
    assert luthier("compare", "run", "nowhere").code == 2
