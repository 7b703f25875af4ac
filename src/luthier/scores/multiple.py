"""Several tests at once: of twenty slices that are all alike, one differs beyond noise by chance."""

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats


def holm(p_values: Floats) -> NDArray[np.float64]:
    """P-values corrected for how many tests there are: who rejects those up to 5 % errs in any of them at most 1 time in 20.

    p_values: (tests,).  Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
    6, section 3: the smallest is multiplied by the number of tests, the next by one less, and none is smaller than one before it.

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    grown = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    found = np.empty(len(values))
    found[order] = np.minimum(grown, 1.0)
    return found
