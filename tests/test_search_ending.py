"""How a search ends: other seeds, the choice, and what time, a kill or a failure makes of them."""

import itertools
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.errors import WorldError
from luthier.events import Event, Named, Noted, Stepped
from luthier.plan.plan import Plan
from luthier.searching import opening, reruns, trials
from luthier.searching.crashes import abandoned
from luthier.searching.folder import SearchFolder
from luthier.searching.samplers import Tried
from searches import events_of, finished


def test_the_best_few_and_the_recipe_are_run_on_other_seeds_over_the_same_rows(
    begun: Callable[..., SearchFolder],
) -> None:
    folder = begun(seeds=3)
    record = finished(folder)
    assert "0" in record["seeds"]
    assert 3 <= len(record["seeds"]) <= 4
    assert record["recipe"] == np.mean(record["seeds"]["0"]) <= record["best"]["score"]
    assert all(len(found) == 3 for found in record["seeds"].values())
    splits = {
        (run / "split.json").read_text().split('"seed"')[0] for run in (folder.path / "seeds").iterdir()
    }
    assert len(splits) == 1, "other seeds, the same rows to learn from and to be scored on"
    mean = np.mean(record["seeds"][str(record["best"]["number"])])
    assert record["best"]["score"] == mean
    assert (
        mean == max(np.mean(found) for found in record["seeds"].values())
        or "standard error" in record["best"]["why"]
    )


def test_settings_that_fail_on_another_seed_are_not_named(
    begun: Callable[..., SearchFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, met = reruns.trial, []

    def failing(plan: Plan, *args: Any) -> Any:
        number = int(Path(str(plan.run.out)).name.split("-")[0])
        met.append(number)
        if number == met[0]:  # the best one
            raise WorldError("the loss is not finite")
        return plain(plan, *args)

    monkeypatch.setattr(reruns, "trial", failing)
    folder = begun(seeds=2)
    told = [event.text for _, event in events_of(folder) if isinstance(event, Noted)]
    assert f"Trial {met[0]} fails on seed 1, so it is not named: the loss is not finite" in told
    record = folder.record()
    assert record["best"]["number"] != met[0]
    assert met.count(met[0]) == 1


def on_seeds(events: Iterable[tuple[int, Event]]) -> list[str]:
    return [event.text for _, event in events if isinstance(event, Noted) and "on seed" in event.text]


def test_processes_share_the_other_seeds(
    begun: Callable[..., SearchFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "LOOK", 0.01)
    folder = begun(seeds=3, trials=2)
    one, other = events_of(folder), events_of(folder)
    told: dict[str, list[str]] = {"one": [], "other": []}
    for pair in itertools.zip_longest(one, other):
        for name, step in zip(told, pair, strict=True):
            told[name] += on_seeds([step] if step else [])
    assert min(map(len, told.values())) > 0
    assert sorted(text.split(":")[0] for texts in told.values() for text in texts) == [
        f"Trial {number} on seed {seed}" for number in (0, 1) for seed in (1, 2)
    ]
    seeds = {number: pytest.approx(found) for number, found in folder.record()["seeds"].items()}
    assert seeds == finished(begun("alone", seeds=3, trials=2))["seeds"]


def test_time_is_held_back_for_the_best_few_on_other_seeds(begun: Callable[..., SearchFolder]) -> None:
    def last_begin(name: str, budget: str, **asked: Any) -> float:
        """The latest second by the clock at which a trial that takes ten may begin."""
        folder = begun(name, settings={"run.budget": budget}, workers=2, **asked)
        search = opening.open_search(folder, lambda: False, 0.0, time.time(), "me")
        assert search.deadline is not None
        known = [Tried(0, "complete", {}, 0.9, {}, {"seconds": 10.0})]
        times = [second for second in range(3600) if clocked(search, second, known)]
        return search.deadline - max(times)

    def clocked(search: opening.Search, second: float, known: list[Tried]) -> bool:
        search.clock = lambda: second
        return trials.time_for_one(search, known)

    # Four trials, on two seeds more each, in two processes: forty seconds; and half of its own time.
    assert last_begin("usual", "30m") == pytest.approx(45, abs=1)
    assert last_begin("short", "1m") == pytest.approx(25, abs=1), "a third of the budget at most"
    assert last_begin("asked", "1m", seeds=3) == pytest.approx(45, abs=1), "unless it is asked for"
    assert last_begin("one", "30m", seeds=1) == pytest.approx(5, abs=1)


def test_the_choice_stands_whatever_a_later_command_has_time_for(
    begun: Callable[..., SearchFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(settings={"run.budget": "10m"})
    with monkeypatch.context() as patch:
        patch.setattr(reruns, "fits", lambda search, one: False)
        for _, event in events_of(folder):
            if isinstance(event, Named):
                named = event
                break  # killed before best/ is begun
    plan, asked = folder.plans()
    assert not folder.begin(plan.with_settings({"run.budget": "2h"}), asked)

    later = list(events_of(folder))

    assert on_seeds(later) == []
    record = folder.record()
    assert record["best"]["number"] == named.number
    assert record["best"]["why"] == named.words
    assert folder.finished


def test_a_training_that_time_cut_short_says_nothing_of_another_seed(
    begun: Callable[..., SearchFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = reruns.trial

    def hurried(plan: Plan, *args: Any) -> Any:
        outcome = yield from plain(plan, *args)
        path = Path(str(plan.run.out))
        if path.name == "0-2":
            record = path / "state/outcome.json"
            record.write_text(json.dumps({**json.loads(record.read_text()), "cut": True, "score": 1.0}))
        return outcome

    monkeypatch.setattr(reruns, "trial", hurried)
    folder = begun(seeds=3, trials=2)
    told = [event.text for _, event in events_of(folder) if isinstance(event, Noted) and event.warning]
    assert "Time is over: trial 0 has no whole score on seed 2." in told
    assert {number: len(found) for number, found in folder.record()["seeds"].items()} == {"0": 2, "1": 3}


def test_settings_whose_processes_die_on_another_seed_are_not_named(
    begun: Callable[..., SearchFolder],
) -> None:
    folder = begun(seeds=2, trials=2)
    for number, event in events_of(folder):
        if number == 0 and isinstance(event, Stepped) and (folder.path / "seeds").is_dir():
            break
    for holder in ("first", "second"):
        lock = folder.take("rerun-0-1", holder)
        assert lock is not None
        lock.close()
        found = abandoned(folder, holder, "signal 9")
        assert [(one.what, one.failed) for one in found] == [("trial 0 on seed 1", holder == "second")]
    record = finished(folder)
    assert record["best"]["number"] == 1
