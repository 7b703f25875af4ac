"""What every head must have: how a model with it is built, opened again and saved. What a model is built from."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import nn

from luthier import seeds
from luthier.models.headed import HeadedModel, new_head
from luthier.models.heads.dense import linears_of
from luthier.models.hub.inspect import Folder
from luthier.models.knowledge import Knowledge, Neighbours
from luthier.models.readers.images import Preparation

ModelT = TypeVar("ModelT", bound=HeadedModel)
ReaderT = TypeVar("ReaderT")


@dataclass(frozen=True)
class Wanted:
    """The model that is wanted on top of a folder's body."""

    outputs: int
    """Numbers that the head gives."""
    head: str = "row"
    """What the head answers for: a key of `models.heads.HEADS`."""
    own_pooling: bool = False
    """With pooling "auto", of several texts in one part: only the architecture's own class knows what stands for them."""
    pooling: str = "auto"
    hidden: tuple[int, ...] = ()
    """Widths of the layers between the features and the last one."""
    dropout: float = 0.1
    """Probability of dropout in the head."""
    body_dropout: float | None = None
    """Probability of every dropout in the body; None leaves what the model declares."""
    seed: int = 0

    def new_head(self, width: int) -> nn.Sequential:
        torch.manual_seed(seeds.derive(self.seed, "head"))
        return new_head(width, self.hidden, self.outputs, self.dropout)


@dataclass(frozen=True)
class Saved:
    """What luthier.json says of a model that was saved, for it to be opened again."""

    head: str
    """What the head answers for: a key of `models.heads.HEADS`."""
    outputs: int
    """Numbers that the head gives."""
    pooling: str | None
    """None: the architecture's own class does it, or every token answers."""
    hidden: tuple[int, ...]
    """Widths of the layers between the features and the last one."""


class Head(ABC, Generic[ModelT, ReaderT]):
    """One way to answer: which model gives such answers, and in which library's format it stands on disk.

    ModelT is the class of its models, ReaderT that of the tokenizer or image processor that is saved beside them.
    """

    start: ClassVar[str] = "shrunk"
    """Where the head starts if nobody says so, of a task that is probed: a value of `train.head`."""
    writes: ClassVar[bool] = False
    """Whether its models are language models, tuned as such."""
    new: ClassVar[bool] = True
    """Whether its models begin with layers above the body that no pre-training has seen."""
    reads_features: ClassVar[bool] = False
    """Whether what its layers read is the features of a row, which can be compared with those of the base."""
    untrained: ClassVar[str] = "row"
    """The key in `HEADS` of the model whose features stand for whole rows where no layer is trained, as in `luthier check`."""

    @abstractmethod
    def build(self, folder: Folder, wanted: Wanted, preparation: Preparation | None) -> ModelT:
        """The pre-trained body of a folder under a new head. preparation: how a model of images wants them.

        Raises ModelError where the folder holds no such model.
        """

    @abstractmethod
    def reopen(self, folder: Folder, saved: Saved, preparation: Preparation | None) -> ModelT:
        """A model that `save` wrote, its head included. Raises ModelError where the head is no longer there."""

    @abstractmethod
    def save(
        self, folder: Path, model: ModelT, head: nn.Sequential, reader: ReaderT, settings: dict[str, Any]
    ) -> None:
        """Write body, head and reader in the format of the library that the body came from.

        head: what stands above the body, in the user's units.  settings: what config.json says of the answers.
        """

    def saved_weights(self, model: ModelT, head: nn.Sequential) -> nn.Module:
        """The modules whose weights `save` writes: a model that is opened again has the same."""
        return nn.ModuleList([model.body, *(layer for layer, _ in linears_of(head))])

    def knowledge(self, folder: Folder, model: ModelT) -> Knowledge:
        """What a model that `build` made of a folder said before it was tuned, by which it is told how much it forgot."""
        return Neighbours()
