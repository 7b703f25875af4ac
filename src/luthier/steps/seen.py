"""Some training rows as the kept model sees them: asked once, for all that compares other rows with them."""

from dataclasses import dataclass

from luthier.arrays import Array, Ints
from luthier.candidates.run import Run
from luthier.comparing.fitted import PRETRAINED, Fitted
from luthier.predict import logits_and_features_of
from luthier.prepare.trust_rows import reference_rows, sample
from luthier.scores.unlike import MOST
from luthier.tasks.outputs import Outputs


@dataclass(frozen=True)
class Seen:
    """Some training rows."""

    rows: Ints
    """Their places among the training rows, ascending."""
    features: Array | None
    """(rows, width) as the kept model has them; None where nobody reads the features of whole rows."""
    outputs: Outputs | None
    """What the model gives for them that learnt from training rows alone; None where none did, or nobody compares."""


def training_rows_seen(run: Run, kept: Fitted) -> Seen:
    """A fixed sample of the training rows. Where single answers are promised there are as many as the alarm looks at, asked once
    for both; else no more than there are validation rows."""
    task, examples = run.task, run.ready.examples["train"]
    if task.trusting is not None:
        rows = reference_rows(run.ready)
        if frozen(run, kept):
            return Seen(rows, run.features["train"][rows], of_probe(run, kept, rows))
        model = run.model_of(kept)
        logits, features = logits_and_features_of(model, examples.select(rows), run.ready.device)
        return Seen(rows, features, task.of_logits(logits, examples.select(rows)))
    rows = sample(len(examples), min(MOST, len(run.targets("valid"))))
    assert kept.weights is not None, "it has a model"
    if kept.weights.body == PRETRAINED:
        return Seen(rows, None, of_probe(run, kept, rows))
    if task.gap_metric is None or not len(rows):
        return Seen(rows, None, None)
    return Seen(rows, None, task.infer(run.model_of(kept), examples.select(rows), run.ready.device))


def of_probe(run: Run, kept: Fitted, rows: Ints) -> Outputs | None:
    """What the probe gave for training rows before it learnt from those that had chosen it too; None where it is not kept."""
    how, probe = run.task.probe, run.probe
    if how is None or probe is None or kept.weights is None or kept.weights.head is None:
        return None
    examples, features = run.ready.examples["train"], run.features["train"]
    if examples.tokens is not None:  # features are of words
        return how.answered(probe.logits(how.read(features)), examples).select(rows)
    return how.answered(probe.logits(how.read(features[rows])), examples.select(rows))


def frozen(run: Run, kept: Fitted) -> bool:
    """Whether the features of the kept model are those that were computed before anything was learnt."""
    assert kept.weights is not None, "it has a model"
    return kept.weights.body == PRETRAINED and "test" in run.features
