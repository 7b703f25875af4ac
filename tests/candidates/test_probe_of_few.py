"""The probe of few rows is solved for once: a command that goes on takes it as it was left."""

import json
from pathlib import Path
from typing import Any

import pytest

from luthier.candidates import plain_probe
from luthier.events import result_of
from luthier.hashes import hash_file
from luthier.plan.plan import Plan
from luthier.steps import tune as steps
from tiny import TINY_IMAGES, images_folder, messages_csv

KINDS = ("text", "images")
"""Rows whose probe is pulled to the labels' words, and rows whose probe is a discriminant."""


def plan_of(kind: str, home: Path, sentence_bert: Path) -> Plan:
    if kind == "text":
        messages_csv(home / "rows.csv", 60)
        named = {"data.path": str(home / "rows.csv"), "model.name": str(sentence_bert)}
    else:
        network = TINY_IMAGES["vit"](home / "vit")
        named = {"data.path": str(images_folder(home / "photos", 36)), "model.name": str(network)}
    quick = {"train.method": "probe", "run.precision": "fp32", "run.threads": 1}
    return Plan.build({**named, **quick, "data.allow": ("near-images",), "run.out": str(home / "run")})


def outcome(run: Path) -> tuple[dict[str, Any], list[str]]:
    """What was measured on the test rows, and the hashes of the weights."""
    card = json.loads((run / "scorecard.json").read_text(encoding="utf-8"))
    return card["test"], [hash_file(file) for file in sorted((run / "model").rglob("*.safetensors"))]


def unfinished(run: Path) -> None:
    for name in ("scorecard.json", "report.html"):
        (run / name).unlink()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_taken_as_it_was_left(
    kind: str, tmp_path: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(kind, tmp_path, sentence_bert)
    result_of(steps.tune(plan))
    first = outcome(tmp_path / "run")
    unfinished(tmp_path / "run")
    monkeypatch.setattr(plain_probe, "save", None)  # what is solved for is saved, which would raise

    result_of(steps.tune(plan))

    assert outcome(tmp_path / "run") == first


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_it_is_solved_for_once_more(kind: str, tmp_path: Path, sentence_bert: Path) -> None:
    plan = plan_of(kind, tmp_path, sentence_bert)
    result_of(steps.tune(plan))
    first = outcome(tmp_path / "run")
    unfinished(tmp_path / "run")
    weights = tmp_path / "run" / "state" / "probe-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])

    result_of(steps.tune(plan))

    assert outcome(tmp_path / "run") == first
