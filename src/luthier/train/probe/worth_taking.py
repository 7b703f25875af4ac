"""Whether rows that were given labels make a linear head better, beyond noise, on labelled rows that it did not see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.scores.intervals import jackknife
from luthier.tasks.probing import Probing
from luthier.train.probe.better_features import FEW_ROWS, REPEATS, Gain
from luthier.train.probe.half_labelled import NONE, HalfLabelled
from luthier.train.probe.probe import ROUGH
from luthier.train.probe.pseudo_labels import Way


@dataclass(frozen=True)
class Judged:
    """What a way comes to on labelled rows that were held out."""

    gain: Gain
    """Of the head that learnt from rows without labels too, over the one that did not."""
    held_out: Array
    """(labelled, outputs) its logits of rows that it did not see, nan for rows that are always learnt."""


@dataclass(frozen=True)
class Fold:
    """One cross-validation, of the plain head and of each way, over the same folds."""

    folds: Ints
    """(labelled,)"""
    logits: Mapping[str, Array]
    """(labelled, outputs) by way; those of the plain head under PLAIN."""


PLAIN = ""


def seeds_of(rows: HalfLabelled) -> list[int]:
    """The seeds of the folds that ways are compared over, the first of which is that of the rows. More than one where rows are
    few: which rows stand in which fold weighs as much there as what is compared."""
    repeats = REPEATS if len(rows.targets) <= FEW_ROWS else 1
    return [rows.seed, *(seeds.derive(rows.seed, "unlabelled", at) for at in range(1, repeats))]


def judged(rows: HalfLabelled, found: Sequence[Fold], how: Probing) -> dict[str, Judged]:
    """What each way comes to. found: of the same rows, over the folds of each seed; nothing comes of none."""
    if not found:
        return {}
    # Which rows are always learnt is the same in all of them, as it hangs on the labels alone.
    there = np.flatnonzero(found[0].folds != NONE)
    order = there[seeds.generator(rows.seed, "unlabelled").permutation(len(there))]

    def mean(name: str, chosen: Ints) -> float:
        return float(np.mean([score(rows, one, name, chosen, how) for one in found]))

    def gain(name: str) -> Gain:
        def gap(chosen: Ints) -> float:
            return mean(name, order[chosen]) - mean(PLAIN, order[chosen])

        return Gain(mean(PLAIN, there), mean(name, there), jackknife(gap, len(order)))

    return {name: Judged(gain(name), logits) for name, logits in found[0].logits.items() if name != PLAIN}


def one_fold(rows: HalfLabelled, ways: Sequence[Way], seed: int) -> Fold | None:
    """Cross-validate over the folds of a seed: the labelled rows outside of a fold learn with all rows that have no label, and
    those of the fold judge. None where labelled rows are too few."""
    folds = rows.folds(seed)
    if folds is None:
        return None
    empty = np.full((len(folds), rows.outputs), np.nan, np.float32)
    logits = {name: empty.copy() for name in (PLAIN, *(way.name for way in ways))}
    for fold in range(int(folds.max()) + 1):
        held, learnt = folds == fold, rows.only(np.flatnonzero(folds != fold))
        logits[PLAIN][held] = learnt.probe(tolerance=ROUGH).logits(rows.features[held])
        for way in ways:
            head = learnt.probe(way.label(learnt).labels, ROUGH)
            logits[way.name][held] = head.logits(rows.features[held])
    return Fold(folds, logits)


def score(rows: HalfLabelled, one: Fold, name: str, chosen: Ints, how: Probing) -> float:
    """The score on some of the labelled rows: the mean over folds."""
    parts = [chosen[one.folds[chosen] == fold] for fold in np.unique(one.folds[chosen])]
    found = one.logits[name]
    return float(np.mean([how.fit_score(found[part], rows.targets[part]) for part in parts]))


def best(found: Mapping[str, Judged]) -> str | None:
    """The way that is best of those that are better beyond noise; None where none is."""
    better = [name for name, one in found.items() if one.gain.beyond_noise]
    return max(better, key=lambda name: found[name].gain.difference) if better else None
