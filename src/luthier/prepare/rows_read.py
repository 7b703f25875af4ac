"""The rows as the model reads them; those of which it would learn nothing are left out, counted and named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from luthier.arrays import Ints
from luthier.batches.examples import Examples
from luthier.checks.empty import empty
from luthier.checks.finding import BrokenWords, Finding, LeftOut, Tokens
from luthier.data.row_facts import Unusable
from luthier.data.split import PARTS, Split
from luthier.errors import DataError, RowsError
from luthier.forms.form import Form
from luthier.models.readers.texts import Long
from luthier.prepare.base import Base
from luthier.prepare.broken_words import broken_words, looked_at
from luthier.prepare.rows import Rows

NOT_FOUND = "an answer that cannot be found in what the chat template writes"


@dataclass(frozen=True)
class RowsRead:
    """All rows as the model reads them."""

    rows: Rows
    """The rows, without those of which nothing would be learnt."""
    numbers: Ints
    """Numbers of the table's rows, each once."""
    examples: Examples
    """Those of all parts, one after the other: a row that stands in two parts is there twice."""
    long: Long
    left_out: tuple[Finding, ...] = ()
    """What is told of the rows that are left out."""
    broken: BrokenWords | None = None
    """How the tokenizer breaks words."""

    @property
    def tokens(self) -> Tokens:
        """What checks may look at of them."""
        long, form = self.long, self.rows.form
        windows = "data.long=windows" in form.effects
        return Tokens(
            self.numbers, long.lengths, long.unknown, long.limit, long.way, windows, form.thing, self.broken
        )


def read_rows(rows: Rows, base: Base, form: Form, way: str) -> RowsRead:
    """The rows of all parts as the model reads them. form: how it reads them.  way: what is done with what is too long, as
    `Form.read` takes it.

    Raises DataError that names the rows which cannot be read.
    """
    # A training row that stands in the place of a validation row too is read once, and counted once.
    numbers = without_copies(in_parts(rows.split))
    try:
        examples, long = form.read(base.reader, rows.inputs(numbers), rows.targets(numbers), way)
    except RowsError as error:
        table_rows = sorted(numbers[list(error.rows)].tolist())
        raise RowsError(error.said, table_rows, error.remedy).named(rows.table.place) from error
    few = numbers[looked_at(len(numbers))]
    read = RowsRead(rows, numbers, examples, long, broken=broken_words(base.reader, few, rows.texts(few)))
    return spread_to_parts(without(read, examples.untaught) if len(examples.untaught) else read)


def in_parts(split: Split) -> Ints:
    """Numbers of the table's rows, part after part."""
    return np.concatenate([getattr(split, part) for part in PARTS])


def without_copies(numbers: Ints) -> Ints:
    """The numbers, each where it stands first.

    >>> without_copies(np.array([5, 2, 7, 2, 9])).tolist()
    [5, 2, 7, 9]
    """
    found: Ints = numbers[np.sort(np.unique(numbers, return_index=True)[1])]
    return found


def spread_to_parts(read: RowsRead) -> RowsRead:
    """With the examples of all parts, one after the other, where some rows stand in two."""
    wanted = in_parts(read.rows.split)
    if len(wanted) == len(read.numbers):
        return read
    order = np.argsort(read.numbers)
    places = order[np.searchsorted(read.numbers, wanted, sorter=order)]
    return replace(read, examples=read.examples.select(places))


def without(read: RowsRead, untaught: Ints) -> RowsRead:
    """The rows without some of which nothing would be learnt, each of them told. untaught: places among `numbers`."""
    kept = np.setdiff1d(np.arange(len(read.numbers)), untaught)
    gone = read.numbers[untaught]
    beyond = read.long.lengths[untaught] > read.long.limit
    too_long = f"a prompt longer than the {read.long.limit:,} tokens that the model reads"
    others = {too_long: np.sort(gone[beyond]), NOT_FOUND: np.sort(gone[~beyond])}
    lengths = read.long.lengths[untaught].tolist()
    unusable = Unusable(
        others={why: found for why, found in others.items() if len(found)},
        details={
            row: f"{length:,} tokens"
            for row, length in zip(gone.tolist(), lengths, strict=True)
            if length > read.long.limit
        },
    )
    evidence = replace(read.rows.evidence, left_out=LeftOut(unusable))
    long = read.long
    cut = np.maximum(long.lengths[kept] - long.limit, 0) if long.way == "cut" else long.lengths[kept] * 0
    return RowsRead(
        rows=rows_without(read.rows, unusable),
        numbers=read.numbers[kept],
        examples=read.examples.select(kept),
        long=replace(
            long,
            rows=int(np.count_nonzero(long.lengths[kept] > long.limit)),
            tokens=int(cut.sum()),
            lengths=long.lengths[kept],
            unknown=long.unknown[kept],
        ),
        left_out=tuple(empty(evidence)),
        broken=read.broken,
    )


def rows_without(rows: Rows, unusable: Unusable) -> Rows:
    """The understood rows without some. Raises DataError where a part is left without any."""
    gone = np.concatenate(list(unusable.others.values()))
    split = split_without(rows.split, gone)
    for part in PARTS:
        if len(getattr(rows.split, part)) and not len(getattr(split, part)):
            reasons = " or ".join(unusable.others)
            raise DataError(
                f"{rows.table.files[0]}: no row is left for the {part} part: all {len(getattr(rows.split, part)):,} have "
                f"{reasons}. Shorten these rows, or name a model with --model that reads more."
            )
    counts = {why: len(found) for why, found in unusable.others.items()}
    told, sizes = rows.understanding, split.sizes()
    return replace(
        rows,
        split=split,
        left_out={**rows.left_out, **counts},
        evidence=replace(rows.evidence, parts=replace(rows.evidence.parts, split=split)),
        understanding=replace(
            told, rows=sum(sizes.values()), parts=sizes, left_out_by={**told.left_out_by, **counts}
        ),
    )


def split_without(split: Split, gone: Ints | Sequence[int]) -> Split:
    """A split without some rows."""
    parts: dict[str, Ints] = {part: getattr(split, part) for part in PARTS}
    return replace(split, **{part: own[~np.isin(own, gone)] for part, own in parts.items()})  # type: ignore[arg-type]
