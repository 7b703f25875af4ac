"""The candidates compete, from cheap to dear, and one of them is chosen."""

from collections.abc import Iterator

from luthier.candidates import CANDIDATES, competing
from luthier.candidates.candidate import Candidate
from luthier.candidates.crossing import learnt_by
from luthier.candidates.run import Run
from luthier.comparing.choice import choose, choose_of_few
from luthier.comparing.fitted import Fitted
from luthier.errors import WorldError
from luthier.events import CandidateReady, Chose, Event, Started


def cheap_candidates(run: Run) -> Iterator[Event]:
    """The candidates that leave the body as it is. As soon as one of them has a model it is saved, and from here on there is
    one; in a further round of labelling there is one already."""
    yield Started("probe", run.clock())
    for candidate in wanted(run, trains=False):
        yield from add(run, candidate)


def dear_candidates(run: Run) -> Iterator[Event]:
    """The candidates that train layers."""
    for candidate in wanted(run, trains=True):
        yield from add(run, candidate)
        if run.stop():
            return  # the next one would take the model that this one has in memory alone


def wanted(run: Run, trains: bool) -> list[Candidate]:
    """The candidates that compete, but for those that a trial of a search has no use for."""
    return [one for one in competing(run.ready, trains) if one.in_trials or run.mode.writes_model]


def add(run: Run, candidate: Candidate) -> Iterator[Event]:
    """Let a candidate learn, score it, and tell of it."""
    fitted = yield from learnt_by(candidate, run)
    if fitted is None:
        return
    fitted.to_beat, fitted.counts, fitted.learns = candidate.to_beat, candidate.counts, candidate.learns
    run.add(fitted)
    score = fitted.scores["valid"].value
    where = run.ready.rows.split.valid_from
    yield CandidateReady(fitted.name, run.task.metric, score, fitted.seconds, run.clock(), where)
    if fitted.weights is not None and not candidate.trains:
        run.keep_at_first(fitted)


def decide(run: Run) -> Iterator[Event]:
    """Choose between the candidates that have a model, and leave the chosen one's in model/."""
    chosen, why = chosen_of(run)
    yield Chose(chosen.name, why, run.clock())
    CANDIDATES[chosen.name].settle(run, chosen)


def chosen_of(run: Run) -> tuple[Fitted, str]:
    """The candidate that the plan names or validation favours, and why."""
    learnt = run.learnt
    if not learnt and run.stop():
        raise run.interrupted()
    if not learnt:
        raise WorldError(
            "Time was over before the first validation, so there is no model yet. Give it more: --budget, or fewer --epochs."
        )
    method = run.plan.train.method
    asked = {"auto": None, "probe": "probe", "few-shot": "few-shot"}.get(method, "tuned")
    found = [fitted for fitted in learnt if fitted.name == asked]
    if found:
        return found[0], f"{method}, the method that was asked for"
    if not run.ready.rows.split.validates and len(learnt) > 1:
        best = learnt[-1]
        return (
            best,
            f"{best.name}: with one row a label nothing tells candidates apart, and it is the better one on the mean",
        )
    if run.outlook.spared:
        best, _ = choose(learnt, run.standard_error, run.task.metric)
        return (
            best,
            f"{best.name}: no dearer one could be kept, or be shown to be better, with these validation rows",
        )
    if len(learnt) == 1 and run.task.baselines:
        return learnt[0], f"{learnt[0].name}: {why_alone(run)}"
    rule = choose_of_few if run.ready.rows.split.crossed else choose
    return rule(learnt, run.standard_error, run.task.metric)


def why_alone(run: Run) -> str:
    """Why there is nothing to choose from."""
    if run.task.probe is None:
        return "the only one that learns"
    if not run.ready.rows.split.validates_apart:
        return "no dearer one was tried"
    return "tuning ended before its first validation"
