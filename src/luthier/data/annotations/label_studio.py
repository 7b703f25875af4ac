"""Exports of Label Studio as JSON: tasks with their `data`, and `annotations` of several results each.

A result belongs to a control of the labelling page, by its name (`from_name`), and is about an object there (`to_name`). Each
control becomes a column under its name. JSON-MIN and CSV, where this is already so, are in `label_studio_min`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from luthier.data.annotations.cells import (
    dicts_in,
    fault_of,
    head,
    is_nested,
    is_text,
    objects,
    replaced,
    sniffed,
    without,
)
from luthier.data.annotations.setting_aside import with_set_aside
from luthier.data.annotations.telling import named, noted, remade
from luthier.data.table import Table
from luthier.errors import DataError, counted, listing, shorten

ANNOTATIONS = ("annotations", "completions")
"""Keys of a task's annotations; the second is that of versions before 1.0."""
TASK_KEYS = frozenset(
    (
        *(
            "id",
            "data",
            "annotations",
            "completions",
            "predictions",
            "drafts",
            "meta",
            "project",
            "inner_id",
            "file_upload",
        ),
        *(
            "created_at",
            "updated_at",
            "updated_by",
            "comment_count",
            "comment_authors",
            "unresolved_comment_count",
        ),
        *(
            "total_annotations",
            "cancelled_annotations",
            "total_predictions",
            "last_comment_updated_at",
            "overlap",
        ),
        *(
            "is_labeled",
            "agreement",
            "allow_skip",
            "comment_authors",
            "created_by",
            "lead_time",
            "reviews",
            "draft_exists",
        ),
    )
)
LABELS = pa.list_(pa.string())
CANCELLED = "cancelled"
IMAGE_MARKS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")


def paths(value: Mapping[str, Any]) -> list[str]:
    """The paths to all chosen places in a tree of names."""
    return [
        " / ".join(map(str, one)) if isinstance(one, list) else str(one)
        for one in value.get("taxonomy") or ()
    ]


def one_of(key: str) -> Callable[[Mapping[str, Any]], list[Any]]:
    def read(value: Mapping[str, Any]) -> list[Any]:
        found = value.get(key)
        return [one for one in (found if isinstance(found, list) else [found]) if one is not None]

    return read


def span(value: Mapping[str, Any]) -> list[Any]:
    return [value]


@dataclass(frozen=True)
class Control:
    """How the results of one kind of control are read."""

    read: Callable[[Mapping[str, Any]], list[Any]]
    task: str | None = None
    """The task that the results are for; None where their values decide."""


CONTROLS = {
    "labels": Control(span, "token-classification"),
    "hypertextlabels": Control(span, "token-classification"),
    "choices": Control(one_of("choices"), "text-classification"),
    "taxonomy": Control(paths, "text-classification"),
    "rating": Control(one_of("rating")),
    "number": Control(one_of("number")),
    "textarea": Control(one_of("text")),
}
"""The kinds of controls that are read, by the type of their results."""
SPANS = ("labels", "hypertextlabels")
"""Types of results that are parts of a text."""


@dataclass
class Found:
    """The annotations in the tasks of a file, gathered task by task."""

    values: dict[str, dict[int, list[Any]]] = field(default_factory=dict)
    """The annotated values, by control and row."""
    types: dict[str, str] = field(default_factory=dict)
    about: dict[str, Counter[str]] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)
    """How many results are of types that are not read, by type."""
    annotated: set[int] = field(default_factory=set)
    several: int = 0
    """Number of rows with more than one annotation that counts."""
    cancelled: set[int] = field(default_factory=set)
    predicted: int = 0
    """Number of rows that only a model has labelled."""

    def take(self, row: int, task: Mapping[str, Any], annotations: Any) -> None:
        """The annotation of a row that counts: the ground truth, else the latest."""
        given = (
            [one for one in annotations or () if isinstance(one, dict)]
            if isinstance(annotations, list)
            else []
        )
        whole = [one for one in given if not one.get("was_cancelled")]
        if not whole:
            if given or is_positive(task.get("cancelled_annotations")):
                self.cancelled.add(row)
            self.predicted += bool(task.get("predictions"))
            return
        self.several += len(whole) > 1
        self.annotated.add(row)
        best = max(
            enumerate(whole), key=lambda pair: (bool(pair[1].get("ground_truth")), when(pair[1]), pair[0])
        )[1]
        results = best.get("result")
        for result in results if isinstance(results, list) else ():
            if isinstance(result, dict):
                self.note(row, result)

    def note(self, row: int, result: Mapping[str, Any]) -> None:
        kind, value = str(result.get("type")), result.get("value")
        of_a_part = kind not in SPANS and isinstance(value, dict) and value.get("start") is not None
        if kind not in CONTROLS or not isinstance(value, dict) or of_a_part:
            self.unread[f"{kind} of a part of the text" if of_a_part else kind] += 1
            return
        name = str(result.get("from_name") or kind)
        self.types.setdefault(name, kind)
        self.about.setdefault(name, Counter())[str(result.get("to_name") or "")] += 1
        self.values.setdefault(name, {}).setdefault(row, []).extend(CONTROLS[kind].read(value))


def is_positive(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def when(annotation: Mapping[str, Any]) -> str:
    """The time when an annotation was last changed, as text: such times sort as texts do."""
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def label_studio(table: Table) -> Table | None:
    """Tasks with a column for each thing that was annotated, and their data as columns."""
    annotations = next((name for name in ANNOTATIONS if name in table.names), None)
    if not is_label_studio(table, annotations):
        return None
    tasks = dicts_in(table, "data", "the data of a task")
    found = Found()
    others = {
        name: objects(table, name, "what Label Studio writes")
        for name in ("predictions",)
        if name in table.names
    }
    if "cancelled_annotations" in table.names:
        others["cancelled_annotations"] = table.values("cancelled_annotations")
    given = objects(table, annotations, "annotations") if annotations else [None] * len(table)
    for row, own in enumerate(given):
        found.take(row, {name: values[row] for name, values in others.items()}, own)
    return laid_out(table, annotations, tasks, found)


def is_label_studio(table: Table, annotations: str | None) -> bool:
    """Whether rows have `data` beside nothing but what a task has, and annotations with results, if any."""
    if "data" not in table.names or not (is_nested(table, "data") or fault_of(table, "data")):
        return False
    if not all(isinstance(value, dict) for value in sniffed(table, "data")):
        return False
    seen = (
        [one for value in sniffed(table, annotations) if isinstance(value, list) for one in value]
        if annotations
        else []
    )
    given = [one for one in seen if one is not None]
    # Without an annotation only what a task may have tells; newer versions bring keys of their own.
    known = bool(given) or set(table.names) <= TASK_KEYS
    return known and all(isinstance(one, dict) and "result" in one for one in given)


def laid_out(table: Table, annotations: str | None, tasks: Sequence[Any], found: Found) -> Table:
    data = list(dict.fromkeys(key for task in tasks for key in task or ()))
    known = [name for name in table.names if name not in (annotations, "data")]
    table = remade(without(table, *([annotations] if annotations else []), "data"))
    names = {key: key if key not in known else f"data.{key}" for key in data}
    for key, name in names.items():
        table = replaced(table, name, [None if task is None else task.get(key) for task in tasks])
    if "predictions" in table.names and found.predicted:
        told = "only predictions, which a model made and nobody annotated; they are not read"
        table = noted(table, f"{counted(found.predicted, 'row')} of Label Studio have {told}.")
    if found.several:
        table = noted(
            table,
            f"{counted(found.several, 'row')} of Label Studio have several annotations; the one marked as ground truth, else the "
            "latest, is taken; an export with one annotation a task corrects it.",
        )
    if not found.values:
        return without_results(table, names, found)
    return with_results(table, names, found)


def without_results(table: Table, names: Mapping[str, str], found: Found) -> Table:
    """The table of a file without results that can be learnt. Raises DataError where it has results of other kinds."""
    if found.unread:
        kinds = listing(found.unread)
        raise DataError(
            f"{table.files[0]}: is Label Studio's export, but what was annotated cannot be learnt: it holds results of the type "
            f"{kinds}. Of Label Studio these are read: {listing(CONTROLS)}. Export a project with one of them."
        )
    table = with_set_aside(table, dict.fromkeys(found.cancelled, CANCELLED), [])
    text = data_of(table, names, Counter())
    why = "it is in the `data` of Label Studio's tasks"
    return named(table, None, why, {} if text is None else {"text": text})


def with_results(table: Table, names: Mapping[str, str], found: Found) -> Table:
    controls = sorted(
        found.values, key=lambda name: (CONTROLS[found.types[name]].task is None, -len(found.values[name]))
    )
    best = controls[0]
    source = data_of(table, names, found.about[best])
    if source is None:
        raise DataError(
            f"{table.files[0]}: is Label Studio's export, but no text or image is in the `data` of its tasks, only "
            f"{listing(names)}. Export a project whose tasks hold what was annotated."
        )
    columns = {}
    for name in controls:
        columns[name] = name if name not in table.names else f"{name} (annotated)"
        table = with_control(table, columns[name], found.types[name], found.values[name], found.annotated)
    table = with_set_aside(table, dict.fromkeys(found.cancelled, CANCELLED), list(columns.values()))
    task = task_of(table, found.types[best], source)
    if len(controls) > 1:
        others = listing(columns[name] for name in controls[1:])
        table = noted(
            table,
            f"several things were annotated with Label Studio: {columns[best]!r} is learnt, not {others}; --label COLUMN and "
            "--task NAME take another.",
        )
    if found.unread:
        table = noted(table, f"results of Label Studio of the type {listing(found.unread)} are not read.")
    role = "image" if task == "image-classification" else "text"
    why = f"it is Label Studio's export, where {columns[best]!r} was annotated ({found.types[best]})"
    return named(table, task, why, {role: source, "label": columns[best]})


def with_control(
    table: Table, column: str, kind: str, values: Mapping[int, list[Any]], annotated: set[int]
) -> Table:
    """The table with what was annotated by one control: lists of spans or choices, else single values."""
    if kind in SPANS:
        rows: list[Any] = [values.get(row, []) if row in annotated else None for row in range(len(table))]
        return replaced(
            table, column, [None if own is None else list(clean_spans(table, own)) for own in rows]
        )
    if kind == "textarea":
        texts = {row: "\n".join(map(str, own)) for row, own in values.items()}
        return replaced(table, column, [texts.get(row) or None for row in range(len(table))])
    if kind in ("choices", "taxonomy"):
        return replaced(table, column, [values.get(row) or None for row in range(len(table))], LABELS)
    return replaced(table, column, [next(iter(values.get(row, ())), None) for row in range(len(table))])


def clean_spans(table: Table, values: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Spans of a text. Raises DataError for those of paragraphs and of pages, which are counted by their parts."""
    for value in values:
        start, end = value.get("start"), value.get("end")
        if isinstance(start, str) and not start.isdecimal():
            raise DataError(
                f"{table.files[0]}: is Label Studio's export of spans in a page or in paragraphs, which are counted from "
                f"{shorten(start)!r}. Export a project whose object is Text, or write start and end in characters."
            )
        labels = value.get("labels") or list(value.get("hypertextlabels") or ())
        if labels and start is not None and end is not None:
            yield {"start": start, "end": end, "label": labels, "text": value.get("text")}


def data_of(table: Table, names: Mapping[str, str], about: Counter[str]) -> str | None:
    """The column of the data that was annotated: by the name of the object, else the one with the longest texts."""
    texts = {key: name for key, name in names.items() if is_text(table, name) and head(table, name)}
    by_name = next((texts[key] for key, _ in about.most_common() if key in texts), None)
    longest = max(texts.values(), key=lambda name: sum(map(len, head(table, name))), default=None)
    return by_name or longest


def task_of(table: Table, kind: str, source: str) -> str | None:
    """The task that a control's results are for; None where the values decide."""
    if kind in ("choices", "taxonomy") and all(is_image(value) for value in head(table, source)):
        return "image-classification"
    return CONTROLS[kind].task


def is_image(value: Any) -> bool:
    """Whether a value of a task names an image.

    >>> is_image("/data/upload/1/5a3c-cat.jpg"), is_image("a cat.")
    (True, False)
    """
    if not isinstance(value, str) or any(sign in value for sign in "\n\t"):
        return False
    return value.split("?")[0].lower().endswith(IMAGE_MARKS) or value.startswith("/data/local-files/?d=")
