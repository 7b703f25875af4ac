"""Numbers as people read them."""

import math
from dataclasses import dataclass

from luthier.scores.decimals import decimals as written
from luthier.scores.metrics import Metric, metric_named
from luthier.scores.shares import wilson_ends

NOTHING = "–"
"""The sign that stands where a number was not measured."""


@dataclass(frozen=True)
class Shown:
    """A metric as the report writes it."""

    metric: Metric
    task: str = ""

    @property
    def title(self) -> str:
        return self.metric.title

    @property
    def meaning(self) -> str:
        return self.metric.told(self.task)

    @property
    def percent(self) -> bool:
        return self.metric.percent

    @property
    def inside(self) -> str:
        return self.metric.words

    def show(self, value: object) -> str:
        """A score.

        >>> shown("accuracy").show(0.8921), shown("spearman").show(0.8921)
        ('89.2 %', '0.892')
        """
        found = number(value)
        if found is None:
            return NOTHING
        return f"{100 * found:.1f} %" if self.percent else decimals(found)

    def tick(self, value: float) -> str:
        """A score as it stands at an axis: no longer than it has to be.

        >>> shown("accuracy").tick(0.5), shown("loss").tick(0.125)
        ('50 %', '0.125')
        """
        told = f"{100 * value:.3g} %" if self.percent else f"{value:.3g}"
        return told.replace("-", "−", 1) if value < 0 else told

    def show_range(self, low: object, high: object) -> str:
        """Both ends of an interval.

        >>> shown("accuracy").show_range(0.878, 0.906)
        '87.8 to 90.6 %'
        """
        if number(low) is None or number(high) is None:
            return NOTHING
        return f"{self.show(low).removesuffix(' %')} to {self.show(high)}"

    def show_difference(self, value: object, signed: bool = True) -> str:
        """How much better one score is than another: with a sign, or in words where lower scores are better.

        >>> shown("accuracy").show_difference(-0.0042)
        '−0.4 points'
        >>> shown("spearman").show_difference(0.08, signed=False)
        '0.080'
        >>> shown("log_loss").show_difference(0.08)
        '0.080 better'
        """
        found = number(value)
        if found is None:
            return NOTHING
        size = f"{100 * abs(found):.1f} points" if self.percent else decimals(abs(found))
        if self.metric.higher or not found:
            return (sign(found) if signed else "") + size
        return f"{size} {'worse' if found < 0 else 'better'}" if signed else size

    def show_difference_range(self, low: object, high: object) -> str:
        """Both ends of the interval of a difference.

        >>> shown("accuracy").show_difference_range(-0.005, 0.029)
        '−0.5 to +2.9 points'
        """
        if number(low) is None or number(high) is None:
            return NOTHING
        return f"{self.show_difference(low).removesuffix(' points')} to {self.show_difference(high)}"


def shown(name: str, task: object = None) -> Shown:
    """A metric by its name in the scorecard."""
    return Shown(metric_named(name), str(task))


def number(value: object) -> float | None:
    """A finite number, or None for everything else that a record may hold in its place."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def sign(value: float) -> str:
    return "−" if value < 0 else "+" if value > 0 else ""


def decimals(value: float) -> str:
    return written(value).replace("-", "−")


def three(value: object) -> str:
    """A number with three decimals, or two digits of one that they would not show."""
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


def nats(value: object) -> str:
    """A divergence, to three digits where it is worth telling.

    >>> nats(0.5807), nats(8.7e-5), nats(0.0)
    ('0.581 nats', '< 0.001 nats', '0 nats')
    """
    found = number(value)
    if found is None:
        return NOTHING
    return "< 0.001 nats" if 0 < found < 0.001 else f"{found:.3g} nats"


def share_range(share: object, rows: object) -> str:
    """The 95 % score interval of a share of so many rows, which are independent (`scores/shares.py`).

    >>> share_range(0.9, 20), share_range(None, 20)
    ('69.9 to 97.2 %', '–')
    """
    found, size = number(share), number(rows)
    if found is None or not size:
        return NOTHING
    low, high = wilson_ends(found, size, 0.95)
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def duration(seconds: object) -> str:
    """A time as people say it.

    >>> duration(9.94), duration(81.4), duration(3720), duration(0.04), duration(0.001)
    ('9.9 s', '1 min 21 s', '1 h 02 min', '0.04 s', '< 0.01 s')
    """
    found = number(seconds)
    if found is None:
        return NOTHING
    if found < 0.995:
        return f"{found:.2f} s" if found >= 0.005 else "< 0.01 s" if found else "0 s"
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


def three_digits(value: object) -> str:
    """A number of any size to three digits.

    >>> three_digits(0.00034567), three_digits(12.0)
    ('0.000346', '12')
    """
    found = number(value)
    return NOTHING if found is None else f"{found:.3g}"


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
