"""What the pre-trained model says before it has learnt anything: texts compared with labels' names, or with each other."""

import numpy as np

from luthier.batches.examples import Examples
from luthier.forms import FORMS
from luthier.models.headed import HeadedModel
from luthier.models.heads.classifier import encoder_of
from luthier.models.readers.texts import Texts
from luthier.prepare.prepare import Prepared
from luthier.tasks.task import Array, Task

NAMES = "labels"
"""The key of the features of labels' names."""


def compared(ready: Prepared, parts: tuple[str, ...]) -> dict[str, Examples]:
    """Texts whose features are compared, beside those of the rows themselves, by the key of their features."""
    task, texts = ready.rows.task, ready.reader
    if not isinstance(texts, Texts):
        return {}
    found: dict[str, Examples] = {}
    if task.prompts:
        found[NAMES] = texts.examples(task.prompts, blank(len(task.prompts)))[0]
    if task.compares and ready.folder.pooling is not None:
        for part in parts:
            pairs = ready.rows.inputs(getattr(ready.rows.split, part))
            for side in (0, 1):
                found[key(part, side)] = texts.examples([pair[side] for pair in pairs], blank(len(pairs)))[0]
    return found


def key(part: str, side: int) -> str:
    return f"{part}, text {side + 1}"


def blank(rows: int) -> Array:
    """Targets of rows from which nothing is learnt."""
    return np.zeros(rows, np.int64)


def reader_of(ready: Prepared, name: str) -> HeadedModel:
    """The model that reads some features: of single texts out of pairs, the body alone, pooled as its folder declares."""
    if ", text " in name and ready.folder.pooling is not None:
        return encoder_of(ready.model, ready.folder.pooling)
    return ready.model


def zero_shot_logits(ready: Prepared, features: dict[str, Array], part: str) -> Array | None:
    """(rows, outputs); None where nothing can be said without learning."""
    task = ready.rows.task
    if NAMES in features:
        return task.zero_shot_logits(features[part], features[NAMES])
    own, known = (both_texts(task, features, one) for one in (part, "valid"))
    return None if own is None or known is None else task.likeness_logits(own, known)


def both_texts(task: Task, features: dict[str, Array], part: str) -> tuple[Array, Array] | None:
    """(rows, width) of the first texts of a part's rows, and of the second; None where a row is one text."""
    if FORMS[task.reads].side_by_side:
        one, other = np.split(features[part], 2, axis=1)
        return one, other
    if key(part, 0) in features:
        return features[key(part, 0)], features[key(part, 1)]
    return None
