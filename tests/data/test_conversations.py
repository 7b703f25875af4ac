"""Conversations in files, in all the ways in which people write them, and what is told of rows that are none."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.batches.conversations import Conversation
from luthier.data.read import read
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.forms import FORMS
from luthier.tasks.chat.rows import claims, conversation_rows, find
from shapes import csv_file, json_file, json_lines, said

USER = {"role": "user", "content": "What is 2 + 2?"}
ANSWER = {"role": "assistant", "content": "4"}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"b": 2, "a": 2.0}}}],
}
TOOL = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "number"}}}},
}


def conversations(table: Table, **named: str) -> list[Conversation]:
    """The conversations of the rows that are used."""
    columns = find(table, named).columns
    return FORMS["conversation"].inputs(table, columns, conversation_rows(table, columns).usable)


def turns(table: Table, **named: str) -> list[list[Any]]:
    return [list(one.turns) for one in conversations(table, **named)]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [USER, ANSWER]},
        {"conversations": [{"from": "human", "value": "What is 2 + 2?"}, {"from": "gpt", "value": "4"}]},
        {"prompt": "What is 2 + 2?", "completion": "4"},
        {"prompt": [USER], "completion": [ANSWER]},
        {"prompt": [USER], "completion": "4"},
        {"instruction": "What is 2 + 2?", "input": "", "output": "4"},
        {"instruction": "What is 2 + 2?", "context": "", "response": "4", "category": "open_qa"},
        {"messages": json.dumps([USER, ANSWER])},
        {"messages": [USER | {"content": [{"type": "text", "text": "What is 2 + 2?"}]}, ANSWER]},
    ],
)
def test_a_question_and_its_answer_are_the_same_however_they_are_written(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    table = read(json_lines(tmp_path / "a.jsonl", [row] * 3))

    assert claims(table) is not None
    assert turns(table) == [[USER, ANSWER]] * 3


def test_packed_listed_columnar_and_tabular_files_hold_the_same_conversations(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"messages": [USER, ANSWER]}, {"messages": [USER, CALL]}]
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    files = [
        json_lines(tmp_path / "a.jsonl", rows),
        packed,
        json_file(tmp_path / "a.json", rows),
        json_file(tmp_path / "b.json", {"data": rows}),
        csv_file(tmp_path / "a.csv", ["messages"], [[json.dumps(row["messages"])] for row in rows]),
        csv_file(tmp_path / "b.csv", ["messages"], [[repr(row["messages"])] for row in rows]),
        tmp_path / "a.parquet",
    ]

    assert [turns(read(file)) for file in files] == [[[USER, ANSWER], [USER, CALL]]] * len(files)


def test_arguments_of_tools_keep_their_types_keys_and_order_in_every_row(tmp_path: Path) -> None:
    several = [{"z": 5, "a": None}, {"a": "x", "n": [1, "two"]}, '{"a":  1}', {"a": 2**70, "ß": 1.0}]
    calls = [
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": one}}]}
        for one in several
    ]
    tools = [
        TOOL,
        {"name": "bare", "parameters": {"type": "object", "properties": {"x": {"enum": [1, "a"]}}}},
    ]
    table = read(
        json_lines(tmp_path / "a.jsonl", [{"messages": [USER, call], "tools": tools} for call in calls])
    )

    found = conversations(table)

    arguments = [one.turns[1]["tool_calls"][0]["function"]["arguments"] for one in found]
    assert json.dumps(arguments) == json.dumps(several)
    assert found[0].tools == (TOOL, {"type": "function", "function": tools[1]})


@pytest.mark.parametrize("key", ["tools", "functions"])
@pytest.mark.parametrize("written", [[TOOL], json.dumps([TOOL]), [json.dumps(TOOL)]])
def test_tools_may_be_a_list_or_its_json(tmp_path: Path, key: str, written: Any) -> None:
    table = read(json_lines(tmp_path / "a.jsonl", [{"messages": [USER, CALL], key: written}] * 2))

    assert [one.tools for one in conversations(table)] == [(TOOL,)] * 2


def test_arguments_of_a_packed_file_have_no_keys_of_each_other_which_is_told(tmp_path: Path) -> None:
    arguments = [{"city": "Oslo"}, {"zone": "CET"}]
    calls = [
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": one}}]}
        for one in arguments
    ]
    table = read(packed(tmp_path / "a.parquet", [{"messages": [USER, call]} for call in calls]))

    found = turns(table)

    assert [one[1]["tool_calls"][0]["function"]["arguments"] for one in found] == arguments
    assert said(table) == (
        f"{tmp_path / 'a.parquet'}: column 'messages': keys of tools' arguments without a value are left out, as every object of "
        "such a file has the keys of all others; JSON lines keep each as it is."
    )


def test_tools_of_a_packed_file_have_no_keys_of_each_other(tmp_path: Path) -> None:
    other = {
        "type": "function",
        "function": {"name": "now", "parameters": {"type": "object", "required": ["zone"]}},
    }
    rows = [{"prompt": "Hello", "completion": "Hi!", "tools": [tool]} for tool in (TOOL, other)]

    found = conversations(read(packed(tmp_path / "a.parquet", rows)))

    assert [one.tools for one in found] == [(TOOL,), (other,)]


def test_tools_that_are_no_json_schema_end_the_command(tmp_path: Path) -> None:
    bad = {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "str"}}}}
    table = read(json_lines(tmp_path / "a.jsonl", [{"messages": [USER, CALL], "tools": [bad]}]))

    with pytest.raises(DataError) as error:
        conversations(table)

    assert str(error.value) == (
        "a.jsonl, line 1: column 'tools': the tools of this row are no JSON schema: `parameters` of add, a is of type 'str', "
        "not one of object, array, string, number, integer, boolean, null. Expected a list of objects such as "
        '{"type": "function", "function": {"name": "…", "parameters": {"type": "object", "properties": {…}}}}, '
        "as a list or as its JSON."
    )


def test_sharegpts_calls_and_observations_are_turns_of_tools(tmp_path: Path) -> None:
    row = {
        "conversations": [
            {"from": "human", "value": "What is 2 + 2?"},
            {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 2}}'},
            {"from": "observation", "value": "4"},
            {"from": "gpt", "value": "It is 4."},
        ],
        "system": "Be brief.",
        "tools": json.dumps([TOOL]),
    }

    table = read(json_lines(tmp_path / "a.jsonl", [row]))

    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 2}}}
    assert turns(table) == [
        [
            {"role": "system", "content": "Be brief."},
            USER,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "4"},
            {"role": "assistant", "content": "It is 4."},
        ]
    ]
    assert said(table) == (
        f"{tmp_path / 'a.jsonl'}: column 'conversations': 'function_call' is read as an assistant's call of a tool, 'gpt' is "
        "read as assistant, 'human' is read as user, 'observation' is read as tool."
    )


def test_an_instruction_is_followed_by_its_input_and_preceded_by_what_was_said_before(tmp_path: Path) -> None:
    row = {
        "instruction": "Add them.",
        "input": "2, 2",
        "output": "4",
        "system": "Be brief.",
        "history": [["Hello", "Hi!"]],
    }

    table = read(json_lines(tmp_path / "a.jsonl", [row]))

    assert turns(table) == [
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi!"},
            {"role": "user", "content": "Add them.\n\n2, 2"},
            ANSWER,
        ]
    ]
    assert find(table, {}).columns == {
        "prompt": "instruction",
        "context": "input",
        "completion": "output",
        "system": "system",
        "history": "history",
    }


def test_what_turns_hold_beside_what_is_read_is_told(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "2 + 2?"}]
    row = {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            USER | {"content": parts},
            ANSWER | {"weight": 1, "id": "m1"},
        ]
    }

    table = read(json_lines(tmp_path / "a.jsonl", [row]))

    assert turns(table)[0][1]["content"] == "What is\n2 + 2?"
    assert table.guesses == (
        f"{tmp_path / 'a.jsonl'}: column 'messages': 1 turn of several texts, which are joined with '\\n' between them.",
        f"{tmp_path / 'a.jsonl'}: column 'messages': 'developer' is read as system.",
        f"{tmp_path / 'a.jsonl'}: column 'messages': the turns' keys 'id' are not read; a turn is its role, its content and "
        "its calls of tools.",
    )


def test_turns_that_say_that_they_are_not_to_be_learnt_have_weight_zero(tmp_path: Path) -> None:
    """OpenAI's weight, ms-swift's loss and Axolotl's train. How many rows have such turns is told once they are rendered."""
    row = {
        "messages": [
            USER,
            ANSWER | {"weight": 0},
            USER,
            ANSWER | {"loss": False},
            USER,
            ANSWER | {"train": True},
        ]
    }

    table = read(json_lines(tmp_path / "a.jsonl", [row]))

    assert [turn.get("weight") for turn in turns(table)[0]] == [None, 0, None, 0, None, None]
    assert table.guesses == ()


LOOKS_UP = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": {"city": "Oslo"}}}


def test_anthropics_blocks_are_turns_and_calls_of_tools(tmp_path: Path) -> None:
    use = {"type": "tool_use", "id": "c1", "name": "find", "input": {"city": "Oslo"}}
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": "c1", "is_error": True}
    result["content"] = [{"type": "text", "text": "12 degrees"}]
    thinks = {"type": "thinking", "thinking": "Weather it is.", "signature": "x"}
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    row = {
        "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        "messages": [
            USER,
            {"role": "assistant", "content": [thinks, {"type": "text", "text": "I look."}, use]},
            {"role": "user", "content": [result, {"type": "text", "text": "Well?"}]},
            ANSWER,
        ],
        "tools": [{"name": "find", "description": "Finds.", "input_schema": schema}],
    }

    (found,) = conversations(table := read(json_lines(tmp_path / "a.jsonl", [row])))

    assert [told for told in table.guesses if "not read" in told] == [
        f"{tmp_path / 'a.jsonl'}: column 'messages': the turns' keys 'is_error', 'signature' are not read; a turn is its role, "
        "its content and its calls of tools."
    ]
    assert found.turns == (
        {"role": "system", "content": "Be brief.\nBe kind."},
        USER,
        {
            "role": "assistant",
            "content": "I look.",
            "reasoning_content": "Weather it is.",
            "tool_calls": [LOOKS_UP],
        },
        {"role": "tool", "content": "12 degrees", "tool_call_id": "c1"},
        {"role": "user", "content": "Well?"},
        ANSWER,
    )
    function = {"name": "find", "description": "Finds.", "parameters": schema}
    assert found.tools == ({"type": "function", "function": function},)


def test_googles_contents_are_turns_and_calls_of_tools(tmp_path: Path) -> None:
    call = {"functionCall": {"name": "find", "args": {"city": "Oslo"}}}
    gave = {"functionResponse": {"name": "find", "response": {"degrees": 12}}}
    parameters = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}
    row = {
        "systemInstruction": {"role": "system", "parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "How warm is it?"}]},
            {"role": "model", "parts": [call]},
            {"role": "user", "parts": [gave]},
            {"role": "model", "parts": [{"text": "I count.", "thought": True}, {"text": "12 degrees."}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "find", "parameters": parameters}, {"name": "now"}]}],
    }

    (found,) = conversations(read(json_lines(tmp_path / "a.jsonl", [row])))

    called = {"type": "function", "function": LOOKS_UP["function"]}
    assert found.turns == (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How warm is it?"},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "content": '{"degrees": 12}', "name": "find"},
        {"role": "assistant", "content": "12 degrees.", "reasoning_content": "I count."},
    )
    described = {"type": "object", "properties": {"city": {"type": "string"}}}
    assert [tool["function"] for tool in found.tools] == [
        {"name": "find", "parameters": described},
        {"name": "now"},
    ]


def test_a_text_that_no_template_writes_where_it_stands_is_told(tmp_path: Path) -> None:
    use = {"type": "tool_use", "id": "c1", "name": "find", "input": {"city": "Oslo"}}
    row = {
        "messages": [
            USER,
            {"role": "assistant", "content": [use, {"type": "text", "text": "I look."}]},
            ANSWER,
        ]
    }

    table = read(json_lines(tmp_path / "a.jsonl", [row]))

    assert turns(table)[0][1] == {"role": "assistant", "content": "I look.", "tool_calls": [LOOKS_UP]}
    assert table.guesses == (
        f"{tmp_path / 'a.jsonl'}: column 'messages': 1 turn with a text behind a call of a tool or before what a tool gave: it "
        "is read on the other side of it, as chat templates write it.",
    )


def test_a_system_prompt_that_is_a_picture_is_refused_with_its_row(tmp_path: Path) -> None:
    row = {"system": [{"type": "image", "source": {}}], "messages": [USER, ANSWER]}

    with pytest.raises(DataError) as caught:
        read(json_lines(tmp_path / "a.jsonl", [row]))

    assert str(caught.value) == (
        "a.jsonl, line 1: the system prompt has a part that is no text (column 'system' holds 'image'). Expected a text, or a "
        "list of texts. Write it as a text."
    )


PICTURE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a.png"}}]}


@pytest.mark.parametrize(
    ("bad", "reason", "detail"),
    [
        ([], "no messages", None),
        (None, "no messages", None),
        ([USER], "no answer", "there is no turn of the assistant"),
        ([USER, ANSWER | {"content": "  "}], "no answer", "turn 2 is the assistant's and empty"),
        ([USER, ANSWER | {"content": ""}, USER, ANSWER], "no answer", "turn 2 is the assistant's and empty"),
        ([USER | {"content": ""}, ANSWER], "no messages", "nothing stands before the answer"),
        ([{"role": "Ann", "content": "Hello"}, ANSWER], "a speaker that is not known", "turn 1 is by 'Ann'"),
        ([PICTURE, ANSWER], "a part that is no text", "turn 1 holds 'image_url'"),
        ([USER, {"content": "4"}], "a turn that cannot be read", "turn 2 does not say who speaks"),
        ([USER, "4"], "a turn that cannot be read", "turn 2 is '4', no object with role and content"),
        (
            [USER, ANSWER | {"tool_calls": [{}]}],
            "a turn that cannot be read",
            "turn 2 calls a tool without its name",
        ),
    ],
)
def test_a_row_that_is_no_conversation_is_left_out_with_its_reason(
    tmp_path: Path, bad: Any, reason: str, detail: str | None
) -> None:
    rows = [{"messages": [USER, ANSWER]}] * 19
    table = read(json_lines(tmp_path / "a.jsonl", [*rows, {"messages": bad}]))

    found = conversation_rows(table, find(table, {}).columns)

    assert found.usable.tolist() == list(range(19))
    assert {why: own.tolist() for why, own in found.unusable.others.items()} == {reason: [19]}
    assert found.unusable.details == ({} if detail is None else {19: detail})


def test_a_conversation_about_a_picture_is_left_out(tmp_path: Path) -> None:
    row = {"conversations": [USER, ANSWER], "image": None}
    table = read(json_lines(tmp_path / "a.jsonl", [*[row] * 9, row | {"image": "cat.png"}]))

    found = conversation_rows(table, find(table, {}).columns)

    assert {why: own.tolist() for why, own in found.unusable.others.items()} == {
        "a part that is no text": [9]
    }
    assert found.unusable.details == {9: "column 'image' holds what the turns are about"}


def test_rows_of_which_none_can_be_used_are_refused_with_the_first(tmp_path: Path) -> None:
    rows = [{"messages": [USER]}, {"messages": [USER, ANSWER | {"content": ""}]}, {"messages": []}]
    table = read(json_lines(tmp_path / "a.jsonl", rows))

    with pytest.raises(DataError) as error:
        conversation_rows(table, find(table, {}).columns)

    assert str(error.value) == (
        f"{tmp_path / 'a.jsonl'}: none of its 3 rows can be used: 2 with no answer, 1 with no messages. The first: a.jsonl, "
        "line 1, no answer (there is no turn of the assistant). Correct the rows, or name other columns with --column ROLE=NAME."
    )


def test_speakers_that_nobody_knows_are_asked_for(tmp_path: Path) -> None:
    row = {"dialog": [{"role": "caller", "content": "Hello"}, {"role": "clerk", "content": "Hi!"}]}
    table = read(json_lines(tmp_path / "a.jsonl", [row] * 4))

    with pytest.raises(DataError) as error:
        conversation_rows(table, find(table, {}).columns)

    assert str(error.value) == (
        "a.jsonl, line 1: turn 1 is by 'caller', who is not known, and 4 of 4 rows have such a speaker. Which of them the model "
        "is to speak for is not plain: write user, assistant, system or tool in their place."
    )


def test_a_last_turn_that_nobody_answers_is_told(tmp_path: Path) -> None:
    table = read(
        json_lines(tmp_path / "a.jsonl", [{"messages": [USER, ANSWER, USER]}, {"messages": [USER, ANSWER]}])
    )

    found = conversation_rows(table, find(table, {}).columns)

    assert {what: rows.tolist() for what, rows in found.repairs.items()} == {
        "a last turn that nobody answers, from which nothing is learnt": [0]
    }
    assert found.keys[0] == found.keys[1], "the prompt is what stands before the last answer"


def test_turns_in_one_file_and_texts_in_another_do_not_go_together(tmp_path: Path) -> None:
    one = read(json_lines(tmp_path / "a.jsonl", [{"prompt": [USER], "completion": "4"}]))
    other = read(json_lines(tmp_path / "b.jsonl", [{"prompt": "What is 2 + 2?", "completion": "4"}]))

    with pytest.raises(DataError) as error:
        Table.join([one, other])

    assert str(error.value) == (
        f"{tmp_path / 'b.jsonl'}: column 'prompt' holds texts, but in {tmp_path / 'a.jsonl'} it holds turns of conversations. "
        "Write it in the same form in both."
    )


@pytest.mark.parametrize(
    "rows",
    [
        [{"text": f"play song {n}", "label": "PlayMusic" if n % 2 else "GetWeather"} for n in range(20)],
        [
            {"question": f"What is number {n} called?", "answer": f"It is called {n}, I think."}
            for n in range(20)
        ],
        [{"query": f"what is {n}", "response": f"the answer {n}"} for n in range(20)],
        [{"source": f"a text {n}", "target": f"another text {n}"} for n in range(20)],
    ],
)
def test_what_may_be_another_task_is_not_claimed(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    assert claims(read(json_lines(tmp_path / "a.jsonl", rows))) is None


def test_columns_of_any_name_are_conversations_where_they_are_named(tmp_path: Path) -> None:
    table = read(json_lines(tmp_path / "a.jsonl", [{"q": "What is 2 + 2?", "reply": "4"}]))

    assert turns(table, prompt="q", completion="reply") == [[USER, ANSWER]]


@pytest.mark.parametrize(
    ("rows", "found", "label"),
    [
        (
            [{"instruction": f"Judge film {n}.", "output": "ab"[n % 2]} for n in range(20)],
            "column 'output' holds few different answers to column 'instruction'",
            "output",
        ),
        (
            [{"messages": [USER, ANSWER], "label": "ab"[n % 2]} for n in range(20)],
            "column 'messages' holds conversations, and column 'label' what may be their labels",
            "label",
        ),
    ],
)
def test_what_may_be_conversations_or_labels_is_asked(
    tmp_path: Path, rows: list[dict[str, Any]], found: str, label: str
) -> None:
    table = read(json_lines(tmp_path / "a.jsonl", rows))

    with pytest.raises(DataError) as error:
        claims(table)

    assert str(error.value) == (
        f"{tmp_path / 'a.jsonl'}: {found}. Say which is meant: --task chat learns to write the answers, --task "
        f"text-classification --text COLUMN --label {label} the labels, --task preference which answers are good where a label "
        "says that."
    )


@pytest.mark.parametrize(
    "given",
    [
        "What is 2 + 2?",
        [USER],
        [USER, ANSWER],
        {"messages": [USER]},
        {"messages": [USER, ANSWER]},
        {"prompt": "What is 2 + 2?"},
        {"prompt": [USER]},
        {"conversations": [{"from": "human", "value": "What is 2 + 2?"}]},
        {"contents": [{"role": "user", "parts": [{"text": "What is 2 + 2?"}]}]},
        {"instruction": "What is 2 + 2?", "input": ""},
    ],
)
def test_a_row_to_answer_may_be_a_text_turns_or_an_object(given: Any) -> None:
    assert FORMS["conversation"].given([given]) == [Conversation((USER,))]


def test_a_row_to_answer_that_is_no_conversation_is_refused_by_its_number() -> None:
    expected = (
        "Expected a text, a list of turns such as {'role': 'user', 'content': …}, or an object with `messages` or "
        "`prompt`."
    )

    with pytest.raises(DataError) as unread:
        FORMS["conversation"].given(["Hello", {"text": "Hello"}])
    with pytest.raises(DataError) as strange:
        FORMS["conversation"].given([[{"role": "Ann", "content": "Hello"}]])

    assert str(unread.value) == f"row 1: \"{{'text': 'Hello'}}\" is no conversation. {expected}"
    assert str(strange.value) == (
        "row 0: cannot be read as a conversation: a speaker that is not known (turn 1 is by 'Ann'). "
        + expected
    )


@pytest.mark.parametrize(
    "value",
    [
        ["What is 2 + 2?", "4"],
        [{"input": "What is 2 + 2?", "output": "4"}],
        [{"human": "What is 2 + 2?", "assistant": "4"}],
    ],
)
def test_texts_without_speakers_are_a_user_and_an_assistant_by_turns(tmp_path: Path, value: Any) -> None:
    rows = [{"conversations": value}, {"conversations": value * 2}]

    for file in (json_lines(tmp_path / "a.jsonl", rows), packed(tmp_path / "a.parquet", rows)):
        table = read(file)

        assert turns(table) == [[USER, ANSWER], [USER, ANSWER] * 2]
        assert said(table) == (
            f"{file}: column 'conversations': the texts of a row are read as turns of a user and an assistant, one after the "
            "other."
        )


def packed(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_rows_that_are_lists_of_turns_are_conversations(tmp_path: Path) -> None:
    assert (
        turns(read(json_lines(tmp_path / "a.jsonl", [[USER, ANSWER], [USER, ANSWER]])))
        == [[USER, ANSWER]] * 2
    )
    assert (
        turns(read(json_file(tmp_path / "a.json", [[USER, ANSWER], [USER, ANSWER]]))) == [[USER, ANSWER]] * 2
    )


def test_rows_that_are_single_turns_are_refused_with_what_to_write(tmp_path: Path) -> None:
    table = read(json_file(tmp_path / "a.json", [USER, ANSWER] * 4))

    with pytest.raises(DataError) as error:
        claims(table)

    assert str(error.value) == (
        f"{tmp_path / 'a.json'}: each row is one turn, with who speaks in 'role' and what is said in 'content'. Write a row for "
        'each conversation: {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}. To tell who '
        "speaks by what is said: --task text-classification --text content --label role."
    )


@pytest.mark.parametrize(
    ("row", "named", "expected"),
    [
        ({"messages": [USER]}, {}, {"messages": "messages"}),
        (
            {"conversations": [{"from": "human", "value": "What is 2 + 2?"}]},
            {},
            {"messages": "conversations"},
        ),
        ({"prompt": "What is 2 + 2?", "id": 7}, {}, {"prompt": "prompt"}),
        ({"text": "What is 2 + 2?"}, {}, {"prompt": "text"}),
        ({"instruction": "What is 2 + 2?", "input": ""}, {}, {"prompt": "instruction", "context": "input"}),
        ({"messages": [ANSWER], "q": "What is 2 + 2?"}, {"prompt": "q"}, {"prompt": "q"}),
    ],
)
@pytest.mark.parametrize("name", ["conversation", "preference"])
def test_rows_to_answer_need_not_be_written_as_those_to_learn_from(
    tmp_path: Path, name: str, row: dict[str, Any], named: dict[str, str], expected: dict[str, str]
) -> None:
    table = read(json_lines(tmp_path / "a.jsonl", [row]))

    columns = FORMS[name].columns_to_answer(table, named, {"messages": "messages", "chosen": "chosen"})

    assert columns == expected
    assert FORMS[name].inputs(table, columns) == [Conversation((USER,))]


def test_rows_to_answer_without_a_prompt_are_refused(tmp_path: Path) -> None:
    table = read(json_lines(tmp_path / "a.jsonl", [{"words": "What is 2 + 2?"}]))

    with pytest.raises(DataError) as error:
        FORMS["conversation"].columns_to_answer(table, {}, {"messages": "messages"})

    assert str(error.value) == (
        f"{tmp_path / 'a.jsonl'}: no column looks like the prompt: none of 'prompt', 'instruction', 'question', 'query', "
        "'input', 'input_text', 'user', 'human' and 1 more. Name it with --column prompt=NAME. Columns: 'words'."
    )
