"""The doctor's checks of rows that are no texts with labels."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import luthier
from luthier.checks.finding import Finding
from tiny import images_folder, messages, questions_jsonl, tagged_jsonl, write_jsonl


def findings(data: Path, **more: str) -> dict[str, Finding]:
    return {one.check: one for one in luthier.check(str(data), model="none", quiet=True, **more)}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return images_folder(tmp_path / "photos", 40)


def first_of(photos: Path) -> Path:
    return sorted(photos.rglob("*.png"))[0]


def noise(side: int, seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def test_an_image_that_is_cut_off_is_told_by_its_name(photos: Path) -> None:
    broken = first_of(photos)
    broken.write_bytes(broken.read_bytes()[:30])

    found = findings(photos)["broken-images"]

    assert (found.severity, found.count) == ("warn", 1)
    assert f"1 image cannot be read: {photos}: {broken.relative_to(photos)} " in found.message


def test_an_image_of_one_colour_shows_nothing(photos: Path) -> None:
    Image.new("RGB", (60, 60), (200, 200, 200)).save(first_of(photos).with_name("blank.png"))

    assert findings(photos)["blank-images"].rows[-1]["text"].endswith("blank.png")


def test_a_thumbnail_is_small(photos: Path) -> None:
    noise(16).save(first_of(photos).with_name("thumbnail.png"))

    found = findings(photos)["small-images"]

    assert "thumbnail.png" in {Path(row["text"]).name for row in found.rows}


def test_an_image_saved_again_is_a_near_copy(photos: Path) -> None:
    whole = noise(200, seed=1)
    whole.save(first_of(photos).with_name("one.png"))
    body = io.BytesIO()
    whole.resize((150, 150)).save(body, "JPEG", quality=40)
    first_of(photos).with_name("two.jpg").write_bytes(body.getvalue())

    found = findings(photos)["near-images"]

    assert {"one.png", "two.jpg"} & {Path(row["text"]).name for row in found.rows}


def test_images_that_are_read_otherwise_than_saved_are_counted_by_kind(photos: Path) -> None:
    for path in sorted(photos.rglob("*.png"))[:3]:
        with Image.open(path) as opened:
            opened.convert("L").save(path)

    found = findings(photos)["converted-images"]

    assert (found.severity, found.count) == ("note", 3)
    assert found.message.endswith("(3).")


def test_checks_of_texts_do_not_read_the_names_of_images(photos: Path) -> None:
    for at, path in enumerate(sorted(photos.rglob("*.png"))[:9]):
        path.rename(path.with_name(f"nora.t{at}@example.org.png"))

    assert not findings(photos).keys() & {"personal-data", "near-copies", "garbage", "boilerplate"}


@pytest.mark.parametrize(("texts", "count"), [("one text", 2), ("other texts", 0)])
def test_questions_that_repeat_each_other_are_copies_on_one_text_alone(
    texts: str, count: int, tmp_path: Path
) -> None:
    data = questions_jsonl(tmp_path / "rows.jsonl", 40)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    for at, row in enumerate(rows):
        row["question"] = f"What is said about number {at} of {'abcdefgh'[at % 8] * 9}?"
    asked = "Who was it that had opened the old workshop in Cremona, long before there was"
    for at, end in ((3, "one?"), (8, "a road?"), (13, "a train?")):
        rows[at]["question"] = f"{asked} {end}"
        if texts == "one text":
            rows[at] |= {key: rows[3][key] for key in ("context", "answers")}
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    found = findings(data).get("near-copies")

    assert (found.count if found else 0) == count


def test_tags_that_had_to_be_mended_are_counted_with_their_rows(tmp_path: Path) -> None:
    data = tagged_jsonl(tmp_path / "rows.jsonl", 40)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    wrong = next(at for at, row in enumerate(rows) if any(tag.startswith("B-") for tag in row["tags"]))
    rows[wrong]["tags"] = [tag.replace("B-", "I-") for tag in rows[wrong]["tags"]]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    found = findings(data)["repairs"]

    assert found.message == "1 row has an I- without its B-."
    assert [row["row"] for row in found.rows] == [wrong + 1]


def told_of_shares(folder: Path, train: list[str], valid: list[str]) -> str | None:
    """What is told of rows with these labels."""
    for name, labels in (("train", train), ("valid", valid)):
        texts = [text for text, _ in messages(len(labels), seed=len(labels))]
        rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
        write_jsonl(folder / f"{name}.jsonl", rows)
    found = findings(folder / "train.jsonl", data__valid=str(folder / "valid.jsonl")).get("label-shift")
    return None if found is None else found.message


def test_validation_rows_with_labels_in_other_shares_are_told_of(tmp_path: Path) -> None:
    train, valid = ["late"] * 150 + ["lost"] * 50, ["late"] * 60 + ["lost"] * 90

    said = told_of_shares(tmp_path, train, valid)

    assert said == "60% of the valid rows have the label 'lost', and 25% of the training rows."


@pytest.mark.parametrize(
    ("train", "valid"),
    [
        pytest.param(["late"] * 150 + ["lost"] * 50, ["late"] * 16 + ["lost"] * 9, id="too few to tell"),
        pytest.param(["late"] * 3000 + ["lost"] * 1000, ["late"] * 2850 + ["lost"] * 1150, id="too little to matter"),
        pytest.param(
            ["late"] * 190 + [f"rare {at // 2}" for at in range(10)], ["late"] * 92 + ["rare 0"] * 8, id="rare ones alike"
        ),
    ],
)  # fmt: skip
def test_shares_that_differ_by_chance_or_hardly_are_not(
    train: list[str], valid: list[str], tmp_path: Path
) -> None:
    assert told_of_shares(tmp_path, train, valid) is None


def test_rows_of_a_group_are_one_draw(tmp_path: Path) -> None:
    for name, late in (("train", 15), ("valid", 8)):  # of twenty customers, who write ten times each
        texts = iter(text for text, _ in messages(200, seed=late))
        rows = [
            {
                "text": next(texts),
                "label": "late" if customer < late else "lost",
                "customer": f"{name} {customer}",
            }
            for customer in range(20)
            for _ in range(10)
        ]
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    files = {"data__valid": str(tmp_path / "valid.jsonl")}

    assert "label-shift" in findings(tmp_path / "train.jsonl", **files)
    assert "label-shift" not in findings(tmp_path / "train.jsonl", data__group="customer", **files)


def test_questions_on_one_text_are_one_draw(tmp_path: Path) -> None:
    train, valid = (questions_jsonl(tmp_path / f"{at}.jsonl", 200, seed=at) for at in range(2))
    for path, unanswered in ((train, 4), (valid, 2)):  # of ten questions on each text
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        texts = [{**row} for row in rows if row["answers"]["text"]]
        for at, row in enumerate(rows):
            row |= {key: texts[at // 10][key] for key in ("context", "answers")}
            row["question"] = f"what is number {at}"
            if at % 10 < unanswered:
                row["answers"] = {"text": [], "answer_start": []}
        write_jsonl(path, rows)

    assert "label-shift" not in findings(train, data__valid=str(valid)), "20 texts against 20"


def test_questions_without_an_answer_have_their_share_too(tmp_path: Path) -> None:
    train, valid = (questions_jsonl(tmp_path / f"{at}.jsonl", 150, seed=at) for at in range(2))
    rows = [json.loads(line) for line in valid.read_text().splitlines()]
    for row in rows[:100]:
        row["answers"] = {"text": [], "answer_start": []}
    write_jsonl(valid, rows)

    found = findings(train, data__valid=str(valid))["label-shift"]

    assert found.message == "73% of the valid rows have no answer, and 20% of the training rows."
    assert (found.count, found.share) == (110, 110 / 150)
