"""Two texts, each read by itself, to one number a row."""

from torch import Tensor, nn
from torch.nn import functional

from luthier.batches.examples import Batch
from luthier.models.headed import HeadedModel
from luthier.models.heads.sentence_encoder import vectors_of, width_of


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
