"""A chat template is a program of somebody else's: what it may do, and what is said when it does otherwise."""

from pathlib import Path
from typing import Any

import pytest

import chats
from luthier.batches.conversations import Conversation
from luthier.errors import DataError, ModelError
from luthier.models.chat.defaults import DEFAULTS
from luthier.models.chat.renderer import open_renderer

ENDED = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def opened(text: str) -> Any:
    return open_renderer(chats.tokenizer(text=text))


def test_a_template_without_an_end_token_is_refused() -> None:
    with pytest.raises(ModelError) as error:
        opened("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")

    assert str(error.value) == (
        "The chat template writes no token that ends the assistant's turn, so that a model could never learn to stop: after an "
        "answer stands '\\n'. Give the model a template that ends the turn, such as its eos_token."
    )


def test_a_template_that_raises_is_refused_with_its_own_words() -> None:
    with pytest.raises(ModelError) as error:
        opened("{{ raise_exception('This model does not chat.') }}")

    assert str(error.value) == (
        "The model's chat template cannot render a question and an answer. The chat template refuses a conversation: 'This model "
        "does not chat'. The roles of its turns are 'user', 'assistant'. Bring the turns into the order that the template wants, "
        "or choose another template."
    )


@pytest.mark.parametrize(
    "reach",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ raise_exception.__globals__ }}{{ raise_exception.__globals__['os'] }}",
        "{{ messages.append(1) }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
    ],
)
def test_a_template_that_reaches_outside_of_the_sandbox_is_refused(reach: str) -> None:
    with pytest.raises(ModelError, match="reaches outside of its sandbox"):
        opened(reach + ENDED)


def test_the_message_on_a_template_that_reaches_outside_says_what_it_reached_for() -> None:
    with pytest.raises(ModelError) as error:
        opened("{{ ''.__class__.__mro__ }}" + ENDED)

    assert str(error.value) == (
        "The chat template reaches outside of its sandbox (access to attribute '__class__' of 'str' object is unsafe), as no "
        "honest template does. Do not use this model, or give it another template."
    )


def test_a_template_that_cannot_be_read_is_refused_with_its_line() -> None:
    with pytest.raises(ModelError) as error:
        opened("{{ bos_token }}\n{% for m in messages %}")

    assert str(error.value).startswith(
        "The chat template cannot be read: line 2, Unexpected end of template."
    )


def test_a_template_that_counts_without_end_is_stopped_by_the_sandbox() -> None:
    with pytest.raises(ModelError, match="OverflowError, Range too big"):
        opened("{% for n in range(10 ** 9) %}{% endfor %}" + ENDED)


def test_a_template_that_renders_a_row_differently_each_time_is_refused() -> None:
    with pytest.raises(ModelError, match="renders the same conversation differently each time"):
        opened("{{ range(100000) | random }}" + ENDED)


def test_a_template_that_writes_no_answers_is_refused() -> None:
    with pytest.raises(ModelError, match="writes the answer of a conversation 0 times instead of once"):
        opened("{% for m in messages if m.role == 'user' %}{{ m.content }}</s>{% endfor %}")


def test_roles_that_do_not_alternate_where_the_template_wants_it_are_told() -> None:
    renderer = open_renderer(chats.tokenizer("mistral"))
    twice = Conversation(({"role": "user", "content": "One"}, {"role": "user", "content": "Two"}))

    with pytest.raises(DataError) as error:
        renderer.training(twice)

    assert str(error.value) == (
        "The chat template refuses a conversation: 'Roles must alternate user/assistant/user/assistant'. The roles of its turns "
        "are 'user', 'user'. Bring the turns into the order that the template wants, or choose another template."
    )


def test_a_conversation_without_turns_is_told() -> None:
    with pytest.raises(
        DataError, match=r"^A conversation has no turns\. Leave the row out, or give it a message\.$"
    ):
        open_renderer(chats.tokenizer("chatml")).training(Conversation(()))


@pytest.mark.parametrize("form", ["%d %b %Y", "%Y-%m-%d", "%A, %-d %B %Y"])
def test_a_template_that_writes_the_date_writes_the_same_on_every_day(form: str) -> None:
    text = f"Today is {{{{ strftime_now('{form}') }}}}.\n{ENDED}"
    renderer = opened(text)

    shown = {"%d %b %Y": "01 Jan 2026", "%Y-%m-%d": "2026-01-01", "%A, %-d %B %Y": "Thursday, 1 January 2026"}
    assert renderer.text(chats.talk("Hi", "Ho")) == f"Today is {shown[form]}.\nuser: Hi</s>assistant: Ho</s>"
    assert renderer.told == [
        "The chat template writes today's date: it is always 01 January 2026, in training and afterwards, so that a row is the "
        "same tokens on every day."
    ]


def test_pinning_the_date_changes_nothing_else_of_a_template() -> None:
    text = (
        "  {% if strftime_now is defined %}\n  {{ strftime_now('%Y') }}\n{% endif %}\n\n  {% if true %}x{% endif %}"
        + ENDED
    )
    renderer, tokenizer = opened(text), chats.tokenizer(text=text)

    given = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], add_generation_prompt=True, tokenize=False
    )

    assert given.replace(given.split("\n")[0].strip(), "2026") == renderer.prompt_text(chats.talk("Hi"))


def test_the_pinned_template_that_is_saved_gives_the_same_text_in_transformers_alone() -> None:
    renderer = opened("Today is {{ strftime_now('%d %b %Y') }}.\n" + ENDED)
    alone = chats.tokenizer(text=renderer.template.text)

    said = alone.apply_chat_template(
        [{"role": "user", "content": "Hi"}], add_generation_prompt=True, tokenize=False
    )

    assert said == renderer.prompt_text(chats.talk("Hi"))


@pytest.mark.parametrize(
    "own",
    [
        None,
        chats.template("qwen3"),
        "{{ strftime_now('%Y') }}" + ENDED,
        {"default": ENDED, "tool_use": "{{ tools | tojson }}{{ strftime_now('%B') }}" + ENDED},
    ],
)
def test_a_saved_tokenizer_gives_the_same_tokens_here_and_in_transformers_alone(
    own: Any, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    tool = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    talks = [chats.talk("Hi", "Ho", "More"), Conversation(chats.talk("Hi").turns, (tool,))]
    tokenizer = chats.tokenizer(text=own)
    renderer = open_renderer(tokenizer)
    prompts = renderer.prompts(talks)

    tokenizer.chat_template = renderer.template.saved
    tokenizer.save_pretrained(tmp_path)
    alone = AutoTokenizer.from_pretrained(tmp_path)
    again = open_renderer(alone)

    assert again.prompts(talks) == prompts
    assert again.template.saved == renderer.template.saved
    for talk, prompt in zip(talks, prompts, strict=True):
        tools = [dict(one) for one in talk.tools] or None
        said = alone.apply_chat_template(list(talk.turns), tools=tools, add_generation_prompt=True)
        assert said["input_ids"] == prompt


def test_a_base_model_gets_the_default_that_its_tokenizer_has_the_tokens_for() -> None:
    knows = open_renderer(chats.tokenizer())

    assert knows.told == [
        "The model brings no chat template: 'chatml' is used, and goes wherever the model is saved."
    ]
    assert knows.text(chats.talk("Hi", "Ho", system="Be kind.")) == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo<|im_end|>\n"
    )


def test_the_plain_default_writes_roles_as_words_and_ends_answers_with_the_eos_token() -> None:
    renderer = open_renderer(chats.tokenizer(), "plain")

    assert renderer.text(chats.talk("Hi", "Ho")) == "User:\nHi\n\nAssistant:\nHo</s>\n\n"
    assert renderer.marked(chats.talk("Hi", "Ho")) == [
        ("User:\nHi\n\nAssistant:\n", False), ("Ho</s>", True), ("\n\n", False),
    ]  # fmt: skip


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_template_writes_tools_calls_and_results(name: str) -> None:
    renderer = open_renderer(chats.tokenizer(), name)
    call = {"function": {"name": "weather", "arguments": '{"city": "Ulm"}'}}
    tool = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    asked = Conversation(
        (
            {"role": "user", "content": "Rain?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "Dry."},
            {"role": "assistant", "content": "It is dry."},
        ),
        (tool,),
    )

    rendered, text = renderer.training(asked), renderer.text(asked)

    assert rendered.remarks == ()
    alone = renderer.tokenizer.apply_chat_template(
        list(asked.turns), tools=[tool], chat_template=renderer.template.text, tokenize=False
    )
    assert "None" not in alone
    assert '"parameters": {}' in text
    assert '{"name": "weather", "arguments": {"city": "Ulm"}}' in text
    assert "Dry." in text
    assert renderer.told[-1] == "Arguments of tools are given to the chat template as a mapping."


def test_an_unknown_template_is_answered_with_the_nearest() -> None:
    with pytest.raises(ModelError) as error:
        open_renderer(chats.tokenizer(), "chat-ml")

    assert (
        str(error.value)
        == "There is no chat template named 'chat-ml': 'chatml', 'plain' are known. Did you mean 'chatml'?"
    )


def test_a_template_that_does_not_begin_an_answer_when_asked_is_told() -> None:
    renderer = opened("{% for m in messages %}{{ m.role }}:{{ m.content }}</s>{% endfor %}")

    assert renderer.told == [
        "The chat template does not begin an answer when it is asked to (add_generation_prompt has no effect): the model learns "
        "to write 'assistant:' before each."
    ]
    assert renderer.marked(chats.talk("Hi", "Ho")) == [("user:Hi</s>", False), ("assistant:Ho</s>", True)]


def test_a_model_with_a_template_for_tools_uses_it_where_there_are_tools() -> None:
    tokenizer = chats.tokenizer()
    tokenizer.chat_template = {"default": ENDED, "tool_use": "{{ tools | tojson }}" + ENDED}
    tool = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    renderer, talk = open_renderer(tokenizer), chats.talk("Hi", "Ho")

    assert renderer.text(talk) == "user: Hi</s>assistant: Ho</s>"
    assert renderer.text(Conversation(talk.turns, (tool,))).startswith(
        '[{"type": "function", "function": {"name"'
    )


def test_what_a_template_refuses_can_be_told_of_all_rows_at_once() -> None:
    renderer = open_renderer(chats.tokenizer("gemma"))

    refused = renderer.refusals([chats.talk("Hi", "Ho"), chats.talk("Hi", "Ho", system="Be kind.")])

    assert refused == {
        1: "The chat template refuses a conversation: 'System role not supported'. The roles of its turns are 'system', 'user', "
        "'assistant'. Bring the turns into the order that the template wants, or choose another template."
    }


def test_a_tokenizer_that_does_not_tell_places_is_refused() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(ModelError, match="does not say where in a text its tokens stand"):
        open_renderer(Slow())


def test_a_default_template_begins_with_the_token_that_the_tokenizer_begins_texts_with() -> None:
    from tokenizers import processors

    tokenizer = chats.tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)]
    )

    assert open_renderer(tokenizer, "plain").text(chats.talk("Hi")) == "<s>User:\nHi\n\n"
