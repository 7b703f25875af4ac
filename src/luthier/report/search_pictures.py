"""The pictures of a search, each from the trials of search.json."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from luthier.report.drawing import ACCENT, INK, MUTED, PAPER, bare, drawing, percents, short
from luthier.report.markup import Html
from luthier.report.numbers import Shown, number
from luthier.report.search_records import TrialRecord

DECADES = 20.0
"""Numbers are drawn on a logarithmic axis where the largest is so many times the smallest."""


def as_they_ended(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials that have a score, in the order in which they ended."""
    done = [one for one in trials if number(one.score) is not None and number(one.ended) is not None]
    return sorted(done, key=lambda one: one.minutes)


def points_of(trial: TrialRecord) -> list[tuple[int, float]]:
    """Points of a trial's curve: the number of its validations, and its score at each."""
    return sorted((int(age), float(score)) for age, score in (trial.validations or {}).items())


def history(trials: Sequence[TrialRecord], named: int, metric: Shown) -> Html:
    """Score of each trial by when it ended, and the best so far as a line of steps."""
    done = as_they_ended(trials)
    whole = [one for one in done if one.state == "complete"]

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        line: list[tuple[float, float]] = []
        for one in whole:
            best = metric.metric.best([line[-1][1], one.scored]) if line else one.scored
            line.append((one.minutes, best))
        if line:
            axes.step(
                *zip(*line, strict=True), where="post", color=ACCENT, linewidth=1.5, label="best so far"
            )
        for state, form, filled in (("complete", "o", True), ("pruned", "v", False)):
            own = [one for one in done if one.state == state]
            if own:
                axes.plot(
                    [one.minutes for one in own],
                    [one.scored for one in own],
                    form,
                    color=INK if filled else PAPER,
                    markeredgecolor=INK if filled else MUTED,
                    markersize=6,
                    label="finished" if filled else "ended early",
                )
        for one in done:
            if one.number == named:
                axes.plot([one.minutes], [one.scored], "o", color=ACCENT, markersize=9)
        axes.set_xlabel("minutes since the search began")
        axes.set_title(f"{metric.inside} on validation", color=INK, size=13, loc="left", pad=12)
        axes.yaxis.set_major_formatter(percents(metric))
        axes.margins(y=0.1)
        bare(axes)
        figure.legend(loc="outside lower left", ncols=3, handletextpad=0.5)

    best = metric.metric.best(one.scored for one in whole) if whole else None
    told = f"{len(whole)} trials finished, {len(done) - len(whole)} ended early; the best scores {metric.show(best)}"
    return drawing("history", told, 260, draw)


def places(values: Sequence[object]) -> tuple[list[float], list[tuple[float, str]]]:
    """Where values stand on an axis from 0 to 1, and what is written there: numbers by size, words one above the other."""
    numbers = [float(value) for value in values if isinstance(value, (int, float))]
    if len(numbers) < len(values):
        words = sorted({str(value) for value in values})
        steps = max(1, len(words) - 1)
        where = {word: at / steps if len(words) > 1 else 0.5 for at, word in enumerate(words)}
        return [where[str(value)] for value in values], [(where[word], short(word, 14)) for word in words]
    low, high = min(numbers), max(numbers)
    logs = low > 0 and high / low >= DECADES
    begin, end = (math.log(low), math.log(high)) if logs else (low, high)

    def place(value: float) -> float:
        return 0.5 if end == begin else ((math.log(value) if logs else value) - begin) / (end - begin)

    ticks = [(0.5, low)] if end == begin else [(0.0, low), (1.0, high)]
    return [place(value) for value in numbers], [(at, f"{value:.3g}") for at, value in ticks]


def parallel(trials: Sequence[TrialRecord], keys: Sequence[str], named: int, metric: Shown) -> Html:
    """One line per trial through its values; the better its score, the darker. Every trial has a value for all of `keys`."""
    own = sorted(trials, key=lambda one: metric.metric.goodness(one.scored))
    titles = [key.split(".")[1] for key in keys]

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        columns = [places([one.values[key] for one in own]) for key in keys]
        scores, score_ticks = places([one.scored for one in own])
        columns.append((scores, [(at, metric.show(float(text))) for at, text in score_ticks]))
        for place, one in enumerate(own):
            line = [column[0][place] for column in columns]
            kept = one.number == named
            rank = place / max(1, len(own) - 1)
            axes.plot(
                range(len(columns)),
                line,
                "-" if one.state == "complete" else "--",
                color=ACCENT if kept else INK,
                alpha=1.0 if kept else 0.12 + 0.6 * rank,
                linewidth=2.5 if kept else 1.2,
                zorder=3 if kept else 2,
            )
        for at, (_, ticks) in enumerate(columns):
            axes.axvline(at, color=MUTED, linewidth=1, zorder=1)
            for height, words in ticks:
                axes.text(at + 0.04, height, words, color=MUTED, size=11, va="center")
        axes.set_xticks(range(len(columns)), [*titles, metric.inside], color=INK)
        axes.set_yticks([])
        axes.set_xlim(-0.1, len(columns) - 0.6)
        axes.set_ylim(-0.06, 1.06)
        axes.tick_params(length=0, pad=6)
        axes.spines[["left", "bottom"]].set_visible(False)

    told = f"{len(own)} trials by {', '.join(titles)} and {metric.inside}"
    return drawing("parallel", told, 280, draw)


def importance_bars(shares: Mapping[str, Sequence[float]]) -> Html:
    """How much of the difference between good and other trials each setting explains, with its interval."""
    ordered = sorted(shares.items(), key=lambda pair: -pair[1][0])

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for place, (_, (value, low, high)) in enumerate(ordered):
            axes.barh(place, value, height=0.5, color=INK, alpha=0.55, linewidth=0)
            axes.plot([low, high], [place, place], color=ACCENT, linewidth=2, solid_capstyle="butt")
        axes.set_yticks(range(len(ordered)), [key.split(".")[1] for key, _ in ordered], color=INK)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        bare(axes, "x")

    told = "; ".join(f"{key} {100 * value:.0f} %" for key, (value, _, _) in ordered)
    return drawing("importance", f"Importance: {told}", 60 + 40 * len(ordered), draw)


def learning_curves(trials: Sequence[TrialRecord], named: int, metric: Shown) -> Html:
    """Score of each trial by the number of validations it has seen."""
    curves = [(one, points_of(one)) for one in trials if points_of(one)]

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for one, points in curves:
            kept = one.number == named
            cut = one.state == "pruned"
            axes.plot(
                *zip(*points, strict=True),
                "-",
                color=ACCENT if kept else INK,
                alpha=1.0 if kept else 0.35,
                linewidth=2.5 if kept else 1.2,
                zorder=3 if kept else 2,
            )
            axes.plot(
                *points[-1],
                "v" if cut else "o",
                color=ACCENT if kept else PAPER if cut else INK,
                markeredgecolor=ACCENT if kept else MUTED,
                markersize=8 if kept else 5,
            )
        axes.set_xlabel("validations")
        axes.set_title(f"{metric.inside} on validation", color=INK, size=13, loc="left", pad=12)
        axes.yaxis.set_major_formatter(percents(metric))
        axes.xaxis.get_major_locator().set_params(integer=True)
        bare(axes)

    return drawing("curves", f"Validation scores of {len(curves)} trials while they learnt", 260, draw)
