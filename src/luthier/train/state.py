"""Everything that changes during training, in one object."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from luthier.train.weights import Weights

NUMBERS = ("step", "best_step", "best_score", "best_loss", "validations_since_best", "tokens", "seconds")


@dataclass
class State:
    """A training's weights, its optimizer, its position, and its best validation so far."""

    model: nn.Module
    weights: Weights
    step: int = 0
    """Optimizer steps taken."""
    tokens: int = 0
    """Real tokens that went through these steps."""
    seconds: float = 0.0
    """Seconds that these steps and their validations took, over all commands of the run."""
    best_step: int = 0
    best_score: float = float("-inf")
    """The score of the best validation as `Task.goodness` has it: higher is better."""
    best_loss: float = float("inf")
    validations_since_best: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    """The weights of the best validation; empty before the first."""
    shelf: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None
    """Writes the weights of the best validation to disk, and gives them as they lie there; None: they stay in memory."""

    def remember(self, score: float, loss: float) -> bool:
        """Take note of a validation; True when it is the best so far. Among equal scores the lower loss is better.

        score: as `Task.goodness` has it, so that higher is better.
        """
        better = (score, -loss) > (self.best_score, -self.best_loss)
        if better:
            self.best_step, self.best_score, self.best_loss = self.step, score, loss
            self.validations_since_best = 0
            self.best = {}  # its memory is free before the next ones take theirs
            if self.shelf is None:
                self.best = self.weights.save(moments=False)
            else:
                self.best = self.shelf(self.weights.save(moments=False, lent=True))
        else:
            self.validations_since_best += 1
        return better

    def restore_best(self) -> None:
        """Go back to the weights of the best validation. Where they lie on disk, nothing trains on from here: the memory that
        AdamW's moments took is theirs."""
        if self.best and self.shelf is not None:
            self.weights.forget_moments()
        if self.best:
            self.weights.load(self.best)

    def save(self) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Any]]:
        """All that training needs to go on from here: (weights with their moments, weights of the best validation, numbers).

        To be written before the next step, which changes the tensors.
        """
        numbers = {name: getattr(self, name) for name in NUMBERS}
        return (
            self.weights.save(lent=True),
            self.best,
            {
                **numbers,
                "steps": {str(k): n for k, n in self.weights.steps.items()},
                "moving": sorted(self.weights.moving),
            },
        )

    def load(self, now: Mapping[str, Tensor], best: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Become what was saved."""
        self.weights.load(now, {int(rung): count for rung, count in numbers["steps"].items()})
        self.weights.moving = set(numbers["moving"])
        self.best = dict(best)
        for name in NUMBERS:
            setattr(self, name, numbers[name])
