"""What is wrong with a row that should be a conversation, so that it is left out and counted."""

NO_MESSAGES = "no messages"
NO_ANSWER = "no answer"
EQUAL = "chosen equal to rejected"
UNKNOWN_SPEAKER = "a speaker that is not known"
NO_TEXT = "a part that is no text"
UNREADABLE = "a turn that cannot be read"
NO_COMMON_PROMPT = "no prompt that both answers share"
NO_JUDGEMENT = "no judgement"
SECOND_SYSTEM = "a second system prompt"
"""Reasons for which rows are left out, in words that follow "rows with"."""


class Fault(Exception):
    """A row that is no conversation to learn from: why, in one of the words above, and what exactly was found."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason
