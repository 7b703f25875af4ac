"""Labels that are named with no row to learn from: how names are written, and what cannot be asked for beside them."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from luthier.errors import PlanError

PARTING = ("validation", "valid_share", "test_share", "calibration_share", "split_column")
"""Settings of `data` that say how labelled rows are parted."""
FEWEST = 2
"""Labels to choose between at the least."""


def names_in(value: str) -> list[str]:
    """The names of a comma-separated list; between double quotes a name may have commas, as in CSV.

    >>> names_in('refund, "late, or lost"')
    ['refund', 'late, or lost']

    An empty name is kept, for the plan to refuse. Raises PlanError for a quote that is not closed.
    """
    try:
        parts = next(csv.reader([value], skipinitialspace=True, strict=True), [])
    except csv.Error:
        raise PlanError(
            f"data.label_names: {value!r} has a double quote that does not stand around a whole name. Write names with commas "
            "between them, and a name that has a comma itself between double quotes."
        ) from None
    return [part.strip() for part in parts]


def with_path(given: Any) -> Any:
    """The settings of `data`, with the rows without labels in the place of DATA where labels are named and no DATA is; else with
    the test rows."""
    if not isinstance(given, Mapping) or not given.get("label_names") or given.get("path"):
        return given
    path = given.get("unlabelled") or given.get("test")
    return {**given, "path": path} if path else given


def clashes_of_names(
    data: Any, task: Any, method: str, learning: Sequence[str], pooling_alone: Sequence[str]
) -> Iterator[str]:
    """Sentences on what goes wrong beside names of labels. data, task: the sections of a plan.  learning: settings of training
    that are set.  pooling_alone: settings of the model's head that are set."""
    names = data.label_names
    if not names:
        return
    if len(names) < FEWEST:
        yield f"data.label_names: {names[0]!r} is a single name, and leaves nothing to tell apart. Name two labels or more."
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield f"data.label_names: {', '.join(map(repr, twice))} stands there twice. Name each label once."
    if data.unlabelled is not None and data.path != data.unlabelled:
        yield (
            f"data.label_names with data.path {data.path!r} and data.unlabelled: where labels are named nothing is learnt from "
            "DATA. Leave DATA out, or leave out data.label_names to learn from its labels."
        )
    if data.continues is not None:
        yield "data.continues: no effect with data.label_names, of which nothing is learnt. Leave one of the two out."
    if data.valid is not None:
        yield "data.valid: no effect with data.label_names, as nothing is chosen. Leave it out, or test on it: --test FILE."
    parted = [key for key in PARTING if getattr(data, key) != type(data).model_fields[key].default]
    if parted:
        keys = ", ".join(f"data.{key}" for key in parted)
        yield f"{keys}: no effect with data.label_names, as no rows are parted where none is learnt from. Leave it out."
    if task.labels_per_row == "many":
        yield (
            "data.label_names with task.labels_per_row 'many': names alone do not say how many of them hold. Leave one of the "
            "two out."
        )
    idle = [*learning, *pooling_alone, *(["train.method"] if method != "auto" else [])]
    if idle:
        yield f"{', '.join(idle)}: no effect with data.label_names, of which nothing is learnt. Leave it out."
