"""Images varied for training: the same bytes for the same seed, epoch and row, and no more than the settings allow."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from luthier.batches.augment import Augment, augment, blend_of, crop_box, interval, jittered, rectangle

STILL = Augment(min_area=1, flip=0, jitter=0, erase=0)


def picture(width: int = 60, height: int = 40, seed: int = 0) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


# One image


def test_the_same_seed_epoch_and_row_give_the_same_bytes_and_any_other_gives_others() -> None:
    settings = Augment(erase=1)
    first = augment(picture(), 32, 1, 2, 3, settings)

    assert first.shape == (32, 32, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, augment(picture(), 32, 1, 2, 3, settings))
    for other in ((0, 2, 3), (1, 0, 3), (1, 2, 0)):
        assert not np.array_equal(first, augment(picture(), 32, *other, settings))


def test_an_array_is_varied_as_the_image_is() -> None:
    assert np.array_equal(
        augment(picture(), 32, 0, 0, 0, Augment()), augment(np.asarray(picture()), 32, 0, 0, 0, Augment())
    )


def test_with_all_settings_off_the_image_is_only_scaled() -> None:
    scaled = np.asarray(picture().resize((32, 32), Image.Resampling.BICUBIC))

    assert np.array_equal(augment(picture(), 32, 0, 0, 0, STILL), scaled)


def test_a_setting_switched_on_leaves_the_crop_as_it_was() -> None:
    plain = augment(picture(), 32, 0, 0, 0, Augment(flip=0, jitter=0))

    flipped = augment(picture(), 32, 0, 0, 0, Augment(flip=1, jitter=0))
    erased = augment(picture(), 32, 0, 0, 0, Augment(flip=0, jitter=0, erase=1))

    assert np.array_equal(flipped, plain[:, ::-1])
    same = (erased == plain).all(2)
    assert 0.6 < same.mean() < 0.99
    rows, columns = np.flatnonzero(~same.all(1)), np.flatnonzero(~same.all(0))
    assert not same[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > 0.01


@pytest.mark.parametrize("chance", [0.25, 0.5])
def test_flips_and_erasures_come_as_often_as_asked(chance: float) -> None:
    half = Image.fromarray(np.repeat(np.array([[[0] * 3, [255] * 3]], np.uint8), 2, axis=0))
    settings = Augment(min_area=1, flip=chance, jitter=0, erase=chance)

    found = [augment(half, 16, 0, 0, row, settings) for row in range(600)]

    flipped = [pixels[:, :4].mean() > 128 for pixels in found]
    erased = [bool((pixels != pixels[..., :1]).any()) for pixels in found]
    assert np.mean(flipped) == pytest.approx(chance, abs=0.06)
    assert np.mean(erased) == pytest.approx(chance, abs=0.06)


def test_crops_lie_within_the_image_and_have_the_area_and_ratio_asked() -> None:
    rng = np.random.default_rng(0)
    boxes = np.array([crop_box(60, 40, 0.2, rng.random((10, 4))) for _ in range(2_000)])

    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    area, ratio = wide * high / 2_400, wide / high
    assert boxes.min() >= 0
    assert boxes[:, 2].max() <= 60
    assert boxes[:, 3].max() <= 40
    assert 0.2 <= area.min() < 0.21
    assert area.max() > 0.85
    assert 0.75 <= ratio.min() < 0.76
    assert 1.3 < ratio.max() <= 4 / 3 + 1e-9


def test_when_no_crop_fits_the_largest_in_the_middle_is_taken() -> None:
    drawn = np.full((10, 4), 0.999)

    assert crop_box(100, 10, 0.9, drawn) == (50 - 20 / 3, 0, 50 + 20 / 3, 10)
    assert crop_box(9, 100, 0.9, drawn) == (0, 44, 9, 56)


def test_jitter_is_brightness_contrast_and_saturation_in_turn() -> None:
    """Pillow's own, one after the other, which rounds and clips in between."""
    image = picture()
    image = image.point(lambda value: 80 + value // 4)  # so that nothing is clipped

    for factors in ((1.3, 1, 1), (1, 0.6, 1), (1, 1, 0.3), (0.8, 1.2, 1.4)):
        wanted = image
        for kind, factor in zip(
            (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color), factors, strict=True
        ):
            wanted = kind(wanted).enhance(factor)
        difference = np.asarray(jittered(image, *factors)).astype(int) - np.asarray(wanted)
        assert np.abs(difference).max() <= 3


def test_what_is_erased_lies_within_the_image() -> None:
    rng = np.random.default_rng(0)
    found = np.array([rectangle(32, rng.random(4)) for _ in range(2_000)])

    assert found.min() >= 0
    assert (found[:, 0] + found[:, 2]).max() == 32
    assert (found[:, 1] + found[:, 3]).max() == 32
    assert (found[:, 2] * found[:, 3] / 1_024).min() > 0.015
    assert (found[:, 2] * found[:, 3] / 1_024).max() < 0.36


# A batch


@pytest.mark.parametrize("how", ["mixup", "cutmix"])
def test_a_row_is_blended_alike_in_the_same_epoch_and_otherwise_in_another(how: str) -> None:
    first = blend_of(how, 8, 0, 5, row=3, rows=100)

    assert first == blend_of(how, 8, 0, 5, row=3, rows=100)
    assert first != blend_of(how, 8, 0, 6, row=3, rows=100)
    assert first != blend_of(how, 8, 1, 5, row=3, rows=100)


@pytest.mark.parametrize("how", ["mixup", "cutmix"])
def test_the_share_of_a_blend_is_that_of_its_pixels(how: str) -> None:
    dark, light = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 200, np.uint8)
    for row in range(50):
        blend = blend_of(how, 8, 0, 0, row, rows=100)

        found = blend.of(dark, light)

        assert 0 <= blend.other < 100
        assert found.mean() / 200 == pytest.approx(1 - blend.share, abs=0.005)
        assert len(np.unique(found)) <= (1 if how == "mixup" else 2)
    assert (dark.max(), light.min()) == (0, 200)  # left as they were


def test_an_interval_may_be_all_there_is() -> None:
    assert interval(10, 10, 5) == (0, 10)
    assert interval(10, 0, 5) == (5, 5)
