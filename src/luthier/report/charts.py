"""The pictures of the report, each from plain numbers."""

import math
from collections.abc import Sequence
from typing import Any

from luthier.folder.run_records import EventRecord
from luthier.folder.scorecard_records import Bin, RateTest
from luthier.report.drawing import ACCENT, INK, MUTED, PAPER, WIDTH, bare, drawing, percents, short
from luthier.report.markup import Html
from luthier.report.numbers import Shown, decimals, duration, number
from luthier.scores.shares import wilson_ends


def training_curves(steps: Sequence[EventRecord], validations: Sequence[EventRecord], metric: Shown) -> Html:
    """Loss per step, raw and smoothed, and of each validation; below it the validation score and the rate."""
    losses = [(float(event.at), loss) for event in steps if (loss := number(event.loss)) is not None]
    rates = [(float(event.at), rate) for event in steps if (rate := number(event.lr)) is not None]
    scores = [(event, score) for event in validations if (score := number(event.score)) is not None]

    def draw(figure: Any) -> None:
        heights = [3.0, *[1.5] * bool(scores), *[0.8] * bool(rates)]
        panels = list(figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0])
        draw_losses(panels[0], losses, validations)
        if scores:
            draw_scores(panels[1], scores, metric)
        if rates:
            draw_rates(panels[-1], rates)
        for panel in panels:
            bare(panel)
            panel.yaxis.label.set(rotation=0, ha="left", va="bottom")
            panel.yaxis.set_label_coords(0, 1.03)
        figure.get_layout_engine().set(hspace=0.1)
        panels[-1].set_xlabel("step")
        panels[-1].xaxis.get_major_locator().set_params(integer=True)

    first, last = (losses[0][1], smooth(losses)[-1][1]) if losses else (0.0, 0.0)
    best = metric.metric.best(score for _, score in scores) if scores else None
    told = f"The training loss goes from {decimals(first)} to {decimals(last)} over {len(steps)} steps"
    told += "" if best is None else f"; the best validation score is {metric.show(best)}"
    return drawing("training", told, 210 + 130 * bool(scores) + 100 * bool(rates), draw)


def draw_losses(axes: Any, losses: list[tuple[float, float]], validations: Sequence[EventRecord]) -> None:
    if losses:
        axes.plot(
            *zip(*thinned(losses), strict=True), color=MUTED, alpha=0.35, linewidth=1, label="each step"
        )
        axes.plot(*zip(*thinned(smooth(losses)), strict=True), color=ACCENT, linewidth=2, label="smoothed")
    points = [(event.at, loss) for event in validations if (loss := number(event.loss)) is not None]
    if points:
        style: dict[str, Any] = {"color": INK, "linewidth": 1, "markersize": 6, "markerfacecolor": PAPER}
        axes.plot(*zip(*points, strict=True), "D--", label="validation", **style)
    axes.set_ylabel("loss", color=INK)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="y", nbins=4)
    if losses or points:
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=3,
            handlelength=1.6,
            borderpad=0,
            borderaxespad=0.4,
        )


def draw_scores(axes: Any, scores: list[tuple[EventRecord, float]], metric: Shown) -> None:
    axes.plot([event.at for event, _ in scores], [score for _, score in scores], color=INK, linewidth=1)
    told = [event for event, _ in scores if event.best]
    best = told[-1] if told else max(scores, key=lambda one: metric.metric.goodness(one[1]))[0]
    for event, score in scores:
        kept = event is best
        axes.plot(
            [event.at],
            [score],
            "o" if kept else "D",
            color=ACCENT if kept else PAPER,
            markeredgecolor=ACCENT if kept else INK,
            markersize=8 if kept else 6,
        )
    axes.margins(y=0.25)
    axes.yaxis.set_major_formatter(percents(metric))
    axes.set_ylabel(f"{metric.inside} on validation", color=INK)
    axes.locator_params(axis="y", nbins=3)


def draw_rates(axes: Any, rates: list[tuple[float, float]]) -> None:
    peak = max(rate for _, rate in rates)
    axes.plot(*zip(*thinned(rates), strict=True), color=INK, linewidth=1.5)
    axes.set_yticks([0, peak], ["0", f"{peak:.2g}"])
    axes.set_ylim(0, peak * 1.1 or 1)
    axes.set_ylabel("learning rate", color=INK)


def rate_curve(test: RateTest) -> Html:
    """Smoothed loss against the learning rate of a range test, and the rate that was taken."""
    points = list(zip(test.rates, test.losses, strict=True))

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.plot(*zip(*points, strict=True), color=ACCENT, linewidth=1.5)
        axes.axvline(test.lr, color=INK, linewidth=1)
        axes.set_xscale("log")
        decades = range(round(math.log10(min(test.rates))), round(math.log10(max(test.rates))) + 1)
        axes.set_xticks([10.0**decade for decade in decades], [f"1e{decade}" for decade in decades])
        axes.minorticks_off()
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss, smoothed", color=INK)
        axes.spines[["left", "bottom"]].set_visible(False)

    lowest = min(points, key=lambda point: point[1])
    told = f"The loss is lowest, {decimals(lowest[1])}, at a learning rate of {lowest[0]:.1e}; {test.lr:.1e} was taken"
    return drawing("rate-test", told, 210, draw)


def smooth(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Mean over a window centred on each point: a twentieth of all points, less at the ends.

    >>> smooth([(0, 1.0), (1, 2.0), (2, 6.0)])
    [(0, 1.5), (1, 3.0), (2, 4.0)]
    """
    half = max(1, len(points) // 40)
    sums = [0.0]
    for _, value in points:
        sums.append(sums[-1] + value)
    smoothed = []
    for place, (x, _) in enumerate(points):
        start, end = max(0, place - half), min(len(points), place + half + 1)
        smoothed.append((x, (sums[end] - sums[start]) / (end - start)))
    return smoothed


def thinned(points: list[tuple[float, float]], most: int = 600) -> list[tuple[float, float]]:
    """At most `most` points: the lowest and the highest of each stretch, so that no spike is lost."""
    if len(points) <= most:
        return points
    size = -(-2 * len(points) // most)
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        kept += sorted({min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])})
    return kept


def heat_map(labels: Sequence[str], confusion: Sequence[Sequence[float]]) -> Html:
    """Rows are the given labels, columns the answers; a cell is as dark as its share of the row."""
    size = len(labels)

    def draw(figure: Any) -> None:
        from matplotlib.patches import Rectangle

        axes = figure.add_subplot()
        for row, counts in enumerate(confusion):
            total = sum(counts) or 1
            for column, value in enumerate(counts):
                dark = value / total
                axes.add_patch(
                    Rectangle((column, row), 0.96, 0.96, facecolor=ACCENT, alpha=dark, linewidth=0)
                )
                if value and size <= 14:
                    colour = PAPER if dark > 0.55 else INK
                    letters = 13 if size <= 7 else 10
                    axes.text(
                        column + 0.48,
                        row + 0.5,
                        f"{value:,}",
                        color=colour,
                        size=letters,
                        ha="center",
                        va="center",
                    )
        ticks = [place + 0.48 for place in range(size)]
        names = [short(label, 18) for label in labels]
        letters = 13 if size <= 7 else 11 if size <= 14 else 10
        axes.set_yticks(ticks, names, color=INK, size=letters)
        turned: dict[str, Any] = {}
        if size * max(map(len, names)) > 44:
            turned = {"rotation": 90, "rotation_mode": "anchor", "ha": "right", "va": "center"}
        axes.set_xticks(ticks, names, color=INK, size=letters, **turned)
        axes.set_xlim(0, size)
        axes.set_ylim(size, 0)
        axes.set_aspect("equal", anchor="W")
        axes.set_xlabel("answered")
        axes.set_ylabel("given")
        axes.tick_params(length=0, pad=5)
        axes.spines[["left", "bottom"]].set_visible(False)

    right = sum(row[place] for place, row in enumerate(confusion))
    total = sum(map(sum, confusion))
    told = f"Given label by answer, {size} classes: {right:,} of {total:,} test rows lie on the diagonal"
    return drawing("confusion", told, min(WIDTH, 150 + 60 * size), draw)


def reliability_diagram(before: Sequence[Bin], after: Sequence[Bin], alone: bool = False) -> Html:
    """Accuracy against confidence before and after calibration, with the rows per bin below.

    alone: whether each row stands by itself, so that the intervals of the bins have a closed form and are drawn.
    """
    halves = [(title, bins) for title, bins in (("before", before), ("after", after)) if bins]

    def draw(figure: Any) -> None:
        grid = figure.subplots(2, len(halves), sharex=True, sharey="row", squeeze=False, height_ratios=[4, 1])
        for place, (title, bins) in enumerate(halves):
            filled = [one for one in bins if one.count and number(one.accuracy) is not None]
            top, bottom = grid[0][place], grid[1][place]
            top.plot([0, 1], [0, 1], "--", color=MUTED, linewidth=1)
            top.plot(
                [one.confidence for one in filled],
                [one.accuracy for one in filled],
                "o-",
                color=ACCENT if title == "after" else INK,
                markerfacecolor=ACCENT if title == "after" else PAPER,
                linewidth=1.5,
                markersize=6,
            )
            for one in filled if alone else []:
                assert one.accuracy is not None
                low, high = wilson_ends(one.accuracy, one.count or 0, 0.95)
                top.plot([one.confidence] * 2, [low, high], color=MUTED, linewidth=1, zorder=1)
            top.set_title(f"{title} calibration", size=13, loc="left", color=INK)
            top.set_xlim(0, 1)
            top.set_xticks([0, 0.5, 1])
            top.set_ylim(0, 1.03)
            for one in bins:
                width = one.high - one.low
                bottom.bar(
                    one.low, one.count, width * 0.88, align="edge", color=MUTED, alpha=0.6, linewidth=0
                )
            bottom.set_xlabel("confidence")
            bottom.locator_params(axis="y", nbins=2)
            for panel in (top, bottom):
                panel.grid(axis="y")
                panel.tick_params(length=0, pad=6)
                panel.spines["left"].set_visible(False)
        grid[0][0].set_ylabel("answered right")
        grid[1][0].set_ylabel("rows")
        grid[0][0].yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        grid[1][0].yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        grid[1][0].xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        figure.align_ylabels(grid[:, 0])
        figure.get_layout_engine().set(wspace=0.15)

    told = "Share answered right against confidence, before and after calibration; the dashed line is perfect"
    return drawing("reliability", told, 360, draw)


def time_bars(seconds: Sequence[tuple[str, float]]) -> Html:
    """A bar per part of the run."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        longest = max(value for _, value in seconds)
        for place, (_, value) in enumerate(seconds):
            colour = ACCENT if value == longest else MUTED
            axes.barh(place, value, 0.5, color=colour, alpha=1 if value == longest else 0.6, linewidth=0)
            axes.text(value + longest * 0.015, place, duration(value), color=INK, va="center")
        axes.set_yticks(range(len(seconds)), [short(name) for name, _ in seconds], color=INK)
        axes.set_ylim(len(seconds) - 0.5, -0.5)
        axes.set_xlim(0, longest * 1.22 or 1)
        axes.set_xticks([])
        axes.tick_params(length=0, pad=6)
        axes.spines[["left", "bottom"]].set_visible(False)

    told = "; ".join(f"{name} {duration(value)}" for name, value in seconds)
    return drawing("cost", f"Time of each part: {told}", 24 + 34 * len(seconds), draw)


def scatter(points: Sequence[Sequence[float]], said: str) -> Html:
    """What is said of rows against what is true of them."""
    truth, answers = [point[0] for point in points], [point[1] for point in points]
    size = 3.5 if len(points) > 100 else 6

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        if said == "estimate":
            ends = [min(truth), max(truth)]
            axes.plot(ends, ends, "--", color=MUTED, linewidth=1)
        axes.plot(truth, answers, "o", color=ACCENT, markersize=size, alpha=0.5, markeredgewidth=0)
        axes.set_xlabel("truth")
        axes.set_ylabel(said)
        bare(axes, "both")

    return drawing("scatter", f"{said} against truth, {len(points)} test rows", 320, draw)
