"""Numbers as people read them."""

import math
from dataclasses import dataclass

NOTHING = "–"
"""Stands where a number was not measured."""


@dataclass(frozen=True)
class Metric:
    """How a score is called and written."""

    title: str
    meaning: str
    percent: bool = False
    """Written as a percentage; differences are then in points."""

    @property
    def inside(self) -> str:
        """The title within a sentence.

        >>> METRICS["accuracy"].inside, METRICS["f1"].inside, METRICS["spearman"].inside
        ('accuracy', 'F1', 'Spearman correlation')
        """
        begins = self.title.split()[0]
        named = begins in ("F1", "R²", "Spearman", "Pearson", "Brier")
        return self.title if named else self.title[0].lower() + self.title[1:]

    def show(self, value: object) -> str:
        """A score.

        >>> METRICS["accuracy"].show(0.8921), METRICS["macro_f1"].show(0.8921)
        ('89.2 %', '0.892')
        """
        found = number(value)
        if found is None:
            return NOTHING
        return f"{100 * found:.1f} %" if self.percent else decimals(found)

    def show_range(self, low: object, high: object) -> str:
        """Both ends of an interval.

        >>> METRICS["accuracy"].show_range(0.878, 0.906)
        '87.8 to 90.6 %'
        """
        if number(low) is None or number(high) is None:
            return NOTHING
        return f"{self.show(low).removesuffix(' %')} to {self.show(high)}"

    def show_difference(self, value: object, signed: bool = True) -> str:
        """A difference of two scores.

        >>> METRICS["accuracy"].show_difference(-0.0042)
        '−0.4 points'
        >>> METRICS["macro_f1"].show_difference(0.08, signed=False)
        '0.080'
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
    "f1": Metric(
        "F1", "of what is found, whole and of the right kind: precision and recall in one", percent=True
    ),
    "precision": Metric("Precision", "the share of what is found that is right", percent=True),
    "recall": Metric("Recall", "the share of what is there that is found", percent=True),
    "spearman": Metric("Spearman correlation", "how well the order is met; 1 is perfect, 0 is none"),
    "pearson": Metric("Pearson correlation", "how well a straight line through estimate and truth fits"),
    "r2": Metric("R²", "the share of the numbers' variance that is explained"),
    "mae": Metric("Mean absolute error", "in the units of the column; lower is better"),
    "answerable_f1": Metric("F1 of questions with an answer", "word by word", percent=True),
    "unanswerable_accuracy": Metric(
        "Questions without an answer", "the share that is left unanswered", percent=True
    ),
    "mrr": Metric(
        "Mean reciprocal rank", "one over the place of what belongs to it, among all; 1 is perfect"
    ),
    "recall_at_1": Metric(
        "Recall at 1", "the share of which the nearest is one that belongs to it", percent=True
    ),
    "recall_at_10": Metric(
        "Recall at 10", "the share with one that belongs to it among the ten nearest", percent=True
    ),
    "exact_match": Metric("Exact match", "the share of rows whose whole answer is right", percent=True),
}


OF_TASKS = {
    ("question-answering", "f1"): Metric(
        "F1", "of the words of the answer: precision and recall in one", percent=True
    ),
}
"""Metrics that mean something of their own in a task."""


def metric_named(name: str, task: object = None) -> Metric:
    """A known metric, or one named after its key."""
    return (
        OF_TASKS.get((str(task), name))
        or METRICS.get(name)
        or Metric(name.replace("_", " ").capitalize(), "")
    )


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
    ('12.5 %', '0.04 %', '100.0 %')
    """
    found = number(value)
    if found is None:
        return NOTHING
    return f"{100 * found:.2f} %" if 0 < found < 0.001 else f"{100 * found:.1f} %"


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
