"""Judging a model that was tuned elsewhere, with its progress shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.errors import PlanError, listing
from luthier.folder.scorecard import Scorecard
from luthier.plan.asked import ASKED
from luthier.plan.plan import Plan, full_key
from luthier.prepare.judged import Request
from luthier.session.out import refuse_unwritable
from luthier.session.shown import shown
from luthier.steps.judge import judge as judging


@dataclass(frozen=True)
class Judgement:
    """The verdict for a model that was tuned elsewhere."""

    path: Path
    """The folder with its scorecard, predictions and report."""
    scorecard: Scorecard

    @property
    def ship(self) -> bool:
        """Whether the model is better, beyond noise, than doing less."""
        return self.scorecard.ship

    @property
    def words(self) -> str:
        """The verdict as a sentence."""
        return self.scorecard.words

    def __repr__(self) -> str:
        metric = self.scorecard.metric
        return f"Judgement({str(self.path)!r}, {metric} {self.scorecard.test[metric]})"


def judge(
    model: str | Path,
    data: str | Path,
    *,
    train: str | Path | None = None,
    base: str | Path | None = None,
    label_names: Sequence[str] = (),
    quiet: bool = False,
    **settings: Any,
) -> Judgement:
    """The whole verdict for a model that was tuned elsewhere, on every row of a file; nothing is trained but cheap baselines.

    model: a folder of transformers, sentence-transformers or PEFT, a GGUF file, a run, or a name on the hub.  train: file whose
    rows baselines and temperature learn from; without it they are cross-fitted.  base: the model that this one was made of.
    label_names: what the model's outputs are called, in its order. Other keywords are the plan's fields that say something of
    rows that are only asked: `label="topic"`, `task="regression"`, `out="verdict"`. Raises InputError for what cannot be judged,
    before anything is written.
    """
    named = {full_key(key.replace("__", ".")): value for key, value in settings.items()}
    idle = [key for key in named if key not in ASKED]
    if idle:
        raise PlanError(f"{listing(idle)}: no effect on a model that is only asked. Leave it out.")
    plan = Plan.build({**named, "data.path": str(data), "model.name": str(model)})
    learnt, made_of = (None if file is None else str(file) for file in (train, base))
    return judge_model(plan, Request(learnt, made_of, tuple(label_names)), quiet)


def judge_model(plan: Plan, request: Request, quiet: bool = False) -> Judgement:
    """Judge a plan's model on its data, showing progress. Raises as `judge` does."""
    refuse_unwritable(plan.run.out)
    path = shown(lambda stop: judging(plan, request, stop), quiet)
    return Judgement(path, Scorecard.read(path))
