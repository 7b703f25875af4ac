"""Images as histograms of their colours and of the directions of their edges: features that no pre-training made."""

import numpy as np

from luthier.arrays import Array

SIDE = 64
"""Pixels a side of the image that is looked at, at the least; larger ones are averaged down to less than twice that."""
LEVELS, PLACES = 4, 2
"""Levels of each colour, and squares a side in which colours are counted."""
DIRECTIONS, CELLS = 9, 4
"""Directions of edges, and squares a side in which they are counted."""


def histograms(pixels: Array) -> Array:
    """(images, width) square roots of the shares of colours and of edges in each square.

    pixels: (images, 3, height, width) bytes. Colours are counted in a joint histogram of red, green and blue (Swain and Ballard
    1991, "Color indexing", section 3), edges by their direction without a sign, each as much as it is strong (Dalal and Triggs
    2005, "Histograms of oriented gradients for human detection", section 6.2 and 6.3). Of histograms the square roots are
    compared (Arandjelović and Zisserman 2012, "Three things everyone should know", section 3).
    """
    small = averaged(pixels)
    found: Array = np.sqrt(np.concatenate([colours(small), edges(small)], axis=1)).astype(np.float32)
    return found


def averaged(pixels: Array) -> Array:
    """(images, 3, height, width) in [0, 1], made smaller by means over squares."""
    images, channels, high, wide = pixels.shape
    step = max(1, min(high, wide) // SIDE)
    cut = pixels[:, :, : high // step * step, : wide // step * step].astype(np.float32) / 255
    found: Array = cut.reshape(images, channels, high // step, step, wide // step, step).mean((3, 5))
    return found


def colours(images: Array) -> Array:
    """(images, squares x colours) the share of the pixels of each square that has each colour."""
    levels = np.minimum((images * LEVELS).astype(np.int64), LEVELS - 1)
    joint = (levels[:, 0] * LEVELS + levels[:, 1]) * LEVELS + levels[:, 2]
    return counted(joint, np.ones(joint.shape, np.float32), LEVELS**3, PLACES)


def edges(images: Array) -> Array:
    """(images, squares x directions) the share of the strength of a square's edges that lies in each direction.

    The first direction is that of edges that run from top to bottom, where brightness changes from left to right.
    """
    grey = images.mean(1)
    down, right = np.gradient(grey, axis=(1, 2))
    turned = np.arctan2(down, right) % np.pi  # an edge from dark to bright is one from bright to dark
    direction = np.floor(turned / np.pi * DIRECTIONS + 0.5).astype(np.int64) % DIRECTIONS
    return counted(direction, np.hypot(down, right), DIRECTIONS, CELLS)


def counted(kinds: Array, weights: Array, most: int, squares: int) -> Array:
    """(images, squares x squares x most) the shares of each kind in each square of an image. kinds, weights: (images, height,
    width)."""
    images, high, wide = kinds.shape
    across = np.arange(high)[:, None] * squares // high * squares + np.arange(wide)[None] * squares // wide
    place = (np.arange(images)[:, None, None] * squares**2 + across) * most + kinds
    sums = np.bincount(place.ravel(), weights.ravel(), images * squares**2 * most)
    table = sums.reshape(images, squares**2, most)
    shares: Array = table / np.maximum(table.sum(2, keepdims=True), 1e-6)
    return shares.reshape(images, -1)
