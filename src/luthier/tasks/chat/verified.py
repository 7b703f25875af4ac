"""Written answers that a program can check."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luthier.batches.conversations import ASSISTANT, Conversation
from luthier.batches.examples import Examples
from luthier.batches.sequences import Sequences
from luthier.devices import Device
from luthier.forms.conversation_form import ConversationForm
from luthier.forms.form import Form
from luthier.models.generation import Decoding, write
from luthier.models.headed import HeadedModel
from luthier.models.heads.language_model import LanguageModel
from luthier.scores.verifiers import verifier
from luthier.tasks.checkable import Checkable, Sampled
from luthier.tasks.writing import Writing


@dataclass(frozen=True)
class Verified(Checkable):
    """Answers are written by chance, and checked by one of `VERIFIERS`."""

    name: str
    """A key of `scores.verifiers.VERIFIERS`."""
    pattern: str | None
    most: int | None
    """Tokens of an answer at the most; None: as the model's folder says."""

    def drawn(self, model: HeadedModel, examples: Examples, how: Sampled, device: Device) -> list[list[str]]:
        assert isinstance(model, LanguageModel), "a language model answers"
        assert isinstance(examples, Sequences), "conversations are sequences"
        writer = examples.writer
        assert writer is not None, "answers are to be written"
        prompts = [examples.prompt(row).tolist() for row in range(len(examples))]
        decoding = Decoding(
            frozenset(writer.end),
            self.most or writer.most,
            how.temperature,
            seed=how.seed,
            samples=how.answers,
        )
        with model.writing() as body:
            found = write(body, prompts, decoding, device.torch)
        # One that was cut off at its length is no answer, whatever stands in it.
        texts = [writer.spell(one.ids) if one.finish == "stop" else "" for one in found]
        return [texts[at : at + how.answers] for at in range(0, len(texts), how.answers)]

    def writing(self, examples: Examples) -> Writing:
        assert isinstance(examples, Sequences), "conversations are sequences"
        assert examples.writer is not None, "answers are to be written"
        rows = np.arange(len(examples))
        prompts = tuple(tuple(examples.prompt(row).tolist()) for row in rows.tolist())
        writer = examples.writer
        return Writing(prompts, examples.answers(rows), self.most or writer.most, frozenset(writer.end))

    def passes(self, answer: str, right: Any) -> bool:
        return bool(answer) and verifier(self.name, self.pattern)(answer, str(right))

    def form(self, form: Form) -> Form:
        """Earlier turns of the assistant are the data's, and not learnt either."""
        assert isinstance(form, ConversationForm), "a chat task's rows are conversations"
        return replace(form, turns="last")

    def answered(self, row: Conversation, answer: str) -> Conversation:
        return replace(row.prompt, turns=(*row.prompt.turns, {"role": ASSISTANT, "content": answer}))
