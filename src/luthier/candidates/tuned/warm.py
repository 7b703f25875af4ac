"""A next round of labelling trains on from the layers that the round before has trained, for a part of the steps."""

from pathlib import Path

import numpy as np

from luthier.candidates.probe import last_layer
from luthier.candidates.run import Run
from luthier.folder.model_folder import ModelFolder
from luthier.predict import features_of
from luthier.prepare.continued import Earlier
from luthier.train.probe.probe import STRENGTHS, solve_probe


def start_warm(run: Run, name: str) -> bool:
    """Give the body the weights that a candidate of this name has in the run that is gone on from, and start the head from a
    linear one on their features; whether there are any.

    A new label, or one row more of an old one, is told by features that know the others already: so few steps are enough.
    """
    continues = run.plan.data.continues
    if continues is None or Earlier.of(continues).trained != name:
        return False
    ready = run.ready
    ready.model.body.load_state_dict(ModelFolder(Path(continues)).model.body.state_dict())
    ready.masters.refresh()
    how, train = run.task.probe, ready.examples["train"]
    if how is None:
        return True
    features = np.zeros((train.units, ready.model.width), np.float32)
    with ready.masters.reporting():
        for _, where, found in features_of(
            ready.model, train, ready.device, by_unit=train.tokens is not None
        ):
            features[where] = found
    head = solve_probe(how.read(features), how.to_learn(train.targets), how.outputs, STRENGTHS[0])
    head.start(last_layer(ready.model.head))
    return True
