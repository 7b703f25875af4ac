"""Whether the first row of a table names its columns: found by its values, or asked; and what is not named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.data.read import read
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.doctor.row_format import Format
from luthier.errors import DataError

TEXTS = (
    "the lamp was broken when it came",
    "my parcel is not here yet",
    "what a joy it is to read this",
    "please send my money back",
)
LABELS = ("damaged", "delivery", "praise", "refund")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Table]:
    """The table of a file of that name and content."""
    monkeypatch.chdir(tmp_path)

    def table(name: str, content: str, **options: str) -> Table:
        Path(name).write_bytes(content.encode())
        return read(name, Writing(**options))

    return table


def rows(form: str, count: int = 20) -> str:
    """Rows of one form, of a text, a label and a number each."""
    return "".join(
        form.format(text=f"{TEXTS[at % 4]} {at}", label=LABELS[at % 4], at=at) + "\n" for at in range(count)
    )


@pytest.mark.parametrize(
    "form",
    ["{text},{label}", "{label},{text}", "{at},{label},{text}", "{text},{at}.5", "2024-01-{at:02},{text}"],
)
def test_a_first_row_like_the_others_is_a_row(table: Callable[..., Table], form: str) -> None:
    found = table("a.csv", rows(form, 25))

    assert len(found) == 25
    assert found.names == [f"column {number}" for number in range(1, 2 + form.count(","))]
    assert not found.headed
    assert "a.csv: has no header, as " in found.guesses[0]
    assert found.guesses[0].endswith("a first line with their names corrects it.")
    assert found.place(0).line == 1


@pytest.mark.parametrize(
    "header",
    [
        "text,label",
        "v1,v2",
        "Frage,Antwort",
        "What do you think of our shop?,y",
        "col_a,col_b",
        "comment of the customer,Class Index",
    ],
)
def test_a_header_of_whatever_words_is_one(table: Callable[..., Table], header: str) -> None:
    found = table("a.csv", f"{header}\n{rows('{text},{label}')}")

    assert found.names == header.split(",")
    assert found.headed
    assert len(found) == 20


def test_columns_named_by_numbers_as_pandas_writes_them_are_named(table: Callable[..., Table]) -> None:
    assert table("a.csv", "0,1\n" + rows("{text},{at}")).names == ["0", "1"]


def test_a_header_of_years_above_other_numbers_is_one(table: Callable[..., Table]) -> None:
    assert table("a.csv", "text,2019\n" + rows("{text},{at}.5")).names == ["text", "2019"]


def test_what_is_not_clear_is_asked_with_a_remedy_that_works(table: Callable[..., Table]) -> None:
    words = ["oak", "ash", "elm", "fir", "yew", "box", "bay", "fig", "sal", "tea", "teak", "pine"]
    content = "".join(f"{one} tree,{other} wood\n" for one, other in zip(words, reversed(words), strict=True))

    with pytest.raises(DataError) as error:
        table("a.csv", content)

    assert str(error.value) == (
        "a.csv: it is not clear whether the first row is a header, 'oak tree, pine wood'. Put a header with "
        "a name for each column, "
        "such as text and label, above the rows, or in the place of the first row where that is one."
    )
    assert len(table("a.csv", f"text,label\n{content}")) == 12


def test_empty_columns_without_a_name_are_left_out_and_told(table: Callable[..., Table]) -> None:
    found = table("a.csv", "label,text,,,\n" + rows("{label},{text},,,"))

    assert found.names == ["label", "text"]
    assert found.guesses == (
        "a.csv: leaves out column 3 (without a name), column 4 (without a name), column 5 (without a name), whose values hold "
        "nothing; a name in the header keeps a column.",
    )


def test_a_column_without_a_name_that_holds_something_is_called_by_its_number(
    table: Callable[..., Table],
) -> None:
    found = table("a.csv", "label,text,\n" + rows("{label},{text},") + "refund,and now,a rest\n")

    assert found.names == ["label", "text", "column 3"]
    assert found.values("column 3")[-1] == "a rest"
    assert found.guesses == (
        "a.csv: has no name for 'column 3', which is called so; a name in the header corrects it.",
    )


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_a_column_that_numbers_the_rows_is_left_out_and_told(table: Callable[..., Table], name: str) -> None:
    found = table("a.csv", f"{name},text,label\n" + rows("{at},{text},{label}"))

    assert found.names == ["text", "label"]
    assert "whose values number the rows" in found.guesses[0]


def test_long_texts_without_a_name_do_not_number_the_rows(table: Callable[..., Table]) -> None:
    found = table("reviews.csv", ",label\n" + rows("{text} and on and on and on,{label}"))

    assert found.names == ["column 1", "label"]
    assert found.guesses == (
        "reviews.csv: has no name for 'column 1', which is called so; a name in the header corrects it.",
    )


def test_row_names_of_r_have_no_name_in_its_header(table: Callable[..., Table]) -> None:
    found = table("a.csv", '"text","label"\n' + rows('"{at}","{text}","{label}"'))

    assert found.names == ["text", "label"]
    assert found.values("label")[:2] == ["damaged", "delivery"]


def test_a_text_with_one_comma_too_many_in_each_row_is_no_row_name(table: Callable[..., Table]) -> None:
    with pytest.raises(DataError) as error:
        table("a.csv", "text,label\n" + rows("well, {text},{label}"))

    assert "the number of values differs in 20 of 20 rows" in str(error.value)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_first_line_that_names_the_delimiter_is_no_row(table: Callable[..., Table], mark: str) -> None:
    found = table("a.csv", f"{mark}sep=;\ntext;label\n{rows('{text};{label}')}")

    assert found.names == ["text", "label"]
    assert found.place(0).line == 3


def test_delimiters_at_the_ends_of_lines_are_no_values(table: Callable[..., Table]) -> None:
    with_header = table("a.csv", "text,label\n" + rows("{text},{label},"))
    in_header = table("b.csv", "text,label,\n" + rows("{text},{label}"))

    assert with_header.names == in_header.names == ["text", "label"]
    assert with_header.values("label") == in_header.values("label")


def test_the_header_standing_again_between_rows_is_no_row(table: Callable[..., Table]) -> None:
    found = table("a.csv", "text,label\n" + rows("{text},{label}") + "text,label\n" + rows("{text},{label}"))

    assert len(found) == 40
    assert found.guesses == (
        "a.csv: the header stands there again, and is no row: line 22; remove it where it is meant as one.",
    )


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "^", "~"])
def test_a_delimiter_of_one_character_is_found(table: Callable[..., Table], delimiter: str) -> None:
    found = table("a.csv", delimiter.join(("text", "label")) + "\n" + rows("{text}" + delimiter + "{label}"))

    assert found.names == ["text", "label"]


@pytest.mark.parametrize(("delimiter", "words"), [("::", "'::'"), ("@@", "'@@'"), ("   ", "several blanks")])
def test_a_delimiter_of_several_characters_is_asked_about(
    table: Callable[..., Table], delimiter: str, words: str
) -> None:
    with pytest.raises(DataError) as error:
        table("a.csv", delimiter.join(("text", "label")) + "\n" + rows("{text}" + delimiter + "{label}"))

    assert str(error.value) == (
        f"a.csv: the values of each line are parted by {words}, and a delimiter is one character. Write the file with commas or "
        "tabs between its values."
    )


def test_a_title_above_the_header_is_asked_about(table: Callable[..., Table]) -> None:
    with pytest.raises(DataError) as error:
        table("a.csv", "Report of May,,\nid,text,label\n" + rows("{at},{text},{label}"))

    assert str(error.value) == (
        "a.csv: the first row names 1 of 3 columns that hold something. Put a header above the rows with a name for each column, "
        "and nothing above it."
    )


def test_a_file_without_a_header_is_corrected_by_the_names_that_it_got(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(rows("{text},{label}"))

    form = Format.of(path)

    assert form.changed("some text,damaged\n", {"column 2": "refund"}) == "some text,refund\n"


@pytest.mark.parametrize("header", ["Sentence #,Word,POS", "Sentence #,Wort,POS", "Satz,Word,POS"])
def test_a_header_stays_one_though_a_name_in_it_is_also_a_value_below(
    table: Callable[..., Table], header: str
) -> None:
    below = [
        "Sentence: 1,The,DT",
        ",dog,NN",
        ",'s,POS",
        ",bone,NN",
        "Sentence: 2,A,DT",
        ",cat,NN",
        ",'s,POS",
        ",toy,NN",
    ]
    below = [f"Sentence: {at // 4},{line.split(',', 1)[1]}" for at, line in enumerate(below * 3)]

    found = table("a.csv", "\n".join([header, *below]) + "\n")

    assert header.split(",")[1] in found.names
    if header.startswith("Sentence"):
        assert found.layout.task == "token-classification"
        assert found.values("POS")[0] == ["B-DT", "B-NN", "B-POS", "B-NN"]
    assert any("though 'POS' stands again below it in column 3" in guess for guess in found.guesses)


def test_a_first_row_whose_label_stands_again_beside_a_missing_number_is_asked_about(
    table: Callable[..., Table],
) -> None:
    content = "n/a,what a long first text,good\n" + "".join(
        f"{at},text number {at},{'good' if at % 2 else 'bad'}\n" for at in range(20)
    )

    with pytest.raises(DataError) as error:
        table("a.csv", content)

    assert "it is not clear whether the first row is a header" in str(error.value)
