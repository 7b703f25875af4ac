"""The model card: README.md for the model's folder, in the hub's format, from measured values only.

The block at its top follows https://github.com/huggingface/hub-docs/blob/main/modelcard.md.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from luthier import terminal
from luthier.report import numbers, sentences, usage
from luthier.report.candidates import REACH, measured_costs
from luthier.report.continued import round_words
from luthier.report.overfitting_words import overfitting_words
from luthier.report.records import Records
from luthier.report.repeated import cluster_words, seed_words
from luthier.report.rows import LEFT_OUT, uses_of_parts
from luthier.report.slices_words import slices_words
from luthier.report.trust_words import trust_words
from luthier.scores.metrics import metric_named

HUB_NAMES = {
    "all-MiniLM-L6-v2": "sentence-transformers/all-MiniLM-L6-v2",
    "SmolLM2-135M-Instruct": "HuggingFaceTB/SmolLM2-135M-Instruct",
}
"""Short names of models and their names on the hub."""

DATASET_TYPES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
}
"""The name under which `datasets.load_dataset` reads a kind of file."""

WRITES = "text-generation"
"""The hub's name of what models do that write texts."""

WEAKEST = 3
"""How many of the classes with the lowest F1 are named among the limits."""


def model_card(records: Records) -> str:
    """README.md of the tuned model."""
    scorecard = records.scorecard
    sections = {
        "Labels": labels(records),
        "How it was made": making(records),
        "Results": results(records),
        "Labelling rounds": bullets(round_words(scorecard)),
        "Calibration": plain(sentences.calibration_words(scorecard.calibration)),
        "Trust": bullets(trust_words(scorecard.trust, scorecard.valid_from)),
        "Slices": bullets(slices_words(scorecard.slices)),
        "Overfitting": bullets(
            overfitting_words(scorecard.overfitting, scorecard.metric, scorecard.valid_from)
        ),
        "What it forgot": plain(" ".join(forgot(records))),
        "Limits": bullets(limits(records)),
        "How to use it": use(records),
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items() if text)
    head = f"---\n{block(metadata(records))}\n---\n\n# {plain(title(records))}\n\n{summary(records)}"
    card = f"{head}\n\n{body}\n"
    return card.encode("utf-8", "replace").decode()


def title(records: Records) -> str:
    return f"{base_name(records)} tuned on {records.dataset or 'local rows'}"


def base_name(records: Records) -> str:
    """The base model's own name, without the folder or the owner it was found in."""
    return PurePath(records.scorecard.model or "model").name


def metadata(records: Records) -> dict[str, Any]:
    scorecard = records.scorecard
    task = scorecard.task
    held: dict[str, Any] = {
        "library_name": scorecard.model_format,
        "pipeline_tag": WRITES if usage.talks(scorecard) else task,
        "tags": ["luthier", *[tag for tag in (task, scorecard.chosen) if tag]],
        "base_model": hub_name(scorecard.model or ""),
        "metrics": list(dict.fromkeys(hub_metric(name)[0] for name in records.scores)),
        "model-index": [{"name": title(records), "results": [evaluation(records)]}]
        if records.measured
        else [],
    }
    return {key: value for key, value in held.items() if value}


def evaluation(records: Records) -> dict[str, Any]:
    """The scores of the test rows as one result of the model index."""
    names = [file.name.removesuffix(".gz") for file in records.files]
    kinds = {DATASET_TYPES.get(PurePath(name).suffix, "local") for name in names}
    metrics = []
    for key, score in records.scores.items():
        value = numbers.number(score.value)
        kind, arguments = hub_metric(key)
        if value is not None:
            metric: dict[str, Any] = {"type": kind, "value": value, "name": numbers.shown(key).title}
            metrics.append(metric | ({"args": arguments} if arguments else {}))
    return {
        "task": {"type": WRITES if usage.talks(records.scorecard) else str(records.scorecard.task)},
        "dataset": {
            "name": records.dataset or "local rows",
            "type": kinds.pop() if len(kinds) == 1 else "local",
            "split": "test",
        },
        "metrics": metrics,
    }


def hub_metric(name: str) -> tuple[str, dict[str, str]]:
    """The hub's name of a metric, and its arguments."""
    metric = metric_named(name)
    return metric.hub or name, dict(metric.hub_arguments)


def hub_name(model: str) -> str | None:
    """The name of a model on the hub; None for a folder.

    >>> hub_name("google-bert/bert-base-uncased"), hub_name("./models/mine")
    ('google-bert/bert-base-uncased', None)
    """
    if model in HUB_NAMES:
        return HUB_NAMES[model]
    named = re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", model, re.ASCII)
    # A relative folder looks the same; one that exists was the one that was read.
    return model if named and not re.search(r"--|\.\.", model) and not Path(model).exists() else None


UNITS = {
    "pair-classification": "two texts",
    "token-classification": "each entity in a text",
    "image-classification": "an image",
}
"""What gets a label, by task, where that is not a text."""


def summary(records: Records) -> str:
    """What the model does, and whether it is good enough."""
    scorecard = records.scorecard
    told = [
        f"Written by luthier; {'every number below was' if records.measured else 'nothing was'} measured."
    ]
    if names := records.scorecard.labels or []:
        gives = "any number" if scorecard.multi_label else "one"
        what = UNITS.get(scorecard.task or "", "a text")
        told.insert(0, f"Gives {what} {gives} of {numbers.count(len(names), 'label')}.")
    metric = numbers.shown(scorecard.metric)
    sure = f" {sentences.certainty(scorecard.verdict, metric)}" if records.compared else ""
    verdict = sentences.verdict_words(scorecard) + sure
    return f"{' '.join(told)}\n\n**{sentences.headline(scorecard)}** {plain(verdict)}"


def labels(records: Records) -> str:
    return ", ".join(plain(label) for label in records.scorecard.labels or [])


def making(records: Records) -> str:
    scorecard = records.scorecard
    chosen = sentences.called(scorecard.chosen)
    uses = uses_of_parts(scorecard.valid_from)
    rows = {name: numbers.count((scorecard.rows or {}).get(name)) for name in uses}
    counts = [(name, uses[name], size) for name, size in rows.items() if size != numbers.NOTHING]
    told = [f"Base model: {plain(scorecard.model or numbers.NOTHING)}. Kept: {plain(chosen)}."]
    named = sentences.settings(records.tuning) if scorecard.chosen == "tuned" else ()
    settings = ", ".join(f"{name.lower()} {numbers.setting(value)}" for name, value in named)
    told += [f"Settings: {plain(settings)}."] if settings else []
    out = [
        f"{numbers.count(size, 'row')} {LEFT_OUT.get(why, why)}"
        for why, size in (scorecard.left_out or {}).items()
        if size
    ]
    told += [f"Left out: {plain(', '.join(out))}."] if out else []
    seed = scorecard.seed
    told += [f"Seed {plain(seed)}."] if seed is not None else []
    told += [plain(first)] if (first := sentences.system_words(scorecard.system)) else []
    free = scorecard.unlabelled
    told += [plain(words) for words in (free.sentences if free is not None else [])]
    told += [plain(shown)] if (shown := sentences.examples_words(scorecard.tuning)) else []
    listed = [table(("Part", "What it is for", "Rows"), counts, texts=2)] if counts else []
    return "\n\n".join([" ".join(told), *listed])


def results(records: Records) -> str:
    scorecard = records.scorecard
    if not records.measured:
        return "Nothing was measured: there were no test rows."
    metric, costs = numbers.shown(scorecard.metric), measured_costs(records.candidates)
    scores = [
        (known.title, known.show(score.value), known.show_range(score.low, score.high))
        for known, score in ((numbers.shown(name), score) for name, score in records.scores.items())
    ]
    candidates = [
        (
            f"{one.name} (this model)" if one.name == scorecard.chosen else one.name,
            metric.show(one.test),
            metric.show_range(one.test_low, one.test_high),
            *[show(one) for show in costs.values()],
        )
        for one in records.candidates
    ]
    told = (cluster_words(scorecard), seed_words(scorecard))
    reaching = scorecard.reaching if REACH in costs else None
    return "\n\n".join(
        [
            f"On {sentences.test_rows(scorecard)}, with 95 % intervals:",
            table(("Metric", "Value", "95 % interval"), scores),
            *[plain(words) for words in told if words],
            "Beside what is cheaper, on the same rows:",
            table(("Candidate", metric.title, "95 % interval", *costs), candidates),
            *[plain(words) for words in (reaching, sentences.worth_words(scorecard)) if words],
        ]
    )


def forgot(records: Records) -> Iterator[str]:
    """What tuning made the model forget, and what was given back of it."""
    for told in (records.scorecard.forgetting, records.scorecard.keeping):
        if told is not None and told.words:
            yield told.words


def limits(records: Records) -> Iterator[str]:
    """Measured facts for which the model should be used with care."""
    tested = sentences.test_rows(records.scorecard)
    source = records.dataset or "one data set"
    if records.measured:
        yield f"Measured on {tested} of {source}. On texts of another kind nothing was measured."
    else:
        yield "How good it is was not measured."
    scores = [
        (f1, one) for one in records.scorecard.per_class or [] if (f1 := numbers.number(one.f1)) is not None
    ]
    if scores:
        weakest = sorted(scores, key=lambda scored: scored[0])[:WEAKEST]
        named = "; ".join(
            f"{one.label} {numbers.three(f1)} ({numbers.count(one.support, 'test row')})"
            for f1, one in weakest
        )
        yield f"Lowest F1: {named}."
    calibration = records.scorecard.calibration
    after = numbers.number(calibration.ece_after if calibration else None)
    if after is not None:
        yield f"Its confidence is off by {100 * after:.1f} points on average."
    if seen := records.scorecard.looks_words:
        yield seen
    if long := sentences.long_words(records.scorecard.long):
        yield long
    if written := sentences.written_words(records.scorecard.written):
        yield written
    yield from records.scorecard.warnings or []


def use(records: Records) -> str:
    plain_code = usage.without_luthier(records.scorecard, "path/to/this/folder")
    library = records.scorecard.model_format
    if plain_code is None:
        return f"```python\n{usage.with_luthier('path/to/run', records.scorecard)}```"
    ways = "\n".join(
        f"- `{call}`: {what}" for call, what in usage.openers(records.scorecard, "path/to/this/folder")
    )
    return (
        f"With {plain(library)} alone:\n\n```python\n{plain_code}```\n\nHow each library opens this folder:\n\n{ways}\n\n"
        f"With luthier, from the run's folder:\n\n```python\n{usage.with_luthier('path/to/run', records.scorecard)}```"
    )


def bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {plain(sentence)}" for sentence in sentences)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], texts: int = 1) -> str:
    """A table whose first `texts` columns hold texts and whose others hold numbers."""
    rule = [*["---"] * texts, *["---:"] * (len(titles) - texts)]
    lines = [titles, rule, *[[plain(value) for value in row] for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


BLOCK = re.compile(r"^(\d{0,9})([-+.)])(?=[\s-]|$)")
"""The beginning of a line that Markdown takes for an item of a list, or for a rule."""


def plain(value: object) -> str:
    """A text that Markdown, HTML and a terminal leave as it is, on one line.

    >>> print(plain("a|b <script> card_arrival"), plain("- $x$"), plain("1. one"), plain("-0.5"))
    a\\|b &lt;script&gt; card\\_arrival \\- \\$x\\$ 1\\. one -0.5
    """
    text = html.escape(terminal.plain(" ".join(str(value).split())), quote=False)
    return BLOCK.sub(r"\1\\\2", re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", text))


def block(value: object, depth: int = 0) -> str:
    """A value as YAML, in block style. Texts are quoted, so that no name can be taken for a number or a date.

    >>> print(block({"tags": ["no", "a: b"], "value": 0.5}))
    tags:
      - "no"
      - "a: b"
    value: 0.5
    """
    margin = "  " * depth
    if isinstance(value, Mapping):
        return "\n".join(
            f"{margin}{key}:\n{block(held, depth + 1)}"
            if isinstance(held, dict | list)
            else f"{margin}{key}: {scalar(held)}"
            for key, held in value.items()
        )
    assert isinstance(value, list)
    items = [
        block(item, depth + 1) if isinstance(item, dict | list) else f"{margin}  {scalar(item)}"
        for item in value
    ]
    return "\n".join(f"{margin}- {item.lstrip()}" for item in items)


def scalar(value: object) -> str:
    if isinstance(value, float):
        number = f"{value:.6f}".rstrip("0")  # never 1e-05, which YAML takes for a text
        return number + "0" if number.endswith(".") else number
    quoted = json.dumps(str(value), ensure_ascii=False)
    # YAML refuses what is not printable, unless it is written as a number.
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in quoted)
