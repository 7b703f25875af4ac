"""Splitting rows into train, valid, calibration and test: stratified, seeded, and what belongs together on one side."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from luthier import seeds
from luthier.arrays import Ints
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.scores.validated import CROSSED, LEARNT

PARTS = ("train", "valid", "calibration", "test")
FEWEST_ROWS = 8
FEWEST_OF_FEW = 2
"""The fewest rows to learn from where none of them has to be set aside: one of each of two labels."""
MOST_CALIBRATION_ROWS = 500
"""The most calibration rows: one temperature needs no more."""


@dataclass(frozen=True)
class Split:
    """Row numbers of each part, in table order. No score on `test` is computed before the run's last step."""

    train: Ints
    valid: Ints
    calibration: Ints
    test: Ints
    how: str
    """A sentence for the report."""
    calibrates: str = "calibration"
    """The part whose rows calibrate; empty where nothing is to be calibrated."""
    warnings: tuple[str, ...] = ()
    """Sentences for the report on what its small parts mean."""

    crossed: bool = False
    """Whether nothing is held out for validation: `valid` are training rows, which are answered in cross-validation, each by what
    did not learn from it."""

    @property
    def validates_apart(self) -> bool:
        """Whether the validation rows are others than those that are learnt from."""
        return not np.isin(self.valid, self.train).any()

    @property
    def validates(self) -> bool:
        """Whether validation rows are answered by what did not learn from them, so that their scores say something."""
        return self.crossed or self.validates_apart

    @property
    def valid_from(self) -> str | None:
        """What the validation scores are of, as a scorecard tells it; None where rows are held out."""
        if self.crossed:
            return CROSSED
        return None if self.validates_apart else LEARNT

    @property
    def learnt(self) -> tuple[str, ...]:
        """The parts whose labels may be looked at before the test, each row in one of them."""
        return ("train", "valid", "calibration") if self.validates_apart else ("train", "calibration")

    def sizes(self) -> dict[str, int]:
        return {part: len(getattr(self, part)) for part in PARTS}

    def to_json(self) -> dict[str, Any]:
        """The record split.json: how the rows were split, and the size and a hash of each part. The rows follow from table,
        plan and seed."""
        hashes = {part: hashlib.sha256(getattr(self, part).tobytes()).hexdigest() for part in PARTS}
        told: dict[str, Any] = {
            "how": self.how,
            "warnings": list(self.warnings),
            "calibrates": self.calibrates,
        }
        told |= {"crossed": True} if self.crossed else {}
        return {**self.sizes(), **told, "hashes": hashes}


@dataclass(frozen=True)
class Shares:
    """Shares of the rows that are split off where no file is given for a part; that of calibration is a share of train."""

    valid: float = 0.1
    calibration: float = 0.1
    test: float = 0.2
    calibrates: str = "calibration"
    """The part whose rows calibrate; where that is not `calibration`, none are set aside for it."""
    fewest_to_calibrate: int = 20
    """Where fewer rows than these would be set aside, none are, and the validation rows calibrate."""
    fewest_rows: int = FEWEST_ROWS
    """Rows to learn from at the least."""
    asked: bool = False
    """Whether the user asked for calibration rows: then they are set aside, however few."""


def split_rows(
    rows: Ints,
    roles: Sequence[str],
    role_of: Ints,
    strata: Ints,
    groups: Ints,
    shares: Shares,
    seed: int,
    by: str = "file",
) -> Split:
    """Split `rows` into parts.

    roles: the part each file was given for, `train` for the first.  role_of: (table rows,) index into roles.
    strata, groups: (table rows,) label number, and number of the group a row stays with.
    by: what gave the roles, for the report.
    Raises DataError when there are too few rows to split.
    """
    by_role = {role: rows[role_of[rows] == at] for at, role in enumerate(roles)}
    own = by_role["train"]
    split_off = {part: getattr(shares, part) for part in ("test", "valid") if part not in by_role}
    wanted = {part: share for part, share in split_off.items() if share > 0}
    if len(own) < shares.fewest_rows:
        raise DataError(
            f"{len(own):,} {'row that can be used is' if len(own) == 1 else 'rows that can be used are'} too few to learn from"
            f"{' and to test on' if wanted else ''}. "
            f"Expected at least {shares.fewest_rows}; a useful result starts near 20 rows, or 20 of each label where there "
            "are labels."
        )
    pieces = deal(own, strata, groups, wanted, seed, "split") if wanted else {"train": own}
    found = {**by_role, **pieces}
    calibrates = shares.calibrates
    apart = shares.calibration if calibrates == "calibration" else 0.0
    share = min(apart, MOST_CALIBRATION_ROWS / max(1, len(found["train"])))
    dealt = deal(found["train"], strata, groups, {"calibration": share}, seed, "calibration")
    calibration = at_most(MOST_CALIBRATION_ROWS, dealt["calibration"], groups)
    if calibrates == "calibration" and len(calibration) < shares.fewest_to_calibrate and not shares.asked:
        calibration, calibrates = own[:0], "valid"
    found |= {"calibration": calibration, "train": np.setdiff1d(found["train"], calibration)}
    dealt_out = len(calibration) > 0 or any(share > 0 for share in wanted.values())
    how = how_words(roles, by, dealt_out, seed)
    train, valid, calibration, test = (np.sort(found.get(part, own[:0])) for part in PARTS)
    return Split(train, valid, calibration, test, how, calibrates)


def how_words(roles: Sequence[str], by: str, dealt_out: bool, seed: int) -> str:
    """How rows were split, in words. dealt_out: whether any were dealt out at random.

    >>> how_words(("train", "valid", "test"), "column 'split'", False, 0)
    "train, valid and test as given by column 'split'"
    """
    if not dealt_out and len(roles) > 1:
        return f"{', '.join(roles[:-1])} and {roles[-1]} as given by {by}"
    given = f"{' and '.join(roles[1:])} as given by {by}; " if len(roles) > 1 else ""
    return f"{given}the rest split at random with seed {seed}, stratified by label, copies and groups kept on one side"


def deal(
    rows: Ints, strata: Ints, groups: Ints, wanted: dict[str, float], seed: int, name: str
) -> dict[str, Ints]:
    """`rows` dealt out to `wanted` (shares of the rows) and `train`, group by group, alike in every stratum.

    Groups are put in random order within their stratum, the strata behind each other, and from the row that they form
    every (1 / share)-th is taken, for one part after the other. So every stratum, however small, gets its shares to
    within about one group, and the whole does too. Every stratum keeps a row in train.
    """
    units, unit_of = np.unique(groups[rows], return_inverse=True)
    first_row = np.zeros(len(units), np.int64)
    first_row[unit_of[::-1]] = rows[::-1]
    stratum = strata[first_row]
    rng = seeds.generator(seed, name)
    order = np.lexsort((rng.permutation(len(units)), stratum))
    names = [*wanted, "train"]
    train = len(names) - 1
    part = np.full(len(units), train)
    left, whole = order, 1.0
    for at, share in enumerate(wanted.values()):
        taken = np.diff(np.floor(np.arange(len(left) + 1) * (share / whole) + rng.random())) > 0
        part[left[taken]] = at
        left, whole = left[~taken], whole - share

    # Every stratum learns: where it has nothing in train, its first group goes there.
    present, first = np.unique(strata[rows], return_index=True)
    unlearnt = ~np.isin(present, strata[rows[part[unit_of] == train]])
    part[unit_of[first[unlearnt]]] = train
    # Every part has something: taken from the strata that have most in train.
    for at, share in enumerate(wanted.values()):
        if share > 0 and not np.any(part == at):
            counts = np.bincount(stratum[part == train])
            richest = int(counts.argmax())
            if counts[richest] > 1:
                part[next(unit for unit in order if part[unit] == train and stratum[unit] == richest)] = at
    return {label: rows[part[unit_of] == at] for at, label in enumerate(names)}


def at_most(most: int, rows: Ints, groups: Ints) -> Ints:
    """As many of `rows` as do not exceed `most`, whole groups of them, the smallest first."""
    _, group_of, sizes = np.unique(groups[rows], return_inverse=True, return_counts=True)
    order = np.argsort(sizes, kind="stable")
    fits = np.empty(len(sizes), bool)
    fits[order] = np.cumsum(sizes[order]) <= most
    return rows[fits[group_of]]


def text_keys(table: Table, column: str) -> Ints:
    """(rows,) hashes of texts, the same for texts that differ only in case and white space."""
    keys = np.empty(len(table), np.int64)
    for begin, values in table.pieces(column):
        keys[begin : begin + len(values)] = [key_of(value) for value in values]
    return keys


def key_of(text: str) -> int:
    """A hash of a text (64-bit BLAKE2b), the same for texts that differ only in case and white space."""
    alike = " ".join(text.lower().split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(alike, digest_size=8).digest(), "big", signed=True)


def joined_groups(*keys: Ints) -> Ints:
    """(rows,) group numbers: rows that share any key, directly or through others, are one group."""
    numbers = [np.unique(key, return_inverse=True)[1] for key in keys]
    if len(numbers) == 1:
        return numbers[0]
    rows = len(numbers[0])
    # A graph of rows and keys; its connected components are the groups.
    starts = np.cumsum([rows] + [int(number.max()) + 1 for number in numbers])
    ends = np.concatenate([number + start for number, start in zip(numbers, starts, strict=False)])
    begins = np.tile(np.arange(rows), len(numbers))
    graph = coo_array((np.ones(len(begins), bool), (begins, ends)), shape=(starts[-1], starts[-1]))
    groups: Ints = connected_components(graph, directed=False)[1][:rows]
    return groups
