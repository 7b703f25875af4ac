"""Two texts, each read by itself, to one number a row."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional

from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel, new_head
from luthier.models.heads.head import Head, Saved, Wanted
from luthier.models.heads.sentence_encoder import load_encoder, vectors_of, width_of
from luthier.models.heads.sentence_modules import inner, write_sentence_modules, write_what_it_is
from luthier.models.hub.inspect import Folder
from luthier.models.readers.images import Preparation
from luthier.models.readers.texts import Texts
from luthier.models.readers.write_tokenizer import write_tokenizer


class BiEncoder(HeadedModel):
    """The two texts of a row become a vector each; the head makes a number of their cosine.

    Reimers and Gurevych 2019, "Sentence-BERT", arXiv:1908.10084, section 3, with a line through the cosine, so that a number
    comes in any unit.
    """

    def __init__(
        self, body: nn.Module, pooling: str, dense: nn.Sequential, normalised: bool, head: nn.Sequential
    ) -> None:
        super().__init__(body, head)
        self.pooling = pooling
        self.dense = dense
        """The linear layers that the folder has between the pooled states and the vector, if any (models/heads/dense.py)."""
        self.normalised = normalised
        """Whether vectors are brought to length 1, as the folder declares it."""

    @property
    def width(self) -> int:
        return 2 * width_of(self.dense, self.state_width)

    @property
    def read_width(self) -> int:
        return 1

    def features(self, batch: Batch) -> Tensor:
        """(rows, width): the vectors of both texts, one after the other."""
        self.tell(batch)
        assert self.pooling is not None, "a bi-encoder pools"
        vectors = vectors_of(batch, self.body, self.pooling, self.dense, self.normalised)
        return vectors.reshape(len(batch.rows), -1)

    def forward(self, batch: Batch) -> Tensor:
        """(rows, 1)"""
        one, other = self.features(batch).chunk(2, dim=1)
        found: Tensor = self.head(functional.cosine_similarity(one, other, dim=1)[:, None])
        return found


def load_bi_encoder(folder: Folder, pooling: str = "auto", body_dropout: float | None = None) -> BiEncoder:
    """The encoder of a folder under a head that gives the cosine as it is."""
    encoder = load_encoder(folder, pooling, body_dropout)
    assert encoder.pooling is not None, "a sentence encoder pools"
    head = new_head(1, (), 1, 0.0)
    nn.init.ones_(head[1].weight)  # type: ignore[arg-type]
    return BiEncoder(encoder.body, encoder.pooling, encoder.head, encoder.normalised, head)


@dataclass(frozen=True)
class CosineHead(Head[BiEncoder, Texts]):
    """A number for two texts, by a line through the cosine of their vectors: what makes the vectors is saved as modules of
    sentence-transformers, where the line has no place. `Task.finished` keeps it in luthier.json."""

    start: ClassVar[str] = "probe"
    """A cosine means nothing without the line through it."""
    untrained: ClassVar[str] = "cosine"

    def build(self, folder: Folder, wanted: Wanted, preparation: Preparation | None) -> BiEncoder:
        return load_bi_encoder(folder, wanted.pooling, wanted.body_dropout)

    def reopen(self, folder: Folder, saved: Saved, preparation: Preparation | None) -> BiEncoder:
        return load_bi_encoder(folder)

    def save(
        self, folder: Path, model: BiEncoder, head: nn.Sequential, reader: Texts, settings: dict[str, Any]
    ) -> None:
        write_sentence_modules(folder, inner(model.body), model, model.dense, model.normalised, reader)
        write_what_it_is(folder, model.state_width, settings)
        write_tokenizer(folder / inner(model.body), reader, reader.limit, lower_case=False)

    def saved_weights(self, model: BiEncoder, head: nn.Sequential) -> nn.Module:
        return nn.ModuleList([model.body, model.dense])
