"""Which values a search tries, which trials it ends early, and what it remembers of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from optuna.storages import InMemoryStorage

from luthier.errors import WorldError
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan
from luthier.searching.samplers import Adviser, design, importances, storage_at
from luthier.searching.space import Space, read_space

PLAN = Plan.build({"data.path": "reviews.csv"})
LR = "train.lr=1e-5..1e-1 log"
DECAY = "train.weight_decay=0..0.4"


def adviser(
    folder: Path | None,
    sampler: str,
    *vary: str,
    count: int = 20,
    seed: int = 0,
    prune: str = "none",
    higher: bool = True,
) -> Adviser:
    """folder: of the database; in memory where there is none.  higher: whether higher scores are better."""
    plan = PLAN.with_settings({"run.seed": seed})
    asked = SearchPlan.build({"sampler": sampler, "prune": prune, "vary": vary})
    storage = InMemoryStorage() if folder is None else storage_at(f"sqlite:///{folder / 'search.db'}")
    return Adviser(storage, "s", asked, read_space(vary, plan), plan, count, higher)


def surface(values: dict[str, object]) -> float:
    """A planted response: best, 1.0, at a rate of 1e-3 and a decay of 0.1."""
    rate, decay = np.log10(float(values["train.lr"])), float(values["train.weight_decay"])  # type: ignore[arg-type]
    return float(np.exp(-(((rate + 3) / 1.2) ** 2) - ((decay - 0.1) / 0.25) ** 2))


def searched(advice: Adviser, trials: int) -> list[float]:
    """Scores on the planted surface, trial 0 far from its top."""
    found = []
    for _ in range(trials):
        one = advice.ask({"train.lr": 2e-5, "train.weight_decay": 0.4})
        if one is None:
            break
        found.append(surface(dict(one.values)))
        advice.tell(one.number, "complete", found[-1])
    return found


def test_trial_0_is_the_recipe_itself() -> None:
    advice = adviser(None, "bayes", LR, "train.batch_rows=8,16")
    first = advice.ask({"train.lr": 3e-4, "train.batch_rows": 32})
    assert first is not None
    assert first.number == 0
    assert first.values == {"train.lr": 3e-4}, "its rows per step are not among those searched"
    second = advice.ask({})
    assert second is not None
    assert second.values.keys() == {"train.lr", "train.batch_rows"}


def test_a_grid_is_tried_whole_and_then_over() -> None:
    advice = adviser(None, "grid", "train.lr=1e-4,1e-3,1e-2", "train.method=probe,full", count=100)
    found = []
    while (one := advice.ask({})) is not None:
        advice.tell(one.number, "complete", 0.5)
        found.append(tuple(one.values.values()))
    assert found[0] == ()
    assert sorted(found[1:], key=str) == [("full", 0.0001), ("full", 0.001), ("full", 0.01), ("probe",)]


def test_the_part_of_a_grid_that_is_reached_is_spread_over_it() -> None:
    space = read_space(("train.lr=1e-5..1e-1 log", "train.weight_decay=0..0.4"), PLAN)
    values = design(space, PLAN, "grid", 0, 8)
    assert values is not None
    assert len({one["train.lr"] for one in values}) > 2
    assert len({one["train.weight_decay"] for one in values}) > 2


def test_a_grid_finds_the_planted_optimum() -> None:
    advice = adviser(None, "grid", LR, DECAY, count=100)
    assert max(searched(advice, 100)) == pytest.approx(surface({"train.lr": 1e-3, "train.weight_decay": 0.1}))


@pytest.mark.parametrize("sampler", ["random", "random:sobol"])
def test_random_values_follow_from_the_seed_and_the_trials_number(sampler: str) -> None:
    space = read_space((LR, "train.batch_rows=8,16,32", "train.epochs=1..4"), PLAN)
    few, many = (design(space, PLAN, sampler, 7, count) for count in (5, 30))
    other = design(space, PLAN, sampler, 8, 5)
    assert few is not None
    assert many is not None
    assert many[:5] == few != other
    rates = np.log10([float(one["train.lr"]) for one in many])
    assert np.histogram(rates, bins=4, range=(-5, -1))[0].min() >= 3, "drawn evenly by their logarithm"
    assert {one["train.batch_rows"] for one in many} == {8, 16, 32}
    assert {one["train.epochs"] for one in many} == {1, 2, 3, 4}


def test_quasi_random_values_are_spread_more_evenly_than_random_ones() -> None:
    space = read_space(("train.weight_decay=0..0.4", "train.label_smoothing=0..0.4"), PLAN)

    def gap(sampler: str, seed: int) -> float:
        values = design(space, PLAN, sampler, seed, 32)
        assert values is not None
        own = np.sort([float(one["train.weight_decay"]) / 0.4 for one in values])
        return float(np.abs(own - (np.arange(32) + 0.5) / 32).max())

    assert max(gap("random:sobol", seed) for seed in range(5)) < min(gap("random", seed) for seed in range(5))


def test_no_two_random_trials_are_alike() -> None:
    space = read_space(("train.batch_rows=8,16", "train.method=probe,full"), PLAN)
    values = design(space, PLAN, "random", 0, 50)
    assert values is not None
    assert sorted(values, key=str) == [
        {"train.method": "full", "train.batch_rows": 16},
        {"train.method": "full", "train.batch_rows": 8},
        {"train.method": "probe"},
    ]


@pytest.mark.parametrize("sampler", ["bayes", "bayes:gp"])
def test_bayesian_search_beats_random_search_at_25_trials(sampler: str) -> None:
    seeds = range(20 if sampler == "bayes" else 3)
    bests: dict[str, list[float]] = {}
    for name in ("random", sampler):
        for seed in seeds:
            bests.setdefault(name, []).append(
                max(searched(adviser(None, name, LR, DECAY, seed=seed, count=25), 25))
            )
    assert np.mean(bests[sampler]) > np.mean(bests["random"])
    assert min(bests[sampler]) > 0.8


def test_bayesian_search_of_settings_that_depend_on_the_method() -> None:
    advice = adviser(None, "bayes", LR, "train.method=probe,full", count=30)
    for _ in range(25):
        one = advice.ask({})
        assert one is not None
        assert ("train.lr" in one.values) == (one.values.get("train.method") == "full")
        score = (
            0.5
            if one.values.get("train.method") != "full"
            else surface({**one.values, "train.weight_decay": 0.1})
        )
        advice.tell(one.number, "complete", score)
    best = max(advice.tried(), key=lambda one: one.score or 0)
    assert best.values["train.method"] == "full"
    assert 3e-4 < float(best.values["train.lr"]) < 4e-3


def test_what_another_process_asks_is_the_next_trial(tmp_path: Path) -> None:
    one, other = (adviser(tmp_path, "random", LR) for _ in range(2))
    first, second, third = one.ask({}), other.ask({}), one.ask({})
    assert first is not None
    assert second is not None
    assert third is not None
    assert [first.number, second.number, third.number] == [0, 1, 2]
    one.tell(1, "complete", 0.5)
    assert [(trial.state, trial.score) for trial in other.tried()][1] == ("complete", 0.5)


def test_a_trial_that_was_killed_while_it_was_asked_gets_the_same_values(tmp_path: Path) -> None:
    whole = adviser(tmp_path, "random", LR, DECAY)
    numbers = [whole.ask({}) for _ in range(3)]
    (tmp_path / "killed").mkdir()
    killed = adviser(tmp_path / "killed", "random", LR, DECAY)
    killed.ask({})
    killed.study.enqueue_trial(killed.values[0])  # type: ignore[index]
    killed.study.ask()  # and here the process died
    assert killed.again(1) == numbers[1]
    assert killed.ask({}) == numbers[2]


def test_a_trial_that_was_killed_before_it_was_asked_begins_like_the_others(tmp_path: Path) -> None:
    killed = adviser(tmp_path, "random", LR, DECAY)
    killed.ask({})
    killed.study.enqueue_trial(killed.values[0])  # type: ignore[index]
    begun = killed.again(1)  # and here the process had died
    assert begun.values == killed.values[0]  # type: ignore[index]
    killed.tell(1, "complete", 0.5)
    assert killed.tried()[1].state == "complete"
    following = killed.ask({})
    assert following is not None
    assert following.number == 2


def scores_at(advice: Adviser, number: int, scores: list[float]) -> int:
    """After how many validations a trial with these scores is ended."""
    for age, score in enumerate(scores, 1):
        if advice.report(number, age, score, len(scores)):
            advice.tell(number, "pruned")
            return age
    advice.tell(number, "complete", scores[-1])
    return len(scores)


def test_successive_halving_looks_after_a_sixth_and_a_third_at_who_is_among_the_best_quarter() -> None:
    advice = adviser(None, "random", LR, count=40, prune="halving")
    lasted = []
    for level in [0.5, 0.6, 0.1, 0.2, 0.7, 0.3, 0.8, 0.4, 0.65, 0.75]:
        one = advice.ask({})
        assert one is not None
        lasted.append(scores_at(advice, one.number, [level + 0.01 * age for age in range(10)]))
    assert lasted == [10, 10, 2, 2, 10, 2, 10, 2, 2, 4], (
        "the best so far goes on, and whoever is among the best quarter"
    )


@pytest.mark.parametrize(("falls_at", "ends_at"), [(1, 2), (2, 2), (3, 4), (4, 4), (5, 10)])
def test_who_falls_behind_between_two_looks_is_ended_at_the_next(falls_at: int, ends_at: int) -> None:
    advice = adviser(None, "random", LR, count=40, prune="halving")
    for _ in range(3):
        one = advice.ask({})
        assert one is not None
        scores_at(advice, one.number, [0.5] * 10)
    bad = advice.ask({})
    assert bad is not None

    assert scores_at(advice, bad.number, [0.9] * (falls_at - 1) + [0.1] * (11 - falls_at)) == ends_at


def test_a_long_training_is_compared_when_it_has_come_as_far_as_a_short_one() -> None:
    advice = adviser(None, "random", LR, count=40, prune="halving")
    for scores in ([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]):
        one = advice.ask({})
        assert one is not None
        scores_at(advice, one.number, scores)
    slow, slower = advice.ask({}), advice.ask({})
    assert slow is not None
    assert slower is not None

    rises = [0.44 + 0.03 * age for age in range(20)]  # 0.44 after its first validation, 0.53 after a sixth
    assert scores_at(advice, slow.number, rises) == 20
    assert scores_at(advice, slower.number, [0.01 * age for age in range(20)]) == 4


def test_the_median_rule_ends_what_is_below_it() -> None:
    advice = adviser(None, "random", LR, count=40, prune="median")
    for level in (0.5, 0.6, 0.7, 0.8):
        one = advice.ask({})
        assert one is not None
        assert scores_at(advice, one.number, [level] * 4) == 4
    bad, good = advice.ask({}), advice.ask({})
    assert bad is not None
    assert good is not None
    assert scores_at(advice, bad.number, [0.4] * 4) == 1
    assert scores_at(advice, good.number, [0.75] * 4) == 4


def test_the_median_rule_compares_a_long_training_when_it_has_come_as_far_as_short_ones() -> None:
    advice = adviser(None, "random", LR, count=40, prune="median")
    for _ in range(4):
        one = advice.ask({})
        assert one is not None
        scores_at(advice, one.number, [0.5, 0.6, 0.7, 0.8])
    slow, falling = advice.ask({}), advice.ask({})
    assert slow is not None
    assert falling is not None

    assert scores_at(advice, slow.number, [0.42 + 0.02 * age for age in range(20)]) == 20, (
        "0.5 after a quarter"
    )
    assert scores_at(advice, falling.number, [0.65] * 20) == 15, (
        "0.65 is the most that it has had, and the others have 0.7 after three quarters"
    )


def test_hyperband_looks_early_late_and_never_in_turns() -> None:
    advice = adviser(None, "random", LR, count=40, prune="hyperband")
    lasted = []
    for level in [0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.2, 0.95, 0.2]:
        one = advice.ask({})
        assert one is not None
        lasted.append(scores_at(advice, one.number, [level] * 8))
    assert lasted == [8, 8, 8, 2, 3, 8, 2, 8, 8]


def test_without_pruning_every_trial_runs_to_its_end() -> None:
    advice = adviser(None, "random", LR, count=40)
    for level in (0.9, 0.1, 0.0):
        one = advice.ask({})
        assert one is not None
        assert scores_at(advice, one.number, [level] * 6) == 6


@pytest.mark.parametrize("prune", ["halving", "median", "hyperband"])
def test_losses_are_pruned_as_scores_are(prune: str) -> None:
    """Where lower is better, a trial lasts as long as one of the negative scores where higher is."""
    dice = np.random.default_rng(0)
    curves = [np.cumsum(dice.normal(size=dice.integers(6, 20))).tolist() for _ in range(30)]
    lasted: dict[bool, list[int]] = {True: [], False: []}
    for higher, found in lasted.items():
        advice = adviser(None, "random", LR, count=40, prune=prune, higher=higher)
        for scores in curves:
            one = advice.ask({})
            assert one is not None
            found.append(scores_at(advice, one.number, scores if higher else [-score for score in scores]))

    assert lasted[False] == lasted[True]
    assert any(age < len(scores) for age, scores in zip(lasted[True], curves, strict=True)), "some are ended"


def test_bayesian_search_goes_where_losses_are_low() -> None:
    up, down = (adviser(None, "bayes", LR, DECAY, count=25, higher=higher) for higher in (True, False))
    for _ in range(25):
        best, lowest = (one.ask({"train.lr": 2e-5, "train.weight_decay": 0.4}) for one in (up, down))
        assert best is not None
        assert lowest is not None
        assert lowest.values == best.values, "trials until now are as good"
        up.tell(best.number, "complete", surface(dict(best.values)))
        down.tell(lowest.number, "complete", -surface(dict(best.values)))

    found = down.tried()
    assert [one.score for one in found] == [-surface(dict(one.values)) for one in found], (
        "scores keep their sign"
    )


def test_a_validation_told_twice_counts_once() -> None:
    advice = adviser(None, "random", LR, prune="halving")
    one = advice.ask({})
    assert one is not None
    advice.report(0, 1, 0.5, 4)
    assert advice.report(0, 1, 0.4, 4) is False, "a resumed trial tells again what it told before the kill"
    assert advice.tried()[0].seen == {1: 0.5}


def test_who_was_to_end_before_a_kill_is_to_end_after_it() -> None:
    advice = adviser(None, "random", LR, count=40, prune="halving")
    for level in (0.5, 0.6, 0.7, 0.8):
        one = advice.ask({})
        assert one is not None
        scores_at(advice, one.number, [level] * 10)
    bad = advice.ask({})
    assert bad is not None

    def told() -> list[bool]:
        return [advice.report(bad.number, age, 0.1, 10) for age in (1, 2)]

    assert told() == [False, True]
    assert told() == [False, True], "told again, as nothing of its end is on record"


def test_importance_tells_the_setting_that_matters() -> None:
    advice = adviser(None, "random", LR, DECAY, count=60)
    for _ in range(50):
        one = advice.ask({})
        assert one is not None
        values = {**one.values, "train.weight_decay": 0.1}
        advice.tell(one.number, "complete", surface({"train.lr": 1e-3, **values}))
    found = importances(advice.tried(), advice.space, 0)
    assert found["train.lr"][0] > 0.8 > 0.2 > found["train.weight_decay"][0]
    assert all(low <= high for _, low, high in found.values())


def test_importance_is_that_of_the_better_half_whichever_way_is_better() -> None:
    advice = adviser(None, "random", LR, DECAY, count=40, higher=False)
    for _ in range(39):
        one = advice.ask({"train.lr": 1e-3, "train.weight_decay": 0.1})
        assert one is not None
        advice.tell(one.number, "complete", -surface(dict(one.values)))
    tried = advice.tried()
    mirrored = [replace(one, score=-(one.score or 0.0)) for one in tried]

    assert importances(tried, advice.space, 0, higher=False) == importances(mirrored, advice.space, 0)


def test_importance_of_a_handful_of_trials_is_not_told() -> None:
    assert importances([], Space(()), 0) == {}


def test_a_database_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorldError) as error:
        adviser(tmp_path / "missing", "random", LR)
    assert "the search's database cannot be opened" in str(error.value)
