"""Pieces that can be left out of a row."""

import numpy as np
import pytest
from PIL import Image

from luthier.forms.image_form import ImageForm
from luthier.forms.pair_form import PairForm
from luthier.forms.pieces import MOST, SHOWN, SIDE, CoveredImage, Region, Words, heat_of, pieces_of, regions
from luthier.forms.text_form import TextForm


@pytest.mark.parametrize("lengths", [(5,), (MOST,), (MOST + 1,), (1_000,), (20, 20), (1, 500), (0, 40)])
def test_a_row_has_no_more_pieces_than_are_allowed_and_they_hold_each_word_once(
    lengths: tuple[int, ...],
) -> None:
    texts = [" ".join(f"word{at}" for at in range(length)) for length in lengths]

    found = pieces_of(texts)

    assert len(found) <= MOST
    assert [word for one in found for word in one.words.split()] == [
        word for text in texts for word in text.split()
    ]
    assert all(texts[one.text][one.start : one.end] == one.words for one in found if isinstance(one, Words))


def test_a_text_comes_with_each_of_its_words_left_out() -> None:
    found = TextForm().occluded("It's cracked, again.")

    assert [(piece.to_json()["words"], less) for piece, less in found] == [
        ("It's", "cracked, again."),
        ("cracked", "It's , again."),
        ("again", "It's cracked, ."),
    ]
    assert TextForm().occluded("Cracked!") == []


def test_a_word_is_left_out_of_the_text_of_a_pair_that_it_stands_in() -> None:
    found = PairForm().occluded(("a neck", "cracked"))

    assert [less for _, less in found] == [("neck", "cracked"), ("a ", "cracked"), ("a neck", "")]


def test_regions_tile_an_image_and_a_covered_one_has_its_mean_colour() -> None:
    pixels = np.zeros((12, 18, 3), np.uint8)
    pixels[:6] = 200
    image = Image.fromarray(pixels)

    covered = np.asarray(CoveredImage(image, Region(0, 0, 0.5, 0.5)).open())

    assert (covered[:6, :9] == 100).all()
    assert (covered[:, 9:] == pixels[:, 9:]).all()
    assert (covered[6:] == pixels[6:]).all()
    assert sum((one.right - one.left) * (one.bottom - one.top) for one in regions()) == pytest.approx(1)
    assert len(ImageForm().occluded(ImageForm().row(image, "the row"))) == SIDE**2


def test_a_picture_of_heat_is_warm_where_regions_speak_for_the_answer() -> None:
    weights = np.zeros(SIDE**2)
    weights[0], weights[-1] = 2.0, -2.0

    found = np.asarray(heat_of(Image.new("RGB", (50, 40), (128, 128, 128)), weights.tolist())).astype(int)

    assert found.shape == (SHOWN, 2 * SHOWN, 3)
    assert (found[:, :SHOWN] == 128).all()
    warm, cold, plain = found[0, SHOWN], found[-1, -1], found[SHOWN // 2, SHOWN + SHOWN // 2]
    assert warm[0] > warm[2]
    assert cold[2] > cold[0]
    assert plain.tolist() == [128, 128, 128]
