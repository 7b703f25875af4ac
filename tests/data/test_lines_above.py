"""What stands around a table and is no row: told, and the table without it is read."""

from pathlib import Path

import pytest

from luthier.data.read import read
from luthier.errors import DataError
from tiny import messages

ROWS = messages(30)


def table(delimiter: str = ",", *columns: str) -> str:
    lines = [delimiter.join(["id", *columns, "text", "label"])]
    lines += [
        delimiter.join([str(at), *("x" for _ in columns), f'"{text}"', label])
        for at, (text, label) in enumerate(ROWS)
    ]
    return "".join(line + "\n" for line in lines)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    ("above", "line"),
    [
        ("Customer feedback\n", 2),
        ("Customer feedback, export of 2024\n\n", 3),
        ("# exported by a tool; all rows\n# licence: CC-BY, see there\n", 3),
        ("Report:;Feedback\n\nDate: 2024-01-01\n", 4),
    ],
)
def test_lines_above_the_header_are_told_with_the_line_of_the_header(
    tmp_path: Path, delimiter: str, above: str, line: int
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(above + table(delimiter))

    with pytest.raises(DataError) as refused:
        read(path)

    assert (
        f"rows.csv: line {line} and nearly all below it have 3 values, parted by {delimiter!r}, but"
        in str(refused.value)
    )
    assert f"Delete the {line - 1} line{'s' * (line > 2)} above it, or write" in str(refused.value)
    path.write_text(table(delimiter))
    assert len(read(path)) == len(ROWS)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (table().replace("id,text", "text,about").replace("about,label", "about,label,,"), 30),
        ("sep=;\n" + table(";", "more"), 30),
        ("x,text\n" + "".join(f"{at},{at},Words {at} of it\n" for at in range(30)), 30),
        ("said\n" + "".join(f'"One, two and {at}"\n' for at in range(30)), 30),
        ("price^name\n" + "".join(f"{at},5^Words of {at}\n" for at in range(30)), 30),
        ("price;name\n" + "".join(f"{at},5;Words of {at}\n" for at in range(30)), 30),
        ("nr,said\n" + "".join(f"{at},'Hello, you {at}'\n" for at in range(30)), 30),
        ("a,b\n" + "".join(f"Words {at},c{at % 2},\n" for at in range(30)), 30),
    ],
)
def test_a_header_of_another_width_that_fits_is_none_of_these(
    tmp_path: Path, content: str, rows: int
) -> None:
    (tmp_path / "rows.csv").write_text(content)

    assert len(read(tmp_path / "rows.csv")) == rows


def test_values_that_hold_a_comma_in_each_row_are_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text\n" + "".join(f"One, and {at}\n" for at in range(30)))

    with pytest.raises(DataError, match="Put a value that holds ',' or a line end between double quotes"):
        read(tmp_path / "rows.csv")


def test_rules_and_counts_between_rows_are_told_as_no_rows(tmp_path: Path) -> None:
    lines = ["said;topic", "----------", *(f"{text};{label}" for text, label in ROWS), "30 rows"]
    (tmp_path / "rows.csv").write_text("\n".join(lines))

    with pytest.raises(DataError) as refused:
        read(tmp_path / "rows.csv")

    assert (
        "delete lines that are no rows: line 2 may be none, '----------' and line 33 may be none, '30 rows'."
        in str(refused.value)
    )


@pytest.mark.parametrize(
    ("head", "row", "end"),
    [
        ("| text | label |\n|---|:---:|\n", "| {} | {} |", ""),
        ("|  text  |  label  |\n|--------|---------|\n", "|  {}  |  {}  |", ""),
        (" text          | label\n---------------+-------\n", " {} | {}", "(30 rows)\n"),
    ],
)
def test_a_table_that_is_drawn_is_read_without_its_blanks_and_rules(
    tmp_path: Path, head: str, row: str, end: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(head + "".join(row.format(text, label) + "\n" for text, label in ROWS) + end)

    found = read(path)

    assert found.names == ["text", "label"]
    assert list(zip(found.texts("text"), found.texts("label"), strict=True)) == ROWS


def test_blanks_in_a_table_that_is_not_drawn_stay(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text|label\n" + "".join(f"Words {at} |a\n" for at in range(20)))

    assert read(tmp_path / "rows.csv").texts("text")[0] == "Words 0 "
