"""The candidate that answers with the label whose training rows lie nearest on the mean, by the features of the frozen model."""

from collections.abc import Generator
from dataclasses import replace

from luthier.candidates.candidate import Candidate, Passes
from luthier.candidates.crossing import folds_of
from luthier.candidates.plain_probe import discriminant_as, probing
from luthier.candidates.pool import learns_of_few
from luthier.candidates.probe import footprint_of, outputs_of
from luthier.candidates.run import Run
from luthier.comparing.fitted import Fitted
from luthier.devices import with_threads
from luthier.events import Event
from luthier.prepare.prepare import Prepared
from luthier.train.probe.discriminant import CLASS_MEANS as FAMILY
from luthier.train.probe.discriminant import discriminant_seconds, fit_discriminant


class ClassMeansCandidate(Candidate):
    """The nearest class mean. It is shown and does not count: the probe of few rows is it, where whitening does not help."""

    name = "class-means"
    words = "the nearest class mean"
    counts = False
    learns = True
    in_trials = False
    crosses_itself = True

    def why_not(self, ready: Prepared) -> str:
        if not learns_of_few(ready):
            return "rows are held out, or have no one label each: it is shown beside the probe of few rows"
        told = ready.rows.task.contrasting is not None
        return "labels are texts, which say where a label lies before any row does" if told else ""

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        yield from ()  # a generator, as every `fit` is
        outputs, begin, folds = probing(run).outputs, run.clock(), folds_of(run)
        with with_threads(run.mode.wide):
            found = fit_discriminant(run.features["train"], run.targets("train"), outputs, folds, FAMILY)
        took = run.clock() - begin
        run.tuning[self.name] = {"sharpness": found.setting.sharpness}
        again = discriminant_as(replace(FAMILY, usual=found.setting), outputs)
        return Fitted(
            self.name,
            self.words,
            took,
            outputs_of(run, found.probe, found.held_out),
            footprint=footprint_of(run, again),
        )

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        targets = ready.examples["train"].targets
        return discriminant_seconds(targets, ready.model.width, ready.rows.task.outputs)


CLASS_MEANS = ClassMeansCandidate()
