"""What a finished model keeps of rows that it has not learnt from, and how it is applied: which answers may be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from luthier.arrays import Array, Bools, Floats
from luthier.errors import RunError
from luthier.files import refuse_link_away
from luthier.folder.beside import write_beside
from luthier.folder.model_record import MEND
from luthier.scores.stream import THRESHOLD, evidence_of
from luthier.scores.unlike import FEWEST, LEVEL, Detector, own_p_values, p_values
from luthier.tasks.trusting import Promise

ARRAYS = "trust.safetensors"
"""The file of a model's folder that holds what is kept."""
KNOWN, ALARM, USUAL = "known.", "alarm.", "usual"
"""The beginnings of names of arrays: what calibration rows showed, the detector; and the scores of rows of the usual kind."""


@dataclass(frozen=True)
class Alarm:
    """What tells rows that are unlike the training rows."""

    detector: Detector
    usual: Floats
    """(rows,) scores of rows of the usual kind, from which nothing was learnt: those that calibrate come first."""

    def scores(self, features: Floats) -> Floats:
        """(rows,) the higher, the more a row is unlike."""
        return self.detector.scores(features)

    def p_values(self, scores: Floats) -> Floats:
        """(rows,) how likely a row of the usual kind is to be as unlike as each of these."""
        return p_values(self.usual, scores)

    def own(self, rows: int) -> Floats:
        """(rows,) the p-values of the rows that calibrate."""
        return own_p_values(self.usual)[:rows]

    def arrays(self) -> dict[str, Array]:
        return {**self.detector.arrays(), USUAL: np.asarray(self.usual, np.float64)}


@dataclass(frozen=True)
class Trust:
    """What a finished model keeps."""

    known: dict[str, Array]
    """What the calibration rows showed (`Trusting.known`)."""
    alarm: Alarm | None
    """None where there were too few rows to tell which are unlike."""

    def arrays(self) -> dict[str, Array]:
        alarm = {} if self.alarm is None else self.alarm.arrays()
        return {KNOWN + name: array for name, array in self.known.items()} | {
            ALARM + name: array for name, array in alarm.items()
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, Array]) -> "Trust":
        """The same again. Raises KeyError or TypeError where arrays are missing."""
        known = inside(arrays, KNOWN)
        alarm = inside(arrays, ALARM)
        if not alarm:
            return Trust(known, None)
        usual = alarm.pop(USUAL)
        return Trust(known, Alarm(Detector(**alarm), usual))


def inside(arrays: Mapping[str, Array], beginning: str) -> dict[str, Array]:
    """The arrays whose names have a beginning, without it."""
    return {name.removeprefix(beginning): one for name, one in arrays.items() if name.startswith(beginning)}


def alarm_of(learnt: Floats, labels: Array | None, usual: Floats) -> Alarm | None:
    """The alarm of some training rows' features and of those of rows of the usual kind; None where these are too few."""
    if len(usual) < FEWEST or len(learnt) < 2:
        return None
    detector = Detector.fitted(learnt, labels)
    return Alarm(detector, detector.scores(usual))


# On disk


def write_trust(folder: Path, trust: Trust, told: Mapping[str, Any]) -> None:
    """Add what is kept to a finished model's folder. told: what luthier.json says of it, under `trust`."""
    write_beside(folder, ARRAYS, trust.arrays(), {"trust": told})


def read_trust(folder: Path) -> Trust:
    """What a model's folder keeps. Raises RunError where that is not there, or damaged."""
    path = folder / ARRAYS
    try:
        refuse_link_away(path, folder)
        return Trust.from_arrays(load_file(path))
    except FileNotFoundError:
        raise RunError(f"{path}: is gone. {MEND}") from None
    except (KeyError, TypeError, OSError, SafetensorError) as error:
        raise RunError(f"{path}: is damaged ({error}). {MEND}") from None


# Applied


def referred(
    lines: Sequence[dict[str, Any]], answer: str, promise: Promise, p: Floats | None
) -> list[dict[str, Any]]:
    """Lines of `predict` in which rows that a person should look at have no answer, and the reason under `refer`.

    answer: the key of the answer.  p: (rows,) how likely a row of the usual kind is to be as unlike; None where nobody knows.
    """
    unlike: Bools = np.zeros(len(lines), bool) if p is None else p <= LEVEL
    found = []
    for at, (line, more) in enumerate(zip(lines, promise.lines, strict=True)):
        refer = "unlike" if unlike[at] else None if promise.sure[at] else "uncertain"
        own = {} if p is None else {"p_value": round(float(p[at]), 6)}
        said = {answer: None if refer else line[answer]}
        found.append({**line, **said, "refer": refer, **more, **own})
    return found


def stream_words(alarm: Alarm, scores: Floats, numbers: Sequence[int]) -> str:
    """What is to be said of a stream of rows that are of another kind; empty where they are not.

    scores: (rows,) how unlike each is.  numbers: (rows,) the number that each row has for who reads the answers.
    """
    found = evidence_of(alarm.usual, scores)
    if found.alarm is None:
        return ""
    return (
        f"These rows are not of the kind that the model has learnt from: at row {numbers[found.alarm]:,} that was shown (of "
        f"files of the usual kind at most 1 in {THRESHOLD:.0f} ever comes to this). What was promised does not hold for them: "
        'look at the rows with "refer": "unlike" first, and tune on rows like these.'
    )
