"""`luthier check`: every check finds its fault and is silent without it; what is found is told, mended, undone."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import luthier
from command import luthier as command
from luthier.checks import CHECKS, IMAGES
from luthier.checks.finding import Finding
from luthier.doctor.fixes import clean, masked
from tiny import messages, write_jsonl

Row = dict[str, str]
CLEAN = [{"text": text, "label": label} for text, label in dict(messages(240)).items()]
WORDS = [
    *("plectrum", "saxophone", "violin", "trumpet", "cello", "oboe", "piano", "harp"),
    *("drum", "flute", "banjo", "lute", "viola", "bassoon", "clarinet", "horn"),
]


def long_text(at: int) -> str:
    return " ".join(WORDS[(at * 7 + step * (1 + at % 5)) % len(WORDS)] for step in range(90)) + f" {at}"


def write(path: Path, rows: list[Row]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def findings(
    folder: Path, model: Path, rows: list[Row], test: list[Row] | None = None, **more: Any
) -> list[Finding]:
    if test is not None:
        more["data__test"] = str(write(folder / "test.csv", test))
    found = luthier.check(str(write(folder / "rows.csv", rows)), model=str(model), quiet=True, **more)
    return [one for one in found if one.check != "outliers"]  # a tiny model of random weights has its own


def named(found: list[Finding]) -> set[str]:
    return {one.check for one in found}


# Every check finds its fault


def with_rows(*more: Row) -> tuple[list[Row], list[Row] | None]:
    return [*CLEAN, *more], None


def text_of(text: str) -> Row:
    return {"text": text, "label": "refund"}


MANY = [{"text": text, "label": label} for text, label in dict(messages(600)).items()]


def wrong_labels() -> tuple[list[Row], list[Row] | None]:
    rows = [dict(row) for row in MANY]
    for row in rows[::21]:
        row["label"] = next(name for name in ("refund", "praise") if name != row["label"])
    return rows, None


def column(name: str, value: Callable[[int, Row], str]) -> tuple[list[Row], list[Row] | None]:
    return [{**row, name: value(at, row)} for at, row in enumerate(CLEAN)], None


def longer(end: str, rows: list[Row]) -> list[Row]:
    """Rows with something more at the end of their texts."""
    return [
        {**row, "text": f"{row['text']} {end.format(at=at, word=WORDS[at % 16])}"}
        for at, row in enumerate(rows)
    ]


PLANTED: dict[str, Callable[[], tuple[list[Row], list[Row] | None]]] = {
    "leaks": lambda: (CLEAN[:200], [*CLEAN[200:], CLEAN[0]]),
    "contradictions": lambda: with_rows({"text": CLEAN[0]["text"], "label": CLEAN[1]["label"]}),
    "copies": lambda: with_rows({**CLEAN[0], "text": CLEAN[0]["text"].upper()}),
    "near-copies": lambda: with_rows({**CLEAN[7], "text": CLEAN[7]["text"] + " Now!"}),
    "group-leaks": lambda: column("customer_id", lambda at, row: f"c{at * at % 61}"),
    "label-column": lambda: column("code", lambda at, row: row["label"][:2]),
    "label-names": lambda: with_rows(
        *({**row, "label": "Refund"} for row in longer("Again {at}.", CLEAN[:3]))
    ),
    "single-labels": lambda: with_rows({"text": "Where is the slip?", "label": "delivry"}),
    "one-shot": lambda: (list({row["label"]: row for row in CLEAN[:180]}.values()), CLEAN[180:]),
    "imbalance": lambda: with_rows(
        *({**row, "label": "rare"} for row in longer("A rare wish {word}", CLEAN[:4]))
    ),
    "empty": lambda: with_rows(text_of(" ")),
    "garbage": lambda: with_rows(text_of("The cafÃ© is nice and the crÃ¨me is too")),
    "left-out": lambda: with_rows(*(text_of(" ") for _ in range(40))),
    "text-columns": lambda: column("title", lambda at, row: f"the {WORDS[at % 16]} of number {at}"),
    "boilerplate": lambda: ([*longer("Sent from my pocket telephone today.", CLEAN[:40]), *CLEAN[40:]], None),
    "personal-data": lambda: with_rows(text_of("Write to nora.t@example.org if it comes back")),
    "length": lambda: with_rows(text_of(long_text(1)), text_of(long_text(2))),
    "unknown-words": lambda: with_rows(text_of("今日は 良い 天気 です ね 本当に")),
    "label-errors": wrong_labels,
    "outliers": lambda: with_rows(text_of(long_text(3))),
    "shift": lambda: (CLEAN[:180], longer("violin trumpet cello oboe piano harp drum {word}", CLEAN[180:])),
}
"""A data set with the fault of each check of texts with labels."""

PLANTED_ELSEWHERE = {"repairs", "label-shift", "pieces", *IMAGES}
"""Checks of other rows: tests/doctor/test_doctor_of_tasks.py, and tests/checks/test_pieces.py."""


def test_no_check_is_forgotten_here() -> None:
    assert PLANTED.keys() | PLANTED_ELSEWHERE == CHECKS.keys()


def test_clean_rows_give_no_finding(tmp_path: Path, bert: Path) -> None:
    assert findings(tmp_path, bert, CLEAN[:180], CLEAN[180:]) == []


@pytest.mark.parametrize("check", PLANTED)
def test_every_check_finds_its_fault(check: str, tmp_path: Path, bert: Path) -> None:
    rows, test = PLANTED[check]()
    more = {"data__test": str(write(tmp_path / "test.csv", test))} if test else {}

    found = luthier.check(str(write(tmp_path / "rows.csv", rows)), model=str(bert), quiet=True, **more)

    mine = [one for one in found if one.check == check]
    assert mine
    for one in mine:
        assert one.severity in ("note", "warn", "stop")
        assert 0 < one.share <= 1
        assert one.count > 0
        assert one.message.endswith(".")
        assert one.matters
        assert one.mend
        assert all(row["file"] in ("rows.csv", "test.csv") and row["row"] > 1 for row in one.rows)


def test_the_model_is_left_out_where_none_is_asked_for(tmp_path: Path) -> None:
    found = luthier.check(str(write(tmp_path / "rows.csv", wrong_labels()[0])), model="none", quiet=True)

    assert not named(found) & {"label-errors", "outliers", "shift", "length"}


def test_wrong_labels_are_found_with_the_label_that_fits(tmp_path: Path, bert: Path) -> None:
    rows, _ = wrong_labels()

    found = next(one for one in findings(tmp_path, bert, rows) if one.check == "label-errors")

    right = {at + 2: MANY[at]["label"] for at in range(0, len(MANY), 21)}
    hit = [row for row in found.rows if row["row"] in right]
    assert len(hit) >= 0.7 * len(right)
    assert len(hit) >= 0.5 * len(found.rows)
    assert sum(row["suggested"] == right[row["row"]] for row in hit) >= 0.8 * len(hit)


def test_a_column_that_gives_the_label_away_is_no_group(tmp_path: Path, bert: Path) -> None:
    rows = [{**row, "doc_id": f"{row['label'][:2]}{at % 12}"} for at, row in enumerate(CLEAN)]

    assert named(findings(tmp_path, bert, rows)) == {"label-column"}


def test_a_group_that_is_named_leaks_no_more(tmp_path: Path, bert: Path) -> None:
    rows, _ = PLANTED["group-leaks"]()

    assert named(findings(tmp_path, bert, rows, data__group="customer_id")) == set()


def test_personal_data_are_counted_and_never_shown(tmp_path: Path, bert: Path) -> None:
    found = findings(tmp_path, bert, PLANTED["personal-data"]()[0])

    assert "nora" not in json.dumps([one.to_json() for one in found if one.check == "personal-data"])


# What stops a run


def test_leaks_stop_a_run_unless_they_are_allowed(tmp_path: Path, bert: Path) -> None:
    rows = write(tmp_path / "rows.csv", CLEAN[:200])
    test = write(tmp_path / "test.csv", [*CLEAN[200:], *CLEAN[:20]])
    words = (rows, "--test", test, "--model", bert, "--method", "probe", "--out", tmp_path / "run", "--quiet")

    refused = command("tune", *words)

    assert refused.code == 2
    assert "20 rows of the 60 test rows also stand in the training data." in refused.err
    assert "--allow leaks goes on in spite of it." in refused.err
    assert not (tmp_path / "run").exists()
    assert command("tune", *words, "--allow", "leaks").code == 0
    assert "leaks" in {one["check"] for one in json.loads((tmp_path / "run" / "findings.json").read_text())}


def test_a_check_that_there_is_not_cannot_be_allowed(tmp_path: Path, bert: Path) -> None:
    ended = command("tune", write(tmp_path / "rows.csv", CLEAN), "--model", bert, "--allow", "leeks")

    assert ended.code == 2
    assert "data.allow: 'leeks' is not a check that stops a run. Did you mean 'leaks'?" in ended.err


@pytest.mark.parametrize(
    ("check", "rows"),
    [
        ("one-label", [{**row, "label": "same"} for row in CLEAN[:30]]),
        ("unique-labels", [{**row, "label": f"n{at}"} for at, row in enumerate(CLEAN[:30])]),
        ("no-text", [{**row, "text": ""} for row in CLEAN[:30]]),
    ],
)
def test_data_of_no_use_are_told_as_a_stop(check: str, rows: list[Row], tmp_path: Path, bert: Path) -> None:
    path = write(tmp_path / "rows.csv", rows)

    ended = command("check", path, "--text", "text", "--label", "label", "--model", bert, "--json", "--quiet")

    record = json.loads(ended.out.splitlines()[-1])
    assert ended.code == 2
    assert [(one["check"], one["severity"]) for one in record["findings"]] == [(check, "stop")]
    assert command("tune", path, "--text", "text", "--label", "label", "--model", bert).code == 2


# What is told


def test_the_findings_are_a_table_a_file_and_a_page(tmp_path: Path, bert: Path) -> None:
    rows = write(tmp_path / "rows.csv", PLANTED["copies"]()[0])

    ended = command("check", rows, "--model", bert, "--out", tmp_path / "told", "--quiet")

    assert ended.code == 0
    assert "copies" in ended.out
    told = " ".join(ended.out.split())  # as wide as the terminal is
    assert "-> Delete the copies (luthier check --fix copies), unless the repetition is meant." in told
    assert json.loads((tmp_path / "told" / "findings.json").read_text())[0]["check"]
    assert "repeats the text of an earlier row" in (tmp_path / "told" / "report.html").read_text()


def test_nothing_is_written_unasked(tmp_path: Path, bert: Path) -> None:
    rows = write(tmp_path / "rows.csv", CLEAN)

    command("check", rows, "--model", bert, "--quiet")

    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


# What mends


def dirty(folder: Path) -> Path:
    rows = [dict(row) for row in CLEAN]
    rows += [
        {**CLEAN[0], "text": CLEAN[0]["text"].upper()},
        {**CLEAN[7], "text": CLEAN[7]["text"] + " Now!"},
        text_of(" "),
        text_of("The cafÃ© is nice and <b>the</b> crÃ¨me is too"),
        text_of("Write to nora.t@example.org, number is 555-0142, card 4111 1111 1111 1111"),
        {"text": "I would have my money back today please", "label": "Refund"},
        {"text": "Give the money for that banjo back please", "label": "Refund"},
    ]
    return write(folder / "rows.csv", rows)


KINDS = "copies,near-copies,empty,garbage,label-names,personal-data"


def test_what_is_mended_is_found_no_more_and_undone_to_the_byte(tmp_path: Path, bert: Path) -> None:
    path = dirty(tmp_path)
    before = path.read_bytes()
    mended_ones = set(KINDS.split(","))
    assert mended_ones <= named(findings_at(path, bert))

    ended = command("check", path, "--model", bert, "--fix", KINDS, "--quiet", "--json")

    record = json.loads(ended.out.splitlines()[-1])["mended"]
    assert record["fixed"] == [str(tmp_path / "rows.fixed.csv")]
    assert path.read_bytes() == before
    assert not mended_ones & named(findings_at(tmp_path / "rows.fixed.csv", bert))
    undone = command("check", tmp_path / "rows.fixed.csv", "--undo", tmp_path / "rows.patch.csv")
    assert undone.code == 0
    assert (tmp_path / "rows.undone.csv").read_bytes() == before


def findings_at(path: Path, model: Path) -> list[Finding]:
    """What can be mended: whether a text belongs here a person decides."""
    found = luthier.check(str(path), model=str(model), quiet=True)
    return [one for one in found if "unlike the others" not in one.message]


def test_labels_are_mended_as_a_person_decides(tmp_path: Path, bert: Path) -> None:
    path = write(tmp_path / "rows.csv", wrong_labels()[0])
    words = ("check", path, "--model", bert, "--fix", "labels:review", "--quiet")
    review = tmp_path / "rows.review.csv"

    first = command(*words)

    assert "wait for your decision" in first.out
    assert not (tmp_path / "rows.fixed.csv").exists()
    with open(review, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    right = {at + 2: MANY[at]["label"] for at in range(0, len(MANY), 21)}
    for row in rows:
        row["decision"] = right.get(int(row["row"]), "keep")
    write(review, rows)

    second = command(*words)

    assert "all decided" in second.out
    patched = (tmp_path / "rows.fixed.csv").read_text(encoding="utf-8")
    for row in rows:
        assert f"{row['text']},{right.get(int(row['row']), row['label'])}\n" in patched.replace("\r\n", "\n")
    known = {(row["text"]) for row in rows}
    doubted = [one for one in findings_at(tmp_path / "rows.fixed.csv", bert) if one.check == "label-errors"]
    assert not {row["text"] for one in doubted for row in one.rows} & known


def test_a_decision_that_is_no_label_is_refused(tmp_path: Path, bert: Path) -> None:
    path = write(tmp_path / "rows.csv", wrong_labels()[0])
    command("check", path, "--model", bert, "--fix", "labels:review", "--quiet")
    review = tmp_path / "rows.review.csv"
    with open(review, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[1]["decision"] = "prase"
    write(review, rows)

    ended = command("check", path, "--model", bert, "--quiet")

    assert ended.code == 2
    assert ended.err.startswith(f"{review}, row 2: decision 'prase' is not a label. Did you mean 'praise'?")


def test_leaks_are_mended_in_the_training_file(tmp_path: Path, bert: Path) -> None:
    rows = write(tmp_path / "rows.csv", CLEAN[:200])
    test = write(tmp_path / "test.csv", [*CLEAN[200:], *CLEAN[:20]])
    words = ("check", "--test", test, "--model", bert, "--quiet", "--json")

    assert command(*words, rows, "--fix", "leaks").code == 2

    ended = command(*words, tmp_path / "rows.fixed.csv")
    assert ended.code == 0
    assert "leaks" not in {one["check"] for one in json.loads(ended.out)["findings"]}
    assert not (tmp_path / "test.fixed.csv").exists()


def test_rows_that_are_lists_are_not_corrected_in_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [
        ["text", "label"],
        *([f"<b>This</b> is the text of number {at}.", "ab"[at % 2]] for at in range(40)),
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    ended = command("check", path, "--model", "none", "--fix", "garbage")

    assert ended.code == 2
    assert f"{path}: is corrected only where each line is an object, and its rows are lists." in ended.err
    assert not (tmp_path / "rows.fixed.jsonl").exists()


def test_a_kind_of_fix_that_there_is_not_is_refused(tmp_path: Path) -> None:
    ended = command("check", write(tmp_path / "rows.csv", CLEAN), "--fix", "copys")

    assert ended.code == 2
    assert ended.err.startswith("--fix copys: is not a kind of fix. Did you mean 'copies'?")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("crÃ¨me &amp; cafÃ©<br/>twice", "crème & café twice"),
        ("a < b and b > c & d", "a < b and b > c & d"),
        ("crème brûlée", "crème brûlée"),
        ("<p>one</p><script>alert(1)</script>", "one"),
    ],
)
def test_texts_are_cleaned_of_what_nobody_wrote(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("card 4111 1111 1111 1111, thanks", "card [card], thanks"),
        ("call +49 (30) 123 456 7 or 555-0142", "call [phone] or [phone]"),
        ("order 48213 of 2024-11-21 for 1.000.000", "order 48213 of 2024-11-21 for 1.000.000"),
        ("a.b+c@mail.example.org.", "[e-mail]."),
    ],
)
def test_personal_data_are_masked(text: str, hidden: str) -> None:
    assert masked(text) == hidden


def test_what_mends_long_rows_is_something_that_they_can_be_read_by(tmp_path: Path, bert: Path) -> None:
    """Windows are of single texts: pairs, which are read as one, are refused with them."""
    texts = [(" ".join([text] * 20), label) for text, label in messages(30)]
    single = write_jsonl(tmp_path / "texts.jsonl", [{"text": text, "label": label} for text, label in texts])
    pairs = write_jsonl(
        tmp_path / "pairs.jsonl",
        [{"sentence1": text, "sentence2": text, "label": label} for text, label in texts],
    )

    found = {
        file: next(
            one["mend"]
            for one in json.loads(
                command("check", file, "--model", bert, "--json", "--quiet").out.splitlines()[-1]
            )["findings"]
            if one["check"] == "length"
        )
        for file in (single, pairs)
    }

    assert found == {
        single: "--long windows reads them all; or take a model that reads more.",
        pairs: "Shorten them, take a model that reads more, or have none cut: --long refuse stops at the first text.",
    }


def test_what_is_not_known_of_names_is_told_by_check(tmp_path: Path, sentence_bert: Path) -> None:
    free = tmp_path / "free.txt"
    free.write_text("\n".join(text for text, _ in messages(8)), encoding="utf-8")
    words = ("check", "--label-names", "delivery,refund", "--unlabelled", free, "--model", sentence_bert)

    told, refused = command(*words), command(*words, "--forecast", "0.9")

    assert "No row is learnt from, so only contradictions and copies were looked for" in told.err
    assert "There are no test rows, so nothing is measured" in told.err
    assert (refused.code, refused.err.splitlines()[-1]) == (
        2,
        "--forecast tells how many labels a score takes, and where labels are named no row is learnt from. Leave it out.",
    )
