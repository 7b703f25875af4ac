"""What `--vary` takes, and what it refuses before anything is run."""

import itertools

import pytest

from luthier.errors import PlanError
from luthier.plan.plan import Plan
from luthier.plan.search import SearchPlan, parted
from luthier.searching.space import Choices, Range, Space, plan_of, read_space

PLAN = Plan.build({"data.path": "reviews.csv"})


def space(*vary: str, **settings: object) -> Space:
    return read_space(
        vary, PLAN.with_settings({key.replace("__", "."): one for key, one in settings.items()})
    )


def refused(*vary: str, **settings: object) -> str:
    with pytest.raises(PlanError) as error:
        space(*vary, **settings)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("train.lr=1e-5..1e-3 log", Range("train.lr", 1e-5, 1e-3, log=True)),
        ("lr = 1e-5..1e-3", Range("train.lr", 1e-5, 1e-3)),
        ("train.batch_rows=8,16,32,64", Choices("train.batch_rows", (8, 16, 32, 64))),
        ("train.batch_rows=8..64 log", Range("train.batch_rows", 8, 64, log=True, whole=True)),
        ("train.weight_decay=0..0.3", Range("train.weight_decay", 0, 0.3)),
        ("train.epochs=1..10", Range("train.epochs", 1, 10, whole=True)),
        ("train.epochs=1.0..10.0", Range("train.epochs", 1, 10)),
        ("train.warmup=0..1", Range("train.warmup", 0, 1)),
        ("train.method=probe,top:2,full,lora", Choices("train.method", ("probe", "top:2", "full", "lora"))),
        ("train.method=top:02,thaw:1", Choices("train.method", ("top:2", "thaw"))),
        ("model.name=a,b", Choices("model.name", ("a", "b"))),
        ("model.name=../a,../b", Choices("model.name", ("../a", "../b"))),
    ],
)
def test_a_setting_is_varied_over_values_or_a_range(text: str, dimension: object) -> None:
    assert space(text).dimensions == (dimension,)


@pytest.mark.parametrize(
    "text",
    [
        "train.lr=1e-5..1e-3 log",
        "train.lr=1.2345678e-5..0.3",
        "train.epochs=1..10",
        "train.epochs=1.0..10.0",
        "train.batch_rows=1..2000000",
        "train.method=probe,full",
    ],
)
def test_a_space_is_written_as_it_is_read(text: str) -> None:
    assert space(*space(text).spelt()) == space(text)


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        ("lr", "--vary 'lr': expected KEY=a,b,c or KEY=low..high"),
        ("lr=", "expected KEY=a,b,c"),
        ("lr=1e-5,,1e-3", "a value is empty"),
        ("lr=1e-3..1e-5", "the first number must be the smaller one"),
        ("lr=0..1e-3", "train.lr: '0' does not fit"),
        ("weight_decay=0..0.3 log", "0 has no logarithm"),
        ("lr=1e-5..2", "train.lr: '2' does not fit"),
        ("lr=fast..slow", "'fast' is no number"),
        ("lr=1e-5..inf", "'inf' is not finite"),
        ("batch_rows=8,8", "a value stands there twice"),
        ("batch_rows=8,8.5", "train.batch_rows: '8.5' does not fit"),
        ("learning_rate=1e-4,1e-5", "There is no setting 'learning_rate'"),
        ("method=probe,ful", "train.method"),
        ("data.text=a,b", "trials on other rows"),
        ("task.metric=accuracy,macro_f1", "by another score"),
        ("run.seed=1,2,3", "the luckiest seed is no finding. --seeds"),
        ("run.threads=1,2", "where and how to compute"),
        ("model.hidden=64,32", "is a list itself"),
        ("schedule=1..3", "train.schedule"),
    ],
)
def test_what_is_wrong_is_told_at_once(vary: str, told: str) -> None:
    assert told in refused(vary)


def test_everything_that_is_wrong_is_told_together() -> None:
    told = refused("lr=1e-5..2", "batch_rows=0,8", "lr=1e-5..1e-3")
    assert "train.lr" in told
    assert "train.batch_rows" in told


def test_a_setting_is_varied_once() -> None:
    assert "--vary train.lr: given twice" in refused("lr=1e-5..1e-3", "train.lr=1e-4,1e-3")


def test_values_that_clash_with_each_other_or_with_the_plan_are_refused() -> None:
    assert "train.reinit 3" in refused("train.reinit=0,3", "train.method=top:2,full")
    assert "no effect with train.method 'probe'" in refused("lr=1e-5..1e-3", train__method="probe")


def test_settings_that_a_method_has_no_use_for_do_not_count_with_it() -> None:
    found = space("lr=1e-4,1e-3", "layer_decay=0.8,1.0", "method=probe,full,lora")
    assert found.dimensions[0].key == "train.method", "which of the others count depends on it"

    def keys(method: str) -> list[str]:
        return [one.key for one in found.counting(PLAN, {"train.method": method})]

    assert keys("probe") == ["train.method"]
    assert keys("lora") == ["train.method", "train.lr"]
    assert keys("full") == ["train.method", "train.lr", "train.layer_decay"]


def test_the_plan_of_a_trial_leaves_out_what_its_method_has_no_use_for() -> None:
    plan = PLAN.with_settings({"train.lr": 1e-4, "train.epochs": 3})
    probe = plan_of(plan, {"train.method": "probe"})
    assert (probe.train.method, probe.train.lr, probe.train.epochs) == ("probe", None, None)
    full = plan_of(plan, {"train.method": "full", "train.lr": 1e-3}, run__out="x", data__split_seed=5)
    assert (full.train.lr, full.train.epochs, full.run.out, full.split_seed) == (1e-3, 3, "x", 5)


def test_a_grid_has_each_combination_that_differs_once() -> None:
    found = space("lr=1e-4,1e-3,1e-2", "method=probe,full").grid(PLAN)
    assert found == [
        {"train.method": "probe"},
        *({"train.method": "full", "train.lr": lr} for lr in (1e-4, 1e-3, 1e-2)),
    ]


def test_what_a_way_to_read_pairs_has_no_use_for_is_not_varied_with_it() -> None:
    found = space("dropout=0.1,0.3", "pooling=auto,cls", "pair=bi-encoder,cross-encoder").grid(PLAN)
    assert found == [
        *({"model.pair": "bi-encoder", "model.pooling": pooling} for pooling in ("auto", "cls")),
        *({"model.pair": "cross-encoder", "model.dropout": dropout} for dropout in (0.1, 0.3)),
    ]
    plan = Plan.build({"data.path": "rows.csv", "model.dropout": 0.3})
    assert plan_of(plan, {"model.pair": "bi-encoder"}).model.dropout == 0.1, "the usual one"


def test_a_range_in_a_grid_is_five_points_evenly_spaced() -> None:
    assert space("weight_decay=0..0.2").dimensions[0].points == (0.0, 0.05, 0.1, 0.15, 0.2)
    assert space("lr=1e-5..1e-1 log").dimensions[0].points == (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    assert space("epochs=1..3").dimensions[0].points == (1, 2, 3)
    assert space("batch_rows=4..64 log").dimensions[0].points == (4, 8, 16, 32, 64)


def test_every_point_of_a_grid_is_a_plan() -> None:
    found = space("lr=1e-5..1e-3 log", "method=probe,top:2,lora", "dropout=0..0.3", "layer_decay=0.7..1.0")
    plans = [plan_of(PLAN, values) for values in found.grid(PLAN)]
    assert len({plan.identity() for plan in plans}) == len(plans) == 1 + 5 * 5 * 5 + 5 * 5


def test_a_plan_file_may_hold_the_search_too() -> None:
    settings, own = parted(
        {
            "train.lr": 1e-4,
            "search.sampler": "grid",
            "search.vary": {"train.lr": [1e-4, 1e-3], "epochs": "1..3"},
        }
    )
    assert settings == {"train.lr": 1e-4}
    asked = SearchPlan.build(own)
    assert (asked.sampler, asked.vary) == ("grid", ("train.lr=0.0001,0.001", "epochs=1..3"))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"sampler": "full"}, "search.sampler: 'full' is not a choice"),
        ({"trials": 0}, "search.trials: 0 does not fit"),
        ({"sampelr": "grid"}, "Did you mean 'sampler'?"),
        ({"on": "cluster"}, "Expected ray or ray://host:port"),
    ],
)
def test_a_search_that_cannot_be_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(PlanError) as error:
        SearchPlan.build(settings)
    assert told in str(error.value)


def test_all_values_of_a_range_fit_its_ends() -> None:
    one = space("batch_rows=8..64").dimensions[0]
    held = [value for value in itertools.chain(range(4, 70), [8.5]) if one.holds(value)]
    assert held == list(range(8, 65))
