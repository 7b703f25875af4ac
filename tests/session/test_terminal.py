"""What comes from files is shown on a terminal, and never obeyed."""

import io
import json
import sys
from pathlib import Path

import pytest

from command import luthier as command
from luthier.errors import DataError
from luthier.predict import Predictions
from luthier.progress import Progress
from luthier.terminal import UNSEEN, PlainStream, drawn_on, json_line, plain, plain_streams

TITLE = "\x1b]0;TITLE\x07\x1b[2J"
UNSEEN_ONES = "\x00\x07\x08\x0b\r\x1b\x7f\x80\x9b\x9f\u061c\u200e\u200f\u202a\u202e\u2066\u2069\ud800"


def rows_csv(path: Path, text: str = "", text_column: str = "text", label: str = "a") -> Path:
    lines = [
        f"{text} number {at} is {'good' if at % 2 else 'bad'},{label if at % 2 else 'b'}" for at in range(40)
    ]
    path.write_text(f"{text_column},label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_what_is_not_to_be_seen_is_written_out_and_all_else_stays() -> None:
    for one in UNSEEN_ONES:
        assert plain(f"a{one}b") == f"a{ascii(one)[1:-1]}b"
    assert plain("a\tb\nç 你 👍🏽 שלום \u200d") == "a\tb\nç 你 👍🏽 שלום \u200d"
    assert plain(plain(UNSEEN_ONES)) == plain(UNSEEN_ONES)


def test_json_on_a_terminal_holds_the_same_values() -> None:
    value = {f"a{one}": [one, "你"] for one in UNSEEN_ONES}

    line = json_line(value)

    assert json.loads(line) == value
    assert not UNSEEN.search(line)
    assert "你" in line


def test_both_streams_are_plain_inside_the_block_and_as_before_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)

    with plain_streams():
        print(TITLE)
        print(TITLE, file=sys.stderr)
        assert drawn_on(sys.stdout) is out

    assert (sys.stdout, sys.stderr) == (out, err)
    assert out.getvalue() == err.getvalue() == "\\x1b]0;TITLE\\x07\\x1b[2J\n"


def test_a_plain_stream_answers_as_the_stream_beneath(tmp_path: Path) -> None:
    with open(tmp_path / "a.txt", "w", encoding="cp1252") as file:
        stream = PlainStream(file)

        assert (stream.fileno(), stream.encoding, stream.isatty()) == (file.fileno(), "cp1252", False)


def test_messages_and_progress_are_plain_without_the_command_line_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Progress().write(f"a label {TITLE}")

    assert capsys.readouterr().err == "a label \\x1b]0;TITLE\\x07\\x1b[2J\n"
    assert str(DataError(f"{TITLE}.csv: is empty.")) == "\\x1b]0;TITLE\\x07\\x1b[2J.csv: is empty."
    assert repr(Predictions(({"label": TITLE},))) == "Predictions(\\x1b]0;TITLE\\x07\\x1b[2J)"
    assert not UNSEEN.search(Predictions(({"label": "\x9b"},)).lines())


@pytest.mark.parametrize("sign", ["\x1b[31m", "\x9b2J", "\u202e", "\x08", "\x07"])
@pytest.mark.parametrize("where", ["text", "column", "label", "file"])
@pytest.mark.parametrize("form", ["words", "json"])
def test_check_shows_what_a_file_holds_and_does_not_obey_it(
    tmp_path: Path, sign: str, where: str, form: str
) -> None:
    path = rows_csv(
        tmp_path / (f"rows{sign}.csv" if where == "file" else "rows.csv"),
        text=f"a {sign} text" if where == "text" else "a text",
        text_column=f"te{sign}xt" if where == "column" else "text",
        label=f"a{sign}" if where == "label" else "a",
    )

    ended = command("check", path, "--model", "none", *(["--json"] if form == "json" else []))

    assert not UNSEEN.search(ended.out + ended.err)
    if form == "json":
        assert isinstance(json.loads(ended.out.splitlines()[-1]), dict)


def test_a_misspelt_command_does_not_reach_the_terminal_as_it_was_typed() -> None:
    for words in (
        ["check", f"{TITLE}.csv"],
        [TITLE],
        ["tune", f"--{TITLE}"],
        ["tune", "a.csv", "--task", TITLE],
    ):
        ended = command(*words)

        assert ended.code == 2
        assert not UNSEEN.search(ended.out + ended.err)
