"""`luthier check`: all checks over a data set, and the files that mend it. Nothing is trained."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luthier import seeds
from luthier.arrays import Ints
from luthier.checks import CHECKS, examine, ranked
from luthier.checks.finding import Evidence, Finding, Judged, Tokens
from luthier.checks.review import Review, review_path
from luthier.doctor.evidence import with_features
from luthier.doctor.reader import Reader
from luthier.errors import Interrupted, StopFinding
from luthier.events import Advanced, Ended, Event, Noted, Started
from luthier.models.hub.find import what_opening_takes
from luthier.plan.named_columns import column_flag
from luthier.plan.plan import Plan
from luthier.prepare.broken_words import broken_words, looked_at
from luthier.prepare.named_rows import named_rows
from luthier.prepare.refusals import refuse_unknown_checks
from luthier.prepare.rows import Rows, understand
from luthier.prepare.student import with_model

OF_ANSWERS = ("contradictions", "copies")
"""Checks that need no row to learn from."""
NO_MODEL = "none"
"""The value of `--model` with which only rows and split are looked at."""
MOST_ROWS = 50_000
"""The most rows that a model looks at; where there are more, they are drawn at random."""
MOST_TOKENS = 2_000_000
"""The most tokens that a model reads: two minutes of a small encoder on two cores."""


@dataclass(frozen=True)
class Checkup:
    """What `check` found, and what it stands on."""

    findings: tuple[Finding, ...]
    """The findings, the gravest first."""
    rows: Rows | None
    """The rows, understood; None where the data cannot be used at all."""
    evidence: Evidence | None
    notes: tuple[str, ...]
    """Sentences on what was guessed, and on what was looked at only in part."""
    seconds: float
    allowed: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        """Whether `tune` would refuse these data."""
        return any(one.severity == "stop" and one.check not in self.allowed for one in self.findings)

    def plan_with_guesses(self, plan: Plan) -> Plan:
        """The plan with the guesses about its rows filled in, for `tune` to go on with; without the model `none`."""
        guessed = {} if self.rows is None else self.rows.settings()
        asked = plan.settings()
        if asked.get("model.name") == NO_MODEL:
            del asked["model.name"]
        return Plan.build({**asked, **guessed})

    def to_json(self) -> dict[str, Any]:
        rows = self.rows
        return {
            "findings": [finding.to_json() for finding in self.findings],
            "stops": self.stops,
            "rows": None if rows is None else rows.split.sizes(),
            "task": None if rows is None else rows.task.name,
            "labels": None if rows is None else len(rows.labels),
            "understood": None if rows is None else rows.understanding.to_json(),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 2),
        }


def check(plan: Plan, stop: Callable[[], bool] = lambda: False) -> Generator[Event, None, Checkup]:
    """Look at the rows of a plan with every check there is; yield what happens. Raises InputError where nothing can be read."""
    begin = time.monotonic()

    def clock() -> float:
        return time.monotonic() - begin

    yield Started("prepare", clock())
    refuse_unknown_checks(plan.data.allow)
    if plan.data.label_names:
        checkup = names_checked(named_rows(plan), clock())
        for note in checkup.notes:
            yield Noted(note, clock())
        return checkup
    try:
        rows = understand(plan)
    except StopFinding as error:
        return Checkup((error.finding,), None, None, (), clock())
    notes = [*rows.table.guesses]
    notes += [f"{role}: {why}; {flag_of(role, rows)} corrects it" for role, why in rows.guesses.items()]
    notes += rows.told
    review = Review.read(review_path(plan.data.path, plan.run.out), rows.labels)
    settled = review.settled(rows.evidence) if rows.labels else np.zeros(0, np.int64)
    if len(settled):
        notes.append(f"{review.path}: {len(settled):,} labels are confirmed there and not doubted again.")
    evidence = replace(rows.evidence, judged=Judged(settled, review.complete))
    plan = with_model(plan, rows)
    if plan.model.name != NO_MODEL:
        takes = what_opening_takes(plan.model.name)
        if takes is not None:
            yield Noted(takes, clock())
        evidence, more = yield from through_model(plan, rows, evidence, clock, stop)
        notes += more
    else:
        notes.append("Without a model: label errors, outliers, shift and lengths were not looked for.")
    yield Started("check", clock(), len(CHECKS))
    found: list[Finding] = []
    for done, name in enumerate(CHECKS, start=1):
        if stop():
            raise Interrupted("Interrupted. Nothing was written.")
        found += examine(evidence, {name: CHECKS[name]})
        yield Advanced(done, clock())
    yield Ended("check", clock(), clock())
    for note in notes:
        yield Noted(note, clock())
    return Checkup(ranked(found), rows, evidence, tuple(notes), clock(), tuple(plan.data.allow))


def names_checked(rows: Rows, seconds: float) -> Checkup:
    """What is known where labels are named: how rows are understood, and what checks find that need no row to learn from."""
    checks = {name: CHECKS[name] for name in OF_ANSWERS} if len(rows.split.test) else {}
    found = ranked(examine(rows.evidence, checks))
    notes = [
        *rows.table.guesses,
        *(f"{role}: {why}; {flag_of(role, rows)} corrects it" for role, why in rows.guesses.items()),
    ]
    notes += [*rows.told, *rows.split.warnings]
    notes.append(
        "No row is learnt from, so only contradictions and copies were looked for, among rows to test on."
    )
    return Checkup(found, rows, rows.evidence, tuple(notes), seconds)


def flag_of(role: str, rows: Rows) -> str:
    """The flag that says otherwise than was guessed."""
    return column_flag(role, "NAME") if role in rows.columns else f"--{role.replace('_', '-')}"


def through_model(
    plan: Plan, rows: Rows, evidence: Evidence, clock: Callable[[], float], stop: Callable[[], bool]
) -> Generator[Event, None, tuple[Evidence, list[str]]]:
    """The evidence with what tokenizer, frozen model and probe make of the rows, or of a random part of them."""
    reader = Reader.of(plan, rows)
    chosen = drawn(evidence.used, plan.run.seed)
    notes = []
    way = rows.task.long if plan.data.long == "auto" else plan.data.long
    examples, long = reader.form.read(reader.reader, rows.inputs(chosen), rows.targets(chosen), way)
    fits = np.cumsum(np.minimum(long.lengths, long.limit)) <= reader.most_tokens(MOST_TOKENS)
    fits[:1] = True
    few = chosen[looked_at(len(chosen))]
    broken = broken_words(reader.reader, few, rows.texts(few))
    windows = "data.long=windows" in reader.form.effects
    own = (chosen, long.lengths, long.unknown)
    tokens = Tokens(*own, long.limit, long.way, windows, reader.form.thing, broken)
    few, examples = chosen[fits], examples.select(np.flatnonzero(fits))
    if len(few) < len(evidence.used):
        notes.append(
            f"Label errors, outliers and shift were looked for in {len(few):,} of {len(evidence.used):,} rows, drawn at "
            f"random; lengths in {len(chosen):,}."
        )
    features = yield from reader.features(examples, clock, stop)
    order = np.argsort(few)
    evidence = with_features(
        replace(evidence, tokens=tokens),
        rows,
        few[order],
        features[order],
        strength=None,
        seed=plan.run.seed,
    )
    return evidence, notes


def drawn(rows: Ints, seed: int) -> Ints:
    """Rows in random order, no more than a model looks at."""
    return seeds.generator(seed, "rows checked").permutation(rows)[:MOST_ROWS]
