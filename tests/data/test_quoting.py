"""What a quote is in a CSV or TSV file: doubled inside of a value, after a backslash, a letter; found, or asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luthier.data.read import read
from luthier.data.writing import Writing
from luthier.doctor.patch import correct
from luthier.doctor.patch_file import Edit
from luthier.doctor.row_format import Format
from luthier.errors import DataError

Columns = Callable[..., tuple[Any, Any]]
"""From a file's name and content to its columns, and what is told of it."""

LABELS = ("good", "bad")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Columns:
    """The columns of a file of that name and content, and what is told of it."""
    monkeypatch.chdir(tmp_path)

    def table(name: str, content: str, **options: str) -> tuple[Any, Any]:
        Path(name).write_bytes(content.encode())
        found = read(name, Writing(**options))
        return [list(row.values()) for row in found.columns.to_pylist()], found.guesses

    return table


def lines(*first: str, count: int = 12, delimiter: str = ",") -> str:
    """A header, the lines given, and plain rows."""
    plain = (f"the film number {at} is fine{delimiter}{LABELS[at % 2]}" for at in range(count))
    return "\n".join((f"text{delimiter}label", *first, *plain)) + "\n"


def test_quotes_after_a_backslash_are_found_and_lose_it(table: Columns) -> None:
    rows, told = table(
        "a.csv",
        lines(r'"they said \"no, thanks\" to me","bad"', r'"a path C:\\new","good"', r'"it \n stays","good"'),
    )

    assert rows[:3] == [
        ['they said "no, thanks" to me', "bad"],
        ["a path C:\\new", "good"],
        [r"it \n stays", "good"],
    ]
    assert told == (
        "a.csv: quotes inside of values follow a backslash; --quoting double|backslash|none corrects it.",
    )


def test_backslashes_of_a_file_that_doubles_its_quotes_stay(table: Columns) -> None:
    rows, told = table("a.csv", lines(r'"C:\new ""one"", yes",bad', r"a\b,good"))

    assert rows[:2] == [[r'C:\new "one", yes', "bad"], [r"a\b", "good"]]
    assert told == ()


def test_quotes_that_are_letters_are_found_where_as_signs_they_break_rows(
    table: Columns,
) -> None:
    content = lines(
        '"The baker sells apples.\tbad',
        'a 5" screen\tgood',
        'he said "no"\tbad',
        '"Ends" so\tgood',
        delimiter="\t",
    )
    rows, told = table("a.tsv", content)

    assert [row[0] for row in rows[:4]] == [
        '"The baker sells apples.',
        'a 5" screen',
        'he said "no"',
        '"Ends" so',
    ]
    assert len(rows) == 16
    assert told == (
        "a.tsv: quotes are letters: as signs around values they would break rows; --quoting double|backslash|none corrects it.",
    )


def test_a_stray_quote_that_swallows_rows_is_a_letter_where_no_value_needs_quotes(
    table: Columns,
) -> None:
    first = [
        f"{'' if at != 3 else chr(34)}row {at} is there{'' if at != 8 else chr(34)}\t{LABELS[at % 2]}"
        for at in range(20)
    ]
    rows, _ = table("a.tsv", lines(*first, delimiter="\t"))

    assert len(rows) == 32
    assert rows[3][0] == '"row 3 is there'
    assert {label for _, label in rows} == set(LABELS)


def test_a_stray_quote_among_quoted_values_is_asked_about(table: Columns) -> None:
    first = [f'"row {at}, well, is there",{LABELS[at % 2]}' for at in range(20)]
    first[4] = 'row 4 is there,"good'
    first[9] = 'row 9 is there,bad"'

    with pytest.raises(DataError) as error:
        table("a.csv", lines(*first))

    assert "--quoting none" in str(error.value)


def test_rows_that_are_swallowed_between_two_stray_quotes_are_never_part_of_a_text(
    table: Columns,
) -> None:
    first = [f'{LABELS[at % 2]},"well, number {at} is there"' for at in range(6)]
    first += ['good,"number 6 is there', "bad,number 7 is there", 'good,number 8 is there"']

    with pytest.raises(DataError) as error:
        table("a.csv", "\n".join(("label,text", *first)) + "\n")

    assert str(error.value) == (
        "a.csv, lines 8 to 10: a quote opens a value that runs over lines which look like rows of their own: perhaps it is a "
        "stray one, and swallows them. Double it inside of a quoted value, or remove it; --quoting none "
        "takes quotes for letters, "
        "--quoting double reads the value as it stands."
    )


def test_the_remedies_that_are_offered_for_swallowed_rows_work(table: Columns) -> None:
    first = ['good,"number 6 is there', "bad,number 7 is there", 'good,number 8 is there"']
    content = "\n".join(("label,text", *(f"bad,number {at} is there" for at in range(6)), *first)) + "\n"

    assert len(table("a.csv", content, quoting="none")[0]) == 9
    assert len(table("a.csv", content, quoting="double")[0]) == 7


def test_texts_over_several_lines_with_quotes_and_commas_are_read(
    table: Columns,
) -> None:
    letter = '"Dear shop,\n\nthe lamp, which is ""new"", is broken, sadly,\n""Best"",\nR.",bad'
    rows, told = table("a.csv", lines(letter, letter, letter.replace("bad", "good")))

    assert rows[0] == ['Dear shop,\n\nthe lamp, which is "new", is broken, sadly,\n"Best",\nR.', "bad"]
    assert len(rows) == 15
    assert told == ()


def test_a_text_that_holds_a_table_of_its_own_is_read_as_the_user_says(
    table: Columns,
) -> None:
    rows, _ = table("a.csv", lines('"look:\nx,good\ny,bad",good'), quoting="double")

    assert rows[0] == ["look:\nx,good\ny,bad", "good"]


def test_single_quotes_around_values_are_signs_where_they_are_doubled_inside(
    table: Columns,
) -> None:
    rows, told = table("a.csv", lines("'it was, well, fine','good'", "'I don''t know','bad'"))

    assert rows[:2] == [["it was, well, fine", "good"], ["I don't know", "bad"]]
    assert told == (
        "a.csv: values stand between single quotes; --quoting double|backslash|none corrects it.",
    )


def test_apostrophes_are_no_signs(table: Columns) -> None:
    rows, told = table("a.csv", lines("'Twas fine,good", "the dogs',bad", "I don't know,bad"))

    assert [row[0] for row in rows[:3]] == ["'Twas fine", "the dogs'", "I don't know"]
    assert told == ()


def test_a_space_behind_each_delimiter_is_no_part_of_a_value(table: Columns) -> None:
    rows, told = table(
        "a.csv", lines('"it was, well, fine"', count=0).replace('"it', 'x, "it') + 'y, "no, not this"\n'
    )

    assert rows == [["x", "it was, well, fine"], ["y", "no, not this"]]
    assert told == ("a.csv: a space follows each delimiter; --quoting double|backslash|none corrects it.",)


@pytest.mark.parametrize(
    ("quoting", "value"), [("double", r"say \yes"), ("backslash", r"say \yes"), ("none", r'"say \yes"')]
)
def test_a_way_of_quoting_that_is_named_is_used(table: Columns, quoting: str, value: str) -> None:
    rows, told = table("a.csv", 'text,label\n"say \\yes",good\n', quoting=quoting)

    assert rows == [[value, "good"]]
    assert told == ()


def test_a_file_whose_quotes_are_letters_is_corrected_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(lines('"Ends" so\tgood', 'a "b\tbad', '"Begins\tbad', delimiter="\t"))
    edits = [
        Edit(2, "change", "label", "good", "bad", "labels"),
        Edit(3, "change", "text", 'a "b', 'a "c', "garbage"),
    ]

    correct(
        Format.of(path), edits, read(path).line_of.tolist(), tmp_path / "fixed.tsv", tmp_path / "a.patch.csv"
    )

    assert (tmp_path / "fixed.tsv").read_text().splitlines()[1:3] == ['"Ends" so\tbad', 'a "c\tbad']


def test_a_file_with_backslashes_is_not_corrected_and_the_way_out_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(lines(r'"say \"no, no\" now","bad"'))

    with pytest.raises(DataError) as error:
        Format.of(path)

    assert str(error.value) == (
        f"{path}: is corrected only where quotes are doubled or letters, and in it they are not. Save it with quotes doubled, as "
        "spreadsheets do."
    )


@pytest.mark.parametrize("at", [0, 7])
def test_a_lone_quote_that_opens_a_value_and_never_closes_is_asked_about(table: Columns, at: int) -> None:
    first = [f"{chr(34) if number == at else ''}row {number},{LABELS[number % 2]}" for number in range(20)]

    with pytest.raises(DataError) as error:
        table("a.csv", lines(*first))

    assert "a quote opens a value and is never closed" in str(error.value)
    assert f"line {at + 2}" in str(error.value)
    assert "--quoting none" in str(error.value)
    assert table("a.csv", lines(*first), quoting="none")[0][at][0] == f'"row {at}'
