"""A plan that names labels, with its rows and its model opened: nothing is learnt, and nothing is written here."""

from dataclasses import replace
from pathlib import Path

from luthier.hashes import hash_json
from luthier.models.load import load_model
from luthier.models.readers.reading import preparation_of
from luthier.plan.plan import Plan
from luthier.prepare.base import Base, base_of
from luthier.prepare.idle_settings import refuse_what_has_no_effect
from luthier.prepare.judged import prepared
from luthier.prepare.memo import Memo
from luthier.prepare.named_rows import named_rows
from luthier.prepare.place import Place, default_folder
from luthier.prepare.prepare import Prepared, read_free_rows, wanted
from luthier.prepare.resolve import Resolved
from luthier.prepare.rows import Rows
from luthier.prepare.rows_read import read_rows
from luthier.prepare.student import with_model


def prepare_named(plan: Plan, memo: Memo | None = None) -> Prepared:
    """Open all that a plan names which names labels. Raises InputError for what cannot be used."""
    memo = memo or Memo()
    rows = memo.call(named_rows, plan.of_rows())
    plan = with_model(plan, rows)
    base = base_of(plan.model.name, rows.task.reads, plan.model.base, memo)
    refuse_what_has_no_effect(plan, rows.task)
    way = rows.task.long if plan.data.long == "auto" else plan.data.long
    read = read_rows(rows, base, rows.form, way)
    asked = wanted(plan, rows.task)
    if asked.pooling == "auto" and base.folder.pooling is None:
        # What an architecture's own class has above its body may be drawn at random, and says nothing of words.
        asked = replace(asked, pooling="mean")
    model = load_model(base.folder, asked, preparation_of(base.reader))
    ready = prepared(plan, rows, read, base, model)
    unlabelled = read_free_rows(rows, base, rows.form, way)
    ready = replace(ready, beside=replace(ready.beside, unlabelled=unlabelled))
    return placed(filled(ready), plan, base, rows)


def filled(ready: Prepared) -> Prepared:
    """With what was guessed in the plan."""
    guesses = ready.resolved.guesses
    plan = ready.plan.with_settings({one.key: one.value for one in guesses})
    return replace(ready, resolved=Resolved(plan, guesses))


def placed(ready: Prepared, asked: Plan, base: Base, rows: Rows) -> Prepared:
    """With the folder where the run is written. asked: the plan as the user gave it."""
    free = None if ready.unlabelled is None else ready.unlabelled.fingerprint
    stands_on: list[object] = [
        rows.fingerprint,
        rows.split.sizes(),
        base.fingerprint,
        rows.task.to_json(),
        free,
    ]
    out = Path(asked.run.out or default_folder(asked, stands_on))
    return replace(ready, place=Place(out, hash_json([ready.plan.identity(), *stands_on]), ()))
