"""Whether rows that were given labels make a linear head better, beyond noise, on labelled rows that it did not see."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.scores.intervals import jackknife
from luthier.tasks.probing import Probing
from luthier.train.probe.better_features import FEW_ROWS, REPEATS, Gain
from luthier.train.probe.centred import FOLDS
from luthier.train.probe.half_labelled import NONE, HalfLabelled
from luthier.train.probe.probe import ROUGH, Regression
from luthier.train.probe.pseudo_labels import WAYS, Way

EVALUATIONS = 30
"""Evaluations of the loss that a head takes at the most: 10 to 23 on TREC, AG News and banking77."""


@dataclass(frozen=True)
class Judged:
    """What a way comes to on labelled rows that were held out."""

    gain: Gain
    """The gain of the head that learnt from rows without labels too, over the one that did not."""
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

        clusters = None if rows.clusters is None else rows.clusters[order]
        return Gain(mean(PLAIN, there), mean(name, there), jackknife(gap, len(order), clusters=clusters))

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


def comparing_seconds(labelled: int, unlabelled: int, width: int, outputs: int) -> float:
    """Seconds that comparing all ways takes at the most: one evaluation of the loss, timed, for all that are needed."""
    rows = labelled + unlabelled
    some = np.random.default_rng(0)
    regression = Regression(
        some.standard_normal((rows, width)), some.integers(outputs, size=rows), outputs, weights=np.ones(rows)
    )
    regression.loss(regression.at, 1.0)
    begin = time.perf_counter()
    regression.loss(regression.at, 1.0)
    # Beside the heads of both kinds of rows, one for each way, four are solved for of labelled rows alone.
    heads = len(WAYS) + 4 * labelled / rows
    repeats = REPEATS if labelled <= FEW_ROWS else 1
    return repeats * FOLDS * heads * EVALUATIONS * (time.perf_counter() - begin)
