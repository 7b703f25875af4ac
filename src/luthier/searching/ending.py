"""How a search ends: the best few on other seeds, one of them named, its test rows opened, the folder completed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from luthier.errors import Interrupted
from luthier.events import Event, Named, Noted
from luthier.files import whole_folder
from luthier.folder.run_folder import RunFolder
from luthier.report.search_page import write_search_page
from luthier.searching.folder import OF_SEARCH
from luthier.searching.samplers import Tried, importances
from luthier.searching.trials import Search, best_of, finalists
from luthier.searching.winner import Choice, Entrant, chance, corrected, name, spread_words
from luthier.steps.run import standard_error
from luthier.steps.trial import OUTCOME, Outcome, answers_of, outcome_of, trial
from luthier.steps.tune import tune

USUAL_SEEDS = 3
"""On which the best few are run where a budget leaves time."""


def finish(search: Search) -> Iterator[tuple[int, Event]]:
    """Name the winner, test it, write best/ and the report. (number, event), where the number may be OF_SEARCH."""
    tried = search.adviser.tried()
    best = best_of(tried)
    if best is None:
        words = "; ".join(sorted({str(one.notes.get("words", one.state)) for one in tried}))
        yield OF_SEARCH, Noted(f"No trial came to its end: {words}", search.clock(), warning=True)
        search.record(over=True)
        return
    yield from other_seeds(search)
    choice, more = chosen(search)
    yield choice.number, Named(choice.number, choice.words, search.clock())
    winner = tried[choice.number]
    plan = search.trial_plan(winner.values, str(search.folder.best), run__budget=None)
    begin_best(search, winner.number)
    yield OF_SEARCH, Noted("Its test rows are opened now.", search.clock())
    for event in tune(plan, search.stop, search.kept):
        yield winner.number, event
    named = {"number": winner.number, "values": winner.values, "score": winner.score, "why": choice.words}
    shares = importances(tried, search.space, search.plan.run.seed)
    search.record(
        best=named,
        importance={key: list(values) for key, values in shares.items()},
        over=True,
        **more,
    )
    write_search_page(search.folder.path)


def begin_best(search: Search, number: int) -> None:
    """best/ begins as the named trial left its folder: what it learnt is not learnt again."""
    best, trials_own = search.folder.best, search.folder.trial(number)
    if best.exists() or not trials_own.is_dir():
        return
    with whole_folder(best) as part:
        for path in (path for path in trials_own.rglob("*") if path.is_file()):
            inside = path.relative_to(trials_own)
            if inside.parts[0] == "model" or inside.name.startswith(f"{OUTCOME}."):
                continue
            (part / inside).parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(path, part / inside)


def link_or_copy(source: Path, target: Path) -> None:
    """Two names for one large file, which is only ever replaced whole; a copy of the log, which grows, and where links fail."""
    try:
        if source.suffix == ".safetensors":
            os.link(source, target)
            return
    except OSError:
        pass  # another file system: it is copied
    shutil.copyfile(source, target)


def other_seeds(search: Search) -> Iterator[tuple[int, Event]]:
    """Run the best few on more seeds, as far as asked for or as time allows."""
    wanted = search.asked.seeds or (USUAL_SEEDS if search.plan.run.budget is not None else 1)
    for place in range(1, wanted):
        for one in finalists(search.adviser.tried()):
            seed = search.plan.run.seed + place
            folder = search.folder.again(one.number, seed)
            took = float(one.notes.get("seconds") or 0.0)
            done = (folder / "state" / f"{OUTCOME}.json").is_file()
            if not done and search.deadline is not None and search.clock() + took > search.deadline:
                if search.asked.seeds:
                    words = f"Time is over: trial {one.number} is not run on seed {seed}."
                    yield OF_SEARCH, Noted(words, search.clock(), warning=True)
                continue
            plan = search.trial_plan(one.values, str(folder), run__seed=seed)
            if not done:
                yield OF_SEARCH, Noted(f"Trial {one.number} on seed {seed}:", search.clock())
            for event in trial(plan, search.kept, never, search.stop):
                yield one.number, event
            search.folder.forget_weights(folder)
            if search.stop():
                raise Interrupted(f"Interrupted. `luthier resume {search.folder.path}` goes on from here.")


def never(score: float) -> bool:
    return False


def scores_of(search: Search, one: Tried) -> list[float]:
    """Of a trial's settings, on each seed they were run on."""
    found = [one.score or 0.0]
    for folder in sorted((search.folder.path / "seeds").glob(f"{one.number}-*")):
        outcome = finished(folder)
        if outcome is not None:
            found.append(outcome.score)
    return found


def finished(folder: Path) -> Outcome | None:
    record = RunFolder.key_record(folder)
    return None if record is None else outcome_of(RunFolder(folder, record["key"]))


def chosen(search: Search) -> tuple[Choice, dict[str, object]]:
    """The trial to end with, and what search.json tells of the choice."""
    task, seed = search.ready.rows.task, search.plan.run.seed
    targets = search.ready.examples["valid"].targets
    done = [one for one in search.adviser.tried() if one.state == "complete" and "same_as" not in one.notes]
    known = {one.number: scores_of(search, one) for one in done}
    most = max(map(len, known.values()))
    entrants = [
        Entrant(
            number=one.number,
            score=float(np.mean(known[one.number])),
            work=float(one.notes.get("work", 0.0)),
            seeds=len(known[one.number]),
            answers=answers_of(folder_of(search, one), search.ready),
        )
        for one in done
    ]

    def error(best: Entrant, other: Entrant) -> float:
        return standard_error(task, best.answers, other.answers, targets, seed)

    # Those that were run on more seeds are known better: only among them is named.
    choice = name([one for one in entrants if one.seeds == most], error, task.metric)
    top = max(entrants, key=lambda one: (one.score, -one.number))
    errors = [error(top, one) for one in entrants if one is not top]
    noise = chance(list(known.values()), float(np.median(errors)) if errors else 0.0)
    expected = corrected(task, [one.answers for one in entrants], targets, seed)
    told: dict[str, object] = {
        "spread": spread_words([one.score for one in entrants], noise, task.metric),
        "corrected": None if expected is None else expected.to_json(),
        "seeds": {str(number): scores for number, scores in known.items() if len(scores) > 1},
    }
    return choice, told


def folder_of(search: Search, one: Tried) -> RunFolder:
    path = search.folder.trial(one.number)
    record = RunFolder.key_record(path)
    assert record is not None, "a finished trial has a folder"
    return RunFolder(path, record["key"])
