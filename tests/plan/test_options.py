"""Every option of the plan changes something that can be seen: one test goes through all of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cut_short import DIVIDED, LEARNT, until
from kills import card_of
from luthier.batches.passages import Gold
from luthier.errors import LuthierError
from luthier.folder.trust import ARRAYS
from luthier.hashes import hash_file
from luthier.plan.plan import Plan, fields
from luthier.prepare.data_files import read_files
from luthier.prepare.task_columns import kind_of, needed_columns
from luthier.steps.tune import tune
from luthier.tasks.question_answering.spans import Said, Spans
from luthier.tasks.question_answering.task import QuestionAnswering
from tiny import TINY, TINY_IMAGES, images_folder, messages, write_jsonl
from tiny_llamas import byte_level, llama

pytestmark = pytest.mark.slow

Seen = dict[str, Any]


def rows_csv(path: Path, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    """80 messages, each by one of nine people, some of them long, one label rare; a second text and a second label."""
    lines = [delimiter.join(("text", "label", "person", "other", "kind"))]
    for row, (text, label) in enumerate(messages(80, labels=3)):
        if label == "praise" and row % 4:
            label = "refund"
        text = " ".join([text.replace(",", "")] * (6 if row % 7 == 0 else 1))
        lines.append(delimiter.join((text, label, str(row % 9), text[::-1], label[0])))
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("options")
    rows_csv(folder / "rows.csv")
    rows_csv(folder / "semicolons.csv", ";")
    rows_csv(folder / "latin.csv", encoding="cp1252")
    (folder / "held.csv").write_text(
        "text,label,person,other,kind\n"
        + "".join(f"{text},{label},1,x,y\n" for text, label in messages(20, seed=5, labels=2))
    )
    for name in ("bert", "roberta"):
        TINY[name](folder / name)
    return folder


def look(place: Path, out: str, step: str = "", **changed: Any) -> Seen:
    """Run a plan; what a user sees of it: the folder's records, the weights, the messages. step: the one at whose beginning it is
    left, when not all of this is there yet; none: it runs to its end."""
    settings: dict[str, Any] = {
        "data.path": place / "rows.csv", "data.text": "text", "data.label": "label", "data.long": "cut",
        "model.name": place / "bert", "train.method": "full", "train.epochs": 2, "train.batch_rows": 8,
        "train.lr": 1e-3, "run.device": "cpu", "run.precision": "fp32", "run.out": place / out,
        "run.cache": place / "cache",
    }  # fmt: skip
    settings |= {key.replace("__", "."): value for key, value in changed.items()}
    settings = {key: value for key, value in settings.items() if value is not None}
    events: list[str] = []
    folder = Path(settings["run.out"])
    plan = Plan.build(settings)
    try:
        events.extend(event.line() for event in (until(step, plan) if step else tune(plan)))
    except LuthierError as error:
        return {"refused": str(error)}
    weights = [path for path in sorted((folder / "model").rglob("*.safetensors")) if path.name != ARRAYS]
    stopped = [told for told in map(json.loads, events) if told["event"] == "stopped"]
    return {
        **({} if step else scored(folder)),
        "weights": [hash_file(path) for path in weights],
        "table": (folder / "table.json").read_text(),
        "split": (folder / "split.json").read_text(),
        "validations": sum('"event": "validated"' in event for event in events),
        "stopped": [(told["step"], told["why"]) for told in stopped],
        "cached": sorted(path.name for path in Path(settings["run.cache"]).glob("*.states")),
        "out": folder.name,
    }


def scored(folder: Path) -> Seen:
    """What is seen of a finished run's scorecard."""
    card = card_of(folder)
    return {"scorecard": json.dumps(card), "machine": card["machine"]}


@pytest.fixture(scope="module")
def plain(place: Path) -> Seen:
    return look(place, "plain")


WEIGHTS, SCORECARD, SPLIT, TABLE = "weights", "scorecard", "split", "table"
THERE_AT = {
    TABLE: DIVIDED,
    SPLIT: DIVIDED,
    WEIGHTS: LEARNT,
    "validations": LEARNT,
    "stopped": LEARNT,
    "cached": LEARNT,
    "out": DIVIDED,
}
"""The step at whose beginning something is there to be seen; all else when a run has ended."""

CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "data.path": ({"data__path": "held.csv"}, TABLE),
    "data.valid": ({"data__valid": "held.csv"}, TABLE),
    "data.test": ({"data__test": "held.csv"}, TABLE),
    "data.text": ({"data__text": "other"}, WEIGHTS),
    "data.label": ({"data__label": "kind"}, SCORECARD),
    "data.group": ({"data__group": "person"}, SPLIT),
    "data.encoding": ({"data__encoding": "utf-16"}, "refused"),
    "data.delimiter": ({"data__delimiter": ";"}, "refused"),
    "data.valid_share": ({"data__valid_share": 0.3}, SPLIT),
    "data.test_share": ({"data__test_share": 0.3}, SPLIT),
    "data.calibration_share": ({"data__calibration_share": 0.3}, SPLIT),
    "data.split_seed": ({"data__split_seed": 3}, SPLIT),
    "data.long": ({"data__long": "windows"}, WEIGHTS),
    "task.labels_per_row": ({"task__labels_per_row": "many"}, SCORECARD),
    "task.metric": ({"task__metric": "macro_f1"}, SCORECARD),
    "model.name": ({"model__name": "roberta"}, WEIGHTS),
    "model.pooling": ({"model__pooling": "max"}, WEIGHTS),
    "model.hidden": ({"model__hidden": "16"}, WEIGHTS),
    "model.dropout": ({"model__dropout": 0.5}, WEIGHTS),
    "model.body_dropout": ({"model__body_dropout": 0.4}, WEIGHTS),
    "train.method": ({"train__method": "top:1"}, WEIGHTS),
    "train.lr": ({"train__lr": "find"}, WEIGHTS),
    "train.epochs": ({"train__epochs": 1}, WEIGHTS),
    "train.batch_rows": ({"train__batch_rows": 16}, WEIGHTS),
    "train.layer_decay": ({"train__layer_decay": 0.5}, WEIGHTS),
    "train.head_rate": ({"train__head_rate": 5.0}, WEIGHTS),
    "train.embeddings": ({"train__embeddings": "frozen"}, WEIGHTS),
    "train.reinit": ({"train__reinit": 1}, WEIGHTS),
    "train.schedule": ({"train__schedule": "constant"}, WEIGHTS),
    "train.label_smoothing": ({"train__label_smoothing": 0.2}, WEIGHTS),
    "train.balance": ({"train__balance": "loss"}, WEIGHTS),
    "train.keep": ({"train__keep": "off"}, SCORECARD),
    "train.distill": ({"train__distill": 5.0}, WEIGHTS),
    "train.l2_sp": ({"train__l2_sp": 10.0}, WEIGHTS),
    "train.ema": ({"train__ema": 0.9}, WEIGHTS),
    "train.weight_decay": ({"train__weight_decay": 0.5}, WEIGHTS),
    "train.warmup": ({"train__warmup": 0.8}, WEIGHTS),
    "train.max_norm": ({"train__max_norm": 0.01}, WEIGHTS),
    "train.head": ({"train__head": "fresh"}, WEIGHTS),
    "train.validations": ({"train__validations": 4}, "validations"),
    "train.patience": ({"train__patience": 1, "train__epochs": 30, "train__lr": 1e-6}, "stopped"),
    "compare.scratch": ({"compare__scratch": "on"}, SCORECARD),
    "run.out": ({}, "out"),
    "run.seed": ({"run__seed": 1}, WEIGHTS),
    "run.budget": ({"run__budget": "1s"}, "refused or stopped"),
    "run.device": ({"run__device": "cuda"}, "refused"),
    "run.precision": ({"run__precision": "bf16"}, WEIGHTS),
    "run.threads": ({"run__threads": 2}, "machine"),
    "run.micro_tokens": ({"run__micro_tokens": 40}, WEIGHTS),
    "run.cache": (
        {"train__method": "top:1", "run__cache": "cache-elsewhere"},
        "cached",
    ),  # the plain run caches nothing
}
"""Each field: what is changed, and what must look otherwise than in a run without it."""

APART = {
    "data.allow": "test_leaks_stop_a_run_unless_they_are_allowed",
    "task.name": "tests/test_contract.py",
    "task.language": "test_answers_are_compared_in_their_language",
    "task.turns": "test_settings_of_chat_change_what_is_learnt",
    "task.system": "test_settings_of_chat_change_what_is_learnt",
    "task.max_tokens": "test_settings_of_chat_change_what_is_learnt",
    "task.pattern": "test_settings_of_chat_change_what_is_learnt",
    "task.verify": "test_a_model_that_learns_from_its_own_answers_learns_other_things",
    "train.rounds": "test_a_model_that_learns_from_its_own_answers_learns_other_things",
    "train.samples": "test_a_model_that_learns_from_its_own_answers_learns_other_things",
    "task.objective": "tests/tasks/test_preference.py",
    "task.beta": "tests/tasks/test_preference.py",
    "data.columns": "tests/forms/test_forms.py",
    "data.text2": "test_the_columns_of_other_tasks_change_what_is_read",
    "data.warm_up": "tests/tasks/test_question_task.py",
    "data.quoting": "tests/data/test_quoting.py",
    "data.split_column": "tests/data/test_split_column.py",
    "data.decimal": "tests/data/test_numerals.py",
    "data.missing": "tests/prepare/test_missing.py",
    "train.replay": "tests/train/test_beside.py",
    "train.teacher": "tests/steps/test_distilled.py",
    "data.images": "tests/data/test_image_folder.py",
    "data.continues": "tests/steps/test_continued.py",
    "data.general": "tests/candidates/test_keeping.py",
    "data.validation": "tests/candidates/test_few_shot.py",
    "data.unlabelled": "tests/candidates/test_adapting.py",
    "data.describe": "tests/steps/test_named.py",
    "data.label_names": "tests/steps/test_named.py",
    "train.cloze": "tests/tasks/test_question_task.py",
    "train.adapter": "tests/models/test_lora.py",
    "train.adapter_alpha": "tests/models/test_lora.py",
    "train.adapter_b_rate": "tests/models/test_lora.py",
    "data.negative": "test_the_columns_of_other_tasks_change_what_is_read",
    "data.question": "test_the_columns_of_other_tasks_change_what_is_read",
    "data.image": "test_the_columns_of_other_tasks_change_what_is_read",
    "model.base": "tests/models/test_adapters.py",
    "model.pair": "tests/tasks/test_regression_task.py",
    "train.augment": "test_settings_of_images_change_the_weights",
    "train.flip": "test_settings_of_images_change_the_weights",
    "train.mix": "test_settings_of_images_change_the_weights",
    "train.batch_norm": "test_settings_of_images_change_the_weights",
    "run.recompute": "tests/models/test_recompute.py",
    "run.cache_gb": "test_no_room_in_the_cache_means_no_states",
    "run.save_every": "test_states_are_saved_as_often_as_asked",
}
"""Fields with a test of their own below, or nothing to change yet."""

FILES = ("data__path", "data__valid", "data__test", "model__name", "run__cache")


def test_the_same_plan_looks_the_same_again(place: Path, plain: Seen) -> None:
    """Or a change would be seen whatever was changed."""
    again = look(place, "again")

    assert {name: value for name, value in again.items() if value != plain[name]} == {"out": "again"}


def test_no_field_is_forgotten_here() -> None:
    assert sorted({*CHANGES, *APART}) == sorted(fields())


@pytest.mark.parametrize("key", CHANGES)
def test_every_option_changes_something_that_can_be_seen(key: str, place: Path, plain: Seen) -> None:
    changed, what = CHANGES[key]
    settings = {name: place / value if name in FILES else value for name, value in changed.items()}

    found = look(place, f"changed-{key}", THERE_AT.get(what, ""), **settings)

    if what == "refused":
        assert "refused" not in plain
        assert found["refused"]
    elif what == "refused or stopped":
        assert found.get("refused") or found["stopped"][-1][1] == "budget"
    else:
        assert found[what] != plain[what]


def test_no_room_in_the_cache_means_no_states(place: Path) -> None:
    with_room = look(place, "room", LEARNT, train__method="top:1", run__cache=place / "cache-room")
    without = look(
        place, "no-room", LEARNT, train__method="top:1", run__cache=place / "cache-none", run__cache_gb=0
    )

    assert len(with_room["cached"]) == 2, "one of the training rows, one of the validation rows"
    assert without["cached"] == []


def test_states_are_saved_as_often_as_asked(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from luthier.train.checkpoints import Checkpoints

    saved: list[int] = []
    save: Callable[..., None] = Checkpoints.save

    def watched(self: Checkpoints, state: Any, back_to: int = 0) -> None:
        saved.append(state.step)
        save(self, state, back_to)

    monkeypatch.setattr(Checkpoints, "save", watched)
    seldom = look(place, "seldom", LEARNT, run__save_every="1h")
    often_from = len(saved)
    often = look(place, "often", LEARNT, run__save_every="0.001s")

    assert saved[:often_from] == [0]
    assert len(saved) - often_from > 5
    assert seldom["weights"] == often["weights"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    images_folder(folder / "photos", 40)
    TINY_IMAGES["mobilenet_v2"](folder / "mobilenet")
    return folder


IMAGES: dict[str, dict[str, Any]] = {
    "train.augment": {"train__augment": "strong"},
    "train.flip": {"train__flip": 1.0},
    "train.mix": {"train__mix": "mixup"},
    "train.batch_norm": {"train__batch_norm": "live"},
}


def image_weights(images: Path, out: str, **changed: Any) -> list[str]:
    """The hashes of the weights of a model that was tuned on images."""
    settings: dict[str, Any] = {
        "data.path": images / "photos", "model.name": images / "mobilenet", "train.method": "full",
        "train.epochs": 1, "train.lr": 1e-3, "run.precision": "fp32", "run.out": images / out,
    }  # fmt: skip
    settings |= {name.replace("__", "."): value for name, value in changed.items()}
    for _ in until(LEARNT, Plan.build(settings)):
        pass
    return [hash_file(path) for path in sorted((images / out / "model").rglob("*.safetensors"))]


@pytest.fixture(scope="module")
def plain_image_weights(images: Path) -> list[str]:
    return image_weights(images, "plain")


@pytest.mark.parametrize("key", IMAGES)
def test_settings_of_images_change_the_weights(
    key: str, images: Path, plain_image_weights: list[str]
) -> None:
    found = image_weights(images, f"run-{key}", **IMAGES[key])

    assert found
    assert found != plain_image_weights


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Conversations of four turns, those of two in which half of the answers are numbers, and a tiny model."""
    folder = tmp_path_factory.mktemp("talks")
    llama(folder / "llama", byte_level(), max_position_embeddings=512)
    said = [(text, "Which one?", text[::-1], label) for text, label in messages(40, labels=2)]
    long = [[{"role": role, "content": one} for role, one in zip(ROLES, four, strict=True)] for four in said]
    write_jsonl(folder / "long.jsonl", [{"messages": turns} for turns in long])
    short = [
        {"prompt": text, "completion": "1" if label == "delivery" else "yes"}
        for text, label in messages(40, labels=2)
    ]
    write_jsonl(folder / "short.jsonl", short)
    return folder


ROLES = ("user", "assistant") * 2


def chat(talks: Path, data: str, step: str = "", **changed: Any) -> Seen:
    """What is seen of a run over conversations. step: as `look` takes it."""
    quick = {
        "task__name": "chat",
        "data__text": None,
        "data__label": None,
        "model__name": talks / "llama",
        "train__epochs": 1,
    }
    out = f"run-{len(list(talks.glob('run-*')))}"
    return look(talks, out, step, **{**quick, "data__path": talks / data, **changed})


@pytest.fixture(scope="module")
def plain_chat(talks: Path) -> Seen:
    return chat(talks, "long.jsonl")


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"task__turns": "last"}, WEIGHTS),
        ({"task__turns": "all"}, WEIGHTS),
        ({"task__system": "Be brief."}, WEIGHTS),
        ({"task__max_tokens": 20}, SCORECARD),
        ({"task__metric": "regex_match", "task__pattern": "e"}, SCORECARD),
    ],
)
def test_settings_of_chat_change_what_is_learnt(
    changed: dict[str, Any], what: str, talks: Path, plain_chat: Seen
) -> None:
    assert chat(talks, "long.jsonl", THERE_AT.get(what, ""), **changed)[what] != plain_chat[what]


def test_a_model_that_learns_from_its_own_answers_learns_other_things(
    talks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun with one that has learnt to answer at all; each round goes on, however few prompts teach anything."""
    monkeypatch.setattr("luthier.candidates.tuned.verified.MOST", 1.0)
    tuned = chat(talks, "short.jsonl", train__epochs=8, train__lr=3e-3)
    on: dict[str, Any] = {
        "model__name": talks / str(tuned["out"]),
        "task__verify": "exact_match",
        "task__metric": "exact_match",
    }

    plain, verified, one_round, more = (
        chat(talks, "short.jsonl", **{"model__name": on["model__name"], **more})
        for more in ({}, on, on | {"train__rounds": 1}, on | {"train__samples": 9})
    )

    assert len({str(one[WEIGHTS]) for one in (plain, verified, more)}) == 3
    assert len({str(one[SCORECARD]) for one in (plain, verified, one_round, more)}) == 4


def read_as(folder: Path, row: dict[str, Any], **settings: Any) -> dict[str, str]:
    """The columns of a table of such rows, as a plan finds them."""
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for _ in range(12)))
    plan = Plan.build({"data.path": path, **settings})
    table = read_files(plan)["train"]
    return needed_columns(plan, table, kind_of(plan, table)[0]).columns


@pytest.mark.parametrize(
    ("key", "role"),
    [
        ("data.text2", "text2"),
        ("data.negative", "negative"),
        ("data.question", "question"),
        ("data.image", "image"),
    ],
)
def test_the_columns_of_other_tasks_change_what_is_read(key: str, role: str, tmp_path: Path) -> None:
    row = {
        "anchor": "a", "positive": "b", "negative": "c", "question": "d", "context": "e", "answers": "e", "photo": "f.jpg",
        "text": "g", "label": "h", "other": "i.jpg",
    }  # fmt: skip
    task = {
        "text2": "embedding",
        "negative": "embedding",
        "question": "question-answering",
        "image": "image-classification",
    }

    found = read_as(tmp_path, row, **{"task.name": task[role], key: "other"})

    assert found[role] == "other"
    assert read_as(tmp_path, row, **{"task.name": task[role]})[role] != "other"


def test_answers_are_compared_in_their_language() -> None:
    said, gold = Spans((), (Said("das Haus", 0, 8),)), np.array([Gold(("Haus",), (4,))], object)

    assert QuestionAnswering("exact_match", "de").score(said, gold) == 1.0
    assert QuestionAnswering("exact_match", "en").score(said, gold) == 0.0
