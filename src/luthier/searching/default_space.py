"""What is searched where nothing was named: what matters most for the task, around what the recipe says."""

from luthier.errors import PlanError
from luthier.plan.method import Auto, FewShot, Probe, parse_method
from luthier.prepare.prepare import Prepared
from luthier.prepare.resolve import tuned_by_steps
from luthier.searching.space import Choices, Dimension, Range, Space

REACH = 6.0
"""The learning rate is searched from the recipe's by this factor either way."""
NOTHING_USUAL = {
    Probe: ("the probe is solved for exactly", "choose --method full"),
    FewShot: ("few-shot learns a fixed number of steps", "choose --method full"),
    Auto: (
        "with data.validation 'crossed' no layers are tuned that need rows to stop by",
        "leave --validation out",
    ),
}
"""By the method: why there is nothing to search that everybody would, and what else to do."""


def default_space(ready: Prepared) -> Space:
    """Learning rate, rows per step and epochs, but for those that the plan names.

    Raises PlanError where the method leaves nothing to search.
    """
    if not tuned_by_steps(ready.plan, ready.rows):
        why, otherwise = NOTHING_USUAL[type(parse_method(ready.plan.train.method))]
        raise PlanError(
            f"--vary: {why}, so there is nothing usual to search. Name what to vary, as in --vary model.name=a,b, or {otherwise}."
        )
    settled = {one.key for one in ready.resolved.guesses}
    train = ready.plan.train
    found: list[Dimension] = []
    if "train.lr" in settled and isinstance(train.lr, float):
        found.append(Range("train.lr", rounded(train.lr / REACH), rounded(train.lr * REACH), log=True))
    if "train.batch_rows" in settled and train.batch_rows is not None:
        rows = [max(1, train.batch_rows // 2), train.batch_rows, 2 * train.batch_rows]
        found.append(Choices("train.batch_rows", tuple(dict.fromkeys(rows))))
    if "train.epochs" in settled and train.epochs is not None:
        epochs = [max(1.0, round(train.epochs / 2)), train.epochs, 2 * train.epochs]
        found.append(Choices("train.epochs", tuple(dict.fromkeys(epochs))))
    if not found:
        raise PlanError(
            "--vary: learning rate, rows per step and epochs are all given, and nothing else is named to search."
        )
    return Space(tuple(found))


def rounded(value: float) -> float:
    """A number rounded to two digits, as people write it."""
    return float(f"{value:.1e}")
