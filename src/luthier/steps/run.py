"""A run on its way: what it stands on, what has come of it so far, and the best model, which is always on disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from torch import nn

from luthier.compare.choice import TO_BEAT, Candidate
from luthier.errors import Interrupted
from luthier.folder.artefacts import Artefacts
from luthier.folder.model_record import ModelRecord, SavedModelRecord
from luthier.folder.run_folder import RunFolder
from luthier.folder.write import write_model
from luthier.models.headed import HeadedModel
from luthier.plan.duration import seconds_of
from luthier.plan.plan import Plan
from luthier.prepare.prepare import Prepared
from luthier.tasks.task import Array, Calibration, Task
from luthier.train.checkpoints import SHARE, Checkpoints
from luthier.train.probe.probe import Probe

SHARE_OF_TRIAL = 0.01
"""Of a trial's time that saving its state may take: it is one of many, and a kill costs little of a search."""

INTERIM_CARD = "The best model so far of a run of luthier that is not finished: it has not been tested yet.\n"

HELD_OUT = ("valid", "calibration", "test")
ANSWERED = ("valid", "test")
"""Parts that every candidate answers. What learnt nothing has nothing to calibrate."""


@dataclass
class Run:
    """What the steps hand on to each other."""

    ready: Prepared
    folder: RunFolder
    clock: Callable[[], float]
    stop: Callable[[], bool]
    shared: Artefacts
    """Where features and probe are, for the runs that they are the same for."""
    took: dict[str, float] = field(default_factory=dict)
    """Seconds of each step, in all the commands of the run."""
    earlier: dict[str, float] = field(default_factory=dict)
    """Seconds that earlier commands spent on steps whose outcome was found again."""
    tuning: dict[str, Any] = field(default_factory=dict)
    """What training turned out to be, for the scorecard."""
    features: dict[str, Array] = field(default_factory=dict)
    """(rows, width) of each part, and of the labels' names, as the pre-trained model gives them."""
    probe: Probe | None = None
    keeps: bool = True
    """Whether the best model so far is written; a trial's is not, only the one that its search names."""
    enough: Callable[[], bool] = lambda: False
    """Whether training is to end where it is: the best state so far is wanted, and no better one is expected."""
    wide: int | None = None
    """CPU threads of what no training stands in: passes over the frozen model, the probe, the test. None: as training's."""
    candidates: list[Candidate] = field(default_factory=list)
    """From cheap to dear."""
    kept: Candidate | None = None
    """Whose model stands in model/ now."""
    foretold_from: float | None = None
    """Seconds of training from which on it is foretold when it is to begin; None: it was foretold before, or nobody asks."""
    step_seconds: float | None = None
    """What a step was foretold to take; None where that was not told."""
    spared: str = ""
    """Why no layers were trained, where a method was not named and they could not have won."""
    tokens: int = 0
    training_seconds: float = 0.0

    @property
    def plan(self) -> Plan:
        return self.ready.plan

    @property
    def task(self) -> Task:
        return self.ready.rows.task

    @property
    def learnt(self) -> list[Candidate]:
        """The candidates that may be kept, from cheap to dear."""
        # Vectors are there before anything is learnt: they are kept where learning makes them no better.
        return [one for one in self.candidates if one.name not in TO_BEAT or not self.task.majority]

    def targets(self, part: str) -> Array:
        return self.ready.examples[part].targets

    def sources(self, part: str) -> Sequence[Any]:
        """What the task needs to put its answers in the user's terms."""
        found = self.ready.examples[part].sources
        return () if found is None else list(found)

    def checkpoints(self, name: str) -> Checkpoints:
        """Where the states of a training are saved while it goes on."""
        every = self.plan.run.save_every
        seconds = None if every is None else seconds_of(every)
        share = SHARE if self.keeps else SHARE_OF_TRIAL
        return Checkpoints(self.folder.path / "state" / name, self.clock, seconds, share)

    def add(self, candidate: Candidate, learnt: bool) -> None:
        """Calibrate a candidate if it learnt from labels, and score it on the validation rows."""
        task, examples = self.task, self.ready.examples
        part = self.ready.rows.split.calibrates
        if learnt:
            calibration = task.calibrate(candidate.logits[part], examples[part]) if part else Calibration()
            candidate.calibration = task.with_thresholds(
                calibration, candidate.logits["valid"], examples["valid"]
            )
        self.answer(candidate, "valid")
        self.candidates.append(candidate)

    def answer(self, candidate: Candidate, part: str) -> None:
        """Turn a candidate's logits on a part into answers and its score there."""
        task, examples = self.task, self.ready.examples[part]
        probabilities = task.probabilities(candidate.logits[part], candidate.calibration, examples)
        predicted = task.predicted(probabilities, candidate.calibration, examples)
        candidate.probabilities[part], candidate.predicted[part] = probabilities, predicted
        scores = task.scores(probabilities, predicted, self.targets(part), self.plan.run.seed)
        candidate.scores[part] = scores[task.metric]

    def standard_error(self, ours: Candidate, theirs: Candidate) -> float:
        """Of the difference of two candidates' scores on the validation rows."""
        answers = ours.predicted["valid"], theirs.predicted["valid"]
        return standard_error(self.task, *answers, self.targets("valid"), self.plan.run.seed)

    def model_record(self, candidate: Candidate, task: Task, hidden: tuple[int, ...]) -> ModelRecord:
        """What luthier.json says of a candidate's model. task: as it is finished."""
        ready = self.ready
        return ModelRecord(
            task=task.to_json(),
            calibration=candidate.calibration,
            pooling=ready.model.pooling,
            hidden=hidden,
            long="windows" if ready.long.way == "windows" else "cut",
            columns=ready.rows.columns,
            base=self.plan.model.name,
            base_fingerprint=ready.base_fingerprint,
            method=candidate.name,
            luthier=version("luthier"),
            missing=self.plan.data.missing,
        )

    def keep_at_first(self, candidate: Candidate, head: nn.Sequential) -> None:
        """Write the model of a candidate that learnt no layers, unless an earlier command of this run has left a better one: a
        training that was stopped, and goes on."""
        left = Artefacts(self.folder.path / "model").record("luthier", SavedModelRecord)
        if left is None or left.method != "tuned":
            self.keep(candidate, head, hidden=())

    def keep(
        self,
        candidate: Candidate,
        head: nn.Sequential,
        hidden: tuple[int, ...],
        model: HeadedModel | None = None,
    ) -> None:
        """Write a candidate's model as the best so far. model: the body under the head; None: as it is now."""
        self.kept, ready = candidate, self.ready
        if not self.keeps:
            return
        path, finished = self.folder.path / "model", self.task.finished_head(head)
        record = self.model_record(candidate, self.task.finished(finished), hidden)
        write_model(path, model or ready.model, finished, ready.reader, record, INTERIM_CARD)

    def interrupted(self) -> Interrupted:
        """What to tell when somebody asked to stop."""
        where = self.folder.path
        if self.kept is None:
            earlier = (where / "model").is_dir()
            ready = "model/ is what an earlier command came to" if earlier else "no model was ready yet"
            return Interrupted(f"Interrupted; {ready}. `luthier resume {where}` goes on from what was saved.")
        return Interrupted(
            f"Interrupted. {where}/model holds the best model so far: {self.kept.name}, "
            f"{self.task.metric} {self.kept.scores['valid']} on the validation rows. "
            f"`luthier resume {where}` goes on from the last saved step."
        )


def standard_error(task: Task, ours: Array, theirs: Array, targets: Array, seed: int) -> float:
    """Of the difference between the scores of two sets of answers to the same rows."""
    return task.measure(ours, targets).standard_error(task.measure(theirs, targets), seed)
