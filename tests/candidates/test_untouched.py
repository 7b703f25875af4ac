"""The untouched language model: a wish to stop does not wait until it has written to all rows."""

from pathlib import Path
from typing import Any

import pytest

from luthier.candidates.run import Run
from luthier.errors import Interrupted
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
