"""How one talks to a language model: what it reads of the turns so far, and how it writes the next one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from luthier.batches.conversations import Turn
from luthier.batches.sequences import Writer


@dataclass(frozen=True)
class Speaker:
    """A language model as one who talks to it meets it."""

    prompt: Callable[[Sequence[Turn]], list[int]]
    """The token numbers that the answer to some turns follows."""
    writer: Writer
    """How an answer is written."""
    limit: int
    """The most tokens that the model reads and writes together."""
    lead: str
    """What the template puts before each answer: it is no part of what is said, but of what is written."""
    words: str
    """A sentence on what the model sees of what is said to it."""
