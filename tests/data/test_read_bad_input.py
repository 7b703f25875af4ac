"""What is said of files that cannot be read: what was found, where, and how to mend it."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.data.read import read
from luthier.data.writing import Writing
from luthier.errors import DataError, WorldError

ENDINGS = (
    ".csv, .tsv, .tab, .jsonl, .ndjson, .json, .parquet, .conll, "
    ".arrow, .feather, .txt, .xlsx, .xlsm, .xlsb, .xls, .ods (or one of these with .gz)"
)
QUOTING = (
    'Quotes that belong to a text are doubled, and the text put between quotes: "say ""yes""". '
    "Where quotes are letters, --quoting none reads them so."
)
OBJECT = '{"text": "…", "label": "…"}'
LIST = f"Expected a list of objects such as [{OBJECT}, …], or an object whose only key holds one"


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What reading a file with that name and content is refused with. Paths are shown as from its folder."""
    monkeypatch.chdir(tmp_path)

    def refusal(
        name: str, content: str | bytes | None = None, kind: type[Exception] = DataError, **options: Any
    ) -> str:
        if content is not None:
            Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(kind) as error:
            read(name, Writing(**options))
        return str(error.value)

    return refusal


# The place


def test_a_missing_file_is_answered_with_the_nearest_name(
    refusal: Callable[..., str], tmp_path: Path
) -> None:
    Path("reviews.csv").write_text("text,label\na,b\n")

    assert (
        refusal("revews.csv")
        == f"revews.csv: there is no such file in {tmp_path}. Did you mean 'reviews.csv'?"
    )
    assert refusal("zzz.json") == f"zzz.json: there is no such file in {tmp_path}."
    assert refusal(f"{tmp_path}/zzz.json") == f"{tmp_path}/zzz.json: there is no such file."
    assert refusal("data/reviews.csv") == "data/reviews.csv: there is no such file, nor a folder data."


def test_a_folder_is_no_file_and_its_readable_files_are_named(refusal: Callable[..., str]) -> None:
    Path("empty").mkdir()
    Path("full").mkdir()
    for name in ("one.csv", "two.csv.gz", "notes.md"):
        Path("full", name).touch()

    assert refusal("full") == "full: is a folder. Expected a file of rows. It holds 'one.csv', 'two.csv.gz'."
    assert (
        refusal("empty")
        == f"empty: is a folder. Expected a file of rows. It holds none: they end in {ENDINGS}."
    )


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.doc", "ends in '.doc', which is not read"),
        ("a.doc.gz", "ends in '.doc.gz', which is not read"),
        ("a", "has no ending"),
    ],
)
def test_an_ending_that_is_not_known_is_answered_with_those_that_are(
    refusal: Callable[..., str], name: str, found: str
) -> None:
    assert refusal(name, "text") == f"{name}: {found}. Convert it, or rename it if it is one of {ENDINGS}."


def test_a_pipe_cannot_be_read_twice(refusal: Callable[..., str]) -> None:
    os.mkfifo("a.csv")

    assert (
        refusal("a.csv")
        == "a.csv: is a device or a pipe. Expected a file, which can be read more than once: save what comes from it to one."
    )


def test_a_file_without_permission_is_the_machines_fault(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, mode: str, opener: Any) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("luthier.files.open", refuse, raising=False)  # root may read everything

    message = refusal("a.csv", "text\na\n", WorldError)

    assert message == "a.csv: no permission to read it. Ask its owner, or copy it to a place of your own."


# The bytes


def test_an_empty_file_is_refused_in_every_form(refusal: Callable[..., str]) -> None:
    header = "is empty. Expected a header with names of columns, and rows below it."
    lines = f"is empty. Expected a JSON object on each line, such as {OBJECT}."

    assert refusal("a.csv", "") == f"a.csv: {header}"
    assert refusal("b.csv", "\ufeff\n\n") == f"b.csv: {header}"
    assert refusal("a.tsv.gz", gzip.compress(b"")) == f"a.tsv.gz: {header}"
    assert refusal("a.jsonl", "\n \n") == f"a.jsonl: {lines}"
    assert refusal("a.json", " ") == f"a.json: is empty. {LIST}."


def test_binary_data_is_no_text(refusal: Callable[..., str]) -> None:
    assert refusal("a.csv", bytes(range(256))) == (
        r"a.csv: is binary data, not text (it begins with b'\x00\x01\x02\x03\x04\x05\x06\x07'). Expected rows of text."
    )
    assert refusal("b.jsonl", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR") == (
        r"b.jsonl: is binary data, not text (it begins with b'\x89PNG\r\n\x1a\n'). Expected rows of text."
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b"text,label", mtime=0), "gzip data: add .gz to its name"),
        (b"PK\x03\x04rest", "a zip archive, as Excel workbooks are: unpack it, or save the sheet as CSV"),
        (b"PAR1rest", "parquet: let its name end in .parquet"),
    ],
)
def test_a_known_format_under_the_wrong_name_is_recognised(
    refusal: Callable[..., str], content: bytes, words: str
) -> None:
    assert refusal("a.csv", content) == f"a.csv: is not text but {words}."


def test_a_gzip_file_that_was_cut_off_is_refused(refusal: Callable[..., str]) -> None:
    whole = gzip.compress(os.urandom(1000))

    for name in ("a.csv.gz", "a.jsonl.gz", "a.parquet.gz"):
        assert (
            refusal(name, whole[:-100])
            == f"{name}: is cut off in the middle of its gzip data. Copy or download it again."
        )


def test_a_gzip_file_that_was_altered_is_refused(refusal: Callable[..., str]) -> None:
    altered = bytearray(gzip.compress(b"text,label\na,b\n"))
    altered[-8:-4] = b"\0\0\0\0"

    assert refusal("a.csv.gz", bytes(altered)) == (
        "a.csv.gz: its gzip data are damaged. Copy or download it again."
    )


def test_plain_text_that_ends_in_gz_is_refused(refusal: Callable[..., str]) -> None:
    assert refusal("a.csv.gz", "text,label\na,b\n") == (
        "a.csv.gz: ends in .gz but is not gzip. If it is not compressed, rename it to a.csv; otherwise compress it anew."
    )


def test_a_nul_is_told_with_its_line(refusal: Callable[..., str]) -> None:
    assert refusal("a.csv", "text,label\r\nok,x\r\nb\0ad,y\r\n") == (
        "a.csv, line 3: holds a NUL character, which is not text. Remove it; where there are many, the file is damaged, "
        "or in another encoding than utf-8."
    )


# The encoding


def test_a_byte_of_no_likely_encoding_is_asked_about_with_how_its_line_reads(
    refusal: Callable[..., str],
) -> None:
    assert refusal("a.csv", b"text,label\nok,x\nb\x81d,y\n") == (
        "a.csv, line 3: byte 18 of the file, 0x81, is not UTF-8, and no other encoding is clearly likelier than all others. "
        "A line reads in cp850 'büd,y'; in cp1256 'bپd,y'; in cp932 'b‥,y'. "
        "Name the one that is right with --encoding NAME, or save the file as UTF-8."
    )


def test_a_bad_byte_far_into_a_file_is_found_on_its_line(refusal: Callable[..., str]) -> None:
    rows = b"some words,x\r\n" * 200_000

    assert refusal("a.csv", b"text,label\r\n" + rows + b"\x81,y\r\n").startswith(
        "a.csv, line 200002: byte 2,800,013 of the file,"
    )


def test_utf_8_that_breaks_is_not_taken_for_another_encoding(refusal: Callable[..., str]) -> None:
    assert refusal("a.csv", "text,label\ncafé,x\n".encode() + b"caf\xe9,y\n") == (
        "a.csv, line 3: byte 23 of the file, 0xE9, is not valid in utf-8, as the text before it is. "
        "Correct it, or name the encoding with --encoding NAME."
    )


def test_half_a_character_at_the_end_is_refused(refusal: Callable[..., str]) -> None:
    assert refusal("a.csv", "text,label\na,b\n".encode("utf-16") + b"c") == (
        "a.csv, line 3: byte 33 of the file, 0x63, is not valid in utf-16-le, as the text before it is. "
        "Correct it, or name the encoding with --encoding NAME."
    )


def test_bytes_that_do_not_fit_the_encoding_named_are_refused(refusal: Callable[..., str]) -> None:
    assert refusal("a.csv", "text,label\rok,x\rcafé,b\r".encode("cp1252"), encoding="utf-8") == (
        "a.csv, line 3: byte 20 of the file, 0xE9, is not valid in utf-8, the encoding named. "
        "Name another with --encoding NAME, or leave it out to have it found."
    )
    assert refusal("b.csv", "text,label\nok,x\n", encoding="utf-16") == (
        "b.csv: cannot be read in utf-16 (UTF-16 stream does not start with BOM). "
        "Name another encoding with --encoding NAME, or leave it out to have it found."
    )


@pytest.mark.parametrize("name", ["uft-8", "rot13", "punycode-8"])
def test_an_encoding_that_is_none_is_refused(refusal: Callable[..., str], name: str) -> None:
    assert refusal("a.csv", "text,label\na,b\n", encoding=name) == (
        f"data.encoding: there is no text encoding {name!r}. "
        "Name one that Python knows, such as utf-8, cp1252 or utf-16, or leave it out to have it found."
    )


# CSV


def test_a_header_alone_holds_no_rows(refusal: Callable[..., str]) -> None:
    assert (
        refusal("a.csv", "text,label\n\n")
        == "a.csv: has a header ('text', 'label') and no row below it. Add rows."
    )


def test_ragged_rows_are_counted_and_the_first_are_shown(refusal: Callable[..., str]) -> None:
    assert refusal("a.csv", 'text,label\n"a\nb",x\na,b,c\nok,x\nalone\n') == (
        "a.csv: the header has 2 columns, but the number of values differs in 2 of 4 rows: line 4 has 3 and line 6 has 1. "
        "Put a value that holds ',' or a line end between double quotes, and delete lines that are no rows: line 6 may be none, "
        "'alone'."
    )
    assert refusal("b.csv", "text;label\n" + "ok;x\n" * 20_000 + "a;b;c\n" * 10) == (
        "b.csv: the header has 2 columns, but the number of values differs in 10 of 20,010 rows: line 20002 has 3, "
        "line 20003 has 3, line 20004 has 3, line 20005 has 3, line 20006 has 3, line 20007 has 3, line 20008 has 3, "
        "line 20009 has 3 and 2 more. Put a value that holds ';' or a line end between double quotes."
    )
    assert refusal("c.csv", "text\na, b\n") == (
        "c.csv: the header has 1 column, but the number of values differs in 1 of 1 row: line 2 has 2. "
        "Put a value that holds ',' or a line end between double quotes."
    )


def test_columns_of_the_same_name_are_refused(refusal: Callable[..., str]) -> None:
    message = "the header names 'text', 'b' more than once. Give every column a name of its own."

    assert refusal("a.csv", "text,b, text,b,c\n1,2,3,4,5\n") == f"a.csv: {message}"
    assert (
        refusal("a.parquet", parquet(pa.table([["x"]] * 4, ["text", "b", "text", "b"])))
        == f"a.parquet: {message}"
    )


def test_a_header_of_no_names_is_refused(refusal: Callable[..., str]) -> None:
    assert refusal("a.csv", ",,\na,b,c\n") == "a.csv: the header has no name for any column. Name them."


def test_a_quote_that_is_never_closed_is_told_with_its_line_and_column(refusal: Callable[..., str]) -> None:
    assert refusal("a.csv", 'text,label\n"a\nb",x\n\n"c\nd","oops\ne,f\n') == (
        f"a.csv, line 6, column 'label': a quote opens a value and is never closed. Close it. {QUOTING}"
    )


def test_text_after_a_closing_quote_is_told_with_all_its_lines(refusal: Callable[..., str]) -> None:
    assert refusal("a.csv", 'text,label\n"good" film,x\nok,y\n"bad\n" film,y\n"""no"" "film,y\n') == (
        f"a.csv: 3 rows with text between a closing quote and the next ',': line 2, lines 4 to 5 and line 6. {QUOTING}"
    )


def test_a_stray_quote_is_told_where_the_quoting_first_breaks(refusal: Callable[..., str]) -> None:
    assert refusal("a.csv", 'text,label\n"stray,x\nok,y\nsay "yes",z\n"open, y",z\n') == (
        f"a.csv: 1 row with text between a closing quote and the next ',': lines 2 to 4. {QUOTING}"
    )


@pytest.mark.parametrize("value", ["y" * 1_000_001, '"' + "y" * 10_000_000 + '"', '"' + "y,z\n" * 300_000])
def test_a_value_of_more_than_a_million_characters_is_refused(
    refusal: Callable[..., str], value: str
) -> None:
    assert refusal("a.csv", f'text,label\nok,x\n"b\nc",{value}\nok,x\n') == (
        "a.csv, line 4, column 'label': a value is longer than 1,000,000 characters. "
        f"Shorten it, or see whether a quote opened it by mistake. {QUOTING}"
    )


def test_a_value_of_a_million_characters_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,label\n"' + "y" * 1_000_000 + '",x\n')

    assert [len(text) for text in read(tmp_path / "a.csv").values("text")] == [1_000_000]


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n"])
def test_a_delimiter_that_cannot_separate_is_refused(refusal: Callable[..., str], delimiter: str) -> None:
    assert refusal("a.csv", "text,label\na,b\n", delimiter=delimiter) == (
        f"data.delimiter: {delimiter!r} cannot separate values. "
        r"Give one character that is neither a quote nor a line end, such as ',' ';' or '\t'."
    )


# JSON


def test_all_lines_that_are_no_json_object_are_told(refusal: Callable[..., str]) -> None:
    lines = [
        '{"text": "ok"}',
        '{"text": ',
        "[1]",
        "3",
        "null",
        '"x"',
        "",
        '{"a": 1} x',
        '{"a": "x',
        '{"a": "\\ud83d"}',
        "true",
    ]

    assert refusal("a.jsonl", "\n".join(lines)) == (
        "a.jsonl: 9 of 10 lines cannot be read as a JSON object: line 2 (Expecting value at character 10), line 3 (a list), "
        "line 4 (a number), line 5 (null), line 6 (a text), line 8 (Extra data at character 10), "
        "line 9 (Unterminated string starting at character 7), line 10 (half a character, \\ud83d, without the other half) "
        f"and 1 more. Write one on each line, such as {OBJECT}."
    )


def test_a_list_under_the_name_of_json_lines_is_recognised(refusal: Callable[..., str]) -> None:
    assert refusal("a.jsonl", '[{"text": "a"}]\n') == (
        "a.jsonl: 1 of 1 line cannot be read as a JSON object: line 1 (a list). "
        "If the file is one list of objects, let its name end in .json."
    )


def test_json_too_deep_or_of_too_long_a_number_is_refused(refusal: Callable[..., str]) -> None:
    deep = '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"

    assert refusal("a.jsonl", deep + '\n{"a": ' + "1" * 5000 + "}") == (
        "a.jsonl: 2 of 2 lines cannot be read as a JSON object: line 1 (nested too deeply) and "
        f"line 2 (a number of thousands of digits). Write one on each line, such as {OBJECT}."
    )
    assert refusal("a.json", f"[{deep}]") == (
        "a.json, row 1: is nested too deeply, or has a number of thousands of digits. Remove it."
    )
    assert refusal("b.jsonl", '{"a": ' + "[" * 40 + "]" * 40 + "}") == (
        "b.jsonl: column 'a[][][][][][][][][][…' has lists and objects more than 32 levels deep. Flatten them."
    )


def test_values_that_do_not_go_together_are_told_with_both_rows(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.data.formats.json_rows.BATCH_ROWS", 2)

    assert refusal("a.jsonl", '{"b": {}}\n{"a": null}\n\n{"a": "x"}\n{"a": 1}\n{"a": {"b": 1}}\n') == (
        "a.jsonl: column 'a' holds a text on line 4 and an object on line 6. Write the column in one form."
    )
    assert refusal("a.jsonl", '{"a": 1}\n{"a": []}\nbroken\n').startswith(
        "a.jsonl: 1 of 3 lines cannot be read"
    )
    assert refusal("b.jsonl", '{"m": [{"c": [1]}]}\n{"m": []}\n{"m": [{"c": true}]}\n') == (
        "b.jsonl: column 'm[].c' holds a list on line 1 and true or false on line 3. Write the column in one form."
    )
    assert refusal("c.json", '[{"a": 1}, {"a": [2, {"b": 3}]}]') == (
        "c.json: column 'a[]' holds an object on row 2 and a number there too. Write the column in one form."
    )


def test_keys_that_are_data_are_refused(refusal: Callable[..., str]) -> None:
    rows = "".join(json.dumps({f"user {number}": 1}) + "\n" for number in range(5_001))

    assert refusal("a.jsonl", rows) == (
        "a.jsonl: the rows have more than 5,000 different keys. Write what varies as values, not as keys."
    )
    assert refusal("b.jsonl", json.dumps({"likes": {str(number): 1 for number in range(5_001)}})) == (
        "b.jsonl: column 'likes' has more than 5,000 different keys. Write what varies as values, not as keys."
    )


def test_objects_without_keys_hold_nothing(refusal: Callable[..., str]) -> None:
    assert (
        refusal("a.jsonl", "{}\n{}\n")
        == f"a.jsonl: holds no row with a value. Expected objects such as {OBJECT}."
    )


@pytest.mark.parametrize(
    ("content", "place", "error"),
    [
        ('[{"a": 1},\n {"a": }]', "line 2, character 8", "Expecting value"),
        ('[{"a": 1}', "line 1, character 10", "Expecting ',' or ']'"),
        ('[{"a": 1} {"a": 2}]', "line 1, character 11", "Expecting ',' or ']'"),
        ('[{"a": 1},]', "line 1, character 11", "Expecting value"),
        ('[{"a": 1}]\n\nx', "line 3, character 1", "Extra data"),
        ('{"data": [{"a": 1}]', "line 1, character 20", "Expecting ',' delimiter"),
        ('{"data": ', "line 1, character 10", "Expecting value"),
    ],
)
def test_broken_json_is_told_with_its_line_and_character(
    refusal: Callable[..., str], content: str, place: str, error: str
) -> None:
    assert refusal("a.json", content) == f"a.json, {place}: is not valid JSON ({error}). Correct it there."


def test_json_of_another_shape_is_refused(refusal: Callable[..., str]) -> None:
    pandas = "; pandas writes it with orient='records'"

    assert refusal("a.json", '{"text": "a", "label": "b"}') == (
        f"a.json: is one object with the keys 'text', 'label'. {LIST}{pandas}."
    )
    assert refusal("b.json", '{"train": [{"a": 1}], "test": [{"a": 1}, {"a": 2}]}') == (
        "b.json: is one object with several lists of objects or lists: 'train' (1 item), 'test' (2 items). Which of them the "
        "rows are is not plain. Save the one that is meant as a file of its own; a list for each part is given as DATA, --valid "
        "and --test."
    )
    assert refusal("c.json", "3") == f"c.json: is a number. {LIST}."


def test_items_of_a_list_that_are_no_objects_are_told(refusal: Callable[..., str]) -> None:
    assert refusal("a.json", '[1, {"a": 1}, ["x"]]') == (
        f"a.json: 2 of 3 rows cannot be read as a JSON object: row 1 (a number) and row 3 (a list). Expected {OBJECT}."
    )


def test_a_list_without_items_holds_no_rows(refusal: Callable[..., str]) -> None:
    assert refusal("a.json", '{"data": []}') == (
        f"a.json: holds a list without rows. Expected objects in it, such as {OBJECT}."
    )


# Parquet


def parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue().to_pybytes())


def test_a_parquet_file_without_rows_is_refused(refusal: Callable[..., str]) -> None:
    assert refusal("a.parquet", parquet(pa.table({"text": pa.array([], pa.string())}))) == (
        "a.parquet: holds no rows. Write it anew with rows in it."
    )


def test_a_parquet_file_that_is_broken_is_refused(refusal: Callable[..., str]) -> None:
    whole = parquet(pa.table({"text": ["a" * 100, "b" * 100]}))

    assert refusal("a.parquet", whole[:-20]) == (
        "a.parquet: is not a whole parquet file (Parquet magic bytes not found in footer. "
        "Either the file is corrupted or this is…). Write or copy it anew."
    )
    assert refusal("b.parquet", "text,label\na,b\n").startswith("b.parquet: is not a whole parquet file (")
    assert refusal("c.parquet", whole[:4] + b"\xff" * 20 + whole[24:]).startswith(
        "c.parquet: is not a whole parquet file ("
    )


def test_a_parquet_file_with_strings_that_are_none_is_refused(refusal: Callable[..., str]) -> None:
    broken = pa.array([b"fine", b"\xff"]).view(pa.string())

    assert refusal("a.parquet", parquet(pa.table({"text": broken}))) == (
        "a.parquet: is not a whole parquet file (In column 0: Invalid: Invalid UTF8 sequence at string index 1). Write or copy "
        "it anew."
    )


# Everything


def test_no_message_prints_a_long_value_whole(refusal: Callable[..., str]) -> None:
    long = "x" * 5000
    messages = [
        refusal("a.csv", f"{long},{long}\n1,2\n"),
        refusal("b.csv", f"{long},label\n"),
        refusal("c.csv", f'{long},label\n"a,b,c\n'),
        refusal("a.jsonl", json.dumps({long: 1}) + "\n" + json.dumps({long: {"b": 1}})),
        refusal("b.jsonl", long),
        refusal("a.json", json.dumps({long: 1, "b": long})),
        refusal("d.csv", "a,b\n1,2\n", encoding=long),
        refusal("e.csv", "a,b\n1,2\n", delimiter=long),
    ]

    assert max(map(len, messages)) < 400
