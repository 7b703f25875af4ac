"""A run on its way: what it stands on, what has come of it so far, and the best model, which is always on disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from luthier.arrays import Array, Ints
from luthier.comparing.choice import best_on_validation
from luthier.comparing.fitted import PRETRAINED, Fitted
from luthier.errors import Interrupted, WorldError
from luthier.folder.artefacts import Artefacts
from luthier.folder.model_record import ModelRecord, SavedModelRecord
from luthier.folder.run_folder import RunFolder
from luthier.folder.write import write_model
from luthier.models.headed import HeadedModel
from luthier.plan.duration import seconds_of
from luthier.plan.plan import Plan
from luthier.prepare.prepare import Prepared
from luthier.records import Record
from luthier.scores.intervals import Difference
from luthier.scores.validated import on_validation
from luthier.tasks.calibration import Calibration
from luthier.tasks.outputs import Outputs
from luthier.tasks.task import Task
from luthier.train.checkpoints import SHARE, Checkpoints
from luthier.train.probe.probe import Probe

SHARE_OF_TRIAL = 0.01
"""The share of a trial's time that saving its state may take: it is one of many, and a kill costs little of a search."""

INTERIM_CARD = "The best model so far of a run of luthier that is not finished: it has not been tested yet.\n"

HELD_OUT = ("valid", "calibration", "test")
ANSWERED = ("valid", "test")
"""Parts that every candidate answers. What learnt nothing has nothing to calibrate."""


@dataclass
class Watch:
    """Where a run's time goes."""

    clock: Callable[[], float]
    """Seconds since the command began."""
    took: dict[str, float] = field(default_factory=dict)
    """Seconds of each step, in all the commands of the run."""
    earlier: dict[str, float] = field(default_factory=dict)
    """Seconds that earlier commands spent on steps whose outcome was found again."""
    tokens: int = 0
    """Tokens that training has read."""
    training: float = 0.0
    """Seconds of training."""


@dataclass(frozen=True)
class Mode:
    """How a run goes about it; a trial of a search goes about it otherwise than a run of its own."""

    stop: Callable[[], bool] = lambda: False
    """Whether somebody wants it to stop."""
    enough: Callable[[], bool] = lambda: False
    """Whether training is to end where it is: the best state so far is wanted, and no better one is expected."""
    writes_model: bool = True
    """Whether the best model so far is written; a trial's is not, only the one that its search names."""
    only_test: bool = False
    """Whether candidates are asked the test rows alone, beside a model that was tuned elsewhere, and not how their scores would
    grow with rows."""
    wide: int | None = None
    """CPU threads for work outside of training: frozen passes, the probe, the test. None: as many as training has."""

    @property
    def tells_growth(self) -> bool:
        """Whether somebody reads how scores grow with rows: neither beside a model that was tuned elsewhere, nor in a trial, nor
        where rows are learnt without a fold."""
        return self.writes_model and not self.only_test


@dataclass
class Outlook:
    """What is expected of training."""

    foretold_from: float | None = None
    """Seconds of training from which on it is foretold when it is to begin; None: it was foretold before, or nobody asks."""
    step_seconds: float | None = None
    """What a step was foretold to take; None where that was not told."""
    spared: str = ""
    """Why no layers were trained, where a method was not named and they could not have won."""


@dataclass
class Run:
    """The state of a run, which its steps hand on to each other."""

    ready: Prepared
    folder: RunFolder
    shared: Artefacts
    """Where features and probe are, for the runs that they are the same for."""
    watch: Watch
    mode: Mode = field(default_factory=Mode)
    outlook: Outlook = field(default_factory=Outlook)
    tuning: dict[str, Any] = field(default_factory=dict)
    """What learning turned out to be, for the scorecard."""
    features: dict[str, Array] = field(default_factory=dict)
    """(rows, width) of each part, and of the labels' names, as the pre-trained model gives them."""
    probe: Probe | None = None
    candidates: list[Fitted] = field(default_factory=list)
    """The candidates so far, from cheap to dear."""
    kept: Fitted | None = None
    """The candidate whose model stands in model/ now."""
    holder: str = PRETRAINED
    """The candidate that has moved the body of `ready.model`, whose weights that model has now."""

    @property
    def plan(self) -> Plan:
        return self.ready.plan

    @property
    def task(self) -> Task:
        return self.ready.rows.task

    def clock(self) -> float:
        """Seconds since the command began."""
        return self.watch.clock()

    def stop(self) -> bool:
        """Whether somebody wants it to stop."""
        return self.mode.stop()

    @property
    def learnt(self) -> list[Fitted]:
        """The candidates that may be kept, from cheap to dear."""
        return [one for one in self.candidates if one.weights is not None]

    @property
    def untouched(self) -> Fitted | None:
        """What a model that writes is as it came; None of others, which answer nothing before they have learnt."""
        return next((one for one in self.candidates if one.name == "untouched"), None)

    def targets(self, part: str) -> Array:
        return self.ready.examples[part].targets

    def clusters(self, part: str) -> Ints | None:
        """(rows of the part,) equal where they share something; None where none do."""
        return self.ready.rows.clusters(part)

    def clusters_of_units(self, part: str) -> Ints | None:
        """(units of the part,) equal where they are of one row, or of rows that share something; None where none are."""
        clusters, ends = self.clusters(part), self.ready.examples[part].unit_ends
        if ends is None:
            return clusters
        of: Ints = np.arange(len(ends) - 1) if clusters is None else clusters
        found: Ints = np.repeat(of, np.diff(ends))
        return found

    def sources(self, part: str) -> Sequence[Any]:
        """What the task needs to put its answers in the user's terms."""
        found = self.ready.examples[part].sources
        return () if found is None else list(found)

    def checkpoints(self, name: str) -> Checkpoints:
        """Where the states of a training are saved while it goes on."""
        every = self.plan.run.save_every
        seconds = None if every is None else seconds_of(every)
        share = SHARE if self.mode.writes_model else SHARE_OF_TRIAL
        return Checkpoints(self.folder.path / "state" / name, self.clock, seconds, share)

    # Models

    def begin_training(self, name: str) -> None:
        """Give `ready.model` to a candidate that is to move its body: as it came, whoever has moved it before."""
        if self.holder != PRETRAINED:
            self.ready = self.ready.renewed()
        self.holder = name

    def pretrained(self) -> HeadedModel:
        """The model as it came: the one in memory as long as nobody has moved its body, else opened once more."""
        if self.holder == PRETRAINED:
            return self.ready.model
        return self.ready.untrained().to(self.ready.device.torch)

    def model_of(self, fitted: Fitted) -> HeadedModel:
        """The model of a candidate: the one in memory where it has this body, else opened from disk."""
        assert fitted.weights is not None, "it has a model"
        body = fitted.weights.body
        if body == self.holder:
            return self.ready.model
        model = self.ready.untrained()
        if body != PRETRAINED:
            saved = self.folder.saved(body, Record)
            if saved is None:
                raise WorldError(
                    f"{self.folder.arrays_path(body)}: the weights of the {body} model are gone. Give the same command again: it "
                    "learns them once more."
                )
            model.load_state_dict({name: torch.from_numpy(array) for name, array in saved[0].items()})
        return model.to(self.ready.device.torch)

    def infer(self, model: HeadedModel, part: str) -> Outputs:
        """What a model gives for the rows of a part."""
        found: Outputs = self.task.infer(model, self.ready.examples[part], self.ready.device)
        return found

    # Scores

    def add(self, fitted: Fitted) -> None:
        """Calibrate a candidate if it learnt from labels, and score it on the validation rows."""
        how, examples = self.task.calibrating, self.ready.examples
        part = self.ready.rows.split.calibrates
        if how is not None and fitted.learns:
            plain = how.fit(fitted.outputs[part], examples[part]) if part else Calibration()
            fitted.calibration = how.decide(plain, fitted.outputs["valid"], examples["valid"])
        self.answer(fitted, "valid")
        self.candidates.append(fitted)

    def answer(self, fitted: Fitted, part: str) -> None:
        """Turn what a candidate gives for a part into answers and its score there."""
        task, examples = self.task, self.ready.examples[part]
        answers = task.answer(fitted.outputs[part], fitted.calibration, examples)
        fitted.answers[part] = answers
        clusters = self.clusters(part)
        fitted.scores[part] = task.scores(answers, self.targets(part), self.plan.run.seed, clusters)[
            task.metric
        ]

    def standard_error(self, ours: Fitted, theirs: Fitted) -> float:
        """The standard error of the difference of two candidates' scores on the validation rows."""
        answers = ours.answers["valid"], theirs.answers["valid"]
        measures = [self.task.measure(one, self.targets("valid"), self.clusters("valid")) for one in answers]
        return measures[0].standard_error(measures[1], self.plan.run.seed)

    def difference(self, ours: Fitted, theirs: Fitted, part: str) -> Difference:
        """How much better our answers to the rows of a part are than theirs."""
        answers = ours.answers[part], theirs.answers[part]
        return self.task.difference(
            *answers, self.targets(part), self.plan.run.seed, groups=self.clusters(part)
        )

    # What is kept

    def keep_at_first(self, fitted: Fitted) -> None:
        """Write the model of a candidate that trained no layers, where it is the best so far, unless there is a better one: of
        the round of labelling before, or of a training that an earlier command of this run began and this one goes on with."""
        if self.plan.data.continues is not None:
            return
        if self.kept is not None and best_on_validation([self.kept, fitted], self.task.metric) is self.kept:
            return
        left = Artefacts(self.folder.path / "model").record("luthier", SavedModelRecord)
        if left is None or left.method in {one.name for one in self.candidates}:
            self.keep(fitted)

    def keep(self, fitted: Fitted) -> None:
        """Write a candidate's model as the best so far."""
        self.kept = fitted
        if not self.mode.writes_model:
            return
        assert fitted.weights is not None, "it has a model"
        model = self.model_of(fitted)
        task, head = self.task.finished(fitted.weights.head or model.head)
        path, record = self.folder.path / "model", self.model_record(fitted, task)
        base = self.ready.base
        write_model(path, model, head, base.reader, record, INTERIM_CARD, base.folder.home)

    def model_record(self, fitted: Fitted, task: Task) -> ModelRecord:
        """What luthier.json says of a candidate's model. task: as it is finished."""
        ready = self.ready
        assert fitted.weights is not None, "it has a model"
        return ModelRecord(
            task=task.to_json(),
            calibration=fitted.calibration,
            pooling=ready.model.pooling,
            hidden=fitted.weights.hidden,
            long="windows" if ready.long.way == "windows" else "cut",
            columns=ready.rows.columns,
            base=self.plan.model.name,
            base_fingerprint=ready.base.fingerprint,
            method=fitted.name,
            luthier=version("luthier"),
            missing=self.plan.data.missing,
        )

    def interrupted(self) -> Interrupted:
        """What to tell when somebody asked to stop."""
        where = self.folder.path
        if self.kept is None:
            before, ready = self.plan.data.continues, "no model was ready yet"
            if (where / "model").is_dir():
                ready = "model/ is what an earlier command came to"
            elif before is not None:
                ready = f"the model is that of {before} until this round is over"
            return Interrupted(f"Interrupted; {ready}. `luthier resume {where}` goes on from what was saved.")
        return Interrupted(
            f"Interrupted. {where}/model holds the best model so far: {self.kept.name}, "
            f"{self.task.metric} {self.kept.scores['valid']} {on_validation(self.ready.rows.split.valid_from)}. "
            f"`luthier resume {where}` goes on from the last saved step."
        )
