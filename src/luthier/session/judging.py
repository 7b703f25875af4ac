"""Judging a model that was tuned elsewhere, with its progress shown."""

from pathlib import Path

from luthier.plan.plan import Plan
from luthier.prepare.judged import Request
from luthier.session.out import refuse_unwritable
from luthier.session.shown import shown
from luthier.steps.judge import judge


def judge_model(plan: Plan, request: Request, quiet: bool = False) -> Path:
    """Judge a plan's model on its data, showing progress; the folder with the verdict. Raises as `judge` does."""
    refuse_unwritable(plan.run.out)
    return shown(lambda stop: judge(plan, request, stop), quiet)
