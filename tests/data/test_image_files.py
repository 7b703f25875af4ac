"""Images in class folders, in folders and archives: which rows they give, what is refused, and how their bytes are had."""

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.data.images.files import read_images
from luthier.data.images.names import IMAGE_ENDINGS
from luthier.data.images.source import ImageSource
from luthier.data.read import read
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.errors import DataError, WorldError
from luthier.prepare.data_files import images_for

EXPECTED = "Expected class/file, a folder for each label, or split/class/file with splits called train, valid and test."
MOVE = "Move the images of each label into a folder of that name."
CLASSES = ("ani/1.jpg", "ani/2.png", "wren/1.jpg")
SPLITS = ("train/ani/1.jpg", "train/wren/2.jpg", "val/ani/3.jpg", "test/wren/4.jpg")
KINDS = ("folder", "set.tar", "set.tar.gz", "set.tgz", "set.zip")


def content(name: str) -> bytes:
    return f"the bytes of {name}".encode()


def laid_out(path: Path, names: tuple[str, ...]) -> Path:
    """Files of those names, as the ending of the path says; one that ends in a slash is a folder."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"" if name.endswith("/") else content(name))
    elif "." in path.name:
        with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as tar:
            for name in names:
                member = tarfile.TarInfo(name.rstrip("/"))
                member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
                raw = b"" if name.endswith("/") else content(name)
                member.size = len(raw)
                tar.addfile(member, io.BytesIO(raw))
    else:
        path.mkdir(exist_ok=True)
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                (path / name).mkdir(exist_ok=True)
            else:
                (path / name).write_bytes(content(name))
    return path


def rows_of(tables: dict[str, Table]) -> dict[str, list[tuple[str, str]]]:
    return {
        part: list(zip(table.values("image"), table.values("label"), strict=True))
        for part, table in tables.items()
    }


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a set of files of those names is refused with."""
    monkeypatch.chdir(tmp_path)

    def refusal(*names: str, path: str = "set") -> str:
        if names:
            laid_out(Path(path), names)
        with pytest.raises(DataError) as error:
            read_images(Path(path))
        return str(error.value)

    return refusal


# Which rows there are


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("around", ["", "birds/", "data/birds/"])
def test_the_label_is_the_folder_wherever_the_set_is_kept(tmp_path: Path, kind: str, around: str) -> None:
    path = laid_out(tmp_path / kind, tuple(around + name for name in CLASSES))

    tables = read_images(path)

    assert rows_of(tables) == {
        "train": [
            (f"{around}ani/1.jpg", "ani"),
            (f"{around}ani/2.png", "ani"),
            (f"{around}wren/1.jpg", "wren"),
        ]
    }
    assert tables["train"].guesses == ()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("around", ["", "birds/"])
def test_folders_with_the_names_of_splits_give_a_table_each(tmp_path: Path, kind: str, around: str) -> None:
    path = laid_out(tmp_path / kind, tuple(around + name for name in SPLITS))

    assert rows_of(read_images(path)) == {
        "train": [(f"{around}train/ani/1.jpg", "ani"), (f"{around}train/wren/2.jpg", "wren")],
        "valid": [(f"{around}val/ani/3.jpg", "ani")],
        "test": [(f"{around}test/wren/4.jpg", "wren")],
    }


@pytest.mark.parametrize(
    ("name", "part"), [("validation", "valid"), ("dev", "valid"), ("VALID", "valid"), ("testing", "test")]
)
def test_splits_have_several_names(tmp_path: Path, name: str, part: str) -> None:
    path = laid_out(tmp_path / "set", ("Training/a/1.jpg", "Training/b/1.jpg", f"{name}/a/1.jpg"))

    assert rows_of(read_images(path)) == {
        "train": [("Training/a/1.jpg", "a"), ("Training/b/1.jpg", "b")],
        part: [(f"{name}/a/1.jpg", "a")],
    }


def test_a_row_is_placed_by_its_number_in_the_whole_set(tmp_path: Path) -> None:
    tables = read_images(laid_out(tmp_path / "set.tar", SPLITS))

    assert str(tables["test"].place(0)) == "set.tar, line 1"
    assert str(tables["valid"].place(0)) == "set.tar, line 4"


def test_the_rows_are_the_same_in_a_folder_and_in_its_archives(tmp_path: Path) -> None:
    prints = {read_images(laid_out(tmp_path / kind, SPLITS))["train"].fingerprint for kind in KINDS}

    assert len(prints) == 1


def test_a_class_may_be_called_as_a_split_is(tmp_path: Path) -> None:
    tables = read_images(laid_out(tmp_path / "set", ("train/1.jpg", "bus/1.jpg")))

    assert rows_of(tables) == {"train": [("bus/1.jpg", "bus"), ("train/1.jpg", "train")]}


def test_a_folder_may_be_a_link(tmp_path: Path) -> None:
    laid_out(tmp_path / "elsewhere", ("1.jpg",))
    path = laid_out(tmp_path / "set", ("ani/1.jpg",))
    (path / "wren").symlink_to(tmp_path / "elsewhere", target_is_directory=True)

    assert rows_of(read_images(path)) == {"train": [("ani/1.jpg", "ani"), ("wren/1.jpg", "wren")]}


@pytest.mark.parametrize("kind", KINDS)
def test_what_systems_leave_behind_is_passed_over(tmp_path: Path, kind: str) -> None:
    left = ("__MACOSX/ani/._1.jpg", "ani/.DS_Store", "ani/Thumbs.db", ".git/a/b/c.jpg", "wren/desktop.ini")
    tables = read_images(laid_out(tmp_path / kind, CLASSES + left))

    assert len(tables["train"]) == 3
    assert tables["train"].guesses == ()


@pytest.mark.parametrize("kind", KINDS)
def test_other_files_and_bare_folders_are_told(tmp_path: Path, kind: str) -> None:
    path = laid_out(
        tmp_path / kind, (*CLASSES, "readme.txt", "ani/notes.TXT", "wren/raw", "owl/", "jay/blue/")
    )

    assert read_images(path)["train"].guesses == (
        f"{path}: 3 files passed over (.txt: 2, no ending: 1); images end in {', '.join(sorted(IMAGE_ENDINGS))}.",
        f"{path}: {'3 folders' if kind == 'folder' else '2 folders'} without an image: "
        f"{repr('jay') + ', ' if kind == 'folder' else ''}'jay/blue', 'owl'.",
    )


def test_a_tar_file_begun_at_a_dot_has_clean_names(tmp_path: Path) -> None:
    path = laid_out(tmp_path / "set.tar", ("./", "./ani/", "./ani/1.jpg", "./wren/1.jpg"))

    table = read_images(path)["train"]

    assert table.values("image") == ["ani/1.jpg", "wren/1.jpg"]
    assert ImageSource(table).bytes_of(1) == content("./wren/1.jpg")


def test_hard_links_in_a_tar_file_are_files_and_other_links_are_told(tmp_path: Path) -> None:
    path = tmp_path / "set.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind, target in (
            ("ani/1.jpg", tarfile.REGTYPE, ""),
            ("wren/1.jpg", tarfile.LNKTYPE, "ani/1.jpg"),
            ("wren/2.jpg", tarfile.SYMTYPE, "../ani/1.jpg"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, target, 0 if target else 3
            tar.addfile(member, io.BytesIO(b"abc"))

    table = read_images(path)["train"]

    assert table.values("image") == ["ani/1.jpg", "wren/1.jpg"]
    assert ImageSource(table).bytes_of(1) == b"abc"
    assert table.guesses[0].startswith(f"{path}: 1 file passed over (a link: 1); images end in ")


# What is refused


def test_images_without_class_folders_are_refused(refusal: Callable[..., str]) -> None:
    assert (
        refusal("1.jpg", "2.jpg")
        == f"set: holds 2 images and no class folders, such as '1.jpg'. {EXPECTED} {MOVE}"
    )


def test_one_folder_of_images_is_one_label(refusal: Callable[..., str]) -> None:
    assert refusal("photos/1.jpg", "photos/2.jpg") == (
        f"set: holds images in one folder only, 'photos', so there is one label. {EXPECTED} {MOVE}"
    )


def test_splits_without_class_folders_are_refused(refusal: Callable[..., str]) -> None:
    assert refusal("train/1.jpg", "test/2.jpg") == (
        "set: 'test', 'train' are splits by their names, and hold images without class folders. "
        f"{EXPECTED} {MOVE[:-1]}, within each split."
    )


def test_a_mixture_of_files_and_folders_is_refused(refusal: Callable[..., str]) -> None:
    assert refusal("logo.png", *CLASSES) == (
        "set: images lie at different depths: 3 as 'ani/1.jpg' does, and 1 otherwise: 'logo.png'. "
        f"{EXPECTED} Move or delete those that lie otherwise."
    )


def test_folders_that_are_no_splits_are_named(refusal: Callable[..., str]) -> None:
    assert refusal("dog/poodle/1.jpg", "cat/siamese/1.jpg") == (
        "set: images lie two folders deep, and 'cat', 'dog' are no splits. "
        f"{EXPECTED} Rename what is a split, and move or delete what is none."
    )
    assert refusal("train/a/1.jpg", "trian/b/1.jpg", path="two") == (
        "two: images lie two folders deep, and 'trian' is no split. "
        f"{EXPECTED} Rename what is a split, and move or delete what is none."
    )


def test_a_split_may_not_be_there_twice_and_train_must_be(refusal: Callable[..., str]) -> None:
    assert refusal("train/a/1.jpg", "val/a/1.jpg", "dev/a/1.jpg") == (
        "set: 'dev', 'val' are the same split, valid. Keep one of them."
    )
    assert refusal("test/a/1.jpg", "val/a/1.jpg", path="two") == (
        f"two: has 'test', 'val' and no split called train. {EXPECTED}"
    )


def test_images_too_deep_are_refused(refusal: Callable[..., str]) -> None:
    assert refusal("train/a/images/1.jpg", "train/b/images/1.jpg") == (
        f"set: images lie 3 folders deep, such as 'train/a/images/1.jpg'. {EXPECTED}"
    )


def test_a_disk_is_no_image_set(refusal: Callable[..., str]) -> None:
    assert refusal("a/b/c/d/e/f/g/1.jpg") == (f"set/a/b/c/d/e/f/g: lies more than 6 folders deep. {EXPECTED}")


def test_a_folder_without_images_is_refused_with_what_it_holds(refusal: Callable[..., str]) -> None:
    Path("empty").mkdir()
    assert refusal(path="empty") == f"empty: holds no images. It is empty. {EXPECTED}"
    assert refusal("reviews.csv", "notes.txt") == (
        f"set: holds no images. It holds 2 other files. {EXPECTED} Did you mean the file 'set/reviews.csv'?"
    )


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "zip"])
def test_an_archive_without_images_is_refused(refusal: Callable[..., str], ending: str) -> None:
    name = f"set.{ending}"
    assert refusal("notes.txt", path=name) == f"{name}: holds no images. It holds 1 other file. {EXPECTED}"


def test_a_name_that_is_not_there_is_answered_with_the_nearest(refusal: Callable[..., str]) -> None:
    laid_out(Path("birds.tar"), CLASSES)

    assert (
        refusal(path="brids.tar") == "brids.tar: there is no such file or folder. Did you mean 'birds.tar'?"
    )


def test_other_kinds_of_files_are_no_image_sets(refusal: Callable[..., str]) -> None:
    Path("set.rar").touch()

    assert refusal(path="set.rar") == (
        "set.rar: is no set of images. Expected a folder, or a file that ends in .tar, .tar.gz, .tgz, .zip."
    )


@pytest.mark.parametrize("ending", ["tar", "tgz", "zip"])
@pytest.mark.parametrize("name", ["/etc/a.jpg", "../a.jpg", "ani/../../a.jpg", "C:/a.jpg"])
def test_members_that_would_lie_outside_are_refused(
    refusal: Callable[..., str], ending: str, name: str
) -> None:
    assert refusal(*CLASSES, name, path=f"set.{ending}") == (
        f"set.{ending}: 1 member would lie outside of it: {name!r}. "
        "Pack the folder anew, with names that begin inside it and have no '..'."
    )


@pytest.mark.parametrize(
    ("kind", "keep", "words"),
    [
        ("set.tar", 512 * 4 + 100, "it ends in the middle"),
        ("set.tar", 512 * 6, "it ends in the middle"),
        ("set.tar", 512 * 3 + 5, "unexpected end of data"),
        ("set.zip", -30, "File is not a zip file"),
        ("set.tgz", -30, "Compressed file ended before the end-of-stream marker was reached"),
        ("set.tar", 0, "empty file"),
    ],
)
def test_an_archive_that_is_cut_off_is_refused(
    refusal: Callable[..., str], kind: str, keep: int, words: str
) -> None:
    raw = laid_out(Path(kind), CLASSES).read_bytes()
    Path(kind).write_bytes(raw[:keep])

    assert refusal(path=kind) == f"{kind}: is not a whole archive ({words}). Copy or download it again."


def test_a_header_damaged_in_the_middle_is_not_taken_for_the_end(refusal: Callable[..., str]) -> None:
    raw = bytearray(laid_out(Path("set.tar"), CLASSES).read_bytes())
    raw[2 * 512 + 3] ^= 1
    Path("set.tar").write_bytes(raw)

    assert refusal(path="set.tar") == (
        "set.tar: is not a whole archive (a header is damaged). Copy or download it again."
    )


def test_a_zip_file_with_a_password_is_refused(refusal: Callable[..., str]) -> None:
    raw = bytearray(laid_out(Path("set.zip"), CLASSES).read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    Path("set.zip").write_bytes(raw)

    assert refusal(path="set.zip") == "set.zip: is encrypted. Pack it anew without a password."


def test_names_that_are_no_text_are_refused(refusal: Callable[..., str]) -> None:
    laid_out(Path("set"), CLASSES)
    Path(os.fsdecode(b"set/ani/h\xe4her.jpg")).touch()

    assert refusal() == "set: 1 name cannot be read as UTF-8: 'ani/h\\udce4her.jpg'. Rename them."


# The bytes


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_of_every_row_are_those_of_its_file_from_any_thread(tmp_path: Path, kind: str) -> None:
    names = (*(f"train/{label}/{at}.jpg" for label in "ab" for at in range(40)), "test/a/1.jpg")
    tables = read_images(laid_out(tmp_path / kind, names))
    table = Table.join([tables["train"], tables["test"]])
    source = ImageSource(table)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(source.bytes_of, [*range(len(source))] * 20))

    assert found == [content(name) for name in table.values("image")] * 20


def test_a_compressed_archive_may_be_called_as_if_it_were_not(tmp_path: Path) -> None:
    path = laid_out(tmp_path / "set.tar", CLASSES)
    path.write_bytes(gzip.compress(path.read_bytes()))

    assert ImageSource(read_images(path)["train"]).bytes_of(2) == content("wren/1.jpg")


def test_paths_begin_at_the_folder_of_their_file_or_else_where_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid_out(tmp_path / "data", ("pictures/1.jpg",))
    laid_out(tmp_path / "here", ("2.jpg",))
    monkeypatch.chdir(tmp_path / "here")
    file = tmp_path / "data" / "set.csv"
    file.write_text(f"image,label\npictures/1.jpg,a\n2.jpg,b\n{tmp_path}/here/2.jpg,b\n")

    source = ImageSource(read(file))

    assert [source.bytes_of(row) for row in range(3)] == [
        content(name) for name in ("pictures/1.jpg", "2.jpg", "2.jpg")
    ]
    assert source.name_of(0) == "set.csv, line 2: pictures/1.jpg"


@pytest.mark.parametrize("form", [pa.binary(), pa.large_binary()])
def test_a_column_may_hold_the_bytes(tmp_path: Path, form: pa.DataType) -> None:
    pq.write_table(pa.table({"image": pa.array([b"one", b"two"], form)}), tmp_path / "set.parquet")

    assert ImageSource(read(tmp_path / "set.parquet")).bytes_of(1) == b"two"


def test_a_column_may_hold_bytes_with_a_path_as_the_library_datasets_writes_them(tmp_path: Path) -> None:
    (tmp_path / "2.jpg").write_bytes(b"two")
    values = [{"bytes": b"one", "path": "1.jpg"}, {"bytes": None, "path": "2.jpg"}]
    pq.write_table(pa.table({"image": values}), tmp_path / "set.parquet")

    source = ImageSource(read(tmp_path / "set.parquet"))

    assert [source.bytes_of(row) for row in range(2)] == [b"one", b"two"]
    assert source.name_of(0) == "set.parquet, line 1: 1.jpg"


def test_an_image_that_is_not_there_is_told_with_its_row_and_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/set.csv").write_text('image\n1.jpg\n/no/2.jpg\n""\nhttps://birds.org/3.jpg\ndata\n')
    source = ImageSource(read("data/set.csv"))

    def said(row: int) -> str:
        with pytest.raises(DataError) as error:
            source.bytes_of(row)
        return str(error.value)

    mend = "Correct the path, or delete the row."
    folders = f"in '{tmp_path}/data' or '{tmp_path}'"
    assert said(0) == f"set.csv, line 2: 1.jpg is not there {folders}. {mend}"
    assert said(1) == f"set.csv, line 3: /no/2.jpg is not there. {mend}"
    assert said(2) == (
        "set.csv, line 4: names no image in column 'image'. Write its path there, or delete the row."
    )
    assert said(3) == (
        "set.csv, line 5: https://birds.org/3.jpg is an address, and nothing is downloaded. "
        "Fetch it, and name the file there."
    )
    assert said(4) == f"set.csv, line 6: data is not there {folders}. {mend}"


def test_an_image_taken_away_after_reading_is_told(tmp_path: Path) -> None:
    path = laid_out(tmp_path / "set", CLASSES)
    source = ImageSource(read_images(path)["train"])
    (path / "ani/2.png").unlink()

    with pytest.raises(DataError) as error:
        source.bytes_of(1)

    assert str(error.value) == (
        f"{path}: ani/2.png is not there any more. Put it back, or start anew without it."
    )


def test_a_file_that_may_not_be_read_is_the_worlds_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = laid_out(tmp_path / "set", CLASSES)
    source = ImageSource(read_images(path)["train"])

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("luthier.data.images.source.image_bytes", refuse)
    with pytest.raises(WorldError) as error:
        source.bytes_of(0)

    assert str(error.value) == (
        f"{path}/ani/1.jpg: no permission to read it. Ask its owner, or copy it to a place of your own."
    )


def test_a_zip_member_that_is_damaged_is_told(tmp_path: Path) -> None:
    path = laid_out(tmp_path / "set.zip", CLASSES)
    path.write_bytes(path.read_bytes().replace(b"bytes of wren", b"bytez of wren"))
    source = ImageSource(read_images(path)["train"])

    with pytest.raises(DataError) as error:
        source.bytes_of(2)

    assert str(error.value) == (
        f"{path}: is not a whole archive (Bad CRC-32 for file 'wren/1.jpg'). Copy or download it again."
    )


def test_a_pipe_in_the_place_of_an_archive_is_called_one(refusal: Callable[..., str]) -> None:
    os.mkfifo("set.zip")

    assert refusal(path="set.zip") == (
        "set.zip: is a device or a pipe. Expected a file, which can be read more than once: save what comes from it to one."
    )


def test_a_zip_file_of_a_later_version_is_refused(refusal: Callable[..., str]) -> None:
    raw = bytearray(laid_out(Path("set.zip"), CLASSES).read_bytes())
    raw[raw.index(b"PK\x01\x02") + 6] = 99
    Path("set.zip").write_bytes(raw)

    assert refusal(path="set.zip") == (
        "set.zip: is packed in a way that is not read (zip file version 9.9). Pack the folder anew, as zip does by itself."
    )


@pytest.mark.parametrize(("flag", "words"), [(0x20, "compressed patched data"), (0x40, "strong encryption")])
def test_a_zip_member_packed_in_a_way_that_is_not_read_is_told(flag: int, words: str, tmp_path: Path) -> None:
    path = laid_out(tmp_path / "set.zip", CLASSES)
    raw = bytearray(path.read_bytes())
    for at in range(len(raw)):
        if raw[at : at + 4] == b"PK\x01\x02":
            raw[at + 8] |= flag
    path.write_bytes(raw)
    source = ImageSource(read_images(path)["train"])

    with pytest.raises(DataError, match=rf"set\.zip: is packed in a way that is not read \({words}"):
        source.bytes_of(0)


def test_a_column_of_numbers_holds_no_images(tmp_path: Path) -> None:
    table = Table(
        pa.table({"image": [1]}), (tmp_path / "set.parquet",), np.zeros(1, np.int64), np.ones(1, np.int64)
    )

    with pytest.raises(DataError) as error:
        ImageSource(table)

    assert str(error.value) == (
        f"{tmp_path}/set.parquet: column 'image' is of type int64 and cannot hold images. Expected paths, or the bytes of "
        "image files (in parquet: binary, or a struct of bytes and path)."
    )


def test_a_set_named_for_a_part_gives_that_part_or_its_only_one_and_several_others_are_refused(
    tmp_path: Path,
) -> None:
    with_it = laid_out(tmp_path / "with", ("train/ani/1.jpg", "train/wren/2.jpg", "val/ani/3.jpg"))
    alone = laid_out(tmp_path / "alone", CLASSES)
    without = laid_out(tmp_path / "without", ("train/ani/1.jpg", "train/wren/2.jpg", "test/ani/3.jpg"))

    assert images_for("valid", with_it, Writing())["valid"].values("image") == ["val/ani/3.jpg"]
    assert images_for("valid", alone, Writing())["valid"].values("image") == [*CLASSES]
    with pytest.raises(DataError, match=r"without: holds images for 'train', 'test', none for valid\."):
        images_for("valid", without, Writing())
