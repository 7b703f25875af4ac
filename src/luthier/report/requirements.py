"""What a run has to come to, for `luthier verdict --require`: conditions on its scorecard, each with a sentence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from luthier.errors import PlanError, did_you_mean, listing
from luthier.folder.scorecard_records import ScorecardRecord
from luthier.scores.metrics import METRICS
from luthier.terminal import plain

ECE, FORGETTING = "ece", "forgetting"


@dataclass(frozen=True)
class Measured:
    """A number of a scorecard that a condition may be put on."""

    value: float
    higher: bool
    """Whether higher values are better, so that the condition is a floor; else it is a ceiling."""
    words: str
    """What it is, within a sentence."""


@dataclass(frozen=True)
class Outcome:
    """Whether something that is asked of a run holds."""

    name: str
    holds: bool
    words: str
    """A sentence with what was found and what was asked."""


def conditions_of(text: str) -> dict[str, float]:
    """Return the bounds by name of `accuracy=0.9,ece=0.05`. Raises PlanError for what cannot be read so.

    >>> conditions_of("accuracy=0.9, ece=5e-2")
    {'accuracy': 0.9, 'ece': 0.05}
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, bound = (piece.strip() for piece in part.partition("="))
        number = number_of(bound)
        if not name or not equals or number is None:
            raise PlanError(
                f"--require {part.strip()!r}: expected NAME=NUMBER, several with commas, as in --require accuracy=0.9,ece=0.05."
            )
        if name in found:
            raise PlanError(f"--require {text}: {name} stands there twice. Name it once.")
        found[name] = number
    return found


def number_of(text: str) -> float | None:
    """Return a finite number; None where the text is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def measured(card: ScorecardRecord) -> dict[str, Measured]:
    """Return what a scorecard has measured, by the names that conditions may have."""
    found = {
        name: Measured(score.value, METRICS[name].higher, METRICS[name].words)
        for name, score in card.test.items()
        if name in METRICS
    }
    ece = None if card.calibration is None else card.calibration.ece_after
    if ece is not None:
        found[ECE] = Measured(ece, False, "the calibration error")
    kl = None if card.forgetting is None else card.forgetting.kl_to_base
    if kl is not None:
        found[FORGETTING] = Measured(kl, False, "the divergence from the pre-trained model")
    return found


def outcomes(conditions: Mapping[str, float], card: ScorecardRecord) -> list[Outcome]:
    """Return whether each condition holds, by its point estimate. Raises PlanError for a name that was not measured."""
    known = measured(card)
    for name in conditions:
        if name not in known:
            raise PlanError(
                f"--require {name}: this run did not measure it.{did_you_mean(name, known)} It measured {listing(known)}."
            )
    return [outcome(name, known[name], bound) for name, bound in conditions.items()]


def outcome(name: str, found: Measured, bound: float) -> Outcome:
    """Return whether one condition holds. What is not a number does not."""
    holds = found.value >= bound if found.higher else found.value <= bound
    asked = f"{'at least' if found.higher else 'at most'} {bound:g} was asked for"
    words = found.words[0].upper() + found.words[1:]
    return Outcome(
        name, holds, f"{words} is {shown(found.value, bound)}: {asked}{'' if holds else ', so it fails'}."
    )


def shown(value: float, bound: float) -> str:
    """Return a number with as many digits as tell it from its bound.

    >>> shown(0.89996, 0.9), shown(0.91, 0.9)
    ('0.89996', '0.910')
    """
    digits = next((digits for digits in range(3, 17) if float(f"{value:.{digits}f}") != bound), 3)
    return f"{value:.{3 if value == bound else digits}f}"


def junit(run: str, found: list[Outcome]) -> str:
    """Return outcomes as JUnit XML, which build servers show: a test case for each, failed where it does not hold."""
    from xml.etree import ElementTree as Xml

    failed = sum(not one.holds for one in found)
    suite = Xml.Element(
        "testsuite", name="luthier verdict", tests=str(len(found)), failures=str(failed), errors="0"
    )
    for one in found:
        # XML has no way to write a control character, and the name of a folder may hold some.
        case = Xml.SubElement(suite, "testcase", classname=plain(run), name=one.name)
        if one.holds:
            Xml.SubElement(case, "system-out").text = one.words
        else:
            Xml.SubElement(case, "failure", message=one.words)
    root = Xml.Element("testsuites")
    root.append(suite)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"
