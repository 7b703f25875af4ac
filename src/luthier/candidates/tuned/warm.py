"""A next round of labelling trains on from the layers that the round before has trained, for a part of the steps."""

from pathlib import Path

from torch import nn

from luthier.candidates.run import Run
from luthier.folder.model_folder import ModelFolder
from luthier.predict import all_features_of
from luthier.prepare.continued import Earlier, trains_on
from luthier.train.probe.probe import STRENGTHS, Probe, solve_probe


def start_warm(run: Run) -> bool:
    """Give the model the weights of the run that is gone on from, where training is to begin there; whether it is. Not where rows
    are held out now that they have learnt from.

    The head is taken over only where no linear head on features can be solved for: there may be new labels.
    """
    continues = run.plan.data.continues
    if continues is None:
        return False
    rows = run.ready.rows
    if not trains_on(run.plan, Earlier.of(continues), rows.keys(), rows.split.crossed):
        return False
    ready, before = run.ready, ModelFolder(Path(continues)).model
    ready.model.body.load_state_dict(before.body.state_dict())
    ready.masters.refresh()
    if run.task.probe is None and fits(ready.model.head, before.head):
        ready.model.head.load_state_dict(before.head.state_dict())
    return True


def fits(ours: nn.Module, theirs: nn.Module) -> bool:
    """Whether two heads have the same layers."""
    return {name: one.shape for name, one in ours.state_dict().items()} == {
        name: one.shape for name, one in theirs.state_dict().items()
    }


def probe_of_now(run: Run) -> Probe:
    """A linear head on what the model makes of the training rows now, by which training starts knowing the new ones too."""
    how, ready, train = run.task.probe, run.ready, run.ready.examples["train"]
    assert how is not None, "a head starts from a probe where there is one"
    with ready.masters.reporting():
        features = all_features_of(ready.model, train, ready.device, by_unit=train.tokens is not None)
    return solve_probe(how.read(features), how.to_learn(train.targets), how.outputs, STRENGTHS[0])
