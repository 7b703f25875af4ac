"""Sentences about a run. Plain text: whoever writes HTML or Markdown escapes it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from luthier.folder.scorecard_records import (
    CalibrationScores,
    LongTexts,
    ScorecardRecord,
    Tuning,
    Verdict,
    Worth,
    WrittenTexts,
)
from luthier.report.numbers import Shown, count, duration, number, shown, three_digits


@dataclass(frozen=True)
class Kind:
    """A candidate as a sentence names it, and what it is."""

    called: str
    meaning: str


CANDIDATES = {
    "majority": Kind("the majority class", "always says the most frequent label"),
    "mean": Kind("the mean", "always says the mean of the training rows"),
    "nothing": Kind("saying nothing", "never finds anything"),
    "lookup": Kind("looking up", "the entities of the training rows, found again word for word"),
    "tf-idf": Kind(
        "TF-IDF", "words and pieces of words, counted, under a linear model: no pre-trained model"
    ),
    "colours": Kind("colours and edges", "their histograms under a linear model: no pre-trained model"),
    "neighbours": Kind(
        "the nearest neighbours",
        "the labels of the training rows nearest by frozen features; shown, not counted",
    ),
    "class-means": Kind(
        "the nearest class mean",
        "the label whose training rows lie nearest on the mean, by frozen features; shown, not counted",
    ),
    "scratch": Kind(
        "the model from scratch",
        "the same architecture from random weights, in as many steps; shown, not counted",
    ),
    "overlap": Kind(
        "the nearest sentence",
        "the sentence of the text that has most of the question's words: nothing learnt",
    ),
    "zero-shot": Kind("the zero-shot model", "the model as it was: it has learnt from no label"),
    "untouched": Kind("the untouched model", "the model as it came, asked as the tuned one is"),
    "few-examples": Kind(
        "the untouched model with examples in its prompt",
        "the model as it came, with the best few training rows before what it is asked",
    ),
    "probe": Kind("the probe", "a linear head on frozen features"),
    "few-shot": Kind(
        "the few-shot model", "rows of a label brought together in the model's own layers, then a linear head"
    ),
    "tuned": Kind("the tuned model", "the model's own weights, tuned"),
}
"""The candidates that luthier itself compares, by name."""


TUNING = {
    "lr": "Learning rate",
    "batch_rows": "Rows per step",
    "warmup": "Warm-up",
    "max_norm": "Gradient norm at most",
    "why": "Ended by",
}
"""Names in words of the settings of training; others are shown by their key."""

COUNTED = ("tokens", "seconds")
"""Settings that the report tells as cost, and not again among the settings."""


def called(name: object) -> str:
    """A candidate's name in a sentence."""
    kind = CANDIDATES.get(str(name))
    return kind.called if kind else str(name)


def sentence(text: str) -> str:
    """A text that begins with a capital."""
    return text[:1].upper() + text[1:]


def cut(text: object, most: int = 300) -> str:
    """A text of at most `most` characters, on one line."""
    whole = " ".join(str(text).split())
    return whole if len(whole) <= most else whole[: most - 1].rstrip() + "…"


def label_of(value: object) -> str:
    """A label, or several, as one text; entities with what they stand for."""
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return ", ".join(f"{one.get('text')} ({one.get('label')})" for one in value if isinstance(one, dict))
    if value == []:
        return "nothing"
    if value == "":
        return "no answer"
    return (", ".join(map(str, value)) or "no label") if isinstance(value, list) else str(value)


def test_rows(scorecard: ScorecardRecord) -> str:
    """How many rows the scores were measured on."""
    rows = (scorecard.rows or {}).get("test")
    seen = "test row" if scorecard.judged is not None else "unseen test row"  # who knows what it was tuned on
    return "the test rows" if number(rows) is None else count(rows, seen)


HEADLINE = re.compile(r"(Ship it|Do not ship it( yet)?)\.\s")
"""The beginnings that the recorded words of a verdict may have."""


def settings(tuning: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Settings and outcomes of training by name; what belongs to one candidate says so.

    >>> dict(settings({"lr": 0.1, "probe": {"strength": 2, "cross_validated": {}}}))
    {'Learning rate': 0.1, 'Strength (probe)': 2}
    """
    for key, value in tuning.items():
        if not isinstance(value, dict):
            yield TUNING.get(key, sentence(key.replace("_", " "))), value
        else:
            for inner, held in value.items():
                if not isinstance(held, dict | list) and inner not in COUNTED:
                    yield (
                        f"{TUNING.get(inner, sentence(inner.replace('_', ' ')))} ({key.replace('_', ' ')})",
                        held,
                    )


def headline(scorecard: ScorecardRecord) -> str:
    """The verdict in two or three words."""
    verdict = scorecard.verdict
    if verdict is None:
        return "Measured, not judged."
    if recorded := HEADLINE.match(verdict.words or ""):
        return recorded[0].strip()
    return "Ship it." if verdict.ship else "Do not ship it."


def verdict_words(scorecard: ScorecardRecord) -> str:
    """The verdict as recorded, without its headline; made from its numbers where no words were recorded."""
    verdict = scorecard.verdict
    if verdict is not None and verdict.words:
        begins = HEADLINE.match(verdict.words)
        return verdict.words[begins.end() :] if begins else verdict.words
    metric = shown(scorecard.metric)
    value = metric.show(scorecard.test[scorecard.metric].value)
    reached = sentence(
        f"{called(scorecard.chosen)} reaches {value} {metric.inside} on rows it has never seen"
    )
    difference = None if verdict is None else number(verdict.difference)
    if verdict is None or difference is None:
        return f"{reached}."
    than = f"{called(verdict.against)}, the best candidate for which nothing was trained"
    if difference == 0:
        return f"{reached}: the same as {than}."
    better = "better" if difference > 0 else "worse"
    return f"{reached}: {metric.show_difference(difference, signed=False)} {better} than {than}."


def certainty(verdict: Verdict | None, metric: Shown) -> str:
    """What the interval of a difference means; empty where there is none."""
    if verdict is None:
        return ""
    low, high = number(verdict.low), number(verdict.high)
    if low is None or high is None:
        return ""
    told = ""
    if "interval" not in (verdict.words or ""):
        ends = metric.show_difference_range(low, high).replace(" to ", " and ")
        told = f"With 95 % confidence the true difference to {called(verdict.against)} lies between {ends}. "
    if low > 0:
        return f"{told}Even the low end of the interval is a gain: this is not luck of the test rows."
    if high < 0:
        return f"{told}Even the high end of the interval is a loss: this is not bad luck of the test rows."
    return f"{told}The interval holds zero: on other rows of the same kind there may be no difference at all."


def worth_words(scorecard: ScorecardRecord) -> str:
    """Whether the dearest candidate is worth its price; empty where nothing was compared."""
    worth = scorecard.worth or Worth()
    if worth.words:
        return worth.words
    difference = number(worth.difference)
    if difference is None:
        return ""
    metric = shown(scorecard.metric)
    seconds = {candidate.name: candidate.seconds for candidate in scorecard.candidates or []}
    dearer, cheaper = (
        f"{called(name)} ({duration(seconds[name])})"
        if name is not None and number(seconds.get(name)) is not None
        else called(name)
        for name in (worth.dearer, worth.cheaper)
    )
    if difference == 0:
        return sentence(f"{dearer} scores the same as {cheaper}.")
    than = "better" if difference > 0 else "worse"
    return sentence(f"{dearer} is {metric.show_difference(difference, signed=False)} {than} than {cheaper}.")


def long_words(long: LongTexts | None) -> str:
    """What happened to the texts beyond the model's limit; empty when all fit."""
    rows = None if long is None else number(long.rows)
    if long is None or not rows:
        return ""
    limit = count(long.limit)
    longer = (
        f"{count(rows, 'text')} {'is' if rows == 1 else 'are'} longer than the {limit} tokens the model reads"
    )
    if long.way == "cut":
        return f"{longer}: {count(long.tokens, 'token')} beyond the limit were cut off and never seen."
    if long.way == "windows":
        return f"{longer}: they were read in windows, so nothing of them was lost."
    return f"{longer}."


def written_words(written: WrittenTexts | None) -> str:
    """How many answers were written, and how many of them the model did not end; empty where none were."""
    rows = None if written is None else number(written.rows)
    if written is None or not rows:
        return ""
    most = f" of {count(written.most_tokens, 'token')}" if number(written.most_tokens) is not None else ""
    cut_off = number(written.cut_at_length) or 0
    told = f"{count(rows, 'answer')} to test rows {are(rows)} written"
    if not cut_off:
        return f"{told}; each was ended by the model itself."
    return f"{told}, of which {count(cut_off)} {are(cut_off)} cut off at the length{most}."


def are(found: float) -> str:
    return "was" if found == 1 else "were"


def system_words(system: str | None) -> str:
    """What the model is told first; empty where that is nothing."""
    return f"It is told first, where a conversation has no such turn: {system}" if system else ""


def examples_words(tuning: Tuning | None) -> str:
    """Which training rows stood in the untouched model's prompt; empty where none did."""
    examples = None if tuning is None else tuning.few_examples
    if examples is None or not examples.rows:
        return ""
    return f"The examples in the untouched model's prompt: {'; '.join(examples.rows)}."


def not_kept_words(calibration: CalibrationScores) -> str:
    """Why the probabilities stay the model's own though a calibration was tried."""
    rows = number(calibration.rows)
    on = "the calibration rows" if rows is None else count(rows, "calibration row")
    gain, noise = number(calibration.gain) or 0.0, number(calibration.noise) or 0.0
    held = f"In cross-validation ({calibration.folds or 10} folds) on {on}"
    if gain <= 0:
        does = f"calibrating made the log loss of held-out rows no better ({gain:+.4f} nats)"
    else:
        within = f"which is within its standard error of {noise:.4f}"
        does = f"calibrating made the log loss of held-out rows better by {gain:.4f} nats, {within}"
    return f"{held}, {does}: so the probabilities are the model's own."


def calibration_words(calibration: CalibrationScores | None) -> str:
    """What calibration did; empty where it was not measured."""
    if calibration is None:
        return ""
    wanted, covered = number(calibration.wanted), number(calibration.coverage)
    if wanted is not None and covered is not None:
        margin = three_digits(calibration.margin)
        return (
            f"Each estimate has an interval of {margin} either way, made to hold the truth in {100 * wanted:.0f} % of the "
            f"rows. On the test rows it holds it in {100 * covered:.1f} %."
        )
    before, after = number(calibration.ece_before), number(calibration.ece_after)
    if before is None or after is None:
        return ""
    temperature = number(calibration.temperature)
    fitted = temperature is not None and temperature != 1
    by = f", after the logits were divided by the temperature {temperature:.3g}" if fitted else ""
    gap = f"{100 * after:.1f} points on average"
    told = f"The gap between how sure the model says it is and how often it is right is {gap}{by}"
    if calibration.kept is False:
        return f"{told}. {not_kept_words(calibration)}"
    if abs(before - after) < 5e-4:
        return f"{told}. It was the same before."
    if after < before:
        return f"{told}. Before it was {100 * before:.1f} points."
    return f"{told}. Before it was {100 * before:.1f} points: calibration did not help on the test rows."
