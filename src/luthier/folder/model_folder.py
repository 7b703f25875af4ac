"""A finished model on disk: what `tune` returns and `load` opens."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from luthier.batches.examples import Examples
from luthier.devices import Device, choose
from luthier.errors import InputError, PlanError, RowsError, RunError, did_you_mean, listing
from luthier.files import refuse_link_away, refuse_links_away
from luthier.folder.artefacts import run_inside
from luthier.folder.model_record import FILE, MEND, ModelRecord, doubts, tell
from luthier.folder.nearest import NEAREST, TrainingRows, read_nearest
from luthier.folder.scorecard import Scorecard
from luthier.folder.trust import Trust, read_trust, referred, stream_words
from luthier.forms.form import Form
from luthier.models.headed import HeadedModel
from luthier.models.heads.head import Saved
from luthier.models.hub.inspect import Folder, inspect_folder
from luthier.models.load import reload_model
from luthier.models.readers.reading import Reader, preparation_of
from luthier.predict import Predictions, all_features_of, logits_and_features_of, logits_of
from luthier.records import complaint, read_json, spelt
from luthier.tasks import TASKS
from luthier.tasks.kind import Kind
from luthier.tasks.occlusion import Asked, weighed
from luthier.tasks.task import Task


class ModelFolder:
    """A run's folder, the model folder inside one, or the folder of a search, which holds its best run. Weights are loaded
    at the first prediction."""

    def __init__(self, path: str | Path) -> None:
        """Raises RunError when there is no model that luthier saved."""
        self.path = run_inside(Path(path))
        inner = self.path / "model"
        self.model_path = inner if os.path.lexists(inner / FILE) else self.path
        refuse_links_away(self.model_path, self.path)
        if self.model_path.is_symlink() and self.model_path == inner:
            refuse_link_away(inner, self.path)
        file = self.model_path / FILE
        try:
            record = read_json(file, within=self.path, mend=MEND)
        except (FileNotFoundError, NotADirectoryError):
            there = "is a file" if self.path.is_file() else "holds no model/luthier.json"
            what = there if self.path.exists() else "there is no such folder"
            raise RunError(
                f"{self.path}: {what}, so it is not a model that luthier saved. `luthier tune` makes one."
            ) from None
        self.model_record = ModelRecord.from_json(record, str(file))
        self.kind, self.task = restored(self.model_record, str(file))

    @cached_property
    def scorecard(self) -> Scorecard:
        """What the run measured. Raises RunError for a run that is not finished."""
        return Scorecard.read(self.path)

    @cached_property
    def form(self) -> Form:
        """What a row is made of."""
        return self.kind.form(self.task)

    @cached_property
    def folder(self) -> Folder:
        return inspect_folder(str(self.path), self.model_path, self.form.files)

    @cached_property
    def reader(self) -> Reader:
        """Tokenizer or image processor."""
        return self.form.open(self.folder)

    @cached_property
    def doubts(self) -> list[str]:
        """What of the model is not as luthier wrote it, a sentence each."""
        return doubts(self.model_path)

    @cached_property
    def model(self) -> HeadedModel:
        """Loaded at the first use; what has changed since luthier wrote it is told on standard error."""
        tell(self.doubts)
        own = self.model_record.pooling, self.model_record.hidden
        saved = Saved(self.task.head, self.task.outputs, *own)
        return reload_model(self.folder, saved, preparation_of(self.reader))

    @cached_property
    def device(self) -> Device:
        return choose(precision="fp32")

    def examples(self, rows: Sequence[Any]) -> Examples:
        """Rows as the model reads them when it is asked."""
        asked = list(map(self.form.asked, rows))
        return self.form.read(self.reader, asked, np.zeros(len(rows), np.int64), self.model_record.long)[0]

    def logits(self, rows: Sequence[Any]) -> np.ndarray[Any, np.dtype[Any]]:
        """(units, outputs) uncalibrated, in fp32: what the saved model gives in its own library."""
        return logits_of(self.model.to(self.device.torch), self.examples(rows), self.device)

    def predict(
        self, rows: Sequence[Any] | str, error: float | None = None, explain: Sequence[str] | str = ()
    ) -> Predictions:
        """Calibrated answers for rows, in their order: texts, pairs of texts, and so on, as the task reads them; or JSON objects
        of these, whose keys are the roles of the columns.

        error: the largest share of wrong answers that is allowed: a row that cannot be answered so has none, and the reason
        under `refer` (docs/trust.md).  explain: what each answer comes with, `nearest` and `words` or `regions` (docs/slices.md).
        """
        given = [rows] if isinstance(rows, str) else list(rows)
        wanted = explanations_named(explain)
        self.refuse_promise(error)
        self.refuse_explaining(wanted)
        try:
            return self.answers(self.form.given(given), error, wanted)
        except RowsError as refused:
            raise refused.named("row {}".format) from refused

    def answers(
        self, rows: Sequence[Any], error: float | None = None, explain: Sequence[str] = ()
    ) -> Predictions:
        """Calibrated answers for rows as the task itself makes them of a table; none for one that has nothing to read. error and
        explain: as `predict` takes them."""
        read = [at for at, row in enumerate(rows) if not self.form.blank(row)]
        beyond = {read[at] for at in self.too_long(rows, read)}
        full = [at for at in read if at not in beyond]
        found = Predictions((), self.task.answer_key)
        if full and error is None:
            found = self.answered([rows[at] for at in full])
        elif full and error is not None:
            found = self.trusted([rows[at] for at in full], full, error)
        if full and explain:
            found = self.explained(found, [rows[at] for at in full], explain)
        if len(full) == len(rows):
            return found
        none = dict.fromkeys(found.rows[0] if full else (self.task.answer_key,))
        none |= {} if error is None else {"refer": "empty"}
        by_row = dict(zip(full, found.rows, strict=True))
        return Predictions(
            tuple(by_row.get(at, none) for at in range(len(rows))),
            self.task.answer_key,
            unanswered=len(rows) - len(read),
            beyond=len(beyond),
            told=found.told,
        )

    def too_long(self, rows: Sequence[Any], read: Sequence[int]) -> list[int]:
        """Which of the rows that are read leave no room for an answer. Raises RowsError with numbers of all rows."""
        try:
            return self.form.too_long(self.reader, [rows[at] for at in read])
        except RowsError as error:
            raise RowsError(error.said, [read[at] for at in error.rows], error.remedy) from error

    def answered(self, rows: Sequence[Any]) -> Predictions:
        examples = self.examples(rows)
        outputs = self.task.infer(self.model.to(self.device.torch), examples, self.device)
        answers = self.task.answer(outputs, self.model_record.calibration, examples)
        sources = [] if examples.sources is None else list(examples.sources)
        return Predictions(tuple(self.task.lines(answers, sources)), self.task.answer_key)

    @property
    def explanations(self) -> tuple[str, ...]:
        """What an answer may come with, so that a person sees what it rests on; none where the task has nothing of that."""
        near = [] if self.task.trusting is None else [NEAREST]
        pieces = None if self.task.explaining is None else self.form.pieces
        return (*near, *([] if pieces is None else [pieces]))

    def refuse_explaining(self, explain: Sequence[str]) -> None:
        """Raise PlanError for an explanation that this model has none of, RunError where it does not keep what it takes."""
        if explain and not self.explanations:
            raise PlanError(
                f"--explain: answers of {self.kind.name} are not explained. Leave it out; labels and numbers have it."
            )
        for name in explain:
            if name not in self.explanations:
                raise PlanError(
                    f"--explain {name}: there is no such explanation of {self.kind.name}.{did_you_mean(name, self.explanations)} "
                    f"There is {listing(self.explanations)}."
                )
        if NEAREST in explain:
            assert self.training_rows is not None, "they are there, or that was said"

    @cached_property
    def training_rows(self) -> TrainingRows:
        """Training rows to compare with. Raises RunError where there are none."""
        return read_nearest(self.model_path)

    def explained(self, found: Predictions, rows: Sequence[Any], explain: Sequence[str]) -> Predictions:
        """Answers, each with what was asked for beside it."""
        model, more = self.model.to(self.device.torch), [dict(one) for one in found.rows]
        if NEAREST in explain:
            features = all_features_of(model, self.examples(rows), self.device)
            for line, near in zip(more, self.training_rows.nearest(features), strict=True):
                line[NEAREST] = [self.training_rows.told(one) for one in near]
        pieces = self.form.pieces
        if pieces is not None and pieces in explain:
            asked = Asked(
                self.task,
                self.form,
                self.model_record.calibration,
                self.examples,
                lambda examples: self.task.infer(model, examples, self.device),
            )
            for line, own in zip(more, weighed(asked, rows), strict=True):
                line[pieces] = [one.to_json() for one in own]
        return replace(found, rows=tuple(more))

    @cached_property
    def trust(self) -> Trust:
        """What single answers are promised by. Raises RunError where there is nothing of that."""
        if self.model_record.trust is None:
            raise RunError(
                f"{self.model_path / FILE}: holds nothing by which an error could be promised: there were no rows to calibrate "
                "on, or to test on, or an older luthier wrote it. Tune with more labelled rows, or leave --error out."
            )
        return read_trust(self.model_path)

    def refuse_promise(self, error: float | None) -> None:
        """Raise PlanError for a limit of error that is none, or that this task promises nothing at; RunError where the model does
        not keep what it takes."""
        if error is None:
            return
        if self.task.trusting is None:
            raise PlanError(
                f"--error: {self.kind.name} promises nothing of single answers. Leave it out; labels and numbers have it."
            )
        if not 0 < error < 1:
            raise PlanError(
                f"--error {error:g}: expected a share between 0 and 1, as in --error 0.05: at most 5 % of what is answered may "
                "be wrong."
            )
        assert self.trust is not None, "it is there, or that was said"

    def trusted(self, rows: Sequence[Any], numbers: Sequence[int], error: float) -> Predictions:
        """Answers where at most a share of them is wrong. numbers: (rows,) the number of each row for who reads the answers."""
        how, trust, task = self.task.trusting, self.trust, self.task
        assert how is not None, "it was asked before"
        examples, model = self.examples(rows), self.model.to(self.device.torch)
        logits, features = logits_and_features_of(model, examples, self.device)
        outputs = task.of_logits(logits, examples)
        answers = task.answer(outputs, self.model_record.calibration, examples)
        promise = how.promise(trust.known, outputs, answers, error)
        lines, told, p = task.lines(answers), list(promise.told), None
        if trust.alarm is not None:
            scores = trust.alarm.scores(features)
            p = trust.alarm.p_values(scores)
            told += filter(None, [stream_words(trust.alarm, scores, numbers)])
        rows = referred(lines, task.answer_key, promise, p)
        return Predictions(tuple(rows), task.answer_key, told=tuple(told))

    def __repr__(self) -> str:
        try:
            metric = self.scorecard.metric
        except InputError:
            return f"ModelFolder({str(self.path)!r})"
        if not self.scorecard.card.measured:
            return f"ModelFolder({str(self.path)!r}, nothing measured)"
        estimate = self.scorecard.test[metric]
        half = (estimate.high - estimate.low) / 2
        return f"ModelFolder({str(self.path)!r}, {metric} {estimate.value:.2f} ± {half:.2f})"


def explanations_named(given: Sequence[str] | str) -> list[str]:
    """The names of explanations, however they are given.

    >>> explanations_named("nearest, words"), explanations_named(["words"])
    (['nearest', 'words'], ['words'])
    """
    names = given.split(",") if isinstance(given, str) else given
    return [name.strip() for name in names if name.strip()]


def task_told(told: Mapping[str, Any], place: str) -> tuple[Kind, Task]:
    """The task that a record tells of. place: where it stands, for the message. Raises RunError that names the field."""
    name = told.get("name")
    if not isinstance(name, str) or name not in TASKS:
        known = listing(TASKS)
        raise RunError(
            f"{place}: is damaged: 'task.name' is {spelt(name)}, and should be one of {known}. {MEND}"
        )
    try:
        return TASKS[name], TASKS[name].restore(dict(told))
    except ValidationError as error:
        raise RunError(f"{place}: is damaged: of the task {complaint(error.errors()[0])} {MEND}") from None


def restored(record: ModelRecord, place: str) -> tuple[Kind, Task]:
    """The task of a model. place: where it stands, for the message. Raises RunError that names the field."""
    kind, task = task_told(record.task, place)
    lines = [len(one) for one in (record.calibration.scale, record.calibration.thresholds) if one]
    if record.task.get("many") and any(length != task.outputs for length in lines):
        raise RunError(f"{place}: is damaged: its calibration is not that of {task.outputs} labels. {MEND}")
    return kind, task


def load(path: str | Path) -> ModelFolder:
    """Open a run's folder, or the model folder inside one. Raises RunError when it is neither."""
    return ModelFolder(path)
