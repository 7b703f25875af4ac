"""Where the images lie that a table names: beside it, below it, in the folder of --images; and what is told of it."""

import io
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from luthier.data.images.folder import with_images_in
from luthier.data.images.source import ImageSource
from luthier.data.read import read
from luthier.data.table import Table
from luthier.errors import DataError, PlanError, RunError
from luthier.folder.model_folder import load
from luthier.folder.run_folder import RunFolder
from luthier.plan.plan import Plan
from luthier.prepare.data_files import read_files
from luthier.prepare.prepare import prepare
from luthier.prepare.rows import understand
from luthier.session.runs import tune
from luthier.steps.answer import answer_file
from tiny import TINY_IMAGES, images_folder

LABELS = ("ani", "wren")
NAMES = tuple(f"{at}{letter}.jpg" for at in range(10) for letter in "ab")


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def place(folder: Path, names: Sequence[str], first: int = 0) -> Path:
    """An image for each name, all different."""
    for seed, name in enumerate(names, first):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture(seed))
    return folder


def table_of(path: Path, names: Sequence[str], column: str = "file") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{name},{LABELS[row % 2]}" for row, name in enumerate(names)]
    path.write_text("\n".join([f"{column},label", *rows]) + "\n")
    return path


def found(path: Path, images: Path | None = None) -> Table:
    return with_images_in(read(path), images)


def bytes_of(table: Table) -> list[bytes]:
    source = ImageSource(table, table.layout.columns["image"])
    return [source.bytes_of(row) for row in range(len(table))]


@pytest.mark.parametrize(
    ("written", "lies"),
    [
        ("data\\pics\\{}", "data/pics/{}"),
        ("{}", "train_images/{}"),
        ("train/{}", "set/train/{}"),
        ("/home/me/work/data/train/{}", "data/train/{}"),
        ("/content/drive/MyDrive/x/{}", "{}"),
        ("C:\\Users\\me\\ImageExamples\\{}", "ImageExamples/{}"),
        ("file:///mnt/disk/pics/{}", "pics/{}"),
        ("https://birds.org/pics/{}?w=500", "saved/pics/{}"),
        ("my%20pics/{}", "my pics/{}"),
        ("./pics//{}", "pics/{}"),
        ("Pics/{}", "pics/{}"),
        ("caf\u00e9/{}", "cafe\u0301/{}"),
    ],
)
def test_a_name_is_read_as_it_was_meant_whatever_machine_wrote_it(
    tmp_path: Path, written: str, lies: str
) -> None:
    place(tmp_path, [lies.format(name) for name in NAMES])

    table = found(table_of(tmp_path / "rows.csv", [written.format(name) for name in NAMES]))

    assert bytes_of(table) == [picture(seed) for seed in range(len(NAMES))]


def test_endings_may_be_written_in_large_letters(tmp_path: Path) -> None:
    place(tmp_path, [name.replace(".jpg", ".JPG") for name in NAMES])

    assert bytes_of(found(table_of(tmp_path / "rows.csv", NAMES)))[3] == picture(3)


def test_codes_without_an_ending_are_found_and_told(tmp_path: Path) -> None:
    place(tmp_path / "train", [f"{at}.png" for at in range(20)])

    table = found(table_of(tmp_path / "rows.csv", [str(at) for at in range(20)], column="key"))

    assert bytes_of(table)[7] == picture(7)
    assert table.guesses[-1] == (
        f"{tmp_path / 'rows.csv'}: the images that column 'key' names are found in 'train/', with '.png' behind the name. "
        "--images FOLDER names another folder."
    )


def test_a_few_names_that_mean_nothing_do_not_hide_how_the_others_are_read(tmp_path: Path) -> None:
    place(tmp_path / "pics", NAMES)
    names = [f"D:\\old\\{name}" for name in NAMES[:4]] + ["gone"]

    table = with_images_in(read(table_of(tmp_path / "rows.csv", names)), tmp_path / "pics", "file")

    assert ImageSource(table, "file").bytes_of(3) == picture(3)
    with pytest.raises(DataError, match=r"line 6: gone is not there in"):
        ImageSource(table, "file").bytes_of(4)


def test_several_folders_may_share_the_images(tmp_path: Path) -> None:
    place(tmp_path / "part_1", NAMES[:8])
    place(tmp_path / "part_2", NAMES[8:], first=8)

    table = found(table_of(tmp_path / "rows.csv", NAMES))

    assert bytes_of(table) == [picture(seed) for seed in range(len(NAMES))]


def test_two_folders_that_hold_the_images_alike_are_asked_about_and_images_names_one(tmp_path: Path) -> None:
    place(tmp_path / "train", NAMES)
    place(tmp_path / "test", NAMES, first=50)
    path = table_of(tmp_path / "rows.csv", NAMES)

    with pytest.raises(DataError) as error:
        ImageSource(found(path), "file")

    assert "and nothing says in which. Name one with --images FOLDER." in str(error.value)
    assert bytes_of(found(path, tmp_path / "test"))[0] == picture(50)
    assert bytes_of(found(path, tmp_path / "train"))[0] == picture(0)


def test_the_folder_that_is_named_comes_before_the_one_beside_the_table(tmp_path: Path) -> None:
    place(tmp_path, NAMES)
    place(tmp_path / "other", NAMES, first=50)

    plan = Plan.build(
        {
            "data.path": str(table_of(tmp_path / "rows.csv", NAMES)),
            "data.images": str(tmp_path / "other"),
        }
    )

    assert bytes_of(read_files(plan)["train"])[0] == picture(50)


def test_a_name_is_never_taken_for_a_file_of_another_folder(tmp_path: Path) -> None:
    names = [f"{label}/{at}.jpg" for at in range(10) for label in LABELS]
    place(tmp_path, [name for name in names if name != "ani/3.jpg"])

    table = found(table_of(tmp_path / "rows.csv", names))

    with pytest.raises(DataError, match=r"ani/3\.jpg is not there"):
        bytes_of(table)


def test_folders_are_not_left_out_of_paths_where_two_would_become_one(tmp_path: Path) -> None:
    place(tmp_path, [f"{at}.jpg" for at in range(10)])
    path = table_of(tmp_path / "rows.csv", [f"/x/{label}/{at}.jpg" for at in range(10) for label in LABELS])

    with pytest.raises(DataError, match=r"are not to be found.*--images FOLDER"):
        ImageSource(found(path), "file")


def test_missing_images_are_counted_and_stop_a_run_where_they_are_many(tmp_path: Path) -> None:
    images_folder(tmp_path / "photos", 60)
    names = sorted(str(file.relative_to(tmp_path)) for file in (tmp_path / "photos").rglob("*.png"))
    path = tmp_path / "rows.csv"
    path.write_text("image,label\n" + "".join(f"{name},{name.split('/')[1]}\n" for name in names))
    os.unlink(tmp_path / names[4])

    rows = understand(Plan.build({"data.path": str(path)}))

    assert rows.understanding.left_out_by == {"no image": 1}


@pytest.mark.parametrize(
    ("scheme", "address"),
    [("https", "https://birds.org/{}"), ("s3", "s3://bucket/{}"), ("http", "http://birds.org/a?id={}")],
)
def test_addresses_are_told_not_fetched_and_the_remedy_works(
    tmp_path: Path, scheme: str, address: str
) -> None:
    path = table_of(tmp_path / "a" / "rows.csv", [address.format(name) for name in NAMES], column="image_url")

    with pytest.raises(DataError) as error:
        ImageSource(found(path), "image_url")

    assert f"holds addresses ({scheme}://)" in str(error.value)
    assert "nothing is fetched from the web" in str(error.value)
    if scheme != "http":
        assert bytes_of(found(path, place(tmp_path / "saved", NAMES)))[5] == picture(5)


def test_a_folder_that_is_not_there_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    path = table_of(tmp_path / "rows.csv", NAMES)
    place(tmp_path / "photos", NAMES)

    with pytest.raises(DataError, match=r"there is no such folder. Did you mean 'photos'\?"):
        found(path, tmp_path / "fotos")
    with pytest.raises(DataError, match="is no folder"):
        found(path, path)


def test_a_folder_of_images_has_no_effect_on_texts(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "".join(f"some words {at},{LABELS[at % 2]}\n" for at in range(20)))

    with pytest.raises(DataError, match=r"no column of .* names images that lie there"):
        read_files(Plan.build({"data.path": str(path), "data.images": str(tmp_path)}))
    with pytest.raises(PlanError, match=r"--images .* no effect here"):
        read_files(Plan.build({"data.path": str(path), "data.text": "text", "data.images": str(tmp_path)}))


@pytest.mark.slow
def test_a_table_of_another_folder_is_tuned_on_and_predicted_on_to_the_end(tmp_path: Path) -> None:
    photos = images_folder(tmp_path / "disk" / "photos", 60)
    files = sorted(photos.rglob("*.png"))
    rows = [f"/mnt/old/{file.relative_to(photos)},{file.parent.name}" for file in files]
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "rows.csv").write_text("\n".join(["where,colour", *rows]) + "\n")
    (tmp_path / "tables" / "new.csv").write_text("where\n" + "".join(f"{file.name}\n" for file in files[:6]))
    moved = tmp_path / "new"
    moved.mkdir()
    for file in files[:6]:
        shutil.copy(file, moved / file.name)

    run = tune(
        str(tmp_path / "tables" / "rows.csv"),
        model=str(TINY_IMAGES["mobilenet_v2"](tmp_path / "model")),
        data__images=str(tmp_path / "disk"),
        method="probe",
        out=str(tmp_path / "run"),
        quiet=True,
    )

    folder = load(run.path)
    answers = answer_file(folder, tmp_path / "tables" / "new.csv", {}, images=moved)
    lines = [json.loads(line) for line in answers.lines().splitlines()]
    assert folder.model_record.columns == {"image": "where", "label": "colour"}
    assert [line["row"] for line in lines] == list(range(6))
    assert {line["label"] for line in lines} <= {"blue", "green", "red"}


def test_a_run_begun_before_images_counted_goes_on_and_one_of_other_images_does_not(tmp_path: Path) -> None:
    photos, model = images_folder(tmp_path / "photos", 60), TINY_IMAGES["mobilenet_v2"](tmp_path / "model")
    named = {"data.path": str(photos), "model.name": str(model), "run.out": str(tmp_path / "run")}
    plan = Plan.build({**named, "train.method": "probe"})

    (older,) = prepare(plan).place.older_keys
    RunFolder(tmp_path / "run", older).begin({})
    (tmp_path / "run" / "table.json").write_text("{}")
    going_on = prepare(plan).place.folder()
    going_on.begin({})
    Image.effect_noise((24, 24), 50).convert("RGB").save(sorted(photos.rglob("*.png"))[0])

    assert going_on.older
    with pytest.raises(RunError, match="holds a run of another plan, other data or another model"):
        _ = prepare(plan).place.folder()
