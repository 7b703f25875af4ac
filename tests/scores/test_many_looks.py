"""However many rounds one looks at, claims of a difference that is not there stay as rare as was asked for."""

import numpy as np

from luthier.scores.intervals import paired_proportions
from luthier.scores.many_looks import confidence_at, spent
from luthier.scores.measures import PerRow

LOOPS, ROUNDS, ROWS = 200, 8, 80


def models(dice: np.random.Generator) -> np.ndarray:
    """(rounds + 1, rows) right or wrong: models that are all equally good, on the same rows, some of which are hard for all."""
    chance = dice.beta(2, 1, ROWS)
    return (dice.random((ROUNDS + 1, ROWS)) < chance).astype(np.float64)


def test_all_looks_together_spend_no_more_than_there_is() -> None:
    assert sum(spent(look) for look in range(1, 10_000)) < 1
    assert confidence_at(1) == 0.975


def test_loops_without_any_gain_claim_one_in_twenty_times_at_the_most() -> None:
    dice = np.random.default_rng(0)
    plain = honest = 0
    for _ in range(LOOPS):
        right = models(dice)
        gaps = [(right[at + 1], right[at]) for at in range(ROUNDS)]
        plain += any(claims(*gap, 0.95) for gap in gaps)
        honest += any(claims(*gap, confidence_at(look)) for look, gap in enumerate(gaps, start=1))

    assert honest <= 0.05 * LOOPS
    assert plain > 3 * 0.05 * LOOPS  # what many plain looks come to


def claims(after: np.ndarray, before: np.ndarray, confidence: float) -> bool:
    found = paired_proportions(after, before, confidence=confidence, seed=0)
    return found.low > 0 or found.high < 0


def test_a_share_is_tested_at_any_level_by_the_same_paired_test() -> None:
    dice = np.random.default_rng(1)
    right = (dice.random((2, 60)) < np.array([[0.9], [0.5]])).astype(np.float64)
    ours, theirs = PerRow(right[0], share=True), PerRow(right[1], share=True)

    wide, narrow = (ours.minus(theirs, 0, confidence_at(look)) for look in (5, 1))

    assert ours.exact
    assert wide.value == narrow.value
    assert wide.low < narrow.low < narrow.high < wide.high
