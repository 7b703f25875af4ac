"""Adaptation: a causal language model learns every next token of texts (Gururangan et al. 2020, arXiv:2004.10964)."""

from dataclasses import dataclass
from typing import ClassVar

from luthier.batches.examples import Examples
from luthier.batches.sequences import Sequences
from luthier.devices import Device
from luthier.models.headed import HeadedModel
from luthier.models.heads.language_model import LanguageModel
from luthier.tasks.adaptation.reading import Reading
from luthier.tasks.chat.replies import Spoken
from luthier.tasks.chat.task import losses_of, nothing_written


@dataclass(frozen=True)
class Adaptation(Reading):
    """Every token of a text is learnt."""

    reads: ClassVar[str] = "document"  # type: ignore[misc]

    def infer(self, model: HeadedModel, examples: Examples, device: Device) -> Spoken:
        assert isinstance(model, LanguageModel), "a language model reads"
        assert isinstance(examples, Sequences), "texts are sequences"
        return Spoken(*losses_of(model, examples, device), nothing_written())
