"""What is wrong with conversations, their templates or their model ends with one message, exit code 2, and nothing written;
single rows that teach nothing are left out, counted and named."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from command import Ended, luthier
from luthier.folder.model_folder import load
from luthier.prepare.prepare import prepare
from tiny_chats import chatting, plan_of_chat, talk, talks, turn, write_rows
from tiny_gguf import tiny_llama, write_gguf
from tiny_llamas import CHATML

pytestmark = pytest.mark.slow

QUICK = ("--method", "full", "--epochs", 1, "--precision", "fp32", "--threads", 1, "--out", "run")
LONG = "word " * 300
SHORTER = "Shorten the prompts, or name a model with --model that reads more"


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chatting(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refusal(here: Path, decoder: Path) -> Callable[..., str]:
    """What `luthier tune` says of rows or a model that it refuses."""

    def told(rows: Sequence[Any], model: object = decoder, *words: object) -> str:
        data = write_rows(Path("a.jsonl"), rows)
        before = set(Path().rglob("*"))
        ended = luthier("tune", data, "--model", model, "--quiet", *QUICK, *words)
        assert (ended.code, ended.out) == (2, ""), ended.err
        assert set(Path().rglob("*")) == before
        return ended.err.removesuffix("\n")

    return told


@pytest.fixture
def with_template(here: Path, decoder: Path) -> Callable[[str], Path]:
    """The tiny llama with another chat template."""

    def made(template: str) -> Path:
        folder = Path("other")
        shutil.copytree(decoder, folder)
        (folder / "chat_template.jinja").write_text(template)
        return folder

    return made


@pytest.fixture
def with_settings(here: Path, decoder: Path) -> Callable[..., Path]:
    """The tiny llama with other values in one of its files."""

    def made(file: str, **values: object) -> Path:
        folder = Path("other")
        shutil.copytree(decoder, folder, dirs_exist_ok=True)
        path = folder / file
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(known | values))
        return folder

    return made


# Rows that are left out


def tuned(rows: Sequence[Any], model: Path) -> Ended:
    return luthier("tune", write_rows(Path("a.jsonl"), rows), "--model", model, *QUICK)


def understood(rows: Sequence[Any], model: Path) -> dict[str, Any]:
    data = write_rows(Path("a.jsonl"), rows)
    return prepare(plan_of_chat(data, model, Path("run"))).rows.understanding.to_json()


def test_an_empty_answer_and_a_row_without_messages_are_left_out_and_named(here: Path, decoder: Path) -> None:
    ended = tuned([*talks(40), {"messages": []}, talk("Say it.", " ")], decoder)

    assert ended.code == 0
    assert "1 row with no messages: a.jsonl, line 41. Left out." in ended.err
    assert (
        "1 row with no answer: a.jsonl, line 42 (turn 2 is the assistant's and empty). Left out." in ended.err
    )


def test_a_prompt_longer_than_the_model_reads_is_left_out_of_its_part_and_named(
    here: Path, decoder: Path
) -> None:
    rows = [*talks(40), talk(LONG, "amber"), talk(f"Say it. {LONG}", "birch")]

    ended = tuned(rows, decoder)

    reason = "a prompt longer than the 256 tokens that the model reads"
    assert ended.code == 0
    places = "a.jsonl, line 41 (921 tokens) and a.jsonl, line 42 (925 tokens)"
    assert f"2 rows with {reason}: {places}. Left out." in ended.err
    card = json.loads(Path("run/scorecard.json").read_text())
    assert (sum(card["rows"].values()), card["left_out"]) == (40, {reason: 2})
    written = [json.loads(line) for line in Path("run/predictions/test.jsonl").read_text().splitlines()]
    assert len(written) == card["rows"]["test"]
    findings = json.loads(Path("run/findings.json").read_text())
    assert [[row["row"] for row in one["rows"]] for one in findings if reason in one["message"]] == [[41, 42]]
    told = understood(rows, decoder)
    assert (told["rows"], told["left_out"], told["left_out_by"]) == (40, 2, {reason: 2})
    assert sum(told["parts"].values()) == 40


def test_a_row_of_which_only_the_answer_is_cut_is_learnt_from_and_told(here: Path, decoder: Path) -> None:
    ended = tuned([*talks(40), talk("Say it.", LONG)], decoder)

    assert ended.code == 0
    assert "1 row has more than 256 tokens: 665 tokens are cut off, 664 of them to be learnt." in ended.err
    assert json.loads(Path("run/scorecard.json").read_text())["left_out"] == {}


def test_more_than_a_tenth_of_such_prompts_stop_a_run(refusal: Callable[..., str]) -> None:
    rows = [*talks(40), *[talk(f"{number} {LONG}", f"amber {number}") for number in range(5)]]

    assert refusal(rows) == (
        "a.jsonl, line 41; a.jsonl, line 42; a.jsonl, line 43 and 2 more: 5 of 45 rows (11%) teach nothing; at most 10% may. "
        "5 of 45 rows (11%) are longer than 256 tokens and lose their end; at most 10% may. "
        f"{SHORTER}."
    )


def test_answers_of_weight_zero_alone_stop_a_run_and_some_of_them_are_told(
    refusal: Callable[..., str], decoder: Path
) -> None:
    def weighed(row: dict[str, Any]) -> dict[str, Any]:
        user, answer = row["messages"]
        return {"messages": [user, answer | {"weight": 0}]}

    rows = talks(40)

    assert refusal([*map(weighed, rows)]).endswith(
        "would be learnt. All answers have weight 0 (or loss, train: false). Give those that are to be learnt another weight."
    )
    assert refusal([*map(weighed, rows[:8]), *rows[8:]]).endswith(
        "8 of 40 rows (20%) teach nothing; at most 10% may. Give answers that are to be learnt another weight than 0."
    )
    ended = tuned([*map(weighed, rows[:2]), *rows[2:]], decoder)
    assert ended.code == 0
    assert "2 rows: an answer has weight 0, and is not learnt." in ended.err


def test_a_part_of_which_no_row_is_left_stops_a_run(refusal: Callable[..., str], decoder: Path) -> None:
    test = write_rows(Path("test.jsonl"), [talk(LONG, "amber"), talk(f"More {LONG}", "birch")])

    assert refusal(talks(40), decoder, "--test", test) == (
        "a.jsonl: no row is left for the test part: all 2 have a prompt longer than the 256 tokens that the model reads. Shorten "
        "these rows, or name a model with --model that reads more."
    )


def test_chosen_equal_to_rejected_is_left_out_and_named(here: Path, decoder: Path) -> None:
    pairs = [
        {"prompt": row["messages"][0]["content"], "chosen": f"{number} yes", "rejected": f"{number} no"}
        for number, row in enumerate(talks(40))
    ]

    rows = [*pairs, {"prompt": "Say it.", "chosen": "Yes.", "rejected": "Yes."}]

    ended = luthier("check", write_rows(Path("a.jsonl"), rows), "--model", "none", "--json")

    assert "1 row with chosen equal to rejected: a.jsonl, line 41. Left out." in ended.out
    assert understood(rows, decoder)["left_out_by"] == {"chosen equal to rejected": 1}


def test_predict_answers_a_prompt_longer_than_the_model_reads_with_null(here: Path, decoder: Path) -> None:
    tuned(talks(40), decoder)

    found = load("run").predict(["Say amber.", LONG, "", "Say birch."])

    assert [row["text"] is None for row in found] == [False, True, True, False]
    assert (found.unanswered, found.beyond) == (1, 1)
    ended = luthier("predict", "run", write_rows(Path("new.jsonl"), [talk(LONG, "x"), *talks(2)]))
    assert ended.err == "1 of 3 rows are longer than the model reads: their answer is null.\n"
    assert json.loads(ended.out.splitlines()[0]) == {"row": 0, "text": None, "finish": None}


# What ends at once


def test_a_reward_model_asks_for_the_answers_that_it_is_to_score(here: Path, decoder: Path) -> None:
    pairs = [
        {"prompt": row["messages"][0]["content"], "chosen": "amber", "rejected": "no"} for row in talks(40)
    ]
    data = write_rows(Path("a.jsonl"), pairs)
    assert luthier("tune", data, "--model", decoder, "--objective", "reward", *QUICK).code == 0

    ended = luthier("predict", "run", data)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "a.jsonl: this model gives answers a score, and there is no column 'completion' that holds them. Call the column of "
        "answers so. Columns: 'prompt', 'chosen', 'rejected'.\n"
    )


def test_prompts_that_leave_no_token_to_learn_are_refused(refusal: Callable[..., str]) -> None:
    assert refusal([talk(f"{number} {LONG}", f"amber {number}") for number in range(40)]) == (
        "All tokens are masked: none of the 10,240 would be learnt. All 310 tokens of answers stand behind the 256 tokens that "
        f"the model is given. {SHORTER}."
    )


TEMPLATES: dict[str, tuple[str, str]] = {
    "no end": (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif "
        "%}",
        "The chat template writes no token that ends the assistant's turn, so that a model could never learn to stop: after an "
        "answer stands '\\n\\n'. Give the model a template that ends the turn, such as its eos_token.",
    ),
    "raises": (
        "{{ raise_exception('Nothing is said here.') }}",
        "The model's chat template cannot render a question and an answer. The chat template refuses a conversation: 'Nothing is "
        "said here'. The roles of its turns are 'user', 'assistant'. Bring the turns into the order that the template wants, or "
        "choose another template.",
    ),
    "writes no answer": (
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}<|im_end|>",
        "The chat template writes the answer of a conversation 0 times instead of once: 'Qx7asked7xQ<|im_end|>'. Give the model "
        "another template.",
    ),
    "is not closed": (
        "{% for m in messages %}{{ m.content }}",
        "The chat template cannot be read: line 1, Unexpected end of template. Jinja was looking for the following tags: "
        "'endfor' or 'else'. The innermost block that needs to be closed is 'for'. Correct it in the model's folder, or give it "
        "another template.",
    ),
    "reaches for classes": (
        CHATML + "{{ ''.__class__.__mro__ }}",
        "The chat template reaches outside of its sandbox (access to attribute '__class__' of 'str' object is unsafe), as no "
        "honest template does. Do not use this model, or give it another template.",
    ),
    "changes what it is given": (
        CHATML + "{{ messages.append(messages[0]) }}",
        "The chat template reaches outside of its sandbox (access to attribute 'append' of 'list' object is unsafe), as no "
        "honest template does. Do not use this model, or give it another template.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TEMPLATES)
def test_a_template_that_is_of_no_use_is_refused_with_the_name_of_its_folder(
    case: str, refusal: Callable[..., str], with_template: Callable[[str], Path]
) -> None:
    template, said = TEMPLATES[case]

    assert refusal(talks(40), with_template(template)) == f"other: {said}"


@pytest.mark.parametrize("template", [5, True, {"default": 5}], ids=str)
def test_a_template_that_is_no_text_is_refused_by_its_key(
    template: object, refusal: Callable[..., str], with_settings: Callable[..., Path]
) -> None:
    other = with_settings("tokenizer_config.json", chat_template=template)
    (other / "chat_template.jinja").unlink()

    assert refusal(talks(40), other) == (
        f"other: chat_template of tokenizer_config.json is {template!r}, and a template is a text, or an object of texts by "
        "name. Correct it in the model's folder, or take the key out: a default template is used then."
    )


@pytest.mark.parametrize("end", ["2", -1, 99_999, True, [2, "2"]], ids=str)
def test_an_end_that_is_no_number_of_a_token_is_refused_by_its_key(
    end: Any, refusal: Callable[..., str], with_settings: Callable[..., Path]
) -> None:
    other = with_settings("generation_config.json", eos_token_id=end)
    wrong = end[-1] if isinstance(end, list) else end

    said = refusal(talks(40), other)

    assert said.startswith(
        f"other/generation_config.json: eos_token_id is {end!r}, and {wrong!r} is no number of a token from 0 to "
    )
    assert said.endswith("Write the number of the token that ends an answer there, or take the key out.")


def test_judged_answers_of_one_kind_teach_nothing(refusal: Callable[..., str]) -> None:
    judged = [{"prompt": f"Say it {at} times.", "completion": f"it {at}", "label": True} for at in range(40)]

    assert refusal(judged) == (
        "a.jsonl: none of the 28 training rows have a bad answer. Good answers are learnt in contrast to bad ones, and a score "
        "is how often a good one has the higher reward. Add rows that have a bad answer, or name rows of both kinds to test and "
        "to validate on (--test FILE, --valid FILE)."
    )
    one = [{**row, "label": at > 0} for at, row in enumerate(judged)]
    assert "rows have a bad answer. Good answers are learnt in contrast to bad ones" in refusal(one)


def test_a_column_that_conversations_do_not_have_is_refused_by_its_flag(refusal: Callable[..., str]) -> None:
    said = refusal(talks(40), "nowhere", "--text", "messages")

    assert said.startswith(
        "--text messages: a.jsonl is for chat, as column 'messages' holds conversations, and chat has no such column"
    )
    assert said.endswith("Leave it out, or name the task with --task.")


def test_rows_of_neither_two_answers_nor_a_judgement_are_told_of_both(refusal: Callable[..., str]) -> None:
    rows = [{"prompt": f"Say it {at}.", "better": "it", "worse": "no"} for at in range(40)]

    said = refusal(rows, "nowhere", "--task", "preference")

    assert said.endswith(
        "Name them with --column chosen=NAME --column rejected=NAME, or with --label NAME. Columns: 'prompt', 'better', 'worse'."
    )


def test_questions_with_answers_of_their_own_may_be_for_a_language_model(refusal: Callable[..., str]) -> None:
    rows = [
        {"question": f"What is {at}?", "answer": f"It is the number {at} that we know."} for at in range(40)
    ]

    assert refusal(rows).endswith(
        "If a language model is to write what it learns, from 'question', 'answer', name the task: --task chat."
    )


def test_plan_refuses_a_warm_up_as_tune_does(here: Path, decoder: Path) -> None:
    data = write_rows(Path("a.jsonl"), talks(40))

    said = [
        luthier(command, data, "--model", decoder, "--warm-up", "nowhere.jsonl")
        for command in ("plan", "tune")
    ]

    assert {(one.code, one.err) for one in said} == {
        (2, "data.warm_up: no effect with chat; only question-answering warms up. Leave it out.\n")
    }


def test_roles_that_do_not_alternate_where_the_template_wants_it_are_told_by_their_rows(
    refusal: Callable[..., str], with_template: Callable[[str], Path]
) -> None:
    strict = with_template(
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Roles must alternate user and assistant.') }}{% endif %}{% endfor %}" + CHATML
    )
    twice = {"messages": [turn("user", "Say it."), turn("user", "Now."), turn("assistant", "it")]}

    assert refusal([*talks(40), twice, talks(41)[40], twice], strict) == (
        "a.jsonl, line 41; a.jsonl, line 43: The chat template refuses a conversation: 'Roles must alternate user and "
        "assistant'. The roles of its turns are 'user', 'user', 'assistant'. Bring the turns into the order that the template "
        "wants, or choose another template."
    )


def test_tools_that_are_no_json_schema_are_told_by_their_row(refusal: Callable[..., str]) -> None:
    bad = {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "str"}}}}

    assert refusal([*talks(40), {**talk("What is 2 + 2?", "4"), "tools": [bad]}]) == (
        "a.jsonl, line 41: column 'tools': the tools of this row are no JSON schema: `parameters` of add, a is of type 'str', "
        "not one of object, array, string, number, integer, boolean, null. Expected a list of objects such as "
        '{"type": "function", "function": {"name": "…", "parameters": {"type": "object", "properties": {…}}}}, as a list or as '
        "its JSON."
    )


@pytest.mark.parametrize("task", ["chat"])
def test_an_encoder_cannot_write(
    task: str, refusal: Callable[..., str], bert: Path, sentence_bert: Path
) -> None:
    rows = talks(40) if task == "chat" else [{"text": f"Text {number}."} for number in range(40)]

    for model in (bert, sentence_bert):
        assert refusal(rows, model, "--task", task) == (
            f"{model}: bert reads texts and writes none, and these rows want a model that writes. Name a causal language model "
            "with --model, such as SmolLM2-135M-Instruct."
        )


def test_a_decoder_classifies_texts_once_its_pooling_is_named(
    refusal: Callable[..., str], decoder: Path
) -> None:
    rows = [
        {"text": row["messages"][0]["content"], "label": "ab"[at % 2]} for at, row in enumerate(talks(40))
    ]

    assert refusal(rows) == (
        f"{decoder}: LlamaForSequenceClassification takes its answer from the last token, which luthier does not. Use --pooling "
        "mean."
    )
    assert luthier("tune", "a.jsonl", "--model", decoder, "--pooling", "mean", *QUICK).code == 0
    assert len(load("run").predict(["Say amber."]).labels) == 1


def test_a_decoder_without_a_padding_token_is_told_of_pooling_too(
    refusal: Callable[..., str], with_settings: Callable[..., Path]
) -> None:
    rows = [
        {"text": row["messages"][0]["content"], "label": "ab"[at % 2]} for at, row in enumerate(talks(40))
    ]

    assert refusal(rows, with_settings("config.json", pad_token_id=None)).endswith("Use --pooling mean.")


def test_a_table_of_tokens_that_is_stored_as_the_output_layer_is_found(here: Path, decoder: Path) -> None:
    other = Path("other")
    shutil.copytree(decoder, other)
    weights = load_file(decoder / "model.safetensors")
    weights["lm_head.weight"] = weights.pop("model.embed_tokens.weight")
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    rows = [
        {"text": row["messages"][0]["content"], "label": "ab"[at % 2]} for at, row in enumerate(talks(40))
    ]
    data = write_rows(Path("a.jsonl"), rows)

    said = []
    for model, out in ((decoder, "run"), (other, "again")):
        ended = luthier("tune", data, "--model", model, "--pooling", "mean", *QUICK[:-2], "--out", out)
        assert ended.code == 0, ended.err
        said.append(load(out).predict(["Say amber.", "Say dune."]).lines())

    assert said[0] == said[1]


GGUF: dict[str, tuple[dict[str, Any], Callable[[bytes], bytes], str]] = {
    "of another architecture": (
        {"general.architecture": "mamba"},
        lambda data: data,
        "is of the architecture 'mamba', and of GGUF files luthier opens those of 'llama'. Give the folder or the hub name of "
        "the model that it was made of: --model FOLDER",
    ),
    "cut short": (
        {},
        lambda data: data[:150_000],
        "is cut off or damaged: its header has the tensor blk.0.attn_output.weight end at byte 150,624, and the file has "
        "150,000. Fetch or copy it again.",
    ),
    "promising more than it has": (
        {},
        lambda data: data[:8] + (2**40).to_bytes(8, "little") + data[16:],
        "the number of tensors is 1,099,511,627,776, and 100,000 is the most there can be. Fetch or copy it again.",
    ),
}


@pytest.mark.parametrize("case", GGUF)
def test_a_gguf_file_that_is_none_of_a_llama_is_refused(case: str, refusal: Callable[..., str]) -> None:
    values, change, said = GGUF[case]
    file = write_gguf(Path("a.gguf"), tiny_llama(), values=values)
    file.write_bytes(change(file.read_bytes()))

    assert refusal(talks(40), file) == f"a.gguf: {said}"
