"""The untouched language model, alone and with examples in its prompt: what it takes, and when it stops."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.arrays import Ints
from luthier.batches.examples import Examples
from luthier.candidates.run import ANSWERED, Run
from luthier.candidates.untouched import FEW_EXAMPLES, TRIED_ON, fitting_prompts, prompted
from luthier.errors import Interrupted
from luthier.prepare.prepare import prepare
from luthier.steps.tune import tune
from tiny_chats import chatting, plan_of_chat, talks, write_rows


def test_a_wish_to_stop_is_granted_before_the_next_part_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, written = write_rows(tmp_path / "talks.jsonl", talks(60)), []
    infer = Run.infer

    def seen(run: Run, model: Any, part: str) -> Any:
        written.append(part)
        return infer(run, model, part)

    monkeypatch.setattr(Run, "infer", seen)
    plan = plan_of_chat(data, chatting(tmp_path / "llama"), tmp_path / "run")

    with pytest.raises(Interrupted, match=r"`luthier resume .*run` goes on from what was saved"):
        list(tune(plan, lambda: bool(written)))

    assert len(written) == 1


def test_the_best_examples_are_foretold_half_way_between_the_shortest_and_the_longest_prompt(
    tmp_path: Path,
) -> None:
    data = write_rows(tmp_path / "talks.jsonl", talks(60))
    ready = prepare(
        plan_of_chat(data, chatting(tmp_path / "llama", max_position_embeddings=4096), tmp_path / "run")
    )

    def tokens(examples: Examples) -> float:
        return float(examples.lengths.sum())

    def answering(rows: Ints) -> float:
        parts = [(part, len(ready.examples[part])) for part in ANSWERED]
        return sum(tokens(prompted(ready, part, rows, np.arange(count))) for part, count in parts)

    prompts = fitting_prompts(ready)
    few = np.arange(min(TRIED_ON, len(ready.examples["valid"])))
    trying = sum(tokens(prompted(ready, "valid", rows, few)) for rows in prompts)
    of_each = sorted(map(answering, prompts))

    assert of_each[0] < of_each[-1]
    assert FEW_EXAMPLES.forecast(ready, tokens) == pytest.approx(trying + (of_each[0] + of_each[-1]) / 2)
