"""Everything up to the first computation: rows, model, tokens, the resolved plan. Nothing is written here."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from luthier import devices, seeds
from luthier.batches.examples import Examples
from luthier.checks import TOKENS, examine, ranked
from luthier.checks.finding import Evidence, Finding, Judged
from luthier.checks.review import Review, review_path
from luthier.data.row_facts import no_rows
from luthier.data.split import PARTS
from luthier.devices import Device
from luthier.forms.form import Form, Variety
from luthier.hashes import hash_json
from luthier.models.headed import HeadedModel
from luthier.models.heads import HEADS
from luthier.models.heads.head import Wanted
from luthier.models.hub.weight_files import read_weights
from luthier.models.ladder.ladder import Ladder, find_ladder
from luthier.models.load import load_model
from luthier.models.master_weights import MasterWeights
from luthier.models.readers.reading import preparation_of
from luthier.models.readers.texts import Long
from luthier.plan.plan import Plan
from luthier.prepare.base import Base, base_of
from luthier.prepare.continued import Earlier, refuse_another_model, trains_on
from luthier.prepare.fitting import Fit, fitting
from luthier.prepare.general import read_general
from luthier.prepare.idle_settings import refuse_what_has_no_effect
from luthier.prepare.memo import Memo
from luthier.prepare.pairs import how_pairs_are_read
from luthier.prepare.place import Place, as_recorded, default_folder, place_of, recomputing_as_recorded
from luthier.prepare.refusals import (
    refuse_few_shot_without_blocks,
    refuse_more_than_is_read,
    refuse_recomputing,
    refuse_too_many_blocks,
    refuse_tuning_without_rows_to_stop_by,
    refuse_unknown_checks,
)
from luthier.prepare.resolve import Guess, Resolved, Start, made_wanted, resolve
from luthier.prepare.rows import Rows, look_over, understand
from luthier.prepare.rows_read import RowsRead, read_rows
from luthier.prepare.student import how_student_is_named, with_model
from luthier.prepare.suited import suited
from luthier.prepare.teacher import Teacher, teacher_of
from luthier.prepare.teacher_rows import having_seen
from luthier.prepare.unlabelled import Unlabelled, read_unlabelled
from luthier.tasks import form_of
from luthier.tasks.task import Task
from luthier.train.recipe import recipe_for


@dataclass(frozen=True)
class Checked:
    """What was looked at before the first computation."""

    findings: tuple[Finding, ...]
    """The findings of the checks of rows, split and tokens; those of features come later."""
    evidence: Evidence
    seconds: float
    """What looking took."""


@dataclass(frozen=True)
class Beside:
    """What is learnt from beside the training rows and their labels."""

    made: Examples | None = None
    """Rows made of the training texts, to learn from first."""
    unlabelled: Unlabelled | None = None
    """Rows without labels, as the model reads them; None where no file of such is named."""
    teacher: Teacher | None = None
    """The model whose answers are learnt; None where none teaches."""
    adapted: Path | None = None
    """The body's weights once it has learnt from the rows without labels, where that helps; None: they are the folder's."""


@dataclass(frozen=True)
class Prepared:
    """A run's plan, data and model, opened and checked, before anything is computed."""

    resolved: Resolved
    """The plan with nothing left open, and what was filled in."""
    rows: Rows
    base: Base
    """The pre-trained model's folder."""
    model: HeadedModel
    masters: MasterWeights
    """The model's body in the precisions of training and of reports."""
    ladder: Ladder
    examples: dict[str, Examples]
    """The tokenised rows of each part."""
    beside: Beside
    long: Long
    checked: Checked
    device: Device
    place: Place

    @property
    def plan(self) -> Plan:
        return self.resolved.plan

    @property
    def made(self) -> Examples | None:
        return self.beside.made

    @property
    def unlabelled(self) -> Unlabelled | None:
        return self.beside.unlabelled

    @property
    def teacher(self) -> Teacher | None:
        return self.beside.teacher

    @property
    def adapted(self) -> Path | None:
        return self.beside.adapted

    @property
    def features_key(self) -> str:
        """Hash of all that decides the frozen features: runs of different plans may have it in common."""
        rows = self.rows
        made_by = [*self.made_by, self.device.threads]  # which decide the last digits
        if self.unlabelled is not None:  # beside them lie those of the body that has learnt from these rows
            made_by += [self.unlabelled.fingerprint, *self.adapted_by]
        return hash_json([rows.fingerprint, rows.split.to_json(), rows.task.to_json(), *made_by])

    @property
    def adapted_by(self) -> list[object]:
        """The settings that decide what a body learns from rows without labels; not the budget, which may end that early and is
        another one for each trial of a search."""
        train, run = self.plan.train, self.plan.run
        varied = [train.augment, train.flip, self.plan.model.body_dropout]
        return [run.seed, *varied, train.max_norm, run.micro_tokens]

    @property
    def made_by(self) -> list[object]:
        """All that decides the frozen features of a row, but for their last digits, beside what is read of it."""
        # An architecture's own class may have layers below the head that the folder lacks: they are drawn.
        drawn = self.plan.run.seed if self.model.pooling is None else None
        return [
            self.base.fingerprint,
            self.plan.model.pooling,
            self.long.way,
            drawn,
            self.device.precision,
            self.device.kind,
        ]

    def untrained(self) -> HeadedModel:
        """The model as it was before anything was trained, opened once more."""
        model = load_model(
            self.base.folder, wanted(self.plan, self.rows.task), preparation_of(self.base.reader)
        )
        self.put_adapted(model)
        return model

    def put_adapted(self, model: HeadedModel) -> None:
        """Give a model the body that has learnt from rows without labels, if there is one."""
        if self.adapted is not None:
            model.body.load_state_dict(read_weights((self.adapted,)))

    def begin_anew(self) -> None:
        """Give the model the weights that it had before anything was trained."""
        self.model.load_state_dict(self.untrained().state_dict())
        self.masters.refresh()

    def renewed(self) -> "Prepared":
        """The same, with a model that nobody has trained yet in the place of one whose layers have moved."""
        model = self.untrained().to(self.device.torch)
        few = self.examples["train"].batch(np.zeros(1, np.int64)).to(self.device.torch)
        ladder = find_ladder(model, lambda: model(few))
        return replace(self, model=model, masters=MasterWeights(model.body, self.device.dtype), ladder=ladder)


def prepare(plan: Plan, memo: Memo | None = None) -> Prepared:
    """Open and check all that the plan names; raise InputError for what cannot be used.

    memo: what earlier runs of this process have opened, where this plan names the same.
    """
    memo = memo or Memo()
    device = memo.call(devices.choose, plan.run.device, plan.run.precision, plan.run.threads)
    refuse_unknown_checks(plan.data.allow)
    understood = memo.call(understand, plan.of_rows())
    begin = time.monotonic()
    findings = memo.call(look_over, understood, plan.data.allow)
    checking = time.monotonic() - begin
    asked, plan = plan, with_model(plan, understood)
    understood = memo.call(suited, understood, plan.model.name, plan.model.base)
    base = base_of(plan.model.name, understood.task.reads, plan.model.base, memo)
    of_pairs = plan.model.model_copy(update={"body_dropout": None})  # which says nothing of how they are read
    rows = memo.call(how_pairs_are_read, of_pairs, understood, base, device)
    task = rows.task
    refuse_what_has_no_effect(plan, task)
    refuse_tuning_without_rows_to_stop_by(plan, rows.split)
    teacher = memo.call(teacher_of, plan.train.teacher, rows)
    way = task.long if plan.data.long == "auto" else plan.data.long
    # Of the rows before it was known how pairs are read: settings that only then count share them.
    read = memo.call(read_rows, understood, base, rows.form, way)
    refuse_more_than_is_read(plan, read.long.limit)
    rows, task = having_read(rows, read)
    fit = fitting(plan, base.folder, device) if HEADS[task.head].writes else Fit(plan)
    plan = fit.plan
    model = load_model(base.folder, wanted(plan, task), preparation_of(base.reader)).to(device.torch)
    few = read.examples.batch(np.zeros(1, np.int64)).to(device.torch)
    ladder = find_ladder(model, lambda: model(few))
    refuse_few_shot_without_blocks(plan, ladder)
    refuse_too_many_blocks(plan, ladder)
    parameters = sum(weight.numel() for weight in model.parameters())
    recipe = recipe_for(base.folder.family, parameters, model.writes)
    stands_on: list[object] = [rows.fingerprint, rows.split.sizes(), base.fingerprint]
    if plan.data.general is not None:
        stands_on.append(memo.call(read_general, plan.data.general).fingerprint)
    if plan.data.describe is not None:
        stands_on.append(task.to_json())  # with the words that stand in the file
    unlabelled = memo.call(read_free_rows, understood, base, rows.form, way)
    if unlabelled is not None:
        stands_on.append(unlabelled.fingerprint)
    earlier = None if plan.data.continues is None else Earlier.of(plan.data.continues)
    if earlier is not None:
        refuse_another_model(earlier, plan.model.name, base)
        stands_on.append(earlier.key)
    if teacher is not None:
        teacher = having_seen(plan, teacher, rows, memo)
        stands_on.append(teacher.fingerprint)
    out = Path(plan.run.out or default_folder(plan, stands_on))
    device = as_recorded(device, plan, out)
    warm = earlier is not None and trains_on(plan, earlier, rows.keys(), rows.split.crossed)
    questions = 0 if warm else made_wanted(plan, rows, recipe, model)
    first = memo.call(made_of_texts, questions, understood, base, plan.run.seed)
    start = Start(
        recipe=recipe,
        model=model,
        ladder=ladder,
        declares=base.folder.pooling is not None,
        rows=len(rows.split.train)
        + (0 if teacher is None or unlabelled is None else len(unlabelled.examples)),
        windows=windows(read.examples, task),
        warm=warm,
        made=0 if first is None else len(first),
    )
    resolved = resolve(plan, rows, device, start)
    resolved = replace(resolved, plan=recomputing_as_recorded(resolved.plan, out))
    refuse_recomputing(resolved.plan, model, ladder)
    more = []
    if plan.model.name != asked.model.name:
        more.append(Guess("model.name", plan.model.name, how_student_is_named(asked, plan, rows)))
    if fit.why is not None:
        more.append(Guess("train.method", plan.train.method, fit.why))
    resolved = replace(resolved, guesses=(*more, *resolved.guesses))
    evidence, found = memo.call(looked_into, plan.data.path, read)
    return Prepared(
        resolved=resolved,
        rows=rows,
        base=base,
        model=model,
        masters=MasterWeights(model.body, device.dtype),
        ladder=ladder,
        examples=by_part(resolved.plan, rows, read.examples),
        beside=Beside(first, unlabelled, teacher),
        long=read.long,
        checked=Checked(ranked([*findings, *read.left_out, *found]), evidence, checking),
        device=device,
        place=place_of(resolved.plan, out, rows, stands_on),
    )


def having_read(rows: Rows, read: RowsRead) -> tuple[Rows, Task]:
    """The rows that are learnt from, with their task, once it has seen the training rows as the model reads them."""
    rows = read.rows if read.left_out else rows
    own = read.examples.select(np.arange(len(rows.split.train)))
    task = rows.task.having_read(own)
    if task is rows.task:  # shared with the other runs over these rows
        return rows, task
    return replace(rows, understood=replace(rows.understood, task=task)), task


def by_part(plan: Plan, rows: Rows, examples: Examples) -> dict[str, Examples]:
    """The examples of each part; those of training as they are to be varied."""
    ends = np.cumsum([len(getattr(rows.split, part)) for part in PARTS])
    parts = np.split(np.arange(len(examples)), ends[:-1])
    made = {
        part: rows.task.asked(part, examples.select(chosen))
        for part, chosen in zip(PARTS, parts, strict=True)
    }
    made["train"] = rows.form.varied(rows.form.thinned(made["train"]), variety_of(plan, rows.task))
    return made


def made_of_texts(count: int, rows: Rows, base: Base, seed: int) -> Examples | None:
    """At most so many rows made of the training texts; None where none are wanted, or none can be made."""
    how = rows.task.made_rows
    if not count or how is None:
        return None
    own, dice = rows.split.train, seeds.generator(seed, "cloze")
    made = how.make(rows.inputs(own), rows.targets(own), dice)
    fitting = ((row, target) for row, target in made if how.fits(base.reader, row))
    chosen = list(islice(fitting, count))
    if not chosen:
        return None
    targets = np.empty(len(chosen), object)
    targets[:] = [target for _, target in chosen]
    examples, _ = rows.form.read(base.reader, [row for row, _ in chosen], targets, "windows")
    return examples


def read_free_rows(rows: Rows, base: Base, form: Form, way: str) -> Unlabelled | None:
    """The rows without labels as the model reads them. form, way: how it reads the others."""
    return read_unlabelled(rows.unlabelled, form, base.reader, way)


def looked_into(data: str, read: RowsRead) -> tuple[Evidence, Sequence[Finding]]:
    """What checks may look at now that the rows are tokens, and what those of tokens find.

    data: the file that the rows are from, beside which a person has judged some of them.
    """
    rows = read.rows
    review = Review.read(review_path(data), rows.labels)
    settled = review.settled(rows.evidence) if rows.labels else no_rows()
    evidence = replace(rows.evidence, judged=Judged(settled, review.complete), tokens=read.tokens)
    return evidence, examine(evidence, TOKENS)


def wanted(plan: Plan, task: Task) -> Wanted:
    """The model that a plan asks for."""
    return Wanted(
        outputs=task.outputs,
        head=task.head,
        own_pooling=form_of(task).own_pooling,
        pooling=plan.model.pooling,
        hidden=plan.model.hidden,
        dropout=plan.model.dropout,
        seed=plan.run.seed,
        body_dropout=plan.model.body_dropout,
    )


def windows(examples: Examples, task: Task) -> float:
    """Parts of a row that training reads, on average, where each part is learnt from by itself."""
    return 1.0 if task.probe is not None else form_of(task).thinned(examples).parts_of_a_row


def variety_of(plan: Plan, task: Task) -> Variety:
    """How much a plan has training rows varied."""
    return Variety(plan.train.augment, plan.train.flip, plan.train.mix, task.outputs)
