"""The candidate that answers as the nearest training rows are labelled, by the features of the frozen model."""

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.candidates.candidate import Candidate, timed_answers
from luthier.candidates.fewer_rows import with_fewer
from luthier.candidates.run import HELD_OUT, Run
from luthier.comparing.fitted import Fitted, Footprint, Smaller, tried_rows
from luthier.devices import with_threads
from luthier.events import Event, Noted
from luthier.prepare.prepare import Prepared
from luthier.tasks.outputs import Outputs
from luthier.tasks.probing import Probing
from luthier.train.probe.neighbours import COUNTS, Neighbours, nearest, unit_length

MOST_STORED = 10_000
"""Training rows that are kept to be asked, at the most."""
TRIED_ON = 2_000
"""Training rows on which numbers of neighbours are tried, at the most, each without itself."""


class NeighboursCandidate(Candidate):
    """The labels of the nearest training rows. It is shown and does not count: it stores the training rows, and asks the model
    for each row all the same."""

    name = "neighbours"
    words = "the nearest training rows"
    counts = False
    learns = True
    in_trials = False

    def why_not(self, ready: Prepared) -> str:
        task = ready.rows.task
        if task.probe is None:
            return f"no features of the untrained model stand for rows of {task.name}"
        if ready.examples["train"].tokens is not None:
            return "words are labelled by what stands around them, and not by those that are alike"
        rows = len(ready.examples["train"])
        return (
            "" if rows > 1 else "there is a single training row" if rows else "there is no row to learn from"
        )

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        how, begin, examples = run.task.probe, run.clock(), run.ready.examples
        assert how is not None, "it competes only where there is a way"
        order = seeds.generator(run.plan.run.seed, "neighbours").permutation(len(examples["train"]))[
            :MOST_STORED
        ]
        if len(order) < len(examples["train"]):
            stored, there = f"{len(order):,}", f"{len(examples['train']):,}"
            told = f"Neighbours are looked for among {stored} of {there} training rows, drawn at random."
            yield Noted(told, run.clock())
        with with_threads(run.mode.wide):
            vectors = unit_length(run.features["train"][order])
            found = chosen(vectors, how.to_learn(run.targets("train"))[order], how)

            def answer(part: str) -> Outputs:
                return how.answered(found.values(run.features[part]), examples[part])

            outputs, seconds = timed_answers(run, HELD_OUT, answer)
            took = run.clock() - begin
            smaller: tuple[Smaller, ...] = ()
            if run.mode.tells_growth:
                few = tried_rows(len(examples["test"]))
                asked = run.features["test"][few]

                def again(rows: Ints) -> Array:
                    return replace(found, vectors=vectors[rows], targets=found.targets[rows]).values(asked)

                smaller = with_fewer(again, how, examples["test"].select(few), len(order), run.plan.run.seed)
        run.tuning[self.name] = {"neighbours": found.count}
        nbytes = found.vectors.nbytes + found.targets.nbytes
        footprint = Footprint(seconds, bytes=nbytes, learnt=len(order), smaller=smaller)
        return Fitted(self.name, self.words, took, outputs, footprint=footprint)


NEIGHBOURS = NeighboursCandidate()


def chosen(vectors: Array, targets: Array, how: Probing) -> Neighbours:
    """Stored rows, with the number of neighbours that answers the rows themselves best, each without itself (leave-one-out
    cross-validation); of equals the larger one, which shakes less. Not more than a label has rows: the others could not but
    vote for other labels."""
    asked = np.arange(min(TRIED_ON, len(vectors)))
    near = nearest(vectors[asked], vectors, max(COUNTS), own=asked)
    found = Neighbours(vectors, targets, how.outputs, 1)
    most = min(near.shape[1], found.most_alike)
    counts = [count for count in COUNTS if count <= max(1, most)]
    scores = {count: how.fit_score(found.of_nearest(near[:, :count]), targets[asked]) for count in counts}
    return replace(found, count=max(counts, key=lambda count: (scores[count], count)))
