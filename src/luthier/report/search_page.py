"""The `report.html` of a search: one page that needs nothing else, written from search.json and the winner's scorecard."""

import os
from pathlib import Path
from typing import Any

from luthier.errors import RunError
from luthier.files import refuse_link_away, write_bytes
from luthier.folder.scorecard_records import ScorecardRecord
from luthier.report import numbers, sentences
from luthier.report.markup import (
    Column,
    Html,
    beside,
    code,
    facts,
    figures,
    join,
    picture,
    safe,
    table,
    table_or_details,
    tag,
)
from luthier.report.numbers import Shown, number
from luthier.report.page import document
from luthier.report.records import read_whole_scorecard
from luthier.report.search_pictures import (
    as_they_ended,
    history,
    importance_bars,
    learning_curves,
    parallel,
    points_of,
)
from luthier.report.search_records import NamedRecord, SearchRecord, TrialRecord, read_search
from luthier.scores.metrics import metric_named

STATES = {"complete": "finished", "pruned": "ended early", "failed": "failed", "running": "unfinished"}


def write_search_page(search: Path) -> Path:
    """Write `report.html` into a search's folder. The same records give the same bytes. Raises RunError for an unfinished one."""
    record = read_search(search)
    tested = search / "best" / "scorecard.json"
    if record.best is None or record.best.why is None or not os.path.lexists(tested):
        raise RunError(f"{search}: this search is not finished. `luthier resume {search}` goes on with it.")
    refuse_link_away(search / "best", search)
    scorecard = read_whole_scorecard(search / "best").card
    path = search / "report.html"
    write_bytes(path, search_page(record, scorecard).encode("utf-8", "replace"))
    return path


def named_of(record: SearchRecord) -> NamedRecord:
    """The trial that a finished search ends with."""
    assert record.best is not None, "the search is finished"
    return record.best


def ranked(record: SearchRecord) -> list[TrialRecord]:
    """All trials, the finished ones first, and the best first among them."""
    goodness = metric_named(record.metric).goodness
    return sorted(record.trials, key=lambda one: (one.state != "complete", -goodness(one.score or 0.0)))


def search_page(record: SearchRecord, scorecard: ScorecardRecord) -> str:
    """The whole page. record: search.json.  scorecard: of the named trial."""
    metric = numbers.shown(record.metric, scorecard.task or "")
    bodies = {
        "Outcome": outcome(record, scorecard, metric),
        "Trials": beside(trials(record, metric), lines(record, metric)),
        "History": time_line(record, metric),
        "Importance": importance(record),
        "Learning curves": curves(record, metric),
        "How it was searched": searched(record),
    }
    kept = {title: body for title, body in bodies.items() if body}
    name = f"{len(record.trials)} trials of {scorecard.model}"
    return document(f"{name}: luthier search", "luthier search", name, kept)


def values_of(trial: TrialRecord) -> str:
    """What a trial varied, in a line."""
    told = [f"{key.split('.')[1]} {written(value)}" for key, value in trial.values.items()]
    return ", ".join(told) or "the recipe"


def written(value: object) -> str:
    """A value as text, to three digits where it is a number.

    >>> written(0.00034567), written(16.0), written("top:2")
    ('0.000346', '16', 'top:2')
    """
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def outcome(record: SearchRecord, scorecard: ScorecardRecord, metric: Shown) -> Html:
    best = named_of(record)
    trial = record.trials[best.number]
    tested = scorecard.test[record.metric]
    shown = [
        (
            f"{metric.title} on test",
            metric.show(tested.value),
            metric.show_range(tested.low, tested.high),
        ),
        ("On validation", metric.show(best.score), "the best of many on the same rows is partly luck"),
    ]
    corrected = record.corrected
    if corrected:
        span = metric.show_range(corrected.low, corrected.high)
        shown.append(("Luck taken out", metric.show(corrected.value), f"to be expected on new rows, {span}"))
    recipe, gap = number(record.recipe), ""
    if best.number and recipe is not None:
        gained = metric.show_difference(metric.metric.gain(best.score, recipe))
        gap = f"On validation that is {gained} against the recipe, trial 0."
    told = [
        tag("p.headline", f"{'The recipe' if not best.number else sentences.sentence(values_of(trial))}."),
        tag("p.lead", f"{sentences.sentence(str(best.why))}. {gap}"),
        figures(shown),
        *[tag("p", safe(text)) for text in [record.spread, scorecard.verdict_words] if text],
        seeds_table(record, metric),
        tag(
            "p",
            "The model, its report and its tests: ",
            Html('<a href="best/report.html">best/report.html</a>'),
            ".",
        ),
    ]
    return join(told)


def seeds_table(record: SearchRecord, metric: Shown) -> Html:
    """Scores of the best few on each seed."""
    seeds = record.seeds or {}
    if not seeds:
        return Html("")
    most = max(map(len, seeds.values()))
    columns = [Column("Trial"), *[Column(f"Seed +{at}" if at else "Seed", number=True) for at in range(most)]]
    rows = [
        [
            f"trial {number}",
            *[metric.show(score) for score in scores],
            *[numbers.NOTHING] * (most - len(scores)),
        ]
        for number, scores in seeds.items()
    ]
    return table("The best few on other seeds", columns, rows)


def trials(record: SearchRecord, metric: Shown) -> Html:
    """All trials, the best first."""
    named, ordered = named_of(record).number, ranked(record)
    keys = list(dict.fromkeys(key for one in record.trials for key in one.values))
    columns = [
        Column("Trial"),
        *[Column(key.split(".")[1], number=True) for key in keys],
        Column(metric.title, number=True),
        Column("Outcome"),
        Column("Seconds", number=True),
    ]
    rows = []
    for one in ordered:
        name = f"{one.number}{' (recipe)' if one.number == 0 else ''}"
        told = STATES[one.state] + (f": {one.words}" if one.words else "")
        seconds = numbers.NOTHING if number(one.seconds) is None else f"{one.seconds:.0f}"
        cells: list[object] = [name, *[written(one.values.get(key, numbers.NOTHING)) for key in keys]]
        cells += [metric.show(one.score), told, seconds]
        rows.append([tag("strong", cell) for cell in cells] if one.number == named else cells)
    return table_or_details("Trials, the best on validation first", columns, rows, most=40)


def lines(record: SearchRecord, metric: Shown) -> Html:
    """The table of trials as a picture."""
    done = [one for one in record.trials if number(one.score) is not None]
    keys = [key for key in dict.fromkeys(key for one in done for key in one.values)
            if sum(key in one.values for one in done) > 1]  # fmt: skip
    whole = [one for one in done if all(key in one.values for key in keys)]
    if not keys or len(whole) < 2:
        return Html("")
    told = "The same as lines, one a trial, the darker the better; broken ones ended early."
    left = len(done) - len(whole)
    if left:
        told += (
            f" {left} {'trials have' if left > 1 else 'trial has'} not all of these settings, and no line."
        )
    return picture(parallel(whole, keys, named_of(record).number, metric), told)


def time_line(record: SearchRecord, metric: Shown) -> Html:
    done = as_they_ended(record.trials)
    if not done:
        return Html("")
    image = history(record.trials, named_of(record).number, metric)
    drawn = picture(image, "Each trial when it ended, and the best so far. The named one is large.")
    columns = [Column(name, number=True) for name in ("Minutes", "Trial", metric.title, "Best so far")]
    rows: list[list[object]] = []
    best: float | None = None
    for one in done:
        if one.state == "complete":
            best = one.scored if best is None else metric.metric.best([best, one.scored])
        rows.append([f"{one.minutes:.1f}", one.number, metric.show(one.score), metric.show(best)])
    return beside(drawn, table_or_details("As they ended", columns, rows))


def importance(record: SearchRecord) -> Html:
    """The section on which of the varied settings mattered."""
    shares = record.importance or {}
    if not shares:
        return Html("")
    rows = [[key, f"{100 * value:.0f} %", f"{100 * low:.0f} to {100 * high:.0f} %"]
            for key, (value, low, high) in sorted(shares.items(), key=lambda pair: -pair[1][0])]  # fmt: skip
    columns = [
        Column("Setting"),
        Column("Importance", number=True),
        Column("Of 80 % of resamples", number=True),
    ]
    told = (
        "Share of what makes the better trials differ from all (PED-ANOVA); "
        "the line is how much it depends on which trials there were."
    )
    return beside(picture(importance_bars(shares), told), table("In numbers", columns, rows))


def curves(record: SearchRecord, metric: Shown) -> Html:
    learnt = [one for one in record.trials if one.validations]
    if not learnt:
        return Html("")
    image = learning_curves(record.trials, named_of(record).number, metric)
    told = "Scores while the trials learnt; a triangle is where one was ended. The named one is thick."
    columns = [Column("Trial", number=True), Column(f"{metric.title} at each validation", wide=True)]
    rows = [[one.number, ", ".join(metric.show(score) for _, score in points_of(one))] for one in learnt]
    return beside(picture(image, told), table_or_details("In numbers", columns, rows))


def searched(record: SearchRecord) -> Html:
    counts = {state: sum(one.state == state for one in record.trials) for state in STATES}
    told = ", ".join(f"{count} {STATES[state]}" for state, count in counts.items() if count)
    pairs: list[tuple[object, Any]] = [
        ("Sampler", record.method),
        ("Ended early by", record.prune or "none"),
        ("Trials", told),
        ("Wall time", numbers.duration(record.seconds)),
    ]
    return join([facts(pairs), tag("p", "Space:"), code("\n".join(record.space or []))])
