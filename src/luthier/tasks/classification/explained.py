"""How much speaks for a label: its log-odds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import logsumexp

from luthier.arrays import Floats, Ints
from luthier.tasks.explaining import Explaining
from luthier.tasks.outputs import Logits

if TYPE_CHECKING:
    from luthier.tasks.classification.task import Labels


@dataclass(frozen=True)
class ExplainedLabels(Explaining["Logits", "Labels"]):
    """The log-odds of the label, uncalibrated: of two labels the difference of their logits, of several labels a row the logit of
    the surest one."""

    many: bool = False
    unit: ClassVar[str] = "in log-odds"

    def said(self, answers: "Labels") -> Ints:
        found: Ints = answers.probabilities.argmax(axis=1) if self.many else answers.chosen
        return found

    def support(self, outputs: Logits, said: Ints) -> Floats:
        values = outputs.values.astype(np.float64)
        rows = np.arange(len(values))
        own: Floats = values[rows, said]
        if self.many or values.shape[1] < 2:
            return own
        others = values.copy()
        others[rows, said] = -np.inf
        found: Floats = own - logsumexp(others, axis=1)
        return found
