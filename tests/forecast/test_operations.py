"""What a token of training costs, by what moves and what it passes through."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luthier.candidates.tuned.settings import unfreezing_of
from luthier.forecast.trusting import trusting_seconds
from luthier.models.lora import Design, add_adapters, is_adapter
from luthier.plan.plan import Plan
from luthier.prepare.prepare import Prepared, prepare
from luthier.train.unfreezing import LadderUnfreezing


@pytest.fixture
def ready(messages_file: Path, bert: Path, tmp_path: Path) -> Callable[[str], Prepared]:
    def of(method: str) -> Prepared:
        settings = {"data.path": str(messages_file), "model.name": str(bert), "train.method": method}
        return prepare(Plan.build({**settings, "run.out": str(tmp_path / "run"), "run.precision": "fp32"}))

    return of


def unfreezing(ready: Prepared) -> LadderUnfreezing:
    return unfreezing_of(ready, adapted=False)


def weights(ready: Prepared, rungs: slice) -> int:
    """In these rungs, tables of embeddings left out."""
    named: dict[str, Any] = dict(ready.model.named_parameters())
    names = [name for rung in ready.ladder.rungs[rungs] for name in rung.parameters]
    return sum(named[name].numel() for name in names if "_embeddings" not in name)


def test_six_for_each_weight_that_trains(ready: Callable[[str], Prepared]) -> None:
    made = ready("full")
    assert unfreezing(made).operations(3.0) == 6 * weights(made, slice(None))


def test_what_stands_still_below_costs_nothing(ready: Callable[[str], Prepared]) -> None:
    made = ready("top:1")
    assert unfreezing(made).operations(2.5) == pytest.approx(6 * weights(made, slice(-2, None)))


def test_what_thaws_later_costs_from_then_on(ready: Callable[[str], Prepared]) -> None:
    made = ready("thaw:1")
    first, second = (6 * weights(made, slice(-at, None)) for at in (1, 2))
    assert unfreezing(made).operations(1.0) == first
    assert unfreezing(made).operations(1.5) == pytest.approx((first + 0.5 * second) / 1.5)


def test_adapters_pass_through_the_whole_body(ready: Callable[[str], Prepared]) -> None:
    made = ready("lora")
    body, head = weights(made, slice(None, -1)), weights(made, slice(-1, None))
    blocks = [name.removeprefix("body.") for name in made.ladder.blocks]
    add_adapters(made.model.body, blocks, Design(4), seed=0)
    adapters = sum(p.numel() for name, p in made.model.named_parameters() if is_adapter(name))
    found = unfreezing_of(made, adapted=True).operations(1.0)
    assert adapters > 0
    assert found == 4 * body + 6 * (adapters + head)


def test_the_rows_by_which_the_alarm_knows_what_is_unlike_are_counted(
    ready: Callable[[str], Prepared],
) -> None:
    made = ready("full")
    held = [len(made.examples[part]) for part in dict.fromkeys((made.rows.split.calibrates, "valid"))]

    assert trusting_seconds(made, len) == len(made.examples["train"]) + sum(held)
