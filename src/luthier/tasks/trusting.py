"""What a task can promise of single answers, from calibration rows: where to answer, which answers may be right."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic

from luthier.arrays import Array, Bools, Ints
from luthier.tasks.calibration import Ans, Out

LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Limits of error that the scorecard tells of; `predict --error` takes any other too."""


@dataclass(frozen=True)
class Promise:
    """What is promised of some rows at a limit of error."""

    sure: Bools
    """(rows,) which rows are answered; the others are for a person to look at."""
    lines: list[dict[str, Any]]
    """(rows,) the keys that each line of `predict` has beside the answer, or in place of what stands there."""
    told: tuple[str, ...] = ()
    """Sentences on what could not be promised, and what to do."""


class Trusting(ABC, Generic[Out, Ans]):
    """What a task promises of single answers. All of it is computed from what calibration rows showed (`known`), so that a limit
    of error can be named when rows are answered."""

    @abstractmethod
    def known(self, outputs: Out, answers: Ans, targets: Array, unlike: Bools) -> dict[str, Array]:
        """What the calibration rows show, as arrays that are saved with the model.

        outputs: what the model gives for them.  answers: what is answered.  unlike: (rows,) which of them would not be answered
        in any case, as they are unlike the training rows.
        """

    @abstractmethod
    def promise(self, known: Mapping[str, Array], outputs: Out, answers: Ans, error: float) -> Promise:
        """What is promised of new rows at a limit of error, between 0 and 1."""

    @abstractmethod
    def measured(
        self, known: Mapping[str, Array], outputs: Out, answers: Ans, targets: Array, unlike: Bools
    ) -> dict[str, Any]:
        """Keys of the scorecard: what is promised, and what came of it on the test rows. unlike: (rows,) of the test rows."""

    def labels(self, targets: Array) -> Ints | None:
        """(rows,) the one label of each row, as whole numbers; None where rows have none, or several."""
        return None
