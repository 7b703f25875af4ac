"""What is read of a file before it is refused: neither memory nor time is taken first."""

import gzip
import json
import os
import socket
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.data.formats import ceilings, text_files
from luthier.data.formats.ceilings import MOST_COLUMNS, MOST_ROW_CHARACTERS
from luthier.data.formats.parquet import unpacked_bytes
from luthier.data.raw_bytes import open_bytes
from luthier.data.read import read
from luthier.errors import DataError
from luthier.tasks.number_column import numbers


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read(path)
    return str(error.value)


def zipped(path: Path, *pieces: bytes) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for piece in pieces:
            file.write(piece)
    return path


# What is no file


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl.gz", "rows.parquet", "rows"])
def test_a_pipe_is_refused_at_once_though_nobody_writes_to_it(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)

    assert refusal(tmp_path / name).startswith(f"{tmp_path / name}: is a device or a pipe.")


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.csv")
    ended: list[str] = []

    def opened() -> None:
        with pytest.raises(DataError) as error, open_bytes(tmp_path / "rows.csv"):
            pass
        ended.append(str(error.value))

    thread = threading.Thread(target=opened, daemon=True)
    thread.start()
    thread.join(10)

    assert len(ended) == 1
    assert "is a device or a pipe" in ended[0]


def test_a_socket_and_a_device_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("rows.csv")

    assert "rows.csv: is a device or a pipe" in refusal(Path("rows.csv"))
    (tmp_path / "null.csv").symlink_to("/dev/zero")
    assert "is a device or a pipe" in refusal(tmp_path / "null.csv")
    assert "/dev/null: is a device or a pipe" in refusal(Path("/dev/null"))


# Compressed


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.jsonl.gz", "rows.json.gz", "rows.tsv.gz"])
def test_what_unpacks_to_hundreds_of_times_its_size_is_refused_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(ceilings, "UNPACKED_ANYWAY", 4_000_000)
    path = zipped(tmp_path / name, b"[", b" " * 20_000_000)

    assert refusal(path).startswith(f"{path}: unpacks to more than ")


def test_what_unpacks_to_ten_times_its_size_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "UNPACKED_ANYWAY", 1000)
    words = np.random.default_rng(0).integers(0, 50, (2000, 8))
    lines = "".join(f"{' '.join(map(str, row))},a\n" for row in words)

    path = zipped(tmp_path / "rows.csv.gz", b"text,label\n", lines.encode())

    assert len(read(path)) == 2000


# Lines, rows, columns


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.jsonl", "rows.conll"])
def test_a_line_without_end_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("text,label\n" + "[1]," * (MOST_ROW_CHARACTERS // 4 + 1))

    assert f"longer than {MOST_ROW_CHARACTERS:,} characters" in refusal(path) or "columns" in refusal(path)


def test_a_row_whose_values_go_on_from_line_to_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('text,label\na,b\n"' + 'x\n","' * (MOST_ROW_CHARACTERS // 5 + 1))

    assert f"longer than {MOST_ROW_CHARACTERS:,} characters" in refusal(path)


def test_a_table_of_very_many_columns_is_refused(tmp_path: Path) -> None:
    names = [f"c{at}" for at in range(MOST_COLUMNS + 1)]
    csv, parquet = tmp_path / "wide.csv", tmp_path / "wide.parquet"
    csv.write_text(",".join(names) + "\n" + "," * MOST_COLUMNS + "\n")
    pq.write_table(pa.table({name: ["a"] for name in names}), parquet)

    for path in (csv, parquet):
        assert refusal(path) == (
            f"{path}: has 10,001 columns. At most 10,000 are read: write a copy with those that hold the text and the label."
        )


def test_more_rows_or_values_than_are_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "a,b\n" * 20_000)

    monkeypatch.setattr(ceilings, "MOST_ROWS", 10_000)
    assert refusal(path).startswith(f"{path}: has more than 10,000 rows.")
    monkeypatch.setattr(ceilings, "MOST_ROWS", 10**6)
    monkeypatch.setattr(ceilings, "MOST_CELLS", 30_000)
    assert refusal(path).startswith(
        f"{path}: has more than 30,000 values (2 columns in more than 15,000 rows)."
    )


def test_objects_with_ever_new_keys_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "MOST_CELLS", 1_000_000)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"k{at % 1000}": 1}}\n' for at in range(10_000)))

    assert "1,000,000 values (1,000 columns" in refusal(path)


# JSON


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_a_hundred_million_brackets_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"[" * 20_000_000)

    assert str(path) in refusal(path)


def test_json_that_is_one_text_is_refused_before_it_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "MOST_JSON_BYTES", 3_000_000)
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"text": "a" * 1000, "label": "b"}] * 4000))

    assert refusal(path).startswith(f"{path}: has more than 3 MB, and is one text")
    path.write_text("\n".join(json.dumps({"text": "a" * 1000, "label": "b"}) for _ in range(4000)))
    assert len(read(path)) == 4000, "JSON lines are read one by one, whatever their name"


def test_an_item_of_a_list_that_does_not_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.data.formats.json_list.MOST_ROW_CHARACTERS", 10_000)
    path = tmp_path / "rows.json"
    for filling in ("[]," * 4000 + "[]]", '"' + "a" * 20_000 + '"]'):
        path.write_text('[{"text": "a"}, {"text": [' + filling + "}]")

        assert refusal(path).startswith(f"{path}, row 2: is longer than {MOST_ROW_CHARACTERS:,} characters.")


def test_items_are_cut_where_they_end_wherever_the_window_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.data.formats.json_list.MOST_ROW_CHARACTERS", 128)
    rows = [{"text": '\N{FACE WITH TEARS OF JOY} é " \\' * (at % 3), "n": at} for at in range(300)]
    for number, text in enumerate(
        (json.dumps(rows), json.dumps(rows, indent=2), json.dumps(rows, ensure_ascii=False))
    ):
        path = tmp_path / f"{number}.json"
        path.write_text(text, encoding="utf-8")

        table = read(path)

        assert table.values("text") == [row["text"] for row in rows]
        assert table.values("n") == list(range(300))


def test_broken_json_is_told_by_its_place_in_the_whole_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.data.formats.json_list.MOST_ROW_CHARACTERS", 64)
    path = tmp_path / "rows.json"
    path.write_text("[\n" + '{"text": "a text", "label": "b"},\n' * 20 + '{"text": "a", label}\n]')

    assert refusal(path).startswith(f"{path}, line 22, character 15: is not valid JSON")


# Parquet


def test_a_dictionary_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 4000, pa.int32()), pa.array(["a" * 900_000]))
    path, nested = tmp_path / "rows.parquet", tmp_path / "nested.parquet"
    pq.write_table(pa.table({"text": texts, "label": ["p", "n"] * 2000}), path, compression="zstd")
    ends = pa.array(range(0, 4001, 4), pa.int32())
    pq.write_table(pa.table({"tokens": pa.ListArray.from_arrays(ends, texts)}), nested, compression="zstd")

    assert "unpacks to more than 256 MB" in refusal(path)
    assert "unpacks to more than 256 MB" in refusal(nested)


@pytest.mark.parametrize("name", ["rows.arrow", "rows.feather"])
def test_a_dictionary_of_an_arrow_file_is_held_to_the_same(tmp_path: Path, name: str) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), pa.array(["a" * 90_000]))
    table = pa.table({"text": texts, "label": ["p", "n"] * 10_000})
    with pa.ipc.new_file(tmp_path / name, table.schema) as writer:
        writer.write_table(table)

    assert "unpacks to more than 256 MB" in refusal(tmp_path / name)


def test_a_billion_equal_values_in_a_list_are_refused_by_what_the_file_says_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    numbers = pa.array(np.zeros(40_000_000, np.int64))
    pq.write_table(
        pa.table({"n": pa.ListArray.from_arrays(pa.array([0, 40_000_000], pa.int32()), numbers)}), path
    )

    assert "unpacks to more than 256 MB" in refusal(path)


def test_a_large_dictionary_that_is_worth_it_is_unpacked_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.data.formats.parquet.PIECE_BYTES", 10_000)
    texts = [f"{at % 7}" * 900 for at in range(500)]
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": pa.array(texts).dictionary_encode(), "tags": [["a", None]] * 500}), path)

    table = read(path)

    assert table.values("text") == texts
    assert table.values("tags") == [["a", None]] * 500
    assert table.line_of.tolist() == list(range(1, 501))


def test_what_values_take_is_the_same_with_and_without_a_dictionary() -> None:
    texts = pa.array(["abc", None, "é", "abc"])

    assert unpacked_bytes(texts.dictionary_encode()) == 3 + 2 + 3 + 4 * 4


# Numbers


def test_scores_whose_spread_cannot_be_computed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(json.dumps({"text": f"text {at}", "score": at * 1.7e307}) + "\n" for at in range(1, 4))
    )

    with pytest.raises(DataError) as error:
        numbers(read(path), "score")

    assert str(error.value).startswith(f"{path}: column 'score' holds numbers up to 5.1e+307")


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.csv"])
def test_a_file_of_wrong_rows_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for reader in ("json_list", "json_lines", "delimited"):
        monkeypatch.setattr(f"luthier.data.formats.{reader}.MOST_WRONG", 10)
    path = tmp_path / name
    many = {
        "rows.json": "[" + "[],\n" * 999 + "[]]",
        "rows.jsonl": "[]\n" * 1000,
        "rows.csv": "text,label\n" + "a\n" * 1000,
    }
    path.write_text(many[name])

    assert "10 of 10 " in refusal(path)
