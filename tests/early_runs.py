"""Short runs of every task on tiny models, before anything was computed."""

from pathlib import Path
from typing import Any

from luthier.candidates.run import Mode, Run, Watch
from luthier.plan.plan import Plan
from luthier.prepare.prepare import prepare
from test_contract import CASES


def run_of(plan: Plan) -> Run:
    """A run on its way, before anything was computed."""
    ready = prepare(plan)
    folder = ready.place.folder()
    run = Run(ready, folder, folder, Watch(lambda: 0.0), Mode())
    folder.begin({})
    return run


def small(task: str, path: Path, **changed: Any) -> Plan:
    """A short run of a task on a tiny model."""
    case = CASES[task]
    places = {"data.path": str(case.data(path)), "model.name": str(case.model(path / "model"))}
    quick = {"run.out": str(path / "run"), "run.precision": "fp32", "run.threads": 1, "train.epochs": 1}
    return Plan.build(places | quick | case.settings | {"epochs": 1} | changed)
