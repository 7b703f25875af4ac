"""Setting rows aside that the annotators rejected or skipped: they are not used, and counted by reason."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from luthier.arrays import Ints
from luthier.data.annotations.cells import field_type, replaced
from luthier.data.table import Table


def with_set_aside(table: Table, reasons: Mapping[int, str], columns: Sequence[str]) -> Table:
    """The table with some rows set aside. reasons: by row.  columns: what is learnt, which those rows are left without."""
    if not reasons:
        return table
    rows: dict[str, Ints] = dict(table.layout.set_aside)
    for reason in dict.fromkeys(reasons.values()):
        own = np.array([row for row, why in reasons.items() if why == reason], np.int64)
        rows[reason] = np.union1d(rows.get(reason, np.zeros(0, np.int64)), own)
    for name in columns:
        values = [None if row in reasons else value for row, value in enumerate(table.values(name))]
        table = replaced(table, name, values, field_type(table, name))
    return replace(table, layout=replace(table.layout, set_aside=rows))
