"""How metrics are measured, from what a task knows of its answers."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats, Ints
from luthier.scores import classification, generated, multilabel
from luthier.scores.evidence import Answered, Classified, Estimated, Generated, Preferred, Tagged
from luthier.scores.measures import Measure, OfAll, OfSome, PerRow


def accuracy(found: Classified | Tagged) -> Measure:
    return PerRow(found.right, share=True, rows=found.rows if isinstance(found, Tagged) else None)


def answered(found: Answered, values: Floats, those: NDArray[np.bool_], share: bool = False) -> Measure:
    """The mean over some of the questions. values: (rows,).  those: (rows,) which."""
    return PerRow(values[those], share=share, rows=np.flatnonzero(those))


def macro_f1(found: Classified) -> Measure:
    if found.many:
        return OfAll(multilabel.resampled_macro_f1(found.targets, found.predicted), found.predicted)
    statistic = classification.resampled_macro_f1(found.targets, found.predicted, found.classes)
    return OfAll(statistic, found.predicted)


def micro_f1(found: Classified) -> Measure:
    return OfAll(multilabel.resampled_micro_f1(found.targets, found.predicted), found.predicted)


def log_loss(found: Classified) -> Measure:
    how = multilabel.log_loss_per_row if found.many else classification.log_loss_per_row
    assert found.probabilities is not None, "a loss is of probabilities"
    return PerRow(how(found.probabilities, found.targets))


def brier(found: Classified) -> Measure:
    how = multilabel.brier_per_row if found.many else classification.brier_per_row
    assert found.probabilities is not None, "a loss is of probabilities"
    return PerRow(how(found.probabilities, found.targets))


def ece(found: Classified) -> Measure:
    how = multilabel.resampled_ece if found.many else classification.resampled_ece
    assert found.probabilities is not None, "a calibration is of probabilities"
    gaps = how(found.probabilities, found.targets)
    return OfAll(gaps.error, found.probabilities, shift=gaps.shift)


def loss(found: Generated) -> Measure:
    return OfAll(generated.resampled_loss(found.losses, found.tokens), found.losses)


def perplexity(found: Generated) -> Measure:
    return OfAll(generated.resampled_perplexity(found.losses, found.tokens), found.losses)


def of_texts(name: str, share: bool = True) -> Callable[[Generated], Measure]:
    """The mean of a score of generated texts. share: whether each is 1 or 0."""

    def measured(found: Generated) -> Measure:
        scores = PerRow(found.scores[name], share=share)
        return scores if found.rows is None else OfSome(scores, found.rows)

    return measured


def reward_accuracy(found: Preferred) -> Measure:
    if found.good is not None:
        return OfAll(generated.resampled_preference(found.margins, found.good), found.margins)
    right = generated.preferred(found.margins)
    return PerRow(right, share=bool(np.isin(right, (0, 1)).all()))


def of_entities(how: Callable[[Ints], Any]) -> Callable[[Tagged], Measure]:
    return lambda found: OfAll(how(found.counts), found.counts)


def of_numbers(how: Callable[[Floats, Floats], Any]) -> Callable[[Estimated], Measure]:
    return lambda found: OfAll(how(found.targets, found.predicted), found.predicted)
