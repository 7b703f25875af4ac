"""A file is whole or not there, whatever the disk does; and what the disk refuses is told in a sentence."""

import errno
import hashlib
import json
import os
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from luthier.errors import InputError, WorldError
from luthier.files import (
    create,
    existing_parent,
    is_locked,
    locked,
    open_file,
    sweep,
    unfinished,
    whole_folder,
    why_no_folder,
    write_bytes,
    write_json,
    write_text,
)
from luthier.hashes import hash_file, hash_json

FULL = (
    "{path}: the disk is full (12 MB free). Everything finished before is kept; "
    "free some space and give the same command again."
)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with no room left, as fsync finds out."""

    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=12_345_678))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_written_file_holds_what_was_given(tmp_path: Path) -> None:
    write_bytes(tmp_path / "new" / "deep" / "a.bin", b"\0\1")
    write_text(tmp_path / "a.txt", "né\n")
    write_json(tmp_path / "a.json", {"label": "日本", "n": 1.5})

    assert everything(tmp_path) == {
        "new/deep/a.bin": b"\0\1",
        "a.txt": "né\n".encode(),
        "a.json": '{\n  "label": "日本",\n  "n": 1.5\n}\n'.encode(),
    }


def test_a_write_on_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, full_disk: None) -> None:
    path = tmp_path / "scorecard.json"
    path.write_text("old")

    with pytest.raises(WorldError) as caught:
        write_json(path, {"new": 1})

    assert str(caught.value) == FULL.format(path=path)
    assert everything(tmp_path) == {"scorecard.json": b"old"}


def test_a_first_write_on_a_full_disk_leaves_nothing(tmp_path: Path, full_disk: None) -> None:
    with pytest.raises(WorldError):
        write_text(tmp_path / "report.html", "new")

    assert everything(tmp_path) == {}


def test_a_folder_on_a_full_disk_stays_the_old_one(tmp_path: Path, full_disk: None) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "weights").write_text("old")

    with pytest.raises(WorldError) as caught, whole_folder(path) as folder:
        (folder / "weights").write_text("new")

    assert str(caught.value) == FULL.format(path=path)
    assert everything(tmp_path) == {"model/weights": b"old"}
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_folder_whose_filling_fails_stays_the_old_one_and_the_error_is_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "weights").write_text("old")

    with pytest.raises(KeyError), whole_folder(path) as folder:
        (folder / "weights").write_text(dict[str, str]()["new"])

    assert everything(tmp_path) == {"model/weights": b"old"}
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_cannot_take_its_name_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "weights").write_text("old")
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if source.name.endswith(".part"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)

    with pytest.raises(WorldError) as caught, whole_folder(path) as folder:
        (folder / "weights").write_text("new")

    assert str(caught.value) == f"{path}: cannot be written (Input/output error)."
    assert everything(tmp_path) == {"model/weights": b"old"}
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_whole_folder_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model"
    for name in ("first", "second"):
        with whole_folder(path) as folder:
            (folder / "1_Pooling").mkdir()
            (folder / "1_Pooling" / name).write_text(name)
            assert not (path / "1_Pooling" / name).exists()

    assert everything(tmp_path) == {"deep/model/1_Pooling/second": b"second"}
    assert [file.name for file in path.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_place_without_permission_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)

    with pytest.raises(WorldError) as caught:
        write_text(tmp_path / "plan.toml", "")

    assert str(caught.value) == (
        f"{tmp_path / 'plan.toml'}: no permission to write here. Choose another folder with --out."
    )


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")

    with pytest.raises(WorldError, match=r"cannot be written \((File exists|Not a directory)\)\.$"):
        write_text(tmp_path / "runs" / "a" / "plan.toml", "")


def test_what_safetensors_says_of_a_full_disk_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raises an error of its own, which is no OSError."""
    from safetensors import SafetensorError

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=12_345_678))
    words = "Error while serializing: I/O error: No space left on device (os error 28)"

    with pytest.raises(WorldError) as caught, whole_folder(tmp_path / "model"):
        raise SafetensorError(words)

    assert str(caught.value) == FULL.format(path=tmp_path / "model")
    assert everything(tmp_path) == {}


def test_another_error_inside_a_folder_is_not_taken_for_the_disks(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught, whole_folder(tmp_path / "model"):
        raise ValueError("weights of another shape")

    assert str(caught.value) == "weights of another shape"


def test_the_nearest_folder_that_exists_is_found(tmp_path: Path) -> None:
    assert existing_parent(tmp_path / "a" / "b" / "c") == tmp_path
    assert existing_parent(tmp_path) == tmp_path
    assert existing_parent(Path("nowhere/at/all")) == Path(".")


def test_hashes_are_those_of_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)

    assert hash_file(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()
    assert hash_json({"b": [1, "é"], "a": None}) == hash_json(json.loads('{"a": null, "b": [1, "\\u00e9"]}'))
    assert hash_json({"a": 1}) != hash_json({"a": "1"})


# Nothing but files is opened


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


STRANGE: dict[str, Callable[[Path], None]] = {
    "a pipe": make_pipe,
    "a socket": make_socket,
    "a device": make_device,
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_file_is_refused_at_once_and_named(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket may not be long
    STRANGE[kind](Path("plan.toml"))

    for read in (open_file, hash_file):
        with pytest.raises(InputError) as caught:
            read(Path("plan.toml"))

        assert str(caught.value) == (
            f"plan.toml: is {kind}, and a file is expected here. Put the file itself in its place."
        )


def test_a_link_that_leaves_the_folder_is_not_followed_and_one_inside_it_is(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "secret").write_text("nobody may read this")
    (run / "inside").write_text("ours")
    (run / "away").symlink_to("../secret")
    (run / "near").symlink_to("inside")
    (tmp_path / "other name").symlink_to(run)

    assert open_file(run / "near", within=run).read() == b"ours"
    assert open_file(tmp_path / "other name" / "near", within=tmp_path / "other name").read() == b"ours"
    with pytest.raises(InputError) as caught:
        open_file(run / "away", within=run)

    assert str(caught.value) == (
        f"{run / 'away'}: is a link that leaves {run}, to {tmp_path / 'secret'}, and is not followed. "
        "Put the file itself in its place."
    )


def test_a_new_file_is_not_written_through_a_link_nor_over_another(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_text("there")

    for name in ("link", "file"):
        with pytest.raises(FileExistsError):
            create(tmp_path / name)

    assert not (tmp_path / "elsewhere").exists()
    assert unfinished(tmp_path / "a") != unfinished(tmp_path / "a")


def test_a_written_file_takes_the_place_of_a_link_and_not_of_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "report.html").symlink_to(tmp_path / "elsewhere")

    write_text(tmp_path / "report.html", "ours")

    assert (tmp_path / "elsewhere").read_text() == "theirs"
    assert not (tmp_path / "report.html").is_symlink()


@pytest.mark.parametrize("name", [".plan.toml.4711.part", ".model.1a2b3c4d5e6f7a8b.old", None])
def test_what_a_killed_command_left_half_written_is_swept_away(name: str | None, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    left = unfinished(tmp_path / "state" / "a") if name is None else tmp_path / "state" / name
    left.mkdir()
    (tmp_path / ".notes.part").write_text("the user's own")

    sweep(tmp_path)

    assert not left.exists()
    assert (tmp_path / ".notes.part").exists()


def test_a_lock_keeps_others_out_and_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "state" / "lock"
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        with locked(path) as ours:
            os.write(told, b"y" if ours else b"n")
            signal.pause()
    assert os.read(ready, 1) == b"y"

    with locked(path) as ours:
        assert not ours
    assert is_locked(path)

    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with locked(path) as ours:
        assert ours
    assert not is_locked(path)
    assert not is_locked(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("new/deep/run", None),
        ("file", "file is no folder"),
        ("file/below", "file is no folder"),
        ("a" * 300, "file name too long"),
        ("new/" + "a" * 300, "file name too long"),
        ("a/" * 2100, "file name too long"),
        ("broken", "broken is a link to what is not there"),
        ("loop/run", "loop is a link to what is not there"),
        ("a\0b", "its name holds a NUL"),
        ("\udcff", "its name holds what is no letter in UTF-8"),
    ],
)
def test_a_folder_that_cannot_be_written_is_found_out_and_nothing_is_left(
    out: str, why: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("broken").symlink_to("nowhere")
    Path("loop").symlink_to("loop")

    assert why_no_folder(Path(out)) == why
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "file", "loop"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_its_owner_or_the_disk_keeps_closed_is_found_out(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *more: object, **named: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)

    assert why_no_folder(tmp_path / "run") == os.strerror(number).lower()
