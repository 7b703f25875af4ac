"""Trials as Ray tasks, on a cluster of two nodes on this machine."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from luthier.errors import WorldError
from luthier.events import Advanced, Noted, TrialBegan, TrialEnded
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan
from luthier.searching import opening
from luthier.searching import ray as on_ray
from luthier.searching import search as searching
from luthier.searching.folder import SearchFolder
from luthier.searching.ray import connected
from luthier.searching.samplers import Adviser
from luthier.searching.space import read_space
from tiny import messages_csv, queries_jsonl

pytestmark = pytest.mark.slow

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with a core each."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
        made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        made.add_node(**node)
        ray.init(address=made.address, log_to_driver=False)
        yield made
        ray.shutdown()
        made.shutdown()


@pytest.fixture
def search(tmp_path: Path, bert: Path) -> Callable[..., dict[str, Any]]:
    return searches_in(tmp_path, bert)


@pytest.fixture(scope="module")
def both(
    cluster: Any, tmp_path_factory: pytest.TempPathFactory, bert: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same search here and on Ray."""
    run = searches_in(tmp_path_factory.mktemp("both"), bert)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_ray, "LOOK", 0.02)
        return run("local"), run("ray", on="ray")


def searches_in(tmp_path: Path, bert: Path) -> Callable[..., dict[str, Any]]:
    """Searches over the same rows, each in a folder of its own."""
    data = messages_csv(tmp_path / "messages.csv", 80)

    def run(name: str, **asked: Any) -> dict[str, Any]:
        changed = {key: asked.pop(key) for key in list(asked) if "." in key}
        settings = {"data.path": data, "model.name": bert, "train.method": "full", "train.epochs": 2, "run.precision": "fp32",
                    "run.threads": 1, "run.cache": tmp_path / "cache", "run.out": tmp_path / name, **changed}  # fmt: skip
        more = {"sampler": "random", "prune": "none", "trials": 3, "vary": ("train.lr=1e-4..3e-2 log",)}
        events = list(searching.search(Plan.build(settings), SearchPlan.build({**more, **asked})))
        return {**SearchFolder(tmp_path / name).record().to_json(), "events": events}

    return run


def told(record: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (one["number"], one["state"], one["values"], one["score"], one["validations"])
        for one in record["trials"]
    ]


def test_the_search_on_ray_is_the_local_one_trial_by_trial(
    both: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    local, there = both
    assert told(there) == told(local)
    assert there["best"] == local["best"]


def test_each_trial_on_ray_is_told_of_as_it_begins(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    events = both[1]["events"]
    told = [event for event in events if isinstance(event, (TrialBegan, TrialEnded))]
    assert {event.number for event in told} == {0, 1, 2}
    for number in range(3):
        began, ended = (event for event in told if event.number == number)
        assert isinstance(began, TrialBegan)
        assert isinstance(ended, TrialEnded)
        assert began.values == ended.values
        assert began.seconds < ended.seconds - 0.5 * ended.took, "while it ran, not when it had ended"


def test_the_best_few_are_run_on_other_seeds_there_too(
    cluster: Any, search: Callable[..., dict[str, Any]]
) -> None:
    there = search("ray", on="ray", seeds=2, trials=2)
    advanced = [at for at, event in enumerate(there["events"]) if isinstance(event, Advanced)]
    told = [
        at for at, event in enumerate(there["events"]) if isinstance(event, Noted) and "on seed" in event.text
    ]
    assert len(told) == 2
    assert max(told) < max(advanced), "before the processes here bring the end about"
    assert there["seeds"] == search("local", seeds=2, trials=2)["seeds"]


def test_a_task_without_features_waits_for_none(
    cluster: Any, search: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions and vectors have no probe, and so none."""
    at_work: list[int] = []
    wait = ray.wait

    def counted(references: list[Any], **more: Any) -> Any:
        at_work.append(len(references))
        return wait(references, **more)

    monkeypatch.setattr(ray, "wait", counted)
    data = queries_jsonl(tmp_path / "queries.jsonl", 60)
    there = search("vectors", on="ray", trials=2, **{"data.path": data})
    assert [one["state"] for one in there["trials"]] == ["complete"] * 2
    assert at_work[0] == 2


def test_an_error_leaves_no_task_at_work(
    cluster: Any, search: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> Any:
        raise WorldError("the user's own end has failed")

    monkeypatch.setattr(on_ray, "begun", broken)
    with pytest.raises(WorldError, match="own end"):
        search("broken", on="ray")
    folder = SearchFolder(tmp_path / "broken")
    locks = [folder.take(name.name) for name in (folder.state / "locks").glob("trial-*")]
    assert locks
    assert None not in locks, "nobody holds a trial any more"
    assert not list(folder.state.glob(f"{on_ray.STOP}-*"))


def test_a_killed_workers_trial_is_taken_up_again(
    cluster: Any, search: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill_one() -> None:
        deadline = time.time() + 100
        while not killed and time.time() < deadline:
            if list((tmp_path / "killed" / "trials").glob("*/events.jsonl")):
                for process in Path("/proc").glob("[0-9]*/cmdline"):
                    if not killed and b"ray::one_trial" in process.read_bytes():
                        killed.append(int(process.parent.name))
                        os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.05)

    killer = threading.Thread(target=kill_one)
    killer.start()
    there = search("killed", on="ray")
    killer.join()
    assert killed
    crashes = {one["number"]: one["crashes"] for one in there["trials"] if "crashes" in one}
    assert list(crashes.values()) == [1], "it is known what that task was at"
    (number,) = crashes
    words = [
        event.text for event in there["events"] if isinstance(event, Noted) and "ended with" in event.text
    ]
    assert len(words) == 1
    assert words[0].startswith(f"The process of trial {number} ended with")
    assert told(there) == told(search("whole"))


@pytest.fixture
def dying(search: Callable[..., dict[str, Any]], tmp_path: Path) -> tuple[SearchFolder, Adviser]:
    """A search of two trials that have ended, and two more that nobody is at."""
    search("dying", trials=2)
    folder = SearchFolder(tmp_path / "dying")
    plan, asked = folder.plans()
    advice = opening.adviser_of(folder, asked, read_space(asked.vary, plan), plan, higher=True)
    assert advice.values is not None
    advice.values += [{"train.lr": 1e-3}, {"train.lr": 2e-3}]
    for number in (2, 3):
        one = advice.ask({})
        assert one is not None
        assert one.number == number
    return folder, advice


def taken(folder: SearchFolder, number: int, holder: str) -> None:
    """A task takes a trial, and dies."""
    lock = folder.take(f"trial-{number}", holder)
    assert lock is not None
    lock.close()


def deaths_told(folder: SearchFolder, *holders: str) -> list[str]:
    events = [
        event
        for at, one in enumerate(holders)
        for event in on_ray.after_a_death(folder, one, "a signal", 1 + at, 1.0)
    ]
    return [event.text for event in events if isinstance(event, Noted)]


def test_a_trial_whose_tasks_die_twice_is_given_up(dying: tuple[SearchFolder, Adviser]) -> None:
    folder, advice = dying
    taken(folder, 2, "first")
    assert deaths_told(folder, "first") == [
        "The process of trial 2 ended with a signal. Another one goes on with it."
    ]
    taken(folder, 2, "second")
    assert deaths_told(folder, "second") == ["The process of trial 2 ended with a signal. It is given up."]
    assert [one.state for one in advice.tried()] == ["complete", "complete", "failed", "running"]
    with pytest.raises(WorldError, match="5 tasks on Ray have died"):
        list(on_ray.after_a_death(folder, "second", "a signal", 5, 1.0))


def test_of_tasks_that_die_together_each_counts_for_its_own_trial(
    dying: tuple[SearchFolder, Adviser],
) -> None:
    folder, advice = dying
    taken(folder, 2, "here")
    taken(folder, 3, "there")
    assert len(deaths_told(folder, "here", "there")) == 2
    assert [one.notes.get("crashes") for one in advice.tried()] == [None, None, 1, 1]
    assert [one.state for one in advice.tried()[2:]] == ["running", "running"]


def test_a_trial_that_somebody_has_taken_up_already_is_not_given_up_under_his_hands(
    dying: tuple[SearchFolder, Adviser],
) -> None:
    folder, advice = dying
    taken(folder, 2, "first")
    deaths_told(folder, "first")
    taken(folder, 2, "second")
    third = folder.take("trial-2", "third")
    assert third is not None
    with third:
        assert "goes on with it" in deaths_told(folder, "second")[0]
    assert advice.tried()[2].state == "running"
    assert advice.tried()[2].notes["crashes"] == 2


def test_a_cluster_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch, search: Callable[..., Any]
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def init(**settings: Any) -> None:
        raise ConnectionError("nobody listens there")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(WorldError, match="nobody listens there"):
        search("none", on="ray://127.0.0.1:1")


def test_ray_is_begun_where_nothing_of_the_users_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes import from the folder that it is begun in: a file optuna.py among the data would be code."""
    begun: list[str] = []
    fake = SimpleNamespace(
        is_initialized=lambda: False, init=lambda **asked: begun.append(os.getcwd()), shutdown=lambda: None
    )
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.chdir(tmp_path)
    for address in ("ray", "ray://host:10001"):
        with connected(address):
            assert Path.cwd() == tmp_path
    assert begun == [os.sep, os.sep]
