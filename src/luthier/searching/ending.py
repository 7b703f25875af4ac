"""How a search ends: one of its trials is named, its test rows are opened, the folder is completed."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from luthier.devices import available_cores
from luthier.events import Event, Named, Noted
from luthier.files import link_or_copy, whole_folder
from luthier.folder.in_use import LOCK
from luthier.folder.run_folder import RunFolder
from luthier.prepare.prepare import prepare
from luthier.report.search_page import write_search_page
from luthier.searching.folder import OF_SEARCH
from luthier.searching.opening import Search, refuse_another_model
from luthier.searching.ranking import best_of, different, finalists
from luthier.searching.records import ChoiceNote, NamedNote
from luthier.searching.reruns import NAMED, failure, scores_of, unheard
from luthier.searching.samplers import Tried, importances
from luthier.searching.space import METHOD, MODEL
from luthier.searching.winner import Choice, Entrant, best_of_entrants, chance, corrected, name, spread_words
from luthier.steps.trial import OUTCOME, answers_of
from luthier.steps.tune import tune
from luthier.tasks.answers import Answers

OTHER_TOKENS = {MODEL, "data.long"}
"""Settings that change how rows are cut into tokens, from which some tasks read their answers."""


def finish(search: Search) -> Iterator[tuple[int, Event]]:
    """Name the winner, test it, write best/ and the report. Yields (number of the trial, or OF_SEARCH; event)."""
    tried = search.adviser.tried()
    if best_of(tried, search.metric) is None and search.folder.record().over:
        return  # another process has told of it
    if best_of(tried, search.metric) is None:
        words = "; ".join(sorted({str(one.notes.get("words", one.state)) for one in tried}))
        yield OF_SEARCH, Noted(f"No trial came to its end: {words}", search.clock(), warning=True)
        search.record(over=True)
        return
    known = search.folder.note(NAMED, NamedNote)
    if known is None:
        if search.asked.seeds:
            yield from (
                (OF_SEARCH, Noted(words, search.clock(), warning=True)) for words in unheard_of(search)
            )
        choice, more = chosen(search)
        search.folder.keep_note(NAMED, NamedNote(choice=ChoiceNote(**asdict(choice)), more=more))
    else:
        choice, more = Choice(**known.choice.told()), known.more
    yield choice.number, Named(choice.number, choice.words, search.clock())
    winner = tried[choice.number]
    refuse_another_model(search, winner.values)
    values = winner.values
    if winner.notes.get("cut") and winner.notes.get("candidate") == "probe":
        values = {**values, METHOD: "probe"}  # it is what was scored: time was over before anything else was
    plan = search.trial_plan(values, str(search.folder.best), end=None)
    if values is winner.values:
        begin_best(search, winner.number)
        if winner.notes.get("work") and not whole_weights(search, winner.number):
            words = (
                f"The weights of trial {winner.number} were not kept: it learns once more, to the same end."
            )
            yield OF_SEARCH, Noted(words, search.clock(), warning=True)
    yield OF_SEARCH, Noted("Its test rows are opened now.", search.clock())
    search.memo.wide = available_cores() if search.process.all_cores else None  # all trials have ended
    for event in tune(plan, search.stop, search.memo):
        yield winner.number, event
    named = {"number": winner.number, "values": winner.values, "score": choice.score, "why": choice.words}
    shares = importances(tried, search.space, search.plan.run.seed, search.metric.higher)
    search.record(
        best=named,
        importance={key: list(values) for key, values in shares.items()},
        over=True,
        **more,
    )
    write_search_page(search.folder.path)


def unheard_of(search: Search) -> list[str]:
    """Sentences, one for each trial, on the seeds that were asked for and for which there was no time."""
    return [
        f"Time is over: trial {number} has no whole score on seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}."
        for number, seeds in unheard(search).items()
    ]


def begin_best(search: Search, number: int) -> None:
    """Begin best/ with the files that the named trial left in its folder, so that nothing is learnt again."""
    best, trials_own = search.folder.best, search.folder.trial(number)
    if best.exists() or not trials_own.is_dir():
        return
    with whole_folder(best) as part:
        for path in (path for path in trials_own.rglob("*") if path.is_file()):
            inside = path.relative_to(trials_own)
            if inside.name.startswith(f"{OUTCOME}.") or inside.name == LOCK:
                continue
            (part / inside).parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(path, part / inside)


def whole_weights(search: Search, number: int) -> bool:
    """Whether the weights that a trial learnt are still on disk."""
    return any(
        (folder / "state" / "tuned.json").is_file()
        for folder in (search.folder.trial(number), search.folder.best)
    )


@dataclass(frozen=True)
class Field:
    """The trials among which one is named, and the seeds on which they are compared."""

    trials: list[Tried]
    seeds: list[int]


def field_of(search: Search, done: Sequence[Tried], known: dict[int, dict[int, float]]) -> Field:
    """All finished trials on the search's own seed; or those run on others too, on the seeds that all of them have."""
    entered = finalists(search.adviser.tried(), search.metric)
    last = [one for one in entered if failure(search.folder, one.number) is None]
    common = set.intersection(*(set(known[one.number]) for one in last)) if last else set()
    if len(common) > 1:
        return Field(last, sorted(common))
    sound = [one for one in done if failure(search.folder, one.number) is None]
    return Field(sound or list(done), [search.plan.run.seed])


def chosen(search: Search) -> tuple[Choice, dict[str, object]]:
    """The trial to end with, and what search.json tells of the choice."""
    task, seed = search.ready.rows.task, search.plan.run.seed
    targets, clusters = search.ready.examples["valid"].targets, search.ready.rows.clusters("valid")
    done = different(search.adviser.tried())
    known = {one.number: scores_of(search, one) for one in done}
    answers = {one.number: answers_on_validation(search, one) for one in done}
    field = field_of(search, done, known)
    entrants = [
        Entrant(
            number=one.number,
            score=float(np.mean([known[one.number][seed] for seed in field.seeds])),
            work=float(one.notes.get("work", 0.0)),
            answers=answers[one.number],
        )
        for one in field.trials
    ]

    def error(best: Entrant, other: Entrant) -> float:
        ours, theirs = (task.measure(one.answers, targets, clusters) for one in (best, other))
        return ours.standard_error(theirs, seed)

    choice = name(entrants, error, task.metric)
    top = best_of_entrants(entrants, task.metric)
    errors = [error(top, one) for one in entrants if one is not top]
    noise = chance(
        [list(scores.values()) for scores in known.values()], float(np.median(errors)) if errors else 0.0
    )
    expected = corrected(task, list(answers.values()), targets, seed, clusters)
    told: dict[str, object] = {
        "recipe": next((one.score for one in entrants if one.number == 0), None),
        "spread": spread_words([one.score or 0.0 for one in done], noise, task.metric),
        "corrected": None if expected is None else expected.to_json(),
        "seeds": {str(number): list(scores.values()) for number, scores in known.items() if len(scores) > 1},
    }
    return choice, told


def answers_on_validation(search: Search, one: Tried) -> Answers:
    """What a finished trial answers on the validation rows."""
    ready = search.ready
    if OTHER_TOKENS & one.values.keys():
        ready = prepare(
            search.trial_plan(one.values, str(search.folder.trial(one.number)), None), search.memo
        )
    return answers_of(folder_of(search, one), ready)


def folder_of(search: Search, one: Tried) -> RunFolder:
    path = search.folder.trial(one.number)
    record = RunFolder.key_record(path)
    assert record is not None, "a finished trial has a folder"
    return RunFolder(path, record.key)
