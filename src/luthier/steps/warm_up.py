"""A warm-up: a run over other rows of the task, which the run that was asked for goes on from."""

from luthier.errors import PlanError
from luthier.plan.plan import Plan
from luthier.prepare.data_files import read_files
from luthier.prepare.task_columns import kind_of
from luthier.tasks import TASKS

OWN = ("data.valid", "data.test", "data.group", "data.warm_up", "run.out")
"""What is said of the rows of one of the two runs, and does not hold for the other."""


def warm_up_of(plan: Plan) -> Plan:
    """The plan of the run that warms up. Raises PlanError where the task does not, or where a budget is to be kept; DataError
    for rows that cannot be read."""
    kind, _ = kind_of(plan, read_files(plan)["train"])
    if not kind.parts.warms_up:
        known = ", ".join(name for name, one in TASKS.items() if one.parts.warms_up)
        raise PlanError(f"data.warm_up: no effect with {kind.name}; only {known} warms up. Leave it out.")
    if plan.run.budget is not None:
        raise PlanError(
            "data.warm_up with run.budget: two runs cannot keep one budget. Tune on the warm-up file by a command of its own, "
            "and go on with --model RUN."
        )
    shared = {key: value for key, value in plan.settings().items() if key not in OWN}
    return Plan.build(shared | {"data.path": plan.data.warm_up})
