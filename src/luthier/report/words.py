"""Numbers as people read them, and the sentences of the verdict. Plain text: whoever writes HTML or Markdown escapes it."""

import math
from dataclasses import dataclass

from luthier.report.records import Record

NOTHING = "–"
"""Stands where a number was not measured."""


@dataclass(frozen=True)
class Metric:
    """How a score is called and written."""

    title: str
    meaning: str
    percent: bool = False
    """Written as a percentage; differences are then in points."""

    def show(self, value: object) -> str:
        """A score.

        >>> METRICS["accuracy"].show(0.8921), METRICS["macro_f1"].show(0.8921)
        ('89.2%', '0.892')
        """
        found = number(value)
        if found is None:
            return NOTHING
        return f"{100 * found:.1f}%" if self.percent else decimals(found)

    def show_range(self, low: object, high: object) -> str:
        """Both ends of an interval.

        >>> METRICS["accuracy"].show_range(0.878, 0.906)
        '87.8 to 90.6%'
        """
        if number(low) is None or number(high) is None:
            return NOTHING
        return f"{self.show(low).removesuffix('%')} to {self.show(high)}"

    def show_difference(self, value: object, signed: bool = True) -> str:
        """A difference of two scores.

        >>> METRICS["accuracy"].show_difference(-0.0042), METRICS["macro_f1"].show_difference(0.08, signed=False)
        ('−0.4 points', '0.080')
        """
        found = number(value)
        if found is None:
            return NOTHING
        size = f"{100 * abs(found):.1f} points" if self.percent else decimals(abs(found))
        return (sign(found) if signed else "") + size

    def show_difference_range(self, low: object, high: object) -> str:
        """Both ends of the interval of a difference.

        >>> METRICS["accuracy"].show_difference_range(-0.005, 0.029)
        '−0.5 to +2.9 points'
        """
        if number(low) is None or number(high) is None:
            return NOTHING
        return f"{self.show_difference(low).removesuffix(' points')} to {self.show_difference(high)}"


METRICS = {
    "accuracy": Metric("Accuracy", "the share of rows answered right", percent=True),
    "macro_f1": Metric("Macro F1", "the F1 of each class, averaged; each class counts the same"),
    "micro_f1": Metric("Micro F1", "F1 over all labels of all rows together"),
    "log_loss": Metric("Log loss", "the mean surprise at the right answer; lower is better"),
    "brier": Metric("Brier score", "the mean squared error of the probabilities; lower is better"),
    "ece": Metric("Calibration error", "the mean gap between confidence and accuracy; lower is better"),
    "exact_match": Metric("Exact match", "the share of rows whose whole answer is right", percent=True),
}


def metric_named(name: str) -> Metric:
    """A known metric, or one named after its key."""
    return METRICS.get(name) or Metric(name.replace("_", " ").capitalize(), "")


@dataclass(frozen=True)
class Kind:
    """A candidate as a sentence names it, and what it is."""

    called: str
    meaning: str


CANDIDATES = {
    "majority": Kind("the majority class", "always says the most frequent label"),
    "zero-shot": Kind("the zero-shot model", "the model as it was; saw no label"),
    "probe": Kind("the probe", "a linear head on frozen features"),
    "tuned": Kind("the tuned model", "the model's own weights, tuned"),
}
"""The usual candidates."""


def called(name: object) -> str:
    """A candidate's name in a sentence."""
    kind = CANDIDATES.get(str(name))
    return kind.called if kind else str(name)


def sentence(text: str) -> str:
    """A text that begins with a capital."""
    return text[:1].upper() + text[1:]


def number(value: object) -> float | None:
    """A finite number, or None for everything else that a record may hold in its place."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def sign(value: float) -> str:
    return "−" if value < 0 else "+" if value > 0 else ""


def decimals(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def three(value: object) -> str:
    """A number with three decimals."""
    found = number(value)
    return NOTHING if found is None else decimals(found)


def count(value: object, noun: str = "") -> str:
    """A whole number and what it counts.

    >>> count(1821, "row"), count(1, "row"), count(None)
    ('1,821 rows', '1 row', '–')
    """
    found = number(value)
    if found is None:
        return NOTHING
    return f"{found:,.0f}" + (f" {noun}{'' if found == 1 else 's'}" if noun else "")


def share(value: object) -> str:
    """A part of one as a percentage; small ones keep a digit that says something.

    >>> share(0.125), share(0.0004), share(1)
    ('12.5%', '0.04%', '100.0%')
    """
    found = number(value)
    if found is None:
        return NOTHING
    return f"{100 * found:.2f}%" if 0 < found < 0.001 else f"{100 * found:.1f}%"


def duration(seconds: object) -> str:
    """A time as people say it.

    >>> duration(9.94), duration(81.4), duration(3720), duration(0.04)
    ('9.9 s', '1 min 21 s', '1 h 02 min', '0.04 s')
    """
    found = number(seconds)
    if found is None:
        return NOTHING
    if found < 0.995:
        return f"{found:.2f} s" if found else "0 s"
    if found < 59.95:
        return f"{found:.1f} s"
    whole = round(found)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def memory(size: object) -> str:
    """Bytes in units of 1024.

    >>> memory(1932735283), memory(900)
    ('1.8 GiB', '900 bytes')
    """
    found = number(size)
    if found is None:
        return NOTHING
    if found < 1024:
        return f"{found:.0f} bytes"
    for unit in ("KiB", "MiB", "GiB"):
        found /= 1024
        if found < 1024:
            return f"{found:.1f} {unit}"
    return f"{found / 1024:.1f} TiB"


def setting(value: object) -> str:
    """A setting of the plan or a version.

    >>> setting(0.0001), setting(802), setting(True)
    ('0.0001', '802', 'yes')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(setting, value)) or NOTHING
    return NOTHING if value is None else str(value)


def cut(text: object, most: int = 300) -> str:
    """A text of at most `most` characters, on one line."""
    whole = " ".join(str(text).split())
    return whole if len(whole) <= most else whole[: most - 1].rstrip() + "…"


def label_of(value: object) -> str:
    """A label, or several, as one text."""
    return (", ".join(map(str, value)) or "no label") if isinstance(value, list) else str(value)


def headline(scorecard: Record) -> str:
    """Two or three words for who has no time."""
    ship = (scorecard.get("verdict") or {}).get("ship")
    return "Measured, not judged." if ship is None else "Ship it." if ship else "Do not ship it."


def verdict_words(scorecard: Record) -> str:
    """The verdict as recorded or, where no words were, made from its numbers."""
    verdict = scorecard.get("verdict") or {}
    if verdict.get("words"):
        return str(verdict["words"])
    metric = metric_named(scorecard["metric"])
    value = metric.show(scorecard["test"][scorecard["metric"]].get("value"))
    reached = sentence(f"{called(scorecard['chosen'])} reaches {value} {metric.title.lower()} on rows it has never seen")
    difference = number(verdict.get("difference"))
    if difference is None:
        return f"{reached}."
    than = f"{called(verdict.get('against'))}, the best candidate that learnt from no label"
    if difference == 0:
        return f"{reached}: the same as {than}."
    better = "better" if difference > 0 else "worse"
    return f"{reached}: {metric.show_difference(difference, signed=False)} {better} than {than}."


def certainty(part: Record, metric: Metric) -> str:
    """What the interval of a difference means; empty where there is none."""
    low, high = number(part.get("low")), number(part.get("high"))
    if low is None or high is None:
        return ""
    ends = metric.show_difference_range(low, high).replace(" to ", " and ")
    told = f"With 95% confidence the true difference to {called(part.get('against'))} lies between {ends}."
    if low > 0:
        return f"{told} Even the low end is a gain: this is not luck of the test rows."
    if high < 0:
        return f"{told} Even the high end is a loss: this is not bad luck of the test rows."
    return f"{told} Zero lies within: on other rows of the same kind there may be no difference at all."


def worth_words(scorecard: Record) -> str:
    """Whether the dearest candidate is worth its price against the next cheaper; empty where nothing was compared."""
    worth = scorecard.get("worth") or {}
    if worth.get("words"):
        return str(worth["words"])
    difference = number(worth.get("difference"))
    if difference is None:
        return ""
    metric = metric_named(scorecard["metric"])
    seconds = {candidate.get("name"): candidate.get("seconds") for candidate in scorecard["candidates"]}
    dearer, cheaper = (
        f"{called(name)} ({duration(seconds[name])})" if number(seconds.get(name)) is not None else called(name)
        for name in (worth.get("dearer"), worth.get("cheaper"))
    )
    if difference == 0:
        return sentence(f"{dearer} scores the same as {cheaper}.")
    than = "better" if difference > 0 else "worse"
    return sentence(f"{dearer} is {metric.show_difference(difference, signed=False)} {than} than {cheaper}.")


def long_words(long: Record) -> str:
    """What happened to the texts beyond the model's limit; empty when all fit."""
    rows, limit = number(long.get("rows")), count(long.get("limit"))
    if not rows:
        return ""
    longer = f"{count(rows, 'text')} {'is' if rows == 1 else 'are'} longer than the {limit} tokens the model reads"
    if long.get("way") == "cut":
        return f"{longer}: {count(long.get('tokens'), 'token')} beyond the limit were cut off and never seen."
    if long.get("way") == "windows":
        return f"{longer}: they were read in windows and the answers averaged."
    return f"{longer}."


def calibration_words(calibration: Record) -> str:
    """What calibration did; empty where it was not measured."""
    before, after = number(calibration.get("ece_before")), number(calibration.get("ece_after"))
    if before is None or after is None:
        return ""
    temperature = number(calibration.get("temperature"))
    by = "" if temperature is None else f", after the logits were divided by the temperature {temperature:.3g}"
    told = f"The gap between how sure the model says it is and how often it is right is {100 * after:.1f} points on average{by}"
    if abs(before - after) < 5e-4:
        return f"{told}. It was the same before."
    if after < before:
        return f"{told}. Before it was {100 * before:.1f} points."
    return f"{told}. Before it was {100 * before:.1f} points: calibration did not help on the test rows."
