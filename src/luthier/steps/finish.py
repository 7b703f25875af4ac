"""The last step: the test part is opened, everything is scored, and the folder is completed."""

import io
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from luthier.batches.image_examples import ImageExamples
from luthier.compare.choice import (
    COMPARING,
    MORE_ROWS,
    TO_BEAT,
    Candidate,
    best_on_validation,
    next_cheaper,
    verdict_words,
    worth_words,
)
from luthier.devices import with_threads
from luthier.events import Event, Started
from luthier.files import whole_folder, write_bytes, write_json, write_text
from luthier.folder.model_record import form_of
from luthier.folder.scorecard import ScorecardRecord
from luthier.machine import peak_bytes
from luthier.plan.places import placed
from luthier.predict import features_of, logits_of
from luthier.prepare.prepare import Prepared
from luthier.records import sealed, stamped
from luthier.report.card import model_card
from luthier.report.page import write_report
from luthier.report.records import AUGMENTED, read_records
from luthier.report.run_records import SplitRecord, TableRecord, write_findings
from luthier.steps.run import Run
from luthier.tasks.task import Array, Calibration

VERSIONS = ("luthier", "torch", "transformers", "tokenizers", "scipy", "numpy")


def write_records(folder: Path, ready: Prepared) -> None:
    """What is known before training: the plan, the table, the split, the findings."""
    rows, table = ready.rows, ready.rows.table
    write_text(folder / "plan.toml", placed(ready.plan, folder).to_toml())
    files = [{"name": file.name, "rows": len(table.rows_of_file(at))} for at, file in enumerate(table.files)]
    about = {"files": files, "rows": len(table), "columns": table.names, **rows.columns}
    write_json(folder / "table.json", stamped({**about, "fingerprint": table.fingerprint}, TableRecord))
    split = {**rows.split.to_json(), "seed": ready.plan.split_seed}
    write_json(folder / "split.json", stamped(split, SplitRecord))
    write_findings(folder, [finding.to_json() for finding in ready.findings])
    train = ready.examples["train"]
    if isinstance(train, ImageExamples) and train.varies:
        sheet = io.BytesIO()
        Image.fromarray(train.sheet(ready.plan.run.seed)).save(sheet, "JPEG", quality=85)
        write_bytes(folder / AUGMENTED, sheet.getvalue())


def score_and_write(run: Run) -> Iterator[Event]:
    """Open the test part, score every candidate on it, and write all that a finished run leaves."""
    yield Started("score", run.clock())
    ready = run.ready
    assert run.kept is not None, "a candidate was chosen before"
    with with_threads(run.wide):
        for candidate in run.candidates:
            if "test" not in candidate.logits:
                candidate.logits["test"] = logits_of(ready.model, ready.examples["test"], ready.device)
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
    for name in ("tuned", "scored"):
        run.folder.forget(name)


def drift(run: Run, kept: Candidate) -> dict[str, Any]:
    """How far the features of the validation rows moved from the pre-trained model's: 1 is not at all."""
    if kept.name == "probe":
        return {
            "feature_cosine": 1.0,
            "words": "The body is the pre-trained model's own: nothing was forgotten.",
        }
    if not run.features:
        return {"words": "How far the model has moved was not measured: its frozen features were not needed."}
    valid = run.ready.examples["valid"]
    now = np.zeros_like(run.features["valid"])
    by_unit = valid.tokens is not None
    for _, where, features in features_of(run.ready.model, valid, run.ready.device, by_unit=by_unit):
        now[where] = features
    before = run.features["valid"]
    lengths = np.linalg.norm(now, axis=1) * np.linalg.norm(before, axis=1)
    cosine = float(np.mean((now * before).sum(axis=1) / np.maximum(lengths, 1e-12)))
    words = f"On the validation rows the tuned features have a mean cosine of {cosine:.2f} with the pre-trained ones."
    return {"feature_cosine": cosine, "words": words}


def prediction_lines(run: Run, candidate: Candidate, part: str) -> str:
    """predictions/PART.jsonl: where a row came from, its label, the answer, and what goes with it."""
    rows, task = run.ready.rows, run.task
    numbers, sources = getattr(rows.split, part), run.sources(part)
    answers = task.answers(candidate.probabilities[part], candidate.predicted[part], sources)
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
            "prediction": answer.pop(task.answer),
            **answer,
        }
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines)


def make_scorecard(run: Run, kept: Candidate, forgetting: dict[str, Any]) -> dict[str, Any]:
    """scorecard.json, as docs/scorecard.md describes it."""
    ready, task, plan = run.ready, run.task, run.plan
    test, targets = kept.probabilities["test"], run.targets("test")
    plain = task.probabilities(kept.logits["test"], Calibration(), ready.examples["test"])
    scores = task.scores(test, kept.predicted["test"], targets, plan.run.seed)
    trust = task.trust(plain, test, targets, kept.calibration)
    part = ready.rows.split.calibrates
    trust["calibration"] |= {"part": part, "rows": len(run.targets(part)) if part else 0}
    seconds = {**run.took, "total": run.clock() + sum(run.earlier.values())}
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
        **trust,
        "forgetting": forgetting,
        **task.details(test, kept.predicted["test"], targets),
        "long": {
            "rows": ready.long.rows,
            "tokens": ready.long.tokens,
            "limit": ready.long.limit,
            "way": ready.long.way,
        },
        "tuning": {**tuning_settings(run), **run.tuning},
        "warnings": list(ready.rows.split.warnings),
        "model_format": form_of(ready.model.pooling),
        "cost": {
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "peak_bytes": peak_bytes(),
            "tokens": run.tokens,
            "tokens_per_second": round(run.tokens / run.training_seconds) if run.training_seconds else None,
        },
        "machine": {
            "device": ready.device.kind,
            "precision": ready.device.precision,
            "threads": ready.device.threads,
        },
        "versions": {name: version(name) for name in VERSIONS},
    }


def candidate_record(candidate: Candidate) -> dict[str, Any]:
    valid, test = candidate.scores["valid"], candidate.scores["test"]
    return {
        "name": candidate.name, "valid": valid.value, "valid_low": valid.low, "valid_high": valid.high,
        "test": test.value, "test_low": test.low, "test_high": test.high, "seconds": round(candidate.seconds, 3),
    }  # fmt: skip


def tuning_settings(run: Run) -> dict[str, Any]:
    """The settings that moved the weights, for who reads the scorecard alone."""
    if run.plan.train.method == "probe":
        return {}
    if run.spared:
        return {"not_trained": run.spared}
    train = run.plan.train
    found = run.tuning.get("rate_test", {}).get("lr", train.lr)
    return {"lr": found, "batch_rows": train.batch_rows, "epochs": train.epochs, "weight_decay": train.weight_decay,
            "warmup": train.warmup, "head": train.head}  # fmt: skip


def verdict(run: Run, kept: Candidate) -> dict[str, Any]:
    """Whether the chosen candidate is better on the test rows, beyond noise, than those that are there to be beaten."""
    others = [candidate for candidate in run.candidates if candidate.name in TO_BEAT]
    against = best_on_validation(others)
    gap = difference(run, kept, against)
    ship = gap.low > 0
    words = verdict_words(
        kept.name,
        against.name,
        run.task.metric,
        kept.scores["test"].value,
        against.scores["test"].value,
        gap,
        ship,
        spared=bool(run.spared),
    )
    if not ship and run.task.compares and against.name == "zero-shot":
        words += f" {COMPARING}"
    return {"ship": ship, "against": against.name, **gap.to_json(), "words": words}


def worth(run: Run) -> dict[str, Any]:
    """The dearest candidate against a cheaper one: what its time bought."""
    dearer, cheaper = run.candidates[-1], next_cheaper(run.candidates)
    if cheaper is None:
        words = f"There is nothing cheaper than {dearer.name} to compare it with."
        return {"dearer": dearer.name, "cheaper": None, "words": words}
    gap = difference(run, dearer, cheaper)
    words = worth_words(dearer.name, cheaper.name, run.task.metric, gap, dearer.seconds)
    if cheaper.name == "probe" and cheaper is run.kept:
        words += f" {MORE_ROWS}"
    return {"dearer": dearer.name, "cheaper": cheaper.name, **gap.to_json(), "words": words}


def difference(run: Run, ours: Candidate, theirs: Candidate) -> Any:
    targets: Array = run.targets("test")
    return run.task.difference(ours.predicted["test"], theirs.predicted["test"], targets, run.plan.run.seed)
