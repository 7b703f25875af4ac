"""Lists that people open in a spreadsheet: nothing in them is computed there, and what comes back is what was written."""

import csv
import json
from pathlib import Path

import pytest

from command import luthier as command
from luthier.data.formats.sheets import as_written, defused, read_sheet, sheet
from luthier.data.read import read
from luthier.doctor.patch_file import CHANGE, Edit, read_patch, write_patch
from luthier.errors import DataError
from tiny import messages, messages_csv

BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
TEXTS = [
    *(f"{begin}cmd|'/c calc'!A1" for begin in BEGINNINGS),
    *(f"'{begin}1" for begin in BEGINNINGS),
    *(
        "''=1",
        "'tis the season",
        "''",
        "'",
        "",
        "a =1",
        ' "=1"',
        "a\rb",
        "a\r\nb\n=1",
        "1,5;2|3\t4",
        '"quoted"',
        "é你👍",
    ),
]


def computed(path: Path) -> list[str]:
    """Cells that a spreadsheet would compute."""
    with open(path, encoding="utf-8", newline="") as file:
        return [cell for row in csv.reader(file) for cell in row if cell.startswith(BEGINNINGS)]


@pytest.mark.parametrize("text", TEXTS)
def test_a_cell_begins_with_nothing_that_is_computed_and_gives_its_text_back(text: str) -> None:
    assert not defused(text).startswith(BEGINNINGS)
    assert as_written(defused(text)) == text
    assert as_written(text) == text or text.startswith("'")


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8", ","), ("utf-8-sig", ";"), ("utf-16", "\t")])
def test_a_list_comes_back_however_a_spreadsheet_saves_it(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        sheet([("text", "=label"), *((text, "x") for text in TEXTS)]), encoding="utf-8", newline=""
    )
    assert computed(path) == []
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    with open(path, "w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)

    found = read_sheet(path, ("text", "=label"))

    assert [row["text"] for row in found] == TEXTS
    assert {row["=label"] for row in found} == {"x"}


def test_a_list_without_its_columns_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("text,lable\na,b\n")

    with pytest.raises(DataError) as error:
        read_sheet(path, ("text", "label"))

    assert (
        str(error.value) == f"{path}: expected the columns text, label. Write them back, or delete the file."
    )


def test_a_patch_has_no_cell_that_is_computed_and_leads_back_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "rows.patch.csv"
    edits = [
        Edit(at + 2, CHANGE, "=column", text, f"{text}.", "garbage", raw=f"{text},label\r\n")
        for at, text in enumerate(TEXTS)
    ]

    write_patch(path, "=rows.csv", edits, "before", "after")
    patch = read_patch(path)

    assert computed(path) == []
    assert (patch.name, patch.edits, patch.edited) == ("=rows.csv", tuple(edits), False)


@pytest.mark.parametrize("number", ["²", "-1", "9" * 5000, "x", ""])
def test_a_patch_whose_row_is_no_number_is_refused(tmp_path: Path, number: str) -> None:
    path = tmp_path / "rows.patch.csv"
    write_patch(path, "rows.csv", [Edit(2, "delete", "", "a", "", "copies", "a,b\n")], "before", "after")
    path.write_text(path.read_text().replace("\n2,delete", f"\n{number},delete"))

    with pytest.raises(DataError) as error:
        read_patch(path)

    assert str(error.value) == f"{path}, row 3: expected a row number, and 'delete' or 'change'."


def test_a_corrected_copy_has_no_mark_and_its_patch_undoes_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows = [
        (f"=SUM(A{at}) <b>a</b> number {at} of {text}", label)
        for at, (text, label) in enumerate(messages(60))
    ]
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])

    assert command("check", path, "--model", "none", "--fix", "garbage", "--quiet").code == 0

    fixed, patch = tmp_path / "rows.fixed.csv", tmp_path / "rows.patch.csv"
    assert computed(patch) == []
    assert all(text.startswith("=SUM") for text in read(fixed).texts("text"))
    assert command("check", fixed, "--undo", patch).code == 0
    assert (tmp_path / "rows.undone.csv").read_bytes() == path.read_bytes()


def test_rows_to_label_are_not_computed_and_give_the_same_texts_once_they_are_filled_in(
    tmp_path: Path, bert: Path
) -> None:
    rows, more = messages_csv(tmp_path / "rows.csv", 12), tmp_path / "more.jsonl"
    texts = [
        f"{('=', '@', chr(39) + '=', chr(39))[at % 4]}{text}"
        for at, (text, _) in enumerate(messages(24, seed=3))
    ]
    more.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))

    ended = command("suggest", rows, "--unlabelled", more, "-n", 24, "--model", bert, "--quiet")

    assert ended.code == 0, ended.err
    path = tmp_path / "more.suggested.csv"
    assert computed(path) == []
    path.write_text(path.read_text().replace(",,", ",=refund,"))
    table = read(path)
    assert sorted(table.texts("text")) == sorted(set(texts))
    assert set(table.texts("label")) == {"=refund"}
    assert table.guesses == (
        f"{path}: is luthier's own list of rows to label; the apostrophe that keeps a spreadsheet from computing a cell is taken "
        "off.",
    )
    assert command("suggest", rows, "--unlabelled", more, "--model", bert, "--quiet").code == 2, (
        "labels are filled in"
    )


def test_a_table_of_the_users_own_keeps_its_apostrophes(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label,file,row\n'=1+1,a,x.csv,one\n'-2,b,x.csv,two\n")
    assert read(path).texts("text") == ["'=1+1", "'-2"]

    path.write_text("text,label\n'=1+1,a\n'-2,b\n")
    assert read(path).texts("text") == ["'=1+1", "'-2"]
