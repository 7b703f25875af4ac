"""Texts that were decoded wrongly are found, whatever they were read as, and many of them stop a run."""

from pathlib import Path

import pytest

import luthier
from luthier.checks.garbage import decoded, is_misread

RUSSIAN, CHINESE, GERMAN = (
    "Привет, как дела, дорогой друг",
    "你好世界，今天天气好",
    "Größe für schöne Mädchen",
)


@pytest.mark.parametrize(
    ("text", "encoding", "read_as"),
    [
        (GERMAN, "utf-8", "cp1252"),
        (GERMAN, "utf-8", "mac-roman"),
        (RUSSIAN, "utf-8", "cp1251"),
        (RUSSIAN, "cp1251", "cp1252"),
        (RUSSIAN, "koi8-r", "cp1251"),
        (CHINESE, "utf-8", "gb18030"),
    ],
)
def test_a_text_that_was_read_in_another_encoding_is_found_and_decoded_anew(
    text: str, encoding: str, read_as: str
) -> None:
    misread = text.encode(encoding).decode(read_as)

    assert is_misread(misread)
    assert decoded(misread) == text


@pytest.mark.parametrize(
    "text", [GERMAN, RUSSIAN, CHINESE, "naïve café – “so”", "Ελληνικά είναι εδώ", "日本語の文章です"]
)
def test_a_text_as_it_was_written_is_no_garbage(text: str) -> None:
    assert not is_misread(text)


def rows(path: Path, wrong: int) -> Path:
    good = [f"The café number {at} is so nice,{'good' if at % 2 else 'bad'}\n" for at in range(100)]
    good[:wrong] = [line.replace("é", "Ã©") for line in good[:wrong]]
    path.write_text("text,label\n" + "".join(good), encoding="utf-8")
    return path


@pytest.mark.parametrize(("wrong", "severity"), [(5, "warn"), (6, "stop")])
def test_many_rows_of_garbage_stop_a_run(tmp_path: Path, wrong: int, severity: str) -> None:
    found = luthier.check(str(rows(tmp_path / "rows.csv", wrong)), model="none", quiet=True)

    assert [(one.severity, one.count) for one in found if one.check == "garbage"] == [(severity, wrong)]
