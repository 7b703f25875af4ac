"""Everything that changes during training, in one object."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from luthier.models.classifier import Classifier


@dataclass
class State:
    """Weights, optimizer, position, best so far."""

    model: Classifier
    optimizer: torch.optim.AdamW
    step: int = 0
    """Optimizer steps taken."""
    best_step: int = 0
    best_score: float = float("-inf")
    best_loss: float = float("inf")
    validations_since_best: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def remember(self, score: float, loss: float) -> bool:
        """Take note of a validation; True when it is the best so far. Among equal scores the lower loss is better."""
        better = (score, -loss) > (self.best_score, -self.best_loss)
        if better:
            self.best_step, self.best_score, self.best_loss = self.step, score, loss
            self.validations_since_best = 0
            self.best_weights = {
                name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()
            }
        else:
            self.validations_since_best += 1
        return better

    def restore_best(self) -> None:
        """Go back to the weights of the best validation."""
        if self.best_weights:
            self.model.load_state_dict(self.best_weights)


def new_state(model: Classifier, lr: float, weight_decay: float) -> State:
    """AdamW over all weights; norms, biases and other vectors are not decayed (Devlin et al. 2019, arXiv:1810.04805)."""
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return State(model, torch.optim.AdamW(groups, lr=lr, fused=True))
