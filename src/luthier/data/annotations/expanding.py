"""Tables in which several rows are made of one, or one of several."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from luthier.data.annotations.telling import remade
from luthier.data.table import Table


def expanded(table: Table, rows: Sequence[int]) -> Table:
    """The rows named, in that order, some more than once perhaps and others not at all.

    A row keeps the line where it began in the file, and whether it was set aside.
    """
    chosen = np.array(rows, np.int64)
    table = remade(table)
    set_aside = {
        reason: np.flatnonzero(np.isin(chosen, own)) for reason, own in table.layout.set_aside.items()
    }
    return replace(
        table,
        columns=table.columns.take(chosen),
        file_of=table.file_of[chosen],
        line_of=table.line_of[chosen],
        layout=replace(table.layout, set_aside=set_aside),
    )
