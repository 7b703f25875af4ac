"""How a search ends: other seeds, the choice, and what time, a kill or a failure makes of them."""

import itertools
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.errors import Interrupted, WorldError
from luthier.events import Event, Named, Noted, Started, Stepped, TrialEnded
from luthier.interrupts import StopWish
from luthier.plan.plan import Plan
from luthier.records import sealed
from luthier.searching import opening, reruns, time_budget, trials
from luthier.searching.crashes import abandoned
from luthier.searching.folder import SearchFolder
from luthier.searching.samplers import Tried
from luthier.steps.trial import trial
from searches import events_of, finished

pytestmark = pytest.mark.slow


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
    plain, met = trial, []

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
    record = folder.record().to_json()
    assert record["best"]["number"] != met[0]
    assert met.count(met[0]) == 1


def on_seeds(events: Iterable[tuple[int, Event]]) -> list[str]:
    return [event.text for _, event in events if isinstance(event, Noted) and "on seed" in event.text]


def test_processes_share_the_other_seeds(
    begun: Callable[..., SearchFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (trials, reruns):
        monkeypatch.setattr(module, "LOOK", 0.01)
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
    seeds = {number: pytest.approx(found) for number, found in folder.record().to_json()["seeds"].items()}
    assert seeds == finished(begun("alone", seeds=3, trials=2))["seeds"]


def ran(seconds: float, number: int = 0, **notes: Any) -> Tried:
    return Tried(number, "complete", {}, 0.9, {}, {"seconds": seconds, **notes})


def test_time_is_held_back_for_the_best_few_on_other_seeds(begun: Callable[..., SearchFolder]) -> None:
    def held(name: str, budget: str, *known: Tried, **asked: Any) -> float:
        folder = begun(name, settings={"run.budget": budget}, **{"workers": 2, **asked})
        search = opening.open_search(folder, lambda: False, 0.0, time.time(), "me")
        found = time_budget.held_back(search, known)
        assert search.deadline is not None
        assert time_budget.trials_end(search, known) == pytest.approx(search.deadline - found, abs=1)
        return found

    # Four trials, on two seeds more each, in two processes: four rounds, which may take a tenth longer.
    assert held("usual", "30m", ran(10.0)) == pytest.approx(44)
    assert held("none yet", "30m") == 0
    assert held("short", "1m", ran(10.0)) == 0, "a third of the budget holds no seed whole"
    assert held("asked", "1m", ran(10.0), seeds=3) == pytest.approx(22), (
        "one where they are asked for: half of it"
    )
    assert held("alone", "30m", ran(10.0), workers=1) == pytest.approx(88)
    assert held("one seed", "30m", ran(10.0), seeds=1) == 0
    twins = [ran(0.0, number, same_as=0) for number in (1, 2)]
    assert held("twins", "30m", ran(10.0), *twins) == pytest.approx(44), "what was not run took no time"


def test_a_trial_begins_where_half_of_it_fits_and_ends_in_time_for_other_seeds(
    begun: Callable[..., SearchFolder],
) -> None:
    folder = begun(settings={"run.budget": "30m"}, workers=2)
    search = opening.open_search(folder, lambda: False, 0.0, time.time(), "me")
    known = [ran(10.0)]
    end = time_budget.trials_end(search, known)
    assert end is not None
    for before, begins in [(4.0, False), (6.0, True)]:
        search.clock = lambda before=before: end - before  # type: ignore[misc]
        assert time_budget.time_for_trial(search, known) is begins
    search.clock = lambda: end - 100
    assert search.trial_plan({}, "out", end).run.budget == "100s"


def test_other_seeds_are_begun_only_as_long_as_all_of_the_best_few_have_them(
    begun: Callable[..., SearchFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reruns, "time_for_rerun", lambda search, one: one.number != 1)
    folder = begun(seeds=3, trials=2)
    told = [event.text for _, event in events_of(folder) if isinstance(event, Noted) and event.warning]
    record = folder.record().to_json()
    assert record["seeds"].keys() <= {"0"}, "one of the two at the most was before the other"
    assert "Time is over: trial 1 has no whole score on seeds 1, 2." in told


def test_nobody_names_one_while_another_process_is_at_a_seed(
    begun: Callable[..., SearchFolder],
) -> None:
    """This holds for a trial that has failed on another seed, too: it would be told of after the end."""
    folder = begun(seeds=3, trials=2)
    for _, event in events_of(folder):
        if isinstance(event, Started) and event.step_name == "seeds":
            break
    search = opening.open_search(folder, lambda: False, 0.0, time.time(), "me")
    there = folder.take("rerun-0-2", "another")
    assert there is not None
    reruns.Rerun(0, 1).fail(folder, "it went wrong")
    reruns.Rerun(1, 1).fail(folder, "so did this")
    with there:
        assert reruns.take_rerun(search) == (None, True)
    assert reruns.take_rerun(search) == (None, False)


def test_a_wish_to_stop_is_heard_while_another_process_ends_the_search(
    begun: Callable[..., SearchFolder],
) -> None:
    folder, wish = begun(trials=1), StopWish()
    events = events_of(folder, wish)
    for _, event in events:
        if isinstance(event, TrialEnded):
            break
    lock = folder.take("end", "another")
    assert lock is not None
    with lock:
        next(events)
        wish.asked = True
        with pytest.raises(Interrupted):
            list(itertools.islice(events, 10))


def test_the_choice_stands_whatever_a_later_command_has_time_for(
    begun: Callable[..., SearchFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(settings={"run.budget": "10m"})
    with monkeypatch.context() as patch:
        patch.setattr(reruns, "time_for_rerun", lambda search, one: False)
        for _, event in events_of(folder):
            if isinstance(event, Named):
                named = event
                break  # killed before best/ is begun
    plan, asked = folder.plans()
    assert not folder.begin(plan.with_settings({"run.budget": "2h"}), asked)

    later = list(events_of(folder))

    assert on_seeds(later) == []
    record = folder.record().to_json()
    assert record["best"]["number"] == named.number
    assert record["best"]["why"] == named.words
    assert folder.finished


def test_a_training_that_time_cut_short_says_nothing_of_another_seed(
    begun: Callable[..., SearchFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = trial

    def hurried(plan: Plan, *args: Any) -> Any:
        outcome = yield from plain(plan, *args)
        path = Path(str(plan.run.out))
        if path.name == "0-2":
            record = path / "state/outcome.json"
            record.write_text(
                json.dumps(sealed({**json.loads(record.read_text()), "cut": True, "score": 1.0}))
            )
        return outcome

    monkeypatch.setattr(reruns, "trial", hurried)
    folder = begun(seeds=3, trials=2)
    told = [event.text for _, event in events_of(folder) if isinstance(event, Noted) and event.warning]
    assert "Time is over: trial 0 has no whole score on seed 2." in told
    assert {number: len(found) for number, found in folder.record().to_json()["seeds"].items()} == {
        "0": 2,
        "1": 3,
    }


def test_what_failed_by_itself_is_no_crash(begun: Callable[..., SearchFolder]) -> None:
    folder = begun(seeds=2, trials=1)
    for _, event in events_of(folder):
        if isinstance(event, TrialEnded):
            break
    lock = folder.take("rerun-0-1", "me")
    assert lock is not None
    lock.close()
    reruns.Rerun(0, 1).fail(folder, "the loss is not finite")
    assert abandoned(folder, "me", "signal 9") == []
    assert reruns.failure(folder, 0) == "the loss is not finite"


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
