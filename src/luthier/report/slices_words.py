"""Sentences on slices of the test rows: those that differ from the other rows beyond noise, and none of the others."""

from collections.abc import Iterator, Sequence

from luthier.folder.looked_into_records import Slices, SliceScores
from luthier.report.numbers import Shown, count, shown

NAMED = {"length": "by length", "alike rows": "by what rows are about"}
"""How slices are told apart that no column does, by the scorecard's key."""
MOST_LEFT_OUT = 3
"""The most columns that are named."""


def slices_words(slices: Slices | None) -> Iterator[str]:
    """A sentence for each slice that differs, or one that none does; none where there are no slices."""
    if slices is None or not slices.slices:
        return
    metric, tested = shown(slices.metric), len(slices.slices)
    found = [one for one in slices.slices if one.differs]
    if not found:
        yield (
            f"In none of {count(tested, 'slice')} ({ways(slices.slices)}) is {metric.inside} different from that of the other "
            "test rows beyond noise, after Holm's correction."
        )
    for one in sorted(found, key=lambda one: one.p_holm or 0.0):
        yield f"{slice_words(one, metric)} (p {p_words(one.p_holm)} after Holm's correction for {tested})."


def slice_words(one: SliceScores, metric: Shown) -> str:
    """A slice and its difference, as the beginning of a sentence."""
    value, interval = metric.show(one.value), metric.show_range(one.low, one.high)
    ends = metric.show_difference_range(one.difference_low, one.difference_high)
    size = metric.show_difference(abs(one.difference or 0.0), signed=False)
    which = "better" if (one.difference or 0.0) > 0 else "worse"
    return (
        f"{metric.inside[:1].upper()}{metric.inside[1:]} of the {count(one.rows, 'test row')} {called(one)} is {value} "
        f"({interval}), {size} {which} than of the others (95 % interval {ends})"
    )


def called(one: SliceScores) -> str:
    """A slice within a sentence.

    >>> called(SliceScores(by="channel", name="mail", rows=3, value=0.5))
    'where channel is mail'
    """
    if one.by == "length":
        return f"with {one.name}"
    if one.by == "alike rows":
        return one.name if one.name.startswith("like ") else f"about {one.name}"
    return f"where {one.by} is {one.name}"


def ways(slices: Sequence[SliceScores]) -> str:
    """By what rows were told apart, in words."""
    keys = list(dict.fromkeys(one.by for one in slices))
    columns = [key for key in keys if key not in NAMED]
    told = [NAMED[key] for key in keys if key in NAMED]
    if columns:
        more = f" and {len(columns) - MOST_LEFT_OUT} more" if len(columns) > MOST_LEFT_OUT else ""
        told.append(f"by column{'s' if len(columns) > 1 else ''} {', '.join(columns[:MOST_LEFT_OUT])}{more}")
    return ", ".join(told)


def p_words(p: float | None) -> str:
    """
    >>> p_words(0.0321), p_words(0.00001), p_words(None)
    ('= 0.032', '< 0.001', '–')
    """
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
