"""Which rows meet in a batch, and what a batch holds."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from luthier.batches.order import POOL, by_length, cut_by_budget, epoch_order, steps_per_epoch
from luthier.batches.sequences import Sequences
from luthier.batches.text_examples import TextExamples

PAD = 99


@pytest.fixture
def lengths() -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(3, 60, 1003)


def make(*rows: list[list[int]]) -> TextExamples:
    """TextExamples from the parts of each row."""
    parts = [part for row in rows for part in row]
    return TextExamples(
        ids=np.array([number for part in parts for number in part], np.int32),
        ends=np.cumsum([0, *map(len, parts)]),
        first_part=np.cumsum([0, *map(len, rows)]),
        targets=np.arange(len(rows)) * 10,
        pad=PAD,
    )


def padded_tokens(examples: TextExamples, rows: np.ndarray) -> int:
    return examples.batch(rows).inputs["input_ids"].numel()


@pytest.mark.parametrize("batch_rows", [1, 7, 16, 2000])
def test_an_epoch_visits_every_row_once(lengths: NDArray[np.int64], batch_rows: int) -> None:
    steps = epoch_order(lengths, batch_rows, seed=0, epoch=0)

    assert np.array_equal(np.sort(np.concatenate(steps)), np.arange(len(lengths)))
    assert len(steps) == steps_per_epoch(len(lengths), batch_rows)


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 8 * POOL - 1, 8 * POOL, 8 * POOL + 1, 1000])
def test_only_one_step_of_an_epoch_is_short(rows: int) -> None:
    steps = epoch_order(np.ones(rows, np.int64), 8, seed=0, epoch=0)

    assert sorted(len(step) for step in steps)[1:] == [8] * (len(steps) - 1)


def test_the_order_is_a_function_of_seed_and_epoch(lengths: NDArray[np.int64]) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return list(np.concatenate(epoch_order(lengths, 16, seed, epoch)))

    first = order(0, 0)
    torch.manual_seed(5)
    np.random.default_rng(5).random(9)

    assert order(0, 0) == first
    assert order(0, 1) != first != order(1, 0)


def test_rows_of_like_length_share_a_step(lengths: NDArray[np.int64]) -> None:
    random = np.random.default_rng(1).permutation(len(lengths))

    def padding(steps: list[np.ndarray]) -> float:
        padded = sum(len(step) * int(lengths[step].max()) for step in steps)
        return padded / int(lengths.sum()) - 1

    assert padding(epoch_order(lengths, 16, 0, 0)) < 0.05
    assert padding([random[at : at + 16] for at in range(0, len(random), 16)]) > 0.7


def test_short_and_long_steps_come_mixed(lengths: NDArray[np.int64]) -> None:
    """Sorted steps would teach the short texts first."""
    means = [lengths[step].mean() for step in epoch_order(lengths, 16, 0, 0)]

    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


def test_without_groups_the_order_is_what_it_always_was(lengths: NDArray[np.int64]) -> None:
    """A run that began with an earlier luthier goes on to the same bytes."""
    order = epoch_order(lengths, 16, seed=3, epoch=2)

    told = hashlib.sha256(np.concatenate(order).astype("<i8").tobytes()).hexdigest()
    assert told[:16] == "627738f84fd8d916"


@pytest.fixture
def groups(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Three groups of very unlike size, named by numbers with gaps."""
    return np.random.default_rng(1).choice([0, 4, 7], len(lengths), p=[0.9, 0.08, 0.02])


def test_groups_are_drawn_alike_often_and_so_are_the_rows_of_a_group(
    lengths: NDArray[np.int64], groups: NDArray[np.int64]
) -> None:
    epochs = [np.concatenate(epoch_order(lengths, 16, 0, epoch, groups)) for epoch in range(40)]
    drawn = np.concatenate(epochs)

    assert all(len(epoch) == len(lengths) for epoch in epochs)
    for group in (0, 4, 7):
        inside = np.bincount(drawn, minlength=len(lengths))[groups == group]
        # Shares of a third within four standard errors; rows of a group Poisson-like around their mean.
        assert inside.sum() / len(drawn) == pytest.approx(1 / 3, abs=4 * (2 / 9 / len(drawn)) ** 0.5)
        assert inside.var() == pytest.approx(inside.mean(), rel=0.6)


def test_drawn_rows_keep_to_seed_and_epoch_length_and_steps(
    lengths: NDArray[np.int64], groups: NDArray[np.int64]
) -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        return [step.tolist() for step in epoch_order(lengths, 16, seed, epoch, groups)]

    steps = epoch_order(lengths, 16, 0, 0, groups)

    assert order(0, 0) == order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)
    assert len(steps) == steps_per_epoch(len(lengths), 16)
    padded = sum(len(step) * lengths[step].max() for step in steps)
    assert padded / sum(lengths[step].sum() for step in steps) < 1.05


@pytest.mark.parametrize("budget", [60, 100, 1024, 10**9])
def test_cuts_keep_order_and_budget(lengths: NDArray[np.int64], budget: int) -> None:
    rows = np.random.default_rng(2).permutation(len(lengths))

    cuts = cut_by_budget(rows, lengths, budget)

    assert np.array_equal(np.concatenate(cuts), rows)
    assert all(len(cut) * lengths[cut].max() <= budget for cut in cuts)


def test_no_cut_could_have_taken_its_next_row(lengths: NDArray[np.int64]) -> None:
    cuts = cut_by_budget(np.arange(len(lengths)), lengths, 500)

    for cut, following in pairwise(cuts):
        longer = [*cut, following[0]]
        assert len(longer) * lengths[longer].max() > 500


def test_a_row_beyond_the_budget_goes_alone() -> None:
    cuts = cut_by_budget(np.array([0, 1, 2]), np.array([5, 50, 5]), 10)

    assert [cut.tolist() for cut in cuts] == [[0], [1], [2]]


def test_nothing_is_cut_into_nothing() -> None:
    assert cut_by_budget(np.zeros(0, np.int64), np.zeros(0, np.int64), 10) == []


def test_by_length_goes_from_short_to_long(lengths: NDArray[np.int64]) -> None:
    order = np.concatenate(by_length(lengths, 256))

    assert np.array_equal(np.sort(order), np.arange(len(lengths)))
    assert (np.diff(lengths[order]) >= 0).all()


def test_a_batch_is_padded_to_its_longest_row_and_on_to_a_multiple_of_four() -> None:
    examples = make([[1, 2, 3, 4, 5, 6]], [[4]], [[5, 6, 7]])

    batch = examples.batch(np.array([1, 2]))

    assert batch.inputs["input_ids"].tolist() == [[4, PAD, PAD, PAD], [5, 6, 7, PAD]]
    assert batch.inputs["attention_mask"].tolist() == [[1, 0, 0, 0], [1, 1, 1, 0]]
    assert batch.part_of.tolist() == [0, 1]
    assert batch.targets.tolist() == [10, 20]
    assert batch.rows.tolist() == [1, 2]
    assert batch.tokens == 4


def test_no_batch_is_wider_than_the_longest_text() -> None:
    """A model may read no more tokens than that."""
    examples = make([[1, 2, 3, 4, 5, 6]], [[4]])
    assert examples.batch(np.array([0, 1])).inputs["input_ids"].shape == (2, 6)


def test_a_padding_token_inside_a_text_is_not_taken_for_padding() -> None:
    batch = make([[1, PAD]], [[2, 3, 4]]).batch(np.array([0, 1]))

    assert batch.inputs["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]


def test_the_windows_of_a_row_stay_together() -> None:
    examples = make([[1, 2]], [[3, 4, 5], [6, 7]], [[8]])

    batch = examples.batch(np.array([2, 1]))

    assert batch.inputs["input_ids"].tolist() == [[8, PAD, PAD], [3, 4, 5], [6, 7, PAD]]
    assert batch.part_of.tolist() == [0, 1, 1]
    assert batch.tokens == 6


def test_a_budget_counts_windows_as_they_will_be_padded() -> None:
    random = np.random.default_rng(0)
    rows = []
    for _ in range(200):
        windows, last = int(random.integers(0, 4)), int(random.integers(1, 21))
        rows.append([[1] * 20 for _ in range(windows)] + [[1] * last])
    examples = make(*rows)

    batches = by_length(examples.lengths, 200)

    assert max(padded_tokens(examples, batch) for batch in batches) <= 200


def test_selected_rows_are_the_rows_themselves() -> None:
    examples = make([[1, 2]], [[3, 4, 5], [6, 7]], [[8]], [[9, 10]])

    some = examples.select(np.array([3, 1]))

    assert len(some) == 2
    assert some.ids.tolist() == [9, 10, 3, 4, 5, 6, 7]
    assert some.targets.tolist() == [30, 10]
    assert some.lengths.tolist() == [3, 6]
    whole, part = examples.batch(np.array([3, 1])), some.batch(np.array([0, 1]))
    assert all(torch.equal(whole.inputs[name], part.inputs[name]) for name in whole.inputs)
    assert torch.equal(whole.targets, part.targets)


def test_no_rows_are_no_trouble() -> None:
    examples = make([[1, 2]], [[3]]).select(np.zeros(0, np.int64))

    assert len(examples) == 0
    assert len(examples.lengths) == 0
    assert by_length(examples.lengths, 10) == []


def test_rows_that_are_packed_are_not_brought_together_by_length() -> None:
    """Nothing of them is padded, and texts of one length are often of one kind: a step is to be mixed."""
    lengths = np.repeat(np.arange(2, 34), 8)
    packed = Sequences(
        ids=np.zeros(int(lengths.sum()), np.int32),
        trained=np.ones(int(lengths.sum()), bool),
        ends=np.concatenate([[0], np.cumsum(lengths)]),
        first_part=np.arange(len(lengths) + 1),
        prompts=np.ones(len(lengths), np.int64),
        targets=np.zeros(len(lengths)),
    )

    spreads = [np.ptp(lengths[step]) for step in epoch_order(packed.padded_lengths, 16, 0, 0)]

    assert min(spreads) > 8
    assert max(np.ptp(lengths[step]) for step in epoch_order(lengths, 16, 0, 0)) == 1
