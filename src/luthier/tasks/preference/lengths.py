"""Preferring answers by nothing but their length: what many preferences come to, and a tuned model has to be better than.

Singhal et al. 2023, "A long way to go: investigating length correlations in RLHF", arXiv:2310.03716.
"""

from typing import TYPE_CHECKING

import numpy as np

from luthier.arrays import Ints
from luthier.batches.examples import Examples
from luthier.batches.sequences import Sequences
from luthier.tasks.preference.rewards import Likelihoods, Rewards

if TYPE_CHECKING:
    from luthier.tasks.preference.task import Preference
    from luthier.tasks.task import Baseline

BY_LENGTH = "length"


def by_length(task: "Preference") -> "Baseline":
    """The longer answers are rewarded, or the shorter ones where training rows tell so."""

    def rewards(train: Examples, asked: Examples) -> Likelihoods:
        learnt, lengths = (lengths_of(rows, task.answers).astype(np.float64) for rows in (train, asked))
        longer = task.score(Rewards(learnt), train.targets) >= 0.5
        return Likelihoods(lengths if longer else -lengths, np.ones_like(lengths, np.int64), final=True)

    return rewards


def lengths_of(examples: Examples, answers: int) -> Ints:
    """(rows, answers) tokens of each row's own answers; 0 where a row is a prompt alone."""
    assert isinstance(examples, Sequences), "answers are sequences"
    own = examples.first_part[:-1, None] + np.arange(answers)
    found: Ints = np.maximum(0, np.diff(examples.ends)[own] - examples.prompts[:, None])
    return found
