"""Numbers as people write them, and what is asked where nobody can tell which is meant."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from command import luthier
from luthier.data.numerals import read_numerals
from tiny import messages


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["1,5", "2,25", "-3"], [1.5, 2.25, -3]),
        (["1.234,50", "12,00"], [1234.5, 12]),
        (["1,234.50", "12.00"], [1234.5, 12]),
        (["1,234", "999", "12,345,678"], [1234, 999, 12345678]),
        (["1.234.567", "12"], [1234567, 12]),
        (["0,123", "1,234"], [0.123, 1.234]),
        (["12,34,567", "5,00,000"], [1234567, 500000]),
        (["1 234,5", "1\u00a0000", "7"], [1234.5, 1000, 7]),
        (["1'234.50", "2\u2019000"], [1234.5, 2000]),
        (["$1,200.50", "$7", "8.25"], [1200.5, 7, 8.25]),
        (["€ 5", "6,50 €"], [5, 6.5]),
        (["EUR 10", "EUR 1.000,00"], [10, 1000]),
        (["66%", "7.5 %"], [66, 7.5]),
        (["12 kg", "3.5kg"], [12, 3.5]),
        (["(1,200)", "5"], [-1200, 5]),
        (["\u22123.5", "+2"], [-3.5, 2]),
        (["1e-3", "2"], [0.001, 2]),
        (["1.234", "2.345"], [1.234, 2.345]),
        ([1, 2.5, None], [1, 2.5, np.nan]),
        (["3", "n/a", "-", "", "#N/A", "nan"], [3, *[np.nan] * 5]),
    ],
)
def test_numbers_are_read_as_they_are_meant(written: list[float | str | None], meant: list[float]) -> None:
    found = read_numerals(written)

    assert found.wrong == ()
    assert found.unclear is None
    assert found.values == pytest.approx(meant, nan_ok=True)


@pytest.mark.parametrize(
    "value", ["B00-4711", "2020-01-01", "4/5", "12:30", "1.2.3", "1,2,3,4", "v2", "10-20", True, "free"]
)
def test_what_is_no_number_is_none(value: bool | str) -> None:
    assert read_numerals(["1", "2", "3", value]).wrong == (3,)


def test_numbers_of_several_units_are_not_taken_for_one() -> None:
    assert read_numerals(["12 kg", "3 kg", "300 g"]).wrong == (2,)
    assert read_numerals(["0.5", "0.7", "66%"]).wrong == (2,)


def test_a_comma_that_may_be_either_is_told() -> None:
    assert read_numerals(["1,234", "5,678"]).unclear == "1,234"
    assert read_numerals(["1,234", "5,678"], decimal=",").values.tolist() == [1.234, 5.678]
    assert read_numerals(["1,234", "5,678"], decimal=".").values.tolist() == [1234, 5678]


def amounts(path: Path, write: Callable[[int], str]) -> Path:
    rows = [f'"{text}","{write(at)}"\n' for at, (text, _) in enumerate(messages(40))]
    path.write_text("text,worth\n" + "".join(rows), encoding="utf-8")
    return path


def test_which_sign_stands_before_decimals_is_asked_for_and_can_be_said(tmp_path: Path) -> None:
    rows = amounts(tmp_path / "rows.csv", lambda at: f"{at % 9 + 1},{100 + 7 * at:03}")

    asked = luthier("check", rows, "--model", "none")
    said = luthier("check", rows, "--model", "none", "--json", "--decimal", "comma")

    assert asked.code == 2
    assert "Say which with --decimal comma or --decimal point." in asked.err
    assert json.loads(said.out.splitlines()[-1])["understood"]["task"] == "regression"


def test_how_numbers_are_written_is_told(tmp_path: Path) -> None:
    rows = amounts(tmp_path / "rows.csv", lambda at: f"{at},{at % 10}0 €")

    ended = luthier("check", rows, "--model", "none")

    assert ended.code == 0
    assert "its numbers are written with decimal commas" in ended.err
    assert "its numbers are written in '€'" in ended.err


def test_one_price_that_is_none_is_told_with_its_line(tmp_path: Path) -> None:
    rows = amounts(tmp_path / "rows.csv", lambda at: "free" if at == 7 else f"${at}.50")

    ended = luthier("check", rows, "--model", "none")

    assert ended.code == 2
    assert (
        "rows.csv, line 9: 'free' in column 'worth' is no number, as the others are numbers in '$'"
        in ended.err
    )
