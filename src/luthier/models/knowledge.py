"""What a pre-trained model says of inputs before it is tuned, and how far another one has moved from that."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, Protocol, cast

import torch
from torch import Tensor, nn

from luthier.arrays import Array, Floats
from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel, at_least_fp32
from luthier.models.kernels.token_loss import chunks, logits_of
from luthier.scores.divergence import kl_divergence, neighbour_logs

LIKELIEST = 256
"""Tokens whose probabilities are kept apart; all others count as one outcome."""


class Speaks(Protocol):
    """What is asked of a language model."""

    @property
    def output_layer(self) -> nn.Linear: ...

    def states(self, batch: Batch) -> Tensor: ...


class Knowledge(ABC):
    """The outputs of a base that has not been tuned, as distributions in which two bodies can be compared."""

    words: str
    """What the distributions are over, after "in its distribution over"."""
    fewest_rows: ClassVar[int] = 1
    """Rows of which fewer say nothing."""
    most_tokens: ClassVar[int | None] = None
    """The most tokens of rows that are looked at; None: no limit."""
    reads_on: ClassVar[bool] = False
    """Whether the model says how likely a text is, so that general texts tell of it without labels."""

    @property
    def old_head(self) -> nn.Linear | None:
        """The last layer that the base had; None where it had none that gives a distribution."""
        return None

    @abstractmethod
    def of_base(self, model: HeadedModel, batch: Batch) -> dict[str, Tensor]:
        """What the base says of a batch, unit after unit: what is kept of it."""

    @abstractmethod
    def of_other(self, model: HeadedModel, batch: Batch, base: Mapping[str, Tensor]) -> Tensor:
        """What another body says, in the same terms. base: what `of_base` gave for this batch."""

    @abstractmethod
    def divergences(self, base: Mapping[str, Array], other: Array) -> Floats:
        """(units,) KL(base || other) in nats, of all batches one after the other."""

    def general(self, model: HeadedModel, batch: Batch) -> Tensor:
        """(rows, n) what is kept of a batch of general texts: their features."""
        return model.features(batch)


class Neighbours(Knowledge):
    """A body without outputs of its own: which of the other rows is a row's neighbour, by the cosines of their features.

    The model was never trained to give such a distribution. It changes with all that a comparison of vectors would see, and does
    not change where all features are rotated or scaled, which makes no difference to a head (scores/divergence.py has the
    sources).
    """

    words = "which other one of them is nearest by its features"
    fewest_rows = 8  # of two rows each has the other one for its neighbour, whatever a model makes of them

    def of_base(self, model: HeadedModel, batch: Batch) -> dict[str, Tensor]:
        return {"features": model.features(batch)}

    def of_other(self, model: HeadedModel, batch: Batch, base: Mapping[str, Tensor]) -> Tensor:
        return model.features(batch)

    def divergences(self, base: Mapping[str, Array], other: Array) -> Floats:
        return kl_divergence(neighbour_logs(base["features"]), neighbour_logs(other))


class OwnLabels(Knowledge):
    """A classifier: its own labels, by the last layer that its folder has, whatever head has taken its place since."""

    def __init__(self, layer: nn.Linear) -> None:
        self.layer = layer
        self.words = f"the {layer.out_features:,} labels of its own head"

    @property
    def old_head(self) -> nn.Linear:
        return self.layer

    def logs(self, model: HeadedModel, batch: Batch) -> Tensor:
        features = model.features(batch)
        return at_least_fp32(self.layer.to(features.device)(features)).log_softmax(1)

    def of_base(self, model: HeadedModel, batch: Batch) -> dict[str, Tensor]:
        return {"logs": self.logs(model, batch)}

    def of_other(self, model: HeadedModel, batch: Batch, base: Mapping[str, Tensor]) -> Tensor:
        return self.logs(model, batch)

    def divergences(self, base: Mapping[str, Array], other: Array) -> Floats:
        return kl_divergence(base["logs"], other)


class NextTokens(Knowledge):
    """A language model: the next token, wherever one is learnt.

    The base's likeliest tokens are told apart, all others are one outcome: taking outcomes together makes no KL larger (Cover and
    Thomas, "Elements of Information Theory", theorem 2.8.1), and of such a distribution little is left to them.
    """

    words = "the next token"
    most_tokens = 8_192
    reads_on = True

    def of_base(self, model: HeadedModel, batch: Batch) -> dict[str, Tensor]:
        tokens, logs = [], []
        for logits in next_logits(model, batch):
            likeliest = logits.topk(min(LIKELIEST, logits.shape[1]), dim=1).indices
            tokens.append(likeliest)
            logs.append(with_rest(logits, likeliest))
        return {"tokens": torch.cat(tokens).int(), "logs": torch.cat(logs)}

    def of_other(self, model: HeadedModel, batch: Batch, base: Mapping[str, Tensor]) -> Tensor:
        found, tokens, at = [], base["tokens"].long(), 0
        for logits in next_logits(model, batch):
            found.append(with_rest(logits, tokens[at : at + len(logits)].to(logits.device)))
            at += len(logits)
        return torch.cat(found)

    def divergences(self, base: Mapping[str, Array], other: Array) -> Floats:
        return kl_divergence(base["logs"], other)

    def general(self, model: HeadedModel, batch: Batch) -> Tensor:
        """(rows, 2) the surprise at a row's tokens in nats, summed, and their number."""
        packed = batch.packed
        assert packed is not None, "sequences are packed"
        row = batch.part_of[packed.predictions.sequence]
        surprise = -model(batch).double()
        sums = surprise.new_zeros(len(batch.rows)).index_add(0, row, surprise)
        return torch.stack([sums, torch.bincount(row, minlength=len(batch.rows)).double()], 1)


def next_logits(model: HeadedModel, batch: Batch) -> Iterator[Tensor]:
    """(tokens, vocabulary) logits after each place at which a token is learnt, some places at a time."""
    packed, speaks = batch.packed, cast(Speaks, model)
    assert packed is not None, "sequences are packed"
    states, layer = speaks.states(batch), speaks.output_layer
    states = states[packed.predictions.at[packed.predictions.pair]]
    for some in chunks(states, layer.weight):
        yield logits_of(states[some], layer.weight, layer.bias)


def with_rest(logits: Tensor, tokens: Tensor) -> Tensor:
    """(rows, tokens + 1) log-probabilities of some tokens, and of all others together."""
    whole = logits.logsumexp(1, keepdim=True)
    rest = logits.scatter(1, tokens, -torch.inf).logsumexp(1, keepdim=True)
    return torch.cat([logits.gather(1, tokens), rest], 1) - whole
