"""What it takes to measure what was forgotten, and to look for the model that forgot least."""

from collections.abc import Callable

from luthier.batches.examples import Examples
from luthier.candidates.keeping.panel import LOOKS, LOOKS_AT_GENERAL, knowledge_of, panel_of
from luthier.candidates.keeping.sweep import looks_after_training
from luthier.prepare.prepare import Prepared

Seconds = Callable[[Examples], float]


def keeping_seconds(ready: Prepared, reading: Seconds, answers: Seconds) -> dict[str, float]:
    """Seconds by step: `train` looks at the base before, and tries models afterwards; `score` looks at what is kept.

    reading: seconds of one pass over some rows.  answers: those of a model's answers to them.
    """
    if ready.plan.train.keep == "off":
        return {"train": 0.0, "score": 0.0}
    panel = panel_of(ready, knowledge_of(ready))
    valid, texts = reading(panel.valid), 0.0 if panel.texts is None else reading(panel.texts)
    before, tried = valid + texts, looks_after_training(ready.plan.train, ready.rows.task)
    whole = (LOOKS * valid + LOOKS_AT_GENERAL * texts) - before
    return {"train": before + tried * (answers(ready.examples["valid"]) + valid), "score": whole}


def keeping_bytes(ready: Prepared) -> int:
    """Bytes of the base's weights and of the tuned ones, which are held while models between them are tried."""
    if not looks_after_training(ready.plan.train, ready.rows.task):
        return 0
    return 2 * sum(4 * weight.numel() for weight in ready.model.parameters())
