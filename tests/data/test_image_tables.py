"""Tables of images and tables among images: which columns, whose labels, what is told by its name and not read; and files that
are no files, or far more than they say."""

import gzip
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from luthier.data.images.decode import decode
from luthier.data.images.files import read_images
from luthier.data.images.source import ImageSource
from luthier.data.read import read
from luthier.errors import DataError
from luthier.plan.plan import Plan
from luthier.prepare.rows import Rows, understand

LABELS = ("ring", "square", "stripe")
COUNT = 30
LABEL_OF = [LABELS[at % 3] for at in range(COUNT)]
NAMES = [f"{at:02}.png" for at in range(COUNT)]


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PICTURES = [picture(seed) for seed in range(COUNT)]


def put(path: Path, raw: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return path


def pictures(folder: Path, name: Callable[[int], str] = NAMES.__getitem__) -> Path:
    for at, raw in enumerate(PICTURES):
        put(folder / name(at), raw)
    return folder


def by_class(at: int) -> str:
    return f"{LABEL_OF[at]}/{NAMES[at]}"


def lines(header: str, row: Callable[[int], str], rows: range = range(COUNT)) -> str:
    return "\n".join([header, *map(row, rows)]) + "\n"


def understood(data: Path, **settings: Any) -> Rows:
    named = {key.replace("__", "."): value for key, value in settings.items()}
    return understand(Plan.build({"data.path": str(data), **named}))


def refusal(data: Path, **settings: Any) -> str:
    with pytest.raises(DataError) as error:
        understood(data, **settings)
    return str(error.value)


# Columns


@pytest.mark.parametrize(
    ("header", "row", "image", "label"),
    [
        ("filename,class", lambda at: f"{NAMES[at]},{LABEL_OF[at]}", "filename", "class"),
        ("x,y", lambda at: f"i/{NAMES[at]},{LABEL_OF[at]}", "x", "y"),
        ("Image Index,Finding Labels", lambda at: f"{NAMES[at]},{LABEL_OF[at]}", "Image Index", "Finding Labels"),
        ("mask,image,label", lambda at: f"m/{NAMES[at]},i/{NAMES[at]},{LABEL_OF[at]}", "image", "label"),
        ("id,breed", lambda at: f"{at:02},{LABEL_OF[at]}", "id", "breed"),
        ("n,file name,dx", lambda at: f"{at},{NAMES[at]},{LABEL_OF[at]}", "file name", "dx"),
    ],
)  # fmt: skip
def test_the_image_is_known_by_what_a_column_holds(
    tmp_path: Path, header: str, row: Callable[[int], str], image: str, label: str
) -> None:
    pictures(tmp_path / "i")

    rows = understood(put(tmp_path / "rows.csv", lines(header, row)))

    assert rows.understanding.columns == {"image": image, "label": label}
    assert rows.labels == LABELS
    assert rows.understanding.rows == COUNT


def test_texts_with_addresses_of_images_are_texts(tmp_path: Path) -> None:
    path = put(
        tmp_path / "rows.csv",
        lines(
            "title,image_url,label",
            lambda at: f"some words {at} about it,https://a.org/{at}.jpg,{LABEL_OF[at]}",
        ),
    )

    assert understood(path).task.name == "text-classification"


def test_numbers_of_rows_are_no_images_where_there_are_texts(tmp_path: Path) -> None:
    pictures(tmp_path / "figures", lambda at: f"{at}.png")
    path = put(
        tmp_path / "rows.csv", lines("id,text,label", lambda at: f"{at},some words {at},{LABEL_OF[at]}")
    )

    assert understood(path).task.name == "text-classification"


def test_columns_of_noughts_and_ones_are_the_labels_of_images(tmp_path: Path) -> None:
    pictures(tmp_path / "i")
    marks = {"ring": "1,0,1", "square": "0,1,0", "stripe": "0,0,1"}

    rows = understood(
        put(tmp_path / "rows.csv", lines("file,a,b,c", lambda at: f"{NAMES[at]},{marks[LABEL_OF[at]]}"))
    )

    assert rows.labels == ("a", "b", "c")
    assert rows.understanding.labels_per_row == "many"


def test_boxes_in_a_table_are_told_and_one_box_for_each_image_is_learnt_from_only_where_its_label_is_named(
    tmp_path: Path,
) -> None:
    pictures(tmp_path)
    header = "filename,xmin,ymin,xmax,ymax,class"
    once = put(tmp_path / "once.csv", lines(header, lambda at: f"{NAMES[at]},1,2,3,4,{LABEL_OF[at]}"))
    often = put(tmp_path / "often.csv", lines(header, lambda at: f"{NAMES[at // 2]},1,2,3,4,{LABEL_OF[at]}"))

    assert (
        "30 rows are boxes ('xmin', 'ymin', 'xmax', 'ymax') within 30 images, which is object detection"
        in refusal(once)
    )
    assert understood(once, label="class").labels == LABELS
    assert "30 rows are boxes ('xmin', 'ymin', 'xmax', 'ymax') within 15 images" in refusal(often)


def test_boxes_without_a_header_are_known_by_their_corners(tmp_path: Path) -> None:
    pictures(tmp_path)
    rows = [f"{NAMES[at // 2]},{at},{at + 2},{at + 20},{at + 31},{LABEL_OF[at]}\n" for at in range(COUNT)]
    bare = put(tmp_path / "bare.csv", "".join(rows))

    told = refusal(bare)

    assert (
        "boxes ('column 2', 'column 3', 'column 4', 'column 5') within 15 images, which is object detection"
        in told
    )
    assert "a|b" not in told


def test_images_with_other_labels_in_other_rows_are_asked_about_and_the_remedy_works(tmp_path: Path) -> None:
    pictures(tmp_path)
    torn = put(tmp_path / "torn.csv", lines("image,label", lambda at: f"{NAMES[at // 2]},{LABEL_OF[at]}"))
    whole = put(
        tmp_path / "whole.csv",
        lines("image,label", lambda at: f"{NAMES[at]},{LABEL_OF[at]}|{LABEL_OF[(at + at % 2) % 3]}"),
    )

    assert "15 of 15 images stand in several rows with different labels" in refusal(torn)
    assert "as in a|b" in refusal(torn)
    assert understood(whole).understanding.labels_per_row == "many"


# Tables among images


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_metadata_in_splits_labels_their_images(tmp_path: Path, form: str) -> None:
    for part, rows in (("train", range(20)), ("validation", range(20, COUNT))):
        for at in rows:
            put(tmp_path / part / NAMES[at], PICTURES[at])
        text = lines("file_name,label", lambda at: f"{NAMES[at]},{LABEL_OF[at]}", rows)
        if form == "jsonl":
            text = "".join(json.dumps({"file_name": NAMES[at], "label": LABEL_OF[at]}) + "\n" for at in rows)
        put(tmp_path / part / f"metadata.{form}", text)

    found = understood(tmp_path)

    assert found.understanding.split == "folders"
    assert found.understanding.parts["valid"] == 10
    assert found.labels == LABELS


def test_metadata_of_the_whole_is_split_as_its_paths_are(tmp_path: Path) -> None:
    part = ["train"] * 20 + ["test"] * 10
    pictures(tmp_path, lambda at: f"{part[at]}/{NAMES[at]}")
    put(
        tmp_path / "metadata.csv",
        lines("file_name,label", lambda at: f"{part[at]}/{NAMES[at]},{LABEL_OF[at]}"),
    )

    assert understood(tmp_path).understanding.parts["test"] == 10


def test_metadata_of_captions_leaves_labels_to_the_folders(tmp_path: Path) -> None:
    pictures(tmp_path, by_class)
    put(tmp_path / "metadata.csv", lines("file_name,caption", lambda at: f"{by_class(at)},a drawing {at}"))

    assert understood(tmp_path).labels == LABELS


def test_roboflows_classes_have_any_number_of_labels(tmp_path: Path) -> None:
    marks = {"ring": "1,1,0", "square": "0,1,0", "stripe": "0,0,0"}
    for part, rows in (("train", range(20)), ("valid", range(20, COUNT))):
        for at in rows:
            put(tmp_path / part / NAMES[at], PICTURES[at])
        put(
            tmp_path / part / "_classes.csv",
            lines("filename, ring, square, stripe", lambda at: f"{NAMES[at]},{marks[LABEL_OF[at]]}", rows),
        )

    found = understood(tmp_path)

    assert found.labels == ("ring", "square")
    assert found.understanding.labels_per_row == "many"
    assert found.understanding.left_out == 0
    assert found.understanding.parts["valid"] == 10


def test_tables_at_hand_do_not_hide_class_folders(tmp_path: Path) -> None:
    pictures(tmp_path, lambda at: f"train/{by_class(at)}")
    put(tmp_path / "birds.csv", "a,b\n1,2\n")

    assert understood(tmp_path).labels == LABELS


def test_a_folder_with_a_table_is_answered_with_the_table(tmp_path: Path) -> None:
    pictures(tmp_path / "train_images")
    table = put(tmp_path / "train.csv", lines("image_id,label", lambda at: f"{NAMES[at]},{LABEL_OF[at]}"))

    assert f"If 'train.csv' labels the images, name it as DATA: {str(table)!r}." in refusal(tmp_path)
    assert understood(table).labels == LABELS


def test_a_table_in_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name, raw in zip(NAMES, PICTURES, strict=True):
            archive.writestr(name, raw)
        archive.writestr("metadata.csv", "file_name,label\n")

    assert "If 'metadata.csv' labels the images, unpack the archive" in refusal(tmp_path / "set.zip")


COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "00.png"}],
        "annotations": [{"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 2, "name": "ring"}],
    }
)


@pytest.mark.parametrize(
    ("form", "images", "beside"),
    [
        ("COCO", "train/{}.png", {"train/_annotations.coco.json": COCO}),
        ("COCO", "images/{}.png", {"annotations/all.json": COCO}),
        ("YOLO", "train/images/{}.png", {"train/labels/{}.txt": "0 0.5 0.5 0.1 0.1\n", "data.yaml": "names: [a]"}),
        ("YOLO", "{}.png", {"{}.txt": "0 .5 .5 .1 .1\n1 0.2 0.3 0.1 1\n", "classes.txt": "ring\n"}),
        ("Pascal VOC", "JPEGImages/{}.png", {"Annotations/{}.xml": "<annotation></annotation>"}),
        ("LabelMe", "{}.png", {"{}.json": '{"shapes": [], "imagePath": "a.png"}'}),
        ("CreateML", "train/{}.png", {"train/_annotations.createml.json": "[]"}),
        ("a table of boxes", "train/{}.png", {"train/_annotations.csv": "filename,xmin\n"}),
        ("masks", "train/{}.png", {"train/_classes.csv": "Pixel Value, Class\n0, background\n"}),
    ],
)  # fmt: skip
def test_boxes_are_told_by_the_name_of_their_form(
    tmp_path: Path, form: str, images: str, beside: dict[str, str]
) -> None:
    for at, raw in enumerate(PICTURES):
        put(tmp_path / images.format(f"{at:02}"), raw)
        for name, text in beside.items():
            put(tmp_path / name.format(f"{at:02}"), text)

    assert f"holds annotations in the form of {form} (" in refusal(tmp_path)
    assert "put the images of each label into a folder of that name" in refusal(tmp_path)


def test_a_file_of_coco_is_told_by_its_name(tmp_path: Path) -> None:
    assert "in the form of COCO" in refusal(put(tmp_path / "train.json", COCO))


def test_boxes_beside_class_folders_are_passed_over(tmp_path: Path) -> None:
    pictures(tmp_path, by_class)
    for at in range(COUNT):
        put(tmp_path / "boxes" / f"{at:02}.xml", "<annotation></annotation>")

    assert understood(tmp_path).labels == LABELS


def test_folders_of_images_and_masks_are_no_labels(tmp_path: Path) -> None:
    pictures(tmp_path / "images")
    pictures(tmp_path / "masks")

    assert "say what kind of files they hold" in refusal(tmp_path)


def test_names_for_numbered_folders_are_told(tmp_path: Path) -> None:
    pictures(tmp_path, lambda at: f"{at % 3}/{NAMES[at]}")
    put(tmp_path / "classes.txt", "\n".join(LABELS))

    assert "classes.txt may hold other names for them" in read_images(tmp_path)["train"].guesses[-1]


# What is no file, or more than it says


def test_pipes_and_devices_are_never_waited_for(tmp_path: Path) -> None:
    pictures(tmp_path, by_class)
    os.mkfifo(tmp_path / "ring" / "pipe.png")
    (tmp_path / "ring" / "device.png").symlink_to("/dev/zero")
    (tmp_path / "ring" / "itself.png").symlink_to("itself.png")
    (tmp_path / "ring" / "up").symlink_to("..")

    table = read_images(tmp_path)["train"]

    assert "ring/pipe.png" not in table.values("image")
    assert "a pipe or a device: 2" in table.guesses[0]
    assert "a link to a folder that it lies in: 1" in table.guesses[0]
    assert understood(tmp_path).understanding.rows == COUNT


def test_a_table_that_names_a_pipe_or_a_device_has_broken_images(tmp_path: Path) -> None:
    pictures(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    text = lines("image,label", lambda at: f"{NAMES[at]},{LABEL_OF[at]}")
    rows = understood(put(tmp_path / "rows.csv", f"{text}pipe.png,ring\n/dev/zero,ring\n"))

    assert rows.understanding.left_out_by == {"no image": 2}
    assert rows.understood.images is not None
    assert "is a device or a pipe, no file" in str(rows.understood.images.broken[-1])


def test_an_enormous_file_is_no_image(tmp_path: Path) -> None:
    with open(tmp_path / "hole.jpg", "wb") as file:
        file.truncate(1 << 36)
    put(tmp_path / "rows.csv", "image,label\nhole.jpg,a\n")

    with pytest.raises(DataError, match="more than 256 MB"):
        ImageSource(read(tmp_path / "rows.csv")).bytes_of(0)


def zipped(path: Path, method: int, name: str = "ring/x.png", size: int = 80 << 20) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for at, raw in enumerate(PICTURES):
            archive.writestr(by_class(at), raw)
        archive.writestr(name, bytes(size))
    return path


def test_a_zip_that_unpacks_to_far_more_than_there_is_of_it_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.zip", zipfile.ZIP_DEFLATED)

    assert "unpacks to 84 MB from 0.2 MB, more than 100 times as much" in refusal(path)


def test_a_zip_that_may_unpack_at_once_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.zip", zipfile.ZIP_BZIP2, size=100)

    assert "is compressed in a way that is not read (method 12)" in refusal(path)


def test_a_zip_of_another_systems_names_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for at, raw in enumerate(PICTURES):
            member = zipfile.ZipInfo("x")
            member.filename = f"set\\{LABEL_OF[at]}\\{NAMES[at]}"
            archive.writestr(member, raw)

    assert understood(tmp_path / "set.zip").labels == LABELS


def test_names_of_a_zip_as_deep_as_no_folder_is_are_refused(tmp_path: Path) -> None:
    assert "a member's name has 10,005 characters" in refusal(
        zipped(tmp_path / "set.zip", zipfile.ZIP_STORED, "a/" * 5_000 + "x.png", 3)
    )


def tar_of(*more: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A tar file without its end, of the pictures and of headers as they are."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for at, raw in enumerate(PICTURES):
            member = tarfile.TarInfo(by_class(at))
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
        end = tar.offset
    return file.getvalue()[:end] + b"".join(info.tobuf(tarfile.GNU_FORMAT) + body for info, body in more)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member


def test_a_compressed_tar_that_unpacks_to_far_more_is_refused_before_it_does(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "set.tgz", "wb", 1) as file:
        file.write(tar_of((header("ring/x.png", 1 << 40), b"")))
        for _ in range(16):
            file.write(bytes(1 << 24))

    assert "more than 100 times as much, as no images do" in refusal(tmp_path / "set.tgz")


@pytest.mark.parametrize(
    "more",
    [
        (header("././@LongLink", 7 << 30, tarfile.GNUTYPE_LONGNAME), b"a" * 512),
        (header("p", 60_000, tarfile.XHDTYPE), b"1" * 60_416),
    ],
)
def test_headers_of_a_tar_that_are_far_too_long_are_not_read(
    tmp_path: Path, more: tuple[tarfile.TarInfo, bytes]
) -> None:
    put(tmp_path / "set.tar", tar_of(more) + bytes(1024))

    assert "is not a whole archive" in refusal(tmp_path / "set.tar")


def test_a_large_image_is_made_smaller_strip_by_strip_as_the_whole_would_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 70, 4), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    whole = decode(file.getvalue()).image.reduce(3)

    monkeypatch.setattr("luthier.data.images.decode.MANY_PIXELS", 90 * 70 // 9)
    monkeypatch.setattr("luthier.data.images.decode.STRIP_PIXELS", 700)
    small = decode(file.getvalue())

    assert (small.width, small.height, small.converted) == (70, 90, "transparency")
    assert np.array_equal(np.asarray(small.image), np.asarray(whole))


# Labels


def test_the_only_column_beside_the_images_is_the_label_whatever_its_name_where_its_values_recur(
    tmp_path: Path,
) -> None:
    pictures(tmp_path / "train")
    recurring = put(tmp_path / "a.csv", lines("Image,Id", lambda at: f"{NAMES[at]},{LABEL_OF[at]}"))
    counting = put(tmp_path / "b.csv", lines("Image,Id", lambda at: f"{NAMES[at]},whale_{at}"))

    assert understood(recurring).labels == LABELS
    assert "no column looks like the label, as 'Id' is the only one" in refusal(counting)


def test_images_by_their_codes_are_found_beside_a_column_of_tags_in_a_small_file(tmp_path: Path) -> None:
    pictures(tmp_path / "train-jpg", "train_{}.png".format)
    sky = ("", " clear", " haze", " clear haze")
    rows = put(
        tmp_path / "a.csv", lines("image_name,tags", lambda at: f"train_{at},{LABEL_OF[at]}{sky[at % 4]}")
    )

    assert "which may be one label, or several with blanks between them" in refusal(rows)
    assert understood(rows, task__labels_per_row="many").labels == ("clear", "haze", *LABELS)
    assert len(understood(rows, task__labels_per_row="one").labels) == 12


def test_captions_beside_codes_are_read_as_texts(tmp_path: Path) -> None:
    pictures(tmp_path / "photos", "{}.png".format)
    rows = put(
        tmp_path / "a.csv",
        lines("id,caption,label", lambda at: f"{at},a {LABEL_OF[at]} seen on day {at},{LABEL_OF[at]}"),
    )

    assert understood(rows).kind.name == "text-classification"


def test_numbers_beside_images_are_refused_for_what_they_are(tmp_path: Path) -> None:
    pictures(tmp_path / "i")
    rows = put(tmp_path / "a.csv", lines("file,score", lambda at: f"i/{NAMES[at]},{at % 15 * 1.25}"))

    assert (
        "column 'score' holds numbers of many values, and of images classes are learnt, not numbers."
        in refusal(rows)
    )
    assert len(understood(rows, task__name="image-classification").labels) == 15


def test_few_whole_numbers_beside_images_are_classes_and_no_regression_is_offered(tmp_path: Path) -> None:
    pictures(tmp_path / "i")
    rows = understood(put(tmp_path / "a.csv", lines("file,label", lambda at: f"i/{NAMES[at]},{at % 3}")))

    assert rows.labels == ("0", "1", "2")
    assert "column 'label': the numbers 0 to 2 are taken for 3 labels." in rows.told
