"""`luthier check --fix`: corrected copies, the patches that lead there and back, and the file of doubtful labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.checks.label_errors import suspects
from luthier.checks.review import Review, review_path
from luthier.data.read import read
from luthier.doctor import patch as patches
from luthier.doctor.check import Checkup
from luthier.doctor.fixes import edits_for
from luthier.doctor.patch_file import Edit
from luthier.doctor.row_format import Format
from luthier.errors import DataError
from luthier.plan.plan import Plan
from luthier.prepare.data_files import writing_of
from luthier.prepare.rows import Rows


@dataclass(frozen=True)
class Mended:
    """The files that `--fix` has written, and the number of changes."""

    fixed: tuple[Path, ...]
    patches: tuple[Path, ...]
    edits: dict[str, int]
    """Number of changes, by the check that asked for them."""
    review: Path | None
    waiting: int
    """Number of rows of the review file without a decision."""

    def to_json(self) -> dict[str, Any]:
        return {
            "fixed": [str(path) for path in self.fixed],
            "patches": [str(path) for path in self.patches],
            "edits": self.edits,
            "review": None if self.review is None else str(self.review),
            "waiting": self.waiting,
        }


def mend(plan: Plan, checkup: Checkup, kinds: Sequence[str]) -> Mended:
    """Write a corrected copy and a patch of each file that `kinds` change, and the review of labels where asked for."""
    rows, evidence = checkup.rows, checkup.evidence
    assert rows is not None, "data that cannot be used are refused before"
    assert evidence is not None, "data that cannot be used are refused before"
    refuse_other_forms(plan, rows)
    review = Review.read(review_path(plan.data.path, plan.run.out), rows.labels)
    waiting, asked = 0, "labels:review" in kinds
    if asked:
        waiting = review.write(evidence, [suspect for suspect, _ in suspects(evidence)])
    relabelled, dropped = review.decided(evidence)
    if not rows.table.layout.as_in_file:
        why = rows.table.layout.why or "its rows are made of others"
        raise DataError(
            f"--fix {','.join(kinds)}: {plan.data.path} is not corrected row by row, as it does not stand in the file as it is "
            f"read ({why}). Correct it where it was made, or write it as .jsonl with the columns that are read."
        )
    by_file: dict[int, list[Edit]] = {}
    for at, edit in edits_for(evidence, kinds, relabelled, dropped):
        by_file.setdefault(at, []).append(edit)
    for at in by_file:
        source = rows.table.files[at]
        patches.check_unedited(patch_path(plan, source), beside(plan, source, "fixed"))
    forms = {at: form_of(plan, rows.table.files[at]) for at in by_file}
    fixed, patch, counts = [], [], dict[str, int]()
    for at, edits in sorted(by_file.items()):
        source = rows.table.files[at]
        targets = beside(plan, source, "fixed"), patch_path(plan, source)
        starts = np.sort(rows.table.line_of[rows.table.rows_of_file(at)]).tolist()
        for edit in patches.correct(forms[at], edits, starts, *targets):
            counts[edit.reason] = counts.get(edit.reason, 0) + 1
        fixed.append(targets[0])
        patch.append(targets[1])
    return Mended(tuple(fixed), tuple(patch), counts, review.path if asked else None, waiting)


def refuse_other_forms(plan: Plan, rows: Rows) -> None:
    """Raise DataError where the rows are not those of the file, so that what is wrong with them cannot be mended in it."""
    if rows.table.layout.why:
        raise DataError(
            f"{plan.data.path}: {rows.table.layout.why}, and its rows are made of it in another form, which cannot be corrected "
            "in it. Correct them where they were annotated, and export them anew."
        )
    made = rows.assumed.composed
    if made:
        raise DataError(
            f"{plan.data.path}: {made[0]!r} is made of several columns, whose values cannot be corrected as one. Name "
            "one column with --text or --label, or correct the file by hand."
        )


def form_of(plan: Plan, path: Path) -> Format:
    return Format.of(path, writing_of(plan.data))


def beside(plan: Plan, source: Path, word: str) -> Path:
    """The path of a corrected copy: `reviews.fixed.csv.gz` for `reviews.csv.gz`, beside it or in --out."""
    stem, dot, rest = source.name.partition(".")
    folder = Path(plan.run.out) if plan.run.out else source.parent
    return folder / f"{stem}.{word}{dot}{rest.removeprefix('fixed.')}"


def patch_path(plan: Plan, source: Path) -> Path:
    folder = Path(plan.run.out) if plan.run.out else source.parent
    return folder / f"{source.name.split('.')[0]}.patch.csv"


def apply_patch(plan: Plan, patch: Path) -> Path:
    """Write the corrected copy that a patch, perhaps edited by hand, makes of the plan's file."""
    source = Path(plan.data.path)
    table = read(source, writing_of(plan.data))
    target = beside(plan, source, "fixed")
    patches.apply(form_of(plan, source), patch, np.sort(table.line_of).tolist(), target)
    return target


def undo_patch(plan: Plan, patch: Path) -> Path:
    """Write the original of the plan's file, a corrected copy, as it was before the patch."""
    source = Path(plan.data.path)
    target = beside(plan, source, "undone")
    patches.undo(source, patch, target, writing_of(plan.data))
    return target
