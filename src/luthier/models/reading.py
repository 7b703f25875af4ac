"""How the rows of each task become examples, by what they are made of. A new form is a function and a row here."""

from collections.abc import Callable, Sequence
from typing import Any

from luthier.batches.examples import Examples
from luthier.models.texts import Array, Long, Texts
from luthier.models.words import read_words

Reading = Callable[[Texts, Sequence[Any], Array, str], tuple[Examples, Long]]
"""Of some rows with their targets, and the way with what is longer than the model reads: `cut`, `windows` or `refuse`."""


def read_texts(texts: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
    """A text a row, or a pair of texts."""
    return texts.examples(rows, targets, way)


READERS: dict[str, Reading] = {"text": read_texts, "pair": read_texts, "words": read_words}
"""By a task's `reads`."""
