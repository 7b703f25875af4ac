"""A next round of labelling goes on from the body that few-shot has trained in the round before, for a part of the steps."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from luthier.arrays import Ints
from luthier.candidates.crossing import put_together
from luthier.candidates.few_shot.contrasted import ANSWERS
from luthier.candidates.records import ScoredRecord
from luthier.candidates.run import Run
from luthier.folder.model_folder import ModelFolder
from luthier.folder.run_folder import RunFolder
from luthier.prepare.continued import FEW_SHOT, Earlier
from luthier.prepare.prepare import Prepared
from luthier.tasks.outputs import Outputs

SHARE = 0.4
"""Part of the way that is gone anew. The body first goes back as much of the way from where it began, so that after any number
of rounds it is about as far from the pre-trained weights as one that learns from nothing (contrasted.py, WAY)."""


@dataclass(frozen=True)
class RoundBefore:
    """What the round before has left to go on from."""

    run: Path
    answers: Outputs | None
    """What it gave in turns for the rows that it learnt from; None where rows are held out."""
    places: Ints
    """(validation rows,) where the answer to each stands among these; -1 for a row that the round before has not learnt from."""

    def answered(self, run: Run) -> Outputs:
        """What was given for the validation rows by what had not learnt from them: known ones keep their answers, new ones are
        answered by the model of the round before (prequential validation: Dawid 1984, JRSS A 147). The model of `run` has its
        weights."""
        assert self.answers is not None, "rows are answered in turns"
        examples, known = run.ready.examples["valid"], np.flatnonzero(self.places >= 0)
        new = np.flatnonzero(self.places < 0)
        found: list[Outputs] = [self.answers.select(self.places[known])]
        if len(new):
            found.append(run.task.infer(run.ready.model, examples.select(new), run.ready.device))
        return put_together(run.task, found, np.concatenate([known, new]), examples)


def round_before(ready: Prepared) -> RoundBefore | None:
    """What few-shot goes on from; None where it learns from nothing: in a first round, where it was not kept in the round before,
    where labels differ, or where a row that is to be answered was learnt from there and never answered in turn, or shares
    something with one that was."""
    continues, rows = ready.plan.data.continues, ready.rows
    if continues is None:
        return None
    earlier = Earlier.of(continues)
    if earlier.trained != FEW_SHOT or ModelFolder(earlier.path).task.known_labels != rows.task.known_labels:
        return None
    by_part = rows.keys()
    keys = by_part["valid"]
    if earlier.has_learnt(by_part, rows.split.crossed):
        return None
    if not rows.split.crossed:
        return RoundBefore(earlier.path, None, np.zeros(0, np.int64))
    saved = RunFolder(earlier.path, earlier.key).saved(ANSWERS, ScoredRecord)
    if saved is None or len(saved[0].get("valid", ())) != len(earlier.keys["valid"]):
        return None
    first = {key: at for at, key in reversed(list(enumerate(earlier.keys["valid"].tolist())))}
    places = np.array([first.get(key, -1) for key in keys.tolist()], np.int64)
    known, clusters = np.isin(keys, earlier.keys["train"]), rows.clusters("valid")
    if known[places < 0].any():
        return None
    if clusters is not None and np.isin(clusters[places < 0], clusters[known]).any():
        return None  # what shares something with a row that was learnt from is not answered by what learnt from it
    answers = rows.task.saved_outputs("valid", saved[0], saved[1].outputs, ready.examples["valid"])
    return RoundBefore(earlier.path, answers, places)


def take_over(ready: Prepared, run: Path) -> dict[str, Tensor]:
    """Give the model the weights of the round before; those that it had."""
    begin = {name: tensor.clone() for name, tensor in ready.model.body.state_dict().items()}
    ready.model.load_state_dict(ModelFolder(run).model.state_dict())
    ready.masters.refresh()
    return begin


def go_back(ready: Prepared, begin: dict[str, Tensor]) -> None:
    """Bring the body a part of the way back to where it began."""
    now = ready.model.body.state_dict()
    with torch.no_grad():
        for name, tensor in now.items():
            if tensor.is_floating_point():
                tensor.lerp_(begin[name].to(tensor.device), SHARE)
    ready.masters.refresh()
