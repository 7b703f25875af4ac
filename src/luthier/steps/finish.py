"""The last step: the test part is opened, everything is scored, and the folder is completed."""

import io
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from luthier.arrays import Array
from luthier.candidates.run import Run
from luthier.compare.choice import (
    COMPARING,
    MORE_ROWS,
    best_on_validation,
    next_cheaper,
    nothing_to_beat,
    verdict_words,
    worth_words,
)
from luthier.compare.fitted import PRETRAINED, Fitted
from luthier.devices import with_threads
from luthier.events import Event, Started
from luthier.files import whole_folder, write_bytes, write_json, write_text
from luthier.folder.model_record import form_of
from luthier.folder.scorecard import ScorecardRecord
from luthier.machine import peak_bytes
from luthier.plan.places import placed
from luthier.predict import features_of
from luthier.prepare.prepare import Prepared
from luthier.records import sealed, stamped
from luthier.report.card import model_card
from luthier.report.page import write_report
from luthier.report.records import AUGMENTED, read_records
from luthier.report.run_records import SplitRecord, TableRecord, write_findings
from luthier.tasks.calibration import Calibration

VERSIONS = ("luthier", "torch", "transformers", "tokenizers", "scipy", "numpy")


def write_records(folder: Path, ready: Prepared) -> None:
    """What is known before training: the plan, the table, the split, the findings."""
    write_text(folder / "plan.toml", placed(ready.plan, folder).to_toml())
    write_rows(folder, ready)
    write_findings(folder, [finding.to_json() for finding in ready.checked.findings])
    pixels = ready.examples["train"].sheet(ready.plan.run.seed)
    if pixels is not None:
        sheet = io.BytesIO()
        Image.fromarray(pixels).save(sheet, "JPEG", quality=85)
        write_bytes(folder / AUGMENTED, sheet.getvalue())


def write_rows(folder: Path, ready: Prepared) -> None:
    """Where the rows came from, and how they are divided."""
    rows, table = ready.rows, ready.rows.table
    files = [{"name": file.name, "rows": len(table.rows_of_file(at))} for at, file in enumerate(table.files)]
    about = {"files": files, "rows": len(table), "columns": table.names, **rows.columns}
    write_json(folder / "table.json", stamped({**about, "fingerprint": table.fingerprint}, TableRecord))
    split = {**rows.split.to_json(), "seed": ready.plan.split_seed}
    write_json(folder / "split.json", stamped(split, SplitRecord))


def score_and_write(run: Run) -> Iterator[Event]:
    """Open the test part, score every candidate on it, and write all that a finished run leaves."""
    yield Started("score", run.clock())
    assert run.kept is not None, "a candidate was chosen before"
    with with_threads(run.mode.wide):
        for candidate in run.candidates:
            if "test" not in candidate.outputs:
                assert candidate.weights is not None, "what has no model answers all parts at once"
                assert candidate.weights.head is None, "so does what has a head of its own"
                candidate.outputs["test"] = run.infer(run.model_of(candidate), "test")
            run.answer(candidate, "test")
        forgetting = drift(run, run.kept)
    with whole_folder(run.folder.path / "predictions") as folder:
        for part in ("valid", "test"):
            (folder / f"{part}.jsonl").write_text(prediction_lines(run, run.kept, part), encoding="utf-8")
    path = run.folder.path
    write_json(
        path / "scorecard.json", sealed(stamped(make_scorecard(run, run.kept, forgetting), ScorecardRecord))
    )
    card = model_card(read_records(path))
    write_text(path / "model" / "README.md", card)
    write_text(path / "README.md", card)
    write_report(path)  # last: a run counts as finished once its report stands
    moved = {one.weights.body for one in run.candidates if one.weights is not None} - {PRETRAINED}
    for name in ("scored", *sorted(moved)):
        run.folder.forget(name)


def drift(run: Run, kept: Fitted) -> dict[str, Any]:
    """How far the features of the validation rows moved from the pre-trained model's: 1 is not at all."""
    if not run.features:
        return {"words": "How far the model has moved was not measured: its frozen features were not needed."}
    if kept.weights is not None and kept.weights.body == PRETRAINED:
        return {
            "feature_cosine": 1.0,
            "words": "The body is the pre-trained model's own: nothing was forgotten.",
        }
    valid, model = run.ready.examples["valid"], run.model_of(kept)
    now = np.zeros_like(run.features["valid"])
    by_unit = valid.tokens is not None
    for _, where, features in features_of(model, valid, run.ready.device, by_unit=by_unit):
        now[where] = features
    before = run.features["valid"]
    lengths = np.linalg.norm(now, axis=1) * np.linalg.norm(before, axis=1)
    cosine = float(np.mean((now * before).sum(axis=1) / np.maximum(lengths, 1e-12)))
    words = f"On the validation rows the tuned features have a mean cosine of {cosine:.2f} with the pre-trained ones."
    return {"feature_cosine": cosine, "words": words}


def prediction_lines(run: Run, candidate: Fitted, part: str) -> str:
    """predictions/PART.jsonl: where a row came from, its label, the answer, and what goes with it."""
    rows, task = run.ready.rows, run.task
    numbers, sources = getattr(rows.split, part), run.sources(part)
    answers = task.lines(candidate.answers[part], sources)
    known = task.known(run.targets(part), sources)
    lines = []
    for number, text, right, answer in zip(numbers, rows.texts(numbers), known, answers, strict=True):
        place = rows.table.place(int(number))
        record = {
            "row": int(number),
            "file": place.file,
            "line": place.line,
            "text": text,
            "label": right,
            "prediction": answer.pop(task.answer_key),
            **answer,
        }
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines)


def make_scorecard(run: Run, kept: Fitted, forgetting: dict[str, Any]) -> dict[str, Any]:
    """scorecard.json, as docs/scorecard.md describes it."""
    ready, task, plan = run.ready, run.task, run.plan
    answers, targets = kept.answers["test"], run.targets("test")
    scores = task.scores(answers, targets, plan.run.seed)
    watch = run.watch
    seconds = {**watch.took, "total": run.clock() + sum(watch.earlier.values())}
    return {
        "task": task.name,
        "reads": task.reads,
        "model": plan.model.name,
        "method": plan.train.method,
        "seed": plan.run.seed,
        "rows": ready.rows.split.sizes(),
        "left_out": ready.rows.left_out,
        "metric": task.metric,
        "test": {name: estimate.to_json() for name, estimate in scores.items()},
        "candidates": [candidate_record(candidate) for candidate in run.candidates],
        "chosen": kept.name,
        "verdict": verdict(run, kept),
        "worth": worth(run),
        **trust(run, kept),
        "forgetting": forgetting,
        "speaks": task.speaks,
        "system": task.system,
        **task.details(answers, targets),
        "samples": samples(run, kept),
        "long": {
            "rows": ready.long.rows,
            "tokens": ready.long.tokens,
            "limit": ready.long.limit,
            "way": ready.long.way,
        },
        "tuning": {**tuning_settings(run), **run.tuning},
        "warnings": [*ready.base.folder.told, *ready.rows.split.warnings],
        "model_format": form_of(ready.model.pooling),
        "cost": {
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "peak_bytes": peak_bytes(),
            "tokens": watch.tokens,
            "tokens_per_second": round(watch.tokens / watch.training) if watch.training else None,
        },
        "machine": {
            "device": ready.device.kind,
            "precision": ready.device.precision,
            "threads": ready.device.threads,
        },
        "versions": {name: version(name) for name in VERSIONS},
    }


def samples(run: Run, kept: Fitted) -> list[dict[str, Any]]:
    """Some test rows with what candidates answered to them, where a person is to look at that, and where they stand."""
    rows, numbers = run.ready.rows, run.ready.rows.split.test
    others = {one.name: one.answers["test"] for one in run.candidates if one is not kept}
    found = run.task.samples({kept.name: kept.answers["test"], **others}, run.targets("test"))
    chosen = numbers[[one.pop("at") for one in found]]
    places = [rows.table.place(int(number)) for number in chosen]
    return [
        {"file": place.file, "line": place.line, "text": text, **one}
        for place, text, one in zip(places, rows.texts(chosen), found, strict=True)
    ]


def trust(run: Run, kept: Fitted) -> dict[str, Any]:
    """How far the probabilities can be believed, with the part that they were calibrated on."""
    how, targets, part = run.task.calibrating, run.targets("test"), run.ready.rows.split.calibrates
    fitted_on = {"part": part, "rows": len(run.targets(part)) if part else 0}
    if how is None:
        return {"calibration": fitted_on}
    plain = run.task.answer(kept.outputs["test"], Calibration(), run.ready.examples["test"])
    found = how.trust(plain, kept.answers["test"], targets, kept.calibration)
    found["calibration"] |= fitted_on
    return found


def candidate_record(candidate: Fitted) -> dict[str, Any]:
    valid, test = candidate.scores["valid"], candidate.scores["test"]
    return {
        "name": candidate.name, "valid": valid.value, "valid_low": valid.low, "valid_high": valid.high,
        "test": test.value, "test_low": test.low, "test_high": test.high, "seconds": round(candidate.seconds, 3),
    }  # fmt: skip


def tuning_settings(run: Run) -> dict[str, Any]:
    """The settings that moved the weights, for who reads the scorecard alone."""
    if run.plan.train.method == "probe":
        return {}
    if run.outlook.spared:
        return {"not_trained": run.outlook.spared}
    train = run.plan.train
    found = run.tuning.get("rate_test", {}).get("lr", train.lr)
    return {"lr": found, "batch_rows": train.batch_rows, "epochs": train.epochs, "weight_decay": train.weight_decay,
            "warmup": train.warmup, "head": train.head}  # fmt: skip


def verdict(run: Run, kept: Fitted) -> dict[str, Any]:
    """Whether the chosen candidate is better on the test rows, beyond noise, than those that are there to be beaten."""
    others = [candidate for candidate in run.candidates if candidate.to_beat]
    if not others:
        return {"ship": False, "words": nothing_to_beat(kept, run.task.metric)}
    against = best_on_validation(others, run.task.metric)
    gap = difference(run, kept, against)
    ship = gap.low > 0
    words = verdict_words(kept, against, run.task.metric, gap, ship, spared=bool(run.outlook.spared))
    how = run.task.zero_shot
    if not ship and how is not None and how.compares and against.name == "zero-shot":
        words += f" {COMPARING}"
    return {"ship": ship, "against": against.name, **gap.to_json(), "words": words}


def worth(run: Run) -> dict[str, Any]:
    """The dearest candidate against a cheaper one: what its time bought."""
    dearer, cheaper = run.candidates[-1], next_cheaper(run.candidates, run.task.metric)
    if cheaper is None:
        words = f"There is nothing cheaper than {dearer.name} to compare it with."
        return {"dearer": dearer.name, "cheaper": None, "words": words}
    gap = difference(run, dearer, cheaper)
    words = worth_words(dearer, cheaper, run.task.metric, gap)
    if cheaper.name == "probe" and cheaper is run.kept:
        words += f" {MORE_ROWS}"
    return {"dearer": dearer.name, "cheaper": cheaper.name, **gap.to_json(), "words": words}


def difference(run: Run, ours: Fitted, theirs: Fitted) -> Any:
    targets: Array = run.targets("test")
    return run.task.difference(ours.answers["test"], theirs.answers["test"], targets, run.plan.run.seed)
