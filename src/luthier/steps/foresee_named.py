"""What `luthier plan` tells where labels are named and nothing is learnt: rows are read, which is timed on a few of them."""

import time
from typing import Any

import numpy as np

from luthier.batches.examples import Examples
from luthier.candidates import CANDIDATES
from luthier.candidates.zero_shot import NAMES, compared
from luthier.machine import peak_bytes
from luthier.plan.plan import Plan, flag
from luthier.predict import logits_of
from luthier.prepare.named import prepare_named
from luthier.prepare.prepare import Prepared
from luthier.steps.named import MOST_READ, NAME
from luthier.steps.statements import statements

TRIED = 16
"""Rows that are read to see how long that takes."""


def foresee_named(plan: Plan) -> dict[str, Any]:
    """What `tune` would do with a plan that names labels, as JSON: nothing is written. Raises InputError as `tune` does."""
    begin = time.monotonic()
    ready = prepare_named(plan)
    preparing = time.monotonic() - begin
    folder, notes = ready.place.folder(), statements(ready)
    if folder.finished:
        notes.append(
            f"{ready.place.out} holds the finished run of this plan, data and model: nothing is left to do."
        )
    seconds = {"prepare": preparing, "features": reading_seconds(ready, features_read(ready))}
    seconds["score"] = reading_seconds(ready, [ready.examples["test"]])
    total, rows = sum(seconds.values()), "there is no row to learn from"
    beside = [
        NAME,
        *(one.name for one in CANDIDATES.values() if one.beside_judged == "answers" and tested_rows(ready)),
    ]
    weights = sum(weight.numel() for weight in ready.model.parameters())
    return {
        "plan": ready.plan.settings(),
        "guesses": [
            {"key": one.key, "value": one.value, "why": one.why, "flag": flag(one.key), "words": str(one)}
            for one in ready.resolved.guesses
        ],
        "notes": notes,
        "candidates": [
            {"name": name, "why_not": one.why_not(ready) or ("" if name in beside else rows)}
            for name, one in CANDIDATES.items()
        ],
        "rows": ready.rows.split.sizes(),
        "understood": ready.rows.understanding.to_json(),
        "out": str(ready.place.out),
        "rungs": [],
        "parameters": {"total": weights, "trained": 0},
        "note": None,
        "steps": 0,
        "epochs": 0,
        "validations": 0,
        "tokens_per_epoch": 0,
        "forecast": {
            "seconds": round(total, 2),
            "seconds_if_busy": round(total, 2),
            "others": 0.0,
            "peak_bytes": peak_bytes(),
            "seconds_of": {name: round(value, 3) for name, value in seconds.items()},
            "bytes_of": {},
        },
    }


def tested_rows(ready: Prepared) -> bool:
    return len(ready.examples["test"]) > 0


def features_read(ready: Prepared) -> list[Examples]:
    """The texts that are read before an answer is given: words of labels, and some of the rows without labels."""
    found = [compared(ready, ())[NAMES]]
    if ready.unlabelled is not None:
        free = ready.unlabelled.examples
        found.append(free.select(np.arange(min(MOST_READ, len(free)))))
    return found


def reading_seconds(ready: Prepared, several: list[Examples]) -> float:
    """Seconds in which the model reads some texts, by the time that a few of them take."""
    seconds = 0.0
    for examples in several:
        few = examples.select(np.arange(min(TRIED, len(examples))))
        if not len(few):
            continue
        begin = time.perf_counter()
        with ready.masters.reporting():
            logits_of(ready.model, few, ready.device)
        seconds += (time.perf_counter() - begin) * examples.amount / max(1.0, few.amount)
    return seconds
