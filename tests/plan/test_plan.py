"""A plan: how it is built, what is refused, and that its file gives it back."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from luthier.errors import NewerRecord, PlanError
from luthier.plan.duration import seconds_of
from luthier.plan.key import BESIDE, FIRST, deciding
from luthier.plan.method import Auto, Full, Lora, Method, Probe, Thaw, Top, parse_method
from luthier.plan.plan import Plan, fields, flag, full_key, read_plan
from luthier.plan.search import SearchPlan
from luthier.plan.section import Section
from luthier.plan.sections import TrainPlan

EVERYTHING: dict[str, Any] = {
    "data.path": "rows.csv",
    "data.valid": "valid.csv",
    "data.test": "test.csv",
    "data.text": "body",
    "data.text2": "reply",
    "data.negative": "other",
    "data.question": "asked",
    "data.image": "photo",
    "data.label": "topic",
    "data.warm_up": "squad.json",
    "data.columns": {"audio": "path"},
    "data.continues": "runs/round-1",
    "data.group": "user",
    "data.encoding": "cp1252",
    "data.delimiter": ";",
    "data.quoting": "backslash",
    "data.split_column": "part",
    "data.decimal": "comma",
    "data.missing": ["NA", "-"],
    "data.images": "photos",
    "data.general": "news.csv",
    "data.describe": "words.csv",
    "data.unlabelled": "more.csv",
    "data.label_names": [],  # goes with nothing that is learnt: tests/steps/test_named.py
    "data.validation": "held-out",
    "data.valid_share": 0.25,
    "data.test_share": 0.3,
    "data.calibration_share": 0.0,
    "data.split_seed": 4,
    "data.allow": ["leaks"],
    "data.long": "windows",
    "task.name": "text-classification",
    "task.labels_per_row": "many",
    "task.metric": "macro_f1",
    "task.language": "de",
    "task.turns": "last",
    "task.system": "Be brief.",
    "task.max_tokens": 40,
    "task.pattern": r"\d+",
    "task.verify": "contains",
    "task.objective": "kto",
    "task.beta": 0.3,
    "model.name": "models/bert",
    "model.base": "bert-base-uncased",
    "model.pooling": "cls",
    "model.pair": "bi-encoder",
    "model.hidden": [256, 64],
    "model.dropout": 0.25,
    "model.body_dropout": 0.05,
    "train.method": "thaw:2",
    "train.adapter": "dora",
    "train.adapter_alpha": 4.0,
    "train.adapter_b_rate": 16.0,
    "train.lr": 3e-5,
    "train.cloze": 100,
    "train.epochs": 2.5,
    "train.batch_rows": 8,
    "train.weight_decay": 0.0,
    "train.warmup": 0.2,
    "train.max_norm": 2.0,
    "train.rounds": 3,
    "train.samples": 8,
    "train.head": "fresh",
    "train.validations": 3,
    "train.patience": 5,
    "train.layer_decay": 0.9,
    "train.head_rate": 10.0,
    "train.embeddings": "frozen",
    "train.reinit": 2,
    "train.schedule": "cosine",
    "train.augment": "strong",
    "train.flip": 0.0,
    "train.mix": "cutmix",
    "train.batch_norm": "live",
    "train.label_smoothing": 0.1,
    "train.balance": "rows",
    "train.keep": "strong",
    "compare.scratch": "on",
    "train.l2_sp": 0.01,
    "train.distill": 0.5,
    "train.teacher": "runs/teacher",
    "train.replay": 0.1,
    "train.ema": 0.99,
    "run.out": "runs/mine",
    "run.seed": 7,
    "run.budget": "1.5h",
    "run.device": "cpu",
    "run.precision": "fp32",
    "run.threads": 2,
    "run.micro_tokens": 4096,
    "run.recompute": "on",
    "run.save_every": "5m",
    "run.cache": "activations",
    "run.cache_gb": 2.5,
}
"""A value for each field, other than its default where there is another."""


def typed(value: Any) -> str:
    """A value as it is typed on a command line."""
    if isinstance(value, dict):
        return ",".join(f"{key}={one}" for key, one in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def refusal(settings: dict[str, Any]) -> str:
    with pytest.raises(PlanError) as error:
        Plan.build({"data.path": "rows.csv", **settings})
    return str(error.value)


def saved(plan: Plan, folder: Path) -> Plan:
    """A plan written to a file and read again."""
    path = folder / "plan.toml"
    path.write_text(plan.to_toml(), encoding="utf-8")
    return Plan.build(read_plan(path))


# Building


def test_the_data_alone_make_a_plan() -> None:
    assert Plan.build({"data.path": "rows.csv"}).settings() == {
        key: value
        for key, info in fields().items()
        if key != "model.name" and (value := "rows.csv" if key == "data.path" else info.default) is not None
    } | {"model.hidden": [], "data.allow": [], "data.missing": [], "data.label_names": []}


def test_a_model_that_nobody_named_is_written_down_nowhere_as_the_rows_say_which_one_serves(
    tmp_path: Path,
) -> None:
    unnamed, named = (
        Plan.build({"data": "rows.csv", **more}) for more in ({}, {"model": "all-MiniLM-L6-v2"})
    )

    assert "name" not in saved(unnamed, tmp_path).with_settings({"lr": 1e-3}).model.model_fields_set
    assert "name" in saved(named, tmp_path).with_settings({"lr": 1e-3}).model.model_fields_set
    assert unnamed.identity() == named.identity()


def test_a_plan_holds_what_it_was_built_from() -> None:
    assert Plan.build(EVERYTHING).settings() == EVERYTHING


def test_every_field_is_tried_here() -> None:
    assert EVERYTHING.keys() == fields().keys()


def test_values_typed_as_text_are_those_they_spell() -> None:
    assert Plan.build({key: typed(value) for key, value in EVERYTHING.items()}) == Plan.build(EVERYTHING)


@pytest.mark.parametrize(
    ("name", "key"),
    [("lr", "train.lr"), ("train.lr", "train.lr"), ("task", "task.name"), ("model", "model.name"), ("data", "data.path")],
)  # fmt: skip
def test_a_field_may_be_called_by_its_last_name_and_a_section_by_what_it_is_for(name: str, key: str) -> None:
    assert full_key(name) == key


def test_what_is_said_last_counts() -> None:
    assert Plan.build({"data": "rows.csv", "train.lr": 1e-3, "lr": 1e-4}).train.lr == 1e-4
    assert Plan.build({"data": "rows.csv", "lr": 1e-4, "train.lr": 1e-3}).train.lr == 1e-3


def test_a_path_may_stand_for_its_name() -> None:
    plan = Plan.build({"data": Path("rows.csv"), "test": Path("more") / "test.csv"})
    assert (plan.data.path, plan.data.test) == ("rows.csv", str(Path("more/test.csv")))


def test_a_plan_does_not_change() -> None:
    plan = Plan.build({"data.path": "rows.csv"})
    with pytest.raises(ValidationError, match="frozen"):
        plan.train.lr = 0.1


def test_replaced_settings_are_checked_with_the_others() -> None:
    plan = Plan.build({"data.path": "rows.csv", "text": "body"})

    assert plan.with_settings({"label": "topic"}).data.label == "topic"
    with pytest.raises(PlanError) as error:
        plan.with_settings({"label": "body"})
    assert str(error.value) == "data.text and data.label both name the column 'body'. Name two columns."


# What is refused


def test_a_plan_without_data_is_refused() -> None:
    told = "No data was named. Give the file with your examples: luthier tune reviews.csv"
    with pytest.raises(PlanError) as error:
        Plan.build({"lr": 1e-4})

    assert str(error.value) == told
    assert refusal({"data.path": ""}) == told


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("trian.lr", " Did you mean 'train.lr'?"),
        ("train.learning", " Did you mean 'train.lr'?"),
        ("train.batch-rows", " Did you mean 'train.batch_rows'?"),
        ("epoch", " Did you mean 'epochs'?"),
        ("xyzzy", ""),
    ],
)
def test_an_unknown_setting_is_answered_with_the_nearest_name(key: str, hint: str) -> None:
    assert refusal({key: 1}) == f"There is no setting {key!r}.{hint} `luthier tune --help` lists them all."


def test_a_name_that_two_sections_have_must_say_whose_it_is() -> None:
    assert refusal({"name": "bert"}) == "There is no setting 'name' alone. Write task.name or model.name."


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("train.lr", "fast", "Expected a number or 'find'."),
        ("train.lr", 0, "Expected a number greater than 0 or 'find'."),
        ("train.lr", 1, "Expected a number less than 1 or 'find'."),
        ("train.lr", "nan", "Expected a finite number or 'find'."),
        ("train.epochs", 2000, "Expected a number less than or equal to 1000."),
        ("train.batch_rows", "1.5", "Expected a whole number."),
        ("train.batch_rows", 0, "Expected a number greater than or equal to 1."),
        ("run.seed", -1, "Expected a number greater than or equal to 0."),
        ("run.seed", 2**32, "Expected a number less than 4294967296."),
        ("run.threads", 0, "Expected a number greater than or equal to 1."),
        ("data.test_share", 0, "Expected a number greater than 0."),
        ("data.valid_share", 1, "Expected a number less than 1."),
        ("data.text", "", "Expected a text that is not empty."),
        ("data.text", 3, "Expected a text."),
        ("model.hidden", 3, "Expected a list."),
        ("run.budget", "soon", "Expected a number above zero with s, m or h, as in 90s, 10m or 1.5h."),
        ("run.budget", 0, "Expected a number above zero with s, m or h, as in 90s, 10m or 1.5h."),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_what_does(key: str, value: Any, told: str) -> None:
    assert refusal({key: value}) == f"{key}: {value!r} does not fit. {told}"


def test_each_wrong_width_of_a_list_is_told() -> None:
    assert refusal({"model.hidden": "64,wide,0"}) == (
        "model.hidden: 'wide' does not fit. Expected a whole number.\n"
        "model.hidden: '0' does not fit. Expected a number greater than or equal to 1."
    )


def test_a_choice_that_is_none_is_told_with_those_there_are() -> None:
    assert refusal({"train.schedule": "step"}) == (
        "train.schedule: 'step' is not a choice. Expected 'linear', 'cosine' or 'constant'."
    )


METHODS = (
    "Expected auto, probe, few-shot, full, top:K (the head and K blocks, K from 1), thaw or thaw:E (E epochs a rung), "
    "or lora or lora:R (rank R)."
)


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        ("fulll", " Did you mean 'full'?"),
        ("Full", " Did you mean 'full'?"),
        ("thwa:2", " Did you mean 'thaw'?"),
        ("xyzzy", ""),
        ("top", ""),
        ("top:0", ""),
        ("top:two", ""),
        ("thaw:0", ""),
        ("lora:0", ""),
        ("lroa:8", " Did you mean 'lora'?"),
        ("probe:3", ""),
        ("", ""),
    ],
)
def test_what_is_no_method_is_told_with_those_there_are(method: str, hint: str) -> None:
    assert refusal({"method": method}) == f"train.method: {method!r} does not fit. {METHODS}{hint}"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"text": "body", "label": "body"},
            "data.text and data.label both name the column 'body'. Name two columns.",
        ),
        (
            {"valid_share": 0.5, "test_share": 0.5},
            "data.valid_share 0.5 and data.test_share 0.5 leave no rows to train on. Make their sum smaller than 1.",
        ),
        (
            {"method": "probe", "lr": 1e-4, "epochs": 3},
            "train.lr, train.epochs: no effect with train.method 'probe', which solves for its head exactly. "
            "Leave it out, or choose --method full.",
        ),
        (
            {"method": "probe", "hidden": "64"},
            "model.hidden has no effect with train.method 'probe', whose head is one linear layer. "
            "Leave it out, or choose --method full.",
        ),
        (
            {"head": "shrunk", "hidden": "64"},
            "train.head 'shrunk' is one linear layer and cannot start model.hidden. Choose --head fresh.",
        ),
        (
            {"method": "top:2", "embeddings": "frozen"},
            "train.embeddings 'frozen' changes nothing with train.method 'top:2', which never trains them. "
            "Leave it out, or choose --method full.",
        ),
        (
            {"method": "top:2", "reinit": 3},
            "train.reinit 3 with train.method 'top:2': a block that starts anew would never train. "
            "Make train.reinit at most 2, or choose --method full.",
        ),
    ],
)
def test_settings_that_clash_are_told(settings: dict[str, Any], told: str) -> None:
    assert refusal(settings) == told


@pytest.mark.parametrize(
    "key", [*(key for key in EVERYTHING if key.startswith("train.") and key != "train.method"),
            "model.dropout", "model.body_dropout", "run.save_every"],
)  # fmt: skip
def test_the_probe_refuses_every_setting_of_tuning(key: str) -> None:
    assert refusal({"method": "probe", key: EVERYTHING[key]}) == (
        f"{key}: no effect with train.method 'probe', which solves for its head exactly. "
        "Leave it out, or choose --method full."
    )


def test_the_probe_takes_what_says_the_same_as_leaving_it_out() -> None:
    default = Plan.build({"data": "rows.csv", "method": "probe"})
    assert Plan.build({**default.settings(), "head": "auto", "schedule": "linear"}) == default


def test_shares_do_not_clash_where_a_file_is_given_for_a_part() -> None:
    plan = Plan.build({"data": "rows.csv", "test": "test.csv", "valid_share": 0.9, "test_share": 0.9})
    assert plan.data.valid_share == 0.9


def test_all_problems_are_told_together() -> None:
    assert refusal({"trian.lr": 1, "lr": 5, "metric": "acc", "budget": "soon", "batch_rows": "many"}) == (
        "There is no setting 'trian.lr'. Did you mean 'train.lr'? `luthier tune --help` lists them all.\n"
        "task.metric: 'acc' is not a choice. Expected 'auto', 'accuracy', 'macro_f1', 'f1', 'exact_match', "
        "'spearman', 'pearson', 'r2', 'mrr', 'recall_at_10', 'contains', 'regex_match', 'number_match', 'json_match', "
        "'rouge_l', 'chrf', 'loss', 'perplexity' or 'reward_accuracy'.\n"
        "train.lr: 5 does not fit. Expected a number less than 1 or 'find'.\n"
        "train.batch_rows: 'many' does not fit. Expected a whole number.\n"
        "run.budget: 'soon' does not fit. Expected a number above zero with s, m or h, as in 90s, 10m or 1.5h."
    )


# Its file


def test_the_learning_rate_may_be_found(tmp_path: Path) -> None:
    plan = Plan.build({"data": "rows.csv", "lr": "find"})

    assert plan.train.lr == saved(plan, tmp_path).train.lr == "find"
    assert Plan.build({"data": "rows.csv", "lr": "1e-4"}).train.lr == 1e-4
    assert refusal({"lr": "finder"}) == "train.lr: 'finder' does not fit. Expected a number or 'find'."


@pytest.mark.parametrize("key", ["layer_decay", "embeddings", "reinit", "l2_sp"])
def test_lora_refuses_what_speaks_of_the_weights_it_leaves_alone(key: str) -> None:
    assert refusal({"method": "lora:8", key: EVERYTHING[f"train.{key}"]}) == (
        f"train.{key}: not with train.method 'lora:8', which trains adapters beside weights that stay as they are. "
        "Leave it out, or choose --method full."
    )


@pytest.mark.parametrize(
    "settings", [EVERYTHING, {"data.path": "rows.csv"}], ids=["every field", "data only"]
)
def test_a_saved_plan_is_the_same_plan_but_for_its_place(settings: dict[str, Any], tmp_path: Path) -> None:
    plan = Plan.build(settings)

    again = saved(plan, tmp_path)

    assert again.run.out is None
    assert again == Plan.build({key: value for key, value in settings.items() if key != "run.out"})
    assert again.identity() == plan.identity()


def test_a_saved_plan_keeps_any_name(tmp_path: Path) -> None:
    name = 'Büro "1"\\täglich\n.csv'
    assert saved(Plan.build({"data.path": name}), tmp_path).data.path == name


def test_a_plan_file_may_be_flat_and_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(b'\xef\xbb\xbfdata = "rows.csv"\nlr = 1e-4\nbudget = 90\n[run]\nseed = 3\n')

    plan = Plan.build(read_plan(path))

    assert (plan.data.path, plan.train.lr, plan.budget_seconds, plan.run.seed) == ("rows.csv", 1e-4, 90.0, 3)


def test_misspelt_keys_and_sections_of_a_plan_file_are_answered_with_the_nearest_names(
    tmp_path: Path,
) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('[dta]\npath = "rows.csv"\n[train]\nepoch = 3\nlr = 5\n')

    with pytest.raises(PlanError) as error:
        Plan.build({"data.path": "rows.csv", **read_plan(path)})

    assert str(error.value) == (
        "There is no setting 'dta.path'. Did you mean 'data.path'? `luthier tune --help` lists them all.\n"
        "There is no setting 'train.epoch'. Did you mean 'train.epochs'? `luthier tune --help` lists them all.\n"
        "train.lr: 5 does not fit. Expected a number less than 1 or 'find'."
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"[train]\nlr = \n",
            "is not valid TOML: Invalid value (at line 2, column 6). Correct it there.",
        ),
        (b"[train]\ntext = \xff\n", "is not text in UTF-8, as TOML is. Save it as UTF-8."),
        (None, "there is no such plan file. Every run's folder holds one: plan.toml."),
    ],
)
def test_a_plan_file_that_cannot_be_read_is_told(content: bytes | None, told: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(PlanError) as error:
        read_plan(path)

    assert str(error.value) == f"{path}: {told}"


def test_a_folder_in_place_of_a_plan_file_is_answered_with_the_file_in_it(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as error:
        read_plan(tmp_path)
    assert str(error.value) == f"{tmp_path}: is a folder. Give the plan file itself: {tmp_path / 'plan.toml'}"


# Its columns


@pytest.mark.parametrize(
    "columns", [{"text": "review"}, "text=review", ["text=review"], [("text", "review")]]
)
def test_a_column_that_has_a_field_is_named_by_it_whichever_way_it_is_named(columns: Any) -> None:
    plan = Plan.build({"data.path": "rows.csv", "data.columns": columns})

    assert plan == Plan.build({"data.path": "rows.csv", "data.text": "review"})
    assert plan.data.columns is None
    assert plan.data.column("text") == "review"


def test_a_column_of_another_role_is_kept_by_its_role() -> None:
    plan = Plan.build({"data.path": "rows.csv", "data.columns": ["speaker=who", "audio=a=b", "text=said"]})

    assert plan.settings()["data.columns"] == {"audio": "a=b", "speaker": "who"}
    assert (plan.data.column("audio"), plan.data.column("text"), plan.data.column("label")) == (
        "a=b",
        "said",
        None,
    )


def test_two_columns_for_one_role_are_refused() -> None:
    assert refusal({"data.text": "review", "data.columns": {"text": "title"}}) == (
        "data.text and data.columns name two columns, 'review' and 'title'. Name one."
    )


@pytest.mark.parametrize("columns", ["audio", "=path", "audio=", 4, {"audio": 4}, [["audio"]]])
def test_what_names_no_column_by_its_role_is_refused(columns: Any) -> None:
    assert refusal({"data.columns": columns}) == (
        f"data.columns: {columns!r} does not fit. Expected columns by their role, as in audio=path."
    )


# Its identity


NAMES = (
    "data.path", "data.valid", "data.test", "data.images", "data.general", "data.describe", "data.unlabelled", "data.continues",
    "model.name", "model.base", "train.teacher", "run.out", "data.allow", "data.warm_up", "run.budget", "run.recompute",
    "run.save_every", "run.cache", "run.cache_gb",
)  # fmt: skip
"""Settings that do not decide the result: what files and folders hold counts, not what they are called."""


@pytest.mark.parametrize("key", EVERYTHING)
def test_what_decides_the_result_is_in_the_identity_and_nothing_else(key: str) -> None:
    plan = Plan.build(EVERYTHING)
    without = Plan.build({"data.path": "other.csv", **{k: v for k, v in EVERYTHING.items() if k != key}})
    changed = without != plan

    assert changed or key in ("task.name", "data.label_names")  # there is but one task, and no names here
    assert (without.identity() != plan.identity()) is (changed and key not in NAMES)


def test_a_saved_plan_says_its_version_and_one_of_a_newer_luthier_is_refused_by_it(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    text = Plan.build({"data.path": "rows.csv"}).to_toml()
    path.write_text(text.replace("version = 1\n", ""))
    assert read_plan(path)["data.path"] == "rows.csv"

    assert text.startswith("version = 1\n")
    path.write_text(text.replace("version = 1", "version = 2"))
    with pytest.raises(NewerRecord) as caught:
        read_plan(path)

    assert str(caught.value) == (
        f"{path}: is of version 2, and this luthier reads versions up to 1: a newer luthier wrote it. "
        "Open it with a newer luthier."
    )


KEYS: list[tuple[dict[str, Any], str]] = [
    (
        {"data.path": "rows.csv"},
        "ab60a825df658f88a9119e178290a7feb0c3f4f96aacff903107e9bc59d06296",
    ),
    (
        {"data.path": "rows.csv", "model.name": "bert", "train.method": "full", "train.lr": 0.003, "train.epochs": 4,
         "run.precision": "fp32", "run.threads": 1},
        "f8c95b3e2de2f48e7b6e7b56f20c072fa861675febe7703a58d4bd7be6af6246",
    ),
    (
        {"data.path": "rows.csv", "task.name": "pair-classification", "data.text": "premise", "data.text2": "hypothesis",
         "data.label": "label", "train.method": "lora:4", "model.pair": "cross-encoder"},
        "64b39dcda768685c264f553ba4df3444c15326cf8f259752597477280ea3bc09",
    ),
    (
        {"data.path": "photos", "task.name": "image-classification", "train.method": "thaw", "train.augment": "light",
         "train.flip": 0, "run.seed": 7},
        "782b1747b4803e0ee21d6e3ae1a16c3d386656b91ba7bfcd665af1d1e7b17960",
    ),
    (
        {"data.path": "rows.csv", "train.method": "top:1", "model.hidden": [16, 8], "train.l2_sp": 0.01, "train.ema": 0.9,
         "train.balance": "rows", "data.long": "windows", "data.split_seed": 3},
        "16511464c707c54065cd6695ec6b85b4079a96e77dcfa225c6e28e3d439f7a31",
    ),
]  # fmt: skip
"""Plans and their keys, as luthier of commit 2ad4691 made them. They never change: each is the key of somebody's run."""


@pytest.mark.parametrize(("settings", "key"), KEYS, ids=range(len(KEYS)))
def test_the_key_of_a_plan_is_what_it_always_was(settings: dict[str, Any], key: str) -> None:
    assert Plan.build(settings).identity() == key, (
        "a setting at its default is no part of a key: see plan/key.py"
    )


def test_the_key_of_a_search_is_what_it_always_was() -> None:
    asked = SearchPlan.build(
        {"sampler": "random", "vary": ["train.lr=1e-5..1e-3 log"], "trials": 4, "workers": 2}
    )

    told = deciding("search", asked)

    assert told == {
        "sampler": "random",
        "vary": ["train.lr=1e-5..1e-3 log"],
        "trials": 4,
        "prune": "halving",
        "seeds": None,
    }


class LaterTrain(TrainPlan):
    """The section with a setting that today's runs do not know."""

    wobble: int = 3


class LaterSection(Section):
    """A section that today's runs do not know."""

    colour: str = "blue"


class LaterPlan(Plan):
    """A plan of a later luthier."""

    train: LaterTrain = LaterTrain()
    paint: LaterSection = LaterSection()


def test_a_new_setting_breaks_no_older_run_as_long_as_it_is_left_out() -> None:
    data = {"path": "rows.csv"}
    today = Plan.model_validate({"data": data}).identity()

    def later(**sections: dict[str, Any]) -> str:
        return LaterPlan.model_validate({"data": data, **sections}).identity()

    assert later() == later(train={"wobble": 3}, paint={"colour": "blue"}) == today
    assert len({today, later(train={"wobble": 4}), later(paint={"colour": "red"})}) == 3


@pytest.mark.parametrize("named", [FIRST, BESIDE], ids=["always", "never"])
def test_what_a_key_is_made_of_is_named_as_the_plan_names_it(named: dict[str, str]) -> None:
    known = {**fields(), **{f"search.{name}": None for name in SearchPlan.model_fields}}

    assert [
        one for section, keys in named.items() for one in keys.split() if f"{section}.{one}" not in known
    ] == []


# Methods


@pytest.mark.parametrize(
    ("text", "method", "shortest"),
    [
        ("auto", Auto(), "auto"),
        ("probe", Probe(), "probe"),
        ("full", Full(), "full"),
        ("top:1", Top(1), "top:1"),
        ("top:012", Top(12), "top:12"),
        ("thaw", Thaw(1), "thaw"),
        ("thaw:1", Thaw(1), "thaw"),
        ("thaw:3", Thaw(3), "thaw:3"),
        ("lora", Lora(16), "lora"),
        ("lora:16", Lora(16), "lora"),
        ("lora:8", Lora(8), "lora:8"),
    ],
)
def test_a_method_is_a_word_with_or_without_a_number(text: str, method: Method, shortest: str) -> None:
    plan = Plan.build({"data": "rows.csv", "method": text})

    assert parse_method(text) == method == parse_method(plan.train.method)
    assert plan.train.method == shortest
    assert plan.identity() == Plan.build({"data": "rows.csv", "method": shortest}).identity()


# Durations


@pytest.mark.parametrize(
    ("words", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), ("600", 600), (" 2 m ", 120), ("0.5s", 0.5)]
)  # fmt: skip
def test_a_duration_is_a_number_with_its_unit(words: str, seconds: float) -> None:
    assert seconds_of(words) == seconds


@pytest.mark.parametrize("words", ["", "0", "0m", "-5m", "10 minutes", "1h30m", "m", "1e3", "inf"])
def test_other_words_are_no_duration(words: str) -> None:
    with pytest.raises(ValueError) as error:
        seconds_of(words)
    assert str(error.value) == "a number above zero with s, m or h, as in 90s, 10m or 1.5h"


# Flags


def test_every_field_has_a_flag_of_its_own_and_words_of_help() -> None:
    flags = [flag(key) for key in fields()] + ["--plan", "--set", "--json", "--quiet"]

    assert len(flags) == len(set(flags))
    assert all(info.description and info.description.endswith(".") for info in fields().values())
