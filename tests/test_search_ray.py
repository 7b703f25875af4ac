"""Trials as Ray tasks, on a cluster of two nodes on this machine."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from luthier.errors import WorldError
from luthier.events import TrialBegan, TrialEnded
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan
from luthier.searching import opening
from luthier.searching import ray as on_ray
from luthier.searching import search as searching
from luthier.searching.folder import SearchFolder
from luthier.searching.space import read_space
from tiny import messages_csv

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with a core each."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
        made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        made.add_node(**node)
        ray.init(address=made.address, log_to_driver=False)
        yield made
        ray.shutdown()
        made.shutdown()


@pytest.fixture
def search(tmp_path: Path, bert: Path) -> Callable[..., dict[str, Any]]:
    data = messages_csv(tmp_path / "messages.csv", 80)

    def run(name: str, **asked: Any) -> dict[str, Any]:
        settings = {"data.path": data, "model.name": bert, "train.method": "full", "train.epochs": 2, "run.precision": "fp32",
                    "run.threads": 1, "run.cache": tmp_path / "cache", "run.out": tmp_path / name}  # fmt: skip
        more = {"sampler": "random", "prune": "none", "trials": 3, "vary": ("train.lr=1e-4..3e-2 log",)}
        events = list(searching.search(Plan.build(settings), SearchPlan.build({**more, **asked})))
        return {**SearchFolder(tmp_path / name).record(), "events": events}

    return run


def told(record: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (one["number"], one["state"], one["values"], one["score"], one["validations"])
        for one in record["trials"]
    ]


def test_the_search_on_ray_is_the_local_one_trial_by_trial(
    cluster: Any, search: Callable[..., dict[str, Any]]
) -> None:
    local, there = search("local"), search("ray", on="ray")
    assert told(there) == told(local)
    assert there["best"] == local["best"]


def test_each_trial_on_ray_is_told_of_as_it_begins(
    cluster: Any, search: Callable[..., dict[str, Any]]
) -> None:
    events = search("ray", on="ray")["events"]
    told = [event for event in events if isinstance(event, (TrialBegan, TrialEnded))]
    assert {event.number for event in told} == {0, 1, 2}
    for number in range(3):
        began, ended = (event for event in told if event.number == number)
        assert isinstance(began, TrialBegan)
        assert isinstance(ended, TrialEnded)
        assert began.values == ended.values
        assert began.seconds < ended.seconds - 0.5 * ended.took, "while it ran, not when it had ended"


def test_a_killed_workers_trial_is_taken_up_again(
    cluster: Any, search: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    killed = []

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
    assert told(there) == told(search("whole"))


def test_a_trial_whose_tasks_die_twice_is_given_up(
    search: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    search("dying", trials=2)
    folder = SearchFolder(tmp_path / "dying")
    plan, asked = folder.plans()
    advice = opening.adviser_of(folder, asked, read_space(asked.vary, plan), plan)
    advice.values.append({"train.lr": 1e-3})
    one = advice.ask({})
    assert one is not None

    first, second = (list(on_ray.after_a_death(folder, "a signal", deaths, 1.0)) for deaths in (1, 2))

    assert [event.text for event in first] == [
        "The task of trial 2 ended with a signal. Another task goes on with it."
    ]
    assert [event.text for event in second] == ["The task of trial 2 ended with a signal. It is given up."]
    assert advice.tried()[2].state == "failed"
    with pytest.raises(WorldError, match="5 tasks on Ray have died"):
        list(on_ray.after_a_death(folder, "a signal", 5, 1.0))


def test_a_cluster_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch, search: Callable[..., Any]
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def init(**settings: Any) -> None:
        raise ConnectionError("nobody listens there")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(WorldError, match="nobody listens there"):
        search("none", on="ray://127.0.0.1:1")
