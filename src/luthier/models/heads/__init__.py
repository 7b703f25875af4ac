"""What a head can answer for, by the name that a task gives it. A new head is a file and a row here."""

from typing import Any

from luthier.models.heads.bi_encoder import CosineHead
from luthier.models.heads.classifier import RowHead
from luthier.models.heads.head import Head
from luthier.models.heads.image_encoder import ImageEncoderHead
from luthier.models.heads.image_model import ImageHead
from luthier.models.heads.language_model import LanguageHead
from luthier.models.heads.masked_model import MaskedHead
from luthier.models.heads.reward_model import RewardHead
from luthier.models.heads.sentence_encoder import VectorHead
from luthier.models.heads.token_model import SPANS, TAGS

HEADS: dict[str, Head[Any, Any]] = {
    "row": RowHead(),
    "image": ImageHead(),
    "tags": TAGS,
    "spans": SPANS,
    "vector": VectorHead(),
    "cosine": CosineHead(),
    "language": LanguageHead(),
    "score": RewardHead(),
    "masked": MaskedHead(),
    "pixels": ImageEncoderHead(),
}
"""By a task's `head`. Each takes the models that it built or opened itself, and the reader of their folder."""
