"""A run of which labels' names are known and no labelled row: the untrained model compares texts with them, and is kept so."""

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.candidates.probe import last_layer
from luthier.candidates.run import Mode, Run, Watch
from luthier.candidates.zero_shot import NAMES, compared
from luthier.comparing.fitted import Fitted, Weights
from luthier.devices import with_threads
from luthier.events import Chose, Ended, Event, Noted, Started
from luthier.files import whole_folder
from luthier.folder.artefacts import Artefacts
from luthier.folder.model_folder import ModelFolder
from luthier.models.headed import new_head
from luthier.plan.plan import Plan
from luthier.predict import features_of
from luthier.prepare.memo import Memo
from luthier.prepare.named import prepare_named
from luthier.report.understood_words import understood_words
from luthier.steps.finish import (
    VERSIONS,
    candidate_record,
    make_scorecard,
    prediction_lines,
    tested,
    write_finished,
    write_records,
)
from luthier.steps.footprints import costs_of
from luthier.steps.judge import beside, counting_fold, learnt, scored
from luthier.steps.looks import look_of, told
from luthier.steps.sliced import slices_record
from luthier.steps.statements import statements
from luthier.steps.unmeasured import WORDS
from luthier.tasks.baselines import ZERO_SHOT_SHARPNESS, unit

NAME = "zero-shot"
MOST_READ = 1_000
"""Rows without labels that are read to know how long vectors are, at the most."""
SHOWN = 6
"""Labels whose share is told, at the most."""
FORGOTTEN: dict[str, Any] = {
    "kl_to_base": 0.0,
    "words": "The body is the pre-trained model's own: nothing was forgotten.",
}
PAID = "Nothing was learnt from labels, so nothing was paid for but reading."


def tune_named(
    plan: Plan, stop: Callable[[], bool], memo: Memo, clock: Callable[[], float]
) -> Generator[Event, None, ModelFolder]:
    """Make a model of labels' names, or of what describes them; yield what happens, return the finished folder."""
    yield Started("prepare", clock())
    ready = prepare_named(plan, memo)
    folder = ready.place.folder()
    opening: list[Event] = [Ended("prepare", clock(), clock())]
    opening += [Noted(line, clock()) for line in understood_words(ready.rows.understanding.to_json())]
    opening += [Noted(str(guess), clock()) for guess in ready.resolved.guesses]
    opening += [Noted(text, clock(), warning=True) for text in statements(ready)]
    yield from opening
    if folder.finished:
        yield Noted(
            f"{folder.path} holds the finished run of this plan, data and model: nothing is left to do.",
            clock(),
        )
        return ModelFolder(folder.path)
    took = {"read": ready.rows.seconds, "load": clock() - ready.rows.seconds}
    with folder.alone(), tempfile.TemporaryDirectory() as scratch:
        folder.begin({name: version(name) for name in VERSIONS})
        run = Run(ready, folder, Artefacts(Path(scratch)), Watch(clock, took), Mode(stop, only_test=True))
        for event in opening:
            folder.log(event)
        write_records(folder.path, ready)
        for event in steps(run):
            folder.log(event)
            yield event
    return ModelFolder(folder.path)


def steps(run: Run) -> Iterator[Event]:
    """The head is made, the test rows are asked where there are any, and all that a finished run leaves is written."""
    yield Started("features", run.clock())
    begin = run.clock()
    with with_threads(run.mode.wide):
        made = head_of_words(run)
        run.ready.model.head = made.head.to(run.ready.device.torch)
        run.watch.took["features"] = run.clock() - begin
        yield from (Noted(text, run.clock()) for text in made.told)
        outputs = {"test": run.infer(run.ready.model, "test")} if tested(run) else {}
    refuse_to_go_on(run)
    fitted = Fitted(NAME, "the untrained model", run.clock() - begin, outputs, False, weights=Weights())
    run.tuning[NAME] = {"sharpness": ZERO_SHOT_SHARPNESS, "length": made.length}
    yield Started("score", run.clock())
    if tested(run):
        yield from compared_with_counts(run)
        run.candidates.append(scored(run, fitted))
    else:
        run.candidates.append(fitted)
        yield Noted(WORDS, run.clock(), warning=True)
    yield Chose(NAME, "nothing else answers without a labelled row", run.clock())
    run.keep(fitted)
    yield from write(run, fitted)


def refuse_to_go_on(run: Run) -> None:
    """Raise Interrupted where somebody wants to stop."""
    if run.stop():
        raise run.interrupted()


@dataclass(frozen=True)
class Made:
    """A head that was made of words."""

    head: nn.Sequential
    length: float
    """The mean length of the vectors of rows, by which cosines become products."""
    told: tuple[str, ...]


def head_of_words(run: Run) -> Made:
    """A linear head whose outputs are `ZERO_SHOT_SHARPNESS` times the cosine of a text and the words of each label, for a text
    whose vector has the mean length: others are answered alike, and a little more or less surely."""
    ready = run.ready
    words = vectors(run, compared(ready, ())[NAMES])
    rows = words
    if ready.unlabelled is not None:
        free = ready.unlabelled.examples
        few = np.unique(np.linspace(0, len(free) - 1, min(MOST_READ, len(free))).astype(np.int64))
        rows = vectors(run, free.select(few))
    length = float(np.linalg.norm(rows, axis=1).mean())
    weight = (ZERO_SHOT_SHARPNESS / max(length, 1e-12) * unit(words)).astype(np.float32)
    head = new_head(weight.shape[1], (), len(weight), 0.0)
    layer = last_layer(head)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
    told = [
        f"Probabilities are a softmax of {ZERO_SHOT_SHARPNESS:g} times the cosine of a text and the words of each label, which "
        "nothing has calibrated."
    ]
    if ready.unlabelled is not None:
        told.append(shares_words(ready.rows.task.known_labels, (rows @ weight.T).argmax(axis=1)))
    return Made(head, length, tuple(told))


def vectors(run: Run, examples: Examples) -> Array:
    """(rows, width) what the untrained model makes of some texts, in fp32."""
    found = np.zeros((len(examples), run.ready.model.width), np.float32)
    with run.ready.masters.reporting():
        for _, where, features in features_of(run.ready.model, examples, run.ready.device):
            found[where] = features
            refuse_to_go_on(run)
    return found


def shares_words(labels: Sequence[str], chosen: Ints) -> str:
    """How often each label is answered, in a sentence.

    >>> shares_words(["a", "b"], np.array([0, 0, 1, 0]))
    "Of 4 rows without labels, 75 % are answered 'a', 25 % 'b'."
    """
    counts = np.bincount(chosen, minlength=len(labels))
    order = np.argsort(-counts, kind="stable")[:SHOWN]
    told = [f"{counts[at] / len(chosen):.0%}".replace("%", " %") + f" {labels[at]!r}" for at in order]
    first = told[0].replace(" % ", " % are answered ", 1)
    more = f" and {len(labels) - len(told):,} more labels" if len(labels) > len(told) else ""
    return f"Of {len(chosen):,} rows without labels, {', '.join([first, *told[1:]])}{more}."


def compared_with_counts(run: Run) -> Iterator[Event]:
    """What answers by the counts of the test rows' labels alone, as no other rows have any."""
    for candidate in beside("answers", run.ready):
        found = yield from learnt(run, candidate, (counting_fold(run.ready),))
        if found is not None:
            run.candidates.append(scored(run, found))


def write(run: Run, kept: Fitted) -> Iterator[Event]:
    """Scorecard, predictions and pages; without test rows they say that nothing was measured."""
    card: dict[str, Any] = make_scorecard(run, kept, FORGOTTEN)
    card["worth"] = {"dearer": kept.name, "cheaper": None, "words": PAID}
    card["tuning"] = dict(run.tuning)
    if tested(run):
        look = look_of(run.ready.rows, run.folder.key)
        yield from told(look, run.clock())
        costs = costs_of(run, kept)
        card["valid_from"] = "test"
        card["candidates"] = [candidate_record(one) | costs[one.name].to_json() for one in run.candidates]
        card["slices"] = slices_record(run, kept)
        card["looks"] = look.to_json(run.task.metric, kept.scores["test"], validates=False)
        with whole_folder(run.folder.path / "predictions") as folder:
            (folder / "test.jsonl").write_text(prediction_lines(run, kept, "test"), encoding="utf-8")
    write_finished(run, card)
