"""Slices of the test rows: by length, by the other columns of the table, by what rows are about."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from luthier.arrays import Ints
from luthier.candidates.run import Run
from luthier.comparing.fitted import Fitted
from luthier.data.column_numbers import FEW_WRONG
from luthier.data.numerals import read_numerals
from luthier.data.table import Table
from luthier.scores.alike import clusters_of, telling_words
from luthier.scores.metrics import metric_named
from luthier.scores.slices import FEWEST, Slice, SliceScore, by_value, scores_of, thirds
from luthier.steps.examination import row_features

LENGTH, ALIKE = "length", "alike rows"
MOST_COLUMNS = 12
MOST_VALUES = 10
"""The most values of a column whose rows are told apart by them."""
MOST_NAMED = 60
"""The most characters of a value that name a slice."""
EMPTY = "(empty)"
"""The name of the slice of rows that have nothing in a column."""
LOOKED_AT = 4_000
"""Rows whose words are counted to name clusters."""


def slices_record(run: Run, kept: Fitted) -> dict[str, Any] | None:
    """The scorecard's `slices`; None where there are none."""
    targets, metric = run.targets("test"), run.task.slice_metric
    evidence = run.task.evidence(kept.answers["test"], targets)
    measure = run.task.measures([metric], evidence, run.clusters("test"))[metric]
    slices = [*by_length(run), *by_columns(run), *by_features(run)]
    found = scores_of(slices, len(targets), measure, metric_named(metric), run.plan.run.seed)
    return {"metric": metric, "slices": [record_of(one) for one in found]} if found else None


def record_of(one: SliceScore) -> dict[str, Any]:
    gap = one.apart.gap
    return {
        "by": one.slice.by,
        "name": one.slice.name,
        "rows": len(one.slice.rows),
        **one.score.to_json(),
        "difference": gap.value,
        "difference_low": gap.low,
        "difference_high": gap.high,
        "p": one.apart.p,
        "p_holm": one.corrected,
        "differs": one.differs,
    }


def by_length(run: Run) -> Iterator[Slice]:
    """Thirds by the characters of the text that shows a row; none where that text is only a name."""
    rows = run.ready.rows
    if not rows.form.shows_words:
        return
    lengths = np.array([len(text) for text in rows.texts(rows.split.test)], float)
    for one in thirds(lengths):
        yield Slice(LENGTH, f"{one.low:,.0f} to {one.high:,.0f} characters", one.rows)


# By columns


def by_columns(run: Run) -> Iterator[Slice]:
    """The values of each other column that has few of them, and thirds of each other column of numbers."""
    rows, evidence = run.ready.rows, run.ready.rows.evidence
    read = {*evidence.columns.used, *evidence.columns.within, evidence.columns.text}
    told_apart = 0
    for name in evidence.table.names:
        if name in read or told_apart == MOST_COLUMNS:
            continue
        found = list(by_column(evidence.table, name, rows.split.test))
        told_apart += bool(found)
        yield from found


def by_column(table: Table, name: str, rows: Ints) -> Iterator[Slice]:
    """The slices of a column; none where its cells are no single values, or too many different texts."""
    kind = table.columns.schema.field(name).type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return
    values = table.values(name, rows)
    texts = ["" if value is None else " ".join(str(value).split()) for value in values]
    if len(set(texts)) <= MOST_VALUES:
        for value, own in by_value(texts).items():
            yield Slice(name, named(value), own)
        return
    found = read_numerals(values)
    if len(found.wrong) <= FEW_WRONG * len(values):
        for third in thirds(found.values):
            yield Slice(name, f"{third.low:.6g} to {third.high:.6g}", third.rows)


def named(value: str) -> str:
    """A value as the name of a slice.

    >>> named(""), named("mail")
    ('(empty)', 'mail')
    """
    return value if 0 < len(value) <= MOST_NAMED else f"{value[: MOST_NAMED - 1]}…" if value else EMPTY


# By features


def by_features(run: Run) -> Iterator[Slice]:
    """Clusters of rows whose frozen features are alike, named by their words; none where there are no such features."""
    features = run.features.get("test")
    if features is None or len(run.targets("test")) < 2 * FEWEST:
        return
    vectors = row_features(run.ready.examples["test"], features)
    cluster_of = clusters_of(vectors, run.plan.run.seed)
    rows = run.ready.rows
    texts = rows.texts(rows.split.test) if rows.form.shows_words else None
    for cluster in np.unique(cluster_of).tolist():
        own = np.flatnonzero(cluster_of == cluster)
        words = [] if texts is None else words_of(texts, cluster_of, cluster)
        yield Slice(ALIKE, ", ".join(words) or like_words(run, vectors, own), own)


def words_of(texts: Sequence[str], cluster_of: Ints, cluster: int) -> list[str]:
    """The words that tell a cluster, by the first of the rows."""
    return telling_words(texts[:LOOKED_AT], cluster_of[:LOOKED_AT], cluster)


def like_words(run: Run, vectors: np.ndarray[Any, np.dtype[Any]], own: Ints) -> str:
    """A cluster by the row that is nearest to its middle, where no words tell it."""
    rows = run.ready.rows
    apart = np.square(vectors[own] - vectors[own].mean(axis=0)).sum(axis=1)
    middle = own[int(apart.argmin())]
    return f"like {named(' '.join(rows.texts(rows.split.test[[middle]])[0].split()))}"
