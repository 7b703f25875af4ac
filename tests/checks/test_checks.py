"""Each check finds what is wrong in a small table, at its place in the user's own file, and is silent on a clean one."""

import csv
from pathlib import Path
from typing import Any

import pytest

from luthier.checks import TABLE, examine
from luthier.checks.finding import Finding
from luthier.plan.plan import Plan
from luthier.prepare.rows import understand
from tiny import messages

CLEAN = list(dict(messages(60)).items())
"""Without a text that occurs twice."""


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def check(folder: Path, rows: list[tuple[str, str]], **parts: list[tuple[str, str]]) -> dict[str, Finding]:
    """What the checks say of rows.csv, and of valid.csv and test.csv where there are rows for them; by check."""
    files = {f"data.{part}": str(write(folder / f"{part}.csv", given)) for part, given in parts.items()}
    settings: dict[str, Any] = {"data.path": str(write(folder / "rows.csv", rows)), **files}
    # Every label of these is small.
    looked_for = {name: look for name, look in TABLE.items() if name != "imbalance"}
    found = examine(understand(Plan.build(settings)).evidence, looked_for)
    assert len({finding.check for finding in found}) == len(found)
    return {finding.check: finding for finding in found}


def test_a_clean_table_gives_no_finding(tmp_path: Path) -> None:
    assert check(tmp_path, CLEAN[:40], valid=CLEAN[40:50], test=CLEAN[50:]) == {}


def test_a_row_without_text_is_found(tmp_path: Path) -> None:
    found = check(tmp_path, [*CLEAN[:20], ("  ", "praise"), *CLEAN[20:]])

    assert found == {
        "empty": Finding(
            check="empty",
            severity="warn",
            count=1,
            share=1 / (len(CLEAN) + 1),
            rows=({"file": "rows.csv", "row": 22, "text": "  "},),
            message="1 row has nothing in column 'text'. Left out.",
            matters="What is left out teaches nothing; many of them mean that a column was misread.",
            mend="Fill them in, or delete them from the file (luthier check --fix empty).",
        )
    }


def test_rows_without_label_are_found(tmp_path: Path) -> None:
    found = check(tmp_path, [("no label", ""), *CLEAN, ("none either", "")])["empty"]

    assert found.count == 2
    assert found.message == "2 rows have nothing in column 'label'. Left out."
    assert found.rows == (
        {"file": "rows.csv", "row": 2, "text": "no label"},
        {"file": "rows.csv", "row": len(CLEAN) + 3, "text": "none either"},
    )


def test_a_label_that_occurs_once_is_found(tmp_path: Path) -> None:
    found = check(tmp_path, [*CLEAN, ("Where is the slip?", "delivry")])

    assert found == {
        "single-labels": Finding(
            check="single-labels",
            severity="warn",
            count=1,
            share=1 / (len(CLEAN) + 1),
            rows=({"file": "rows.csv", "row": len(CLEAN) + 2, "text": "Where is the slip?"},),
            message="1 label occurs once: 'delivry'. 1 row is left out.",
            matters="One row cannot be both learnt and tested: such a label is never predicted.",
            mend="Correct the label where it is a slip; else add rows with it, or delete it.",
        )
    }


def test_copies_are_found_whatever_their_case_and_spaces(tmp_path: Path) -> None:
    text, label = CLEAN[7]

    found = check(tmp_path, [*CLEAN, (text.upper(), label), (text.replace(" ", "  "), label)])

    assert list(found) == ["copies"]
    copies = found["copies"]
    assert (copies.severity, copies.count, copies.share) == ("warn", 2, 2 / (len(CLEAN) + 2))
    assert [(row["file"], row["row"]) for row in copies.rows] == [
        ("rows.csv", len(CLEAN) + 2),
        ("rows.csv", len(CLEAN) + 3),
    ]
    assert copies.message == "2 rows repeat the text of an earlier row."


def test_contradictions_are_found_with_every_row_of_them(tmp_path: Path) -> None:
    text = CLEAN[3][0]
    other = "praise" if CLEAN[3][1] != "praise" else "refund"

    found = check(tmp_path, [*CLEAN, (text, other)])

    assert sorted(found) == ["contradictions", "copies"]
    contradictions = found["contradictions"]
    assert (contradictions.severity, contradictions.count) == ("warn", 2)
    assert [row["row"] for row in contradictions.rows] == [5, len(CLEAN) + 2]
    assert {row["text"] for row in contradictions.rows} == {text}
    assert contradictions.message == "2 rows have a text that occurs again with another label."


def test_a_copy_with_the_same_label_is_no_contradiction(tmp_path: Path) -> None:
    assert "contradictions" not in check(tmp_path, [*CLEAN, CLEAN[3]])


def test_a_test_row_that_stands_in_the_training_rows_is_found(tmp_path: Path) -> None:
    found = check(tmp_path, CLEAN[:40], test=[*CLEAN[40:49], (CLEAN[5][0].upper(), CLEAN[5][1])])

    assert found == {
        "leaks": Finding(
            check="leaks",
            severity="stop",
            count=1,
            share=1 / 10,
            rows=({"file": "test.csv", "row": 11, "text": CLEAN[5][0].upper()},),
            message="1 row of the 10 test rows also stands in the training data.",
            matters="Their answers are known, so the score is too good by up to their share.",
            mend="Delete them from the training rows (luthier check --fix leaks) or from the test rows.",
        )
    }


@pytest.mark.parametrize("kept", [1, 2, 3, 4])
def test_a_leak_into_the_validation_rows_is_found(tmp_path: Path, kept: int) -> None:
    found = check(tmp_path, CLEAN[:40], valid=[*CLEAN[40:50], *CLEAN[:kept]], test=CLEAN[50:])["leaks"]

    assert (found.count, found.share) == (kept, kept / (10 + kept))
    assert [row["row"] for row in found.rows] == list(range(12, 12 + kept))
    assert {row["file"] for row in found.rows} == {"valid.csv"}


def test_a_test_row_that_stands_in_the_validation_rows_is_found(tmp_path: Path) -> None:
    found = check(tmp_path, CLEAN[:40], valid=CLEAN[40:50], test=[*CLEAN[50:], CLEAN[45]])

    assert list(found) == ["leaks"]
    assert [(row["file"], row["row"]) for row in found["leaks"].rows] == [("test.csv", len(CLEAN) - 50 + 2)]


def test_copies_within_a_split_made_here_do_not_leak(tmp_path: Path) -> None:
    assert "leaks" not in check(tmp_path, [*CLEAN, *CLEAN[:20]])


def test_copies_are_counted_file_by_file(tmp_path: Path) -> None:
    found = check(tmp_path, [*CLEAN[:40], CLEAN[0]], test=[*CLEAN[40:], CLEAN[41], CLEAN[41]])["copies"]

    places = [("rows.csv", 42), ("test.csv", len(CLEAN) - 38), ("test.csv", len(CLEAN) - 37)]
    assert found.count == 3
    assert [(row["file"], row["row"]) for row in found.rows] == places


def test_a_finding_shows_ten_examples_and_counts_all(tmp_path: Path) -> None:
    found = check(tmp_path, [*CLEAN, *[("", "praise")] * 25])["empty"]

    assert found.count == 25
    assert [row["row"] for row in found.rows] == list(range(len(CLEAN) + 2, len(CLEAN) + 12))


def test_leaks_and_contradictions_list_every_row(tmp_path: Path) -> None:
    swapped = [(text, "praise" if label != "praise" else "refund") for text, label in CLEAN[:15]]

    found = check(tmp_path, [*CLEAN, *swapped], test=CLEAN[15:40])

    assert len(found["contradictions"].rows) == found["contradictions"].count == 30
    assert len(found["leaks"].rows) == found["leaks"].count == 25


def test_a_row_that_spans_lines_is_placed_where_it_begins(tmp_path: Path) -> None:
    found = check(tmp_path, [("Two\nlines of the text", "praise"), *CLEAN, (" ", "praise")])["empty"]

    assert [row["row"] for row in found.rows] == [len(CLEAN) + 4]


def test_findings_are_json(tmp_path: Path) -> None:
    record = check(tmp_path, [*CLEAN, CLEAN[0]])["copies"].to_json()

    assert record["rows"] == [{"file": "rows.csv", "row": len(CLEAN) + 2, "text": CLEAN[0][0]}]
    assert set(record) == {"check", "severity", "count", "share", "rows", "message", "matters", "mend"}
