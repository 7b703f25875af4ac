"""A corrected copy differs by the patch alone, and the patch undone gives the original back, byte for byte."""

import gzip
import time
from pathlib import Path

import pytest

from luthier.data.read import read
from luthier.data.writing import Writing
from luthier.doctor import patch as patches
from luthier.doctor.patch_file import Edit, read_patch
from luthier.doctor.row_format import Format
from luthier.errors import DataError

CSV = b'text,label\r\n"one, with ""quotes""",a\r\n\r\n"two\nlines",b\r\nthree,a\r\nlast,"b"'
JSONL = b'{"label": ["a"], "text": "caf\xc3\xa9"}\n\n{"text":"two","label":["a","b"]}\r\n{"text": "last", "label": ["b"]}'


def starts(path: Path, **how: str) -> list[int]:
    return sorted(read(path, Writing(**how)).line_of.tolist())


def correct(path: Path, edits: list[Edit], **how: str) -> tuple[Path, Path]:
    fixed, patch = path.with_name("fixed" + "".join(path.suffixes)), path.with_name("x.patch.csv")
    patches.check_unedited(patch, fixed)
    patches.correct(Format.of(path, Writing(**how)), edits, starts(path, **how), fixed, patch)
    return fixed, patch


def undone(path: Path, fixed: Path, patch: Path, **how: str) -> bytes:
    target = path.with_name("undone" + "".join(path.suffixes))
    patches.undo(fixed, patch, target, Writing(**how))
    return target.read_bytes()


EDITS = [
    [Edit(2, "delete", "", "x", "", "copies")],
    [Edit(7, "delete", "", "x", "", "copies")],
    [Edit(4, "change", "text", "two\nlines", "one, line", "garbage")],
    [
        Edit(4, "change", "label", "b", "a", "labels"),
        Edit(4, "change", "text", "two\nlines", "x\ny\nz", "garbage"),
    ],
    [Edit(line, "delete", "", "", "", "copies") for line in (2, 4, 6, 7)],
    [Edit(6, "change", "label", "a", 'say "b"', "labels"), Edit(7, "change", "label", "b", "", "labels")],
]


@pytest.mark.parametrize("edits", EDITS)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_csv_patch_undone_gives_the_same_bytes(tmp_path: Path, edits: list[Edit], mark: bytes) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(mark + CSV)

    fixed, patch = correct(path, edits)

    assert undone(path, fixed, patch) == mark + CSV
    assert fixed.read_bytes() != mark + CSV
    assert [edit.line for edit in read_patch(patch).edits] == [edit.line for edit in edits]


def test_what_is_not_changed_is_carried_over_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(CSV)

    fixed, _ = correct(path, [Edit(6, "change", "label", "a", "b, or c", "labels")])

    assert fixed.read_bytes() == CSV.replace(b"three,a", b'three,"b, or c"')


def test_json_lines_are_patched_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(JSONL)

    fixed, patch = correct(
        path, [Edit(1, "delete", "", "", "", "copies"), Edit(3, "change", "label", "a|b", "b|c", "labels")]
    )

    assert b'{"text": "two", "label": ["b", "c"]}' in fixed.read_bytes()
    assert undone(path, fixed, patch) == JSONL


def test_a_compressed_file_has_its_content_back(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(CSV))

    fixed, patch = correct(path, EDITS[0])

    assert gzip.decompress(undone(path, fixed, patch)) == CSV


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_other_encodings_come_back_too(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("text,label\ncafé,a\nthé,b\nlait,b\n".encode(encoding))

    fixed, patch = correct(path, [Edit(3, "change", "text", "thé", "crème", "garbage")], encoding=encoding)

    assert fixed.read_bytes().decode(encoding) == "text,label\ncafé,a\ncrème,b\nlait,b\n"
    assert undone(path, fixed, patch, encoding=encoding) == path.read_bytes()


def test_an_edited_patch_is_applied_and_then_leads_back(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(CSV)
    fixed, patch = correct(path, EDITS[4])
    lines = patch.read_bytes().decode().splitlines(keepends=True)
    patch.write_bytes("".join(lines[:3]).encode())  # a person keeps the first deletion alone

    patches.apply(Format.of(path), patch, starts(path), fixed)

    assert fixed.read_bytes() == CSV.replace(b'"one, with ""quotes""",a\r\n\r\n', b"")
    assert undone(path, fixed, patch) == CSV


def test_a_patch_that_was_edited_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(CSV)
    _, patch = correct(path, EDITS[0])
    patch.write_bytes(patch.read_bytes().replace(b"copies", b"a reason"))

    with pytest.raises(DataError) as error:
        correct(path, EDITS[1])

    assert str(error.value) == (
        f"{patch}: was edited by hand since it was written. --apply {patch} uses it; rename or delete it to make a new one."
    )


def test_a_copy_that_was_edited_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(CSV)
    fixed, patch = correct(path, EDITS[0])
    mine = fixed.read_bytes() + b"\r\nmore,a"
    fixed.write_bytes(mine)

    with pytest.raises(DataError) as error:
        correct(path, EDITS[1])
    with pytest.raises(DataError):
        patches.apply(Format.of(path), patch, starts(path), fixed)

    assert str(error.value) == (
        f"{fixed}: is there already, and was changed by hand. Rename or delete it to make a new one."
    )
    assert fixed.read_bytes() == mine


def test_a_copy_that_was_changed_cannot_be_undone(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(CSV)
    fixed, patch = correct(path, EDITS[0])
    fixed.write_bytes(fixed.read_bytes() + b"\r\nmore,a")

    with pytest.raises(DataError) as error:
        undone(path, fixed, patch)

    assert str(error.value).startswith(
        f"{fixed}: is not the copy that {patch} leads to: one of them was changed since."
    )


def test_a_patch_of_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(CSV)
    fixed, patch = correct(path, EDITS[0])
    path.write_bytes(CSV.replace(b"three", b"thirteen"))

    with pytest.raises(DataError) as error:
        patches.apply(Format.of(path), patch, starts(path), fixed)

    assert str(error.value) == (
        f"{path}: is not the file that {patch} was made for (rows.csv), or was changed since. Make a new patch with --fix KINDS."
    )


def test_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        Format.of(tmp_path / "rows.parquet")

    assert str(error.value).startswith(
        f"{tmp_path / 'rows.parquet'}: is corrected only as .csv, .tsv, .tab, .jsonl, .ndjson"
    )


@pytest.mark.parametrize("name", ["rows.tab", "rows.ndjson"])
def test_what_is_called_otherwise_is_corrected_too(tmp_path: Path, name: str) -> None:
    tabbed = name == "rows.tab"
    path = tmp_path / name
    path.write_text("text\tlabel\nsome words\ta\n" if tabbed else '{"text": "some words", "label": "a"}\n')

    changed = Format.of(path).changed(path.read_text().splitlines()[-1], {"label": "b"})

    assert changed == ("some words\tb" if tabbed else '{"text": "some words", "label": "b"}')
    assert read(path).columns.column("label").to_pylist() == ["a"]


def test_thousands_of_edits_are_applied_in_seconds(tmp_path: Path) -> None:
    path, count = tmp_path / "rows.csv", 20_000
    path.write_text("text,label\n" + "".join(f"text {at},a\n" for at in range(count)))
    starts = list(range(2, count + 2))
    fixed, patch = tmp_path / "rows.fixed.csv", tmp_path / "rows.patch.csv"
    form = Format.of(path, Writing())
    edits = [Edit(at, "change", "label", "a", "b", "labels") for at in starts]
    patches.correct(form, edits, starts, fixed, patch)
    begin = time.monotonic()

    patches.apply(form, patch, starts, fixed)

    assert time.monotonic() - begin < 10  # all rows were once gathered for each edit, which took minutes
    assert fixed.read_text() == path.read_text().replace(",a\n", ",b\n")
