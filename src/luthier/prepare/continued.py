"""A next round of labelling: which rows an earlier run has seen, and in which part they stay."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from luthier.arrays import Bools, Ints
from luthier.data.split import PARTS, Split, key_of
from luthier.data.table import Table
from luthier.errors import DataError, PlanError, RunError
from luthier.folder.artefacts import run_inside
from luthier.folder.known_rows import ROWS, RowsRecord
from luthier.folder.model_record import FILE as MODEL_RECORD
from luthier.folder.run_folder import RunFolder
from luthier.folder.scorecard import Scorecard
from luthier.forms.form import Columns
from luthier.plan.method import Lora, Thaw, parse_method
from luthier.plan.plan import Plan
from luthier.prepare.base import Base
from luthier.tasks.kind import Understood

ORDER = ("train", "valid", "calibration", "test")
"""Parts in the order in which they count: rows that belong together go where the last of theirs is, so that no test row is ever
learnt from."""


@dataclass(frozen=True)
class Earlier:
    """The run that is gone on from."""

    path: Path
    key: str
    """Its own key: what plan, data and model it was of."""
    task: str
    base_fingerprint: str
    trained: str | None
    """The candidate that trained the layers of its model; None where they are the pre-trained ones."""
    keys: Mapping[str, Ints]
    """(rows,) of each part, as `row_keys` makes them, in the order of the part."""

    @staticmethod
    def of(name: str) -> "Earlier":
        """Raises RunError for a run that is not finished, or that left nothing to go on from."""
        path = run_inside(Path(name))
        if not Scorecard.read(path).card.test:
            raise RunError(
                f"--continue {name}: was not measured, as it had no test rows, so it could not be told what new labels bring. "
                "Leave out --continue, and name rows to test on with --test FILE: the next round can go on from that run."
            )
        key = RunFolder.key_record(path)
        saved = None if key is None else RunFolder(path, key.key).saved(ROWS, RowsRecord)
        if key is None or saved is None:
            raise RunError(
                f"--continue {name}: does not tell which of its rows were test rows, as an older luthier wrote it, or its state/ "
                "is not what was written. Give the command of that run again with a new --out, and continue that one."
            )
        if not (path / "model" / MODEL_RECORD).is_file():
            raise RunError(
                f"--continue {name}: has no model/{MODEL_RECORD} any more, beside which new labels are measured. Copy the folder "
                "again, or give the command of that run again with a new --out, and continue that one."
            )
        keys, record = saved
        return Earlier(path, key.key, record.task, record.base_fingerprint, record.trained, keys)

    @property
    def count(self) -> int:
        """Its rows, each once."""
        return len(np.unique(np.concatenate(list(self.keys.values()))))

    @property
    def held_out(self) -> bool:
        """Whether it held rows out for validation: where it did not, those that it validated on by turns were learnt from too."""
        return len(np.setdiff1d(self.keys["valid"], self.keys["train"])) > 0

    def has_learnt(self, keys: Mapping[str, Ints], crossed: bool) -> bool:
        """Whether it learnt from a row that is held out now: what goes on from its layers would have learnt from it too.

        keys: of each part, now.  crossed: whether validation rows are training rows, in cross-validation.
        """
        held = ("calibration", "test") if crossed else ("valid", "calibration", "test")
        return any(bool(np.isin(keys[part], self.keys["train"]).any()) for part in held)

    def places(self, keys: Ints) -> Ints:
        """(rows,) the part that rows with these keys were in, as a place in ORDER; -1 where it did not have them."""
        found = np.full(len(keys), -1, np.int64)
        for at, part in enumerate(ORDER):
            found[np.isin(keys, self.keys[part])] = at
        return found


TUNED, FEW_SHOT = "tuned", "few-shot"
"""The candidates whose training may be gone on with."""


def trains_on(plan: Plan, earlier: Earlier, keys: Mapping[str, Ints], crossed: bool) -> bool:
    """Whether training begins from the layers that an earlier run has trained: not where something is to be left or pulled to the
    pre-trained weights, such as adapters beside them, nor where rows are held out now that these layers have learnt from.

    keys, crossed: as `Earlier.has_learnt` takes them.
    """
    train = plan.train
    others = bool(train.l2_sp or train.reinit or train.cloze)
    plain = not isinstance(parse_method(train.method), Lora | Thaw)
    return earlier.trained == TUNED and plain and not others and not earlier.has_learnt(keys, crossed)


def row_keys(table: Table, columns: Columns, found: Understood, rows: Ints) -> Ints:
    """(rows,) hashes of what some rows hold, without their label: alike in every file, whatever else stands there; texts that
    differ only in case and white space are alike, and images are so by their bytes."""
    names = {role: name for role, name in columns.items() if role != "label"}
    values: dict[str, list[Any]] = {role: list(table.values(name, rows)) for role, name in names.items()}
    if found.images is not None:
        content = dict(zip(found.images.rows.tolist(), found.images.contents.tolist(), strict=True))
        values["image"] = [content.get(row) for row in rows.tolist()]
    lines = zip(*(values[role] for role in sorted(values)), strict=True)
    return np.array([key_of(json.dumps(line, ensure_ascii=False, default=str)) for line in lines], np.int64)


def keys_by_part(table: Table, columns: Columns, found: Understood, split: Split) -> dict[str, Ints]:
    """The keys of the rows of each part, in their order."""
    return {part: row_keys(table, columns, found, getattr(split, part)) for part in PARTS}


@dataclass(frozen=True)
class Usable:
    """The rows that can be used."""

    rows: Ints
    """Their numbers."""
    keys: Ints
    """(rows,) as `row_keys` makes them."""
    together: Ints
    """(rows,) equal where rows stay in one part."""
    free: Bools
    """(rows,) whether no file and no column says which part a row is for."""


def as_before(split: Split, earlier: Earlier, usable: Usable) -> tuple[Split, str]:
    """A split in which the rows of an earlier run stay in their parts and the others are learnt from, and what to tell of it.

    split: as the rows would be dealt anew. Where the earlier run had no rows of its own for validation or calibration, those that
    are dealt serve.
    """
    before = earlier.places(usable.keys)
    refuse_none_left(earlier, before)
    part = parts_of_rows(split, earlier, usable, before)
    own = usable.rows[usable.free]
    parts = {
        name: np.union1d(np.setdiff1d(getattr(split, name), own), own[part[usable.free] == at])
        for at, name in enumerate(ORDER)
    }
    refuse_none_held_out(earlier, parts)
    calibrates = split.calibrates
    if calibrates in ("calibration", "valid"):
        calibrates = "calibration" if len(parts["calibration"]) else "valid"
    how = f"rows of {earlier.path} in the parts that they had there, new ones to learn from"
    made = replace(split, **parts, how=how, calibrates=calibrates)  # type: ignore[arg-type]
    return made, words(earlier, usable, before, part)


def parts_of_rows(split: Split, earlier: Earlier, usable: Usable, before: Ints) -> Ints:
    """(rows,) the part of each row, as a place in ORDER. before: (rows,) the one it had in the earlier run, -1 for new ones."""
    learnt = earlier.keys["train"]
    dealt = np.zeros(len(usable.rows), np.int64)
    for at in (ORDER.index("valid"), ORDER.index("calibration")):
        # What was validated on by turns stands among the training rows too: nothing was held out then.
        if not len(np.setdiff1d(earlier.keys[ORDER[at]], learnt)):
            dealt[np.isin(usable.rows, getattr(split, ORDER[at]))] = at
    undecided = (before < 0) | (np.isin(usable.keys, learnt) & (before < ORDER.index("test")))
    part = np.where(undecided, dealt, before)
    _, group = np.unique(usable.together, return_inverse=True)
    last = np.zeros(int(group.max(initial=-1)) + 1, np.int64)
    np.maximum.at(last, group[usable.free], part[usable.free])
    found: Ints = last[group]
    return found


def words(earlier: Earlier, usable: Usable, before: Ints, part: Ints) -> str:
    """How many rows are known, new and gone, and where new ones went."""
    new = (before < 0) & usable.free
    told = f"{np.count_nonzero(before >= 0):,} rows are those of {earlier.path} and stay in their parts; "
    told += f"{np.count_nonzero(new):,} {'is new and is' if np.count_nonzero(new) == 1 else 'are new and are'} learnt from"
    if not new.any():
        told = told.rpartition(";")[0] + "; none is new"
    held = np.count_nonzero(new & (part > 0))
    if held:
        told += f", but for {held:,} held out with the rows that they belong to, or as none were before"
    turned = (
        (before >= 0)
        & (before < ORDER.index("test"))
        & (part > 0)
        & np.isin(usable.keys, earlier.keys["train"])
    )
    if turned.any():
        count = np.count_nonzero(turned)
        told += f". {count:,} {'row that it learnt from is' if count == 1 else 'rows that it learnt from are'} held out now, "
        told += "as it had none for that" + (
            "" if earlier.trained is None else ", so that layers are trained anew"
        )
    gone = earlier.count - len(np.unique(usable.keys[before >= 0]))
    return told + (f". {gone:,} of its rows are not here any more." if gone else ".")


def refuse_none_left(earlier: Earlier, before: Ints) -> None:
    """Raise DataError where none of the rows are those of the earlier run."""
    if not np.any(before >= 0):
        raise DataError(
            f"--continue {earlier.path}: none of its rows is among these. Give the file that it learnt from with the new rows "
            "added, or leave out --continue to begin anew."
        )


def refuse_none_held_out(earlier: Earlier, parts: Mapping[str, Ints]) -> None:
    """Raise DataError where none of the rows is among these that the earlier run has held out for a part."""
    for name, called in (("valid", "validation"), ("test", "test")):
        if not len(parts[name]) and len(np.setdiff1d(earlier.keys[name], earlier.keys["train"])):
            raise DataError(
                f"--continue {earlier.path}: none of its {called} rows is among these. Give the file that it learnt from with "
                "the new rows added, or leave out --continue to begin anew."
            )


def refuse_another_task(earlier: Earlier, task: str) -> None:
    """Raise PlanError where rows are now for another task."""
    if earlier.task != task:
        raise PlanError(
            f"--continue {earlier.path}: is a run of {earlier.task}, and these rows are read as {task}. Leave out --task, or "
            "leave out --continue to begin anew."
        )


def refuse_another_model(earlier: Earlier, model: str, base: Base) -> None:
    """Raise PlanError where another model would read the rows: nothing of the earlier run could be used or compared."""
    if earlier.base_fingerprint != base.fingerprint:
        raise PlanError(
            f"--continue {earlier.path}: began with another model than {model}, or its files have changed since. Leave out "
            "--model to go on with the same one, or leave out --continue to begin anew with this one."
        )
