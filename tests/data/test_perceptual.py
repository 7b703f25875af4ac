"""Near copies among images are found, pictures that are only alike in kind are not; and what is known of each image."""

import io
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from luthier.data.images.facts import image_facts
from luthier.data.images.files import read_images
from luthier.data.images.perceptual import DISTANCE, Looks, close_hashes, look, near_images
from luthier.data.images.source import ImageSource


def picture(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """Blobs large and small, as a photo has them."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8)).resize(
                size, Image.Resampling.BICUBIC
            )
        ).astype(float)
        for cells in (3, 6, 12)
    ]
    return Image.fromarray((0.5 * layers[0] + 0.3 * layers[1] + 0.2 * layers[2]).astype(np.uint8))


def encoded(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def cut(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    return image.crop(
        (round(width * share), round(height * share), round(width * (1 - share)), round(height * (1 - share)))
    )


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "scaled": lambda image: image.resize((51, 44)),
    "enlarged": lambda image: image.resize((400, 300)),
    "compressed": lambda image: encoded(image, 40),
    "cut": lambda image: cut(image, 0.02),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "darkened": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
}


def looks_of(images: list[Image.Image]) -> Looks:
    found = [look(image) for image in images]
    return Looks(np.array([number for number, _ in found]), np.array([thumb for _, thumb in found]))


def differing(one: Image.Image, two: Image.Image) -> int:
    """Bits of the hashes."""
    return int(look(one)[0] ^ look(two)[0]).bit_count()


def pairs_of(images: list[Image.Image], sources: list[int] | None = None) -> set[tuple[int, int]]:
    numbers = np.zeros(len(images), np.int64) if sources is None else np.array(sources)
    return {(one, two) for one, two in near_images(looks_of(images), numbers).tolist()}


@pytest.mark.parametrize("change", CHANGES)
def test_an_image_and_its_near_copy_are_a_pair_and_no_others_are(change: str) -> None:
    images = [picture(seed) for seed in range(60)]
    images += [CHANGES[change](image) for image in images]

    found = pairs_of(images)

    right = {(at, at + 60) for at in range(60)}
    assert len(found & right) >= 57
    assert len(found - right) <= 0.05 * len(found)


def test_things_photographed_alike_are_no_near_copies() -> None:
    """A dark bar before one white wall, a little further each time: hashes are near, thumbnails are not."""
    images = []
    for left in (40, 44, 48):
        wall = np.full((90, 120, 3), 225, np.uint8)
        wall[20:, left : left + 12] = 60
        images.append(Image.fromarray(wall))

    near = {
        (one, two)
        for one, two in itertools.combinations(range(3), 2)
        if differing(images[one], images[two]) <= DISTANCE
    }
    assert near
    assert pairs_of(images) == set()


def test_mirror_images_are_no_near_copies() -> None:
    assert pairs_of([picture(0), picture(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT)]) == set()


def test_blank_images_resemble_nothing() -> None:
    assert pairs_of([Image.new("RGB", (9, 9), colour) for colour in ("white", "white", "black")]) == set()


def test_an_image_has_a_pair_in_every_source_that_has_one() -> None:
    one, other = picture(0), picture(1)
    images = [one, other, encoded(one, 40), one, encoded(one, 60), one]

    found = near_images(looks_of(images), np.array([0, 0, 0, 1, 1, 1])).tolist()

    sources = {two: {0 if one < 3 else 1 for one, again in found if again == two} for _, two in found}
    assert sources == {2: {0}, 3: {0}, 4: {0, 1}, 5: {0, 1}}


def test_all_hashes_within_the_distance_are_found_once_as_by_comparing_all() -> None:
    rng = np.random.default_rng(0)
    bits = np.repeat(rng.random((40, 64)) < 0.5, 25, axis=0) ^ (rng.random((1_000, 64)) < 0.1)
    hashes = np.unique(np.packbits(bits, axis=1).view(np.uint64)[:, 0])

    found = [
        pair for one, two in close_hashes(hashes) for pair in zip(one.tolist(), two.tolist(), strict=True)
    ]

    numbers = hashes.tolist()
    right = {
        (one, two)
        for one, two in itertools.combinations(range(len(numbers)), 2)
        if (numbers[one] ^ numbers[two]).bit_count() <= DISTANCE
    }
    assert len(right) > 1_000
    assert len(found) == len(set(found))
    assert set(found) == right


def test_a_thousand_copies_of_one_image_are_no_half_million_pairs() -> None:
    assert len(pairs_of([picture(0)] * 1_000)) == 999


def test_no_images_have_no_pairs() -> None:
    nothing = Looks(np.zeros(0, np.uint64), np.zeros((0, 16, 16), np.uint8))

    assert near_images(nothing, np.zeros(0, np.int64)).shape == (0, 2)


# What is known of each image


@pytest.fixture
def source(tmp_path: Path) -> ImageSource:
    """Six images: fine, its near copy as a large JPEG, grey, blank, cut off, and one that is not there."""
    for label in "ab":
        (tmp_path / label).mkdir()
    picture(0).save(tmp_path / "a/0.png")
    picture(0, (1200, 900)).save(tmp_path / "a/1.jpg")
    picture(1).convert("L").save(tmp_path / "a/2.png")
    Image.new("RGB", (30, 20), (200, 200, 201)).save(tmp_path / "b/3.png")
    (tmp_path / "b/4.png").write_bytes((tmp_path / "a/0.png").read_bytes()[:900])
    (tmp_path / "b/5.png").touch()
    found = ImageSource(read_images(tmp_path)["train"])
    (tmp_path / "b/5.png").unlink()
    return found


@pytest.mark.parametrize("threads", [1, 4])
def test_what_is_broken_or_blank_is_told_and_stops_nothing(
    source: ImageSource, tmp_path: Path, threads: int
) -> None:
    facts = image_facts(source, np.arange(6), threads)

    assert facts.width.tolist() == [120, 1200, 120, 30, 0, 0]
    assert facts.height.tolist() == [90, 900, 90, 20, 0, 0]
    assert facts.blank.tolist() == [False, False, False, True, False, False]
    assert facts.broken == (
        None,
        None,
        None,
        None,
        f"{tmp_path}: b/4.png is cut off.",
        f"{tmp_path}: b/5.png is not there any more. Put it back, or start anew without it.",
    )
    assert facts.usable.tolist() == [True, True, True, False, False, False]
    assert facts.converted == {"grey": 1}


def test_facts_follow_the_rows_asked_for_and_find_near_copies(source: ImageSource) -> None:
    facts = image_facts(source, np.array([2, 1, 0]), 2)

    assert facts.width.tolist() == [120, 1200, 120]
    assert near_images(facts.looks, np.zeros(3, np.int64)).tolist() == [[1, 2]]


def test_no_rows_have_no_facts(source: ImageSource) -> None:
    facts = image_facts(source, np.zeros(0, np.int64), 2)

    assert (len(facts.width), facts.broken, facts.converted) == (0, (), {})
