"""The last step: the test part is opened, everything is scored, and the folder is completed."""

import io
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image

from luthier.candidates.adapting.training import NAME as ADAPTED
from luthier.candidates.keeping.forgetting import forgetting
from luthier.candidates.keeping.impression import NAME as BASE
from luthier.candidates.run import Run
from luthier.candidates.scratch import NAME as SCRATCH
from luthier.comparing.choice import (
    COMPARING,
    MORE_ROWS,
    best_on,
    best_on_validation,
    next_cheaper,
    not_measured,
    nothing_to_beat,
    verdict_words,
    worth_words,
)
from luthier.comparing.fitted import PRETRAINED, Fitted, Footprint
from luthier.comparing.in_short import Compared, Reach, short_words
from luthier.comparing.outcome import measured
from luthier.devices import with_threads
from luthier.events import Event, Started
from luthier.files import whole_folder, write_bytes, write_json, write_text
from luthier.folder.known_rows import RowsRecord, save_rows
from luthier.folder.model_record import library_of
from luthier.folder.scorecard_records import ScorecardRecord
from luthier.machine import peak_bytes
from luthier.plan.places import placed
from luthier.prepare.prepare import Prepared
from luthier.records import sealed, stamped
from luthier.report.card import model_card
from luthier.report.page import write_report
from luthier.report.records import AUGMENTED, read_records
from luthier.report.run_records import SplitRecord, TableRecord, write_findings
from luthier.steps import looks
from luthier.steps.continued import continued_record
from luthier.steps.distilled import distillation_record
from luthier.steps.footprints import RESTS_ON, Costs, costs_of
from luthier.steps.mistaken import mistakes_record, write_training_rows
from luthier.steps.overfitted import overfitting_record
from luthier.steps.seen import training_rows_seen
from luthier.steps.sliced import slices_record
from luthier.steps.trusted import add_trust, open_test
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
    look = looks.opened(run)
    yield from looks.told(look, run.clock())
    with with_threads(run.mode.wide):
        tested = open_test(run, run.kept)
        for candidate in run.candidates:
            if "test" not in candidate.outputs:
                assert candidate.weights is not None, "what has no model answers all parts at once"
                assert candidate.weights.head is None, "so does what has a head of its own"
                model, began = run.model_of(candidate), run.clock()
                candidate.outputs["test"] = run.infer(model, "test")
                if model.writes:  # as long as its answers are: that of others is measured on a few rows
                    candidate.footprint = Footprint(run.clock() - began, asks_model=False)
            run.answer(candidate, "test")
        seen = training_rows_seen(run, run.kept)
        trusted = add_trust(run, run.kept, tested, seen)
        write_training_rows(run, seen, run.folder.path / "model")
        costs = costs_of(run, run.learnt[-1])
        forgot = forgetting(run, run.kept)
        distilled = distillation_record(run, run.kept)
    with whole_folder(run.folder.path / "predictions") as folder:
        for part in ("valid", "test"):
            (folder / f"{part}.jsonl").write_text(prediction_lines(run, run.kept, part), encoding="utf-8")
    with with_threads(run.mode.wide):
        looked_into = {
            "slices": slices_record(run, run.kept),
            "mistakes": mistakes_record(run, run.kept, tested, seen),
            "overfitting": overfitting_record(run, run.kept, seen),
        }
    card = {
        **make_scorecard(run, run.kept, forgot),
        **what_it_costs(run, costs),
        **trusted,
        **looked_into,
        **({} if distilled is None else {"distillation": distilled}),
        "looks": look.to_json(run.task.metric, run.kept.scores["test"], run.ready.rows.split.validates),
        **continued_record(run, look),
    }
    leave_rows(run, run.kept)
    write_finished(run, card)
    forget_training(run)


def write_finished(run: Run, card: Mapping[str, Any]) -> None:
    """The scorecard, and the pages that are made of it."""
    path = run.folder.path
    write_json(path / "scorecard.json", sealed(stamped(dict(card), ScorecardRecord)))
    readme = model_card(read_records(path))
    write_text(path / "model" / "README.md", readme)
    write_text(path / "README.md", readme)
    write_report(path)  # last: a run counts as finished once its report stands


def forget_training(run: Run) -> None:
    """Delete what only resuming needed: the bodies of candidates, and what was noted on the way."""
    trained = [one for one in run.candidates if one.weights is not None and one.weights.body != PRETRAINED]
    bodies = {name for one in trained if one.weights is not None for name in (one.name, one.weights.body)}
    for name in ("scored", looks.NAME, BASE, SCRATCH, ADAPTED, *sorted(bodies)):
        run.folder.forget(name)


def leave_rows(run: Run, kept: Fitted) -> None:
    """Leave what a next round of labelling goes on from: which rows there were, and who trained the kept model's layers."""
    rows, trained = run.ready.rows, kept.weights is not None and kept.weights.body != PRETRAINED
    record = RowsRecord(
        task=rows.task.name,
        base_fingerprint=run.ready.base.fingerprint,
        trained=kept.name if trained else None,
    )
    save_rows(run.folder, rows.keys(), record)


def prediction_lines(run: Run, candidate: Fitted, part: str) -> str:
    """predictions/PART.jsonl: where a row came from, its label, the answer, and what goes with it."""
    rows, task = run.ready.rows, run.task
    numbers, sources = getattr(rows.split, part), run.sources(part)
    answers = task.lines(candidate.answers[part], sources)
    known = task.known(run.targets(part), sources)
    more = beside_answers(run, candidate, part)
    lines = []
    for number, text, right, answer, others in zip(
        numbers, rows.texts(numbers), known, answers, more, strict=True
    ):
        place = rows.table.place(int(number))
        record = {
            "row": int(number),
            "file": place.file,
            "line": place.line,
            "text": text,
            "label": right,
            "prediction": answer.pop(task.answer_key),
            **answer,
            **others,
        }
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines)


def beside_answers(run: Run, candidate: Fitted, part: str) -> list[dict[str, Any]]:
    """What each line holds beside the answer, so that another run can be compared with this one: the number of its cluster, where
    rows share something, and what the task's metrics need."""
    recorded, clusters, answers = run.task.recorded, run.clusters(part), candidate.answers[part]
    more: list[dict[str, Any]] = [{} for _ in range(len(answers))]
    if recorded is not None:
        more = recorded.more(answers, run.targets(part))
    if clusters is None:
        return more
    return [{**one, "cluster": int(cluster)} for one, cluster in zip(more, clusters, strict=True)]


def make_scorecard(run: Run, kept: Fitted, forgot: dict[str, Any]) -> dict[str, Any]:
    """scorecard.json, as docs/scorecard.md describes it, but for what being better costs."""
    ready, task, plan = run.ready, run.task, run.plan
    watch = run.watch
    seconds = {**watch.took, "total": run.clock() + sum(watch.earlier.values())}
    tuning = {**tuning_settings(run), **run.tuning}
    keeping, unlabelled = tuning.pop("keeping", None), tuning.pop("unlabelled", None)
    return {
        "task": task.name,
        "reads": task.reads,
        "model": plan.model.name,
        "method": plan.train.method,
        "seed": plan.run.seed,
        "rows": ready.rows.split.sizes(),
        "valid_from": ready.rows.split.valid_from,
        "left_out": ready.rows.left_out,
        "clusters": ready.rows.shared.to_json(ready.rows.split),
        "metric": task.metric,
        "test": test_scores(run, kept),
        "candidates": [candidate_record(one) for one in run.candidates],
        "chosen": kept.name,
        "verdict": verdict(run, kept),
        "worth": worth(run),
        **trust(run, kept),
        "forgetting": forgot,
        "keeping": keeping,
        "unlabelled": unlabelled,
        "speaks": task.speaks,
        "system": task.system,
        **details(run, kept),
        "samples": samples(run, kept) if tested(run) else [],
        "long": {
            "rows": ready.long.rows,
            "tokens": ready.long.tokens,
            "limit": ready.long.limit,
            "way": ready.long.way,
        },
        "tuning": tuning,
        "warnings": [*ready.base.folder.told, *ready.rows.split.warnings],
        "model_format": library_of(ready.model.pooling),
        "word_vectors": ready.base.folder.is_table,
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


def tested(run: Run) -> bool:
    """Whether there are test rows, so that anything is measured."""
    return len(run.targets("test")) > 0


def test_scores(run: Run, kept: Fitted) -> dict[str, Any]:
    """Every metric on the test rows; none without such rows."""
    if not tested(run):
        return {}
    answers, targets = kept.answers["test"], run.targets("test")
    scores = run.task.scores(answers, targets, run.plan.run.seed, run.clusters("test"))
    return {name: estimate.to_json() for name, estimate in scores.items()}


def details(run: Run, kept: Fitted) -> dict[str, Any]:
    """What the report shows of the answers to the test rows beyond scores; without such rows the labels alone."""
    task = run.task
    if tested(run):
        return task.details(kept.answers["test"], run.targets("test"))
    return {"labels": list(task.known_labels), "multi_label": task.labels_per_row == "many"}


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
    if how is None or not tested(run):
        return {"calibration": fitted_on}
    plain = run.task.answer(kept.outputs["test"], Calibration(), run.ready.examples["test"])
    found = how.trust(plain, kept.answers["test"], targets, kept.calibration)
    found["calibration"] |= fitted_on
    return found


def candidate_record(candidate: Fitted) -> dict[str, Any]:
    found: dict[str, Any] = {"name": candidate.name}
    for part in ("valid", "test"):
        score = candidate.scores.get(part)  # None where a part has no rows
        ends = (None, None, None) if score is None else (score.value, score.low, score.high)
        found |= dict(zip((part, f"{part}_low", f"{part}_high"), ends, strict=True))
    return {**found, "seconds": round(candidate.seconds, 3)}


def tuning_settings(run: Run) -> dict[str, Any]:
    """The settings that moved the weights, for who reads the scorecard alone."""
    if not any(one.name == "tuned" for one in run.candidates) and not run.outlook.spared:
        return {}  # the others have none
    if run.outlook.spared:
        return {"not_trained": run.outlook.spared}
    train = run.plan.train
    found = run.tuning.get("rate_test", {}).get("lr", train.lr)
    return {"lr": found, "batch_rows": train.batch_rows, "epochs": train.epochs, "weight_decay": train.weight_decay,
            "warmup": train.warmup, "head": train.head}  # fmt: skip


def verdict(run: Run, kept: Fitted) -> dict[str, Any]:
    """Whether the chosen candidate is better on the test rows, beyond noise, than those that are there to be beaten."""
    others = [candidate for candidate in run.candidates if candidate.to_beat and candidate.counts]
    if not tested(run):
        return {"ship": False, "words": not_measured(kept)}
    if not others:
        return {"ship": False, "words": nothing_to_beat(kept, run.task.metric)}
    against = best_on(telling_part(run), others, run.task.metric)
    gap = run.difference(kept, against, "test")
    ship = gap.low > 0
    words = verdict_words(kept, against, run.task.metric, gap, ship, spared=bool(run.outlook.spared))
    how = run.task.zero_shot
    if not ship and how is not None and how.compares and no_worse(run, "zero-shot", kept):
        words += f" {COMPARING}"
    return {"ship": ship, "against": against.name, **measured(gap), "words": words}


def telling_part(run: Run) -> str:
    """The part by which the one of several candidates is found that another is compared with. Scores of rows that were learnt
    from say nothing: the best on the test rows is then to be beaten, which is harder."""
    return "valid" if run.ready.rows.split.validates else "test"


def no_worse(run: Run, name: str, kept: Fitted) -> bool:
    """Whether a candidate has at least the validation score of the one that is kept."""
    found = [one for one in run.candidates if one.name == name]
    return any(best_on_validation([one, kept], run.task.metric) is one for one in found)


def worth(run: Run) -> dict[str, Any]:
    """The dearest candidate against a cheaper one: what its time bought."""
    counted = [candidate for candidate in run.candidates if candidate.counts]
    if not tested(run):
        return {
            "dearer": counted[-1].name,
            "cheaper": None,
            "words": "What its time was worth was not measured.",
        }
    dearer, cheaper = counted[-1], next_cheaper(counted, run.task.metric, telling_part(run))
    if cheaper is None:
        words = f"There is nothing cheaper than {dearer.name} to compare it with."
        return {"dearer": dearer.name, "cheaper": None, "words": words}
    gap = run.difference(dearer, cheaper, "test")
    words = worth_words(dearer, cheaper, run.task.metric, gap)
    if cheaper.name == "probe" and cheaper is run.kept and run.ready.rows.split.validates_apart:
        words += f" {MORE_ROWS}"
    return {"dearer": dearer.name, "cheaper": cheaper.name, **measured(gap), "words": words}


def what_it_costs(run: Run, costs: Mapping[str, Costs]) -> dict[str, Any]:
    """Keys of the scorecard that tell what being better costs."""
    return {
        "in_short": in_short(run, costs),
        "candidates": [candidate_record(one) | costs[one.name].to_json() for one in run.candidates],
        "reaching": RESTS_ON.format(dearest=run.learnt[-1].name),
    }


def in_short(run: Run, costs: Mapping[str, Costs]) -> str:
    """The run in one sentence."""
    counted = [one for one in run.candidates if one.counts]
    part = telling_part(run)
    dearest, cheaper = counted[-1], next_cheaper(counted, run.task.metric, part)
    if cheaper is None:
        return ""
    to_beat = [one for one in counted if one.to_beat]
    least = best_on(part, to_beat, run.task.metric) if to_beat else cheaper
    rival = best_on(part, [cheaper, least], run.task.metric)
    other = least if rival is cheaper else cheaper
    reach = Reach(costs[rival.name].rows_to_reach, rival.footprint.learnt)
    tuned = dearest.weights is not None and dearest.weights.body != PRETRAINED
    found = Compared(dearest, rival, other, run.difference(dearest, rival, "test"))
    return short_words(found, run.task.metric, reach, tuned)
