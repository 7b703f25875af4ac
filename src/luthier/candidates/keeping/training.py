"""What a plan wants learnt beside the task, so that less is forgotten: what the base made of the rows, and general texts."""

import contextlib
from collections.abc import Iterator

import numpy as np

from luthier.candidates.keeping.panel import knowledge_of, panel_of
from luthier.candidates.run import Run
from luthier.prepare.prepare import Prepared
from luthier.train.distillation import Distillation
from luthier.train.replay import Replay


@contextlib.contextmanager
def distillation(run: Run) -> Iterator[Distillation | None]:
    """Inside, the distillation that the plan wants sees what the model's head reads; None where it wants none."""
    strength = run.plan.train.distill
    if not strength:
        yield None
        return
    found = Distillation(run.features["train"], strength, knowledge_of(run.ready).old_head)
    with found.listening(run.ready.model):
        yield found


def replay_of(ready: Prepared) -> Replay | None:
    """The general texts that are learnt in each step, none of which is measured later; None where the plan wants none."""
    train = ready.plan.train
    if not train.replay or train.batch_rows is None:
        return None
    panel = panel_of(ready, knowledge_of(ready))
    texts = ready.base.reader.general(panel.general.texts)
    assert texts is not None, "prepare refuses replay for who reads no texts"
    others = np.setdiff1d(np.arange(len(texts)), panel.chosen)
    rows = max(1, round(train.replay * train.batch_rows))
    return Replay(texts.select(others), rows, ready.plan.run.seed)
