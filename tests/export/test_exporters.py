"""Every format of an export is written, compared and read back; what does not pass the comparison gets no name."""

import json
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from luthier.errors import DiskError, Interrupted, RunError, WorldError
from luthier.events import Noted, Started, result_of
from luthier.export import EXPORTERS
from luthier.export.export_record import ExportsRecord, FileRecord, export_words
from luthier.export.exporter import Exporter
from luthier.export.exporting import Order, Prompts, default_file, export
from luthier.export.gguf import Gguf
from luthier.export.original import Original
from luthier.models.hub.inspect import inspect_folder
from luthier.records import read_sealed
from tiny_llamas import byte_level, llama, texts

pytest.importorskip("gguf", reason="the extra [gguf] is not installed")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    path = llama(tmp_path_factory.mktemp("llama") / "model", byte_level())
    return Original(inspect_folder(str(path), path))


def prompts(original: Original, count: int = 4) -> Prompts:
    tokenizer = original.tokenizer
    return Prompts([tokenizer.encode(text) for text in texts()[:count]], "messages")


def exported(exporter: Exporter, original: Original, out: Path, kind: str | None = None) -> FileRecord:
    order = Order("gguf", kind or next(iter(exporter.types)), out, "tiny")
    return result_of(export(exporter, original, order, prompts(original), lambda: False))


# What every format has


@pytest.mark.parametrize("name", EXPORTERS)
def test_a_format_says_what_it_is_for_and_how_its_files_end(name: str) -> None:
    exporter = EXPORTERS[name]

    assert exporter.words.startswith("for ")
    assert exporter.ending.startswith(".")
    assert all(0 <= share <= 1 for share in exporter.types.values())
    assert next(iter(exporter.types.values())) >= 0.97, "the default is nearly the original"


@pytest.mark.parametrize("name", EXPORTERS)
def test_a_format_says_why_an_encoder_is_not_written(name: str, tiny_model: Any) -> None:
    path = tiny_model("bert")

    assert EXPORTERS[name].why_not(Original(inspect_folder(str(path), path))) == (
        "it is of the architecture bert, and GGUF files are written of llama-type decoders"
    )


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, exporter in EXPORTERS.items() for kind in exporter.types]
)
def test_a_format_holds_the_model_in_each_of_its_types(
    name: str, kind: str, original: Original, tmp_path: Path
) -> None:
    exporter = EXPORTERS[name]
    assert exporter.why_not(original) is None

    found = exported(exporter, original, tmp_path / f"m{exporter.ending}", kind)

    assert found.type == kind
    assert found.bytes == (tmp_path / f"m{exporter.ending}").stat().st_size
    assert 0 < found.bytes - exporter.size(original, kind) < 40_000, (
        "the size is known before, but for the vocabulary"
    )
    assert kind in found.weights
    assert found.answers.agree >= exporter.types[kind] * found.answers.prompts == 4 * exporter.types[kind]


# What is not the model


class Damaged(Gguf):
    """A format whose last weights are others."""

    def write(self, original: Original, kind: str, path: Path, name: str) -> Iterator[str]:
        yield from super().write(original, kind, path, name)
        with open(path, "rb+") as file:
            file.seek(-256, 2)
            file.write(b"\x00" * 256)


class Forgetful(Gguf):
    """A format that opens as another model."""

    def open(self, original: Original, path: Path) -> Any:
        model = original.model()
        model.lm_head.weight.data.mul_(-1)
        return model


def test_weights_that_are_others_leave_no_file(original: Original, tmp_path: Path) -> None:
    with pytest.raises(WorldError) as caught:
        exported(Damaged(), original, tmp_path / "m.gguf")

    assert str(caught.value) == (
        "The exported file is not the model that it was made of: 'output_norm.weight' read back further from the original than "
        "rounding can explain. It was not kept. Try another --type, and report it."
    )
    assert list(tmp_path.iterdir()) == []


def test_answers_that_are_others_leave_no_file_and_the_older_one_stays(
    original: Original, tmp_path: Path
) -> None:
    exported(EXPORTERS["gguf"], original, tmp_path / "m.gguf")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(WorldError) as caught:
        exported(Forgetful(), original, tmp_path / "m.gguf")

    assert str(caught.value) == (
        "The exported file is not the model that it was made of: only 0 of 4 greedy answers are the original's, and F16 wants "
        "97%. It was not kept. Try another --type, and report it."
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_answers_that_part_are_shown_with_both_margins(original: Original, tmp_path: Path) -> None:
    class Lenient(Forgetful):
        types = {"F16": 0.0}  # noqa: RUF012

    found = exported(Lenient(), original, tmp_path / "m.gguf")

    assert (found.answers.agree, len(found.answers.partings)) == (0, 4)
    first = found.answers.partings[0]
    assert (first.prompt, first.at) == (0, 0)
    assert first.exported_margin > 0
    assert f"    prompt 1, token 1: {first.exported!r} ahead by" in export_words(tmp_path / "m.gguf", found)


def test_a_full_disk_is_told_before_anything_is_written(
    original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2_000_000, 1_000_000, 1_000_000))

    with pytest.raises(DiskError) as caught:
        exported(EXPORTERS["gguf"], original, tmp_path / "new" / "m.gguf")

    assert str(caught.value) == (
        f"{tmp_path / 'new' / 'm.gguf'}: takes about 20 MB, and 1 MB are free there. Free some space, choose a smaller --type, "
        "or name a file on another disk with --out."
    )
    assert list(tmp_path.iterdir()) == []


def test_who_stops_leaves_no_file(original: Original, tmp_path: Path) -> None:
    order = Order("gguf", "F16", tmp_path / "m.gguf", "tiny")

    with pytest.raises(Interrupted):
        result_of(export(EXPORTERS["gguf"], original, order, prompts(original), lambda: True))

    assert list(tmp_path.iterdir()) == []


# What stands beside it


def test_the_record_beside_the_files_tells_of_each_that_is_there(original: Original, tmp_path: Path) -> None:
    for kind in ("F16", "Q8_0", "BF16"):
        exported(EXPORTERS["gguf"], original, tmp_path / f"{kind}.gguf", kind)
        (tmp_path / "Q8_0.gguf").unlink(missing_ok=True)

    found, sealed = read_sealed(tmp_path / "export.json", ExportsRecord)

    assert sealed
    assert {name: told.type for name, told in found.files.items()} == {"F16.gguf": "F16", "BF16.gguf": "BF16"}
    assert found.files["F16.gguf"].made_of == original.folder.fingerprint()
    assert found.files["F16.gguf"].answers.prompts_from == "messages"


def test_an_export_json_of_somebody_else_is_not_written_over(original: Original, tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(json.dumps({"mine": 1}))

    with pytest.raises(
        RunError, match=r"export\.json: lacks 'files'\. Move it away, or name another folder\."
    ):
        exported(EXPORTERS["gguf"], original, tmp_path / "m.gguf")

    assert [path.name for path in tmp_path.iterdir()] == ["export.json"]


def test_what_happens_is_told_on_the_way(tmp_path: Path) -> None:
    path = llama(tmp_path / "model", byte_level(), intermediate_size=100)
    original = Original(inspect_folder(str(path), path))
    order = Order("gguf", "Q8_0", tmp_path / "m.gguf", "tiny")

    events = list(export(EXPORTERS["gguf"], original, order, prompts(original), lambda: False))

    assert [event.step_name for event in events if isinstance(event, Started)] == ["export", "compare"]
    assert len([event for event in events if isinstance(event, Noted)]) == 1


def test_a_file_without_a_name_of_its_own_is_called_as_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mail").mkdir()
    monkeypatch.chdir(tmp_path / "mail")

    assert default_file(Path("."), "F16", ".gguf") == Path("export/mail-F16.gguf")


def test_prompts_that_leave_no_room_for_an_answer_are_left_out_and_that_none_is_left_is_told(
    tmp_path: Path,
) -> None:
    path = llama(tmp_path / "model", byte_level(), max_position_embeddings=33)
    original = Original(inspect_folder(str(path), path))

    found = exported(EXPORTERS["gguf"], original, tmp_path / "m.gguf")

    assert (found.answers.prompts, found.notes) == (
        0,
        ["No prompt leaves the model room for an answer: no answers were compared."],
    )
