"""What `luthier plan` tells: the resolved plan, what trains, how long and how large, with nothing trained or written."""

import time
from typing import Any

from luthier.candidates import CANDIDATES
from luthier.forecast.forecast import forecast
from luthier.plan.plan import Plan, flag
from luthier.prepare.data_files import read_files
from luthier.prepare.prepare import prepare
from luthier.steps.foresee_named import foresee_named
from luthier.steps.statements import statements
from luthier.steps.warm_up import warm_up_of


def foresee(plan: Plan) -> dict[str, Any]:
    """What `tune` would do with a plan, as JSON: nothing is trained, nothing is written. Raises InputError as `tune` does."""
    if plan.data.label_names:
        return foresee_named(plan)
    begin = time.monotonic()
    if plan.data.warm_up is not None:
        read_files(warm_up_of(plan))
    ready = prepare(plan)
    folder = ready.place.folder()
    found = forecast(ready, time.monotonic() - begin, spend=True)
    assert found is not None, "it is asked for in full"
    train = ready.examples["train"]
    notes = statements(ready)
    if found.recomputes:
        notes.append(
            "What blocks have computed is computed again on the way back, as it would not all fit into memory."
        )
    if plan.data.warm_up is not None:
        notes.append(
            f"Before that {plan.data.warm_up} is learnt from: `luthier plan {plan.data.warm_up}` foretells it."
        )
    if folder.finished:
        notes.append(
            f"{ready.place.out} holds the finished run of this plan, data and model: nothing is left to do."
        )
    named = {id(weight): weight.numel() for weight in ready.model.parameters()}
    outline = found.outline
    return {
        "plan": ready.plan.settings(),
        "guesses": [
            {"key": one.key, "value": one.value, "why": one.why, "flag": flag(one.key), "words": str(one)}
            for one in ready.resolved.guesses
        ],
        "notes": notes,
        "candidates": [{"name": one.name, "why_not": one.why_not(ready)} for one in CANDIDATES.values()],
        "rows": ready.rows.split.sizes(),
        "understood": ready.rows.understanding.to_json(),
        "out": str(ready.place.out),
        "rungs": list(found.rungs),
        "parameters": {
            "total": sum(rung["parameters"] for rung in found.rungs) + found.idle or sum(named.values()),
            "trained": sum(rung["trained"] for rung in found.rungs),
        },
        "note": found.note,
        "steps": 0 if outline is None else outline.steps,
        "epochs": ready.plan.train.epochs if outline is not None else 0,
        "validations": 0 if outline is None else outline.validations,
        "tokens_per_epoch": train.amount,
        "forecast": found.to_json(),
    }
