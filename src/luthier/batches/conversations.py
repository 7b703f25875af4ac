"""Rows of language models: conversations, and answers that are preferred to others."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Turn = Mapping[str, Any]
"""One message as chat templates take it: `role` and `content`, and of tools `tool_calls`, `tool_call_id` or `name`."""
ASSISTANT = "assistant"
"""The role of the turns that a model is to write."""
WEIGHT = "weight"
"""The key of a turn that is 0 where it is read and not learnt."""


@dataclass(frozen=True)
class Conversation:
    """Turns, and the tools that the assistant may call in them."""

    turns: tuple[Turn, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    """Descriptions of the tools as JSON schemas, as chat templates take them."""

    @property
    def prompt(self) -> "Conversation":
        """The conversation without the assistant's turn that it ends with: what the model sees when it is to answer."""
        answered = bool(self.turns) and self.turns[-1]["role"] == ASSISTANT
        return replace(self, turns=self.turns[:-1]) if answered else self

    @property
    def answered(self) -> "Conversation":
        """The conversation up to the assistant's last turn, as nobody answers what follows it; as it is where there is none."""
        at = [number for number, turn in enumerate(self.turns) if turn["role"] == ASSISTANT]
        return replace(self, turns=self.turns[: at[-1] + 1]) if at else self

    @property
    def answer(self) -> str | None:
        """The text of the assistant's turn that the conversation ends with; None where it ends with another's."""
        if not self.turns or self.turns[-1]["role"] != ASSISTANT:
            return None
        content = self.turns[-1].get("content")
        return content if isinstance(content, str) else ""

    def with_turns(self, *turns: Turn) -> "Conversation":
        """The conversation with some turns more at its end."""
        return replace(self, turns=(*self.turns, *turns))


@dataclass(frozen=True)
class Preference:
    """Two answers to one prompt, of which one is preferred."""

    prompt: Conversation
    chosen: tuple[Turn, ...]
    rejected: tuple[Turn, ...]


@dataclass(frozen=True)
class Judged:
    """An answer to a prompt that was found good or bad, as KTO learns from (Ethayarajh et al. 2024, arXiv:2402.01306)."""

    prompt: Conversation
    answer: tuple[Turn, ...]
    good: bool
