"""Preferences in files: two answers to a prompt, or one that was judged, in the ways in which people write them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.batches.conversations import Conversation, Judged, Preference
from luthier.data.read import read
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.forms import FORMS
from luthier.tasks.preference.rows import claims, find, preference_rows
from shapes import csv_file, json_lines, said

USER = {"role": "user", "content": "Where is Oslo?"}
GOOD = {"role": "assistant", "content": "In Norway, at the fjord."}
BAD = {"role": "assistant", "content": "Look it up."}
SYSTEM = {"role": "system", "content": "Be kind."}
HELLO = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi!"}]

FORM = FORMS["preference"]


def preferences(table: Table, **named: str) -> list[Any]:
    """The preferences of the rows that are used."""
    columns = find(table, named).columns
    return FORM.inputs(table, columns, preference_rows(table, columns).usable)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Where is Oslo?", "chosen": GOOD["content"], "rejected": BAD["content"]},
        {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": "Where is Oslo?", "chosen": [USER, GOOD], "rejected": [USER, BAD]},
        {"chosen": [USER, GOOD], "rejected": [USER, BAD]},
        {"conversations": [{"from": "human", "value": "Where is Oslo?"}],
         "chosen": {"from": "gpt", "value": GOOD["content"]}, "rejected": {"from": "gpt", "value": BAD["content"]}},
        {"instruction": "Where is Oslo?", "input": "", "chosen": GOOD["content"], "rejected": BAD["content"]},
        {"chosen": f"\n\nHuman: Where is Oslo?\n\nAssistant: {GOOD['content']}",
         "rejected": f"\n\nHuman: Where is Oslo?\n\nAssistant: {BAD['content']}"},
        {"prompt": "\n\nHuman: Where is Oslo?\n\nAssistant:", "chosen": GOOD["content"], "rejected": BAD["content"]},
        {"prompt": "Where is Oslo?", "messages": [USER, GOOD], "chosen": [USER, GOOD], "rejected": [USER, BAD],
         "score_chosen": 8.0, "score_rejected": 2.0},
    ],
)  # fmt: skip
def test_two_answers_to_a_prompt_are_the_same_however_they_are_written(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    table = read(json_lines(tmp_path / "a.jsonl", [row] * 3))

    assert claims(table) is not None
    assert preferences(table) == [Preference(Conversation((USER,)), (GOOD,), (BAD,))] * 3


def test_packed_columns_and_cells_hold_the_same_preferences(tmp_path: Path) -> None:
    row = {"prompt": [SYSTEM, USER], "chosen": [GOOD], "rejected": [BAD]}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    files = [
        tmp_path / "a.parquet",
        json_lines(tmp_path / "a.jsonl", [row]),
        csv_file(tmp_path / "a.csv", list(row), [[json.dumps(value) for value in row.values()]]),
    ]

    assert [preferences(read(file)) for file in files] == [
        [Preference(Conversation((SYSTEM, USER)), (GOOD,), (BAD,))]
    ] * 3


def test_the_beginning_that_two_conversations_share_is_their_prompt(tmp_path: Path) -> None:
    row = {"chosen": [SYSTEM, *HELLO, USER, GOOD], "rejected": [SYSTEM, *HELLO, USER, BAD]}

    table = read(json_lines(tmp_path / "a.jsonl", [row]))

    assert preferences(table) == [Preference(Conversation((SYSTEM, *HELLO, USER)), (GOOD,), (BAD,))]


def test_transcripts_are_parted_at_their_speakers(tmp_path: Path) -> None:
    begin = "\n\nHuman: Hello\n\nAssistant: Hi!\n\nHuman: Where is Oslo?\n\nAssistant: "
    table = read(json_lines(tmp_path / "a.jsonl", [{"chosen": begin + "Norway.", "rejected": begin + "No."}]))

    (found,) = preferences(table)

    assert found.prompt.turns == (*HELLO, USER)
    assert (found.chosen[0]["content"], found.rejected[0]["content"]) == ("Norway.", "No.")
    assert said(table) == " ".join(
        f"{tmp_path / 'a.jsonl'}: column {name!r} holds conversations written down as texts, which are parted at 'Human:' and "
        "'Assistant:'."
        for name in ("chosen", "rejected")
    )


@pytest.mark.parametrize("labels", [(True, False), ("True", "False"), (1, 0), ("yes", "no")])
@pytest.mark.parametrize("prompt", ["Where is Oslo?", [USER]])
def test_a_judged_answer_is_good_or_bad(tmp_path: Path, prompt: Any, labels: tuple[Any, Any]) -> None:
    rows = [
        {"prompt": prompt, "completion": one["content"], "label": label}
        for one, label in zip((GOOD, BAD), labels, strict=True)
    ]

    table = read(json_lines(tmp_path / "a.jsonl", rows))

    asked = Conversation((USER,))
    assert claims(table) == "column 'label' says of each answer whether it is good"
    assert preferences(table) == [Judged(asked, (GOOD,), True), Judged(asked, (BAD,), False)]


def test_a_judged_conversation_ends_with_its_answer(tmp_path: Path) -> None:
    table = read(json_lines(tmp_path / "a.jsonl", [{"messages": [USER, GOOD], "label": True}]))

    assert preferences(table) == [Judged(Conversation((USER,)), (GOOD,), True)]


@pytest.mark.parametrize(
    ("bad", "reason", "detail"),
    [
        ({"chosen": "same", "rejected": "same"}, "chosen equal to rejected", None),
        ({"rejected": ""}, "no answer", "`rejected` is empty"),
        ({"chosen": None}, "no answer", "`chosen` is empty"),
        ({"prompt": " "}, "no messages", "there is no prompt"),
    ],
)
def test_a_row_that_prefers_nothing_is_left_out_with_its_reason(
    tmp_path: Path, bad: dict[str, Any], reason: str, detail: str | None
) -> None:
    row = {"prompt": "Where is Oslo?", "chosen": "In Norway.", "rejected": "No."}
    table = read(json_lines(tmp_path / "a.jsonl", [*[row] * 9, row | bad]))

    found = preference_rows(table, find(table, {}).columns)

    assert found.usable.tolist() == list(range(9))
    assert {why: own.tolist() for why, own in found.unusable.others.items()} == {reason: [9]}
    assert found.unusable.details == ({} if detail is None else {9: detail})


@pytest.mark.parametrize(
    ("chosen", "rejected", "detail"),
    [
        ([USER, GOOD], [*HELLO, GOOD], "`chosen` and `rejected` part after 0 turns, and not at an answer"),
        ([USER, GOOD], [USER], "`chosen` and `rejected` part after 1 turn, and not at an answer"),
        (
            [USER, GOOD, *HELLO],
            [USER, GOOD, USER, BAD],
            "`chosen` and `rejected` part after 2 turns, and not at an answer",
        ),
    ],
)
def test_conversations_that_part_elsewhere_have_no_prompt(
    tmp_path: Path, chosen: list[Any], rejected: list[Any], detail: str
) -> None:
    sound = {"chosen": [USER, GOOD], "rejected": [USER, BAD]}
    table = read(json_lines(tmp_path / "a.jsonl", [*[sound] * 9, {"chosen": chosen, "rejected": rejected}]))

    found = preference_rows(table, find(table, {}).columns)

    assert list(found.unusable.others) == ["no prompt that both answers share"]
    assert found.unusable.details == {9: detail}


def test_a_judgement_that_is_none_is_left_out(tmp_path: Path) -> None:
    rows = [
        {"prompt": "Where is Oslo?", "completion": "There.", "label": label}
        for label in ("true", "false", "")
    ]
    table = read(json_lines(tmp_path / "a.jsonl", rows))

    found = preference_rows(table, find(table, {}).columns)

    assert {why: own.tolist() for why, own in found.unusable.others.items()} == {"no judgement": [2]}


def test_pairs_that_are_all_equal_are_refused(tmp_path: Path) -> None:
    rows = [{"prompt": "Where is Oslo?", "chosen": "There.", "rejected": "There."}] * 4
    table = read(json_lines(tmp_path / "a.jsonl", rows))

    with pytest.raises(DataError) as error:
        preference_rows(table, find(table, {}).columns)

    assert str(error.value) == (
        f"{tmp_path / 'a.jsonl'}: none of its 4 rows can be used: 4 with chosen equal to rejected. The first: a.jsonl, line 1, "
        "chosen equal to rejected. Correct the rows, or name other columns with --column ROLE=NAME."
    )


def test_rows_are_equal_where_prompt_and_answers_are(tmp_path: Path) -> None:
    row = {"prompt": "Where is Oslo?", "chosen": "In Norway.", "rejected": "No."}
    rows = [row, row | {"chosen": "At the fjord."}, row, row | {"prompt": "Why?"}]
    table = read(json_lines(tmp_path / "a.jsonl", rows))

    found = preference_rows(table, find(table, {}).columns)

    assert found.keys[0] == found.keys[1] == found.keys[2] != found.keys[3]
    assert found.answers.label_sets[0] == found.answers.label_sets[2] != found.answers.label_sets[1]


def test_a_pair_is_shown_with_both_answers(tmp_path: Path) -> None:
    row = {"prompt": "Where is Oslo?", "chosen": "In Norway.", "rejected": "No."}
    table = read(json_lines(tmp_path / "a.jsonl", [row]))

    assert FORM.shown(table, find(table, {}).columns) == [
        "user: Where is Oslo?\nchosen: assistant: In Norway.\nrejected: assistant: No."
    ]


def test_a_finished_model_reads_prompts_alone(tmp_path: Path) -> None:
    table = read(json_lines(tmp_path / "a.jsonl", [{"prompt": "Where is Oslo?"}]))

    assert FORM.inputs(table, {"prompt": "prompt"}) == [Conversation((USER,))]
    assert FORM.given(["Where is Oslo?", {"prompt": [USER, GOOD]}]) == [Conversation((USER,))] * 2


def test_openais_preferences_have_the_prompt_and_its_tools_in_an_object(tmp_path: Path) -> None:
    tool = {
        "type": "function",
        "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
    }
    row = {
        "input": {"messages": [USER], "tools": [tool], "parallel_tool_calls": True},
        "preferred_output": [GOOD],
        "non_preferred_output": [BAD],
    }

    table = read(json_lines(tmp_path / "a.jsonl", [row] * 2))

    assert claims(table) is not None
    assert preferences(table) == [Preference(Conversation((USER,), (tool,)), (GOOD,), (BAD,))] * 2
