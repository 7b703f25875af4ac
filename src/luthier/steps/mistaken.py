"""The surest mistakes on the test rows: the training rows that are like them, and which pieces of a row the answer rests on."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.candidates.run import Run
from luthier.comparing.fitted import PRETRAINED, Fitted
from luthier.files import clear, write_bytes
from luthier.folder.nearest import KnownRow, TrainingRows, write_nearest
from luthier.models.headed import HeadedModel
from luthier.predict import all_features_of
from luthier.report.records import HEAT, Mistake, read_mistakes
from luthier.report.sentences import cut
from luthier.steps.overfitted import per_epoch_of
from luthier.steps.seen import Seen
from luthier.tasks.occlusion import Asked, Weighed, weighed
from luthier.tasks.outputs import Outputs

MOST_CHARACTERS = 120
"""Characters that the scorecard shows of a text."""
MOST_WEIGHED = 8
"""The most mistakes whose pieces are weighed, the surest first."""
SHARE = 0.03
"""What weighing may read, as a share of what the run has read."""


def mistakes_record(run: Run, kept: Fitted, tested: Array | None, seen: Seen) -> dict[str, Any] | None:
    """The scorecard's `mistakes`; None where answers are near or far rather than right or wrong. predictions/test.jsonl is there.

    tested: features of the test rows, as `open_test` gave them.  seen: training rows, as the kept model sees them.
    """
    surest, wrong = read_mistakes(run.folder.path, str(run.task.to_json().get("language", "en")))
    if wrong is None:
        return None
    places = places_of(run, surest)
    found = [mistake_record(one) for one in surest]
    rows = training_rows(run, seen)
    if rows is not None and tested is not None and places:
        for one, nearest in zip(found, rows.nearest(tested[places]), strict=True):
            one["nearest"] = [shown(run, rows.told(near)) for near in nearest]
    rest_on = weighed_pieces(run, kept, places)
    for one, pieces in zip(found, rest_on, strict=False):
        one["pieces"] = [piece.to_json() for piece in pieces]
    write_heat(run, places, rest_on)
    how = run.task.explaining
    known = 0 if rows is None else len(rows.known)
    return {"wrong": wrong, "surest": found, "known": known, "unit": None if how is None else how.unit}


def places_of(run: Run, mistakes: Sequence[Mistake]) -> list[int]:
    """The places of mistakes among the test rows."""
    place = {int(number): at for at, number in enumerate(run.ready.rows.split.test)}
    return [place[int(one.row["row"])] for one in mistakes]


def mistake_record(mistake: Mistake) -> dict[str, Any]:
    row = mistake.row
    return {
        "row": row["row"],
        "file": row["file"],
        "line": row["line"],
        "text": cut(row["text"], MOST_CHARACTERS),
        "label": row["label"],
        "prediction": row["prediction"],
        "confidence": mistake.confidence,
    }


# The training rows that are like them


def write_training_rows(run: Run, seen: Seen, model: Path) -> None:
    """Keep training rows beside the finished model, for `predict --explain nearest`; none where they have no features."""
    rows = training_rows(run, seen)
    if rows is not None:
        write_nearest(model, rows)


def training_rows(run: Run, seen: Seen) -> TrainingRows | None:
    """Training rows by their features, where they stand, and their labels; None where they have no features."""
    if seen.features is None or not len(seen.rows):
        return None
    rows = run.ready.rows
    numbers = rows.split.train[seen.rows]
    sources = run.ready.examples["train"].select(seen.rows).sources
    labels = run.task.known(run.targets("train")[seen.rows], () if sources is None else list(sources))
    known = []
    for number, label in zip(numbers.tolist(), labels, strict=True):
        place = rows.table.place(number)
        known.append(KnownRow(row=number, file=place.file, line=place.line, label=label))
    return TrainingRows.of(seen.features, known)


def shown(run: Run, told: dict[str, Any]) -> dict[str, Any]:
    """A training row with the beginning of its text."""
    (text,) = run.ready.rows.texts(np.array([told["row"]]))
    return {**told, "text": cut(text, MOST_CHARACTERS)}


# The pieces that the answers rest on


def weighed_pieces(run: Run, kept: Fitted, places: Sequence[int]) -> list[list[Weighed]]:
    """The pieces of the first of some test rows with their weights. places: of these among the test rows."""
    ready = run.ready
    if run.task.explaining is None or ready.rows.form.pieces is None or not places:
        return []
    rows = ready.rows.inputs(ready.rows.split.test[np.array(places[:MOST_WEIGHED])])
    few = rows[: affordable(run, rows, places)]

    def read(variants: Sequence[Any]) -> Examples:
        targets = np.zeros(len(variants), np.int64)
        return ready.rows.form.read(ready.base.reader, variants, targets, ready.long.way)[0]

    model = run.model_of(kept)  # once: where another one is in memory, it is opened from disk
    asked = Asked(
        run.task, ready.rows.form, kept.calibration, read, lambda examples: given(run, kept, model, examples)
    )
    return weighed(asked, few)


def write_heat(run: Run, places: Sequence[int], rest_on: Sequence[Sequence[Weighed]]) -> None:
    """Draw what the pieces of some test rows do, one below the other, where they can be drawn."""
    rows, path = run.ready.rows, run.folder.path / HEAT
    if not rest_on:
        clear(path)
        return
    own = rows.inputs(rows.split.test[np.array(places[: len(rest_on)], np.int64)])
    drawn = [
        image
        for row, pieces in zip(own, rest_on, strict=True)
        if pieces and (image := rows.form.heat_map(row, [piece.weight for piece in pieces])) is not None
    ]
    if not drawn:
        clear(path)
        return
    sheet = Image.new("RGB", (drawn[0].width, sum(image.height for image in drawn)))
    for at, image in enumerate(drawn):
        sheet.paste(image, (0, at * image.height))
    found = io.BytesIO()
    sheet.save(found, "JPEG", quality=85)
    write_bytes(path, found.getvalue())


def affordable(run: Run, rows: Sequence[Any], places: Sequence[int]) -> int:
    """How many of some rows are weighed: as many as are read, piece by piece, in a small share of what the run has read."""
    ready = run.ready
    whole = passes(run) * sum(float(examples.lengths.sum()) for examples in ready.examples.values())
    lengths = ready.examples["test"].lengths[np.array(places[: len(rows)])]
    pieces = np.array([1 + len(ready.rows.form.occluded(row)) for row in rows])
    return int(np.searchsorted(np.cumsum(pieces * lengths), SHARE * whole, side="right"))


def passes(run: Run) -> float:
    """How often the run has read all its rows at least: for their features or scores, once more for what is told of them, and
    three times in each epoch of training, as the way back takes twice as long as the way there. Where the whole command has a
    time to keep, as if nothing had been trained: when training ended, little was left."""
    steps = run.tuning.get("tuned", {}).get("steps", 0)
    if not steps or run.plan.budget_seconds is not None:
        return 2.0
    return 2 + 3 * float(steps) / per_epoch_of(run)


def given(run: Run, kept: Fitted, model: HeadedModel, examples: Examples) -> Outputs:
    """What the kept candidate gives for any rows. model: its own."""
    weights = kept.weights
    assert weights is not None, "it has a model"
    if weights.head is None or weights.body != PRETRAINED:
        outputs: Outputs = run.task.infer(model, examples, run.ready.device)
        return outputs
    how = run.task.probe
    assert how is not None, "a head of its own is the probe's"
    features = all_features_of(model, examples, run.ready.device)
    read = torch.from_numpy(np.ascontiguousarray(how.read(features), np.float32))
    head = weights.head.eval()
    with torch.inference_mode():
        values = head(read).cpu().numpy()
    return how.answered(values, examples)
