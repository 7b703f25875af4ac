"""Runs of language models over odd rows and odd models: predict says what transformers alone says, and sees no answer."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from command import luthier
from kills import run
from luthier.batches.examples import Examples
from luthier.batches.sequences import Sequences
from luthier.candidates import untouched
from luthier.candidates.tuned.budget import Budget
from luthier.errors import DataError, WorldError
from luthier.events import Noted
from luthier.folder.model_folder import ModelFolder, load
from luthier.models.heads.language_model import LanguageHead
from luthier.models.quiet import quiet
from luthier.models.readers.conversations import Conversations
from luthier.models.readers.reading import Reader
from luthier.prepare.prepare import prepare
from luthier.tasks.chat.in_context import Demonstrations
from tiny import write_json
from tiny_chats import chatting, plan_of_chat, talk, talks, turn, write_rows
from tiny_llamas import llama, pieces

pytestmark = pytest.mark.slow

Make = Callable[[Path], Path]


def lacking(*tokens: str, template: bool = True) -> Make:
    """A tiny llama whose tokenizer lacks some tokens, or its chat template."""

    def make(path: Path) -> Path:
        chatting(path)
        for name in ("tokenizer_config.json", "config.json"):
            told = json.loads((path / name).read_text())
            write_json(path / name, {key: told[key] for key in told if key.removesuffix("_id") not in tokens})
        if not template:
            (path / "chat_template.jinja").unlink()
        return path

    return make


MODELS: dict[str, Make] = {
    "as usual": chatting,
    "without a padding token": lacking("pad_token"),
    "without a token that begins texts": lacking("bos_token"),
    "without a chat template": lacking(template=False),
    "without any of these": lacking("pad_token", "bos_token", template=False),
    "with an output layer of its own": lambda path: chatting(path, tie_word_embeddings=False),
    "with pieces that begin each text with a token": lambda path: llama(path, pieces()),
}


@pytest.fixture(scope="module", params=MODELS)
def tuned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    folder = tmp_path_factory.mktemp("runs")
    model = MODELS[request.param](folder / "llama")
    rows = write_rows(folder / "a.jsonl", talks(60))
    run(plan_of_chat(rows, model, folder / "run", **{"train.epochs": 4}))
    return load(folder / "run")


QUESTIONS = [row["messages"][0]["content"] for row in talks(20)]


def written_by(model: Any, tokenizer: Any) -> list[str]:
    """What transformers writes to the questions, as their documentation says."""
    found = []
    for question in QUESTIONS:
        asked = tokenizer.apply_chat_template(
            [turn("user", question)], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.no_grad():
            out = model.generate(**{key: asked[key] for key in ("input_ids", "attention_mask")})
        text = tokenizer.decode(out[0, asked["input_ids"].shape[1] :], clean_up_tokenization_spaces=False)
        found.append(text.split(tokenizer.decode(ends(model)[:1]))[0])
    return found


def ends(model: Any) -> list[int]:
    told = model.generation_config.eos_token_id
    return [told] if isinstance(told, int) else list(told)


def test_predict_writes_what_transformers_writes_from_the_model_s_folder(tuned: ModelFolder) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet():
        model = AutoModelForCausalLM.from_pretrained(tuned.model_path)
        tokenizer = AutoTokenizer.from_pretrained(tuned.model_path)

    assert tuned.predict(QUESTIONS).labels == written_by(model, tokenizer)


def test_an_adapter_on_its_base_writes_in_peft_what_predict_writes(tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    rows = write_rows(tmp_path / "a.jsonl", talks(60))
    base = chatting(tmp_path / "llama")
    run(
        plan_of_chat(
            rows, base, tmp_path / "run", **{"train.method": "lora:4", "train.epochs": 4, "train.lr": 1e-2}
        )
    )
    with quiet():
        plain = AutoModelForCausalLM.from_pretrained(base)
        whole = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "model")
        plain.generation_config = whole.generation_config
        model = PeftModel.from_pretrained(plain, tmp_path / "run" / "adapter")
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / "run" / "model")

    found = load(tmp_path / "run").predict(QUESTIONS).labels

    assert found == written_by(model, tokenizer)
    with model.disable_adapter():
        assert found != written_by(model, tokenizer)


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    folder = tmp_path_factory.mktemp("chat")
    rows = write_rows(folder / "a.jsonl", talks(60))
    run(plan_of_chat(rows, chatting(folder / "llama"), folder / "run", **{"train.epochs": 8}))
    return load(folder / "run")


ASKED = turn("user", "Say amber and birch.")


@pytest.mark.parametrize(
    "row",
    [
        [ASKED],
        [ASKED, turn("assistant", "Never to be seen.")],
        {"messages": [ASKED]},
        {"messages": [ASKED, turn("assistant", "Never to be seen.")]},
        {"prompt": "Say amber and birch."},
        {"prompt": "Say amber and birch.", "completion": "Never to be seen."},
        {"prompt": [ASKED]},
    ],
)
def test_a_row_is_answered_the_same_however_it_is_given_and_whatever_answer_it_has(
    row: Any, chat: ModelFolder
) -> None:
    assert chat.predict([row]).rows == chat.predict("Say amber and birch.").rows


def prompt_of(folder: ModelFolder, *turns: Any) -> str:
    """What the model reads of a row before it answers."""
    examples = folder.examples([folder.form.row(list(turns), "row 0")])
    return decoded(folder.reader, sequences(examples).prompt(0))


def sequences(examples: Examples) -> Sequences:
    assert isinstance(examples, Sequences)
    return examples


def decoded(reader: Reader, ids: Any) -> str:
    assert isinstance(reader, Conversations)
    return str(reader.texts.tokenizer.decode(ids))


def test_only_the_last_answer_is_written_anew_and_earlier_ones_are_seen(chat: ModelFolder) -> None:
    earlier = [ASKED, turn("assistant", "amber birch"), turn("user", "Say dune and ember.")]
    other = [ASKED, turn("assistant", "frost heath grove"), turn("user", "Say dune and ember.")]

    assert prompt_of(chat, *earlier) != prompt_of(chat, *other)
    assert chat.predict([[*earlier, turn("assistant", "x")]]).rows == chat.predict([earlier]).rows


def test_a_system_turn_of_a_row_s_own_is_read(chat: ModelFolder) -> None:
    system = turn("system", "Answer at length, and in French.")

    assert "Answer at length, and in French." in prompt_of(chat, system, ASKED)


def test_what_is_said_in_place_of_a_missing_system_turn_is_said_by_predict_too(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "a.jsonl", talks(60))
    run(plan_of_chat(rows, chatting(tmp_path / "llama"), tmp_path / "run", **{"task.system": "Two words."}))
    folder = load(tmp_path / "run")

    assert prompt_of(folder, ASKED).count("Two words.") == 1
    assert "Two words." not in prompt_of(folder, turn("system", "Three."), ASKED)


def test_lines_keep_the_order_of_a_file_and_rows_without_a_question_are_null(
    chat: ModelFolder, tmp_path: Path
) -> None:
    rows = [*talks(3), {"messages": []}, {"messages": [turn("user", " ")]}, *talks(5)[3:]]

    ended = luthier("predict", chat.path, write_rows(tmp_path / "new.jsonl", rows))

    lines = [json.loads(line) for line in ended.out.splitlines()]
    texts = iter(chat.predict([row["messages"][0]["content"] for row in talks(5)]).labels)
    assert [line["row"] for line in lines] == list(range(7))
    assert [line["text"] for line in lines] == [None if at in (3, 4) else next(texts) for at in range(7)], (
        ended
    )
    assert ended.err == "2 of 7 rows have nothing to read: their answer is null.\n"


def test_a_row_that_the_template_refuses_is_told_by_its_place(tmp_path: Path) -> None:
    model = chatting(tmp_path / "llama")
    template = (model / "chat_template.jinja").read_text()
    strict = (
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Roles must alternate.') }}{% endif %}{% endfor %}"
    )
    (model / "chat_template.jinja").write_text(strict + template)
    run(plan_of_chat(write_rows(tmp_path / "a.jsonl", talks(40)), model, tmp_path / "run"))
    said = (
        "The chat template refuses a conversation: 'Roles must alternate'. The roles of its turns are 'user', 'user'. Bring the "
        "turns into the order that the template wants, or choose another template."
    )

    with pytest.raises(DataError) as error:
        load(tmp_path / "run").predict(["Hello.", [ASKED, ASKED]])
    new = write_rows(tmp_path / "new.jsonl", [*talks(2), {"messages": [ASKED, ASKED]}])
    ended = luthier("predict", tmp_path / "run", new)

    assert str(error.value) == f"row 1: {said}"
    assert (ended.code, ended.err) == (2, f"new.jsonl, line 3: {said}\n")


# Odd rows


ODD: dict[str, list[Any]] = {
    "eight rows": talks(8),
    "one answer to all": [talk(f"Say {number}.", "yes") for number in range(40)],
    "one token to each": [talk(f"Say {number}.", "ab"[number % 2]) for number in range(200)],
    "the same rows again": talks(20) * 3,
    "signs of many scripts": [
        talk(f"Grüße 你好 🎸 é {n}", f"日本語 {n} 👩\u200d👩\u200d👧") for n in range(40)
    ],
    "a last turn of the user": [
        {"messages": [*row["messages"], turn("user", "Thank you.")]} for row in talks(40)
    ],
}


@pytest.mark.parametrize("case", ODD)
def test_odd_rows_are_learnt_from(case: str, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "a.jsonl", ODD[case])

    run(plan_of_chat(rows, chatting(tmp_path / "llama"), tmp_path / "run", **{"data.allow": ("leaks",)}))

    card = json.loads((tmp_path / "run" / "scorecard.json").read_text())
    assert sum(card["rows"].values()) == len(ODD[case])
    assert isinstance(load(tmp_path / "run").predict("Say it.").labels[0], str)


@pytest.mark.parametrize(
    ("turns", "learnt"), [("answers", ["1", "1", "1"]), ("last", ["1"])], ids=["answers", "last"]
)
def test_of_several_turns_those_are_learnt_that_are_asked_for(
    turns: str, learnt: list[str], tmp_path: Path
) -> None:
    rows = [
        {"messages": [turn(*pair) for pair in (("user", f"Say {number}."), ("assistant", "1")) * 3]}
        for number in range(40)
    ]
    model = chatting(tmp_path / "llama")
    plan = plan_of_chat(
        write_rows(tmp_path / "a.jsonl", rows), model, tmp_path / "run", **{"task.turns": turns}
    )
    ready = prepare(plan)
    examples = sequences(ready.examples["train"])

    own = examples.ids[examples.trained & (np.arange(examples.ends[-1]) < examples.ends[1])]

    assert decoded(ready.base.reader, own).split("<|im_end|>")[:-1] == learnt


def test_examples_stand_only_before_rows_that_are_not_cut_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = [
        talk(f"Say {number}. {'word ' * 110 if number % 4 == 0 else ''}", "yes") for number in range(60)
    ]
    rows = write_rows(tmp_path / "a.jsonl", filled)
    seen: list[Any] = []
    before = Demonstrations.before

    def watched(self: Demonstrations, shown: Any, row: Any) -> Any:
        seen.append(row)
        return before(self, shown, row)

    monkeypatch.setattr(Demonstrations, "before", watched)

    events = run(
        plan_of_chat(rows, chatting(tmp_path / "llama", max_position_embeddings=384), tmp_path / "run")
    )

    card = json.loads((tmp_path / "run" / "scorecard.json").read_text())
    assert seen
    assert all("word" not in row.turns[0]["content"] for row in seen)
    assert "few-examples" in [one["name"] for one in card["candidates"]]
    assert not [event for event in events if isinstance(event, Noted) and "cut off" in event.text]


def test_a_full_disk_ends_a_run_with_what_to_do_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, model = write_rows(tmp_path / "a.jsonl", talks(40)), chatting(tmp_path / "llama")
    plan = plan_of_chat(rows, model, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(LanguageHead, "save", no_space)
        with pytest.raises(WorldError) as error:
            run(plan)
    run(plan)

    assert "the disk is full" in str(error.value)
    assert load(tmp_path / "run").predict("Say it.").labels


def no_space(*given: Any, **named: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_answer_may_be_as_long_as_the_longest_that_is_learnt_wherever_it_stands(tmp_path: Path) -> None:
    long = " ".join(["amber birch cedar"] * 5)
    rows = [
        {
            "messages": [
                turn("user", f"Say it {at}."),
                turn("assistant", long),
                turn("user", "And?"),
                turn("assistant", "no"),
            ]
        }
        for at in range(40)
    ]
    data = write_rows(tmp_path / "a.jsonl", rows)

    run(plan_of_chat(data, chatting(tmp_path / "llama"), tmp_path / "run"))

    settings = json.loads((tmp_path / "run/model/generation_config.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "run/model")
    assert settings["max_new_tokens"] > len(tokenizer(long)["input_ids"])


def test_time_that_ends_before_the_first_validation_still_gives_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Budget, "over", lambda budget: "budget")
    data, model = write_rows(tmp_path / "a.jsonl", talks(60)), chatting(tmp_path / "llama")

    run(plan_of_chat(data, model, tmp_path / "run", **{"run.budget": "1h"}))

    learnt = json.loads((tmp_path / "run/scorecard.json").read_text())["tuning"]["tuned"]
    assert (learnt["steps"], learnt["best_step"], learnt["why"]) == (1, 1, "budget")


def test_examples_in_the_prompt_take_at_most_half_of_a_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(untouched, "SHARE_OF_BUDGET", 0.0)
    data, model = (
        write_rows(tmp_path / "a.jsonl", talks(60)),
        chatting(tmp_path / "llama", max_position_embeddings=512),
    )

    events = run(plan_of_chat(data, model, tmp_path / "run", **{"run.budget": "1h"}))

    told = [
        event.text for event in events if isinstance(event, Noted) and event.text.startswith("few-examples")
    ]
    assert len(told) == 1
    assert "of a budget of 3,600 s, half of which is left to training." in told[0]
    candidates = json.loads((tmp_path / "run/scorecard.json").read_text())["candidates"]
    assert [one["name"] for one in candidates] == ["untouched", "tuned"]
