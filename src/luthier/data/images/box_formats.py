"""Annotations of boxes, masks and keypoints beside images, recognised so that messages can name them. None is read."""

import os
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from luthier.data.raw_bytes import open_bytes
from luthier.errors import DataError

LOOKED_AT = 20
"""The most files whose beginning is looked at."""
BEGINNING = 1 << 16
"""Bytes of a file's beginning that are looked at."""
INSTEAD = (
    "luthier learns labels of whole images: put the images of each label into a folder of that name, or write a table with "
    "the columns image and label and name it as DATA."
)
COCO_FILES = re.compile(
    r"(instances|captions|person_keypoints|panoptic|stuff|image_info)_\w+\.json|.*\.coco\.json|coco\.json"
)
COCO_KEYS = ("images", "annotations", "categories")
BOX_COLUMNS = (
    *(("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"), ("xcenter", "ycenter"), ("bbox",)),
    *(
        ("boundingbox",),
        ("x", "y", "width", "height"),
        ("x", "y", "w", "h"),
        ("left", "top", "width", "height"),
    ),
    *(("bboxes",), ("boxes",), ("boundingboxes",)),
    *(("encodedpixels",), ("regionshapeattributes",)),
)
"""Names of columns, small letters and digits alone, that together say where something is."""
YOLO_LINE = re.compile(rb"\s*\d+(\s+-?\d*\.?\d+([eE]-?\d+)?){4,}\s*")
TECHNICAL = frozenset(
    (
        *(
            "image",
            "images",
            "img",
            "imgs",
            "jpegimages",
            "jpgimages",
            "photos",
            "pictures",
            "frames",
            "data",
        ),
        *(
            "label",
            "labels",
            "annotation",
            "annotations",
            "mask",
            "masks",
            "segmentationclass",
            "segmentationobject",
        ),
        *("segmentation", "groundtruth", "ground_truth", "gt", "depth", "rgb"),
    )
)
"""Names of folders, in lower case, that say what kind of files they hold, and nothing of what is to be seen."""


@dataclass(frozen=True)
class Beside:
    """The files that lie beside images."""

    root: Path
    """The folder, or the archive, that they are in."""
    names: Sequence[str]
    """Paths of the files from the root."""
    stems: Collection[str]
    """Names of the images, without folder and ending."""

    def ending_in(self, *endings: str) -> list[str]:
        return [name for name in self.names if name.lower().endswith(endings)]

    def called(self, *names: str) -> list[str]:
        return [name for name in self.names if base(name) in names]

    def twins(self, ending: str) -> list[str]:
        """Files that are called as images are, but for their ending; none where most are not."""
        those = self.ending_in(ending)
        twins = [name for name in those if stem(name) in self.stems]
        return twins if 2 * len(twins) >= len(those) else []

    def beginning(self, name: str) -> bytes:
        """The beginning of a file; empty for a file in an archive."""
        path = self.root / name
        if not (self.root.is_dir() and path.is_file()):
            return b""
        with open_bytes(path) as file:
            return file.read(BEGINNING)


def base(name: str) -> str:
    return name.rpartition("/")[2].lower()


def stem(name: str) -> str:
    """A file's name without its folders and its ending.

    >>> stem("train/labels/a_jpg.rf.1.txt")
    'a_jpg.rf.1'
    """
    return os.path.splitext(name.rpartition("/")[2])[0]


def boxes_beside(root: Path, names: Sequence[str], images: Collection[str]) -> str | None:
    """The format of the annotations that lie beside images, and an example; None where there are none."""
    beside = Beside(root, names, {stem(name) for name in images})
    for form, find in FORMS.items():
        if (example := find(beside)) is not None:
            return f"{form} ({example})"
    return None


def not_read(root: Path, boxes: str) -> str:
    """A sentence on annotations that are not read."""
    return (
        f"{root}: holds annotations in the form of {boxes}, of boxes, masks or the like within images. They are not read. "
        + INSTEAD
    )


def refuse_boxes(path: Path) -> None:
    """Raise DataError for a file of rows that is COCO's, by its beginning and its end."""
    if not path.name.lower().endswith((".json", ".json.gz")):
        return
    with open_bytes(path) as file:
        beginning = file.read(BEGINNING)
        end = b""
        if path.suffix.lower() != ".gz" and path.stat().st_size > BEGINNING:
            file.seek(-BEGINNING, os.SEEK_END)
            end = file.read(BEGINNING)
    if is_coco(beginning, end):
        raise DataError(not_read(path, "COCO"))


def box_columns(names: Sequence[str]) -> list[str]:
    """The columns of a table that say where in an image something is."""
    short = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in names}
    for corners in BOX_COLUMNS:
        if all(one in short for one in corners):
            return [short[one] for one in corners]
    return []


def first(names: Sequence[str]) -> str | None:
    return names[0] if names else None


def coco(beside: Beside) -> str | None:
    known = [name for name in beside.ending_in(".json") if COCO_FILES.fullmatch(base(name))]
    unknown = [name for name in beside.ending_in(".json") if stem(name) not in beside.stems][:LOOKED_AT]
    return first(known or [name for name in unknown if is_coco(beside.beginning(name))])


def is_coco(beginning: bytes, end: bytes = b"") -> bool:
    """Whether a file of JSON is COCO's, by its keys. Of a long file only one of them need be seen, and what is in its list."""
    text = (beginning + end).decode("utf-8", "replace")
    keys = [key for key in COCO_KEYS if re.search(rf'"{key}"\s*:\s*\[', text)]
    fields = re.search(r'"(file_name|image_id|category_id|bbox|supercategory)"\s*:', text)
    return text.lstrip("\ufeff \t\r\n").startswith("{") and bool(keys and fields) and (
        len(keys) > 1 or (keys == ["images"] and len(beginning) >= BEGINNING)
    )  # fmt: skip


def yolo(beside: Beside) -> str | None:
    lists = [name for name in beside.ending_in(".txt") if stem(name) in beside.stems]
    looked = [
        name for name in lists[:LOOKED_AT] if is_yolo(beside.beginning(name)) or "labels" in name.split("/")
    ]
    if looked:
        return looked[0]
    return first(
        [name for name in beside.called("data.yaml", "data.yml") if b"names" in beside.beginning(name)]
    )


def is_yolo(beginning: bytes) -> bool:
    lines = [line for line in beginning.splitlines()[:LOOKED_AT] if line.strip()]
    return bool(lines) and all(YOLO_LINE.fullmatch(line) for line in lines)


def pascal_voc(beside: Beside) -> str | None:
    return first(beside.twins(".xml"))


def labelme(beside: Beside) -> str | None:
    looked = beside.twins(".json")[:LOOKED_AT]
    return first([name for name in looked if b'"shapes"' in beside.beginning(name)])


def masks(beside: Beside) -> str | None:
    return first([name for name in beside.called("_classes.csv") if b"Pixel Value" in beside.beginning(name)])


FORMS: dict[str, Callable[[Beside], str | None]] = {
    "COCO": coco,
    "CreateML": lambda beside: first(beside.ending_in(".createml.json")),
    "LabelMe": labelme,
    "VIA": lambda beside: first(
        [name for name in beside.ending_in(".json") if base(name).startswith("via_")]
    ),
    "Pascal VOC": pascal_voc,
    "CVAT": lambda beside: first(beside.called("annotations.xml")),
    "YOLO": yolo,
    "a table of boxes": lambda beside: first(beside.called("_annotations.csv")),
    "Keras YOLO": lambda beside: first(beside.called("_annotations.txt")),
    "TFRecord": lambda beside: first(beside.ending_in(".tfrecord", ".record")),
    "masks": masks,
}
"""The formats by name, each with a function that finds an example of it."""
