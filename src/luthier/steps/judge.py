"""The verdict for a model that was tuned elsewhere: it is asked every row, and compared with what costs next to nothing."""

import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from luthier import seeds
from luthier.arrays import Ints
from luthier.candidates import CANDIDATES
from luthier.candidates.candidate import Candidate
from luthier.candidates.crossing import put_together
from luthier.candidates.features import compute_features
from luthier.candidates.run import Mode, Run, Watch
from luthier.comparing.fitted import Fitted, Footprint
from luthier.data.split import joined_groups
from luthier.errors import Interrupted
from luthier.events import Ended, Event, Noted, Started
from luthier.files import clear, whole_folder, write_json
from luthier.folder.artefacts import Artefacts
from luthier.folder.run_folder import RunFolder
from luthier.folder.scorecard_records import ScorecardRecord
from luthier.models.hub.find import what_opening_takes
from luthier.plan.plan import Plan
from luthier.prepare.judged import Judged, Request, learning_from, of_base, open_judged
from luthier.prepare.prepare import Prepared
from luthier.records import sealed, stamped
from luthier.report.page import write_report
from luthier.report.run_records import write_findings
from luthier.steps.finish import VERSIONS, candidate_record, make_scorecard, prediction_lines, write_rows
from luthier.steps.footprints import Costs, costs_of
from luthier.steps.judged_trust import judged_trust
from luthier.steps.looks import Look, look_of, told
from luthier.steps.sliced import slices_record
from luthier.tasks.calibration import Calibration

FOLDS = 5
"""Parts of the rows: what learns is asked each part after it has learnt from the others."""
METHOD = "judge"
"""What stands as the method in the scorecard of a model that was tuned elsewhere."""
WORDS = "the judged model"
NOT_MEASURED = {"words": "What the model has forgotten was not measured: it was asked these rows alone."}


@dataclass(frozen=True)
class Fold:
    """Rows to learn from, and rows that are asked then: places among all rows, those of `--train` first."""

    learnt: Ints
    asked: Ints


@dataclass
class Judging:
    """A model that is being judged: its run, and how what learns from rows comes to them."""

    judged: Judged
    run: Run
    folds: Sequence[Fold]
    base: Prepared | None
    """The same rows, as the model reads them that the judged one was made of; None where none is named."""
    costs: dict[str, Costs] = field(default_factory=dict)
    """What being answered by each candidate costs, by its name."""


def judge(
    plan: Plan, request: Request, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, Path]:
    """Judge a model on every row of a plan's data; yield what happens, return the folder with the verdict.

    Raises InputError before anything is written, Interrupted when `stop()` has turned true, and then nothing was written.
    """
    begin = time.monotonic()

    def clock() -> float:
        return time.monotonic() - begin

    yield Started("prepare", clock())
    takes = what_opening_takes(plan.model.name)
    if takes is not None:
        yield Noted(takes, clock())
    judged = open_judged(plan, request)
    ready = judged.ready
    folder = ready.place.folder()
    yield Ended("prepare", clock(), clock())
    yield from (Noted(text, clock()) for text in judged.told)
    yield from (Noted(one.message, clock(), warning=True) for one in ready.checked.findings)
    base = None
    if request.base is not None and beside("base", ready):
        base = of_base(ready, request.base)
    elif request.base is not None and judged.tuned.folder.adapter is None:
        words = f"An untuned model has no answers of {ready.rows.task.name}: --base is not compared with."
        yield Noted(words, clock(), warning=True)
    took = {"read": ready.rows.seconds, "load": clock() - ready.rows.seconds}
    with tempfile.TemporaryDirectory() as scratch:
        run = Run(ready, folder, Artefacts(Path(scratch)), Watch(clock, took), Mode(stop, only_test=True))
        work = Judging(judged, run, folds_of(ready), base)
        yield from (Noted(text, clock()) for text in told_of_learning(work))
        yield from timed(run, "score", asked(work))
        yield from timed(run, "baselines", compared(work))
    refuse_to_go_on(run)
    with folder.alone():
        look = look_of(ready.rows, folder.key)
        yield from told(look, clock())
        write_verdict(work, folder, look)
    return folder.path


def timed(run: Run, name: str, step: Iterator[Event]) -> Iterator[Event]:
    """A step and its time; a wish to stop is granted between steps."""
    refuse_to_go_on(run)
    begin = run.clock()
    yield Started(name, begin)
    yield from step
    run.watch.took[name] = run.clock() - begin
    yield Ended(name, run.clock(), run.watch.took[name])


def refuse_to_go_on(run: Run) -> None:
    """Raise Interrupted where somebody wants to stop."""
    if run.stop():
        raise Interrupted("Interrupted, before anything was written. Give the command again.")


def asked(work: Judging) -> Iterator[Event]:
    """What the model itself answers, as its own library would give it, or with the calibration that a run brings along."""
    yield from ()  # a generator, as every step is
    run, begin = work.run, work.run.clock()
    parts = [part for part in ("train", "test") if len(run.ready.examples[part])]
    wanted = parts if calibrates(work) else ["test"]
    after = work.judged.tuned.finished[run.task.name].after or (lambda outputs: outputs)
    outputs, seconds = {}, 0.0
    for part in wanted:
        started = run.clock()
        outputs[part] = after(run.infer(run.ready.model, part))
        seconds = run.clock() - started  # at last those of the test rows
    fitted = Fitted("tuned", WORDS, run.clock() - begin, outputs, to_beat=False)
    if run.ready.model.writes:  # as long as its answers are: that of others is measured on a few rows
        fitted.footprint = Footprint(seconds, asks_model=False)
    how, own = run.task.calibrating, work.judged.tuned.calibration
    plain = Calibration() if how is None else how.unchanged(run.ready.examples["test"])
    fitted.calibration = plain if own is None else own
    run.kept = scored(run, fitted)


def scored(run: Run, fitted: Fitted) -> Fitted:
    """The candidate with its answers to the test rows. Their score stands in the place of a validation score too, as there are no
    validation rows."""
    run.answer(fitted, "test")
    fitted.scores["valid"] = fitted.scores["test"]
    return fitted


def compared(work: Judging) -> Iterator[Event]:
    """The candidates that stand beside the model, and the model itself, the last."""
    run = work.run
    assert run.kept is not None, "the model was asked before"
    for candidate in [*beside("answers", run.ready), *beside("rows", run.ready)]:
        folds = work.folds if candidate.beside_judged == "rows" else (counting_fold(run.ready),)
        fitted = yield from learnt(run, candidate, folds)
        if fitted is not None:
            run.candidates.append(scored(run, fitted))
    own = replace(run, candidates=[*run.candidates, run.kept])
    if work.base is not None:
        yield from with_base(work, work.base)
    run.candidates.append(run.kept)
    work.costs |= costs_of(own, run.kept)


def beside(what: str, ready: Prepared) -> list[Candidate]:
    """The candidates that are compared with a judged model, of those that need `what` for it (`Candidate.beside_judged`)."""
    return [one for one in CANDIDATES.values() if one.beside_judged == what and not one.why_not(ready)]


def learnt(run: Run, candidate: Candidate, folds: Sequence[Fold]) -> Generator[Event, None, Fitted | None]:
    """A candidate that has learnt from the rows of each fold, and was asked the others; None where nothing came of it."""
    found, seconds, words = [], 0.0, candidate.words
    footprint = Footprint(asks_model=False, with_model=False)
    for fold in folds:
        part = replace(run, ready=learning_from(run.ready, fold.learnt, fold.asked), candidates=[], kept=None)
        fitted = yield from candidate.fit(part)
        if fitted is None:
            return None
        found.append(fitted.outputs["test"])
        seconds, words = seconds + fitted.seconds, fitted.words
        own = fitted.footprint
        footprint = replace(footprint, seconds=footprint.seconds + own.seconds, bytes=own.bytes)
    if not found:
        return None
    order = np.concatenate([fold.asked for fold in folds]) - len(run.ready.rows.split.train)
    outputs = {"test": put_together(run.task, found, order, run.ready.examples["test"])}
    return Fitted(candidate.name, words, seconds, outputs, footprint=footprint)


def with_base(work: Judging, ready: Prepared) -> Iterator[Event]:
    """What the model that the judged one was made of answers, without having learnt anything of the rows."""
    run, how = work.run, work.run.task.zero_shot
    part = replace(
        run, ready=ready, candidates=[], kept=None, features={}, watch=Watch(run.clock), mode=Mode()
    )
    if how is not None and not how.as_it_is:
        begin = run.clock()
        yield from compute_features(part)
        part.watch.took["features"] = run.clock() - begin
    for candidate in beside("base", ready):
        fitted = yield from candidate.fit(part)
        if fitted is not None:
            fitted.weights = None
            part.candidates.append(scored(run, fitted))
    run.candidates += part.candidates
    work.costs |= costs_of(part, part.candidates[-1]) if part.candidates else {}


def folds_of(ready: Prepared) -> tuple[Fold, ...]:
    """The training rows for all rows, where there are any; else each fifth of the rows for the others, with its share of every
    label, and rows that are alike or of one group in the same. No folds where all rows are alike."""
    rows = ready.rows
    train, test = rows.split.train, rows.split.test
    if len(train):
        return (Fold(np.arange(len(train)), len(train) + np.arange(len(test))),)
    named = rows.evidence.parts.named_groups
    keys = [rows.evidence.keys, *rows.evidence.parts.groups, *([] if named is None else [named])]
    units, first, unit_of = np.unique(joined_groups(*keys)[test], return_index=True, return_inverse=True)
    if len(units) < 2:
        return ()
    by_chance = seeds.generator(ready.plan.run.seed, "folds").permutation(len(units))
    dealt = np.lexsort((by_chance, rows.evidence.answers.strata[test][first]))
    fold_of_unit = np.empty(len(units), np.int64)
    fold_of_unit[dealt] = np.arange(len(units)) % min(FOLDS, len(units))
    fold_of = fold_of_unit[unit_of]
    return tuple(
        Fold(np.flatnonzero(fold_of != at), np.flatnonzero(fold_of == at)) for at in np.unique(fold_of)
    )


def counting_fold(ready: Prepared) -> Fold:
    """The rows whose answers are counted: those of `--train`, else all that are judged. In folds, the most frequent label of the
    others would be the one that the rows which are asked have least of, so that nobody could do worse."""
    train, test = ready.rows.split.train, ready.rows.split.test
    own = len(train) + np.arange(len(test))
    return Fold(np.arange(len(train)) if len(train) else own, own)


def told_of_learning(work: Judging) -> list[str]:
    """From what baselines and temperature learn, in words; none where nothing learns, as beside a language model."""
    ready = work.run.ready
    baselines = [*beside("answers", ready), *beside("rows", ready)]
    learns = [name for name, there in (("baselines", baselines), ("temperature", calibrates(work))) if there]
    if not learns:
        return []
    who, verb = " and ".join(learns).capitalize(), "learn" if "baselines" in learns else "learns"
    count = len(ready.rows.split.train)
    if count:
        return [f"{who} {verb} from the {count:,} rows of --train."]
    if not work.folds:
        return [
            "All rows are alike, so that none can be held out of another: no baseline learns, and the temperature is fitted on "
            "the rows that it is shown for. --train FILE names rows to learn from."
        ]
    return [
        f"{who} {'are' if verb == 'learn' else 'is'} cross-fitted on the rows themselves, in {len(work.folds)} folds, each asked "
        "after learning from the others; --train FILE names rows to learn from."
    ]


def calibrates(work: Judging) -> bool:
    """Whether a calibration is fitted: not where the task has none, nor where a run brings its own."""
    return work.run.task.calibrating is not None and work.judged.tuned.calibration is None


def write_verdict(work: Judging, folder: RunFolder, look: Look) -> None:
    """Scorecard, predictions and report. Whatever stood there before gives way."""
    run, path = work.run, folder.path
    assert run.kept is not None, "the model was asked before"
    folder.begin({name: version(name) for name in VERSIONS})
    write_rows(path, run.ready)
    findings = [finding.to_json() for finding in run.ready.checked.findings]
    if findings:
        write_findings(path, findings)
    else:  # few checks were asked: that they found nothing says little
        clear(path / "findings.json")
    with whole_folder(path / "predictions") as inside:
        (inside / "test.jsonl").write_text(prediction_lines(run, run.kept, "test"), encoding="utf-8")
    write_json(
        path / "scorecard.json", sealed(stamped(judged_scorecard(work, run.kept, look), ScorecardRecord))
    )
    write_report(path)


def judged_scorecard(work: Judging, kept: Fitted, look: Look) -> dict[str, Any]:
    """scorecard.json of a judged model: as of a run, with what a run alone has in its place."""
    run = work.run
    learning = told_of_learning(work)
    own: Mapping[str, Any] = {
        "method": METHOD,
        "worth": {
            "dearer": kept.name,
            "cheaper": None,
            "words": "What tuning took is not known: it was done elsewhere.",
        },
        "valid_from": "test",
        "candidates": [candidate_record(one) | work.costs[one.name].to_json() for one in run.candidates],
        "judged": {
            "what": work.judged.tuned.words,
            "understood": [*work.judged.told, *learning],
            "folds": len(work.folds) if learning and not len(run.ready.rows.split.train) else 0,
            "task": run.task.to_json(),
        },
        "tuning": {},
        "looks": look.to_json(run.task.metric, kept.scores["test"], validates=False),
        "slices": slices_record(run, kept),
        **judged_trust(run, kept, work.judged.tuned, [(fold.learnt, fold.asked) for fold in work.folds]),
    }
    return {**make_scorecard(run, kept, NOT_MEASURED), **own}
