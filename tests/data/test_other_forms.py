"""A file that is not what its name ends in is told by what it is, and named so it is read."""

import json
import zipfile
from pathlib import Path

import pytest

from luthier.data.images.files import read_images
from luthier.data.read import read
from luthier.errors import DataError
from tiny import messages

ROWS = messages(20)
TABLE = "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in ROWS)
TABBED = "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS)
OBJECTS = [{"text": text, "label": label} for text, label in ROWS]
LINES = "".join(json.dumps(row) + "\n" for row in OBJECTS)
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n"


@pytest.mark.parametrize(
    ("content", "ending", "right"),
    [
        (LINES, ".csv", ".jsonl"),
        (LINES, ".tsv", ".jsonl"),
        (json.dumps(OBJECTS), ".csv", ".json"),
        (json.dumps(OBJECTS, indent=2), ".csv", ".json"),
        (json.dumps(OBJECTS, indent=2), ".txt", ".json"),
        (json.dumps({"data": OBJECTS}, indent=1), ".tsv", ".json"),
        (TABLE, ".json", ".csv"),
        (TABLE.replace('",', '";').replace("text,", "text;"), ".jsonl", ".csv"),
        (TABBED, ".json", ".tsv"),
        (TABBED, ".xls", ".tsv"),
        (TABLE, ".xlsx", ".csv"),
    ],
)
def test_text_of_another_form_is_told_with_the_ending_that_reads_it(
    tmp_path: Path, content: str, ending: str, right: str
) -> None:
    path = tmp_path / f"rows{ending}"
    path.write_text(content)

    with pytest.raises(DataError, match=rf"rows\{ending}: .* Let its name end in \{right}\."):
        read(path)

    assert len(read(path.rename(path.with_suffix(right)))) == len(ROWS)


@pytest.mark.parametrize(
    "content", ['"{""a"": 1}",label\n1,a\n2,b\n', "[text],[label]\nSome words.,a\nOther words.,b\n"]
)
def test_braces_in_a_table_make_no_json_of_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "rows.csv").write_text(content)

    assert len(read(tmp_path / "rows.csv")) == 2


@pytest.mark.parametrize(
    "content", ["<html><table><tr><td>a</td></tr></table></html>", "<?xml version='1.0'?><a/>"]
)
def test_a_web_page_called_a_workbook_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "rows.xls").write_text(content)

    with pytest.raises(DataError, match=r"is a web page or XML, and no workbook, .* save the sheet as CSV"):
        read(tmp_path / "rows.xls")


@pytest.mark.parametrize(
    "name", ["a.csv", "a.json", "a.parquet", "a.xlsx", "a.csv.gz", "a.conll", "a.txt", "a.jsonl", "a.arrow"]
)
def test_a_pointer_of_git_lfs_is_told_whatever_the_name_ends_in(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(POINTER)

    with pytest.raises(DataError, match=r"is a pointer of Git LFS, not the file itself, .* `git lfs pull`"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_pointer_in_the_place_of_images_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(POINTER)

    with pytest.raises(DataError, match="is a pointer of Git LFS"):
        read_images(tmp_path / name)


def test_a_pointer_of_git_annex_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("/annex/objects/MD5E-s12--4d7a214614ab2935.csv\n")

    with pytest.raises(DataError, match="is a pointer of git-annex"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["train.csv"], "It holds a file of rows, 'train.csv': unpack it, and name that file."),
        (
            ["a/x.jsonl", "y.csv"],
            "It holds files of rows, 'a/x.jsonl', 'y.csv': unpack it, and name the file that is meant.",
        ),
    ],
)
def test_an_archive_of_rows_alone_is_told_to_be_unpacked(
    tmp_path: Path, names: list[str], words: str
) -> None:
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        for name in names:
            archive.writestr(name, TABLE)

    with pytest.raises(DataError) as refused:
        read_images(tmp_path / "rows.zip")

    assert words in str(refused.value)


def test_what_webanno_writes_is_told_with_a_form_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(
        "#FORMAT=WebAnno TSV 3.2\n#T_SP=x|value\n\n\n#Text=Ann.\n1-1\t0-3\tAnn\tPER\t\n"
    )

    with pytest.raises(DataError, match=r"Export it as CoNLL 2002, and let its name end in \.conll\."):
        read(tmp_path / "a.tsv")
