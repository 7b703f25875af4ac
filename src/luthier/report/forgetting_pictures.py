"""The pictures of what was forgotten and kept, each from plain numbers."""

from collections.abc import Sequence
from typing import Any

from luthier.folder.scorecard_records import Keeping, RungDrift
from luthier.report.drawing import ACCENT, INK, MUTED, PAPER, bare, drawing, percents, short
from luthier.report.markup import Html
from luthier.report.numbers import Shown

WAYS = {"wise-ft": "WiSE-FT", "lines": "LiNeS"}
"""How the ways between two models are called, by the scorecard's key."""
MARKERS = ("o", "D", "s", "^")
"""Shapes of points, by the way on which they lie."""


def drift_dots(drift: Sequence[RungDrift]) -> Html:
    """A dot a rung: how alike its states still are."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        places = range(len(drift))
        alike = [one.cka for one in drift]
        axes.hlines(places, alike, 1.0, color=MUTED, linewidth=1)
        axes.plot(alike, places, "o", color=ACCENT, markersize=7)
        step = -(-len(drift) // 14)
        axes.set_yticks(list(places)[::step], [short(one.rung) for one in drift][::step], color=INK)
        axes.set_ylim(-0.6, len(drift) - 0.4)
        axes.set_xlim(min(0.0, *alike), 1.03)
        axes.set_xlabel("CKA with the pre-trained model")
        bare(axes, "x")

    told = "; ".join(f"{one.rung} {one.cka:.2f}" for one in drift)
    return drawing(
        "drift", f"CKA of each rung with the pre-trained model: {told}", 90 + 26 * min(len(drift), 14), draw
    )


def keeping_curve(keeping: Keeping, metric: Shown) -> Html:
    """Score on validation against KL to the base, for each model that was tried."""
    ways = list(dict.fromkeys(one.way for one in keeping.points))

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for way, marker in zip(ways, MARKERS * len(ways), strict=False):
            own = [one for one in keeping.points if one.way == way]
            axes.plot(
                [], [], marker, color=PAPER, markeredgecolor=INK, markersize=6, label=WAYS.get(way, way)
            )
            for one in own:
                kept = one is keeping.points[keeping.kept]
                axes.plot(
                    [one.kl],
                    [one.score],
                    marker,
                    color=ACCENT if kept else INK if one.near else PAPER,
                    markeredgecolor=ACCENT if kept else INK,
                    markersize=11 if kept else 6,
                    zorder=3 if kept else 2,
                )
        axes.set_xlabel("KL to the base, nats")
        axes.set_ylabel(f"{metric.inside} on validation")
        axes.margins(x=0.08, y=0.12)
        axes.locator_params(nbins=5)
        axes.yaxis.set_major_formatter(percents(metric))
        bare(axes, "both")
        figure.legend(loc="outside upper left", ncols=len(ways), handletextpad=0.3)

    kept = keeping.points[keeping.kept]
    told = f"{len(keeping.points)} models; the kept one has a KL of {kept.kl:.3g} and scores {metric.show(kept.score)}"
    return drawing("keeping", told, 300, draw)
