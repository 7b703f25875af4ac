"""Parts of a text as answers: the best one of all windows, how sure it is, and what is said of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.passages import Passage
from luthier.tasks.answers import Answers
from luthier.tasks.calibration import Calibration
from luthier.tasks.question_answering.sentences import Place

BEST_ENDS = 20
"""How many of the likeliest beginnings and ends of each window are combined."""
FAR = 1e4
"""Margin of a row for which there is no span at all."""
SUREST = 60.0
"""Largest score of an answer: nothing is surer."""
RIGHT, SILENT = 0, 1
"""Lines of a calibration: to the chance that an answer is right, and that there is none."""


@dataclass(frozen=True)
class Found:
    """The best answer of a row, whether it is given or not."""

    text: str
    start: int
    end: int
    margin: float
    """Score of 'no answer' less that of the answer: the higher, the rather there is none."""
    lead: float
    """Score of the answer less that of the next best, or of 'no answer'."""
    probability: float
    """The chance that it is right, word for word."""
    silence: float
    """The chance that there is no answer."""


@dataclass(frozen=True)
class Said:
    """What is answered: an empty text where nothing is."""

    text: str = ""
    start: int = -1
    end: int = -1


@dataclass(frozen=True)
class Spans(Answers):
    """The best answer to each question, and what is said of it."""

    found: tuple[Found, ...]
    said: tuple[Said, ...]

    def __len__(self) -> int:
        return len(self.said)

    def select(self, rows: Ints) -> "Spans":
        return Spans(tuple(self.found[row] for row in rows), tuple(self.said[row] for row in rows))

    @property
    def texts(self) -> list[str]:
        """What is said to each question; empty where nothing is."""
        return [one.text for one in self.said]


def said_of(found: Sequence[Found], calibration: Calibration) -> tuple[Said, ...]:
    """What is answered of what was found: nothing where 'no answer' leads by more than the threshold."""
    threshold = calibration.thresholds[0] if calibration.thresholds else 0.0
    return tuple(
        Said(one.text, one.start, one.end) if one.text and one.margin <= threshold else Said()
        for one in found
    )


def best_answer(
    passage: Passage, logits: Array, calibration: Calibration, longest: int | None = None
) -> Found:
    """The span with the highest sum of its two logits over all windows, and the lowest score of 'no answer' in any.

    As in the reference implementation for SQuAD 2.0 (Devlin et al. 2019, section 4.3). logits: (tokens, 2) of a row.
    longest: characters of a span at the most.
    """
    most = np.inf if longest is None else longest
    spans: dict[tuple[int, int], float] = {}
    null = np.inf
    for begin, end in zip(passage.parts, passage.parts[1:], strict=False):
        own, places = logits[begin:end].astype(np.float64), passage.places[begin:end]
        null = min(null, float(own[0].sum()))
        inside = np.flatnonzero(places[:, 1] > places[:, 0])
        if not len(inside):
            continue
        first, last = (inside[np.argsort(-own[inside, at], kind="stable")[:BEST_ENDS]] for at in (0, 1))
        ways = own[first, 0][:, None] + own[last, 1][None, :]
        characters = places[last, 1][None, :] - places[first, 0][:, None]
        ways = np.where((last[None, :] >= first[:, None]) & (characters <= most), ways, -np.inf)
        for at in np.argsort(-ways, axis=None, kind="stable")[:2]:
            one, two = np.unravel_index(at, ways.shape)
            if np.isfinite(ways[one, two]):
                key = int(places[first[one], 0]), int(places[last[two], 1])
                spans[key] = max(spans.get(key, -np.inf), float(ways[one, two]))
    ranked = sorted(spans.items(), key=lambda pair: -pair[1])
    if not ranked and longest is not None:
        return best_answer(passage, logits, calibration)  # none that is short enough: then any
    if not ranked:
        return Found("", -1, -1, FAR, 0.0, probability=0.0, silence=1.0)
    (start, stop), score = ranked[0]
    rival = max(ranked[1][1] if len(ranked) > 1 else -np.inf, null)
    margin, lead = null - score, score - rival
    right, silent = chance(calibration, RIGHT, lead), chance(calibration, SILENT, margin)
    return Found(passage.context[start:stop], start, stop, margin, lead, right, silent)


def chance(calibration: Calibration, line: int, score: float) -> float:
    """What a line of a calibration makes of a score; the plain sigmoid where it has no such line."""
    if len(calibration.scale) > line:
        score = calibration.scale[line] * score + calibration.bias[line]
    return 1 / (1 + math.exp(-min(max(score, -SUREST), SUREST)))


def tokens_of(passage: Passage, place: Place, longest: int | None) -> tuple[int, int] | None:
    """First and last token of a part of the text, in the window that holds most of it; of a part of more than `longest`
    characters those of its end. None where no token of it was read."""
    begin, end = place
    inside = (passage.places[:, 0] >= begin) & (passage.places[:, 1] <= end)
    inside &= passage.places[:, 1] > passage.places[:, 0]
    windows = [
        first + np.flatnonzero(inside[first:last])
        for first, last in zip(passage.parts, passage.parts[1:], strict=False)
    ]
    tokens = max(windows, key=len, default=np.zeros(0, np.int64))
    if longest is not None and len(tokens):
        tokens = tokens[passage.places[tokens[-1], 1] - passage.places[tokens, 0] <= longest]
    return (int(tokens[0]), int(tokens[-1])) if len(tokens) else None
