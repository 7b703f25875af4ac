"""`luthier export`: what it asks for, what it prints, and what it refuses."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command import luthier
from luthier.folder.model_folder import ModelFolder
from luthier.folder.model_record import FILE, ModelRecord, sealed_record_of
from luthier.models.static.making import model_path
from luthier.session.runs import plan_of
from luthier.steps.export import asked_of, held_out
from luthier.tasks.calibration import Calibration
from luthier.tasks.classification.task import Classification
from tiny_llamas import byte_level, llama

pytest.importorskip("gguf", reason="the extra [gguf] is not installed")


def run_of(path: Path, model: Path) -> Path:
    """A run's folder around a model, with what luthier adds to it."""
    record = ModelRecord(
        task=Classification(("a", "b")).to_json(),
        calibration=Calibration(),
        pooling=None,
        hidden=(),
        long="cut",
        columns={},
        base="SmolLM2-135M-Instruct",
        base_fingerprint="",
        method="tuned",
        luthier="0",
    )
    path.mkdir()
    model.rename(path / "model")
    (path / "model" / FILE).write_text(json.dumps(sealed_record_of(record, path / "model")))
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run whose model is a tiny llama, which is asked a few questions alone."""
    monkeypatch.setattr("luthier.steps.export.MOST_PROMPTS", 5)
    return run_of(tmp_path / "mail", llama(tmp_path / "made", byte_level(), max_position_embeddings=512))


def test_a_run_is_exported_into_its_own_folder_and_the_comparison_is_printed(run: Path) -> None:
    ended = luthier("export", run, "--format", "gguf", "--quiet")

    assert (ended.code, ended.err) == (0, "")
    assert (run / "export" / "mail-F16.gguf").is_file()
    assert ended.out.startswith(f"{run}/export/mail-F16.gguf   gguf, F16, 0.2 MB\n")
    assert "  5 of 5 greedy answers are the original's, token by token (luthier's own messages)" in ended.out


@pytest.mark.parametrize("task", ["chat", "preference", "adaptation"])
def test_a_runs_own_held_out_rows_are_asked(
    task: str, language_run: Callable[[str], Path], tmp_path: Path
) -> None:
    ended = luthier("export", language_run(task), "--format", "gguf", "--out", tmp_path / "m.gguf", "--quiet")

    assert ended.code == 0, ended.err
    assert "greedy answers are the original's, token by token (the run's held-out rows)" in ended.out


def test_rows_of_which_all_is_learnt_are_asked_by_their_first_half(
    language_run: Callable[[str], Path],
) -> None:
    run = language_run("adaptation")

    rows = held_out(plan_of(run), ModelFolder(run))

    ids = rows.sequence(0)
    assert asked_of(rows, 0) == ids[: min(64, len(ids)) // 2].tolist()


def test_rows_that_have_changed_since_the_run_are_not_asked_and_that_is_told(
    language_run: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(language_run("chat").parent, folder)
    shutil.rmtree(folder / "run" / "state", ignore_errors=True)
    (folder / "run" / "plan.toml").write_text(
        (folder / "run" / "plan.toml").read_text().replace(str(language_run("chat").parent), str(folder))
    )
    with open(folder / "chat.jsonl", "a", encoding="utf-8") as file:
        file.write((folder / "chat.jsonl").read_text().splitlines()[0].replace("Hello", "Hullo") + "\n")

    ended = luthier("export", folder / "run", "--format", "gguf")

    assert ended.code == 0, ended.err
    assert (
        f"The run's held-out rows are not asked: {folder}/chat.jsonl: holds other rows than when the run was made."
        in ended.err
    )
    assert "(luthier's own messages)" in ended.out


def test_type_and_file_may_be_named_and_json_is_the_last_line(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere" / "m.gguf"

    ended = luthier("export", run, "--format", "gguf", "--type", "q8_0", "--out", out, "--json", "--quiet")

    told = json.loads(ended.out.splitlines()[-1])
    assert (told["file"], told["type"], told["answers"]["prompts"]) == (str(out), "Q8_0", 5)
    assert sorted(path.name for path in out.parent.iterdir()) == ["export.json", "m.gguf"]


def test_the_model_folder_itself_may_be_named_and_nothing_is_written_into_it(run: Path) -> None:
    before = sorted((run / "model").iterdir())

    ended = luthier("export", run / "model", "--format", "gguf", "--quiet")
    inside = luthier("export", run, "--format", "gguf", "--out", run / "model" / "m.gguf")

    assert (ended.code, sorted((run / "model").iterdir())) == (0, before)
    assert (run / "export" / "mail-F16.gguf").is_file()
    assert (inside.code, inside.err) == (
        2,
        f"--out {run}/model/m.gguf: lies in the model's own folder, which holds nothing but the model. Name a file beside it.\n",
    )


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "an unknown format": (
        ("--format", "ggml"),
        "--format ggml: there is no such format. Did you mean 'gguf'? There is gguf, for llama.cpp and the programs that "
        "are built on it, such as Ollama and LM Studio.",
    ),
    "an unknown type": (
        ("--format", "gguf", "--type", "Q4_K_M"),
        "--type Q4_K_M: gguf is not written in it. Did you mean 'Q4_0'? There is 'F16', 'BF16', 'Q8_0', 'Q4_0'.",
    ),
    "another ending": (
        ("--format", "gguf", "--out", "model.bin"),
        "--out model.bin: expected a name that ends with .gguf, by which programs know the format. Call it model.gguf.",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_asked_for_is_refused(what: str, tmp_path: Path) -> None:
    words, message = REFUSED[what]

    ended = luthier("export", tmp_path, *words)

    assert (ended.code, ended.err) == (2, message + "\n")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    ended = luthier("export", tmp_path, "--format", "gguf")

    assert (ended.code, ended.err) == (
        2,
        f"{tmp_path}: holds no model/luthier.json, so it is not a model that luthier saved. `luthier tune` makes one.\n",
    )


def test_a_run_of_an_encoder_is_refused(tmp_path: Path, tiny_model: Any) -> None:
    from shutil import copytree

    run = run_of(tmp_path / "reviews", Path(copytree(tiny_model("bert"), tmp_path / "made")))

    ended = luthier("export", run, "--format", "gguf")

    assert (ended.code, ended.err) == (
        2,
        f"{run}/model: cannot be written as gguf: it is of the architecture bert, and GGUF files are written of llama-type "
        "decoders. The folder itself opens in transformers as it is.\n",
    )
    assert not (run / "export").exists()


def test_a_run_of_a_table_of_word_vectors_is_refused_with_the_library_that_opens_it(
    tmp_path: Path, sentence_bert: Path
) -> None:
    run = run_of(
        tmp_path / "reviews", Path(shutil.copytree(model_path(f"static:{sentence_bert}"), tmp_path / "made"))
    )

    ended = luthier("export", run, "--format", "gguf")

    assert ended.code == 2
    assert ended.err.endswith("The folder itself opens in sentence-transformers as it is.\n")


def test_a_missing_library_is_named_with_the_extra_that_installs_it(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gguf" else found(name))

    ended = luthier("export", run, "--format", "gguf")

    assert (ended.code, ended.err) == (
        1,
        '--format gguf: gguf is not installed. Install it: pip install "luthier[gguf]"\n',
    )
