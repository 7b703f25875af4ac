"""Scores of a task that marks entities in rows of words: of the whole entity, its words and type both right.

Shapes: truth and predicted (words,), numbers of tags in strict IOB2, all rows one after the other; ends
(rows + 1,), where each row begins, and the last one ends; tags (tags,) their names, such as ("O", "B-LOC",
"I-LOC"); counts (rows, types, 3): entities that are right, predicted, true. The counts are those of seqeval
with mode="strict" and scheme=IOB2 (Nakayama 2018, github.com/chakki-works/seqeval): an I- that goes on with
nothing, or with an entity of another type, belongs to no entity.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats, Ints
from luthier.scores.classification import ClassScore, Counts
from luthier.scores.intervals import Statistic

RIGHT, PREDICTED, TRUE = range(3)
"""Positions along the last axis of counts."""


def types_of(tags: Sequence[str]) -> tuple[str, ...]:
    """The types of entities, in the order in which the tags first name them.

    >>> types_of(("O", "B-LOC", "I-LOC", "B-PER"))
    ('LOC', 'PER')
    """
    return tuple(dict.fromkeys(tag[2:] for tag in tags if tag != "O"))


def counts_per_row(truth: Ints, predicted: Ints, ends: Ints, tags: Sequence[str]) -> NDArray[np.int64]:
    """(rows, types, 3) entities of each type: right, predicted, true. What the other scores are made of.

    >>> tags = ("O", "B-LOC", "I-LOC")
    >>> counts_per_row(np.array([1, 2, 0, 1]), np.array([1, 2, 1, 0]), np.array([0, 3, 4]), tags)
    array([[[1, 2, 1]],
    <BLANKLINE>
           [[0, 0, 1]]])
    """
    _check(truth, predicted, ends, tags)
    rows, types = len(ends) - 1, len(types_of(tags))
    true_begins, true_ends, true_types = _entities(truth, ends, tags)
    begins, stops, kinds = _entities(predicted, ends, tags)

    # No two entities begin at one word, so the word is enough to find the true one beside a predicted one.
    end_at, type_at = np.full((2, len(truth)), -1)
    end_at[true_begins], type_at[true_begins] = true_ends, true_types
    right = (end_at[begins] == stops) & (type_at[begins] == kinds)

    def count(words: Ints, of_types: Ints) -> NDArray[np.int64]:
        row_of = np.searchsorted(ends, words, side="right") - 1
        return np.bincount(row_of * types + of_types, minlength=rows * types).reshape(rows, types)

    return np.stack(
        [count(begins[right], kinds[right]), count(begins, kinds), count(true_begins, true_types)], axis=-1
    )


def precision_recall_f1(counts: Ints) -> tuple[float, float, float]:
    """Precision, recall and F1 over the entities of all types together (micro), each in [0, 1]; 0 where there is no denominator.

    >>> precision_recall_f1(np.array([[[1, 2, 1]], [[0, 0, 1]]]))
    (0.5, 0.5, 0.5)
    """
    sums = counts.sum(axis=(0, 1))
    return float(_precision(sums)), float(_recall(sums)), float(_f1(sums))


def per_type(counts: Ints) -> tuple[ClassScore, ...]:
    """Precision, recall, F1 of each type, in the order of `types_of`; `support` counts its true entities."""
    sums = counts.sum(axis=0)
    return Counts(sums[:, RIGHT], sums[:, TRUE], sums[:, PREDICTED]).per_class()


def resampled_f1(counts: Ints) -> Statistic:
    """Micro F1 as a statistic over resampled rows, for `intervals.bootstrap`."""
    return _resampled(_f1, counts)


def resampled_precision(counts: Ints) -> Statistic:
    """Micro precision as a statistic over resampled rows, for `intervals.bootstrap`."""
    return _resampled(_precision, counts)


def resampled_recall(counts: Ints) -> Statistic:
    """Micro recall as a statistic over resampled rows, for `intervals.bootstrap`."""
    return _resampled(_recall, counts)


def _resampled(score: Callable[[Ints], NDArray[np.float64]], counts: Ints) -> Statistic:
    of_rows = counts.sum(axis=1)  # (rows, 3)
    return lambda rows: score(of_rows[rows].sum(axis=1))


def _entities(words: Ints, ends: Ints, tags: Sequence[str]) -> tuple[Ints, Ints, Ints]:
    """First word, one past the last word, and type of each entity, each (entities,), in order."""
    types = types_of(tags)
    type_of = np.array([-1 if tag == "O" else types.index(tag[2:]) for tag in tags])[words]
    mark_of = np.array([tag[0] for tag in tags])[words]

    goes_on = mark_of == "I"
    goes_on[1:] &= type_of[1:] == type_of[:-1]
    goes_on[ends[:-1][ends[:-1] < len(words)]] = False  # the last rows may be empty
    heads = np.flatnonzero(~goes_on)
    stops = np.append(heads[1:], len(words))
    begun = mark_of[heads] == "B"
    return heads[begun], stops[begun], type_of[heads[begun]]


def _precision(sums: Ints) -> NDArray[np.float64]:
    """Share of the predicted entities that are right: sums (..., 3) to (...)."""
    return _share(sums[..., RIGHT], sums[..., PREDICTED])


def _recall(sums: Ints) -> NDArray[np.float64]:
    return _share(sums[..., RIGHT], sums[..., TRUE])


def _f1(sums: Ints) -> NDArray[np.float64]:
    return _share(2 * sums[..., RIGHT], sums[..., PREDICTED] + sums[..., TRUE])


def _share(part: Floats | Ints, whole: Floats | Ints) -> NDArray[np.float64]:
    """part / whole, and 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) > 0)


def _check(truth: Ints, predicted: Ints, ends: Ints, tags: Sequence[str]) -> None:
    assert truth.ndim == 1, f"truth has shape {truth.shape}, not (words,)"
    assert truth.shape == predicted.shape, f"{len(truth)} words in truth, {len(predicted)} in predictions"
    assert len(ends) > 1, "no row to score"
    assert ends[0] == 0, f"the first row begins at word {ends[0]}"
    assert ends[-1] == len(truth), f"the last row ends at word {ends[-1]} of {len(truth)}"
    assert bool(np.all(np.diff(ends) >= 0)), "a row ends before it begins"
    for numbers in (truth, predicted):
        assert numbers.min(initial=0) >= 0, "a negative tag"
        assert numbers.max(initial=0) < len(tags), f"a tag beyond the {len(tags)} known ones"
