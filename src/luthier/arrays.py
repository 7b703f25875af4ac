"""The names of numpy's arrays in signatures, each defined once for the whole package."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
"""An array of any shape and type: the floats of one task, the texts or objects of another."""

Ints = np.ndarray[Any, np.dtype[np.int64]]
"""Whole numbers, most often the numbers of rows in a table, of shape (rows,)."""

Floats = np.ndarray[Any, np.dtype[np.floating]]
"""Real numbers of any precision, such as probabilities of shape (rows, classes)."""

Bools = np.ndarray[Any, np.dtype[np.bool_]]
"""One truth value for each entry of another array, most often of shape (rows,)."""
