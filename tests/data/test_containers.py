"""Files that hold tables in other ways than as text in rows: parquet's metadata, Arrow, workbooks, folders of shards, .txt."""

import builtins
import datetime
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from luthier.data.images.shards import holds_shards, read_shards, shards_for
from luthier.data.read import read
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.errors import DataError
from luthier.plan.plan import Plan
from luthier.prepare.data_files import read_files

NAMES = ["account", "damaged", "refund"]


def with_classes(table: pa.Table, features: dict[str, Any]) -> pa.Table:
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


CLASSES = {"names": NAMES, "_type": "ClassLabel"}


# Names in the metadata


def test_numbers_of_classes_become_their_names(tmp_path: Path) -> None:
    table = with_classes(pa.table({"text": ["a", "b", "c"], "label": [2, 0, -1]}), {"label": CLASSES})
    pq.write_table(table, tmp_path / "a.parquet")

    found = read(tmp_path / "a.parquet")

    assert found.values("label") == ["refund", "account", None]
    assert found.guesses == (
        f"{tmp_path / 'a.parquet'}: the numbers in 'label' are classes whose names stand in the file's "
        f"metadata, and are read as these; "
        "a file without the metadata has numbers.",
        f"{tmp_path / 'a.parquet'}: 1 row with -1 in 'label', that is of no known class.",
    )


@pytest.mark.parametrize(
    "feature",
    [
        {"feature": CLASSES, "_type": "Sequence", "length": -1},
        {"feature": CLASSES, "_type": "List"},
        {"feature": CLASSES, "_type": "LargeList"},
        [CLASSES],
    ],
)
@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.large_list(pa.int32()), pa.list_(pa.int8(), 2)])
def test_lists_of_numbers_of_classes_become_lists_of_names(
    tmp_path: Path, feature: object, kind: pa.DataType
) -> None:
    numbers = pa.array([[0, 1], [2, 2], None], kind)
    pq.write_table(with_classes(pa.table({"tags": numbers}), {"tags": feature}), tmp_path / "a.parquet")

    assert read(tmp_path / "a.parquet").values("tags") == [["account", "damaged"], ["refund", "refund"], None]


def test_numbers_of_classes_inside_of_objects_become_names(tmp_path: Path) -> None:
    spans = [[{"start": 0, "type": 1}], [{"start": 2, "type": 0}, {"start": 5, "type": 2}]]
    features = {
        "spans": {
            "feature": {"start": {"dtype": "int64", "_type": "Value"}, "type": CLASSES},
            "_type": "List",
        }
    }
    pq.write_table(with_classes(pa.table({"spans": spans}), features), tmp_path / "a.parquet")

    found = read(tmp_path / "a.parquet").values("spans")

    assert [[span["type"] for span in row] for row in found] == [["damaged"], ["account", "refund"]]


def test_a_number_beyond_the_names_is_told_with_its_row(tmp_path: Path) -> None:
    table = with_classes(
        pa.table({"tags": [[0], [1, 2], [0, 7]]}), {"tags": {"feature": CLASSES, "_type": "List"}}
    )
    pq.write_table(table, tmp_path / "a.parquet")

    with pytest.raises(DataError) as error:
        read(tmp_path / "a.parquet")

    assert str(error.value) == (
        f"{tmp_path / 'a.parquet'}, row 3, column 'tags': 7 is the number of no class: the file's metadata "
        f"name 3, from 0. Correct the "
        "number, or write the file anew with a name for each class."
    )


@pytest.mark.parametrize(
    "metadata",
    [b"no json", b"[]", b'{"info": null}', b'{"info": {"features": {"label": {"_type": "ClassLabel"}}}}'],
)
def test_metadata_that_say_nothing_leave_the_numbers(tmp_path: Path, metadata: bytes) -> None:
    table = pa.table({"label": [0, 1]}).replace_schema_metadata({"huggingface": metadata})
    pq.write_table(table, tmp_path / "a.parquet")

    assert read(tmp_path / "a.parquet").values("label") == [0, 1]


def test_categories_of_pandas_are_their_names_and_its_index_is_left_out(tmp_path: Path) -> None:
    labels = pa.array(["b", "a", None]).dictionary_encode()
    pq.write_table(pa.table({"label": labels, "__index_level_0__": [4, 7, 9]}), tmp_path / "a.parquet")

    found = read(tmp_path / "a.parquet")

    assert found.columns.to_pylist() == [{"label": "b"}, {"label": "a"}, {"label": None}]
    assert "'__index_level_0__', whose values number the rows" in found.guesses[0]


# Arrow


def write_arrow(path: Path, table: pa.Table, form: str) -> Path:
    if form == "feather":
        feather.write_feather(table, path)
        return path
    opened = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
    with opened(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


@pytest.mark.parametrize(
    ("name", "form"), [("a.arrow", "file"), ("a.arrow", "stream"), ("a.feather", "feather")]
)
def test_arrow_files_give_the_rows_of_parquet(tmp_path: Path, name: str, form: str) -> None:
    table = with_classes(pa.table({"text": ["a", "b", "c"], "label": [0, 1, 2]}), {"label": CLASSES})
    path = write_arrow(tmp_path / name, table, form)
    zipped = tmp_path / f"{name}.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    pq.write_table(table, tmp_path / "a.parquet")

    found = read(path)

    assert found.columns.to_pylist() == [
        {"text": text, "label": label} for text, label in zip("abc", NAMES, strict=True)
    ]
    assert found.fingerprint == read(zipped).fingerprint == read(tmp_path / "a.parquet").fingerprint
    assert found.place(2).line == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty. Write it anew with rows in it."),
        (
            b"FEA1rest",
            "is in the first form of Feather, which is not read any more. Read it with pandas, and write it anew.",
        ),
        (b"ARROW1\0\0rest", "is not a whole Arrow file (File is too small: 12). Write or copy it anew."),
    ],
)
def test_an_arrow_file_that_is_none_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.arrow"
    path.write_bytes(content)

    with pytest.raises(DataError) as error:
        read(path)

    assert str(error.value) == f"{path}: {words}"


def test_an_arrow_file_without_rows_is_refused(tmp_path: Path) -> None:
    path = write_arrow(tmp_path / "a.arrow", pa.table({"text": pa.array([], pa.string())}), "file")

    with pytest.raises(DataError) as error:
        read(path)

    assert str(error.value) == f"{path}: holds no rows. Write it anew with rows in it."


# Folders


def put(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            pq.write_table(pa.table({"text": [name], "label": ["a"]}), path)
        else:
            path.write_text(
                '{"text": "a", "label": "b"}\n' if path.suffix == ".jsonl" else f"text,label\n{name},a\n"
            )
    return folder


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (("data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", "README.md"), {"train": 2}),
        (
            ("all/train/0000.parquet", "all/validation/0000.parquet", "all/test/0000.parquet"),
            {"train": 1, "valid": 1, "test": 1},
        ),
        (("train.csv", "dev.csv", "test.csv"), {"train": 1, "valid": 1, "test": 1}),
        (("imdb_train.jsonl", "imdb_test.jsonl"), {"train": 1, "test": 1}),
        (("part-00000.parquet", "part-00001.parquet"), {"train": 2}),
        (("train/data-00000-of-00001.parquet", "test/data-00000-of-00001.parquet", "dataset_dict.json"), {"train": 1, "test": 1}),
        (("data/train-00000-of-00001-1a2b3c4d.parquet", "data/test-00000-of-00001-5e6f.parquet"), {"train": 1, "test": 1}),
    ],
)  # fmt: skip
def test_a_folder_of_shards_is_read_by_its_parts(
    tmp_path: Path, names: tuple[str, ...], rows: dict[str, int]
) -> None:
    folder = put(tmp_path / "ds", *names)

    assert holds_shards(folder)
    assert {part: len(table) for part, table in read_shards(folder, Writing()).items()} == rows


def test_shards_are_read_in_the_order_of_their_numbers_and_rows_know_their_file(tmp_path: Path) -> None:
    folder = put(tmp_path / "ds", "train-00001-of-00002.parquet", "train-00000-of-00002.parquet")

    train = read(folder)

    assert train.values("text") == ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]
    assert str(train.place(1)) == "train-00001-of-00002.parquet, line 1"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("cola/train-00000-of-00001.parquet", "sst2/train-00000-of-00001.parquet"),
         "holds several data sets, in the folders 'ds/cola', 'ds/sst2'. Name one of them."),
        (("train-00000-of-00003.parquet", "train-00002-of-00003.parquet"),
         "of the 3 shards for train, '00001' is missing. Download the folder again."),
        (("train.csv", "train.jsonl"),
         "holds several sets for train: 'train.csv', 'train.jsonl'. "
         "Name the files that are meant: DATA, --valid FILE and --test FILE."),
        (("test.csv", "valid.csv"), "holds no file for train, only for 'valid', 'test'. Name a folder that does."),
    ],
)  # fmt: skip
def test_a_folder_that_may_be_meant_in_several_ways_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = put(Path("ds"), *names)

    with pytest.raises(DataError) as error:
        shards_for("train", folder, Writing())

    assert str(error.value) == f"ds: {words}"


def test_the_parts_of_a_folder_are_the_plans_unless_others_are_named(tmp_path: Path) -> None:
    folder = put(tmp_path / "ds", "train.csv", "test.csv")
    other = put(tmp_path, "other.csv") / "other.csv"

    whole = read_files(Plan.build({"data.path": folder}))
    named = read_files(Plan.build({"data.path": folder, "data.test": other}))

    assert {part: table.values("text") for part, table in whole.items()} == {
        "train": ["train.csv"],
        "test": ["test.csv"],
    }
    assert named["test"].values("text") == ["other.csv"]


def test_a_folder_of_several_parts_is_no_file_of_rows_to_predict(tmp_path: Path) -> None:
    folder = put(tmp_path / "ds", "train.csv", "test.csv")

    with pytest.raises(DataError) as error:
        read(folder)

    assert str(error.value) == (
        f"{folder}: holds files for 'train', 'test'. Name the file, or the folder of one part."
    )


def test_a_folder_with_images_is_no_folder_of_shards(tmp_path: Path) -> None:
    assert not holds_shards(put(tmp_path / "ds", "train/a.jpg", "train.csv"))


# Text


def text(tmp_path: Path, content: str, **options: str) -> Table:
    (tmp_path / "a.txt").write_text(content)
    return read(tmp_path / "a.txt", Writing(**options))


def test_fasttext_has_one_label_a_row(tmp_path: Path) -> None:
    found = text(tmp_path, "__label__a-b I like it\n\n__label__c Bad, one\nno label\n")

    assert found.columns.to_pylist() == [
        {"text": "I like it", "label": "a-b"}, {"text": "Bad, one", "label": "c"}, {"text": "no label", "label": ""},
    ]  # fmt: skip
    assert found.line_of.tolist() == [1, 3, 4]
    assert found.guesses[1] == f"{tmp_path / 'a.txt'}: 1 line without a label."


def test_fasttext_has_several_labels_a_row(tmp_path: Path) -> None:
    found = text(
        tmp_path, "__label__a __label__b one\n__label__c,__label__a two\n__label__b three __label__d\nfour\n"
    )

    assert found.values("label") == [["a", "b"], ["c", "a"], ["b", "d"], []]
    assert found.values("text") == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    ("content", "names", "count"),
    [
        ("one text, here\nand another; one\n\na third\n", ["text"], 3),
        ("text\tlabel\na one\tx\nb, two\ty\n", ["text", "label"], 2),
        ("".join(f"a text {at}, so\t{at % 2}\n" for at in range(12)), ["column 1", "column 2"], 12),
        ("text;label\na one;x\nb two;y\n", ["text", "label"], 2),
        ('{"text": "a", "n": 1}\n{"text": "b", "n": 2}\n', ["text", "n"], 2),
        ("EU B-ORG\nrejects O\n\nPeter B-PER\nBlack I-PER\nis O\n", ["tokens", "tags"], 2),
    ],
)
def test_what_a_txt_file_holds_is_told_by_its_lines(
    tmp_path: Path, content: str, names: list[str], count: int
) -> None:
    found = text(tmp_path, content)

    assert found.names == names
    assert len(found) == count
    assert found.guesses


def test_a_txt_file_with_tabs_in_most_lines_is_asked_about(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        text(
            tmp_path,
            "".join(
                f"a text {at}\t{'x' * at}\t\n"[: 12 + at % 3] + "\tb" * (at % 3) + "\n" for at in range(9)
            ),
        )

    assert "most lines hold a tab, but not all alike" in str(error.value)


# Workbooks


def workbook(path: Path, *sheets: list[list[object]]) -> Path:
    """A .xlsx file with sheets of texts, numbers and dates; written by hand, as no library here writes them."""
    names = [f"Sheet{number}" for number in range(1, 1 + len(sheets))]
    kind = "http://schemas.openxmlformats.org"
    office = f"{kind}/officeDocument/2006/relationships"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{kind}/package/2006/content-types"/>')
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{kind}/package/2006/relationships"><Relationship Id="r" '
            f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(
            f'<sheet name="{name}" sheetId="{at}" r:id="r{at}"/>' for at, name in enumerate(names, 1)
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{kind}/spreadsheetml/2006/main" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>',
        )
        targets = "".join(
            f'<Relationship Id="r{at}" Type="{office}/worksheet" Target="worksheets/{name}.xml"/>'
            for at, name in enumerate(names, 1)
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{kind}/package/2006/relationships">{targets}</Relationships>',
        )
        archive.writestr(
            "xl/styles.xml",
            f'<styleSheet xmlns="{kind}/spreadsheetml/2006/main"><cellXfs><xf numFmtId="0"/><xf '
            f'numFmtId="14"/></cellXfs></styleSheet>',
        )
        for name, rows in zip(names, sheets, strict=True):
            body = "".join(
                f'<row r="{at}">{"".join(cell(at, column, value) for column, value in enumerate(row))}</row>'
                for at, row in enumerate(rows, 1)
            )
            archive.writestr(
                f"xl/worksheets/{name}.xml",
                f'<worksheet xmlns="{kind}/spreadsheetml/2006/main"><sheetData>{body}</sheetData></worksheet>',
            )
    return path


def cell(row: int, column: int, value: object) -> str:
    place = f'r="{"ABCDEFGH"[column]}{row}"'
    if value is None:
        return ""
    if isinstance(value, datetime.date):
        return f'<c {place} s="1"><v>{(value - datetime.date(1899, 12, 30)).days}</v></c>'
    if isinstance(value, float | int):
        return f"<c {place}><v>{value}</v></c>"
    return f'<c {place} t="inlineStr"><is><t>{value}</t></is></c>'


SHEET: list[list[object]] = [
    ["text", "label", "price", "count", "day"],
    ["a lamp, broken", "damaged", 2.5, 3.0, datetime.date(2024, 1, 31)],
    [None] * 5,
    ["my parcel", "delivery", 1000000.0, 4, datetime.date(2024, 2, 1)],
]


def test_a_workbook_gives_the_rows_of_its_first_sheet_that_has_some(tmp_path: Path) -> None:
    found = read(workbook(tmp_path / "a.xlsx", [], SHEET, [["other"], ["x"]]))

    assert found.columns.to_pylist() == [
        {"text": "a lamp, broken", "label": "damaged", "price": "2.5", "count": "3", "day": "2024-01-31"},
        {"text": "my parcel", "label": "delivery", "price": "1000000", "count": "4", "day": "2024-02-01"},
    ]
    assert found.line_of.tolist() == [2, 4]
    assert found.guesses == (
        f"{tmp_path / 'a.xlsx'}: is read from its sheet 'Sheet2', not from 'Sheet3': save the sheet as CSV in "
        f"UTF-8, and name that "
        "file, where another is meant.",
    )


def test_a_workbook_without_the_library_is_answered_with_the_extra_and_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workbook(tmp_path / "a.xlsx", SHEET)
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "python_calamine":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)

    with pytest.raises(DataError) as error:
        read(path)

    assert str(error.value) == (
        f"{path}: is a workbook, which is read with the extra [excel]: pip install 'luthier[excel]'. Or save the sheet as CSV in "
        "UTF-8, and name that file."
    )


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.ods"])
@pytest.mark.parametrize("content", [b"PK\x03\x04rest", b"\xd0\xcf\x11\xe0rest", b"\x00\x01\x02\x03", b""])
def test_a_workbook_that_is_damaged_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError) as error:
        read(tmp_path / name)

    assert "is not a whole workbook" in str(error.value)
    assert "save the sheet as CSV" in str(error.value)


def test_a_workbook_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.data.formats.excel.MOST_BYTES", 1 << 20)
    path = workbook(tmp_path / "a.xlsx", [["text", "label"], ["x" * (2 << 20), "a"]])

    with pytest.raises(DataError) as error:
        read(path)

    assert str(error.value) == (
        f"{path}: holds more than 1 MB, unpacked. Part it, or save the sheet as CSV in UTF-8, and name that file."
    )


def test_a_workbook_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read(workbook(tmp_path / "a.xlsx", []))

    assert str(error.value) == (
        f"{tmp_path / 'a.xlsx'}: no sheet of it holds rows. Expected a header and rows below it."
    )


def test_an_arrow_file_that_unpacks_to_far_more_than_it_is_large_is_refused(tmp_path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 400, pa.int32()), pa.array(["a" * 1_000_000]))
    feather.write_feather(pa.table({"text": text}), tmp_path / "a.arrow", compression="uncompressed")

    with pytest.raises(DataError, match=r"a\.arrow: unpacks to more than 256 MB, though it has 1\.0 MB"):
        read(tmp_path / "a.arrow")


@pytest.mark.parametrize("name", ["a.arrow", "a.parquet"])
def test_a_text_that_is_not_utf8_is_told_by_its_row_though_it_stands_in_a_dictionary(
    tmp_path: Path, name: str
) -> None:
    texts = pa.array([b"fine", b"\xff"]).view(pa.string())
    table = pa.table({"text": pa.DictionaryArray.from_arrays(pa.array([0, 0, 1], pa.int32()), texts)})
    (feather.write_feather if name.endswith("arrow") else pq.write_table)(table, tmp_path / name)

    with pytest.raises(DataError, match=r"\(In column 0: Invalid: Invalid UTF8 sequence at string index 2\)"):
        read(tmp_path / name)
