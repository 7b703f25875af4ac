"""The rows on which the base is compared with what was tuned from it: so few that measuring takes a small share of the run."""

from dataclasses import dataclass

import numpy as np

from luthier import seeds
from luthier.arrays import Ints
from luthier.batches.examples import Examples
from luthier.models.heads import HEADS
from luthier.models.knowledge import Knowledge
from luthier.prepare.general import General, read_general
from luthier.prepare.prepare import Prepared

SHARE = 0.05
"""Largest share of what the run computes as planned that measuring may compute. Training may end after half of its epochs, and
then it is a tenth."""
BACK = 3
"""A training step computes so many times what a look at its rows does: the way back costs twice the way there."""
LOOKS, LOOKS_AT_GENERAL = 3, 2
"""How often the rows of a panel go through a model: the base, the tuned one, and once more for the cosine of features."""
MOST = 512
"""The most validation rows that are looked at, and the most general ones."""
FEWEST = 16
"""Validation rows that are looked at however short the run is."""
FEWEST_OF_A_TOPIC = 5
"""General rows of a topic, on average, below which no probe is fitted."""
FEWEST_READ = 16
"""General texts below which no perplexity is told."""


@dataclass(frozen=True)
class Panel:
    """The rows that both models look at."""

    rows: Ints
    """Numbers of the validation rows, ascending."""
    valid: Examples
    general: General
    chosen: Ints
    """Numbers of the general texts, ascending; none where they are too few to tell anything, or the run is too short."""
    texts: Examples | None
    """These general texts; None where none are chosen."""


def knowledge_of(ready: Prepared) -> Knowledge:
    """What the base says, by which it is told how far a model has moved from it."""
    return HEADS[ready.rows.task.head].knowledge(ready.base.folder, ready.model)


def panel_of(ready: Prepared, knowledge: Knowledge) -> Panel:
    """The rows to look at: as many as the plan's length allows, drawn with the run's seed."""
    valid, seed, room = ready.examples["valid"], ready.plan.run.seed, room_of(ready)
    general = read_general(ready.plan.data.general)
    texts = ready.base.reader.general(general.texts)
    most = room / 2 / LOOKS
    if knowledge.most_tokens is not None:
        most = min(most, knowledge.most_tokens)
    rows = drawn(valid.lengths, most, FEWEST, seeds.generator(seed, "panel").permutation(len(valid)))
    chosen = np.zeros(0, np.int64)
    if texts is not None:
        order = seeds.generator(seed, "general").permutation(len(texts))
        if ready.plan.train.replay:
            order = order[: len(texts) // 2]  # what is learnt on the way is not asked for afterwards
        chosen = drawn(texts.lengths, room / 2 / LOOKS_AT_GENERAL, 0, order)
        fewest = FEWEST_READ if knowledge.reads_on else FEWEST_OF_A_TOPIC * general.topics
        told = knowledge.reads_on or general.topics > 1
        chosen = chosen if told and len(chosen) >= fewest else chosen[:0]
    few = None if texts is None or not len(chosen) else texts.select(chosen)
    return Panel(rows, valid.select(rows), general, chosen, few)


def room_of(ready: Prepared) -> float:
    """Tokens, or as much of images, that measuring may send through a model. Told from the rows as they were divided, as training
    may have put others in their place, and a run that goes on is to find the same panel again."""
    planned = 1 + BACK * (ready.plan.train.epochs or 0.0)
    valid = ready.examples["valid"].lengths
    return SHARE * planned * len(ready.rows.split.train) * float(valid.mean() if len(valid) else 0.0)


def drawn(lengths: Ints, most: float, fewest: int, order: Ints) -> Ints:
    """The first rows of an order that are no longer than `most` together, in ascending order: at least `fewest`, at most MOST."""
    fitting = int(np.searchsorted(np.cumsum(lengths[order]), most, side="right"))
    found: Ints = np.sort(order[: min(MOST, max(fewest, fitting))])
    return found
