"""How a model answers that has learnt nothing of the task."""

from dataclasses import dataclass

from luthier.arrays import Array
from luthier.tasks.outputs import Logits


@dataclass(frozen=True)
class Seen:
    """What the pre-trained model gives for some rows, and for what they are compared with: features, (n, width) each."""

    rows: Array
    """The features of the rows themselves."""
    known: Array
    """The features of the validation rows, which say what is near."""
    prompts: Array | None = None
    """The features of the texts that the task names."""
    sides: tuple[Array, Array] | None = None
    """The features of the two texts of each row, each read by itself."""
    known_sides: tuple[Array, Array] | None = None
    """The features of the two texts of each validation row."""


class ZeroShot:
    """How a model answers that has learnt nothing of the task: by comparing what it makes of texts, or as it is."""

    prompts: tuple[str, ...] = ()
    """Texts that rows are compared with."""
    compares: bool = False
    """Whether the nearness of the two texts of a row says something by itself."""
    as_it_is: bool = False
    """Whether what the model gives is an answer already, so that it may be kept where learning makes it no better."""

    def outputs(self, seen: Seen) -> Logits | None:
        """(units, outputs) logits; None where what was seen does not tell them."""
        return None


class AsItIs(ZeroShot):
    """The model's own outputs are answers."""

    as_it_is = True
