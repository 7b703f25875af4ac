"""What is written to rows while they are answered: what a forecast counts, and times a little of."""

from dataclasses import dataclass

from luthier.arrays import Ints


@dataclass(frozen=True)
class Writing:
    """The prompts that answers are written to, and how long these may become."""

    prompts: tuple[tuple[int, ...], ...]
    usual: Ints
    """(prompts,) tokens of the right answer, the one that ends it among them."""
    most: int
    """Tokens of an answer at the most."""
    end: frozenset[int]
    """The tokens that end an answer."""
