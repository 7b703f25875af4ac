"""`luthier chat`: a conversation with a tuned language model, token by token."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from luthier.batches.conversations import ASSISTANT, Turn
from luthier.errors import DataError, InputError, PlanError
from luthier.folder.model_folder import ModelFolder
from luthier.models.generation import Decoding, Dialogue

CUT_SHORT = "interrupted"
"""How an answer ended that somebody asked to stop."""
NEW = "/new"
"""What is said to begin another conversation."""
HALF = "\ufffd"
"""What stands for a letter of which only some bytes are there yet."""


@dataclass(frozen=True)
class Said:
    """What the model said in a turn."""

    text: str
    finish: str
    """`stop` where the model ended the turn, `length` where its length did, `interrupted` where somebody asked to stop."""
    tokens: int

    def to_json(self) -> dict[str, Any]:
        return {"text": self.text, "finish": self.finish, "tokens": self.tokens}


class Talk:
    """A conversation with the model of a run. Weights are loaded for the first answer, and what was read is not read again."""

    def __init__(self, folder: ModelFolder, most: int | None = None) -> None:
        """most: tokens of an answer at the most; as the run has it where it is None.

        Raises PlanError for a model that writes no texts.
        """
        speaker = folder.form.speaker(folder.reader) if folder.task.speaks else None
        if speaker is None:
            raise PlanError(
                f"{folder.path}: was tuned for {folder.kind.name} and writes no texts, so one cannot talk to it. "
                f"`luthier predict {folder.path} FILE` asks it; a run over conversations can be talked to."
            )
        self.folder, self.speaker = folder, speaker
        self.how = Decoding(frozenset(speaker.writer.end), most or speaker.writer.most)
        self.turns: list[Turn] = []
        self.dialogue: Dialogue | None = None

    def about(self) -> str:
        """Which model it is, and what it sees."""
        origin = self.folder.folder.origin
        comes = "" if origin is None else f"; {origin.words()}"
        return (
            f"{self.folder.model_record.base}, {how_made(self.folder)}{comes}. {self.speaker.words} "
            f"An answer has {self.how.most:,} tokens at the most."
        )

    def begin_anew(self) -> None:
        """Forget what was said."""
        self.turns = []

    def answer(self, text: str, stop: Callable[[], bool] = lambda: False) -> Generator[str, None, Said]:
        """Say something, and yield the answer piece by piece; return it whole.

        An answer that somebody asked to stop counts as said. Raises DataError, and takes nothing as said, where the template
        refuses the turn or the conversation is longer than the model reads.
        """
        turns: list[Turn] = [*self.turns, {"role": "user", "content": text}]
        prompt = self.speaker.prompt(turns)
        if len(prompt) >= self.speaker.limit:
            raise DataError(
                f"The conversation has {len(prompt):,} tokens, and the model reads and writes {self.speaker.limit:,} together: "
                f"there is no room for an answer. Begin another conversation with {NEW}."
            )
        dialogue = self.opened()
        ids: list[int] = []
        shown, finish = "", ""
        for token in dialogue.stream(prompt, self.how):
            ids.append(token)
            said = self.speaker.writer.spell(ids)
            if not said.endswith(HALF) and not self.speaker.lead.startswith(said):
                yield said[len(shown) :]
                shown = said
            if stop():
                finish = CUT_SHORT
                break
        said = self.speaker.writer.spell(ids)
        if len(said) > len(shown):
            yield said[len(shown) :]
        self.turns = [*turns, {"role": ASSISTANT, "content": said}]
        return Said(said, finish or dialogue.finish, len(ids))

    def opened(self) -> Dialogue:
        """The model, loaded at the first answer."""
        if self.dialogue is None:
            device = self.folder.device
            self.dialogue = Dialogue(self.folder.model.to(device.torch).body, device.torch)
        return self.dialogue


def how_made(folder: ModelFolder) -> str:
    """How a model was made of its base: by which candidate and, where its run is still there, by which method."""
    made = f"{folder.model_record.method} for {folder.kind.name}"
    try:
        method = folder.scorecard.card.method
    except InputError:  # the model's folder may be all that is left of a run
        return made
    return made if method in (None, "auto") else f"{made} ({method})"
