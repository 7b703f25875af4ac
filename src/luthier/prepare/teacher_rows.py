"""Whether a teacher has seen the rows that its student is tested on: then the test would tell nothing of new rows."""

from dataclasses import replace

import numpy as np

from luthier.arrays import Ints
from luthier.data.split import PARTS
from luthier.errors import InputError, PlanError, WorldError
from luthier.files import open_file
from luthier.plan.places import NAMED, found_again
from luthier.plan.plan import Plan, flag, read_plan
from luthier.prepare.memo import Memo
from luthier.prepare.rows import Rows, understand
from luthier.prepare.teacher import Seen, Teacher
from luthier.records import read_json

SPLITS = ("data.valid", "data.test", "data.valid_share", "data.test_share", "data.calibration_share", "data.group",
          "data.split_column")  # fmt: skip
"""Settings that decide how rows are parted, beside the seed."""


def having_seen(plan: Plan, teacher: Teacher, rows: Rows, memo: Memo) -> Teacher:
    """The teacher, with what it has seen of the test rows. Raises PlanError as `seen_by_teacher` does."""
    return replace(teacher, seen=seen_by_teacher(plan, teacher, rows, memo))


def seen_by_teacher(plan: Plan, teacher: Teacher, rows: Rows, memo: Memo) -> Seen:
    """What a teacher has seen of the test rows.

    Raises PlanError where it has seen some, unless the plan allows leaks: a student of such a teacher looks better than it is.
    """
    their_plan, whole = plan_of(teacher), len(rows.split.test)
    if their_plan is not None and their_plan.data.label_names:
        return Seen(
            0, f"{teacher.name} was made of labels' names and has seen none of the {whole:,} test rows."
        )
    theirs = rows_of(teacher, memo)
    if theirs is None:
        return Seen(
            None,
            f"Whether {teacher.name} learnt from the test rows cannot be told, as the rows that it learnt from are not here any "
            "more, or not as they were.",
        )
    tested, own = keys_of(rows, rows.split.test), keys_of(rows, learnt_by(rows))
    # What stands in the student's own rows too is a leak of the data, which its check tells of.
    count = int((np.isin(tested, keys_of(theirs, learnt_by(theirs))) & ~np.isin(tested, own)).sum())
    if not count:
        return Seen(0, f"{teacher.name} has seen none of the {whole:,} test rows.")
    words = (
        f"{teacher.name} learnt from {count:,} of the {whole:,} test rows, or was chosen or calibrated by them, so that "
        "scores on them say too much"
    )
    if "leaks" not in plan.data.allow:
        raise PlanError(
            f"train.teacher: {words}. {as_the_teacher(plan, teacher)} --allow leaks goes on in spite of it."
        )
    return Seen(count, f"{words}.")


def learnt_by(theirs: Rows) -> Ints:
    """The rows that decided something about a model: all but its test rows."""
    found: Ints = np.concatenate([getattr(theirs.split, part) for part in PARTS if part != "test"])
    return found


def keys_of(rows: Rows, numbers: Ints) -> Ints:
    """(rows,) equal for rows of the same content, whichever table they stand in."""
    found: Ints = rows.understood.keys[numbers]
    return found


def rows_of(teacher: Teacher, memo: Memo) -> Rows | None:
    """The rows that a teacher's run was made of, read again; None where they are not there as they were."""
    plan = plan_of(teacher)
    if plan is None:
        return None
    run = teacher.model.path
    try:
        found = memo.call(understand, plan.of_rows())
        table, split = (read_json(run / name, within=run) for name in ("table.json", "split.json"))
    except (InputError, WorldError, OSError):
        return None
    same = table.get("fingerprint") == found.table.fingerprint
    return found if same and split.get("hashes") == found.split.to_json()["hashes"] else None


def plan_of(teacher: Teacher) -> Plan | None:
    """The plan of a teacher's run, its files found from wherever it was begun; None for a model folder without its run."""
    run = teacher.model.path
    try:
        with open_file(run / "plan.toml", within=run):
            settings = read_plan(run / "plan.toml")
        settings |= {key: found_again(key, settings[key], [run]) for key in NAMED if key in settings}
        return Plan.build(settings)
    except (InputError, OSError):
        return None


def as_the_teacher(plan: Plan, teacher: Teacher) -> str:
    """What to say so that the rows are parted as the teacher's were."""
    theirs = plan_of(teacher)
    assert theirs is not None, "its rows were read"
    flags = []
    if theirs.split_seed != plan.split_seed:
        flags.append(f"--split-seed {theirs.split_seed}")
    ours, given = plan.settings(), theirs.settings()
    flags += [f"{flag(key)} {given[key]}" for key in SPLITS if key in given and ours.get(key) != given[key]]
    if not flags:
        return "Give the data that it was tuned on, or name rows of your own with --valid and --test."
    return f"Part the rows as its run did: {' '.join(flags)}."
