"""Histograms of pictures that were made by hand."""

import numpy as np
import pytest

from luthier.train.probe.colours import (
    CELLS,
    DIRECTIONS,
    LEVELS,
    PLACES,
    averaged,
    colours,
    edges,
    histograms,
)

RED, BLUE = (LEVELS - 1) * LEVELS**2, LEVELS - 1
"""Places of pure colours in the joint histogram."""


def painted(*halves: tuple[int, int, int]) -> np.ndarray:
    """(1, 3, 64, 64) bytes: the first colour on the left, the other on the right."""
    pixels = np.zeros((1, 3, 64, 64), np.uint8)
    for side, colour in enumerate(halves):
        pixels[0, :, :, 32 * side : 32 * (side + 1)] = np.array(colour)[:, None, None]
    return pixels


def test_a_picture_that_is_red_on_the_left_and_blue_on_the_right() -> None:
    found = colours(averaged(painted((255, 0, 0), (0, 0, 255)))).reshape(PLACES, PLACES, LEVELS**3)

    assert found[:, 0, RED] == pytest.approx(1.0)
    assert found[:, 1, BLUE] == pytest.approx(1.0)
    assert found.sum() == pytest.approx(PLACES**2), "each square has all of its pixels"


@pytest.mark.parametrize(("turned", "direction"), [(False, 0), (True, DIRECTIONS // 2)])
def test_an_edge_has_its_direction_in_the_squares_that_it_runs_through(turned: bool, direction: int) -> None:
    """Brightness that changes from left to right is the first direction, from top to bottom one about half-way round."""
    picture = averaged(painted((0, 0, 0), (255, 255, 255)))
    found = edges(picture.transpose(0, 1, 3, 2) if turned else picture).reshape(CELLS, CELLS, DIRECTIONS)
    found = found.transpose(1, 0, 2) if turned else found

    strong = found[:, :, [direction, (direction + 1) % DIRECTIONS]].sum(2)
    assert strong[:, [1, 2]] == pytest.approx(1.0), "the edge lies between the second square and the third"
    assert found[:, [0, 3]] == pytest.approx(0.0)


def test_an_edge_from_dark_to_bright_is_one_from_bright_to_dark() -> None:
    one, other = painted((0, 0, 0), (255, 255, 255)), painted((255, 255, 255), (0, 0, 0))

    assert edges(averaged(one)) == pytest.approx(edges(averaged(other)))


def test_a_large_picture_is_seen_as_a_small_one() -> None:
    small = painted((255, 0, 0), (0, 0, 255))
    large = small.repeat(4, axis=2).repeat(4, axis=3)

    assert histograms(large) == pytest.approx(histograms(small), abs=1e-3)


def test_a_picture_without_an_edge_has_no_directions() -> None:
    found = histograms(painted((9, 9, 9), (9, 9, 9)))

    assert found.shape == (1, PLACES**2 * LEVELS**3 + CELLS**2 * DIRECTIONS)
    assert found[0, PLACES**2 * LEVELS**3 :] == pytest.approx(0.0)
    assert np.isfinite(found).all()
