"""Tiny models, built once a session: tests read their folders and never write into them."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tiny
from browser import Browser, chromium, opened
from luthier.files import cache_folder
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan
from luthier.searching.folder import SearchFolder
from searches import VARY
from tiny import TINY, messages_csv

LONGEST = (
    "test_search_ray.py",
    "test_search.py",
    "test_search_ending.py",
    "test_demo.py",
    "test_contract.py",
    "test_resume.py",
    "test_resume_language.py",
    "test_options.py",
    "test_prefix.py",
    "test_baselines.py",
    "test_preference_runs.py",
    "test_language_runs.py",
    "test_hostile.py",
)
"""Files that take longest: they begin first, so that no process works on one of them when the others have ended."""


DRAWN = (
    "test_contract.py",
    "test_demo.py",
    "test_image_task.py",
    "test_judge_tasks.py",
    "test_remedies.py",
    "test_toy_task.py",
    "test_tune.py",
    "test_witnesses.py",
)
"""Files beside those of tests/report whose runs draw the pictures of their reports: they have one of each kind."""


THOROUGH = {
    "test_hostile.py": (),
    "test_language_search.py": (),
    "test_resume_language.py": (),
    "test_search.py": (
        "the_search_from_python",
        "killed_again_and_again",
        "resumed_by_the_command_line",
        "probe_only",
    ),
    "test_search_ending.py": ("cut_short",),
    "test_search_ray.py": (),
}
"""Files whose slow tests are left to `make test-thorough`, each with parts of the names of those that are not: a third of all the
time, in which processes are begun and killed once more in another way."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        kept = THOROUGH.get(item.path.name)
        if kept is not None and "slow" in item.keywords and not any(name in item.name for name in kept):
            item.add_marker("thorough")
    place = {name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(scope="session", autouse=True)
def one_core() -> Iterator[None]:
    """Whatever the machine or OMP_NUM_THREADS says, one thread computes, unless a test asks for more.

    Tiny products on several threads that wait for each other take a hundred times as long on a busy machine, and sums of several
    threads round otherwise.
    """
    import torch

    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda process: {0})
        patch.setenv("OMP_NUM_THREADS", "1")
        torch.set_num_threads(1)
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What luthier keeps for its user lies elsewhere in tests, but for GGUF files that were opened and what was measured of the
    machine, which take long and come out the same."""
    users, home = cache_folder(), tmp_path_factory.mktemp("cache")
    (home / "luthier").mkdir()
    for name in ("gguf", "machine"):
        if (users / name).is_dir():
            (home / "luthier" / name).symlink_to(users / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home))
        yield home / "luthier"


@pytest.fixture(autouse=True)
def rows_that_nobody_has_seen(own_cache: Path) -> None:
    """No test finds its rows worn out by the models of another one."""
    shutil.rmtree(own_cache / "looks", ignore_errors=True)


def unrendered(figure: Any, target: Any, **how: Any) -> None:
    """What `Figure.savefig` does without looking at what was drawn."""
    target.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>')


@pytest.fixture(scope="module", autouse=True)
def pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """To lay out the pictures of its report takes a third of a short run: it is left out where nobody looks at them."""
    from matplotlib.figure import Figure

    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name != "report" and request.path.name not in DRAWN:
            patch.setattr(Figure, "savefig", unrendered)
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model by its name in TINY, made when it is first asked for."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = TINY[name](tmp_path_factory.mktemp("models") / name)
        return made[name]

    return folder


@pytest.fixture(scope="session")
def bert(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model("bert")


@pytest.fixture(scope="session")
def roberta(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model("roberta")


@pytest.fixture(scope="session")
def sentence_bert(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model("sentence_bert")


@pytest.fixture
def with_dense(tmp_path: Path) -> Path:
    """A sentence encoder with layers above its pooling, which a test may change."""
    return tiny.with_dense(tmp_path / "with_dense")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser to look at pages with. Skips where there is none."""
    executable = chromium()
    if executable is None:
        pytest.skip("There is no Chromium to look at the page with: apt-get install chromium")
    for package in ("playwright.sync_api", "axe_playwright_python.sync_playwright"):
        pytest.importorskip(package, reason="There is no Playwright to look at the page with: make install")
    with opened(executable) as one:
        yield one


@pytest.fixture(scope="session")
def messages_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 rows of four labels as a CSV file."""
    return messages_csv(tmp_path_factory.mktemp("data") / "messages.csv", 80)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return messages_csv(tmp_path / "messages.csv", 80)


@pytest.fixture
def begun(tmp_path: Path, small: Path, bert: Path) -> Callable[..., SearchFolder]:
    """The folder of a search that may be worked on."""

    def begin(
        name: str = "search",
        vary: tuple[str, ...] = VARY,
        settings: dict[str, Any] | None = None,
        **asked: Any,
    ) -> SearchFolder:
        plan = Plan.build(
            {
                "data.path": str(small),
                "model.name": str(bert),
                "train.method": "full",
                "train.epochs": 2,
                "run.precision": "fp32",
                "run.threads": 1,
                "run.cache": str(tmp_path / "cache"),
                **(settings or {}),
            }
        )
        folder = SearchFolder(tmp_path / name)
        folder.begin(
            plan, SearchPlan.build({"sampler": "random", "prune": "none", "trials": 4, "vary": vary, **asked})
        )
        return folder

    return begin


@pytest.fixture(scope="session")
def language_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run of a tiny language model by its task, tuned when it is first asked for: tests read it and do not change it."""
    made: dict[str, Path] = {}

    def run(task: str) -> Path:
        if task not in made:
            from language_runs import tuned

            made[task] = tuned(task, tmp_path_factory.mktemp("language") / task)
        return made[task]

    return run
