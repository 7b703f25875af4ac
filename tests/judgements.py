"""`luthier judge` in tests: a scorecard, the lines of predictions, the message of a refusal."""

import json
from pathlib import Path
from typing import Any

import pytest

from command import luthier
from luthier.candidates.by_hand import HandMadeCandidate


def judged(model: Path, data: Path, out: Path, *more: object, by_hand: bool = False) -> dict[str, Any]:
    """The scorecard of a model. by_hand: whether tf-idf and colours are cross-fitted beside it, which takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        if not by_hand:
            patch.setattr(HandMadeCandidate, "beside_judged", "")
        ended = luthier("judge", model, data, "--out", out, "--json", "--quiet", *more)
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out.splitlines()[-1])
    return found


def refused(*words: object) -> str:
    """The message of a judgement that cannot be made."""
    ended = luthier("judge", *words, "--quiet")
    assert ended.code == 2, ended.err + ended.out
    return ended.err.strip()


def lines(out: Path) -> list[dict[str, Any]]:
    """What was answered to each row."""
    return [json.loads(line) for line in (out / "predictions" / "test.jsonl").read_text().splitlines()]
