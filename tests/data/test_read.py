"""Reading files of rows: every form, and for every row the line where it begins."""

import csv
import errno
import gzip
import io
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.data.read import read
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.errors import DataError, WorldError

ROWS = [{"text": "great sound", "label": "good"}, {"text": "flimsy, “case”", "label": "bad"}]
AS_CSV = 'text,label\r\ngreat sound,good\r\n"flimsy, “case”",bad\r\n'
AS_LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def rows_of(table: Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.columns.to_pylist()
    return rows


def lines_of(table: Table) -> list[int]:
    return [int(line) for line in table.line_of]


def parquet_bytes(columns: dict[str, Any], **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, **options)
    return bytes(sink.getvalue().to_pybytes())


SAME_ROWS = {
    ".csv": AS_CSV.encode(),
    ".tsv": "text\tlabel\ngreat sound\tgood\nflimsy, “case”\tbad\n".encode(),
    ".jsonl": AS_LINES.encode(),
    ".json": json.dumps(ROWS).encode(),
    ".parquet": parquet_bytes({"text": [row["text"] for row in ROWS], "label": ["good", "bad"]}),
}


@pytest.mark.parametrize("suffix", SAME_ROWS)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_form_gives_the_same_rows_and_the_same_fingerprint(
    write: Callable[..., Path], suffix: str, zipped: bool
) -> None:
    content = SAME_ROWS[suffix]
    path = write(
        "Reviews" + suffix.upper() + (".gz" if zipped else ""), gzip.compress(content) if zipped else content
    )

    table = read(path)

    assert rows_of(table) == ROWS
    assert table.fingerprint == read(write("plain.csv", AS_CSV)).fingerprint
    assert table.files == (path,)
    assert table.file_of.tolist() == [0, 0]
    assert table.guesses == ()


def test_a_csv_row_knows_the_line_where_it_begins(write: Callable[..., Path]) -> None:
    path = write("a.csv", 'text,label\n\n"two\nlines",x\nplain,y\n\n\n"three\n\nlines",z\nlast,w')

    table = read(path)

    assert table.values("text") == ["two\nlines", "plain", "three\n\nlines", "last"]
    assert lines_of(table) == [3, 5, 8, 11]
    assert str(table.place(2)) == "a.csv, line 8"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system_and_a_quoted_line_end_is_kept(
    write: Callable[..., Path], end: str
) -> None:
    path = write("a.csv", end.join(["text,label", '"a', 'b",x', "c,y", "", ""]))

    table = read(path)

    assert rows_of(table) == [{"text": f"a{end}b", "label": "x"}, {"text": "c", "label": "y"}]
    assert lines_of(table) == [2, 4]


def test_a_doubled_quote_is_a_quote_and_one_inside_an_unquoted_value_is_itself(
    write: Callable[..., Path],
) -> None:
    path = write("a.csv", 'text,label\n"she said ""no""",a\n5" screen,b\n"""",c\n')

    assert read(path).values("text") == ['she said "no"', '5" screen', '"']


def test_csv_values_stay_strings_and_an_empty_one_is_the_empty_string(write: Callable[..., Path]) -> None:
    table = read(write("a.csv", 'text,stars\n007,5\n,4.50\n" x ",""\n'))

    assert rows_of(table) == [
        {"text": "007", "stars": "5"},
        {"text": "", "stars": "4.50"},
        {"text": " x ", "stars": ""},
    ]


def test_lines_of_blanks_are_no_rows(write: Callable[..., Path]) -> None:
    assert lines_of(read(write("a.csv", "text,label\n  \na,b\n,,,\n \t\nc,d\n"))) == [3, 6]


def test_a_csv_of_one_column_needs_no_delimiter(write: Callable[..., Path]) -> None:
    table = read(write("a.csv", 'text\nfirst\n""\n"a, b"\n'))

    assert rows_of(table) == [{"text": "first"}, {"text": ""}, {"text": "a, b"}]


@pytest.mark.parametrize(
    ("delimiter", "content"),
    [
        (";", "name;price\nlamp;1,50\nchair, red;20,00\n"),
        (";", '"text";"label"\n"a, b";"x"\n"c, d";"y"\n'),
        ("\t", "text\tlabel\na, b\tx\n"),
        ("|", "text|label\na; b|x\nc; d|y\n"),
    ],
)
def test_the_delimiter_is_the_one_that_cuts_header_and_rows_alike_and_is_told(
    write: Callable[..., Path], delimiter: str, content: str
) -> None:
    path = write("a.csv", content)

    table = read(path)

    assert table.names == [name.strip('"') for name in content.split("\n")[0].split(delimiter)]
    assert table.guesses == (
        f"{path}: its values are separated by {delimiter!r}; --delimiter CHARACTER corrects it.",
    )


def test_commas_in_quotes_do_not_mislead_the_search_for_the_delimiter(write: Callable[..., Path]) -> None:
    assert read(write("a.csv", 'text,label\n"a;b;c",x\n"d;e;f",y\n')).names == ["text", "label"]


@pytest.mark.parametrize("given", ["\t", "\\t"])
def test_a_delimiter_that_is_given_is_used(write: Callable[..., Path], given: str) -> None:
    table = read(write("a.csv", "text,long\tlabel\na,b\tx\n"), Writing(delimiter=given))

    assert rows_of(table) == [{"text,long": "a,b", "label": "x"}]


def test_a_very_wide_csv_is_read(write: Callable[..., Path]) -> None:
    names = [f"c{number}" for number in range(3000)]
    path = write("a.csv", ",".join(names) + "\n" + (",".join("v" for _ in names) + "\n") * 20)

    table = read(path)

    assert (len(table), len(table.names)) == (20, 3000)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json"])
def test_the_encoding_is_found(write: Callable[..., Path], name: str, encoding: str) -> None:
    content = {
        "a.csv": "text,label\nDie Größe ist für mich schön – 5 €,good\n",
        "a.jsonl": '{"text": "Die Größe ist für mich schön – 5 €", "label": "good"}\n',
        "a.json": '[{"text": "Die Größe ist für mich schön – 5 €", "label": "good"}]\n',
    }[name]

    table = read(write(name, content, encoding))

    assert rows_of(table) == [{"text": "Die Größe ist für mich schön – 5 €", "label": "good"}]


def test_utf_16_with_big_endian_mark_is_found(write: Callable[..., Path]) -> None:
    assert read(write("a.csv", "\ufefftext,label\na,b\n", "utf-16-be")).names == ["text", "label"]


def test_an_encoding_other_than_utf_8_is_told_with_the_setting_that_corrects_it(
    write: Callable[..., Path],
) -> None:
    path = write("a.csv", "text,label\nDie Größe ist für mich schön,good\n", "cp1252")

    assert read(path).guesses == (f"{path}: is read as cp1252; --encoding NAME corrects it.",)


def test_an_encoding_that_is_given_is_used(write: Callable[..., Path]) -> None:
    path = write("a.csv", "text,label\nпривет,good\n", "cp1251")

    table = read(path, Writing(encoding="cp1251"))

    assert table.values("text") == ["привет"]
    assert table.guesses == ()


def test_characters_on_the_border_of_the_chunks_that_are_decoded_are_whole(
    write: Callable[..., Path],
) -> None:
    text = "a" + "é" * 1_500_000  # every é of two bytes, one of them across the first border of 2**20 bytes
    path = write("a.jsonl", json.dumps({"text": text}, ensure_ascii=False))

    assert read(path).values("text") == [text]


def test_unicode_line_separators_do_not_end_a_line(write: Callable[..., Path]) -> None:
    text = "one\u2028two\u2029three\u0085four\x0bfive\x0csix"
    lines = write(
        "a.jsonl",
        json.dumps({"text": text}, ensure_ascii=False) + '\n{"text": "b"}\n',
    )
    table = write("a.csv", f"text,label\n{text},x\nb,y\n")

    assert lines_of(read(table)) == [2, 3]
    assert read(table).values("text") == [text, "b"]
    assert lines_of(read(lines)) == [1, 2]
    assert read(lines).values("text") == [text, "b"]


def test_a_line_of_json_knows_its_line_and_blank_lines_are_no_rows(write: Callable[..., Path]) -> None:
    table = read(write("a.jsonl", '\ufeff\n{"text": "a"}\r\n\r\n  \n{"text": "b"}'))

    assert rows_of(table) == [{"text": "a"}, {"text": "b"}]
    assert lines_of(table) == [2, 5]


def test_columns_are_all_keys_in_order_of_appearance_and_what_is_missing_is_null(
    write: Callable[..., Path],
) -> None:
    table = read(write("a.jsonl", '{"b": 1}\n{"a": "x", "b": null}\n{"c": true}\n'))

    assert table.columns.to_pydict() == {
        "b": [1, None, None],
        "a": [None, "x", None],
        "c": [None, None, True],
    }


@pytest.mark.parametrize(
    ("values", "kind", "read_as"),
    [
        (["a", "b"], "string", ["a", "b"]),
        ([1, 2], "int64", [1, 2]),
        ([1, 2.5], "double", [1.0, 2.5]),
        ([True, None], "bool", [True, None]),
        (["a", 1, 2.50, True, None], "string", ["a", "1", "2.5", "true", None]),
        ([True, 1], "string", ["true", "1"]),
        ([1, 2**70], "string", ["1", str(2**70)]),
        ([2**60 + 1, 0.5], "double", [float(2**60), 0.5]),
        ([None, None], "null", [None, None]),
        ([["a"], []], "list<item: string>", [["a"], []]),
        ([["a", 1], None], "list<item: string>", [["a", "1"], None]),
        ([[1], [0.5]], "list<item: double>", [[1.0], [0.5]]),
    ],
)
@pytest.mark.parametrize("batch", [1, 100])
def test_the_type_of_a_json_column_holds_all_its_values_however_they_are_batched(
    write: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    values: list[object],
    kind: str,
    read_as: list[object],
    batch: int,
) -> None:
    monkeypatch.setattr("luthier.data.formats.json_rows.BATCH_ROWS", batch)
    path = write("a.jsonl", "".join(json.dumps({"value": value}) + "\n" for value in values))

    column = read(path).columns.column("value")

    assert str(column.type) == kind
    assert column.to_pylist() == read_as


def test_objects_keep_their_shape_and_gain_the_fields_of_later_rows(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.data.formats.json_rows.BATCH_ROWS", 1)
    rows = [
        {"answers": {"text": [], "answer_start": []}, "notes": [{"who": "user", "said": "hi"}]},
        {
            "answers": {"text": ["x"], "answer_start": [3]},
            "notes": [{"who": "bot", "said": None, "by": 7}],
        },
    ]

    table = read(write("a.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))

    assert table.values("answers") == [row["answers"] for row in rows]
    assert table.values("notes") == [
        [{"who": "user", "said": "hi", "by": None}],
        [{"who": "bot", "said": None, "by": 7}],
    ]


def test_batches_do_not_show_in_rows_lines_or_fingerprint(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"text": f"row {number}", "tags": ["x"] * (number % 3)} for number in range(50)] + [
        {"text": 1, "late": 0}
    ]
    path = write("a.jsonl", "\n".join(map(json.dumps, rows)))
    whole = read(path)

    monkeypatch.setattr("luthier.data.formats.json_rows.BATCH_ROWS", 7)
    cut = read(path)

    assert whole.columns.column("text").num_chunks < cut.columns.column("text").num_chunks
    assert rows_of(whole) == rows_of(cut)
    assert whole.line_of.tolist() == cut.line_of.tolist()
    assert whole.fingerprint == cut.fingerprint


def test_nan_in_json_is_a_value_that_is_missing(write: Callable[..., Path]) -> None:
    assert read(write("a.jsonl", '{"text": "a"}\n{"text": NaN}\n')).values("text") == ["a", None]


def test_a_json_object_may_hold_the_list_under_its_only_key(write: Callable[..., Path]) -> None:
    table = read(write("a.json", '{"data" : [\n  {"text": "a]"},\n  {"text": "b"}\n]}\n'))

    assert rows_of(table) == [{"text": "a]"}, {"text": "b"}]
    assert lines_of(table) == [1, 2]


def test_json_lines_in_a_file_that_ends_in_json_are_read_as_lines(write: Callable[..., Path]) -> None:
    table = read(write("a.json", '{"text": "a"}\n\n{"text": "b"}\n'))

    assert rows_of(table) == [{"text": "a"}, {"text": "b"}]
    assert lines_of(table) == [1, 3]


def test_parquet_types_that_only_concern_storage_become_plain(write: Callable[..., Path]) -> None:
    columns = {
        "text": pa.array(["a", "b"], pa.large_string()),
        "label": pa.array(["x", "x"]).dictionary_encode(),
        "spans": pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2)),
    }

    table = read(write("a.parquet", parquet_bytes(columns)))

    assert [str(field.type) for field in table.columns.schema] == ["string", "string", "list<item: int64>"]
    assert rows_of(table)[1] == {"text": "b", "label": "x", "spans": [3, 4]}
    assert lines_of(table) == [1, 2]


def test_a_row_of_parquet_knows_its_number_across_batches(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.data.formats.parquet.BATCH_ROWS", 2)

    table = read(write("a.parquet", parquet_bytes({"text": list("abcde")}, row_group_size=3)))

    assert "".join(table.values("text")) == "abcde"
    assert lines_of(table) == [1, 2, 3, 4, 5]


def test_the_fingerprint_sees_values_types_names_order_and_nulls(write: Callable[..., Path]) -> None:
    contents = [
        '{"a": "x", "b": 1}\n{"a": "y", "b": 2}',
        '{"a": "x", "b": 1}\n{"a": "y", "b": 3}',
        '{"a": "x", "b": 1}\n{"a": "y", "b": 2.0}',
        '{"a": "x", "c": 1}\n{"a": "y", "c": 2}',
        '{"a": "y", "b": 2}\n{"a": "x", "b": 1}',
        '{"a": "x", "b": 1}\n{"a": "", "b": 2}',
        '{"a": "x", "b": 1}\n{"a": null, "b": 2}',
        '{"a": "xy", "b": 1}\n{"a": "", "b": 2}',
        '{"a": ["x"], "b": 1}\n{"a": ["y"], "b": 2}',
        '{"a": ["x", "y"], "b": 1}\n{"a": [], "b": 2}',
        '{"a": ["x", "y"], "b": 1}\n{"a": null, "b": 2}',
        '{"a": {"x": true}, "b": 1}\n{"a": {"x": false}, "b": 2}',
        '{"a": {"x": true}, "b": 1}\n{"a": {"x": null}, "b": 2}',
        '{"a": {"x": true}, "b": 1}\n{"a": null, "b": 2}',
    ]

    prints = [read(write("a.jsonl", content)).fingerprint for content in contents]

    assert len(set(prints)) == len(contents)


def test_the_fingerprint_does_not_see_slices() -> None:
    columns = pa.table({"a": ["", "x", None, "yz"], "b": [[{"c": 1}], None, [], [{"c": None}, {"c": 2}]]})
    pieces = pa.concat_tables([columns.slice(start, 1) for start in range(4)])

    none = np.empty(0, np.int64)
    prints = {Table(part, (), none, none).fingerprint for part in (columns, pieces, pieces.combine_chunks())}

    assert len(prints) == 1


def test_values_come_in_the_order_asked_for_across_batches(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.data.formats.json_rows.BATCH_ROWS", 3)
    table = read(write("a.jsonl", "".join(f'{{"n": {number}}}\n' for number in range(10))))

    assert table.values("n", [9, 0, 4, 4, 2]) == [9, 0, 4, 4, 2]
    assert table.values("n", []) == []
    assert table.texts("n", [3, 1]) == ["3", "1"]


def test_joined_tables_keep_files_lines_and_guesses_and_widen_types(write: Callable[..., Path]) -> None:
    train = read(write("train.jsonl", '{"text": "a", "score": 1}\n'))
    test = read(write("test.jsonl", '\n{"score": 0.5, "text": "Die Größe", "more": 1}\n', "cp1252"))

    table = Table.join([train, test])

    assert rows_of(table) == [{"text": "a", "score": 1.0}, {"text": "Die Größe", "score": 0.5}]
    assert [str(table.place(row)) for row in (0, 1)] == ["train.jsonl, line 1", "test.jsonl, line 2"]
    assert table.guesses == test.guesses != ()


def test_tables_of_other_columns_do_not_join(write: Callable[..., Path]) -> None:
    train = read(write("train.jsonl", '{"text": "a", "label": 1}\n'))
    nameless = read(write("test.jsonl", '{"text": "a", "lable": 1}\n'))
    worded = read(write("valid.jsonl", '{"text": "a", "label": "one"}\n'))

    with pytest.raises(DataError) as missing:
        Table.join([train, nameless])
    with pytest.raises(DataError) as other:
        Table.join([train, worded])

    assert str(missing.value) == (
        f"{nameless.files[0]}: has no column 'label', which {train.files[0]} has. Did you mean 'lable'? "
        "Its columns: 'text', 'lable'."
    )
    assert str(other.value) == (
        f"{worded.files[0]}: column 'label' is of type string, but in {train.files[0]} it is of int64. "
        "Write it in the same form in both."
    )


def test_no_temporary_file_is_left_behind(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))

    table = read(write("a.csv", AS_CSV))
    read(write("a.parquet.gz", gzip.compress(SAME_ROWS[".parquet"])))
    with pytest.raises(DataError):
        read(write("b.csv", AS_CSV + "ragged\n"))

    assert list(scratch.iterdir()) == []
    assert rows_of(table) == ROWS


class FullDisk(io.RawIOBase):
    def __init__(self, descriptor: int, mode: str) -> None:
        os.close(descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_with_the_folder_and_the_way_out(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("a.csv", AS_CSV)
    monkeypatch.setattr("os.fdopen", FullDisk)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1_234_567))
    monkeypatch.setattr("tempfile.tempdir", "/tmp")

    with pytest.raises(WorldError) as error:
        read(path)

    assert str(error.value) == (
        f"/tmp: the disk is full (1 MB free) while rows of {path} were laid out there. "
        "Free some space, or set the variable TMPDIR to a folder that has more."
    )


def test_the_limit_of_the_csv_module_is_as_before_whatever_happens(write: Callable[..., Path]) -> None:
    before = csv.field_size_limit()
    path = write("a.csv", "text,label\n" + "x" * 200_000 + ",y\n")

    threads = [threading.Thread(target=read, args=(path,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(DataError):
        read(write("b.csv", 'text,label\n"x,y,z\n'))

    assert csv.field_size_limit() == before


def test_long_rows_are_laid_out_in_small_batches(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.data.formats.delimited.BATCH_CHARACTERS", 1000)
    path = write("a.csv", "text\n" + ("x" * 600 + "\n") * 10)

    assert read(path).columns.column("text").num_chunks == 5
