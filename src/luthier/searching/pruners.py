"""Pruners: rules by which trials end early.

Optuna's own rules compare trials after the same number of validations. Trials of one search may train for five epochs or for
twenty, and one of twenty has hardly begun when one of five is at its end. So all rules here compare trials at the same
share of their own training.
"""

import statistics

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

LENGTH = "length"
"""The name of the note with the number of validations of a trial's whole training."""
REDUCTION = 4
"""Reduction factor of successive halving: one trial in so many goes on, as in most of Li et al. 2020 (arXiv:1810.05934)."""
LOOKS = 1 / 6, 1 / 3
"""Shares of a trial's training after which successive halving looks at it, at its next validation. Earlier, a good trial looks
bad while its rate is high (docs/search.md)."""
BRACKETS = LOOKS, LOOKS[1:], ()
"""Brackets of Hyperband, which trials are dealt to in turns: the shares of training after which it looks at a trial."""
FIRST_LOOK = 0.25
"""Share of a trial's training before which the median rule never ends it."""
FINISHED = 4
"""Number of trials that must have finished before the median rule ends one."""
ROUNDING = 1e-6
"""Tolerance in comparing shares, so that two of six validations are a third."""


class Halving(BasePruner):
    """Successive halving: a trial goes on after a look if it is among the best quarter of all trials that came so far.

    Asynchronous successive halving (Li et al. 2020, section 3.3), but that a trial that was ended does not come back. With
    several brackets, Hyperband (Li et al. 2018, arXiv:1603.06560): trials take turns between being looked at early, late and
    never, and are compared with those of their own bracket.
    """

    def __init__(
        self, brackets: tuple[tuple[float, ...], ...] = (LOOKS,), reduction: int = REDUCTION
    ) -> None:
        """Prune by looks at a trial.

        brackets: for each, the shares of training after which a trial is looked at.  reduction: one trial in so many goes on.
        """
        self.brackets, self.reduction = brackets, reduction

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        bracket = trial.number % len(self.brackets)
        rivals = [
            one for one in study.get_trials(deepcopy=False) if one.number % len(self.brackets) == bracket
        ]
        for share in self.brackets[bracket]:
            if place(trial, share) != trial.last_step:
                continue
            seen = [goodness(study, one).get(place(one, share)) for one in rivals]
            ranked = sorted((score for score in seen if score is not None), reverse=True)
            if goodness(study, trial)[trial.last_step] < ranked[max(1, len(ranked) // self.reduction) - 1]:
                return True
        return False


class Median(BasePruner):
    """A trial ends where its best score so far is below the median of what finished ones had by then.

    Golovin et al. 2017 (Google Vizier), section 3.2.2, but that bests are compared, not averages.
    """

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        assert trial.last_step is not None, "asked after a validation"
        share = trained(trial, trial.last_step)
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        bests = [best for one in finished if (best := best_by(study, one, share)) is not None]
        if share < FIRST_LOOK or len(bests) < FINISHED:
            return False
        return max(goodness(study, trial).values()) < statistics.median(bests)


def place(trial: FrozenTrial, share: float) -> int:
    """Number of the first validation at which a trial had had this share of its training; 0 where there is none yet."""
    seen = trial.intermediate_values
    return min((age for age in seen if trained(trial, age) >= share - ROUNDING), default=0)


def goodness(study: optuna.Study, trial: FrozenTrial) -> dict[int, float]:
    """A trial's score at each validation as it is compared, by the validation's number: higher is better."""
    sign = -1 if study.direction == StudyDirection.MINIMIZE else 1
    return {age: sign * score for age, score in trial.intermediate_values.items()}


def best_by(study: optuna.Study, trial: FrozenTrial, share: float) -> float | None:
    """A trial's best score within this share of its training, as it is compared; None where it had not been validated by
    then."""
    seen = goodness(study, trial).items()
    return max((score for age, score in seen if trained(trial, age) <= share + ROUNDING), default=None)


def trained(trial: FrozenTrial, age: int) -> float:
    """The share of its training that a trial has had after so many validations."""
    return age / float(trial.user_attrs[LENGTH])


def pruner_of(name: str) -> BasePruner:
    if name == "median":
        return Median()
    if name == "halving":
        return Halving()
    if name == "hyperband":
        return Halving(BRACKETS)
    return NopPruner()
