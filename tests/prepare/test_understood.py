"""What was understood of a file is told to programs and people; what cannot be told apart is asked."""

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from command import Ended, luthier
from tiny import messages

ROWS = messages(60)
Row = dict[str, Any]


def check(path: Path, *options: str) -> Ended:
    return luthier("check", path, "--model", "none", "--json", *options)


def understood(path: Path, *options: str) -> dict[str, Any]:
    ended = check(path, *options)
    assert ended.out, ended.err
    found: dict[str, Any] = json.loads(ended.out.splitlines()[-1])["understood"]
    return found


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    """A file of rows, each made of a text, its label and its number."""

    def write(
        make: Callable[[str, str, int], Row], name: str = "rows.jsonl", many: Sequence[Any] = ROWS
    ) -> Path:
        path = tmp_path / name
        lines = [json.dumps(make(text, label, at)) + "\n" for at, (text, label) in enumerate(many)]
        path.write_text("".join(lines))
        return path

    return write


def test_all_that_was_understood_is_in_the_json(rows: Callable[..., Path]) -> None:
    found = understood(rows(lambda text, label, at: {"id": at, "text": text, "label": label if at else None}))

    assert found == {
        "task": "text-classification",
        "columns": {"text": "text", "label": "label"},
        "labels": ["broken", "delivery", "praise", "refund"],
        "labels_per_row": "one",
        "rows": 59,
        "left_out": 1,
        "left_out_by": {"no label": 1},
        "encoding": "utf-8",
        "split": "random",
        "parts": {"train": 48, "valid": 0, "calibration": 0, "test": 11},
        "unread": ["id"],
    }


def test_a_person_reads_it_in_a_few_lines(rows: Callable[..., Path]) -> None:
    path = rows(lambda text, label, at: {"id": at, "text": text, "label": label if at else None})

    said = luthier("check", path, "--model", "none", "--quiet").out.splitlines()

    assert [line.strip() for line in said[:5]] == [
        "text-classification: text 'text', label 'label'",
        "4 labels, one a row: broken, delivery, praise, refund",
        "59 rows, parted drawn at random: 48 train, 0 valid, 0 calibration, 11 test",
        "1 rows left out: 1 no label",
        "not read: id",
    ]


@pytest.mark.slow
def test_plan_tells_the_same(rows: Callable[..., Path], bert: Path) -> None:
    path = rows(lambda text, label, at: {"text": text, "label": label})

    record = json.loads(luthier("plan", path, "--model", bert, "--json").out.splitlines()[-1])

    assert record["understood"] == understood(path)


def test_guesses_are_kept_in_a_plan_that_tune_takes(
    rows: Callable[..., Path], bert: Path, tmp_path: Path
) -> None:
    path = rows(lambda text, label, at: {"remark": text, "verdict": label})
    plan = tmp_path / "kept.toml"

    assert luthier("check", path, "--model", "none", "--quiet", "--write-plan", plan).code == 0
    changed = plan.read_text().replace('text = "remark"', 'text = "verdict"')
    plan.write_text(changed.replace('label = "verdict"', 'label = "remark"'))
    ended = luthier("check", "--plan", plan, "--model", "none", "--json")

    assert 'text = "remark"' not in changed
    assert ended.code == 2
    assert luthier("plan", "--plan", plan, "--model", bert).code == 2  # each text is a label of its own


# What is left out


def test_rows_left_out_beyond_a_tenth_stop_a_run(
    rows: Callable[..., Path], bert: Path, tmp_path: Path
) -> None:
    path = rows(lambda text, label, at: {"text": text, "label": label if at % 5 else ""})

    refused = luthier(
        "tune", path, "--model", bert, "--method", "probe", "--out", tmp_path / "run", "--quiet"
    )
    allowed = check(path, "--allow", "left-out")

    assert refused.code == 2
    assert "12 rows of 60 would be left out: 12 with no label." in refused.err
    assert "--allow left-out goes on in spite of it." in refused.err
    assert not (tmp_path / "run").exists()
    assert allowed.code == 0


def test_a_tenth_is_no_reason_to_stop(rows: Callable[..., Path]) -> None:
    assert check(rows(lambda text, label, at: {"text": text, "label": label if at % 10 else ""})).code == 0


# Several columns that are one


def test_a_title_beside_the_text_is_told_and_can_be_read_with_it(rows: Callable[..., Path]) -> None:
    path = rows(lambda text, label, at: {"title": f"remark {at} of mine", "body": text, "label": label})

    ended = check(path)
    whole = json.loads(check(path, "--text", "title,body").out.splitlines()[-1])

    found, joined = json.loads(ended.out.splitlines()[-1])["findings"], whole["understood"]
    assert [one["mend"] for one in found if one["check"] == "text-columns"] == [
        "--text 'title,body' reads them as one; --text COLUMN reads another in its place."
    ]
    assert joined["columns"]["text"] == "title,body"
    assert joined["unread"] == []
    assert [one["check"] for one in whole["findings"] if one["check"] == "text-columns"] == []


def test_a_remedy_is_spelt_so_that_a_shell_gives_the_name_back(rows: Callable[..., Path]) -> None:
    name = "it's $(date)"
    path = rows(
        lambda text, label, at: {
            name: f"remark {at} of mine",
            "text": text,
            "label": label,
            "kind of": label[:2],
        }
    )

    found = {one["check"]: one["mend"] for one in json.loads(check(path).out.splitlines()[-1])["findings"]}

    assert shlex.split(found["text-columns"].split(" reads")[0]) == ["--text", f"{name},text"]
    assert shlex.split(found["label-column"].split(" learns")[0]) == ["--label", "kind of"]


def test_columns_that_the_label_is_made_of_do_not_give_it_away(rows: Callable[..., Path]) -> None:
    path = rows(
        lambda text, label, at: {
            "text": text,
            "label_refund": int(label == "refund"),
            "label_other": int(label != "refund"),
        }
    )

    found = json.loads(check(path).out.splitlines()[-1])

    assert found["understood"]["columns"]["label"] == "label_refund,label_other"
    assert [one["message"] for one in found["findings"] if one["check"] == "label-column"] == []


def test_what_was_read_as_one_is_predicted_as_one(
    rows: Callable[..., Path], bert: Path, tmp_path: Path
) -> None:
    path = rows(lambda text, label, at: {"title": text, "body": "and so on", "label": label})
    new = tmp_path / "new.csv"
    new.write_text("title,body\nMy money back,please\n,\n")
    run = tmp_path / "run"

    tuned = luthier("tune", path, "--model", bert, "--text", "title,body", "--method", "probe", "--out", run, "--quiet",
                    "--allow", "leaks")  # fmt: skip
    ended = luthier("predict", run, new)

    assert tuned.code == 0, tuned.err
    assert [json.loads(line)["label"] is None for line in ended.out.splitlines()] == [False, True]
    assert ended.err == "1 of 2 rows have nothing to read: their answer is null.\n"


@pytest.mark.parametrize("marks", [("0", "1"), ("False", "True"), ("no", "yes"), (0, 1), (0.0, 1.0)])
def test_a_column_for_each_label_is_found_and_can_be_named(
    rows: Callable[..., Path], marks: tuple[float | str, float | str]
) -> None:
    def make(text: str, label: str, at: int) -> Row:
        return {
            "text": text,
            "refund": marks[label == "refund"],
            "late": marks[at % 3 == 0],
            "rude": marks[at % 5 == 0],
        }

    found, named = understood(rows(make)), understood(rows(make), "--label", "late,rude")

    assert (found["labels_per_row"], found["labels"], found["left_out"]) == (
        "many",
        ["late", "refund", "rude"],
        0,
    )
    assert found["columns"]["label"] == "refund,late,rude"
    assert (named["labels"], named["unread"]) == (["late", "rude"], ["refund"])


def test_columns_of_which_exactly_one_holds_are_one_label(rows: Callable[..., Path]) -> None:
    names = sorted({label for _, label in ROWS})

    found = understood(
        rows(lambda text, label, at: {"text": text} | {f"label_{name}": int(name == label) for name in names})
    )

    assert (found["labels_per_row"], found["labels"]) == ("one", names)


def test_what_is_no_mark_is_told_with_its_place(rows: Callable[..., Path]) -> None:
    path = rows(lambda text, label, at: {"text": text, "a": at % 2, "b": "maybe" if at == 5 else at % 3 == 0})

    assert check(path, "--label", "a,b").err.splitlines()[-1] == (
        f"{path.name}, line 6: column 'b' holds 'maybe'. Expected 0 or 1 (or true or false, yes or no) in each of the columns "
        "that --label lists, one for each label."
    )
    assert "there is no column 'c', which --label lists." in check(path, "--label", "a,c").err


# What cannot be learnt


def test_many_whole_numbers_are_amounts_by_their_name_or_asked_about(rows: Callable[..., Path]) -> None:
    scores = understood(rows(lambda text, label, at: {"essay": text, "score": at * 7 % 101}))
    asked = check(rows(lambda text, label, at: {"text": text, "label": at % 25}, many=messages(100)))

    assert scores["task"] == "regression"
    assert asked.code == 2
    assert "--task text-classification learns them as labels, --task regression estimates them" in asked.err


def test_few_whole_numbers_are_labels_and_that_is_told(rows: Callable[..., Path]) -> None:
    path = rows(lambda text, label, at: {"text": text, "stars": at % 5 + 1})

    assert understood(path)["labels"] == ["1", "2", "3", "4", "5"]
    assert (
        "the numbers 1 to 5 are taken for 5 labels; --task regression estimates them as numbers."
        in check(path).err
    )


def test_one_set_of_labels_in_all_rows_is_refused(rows: Callable[..., Path]) -> None:
    ended = check(rows(lambda text, label, at: {"text": text, "labels": ["a", "b"]}))

    told = json.loads(ended.out.splitlines()[-1])["findings"][0]["message"]
    assert ended.code == 2
    assert "every row has the same 2 labels in column 'labels', 'a', 'b'." in told


def test_labels_that_number_the_rows_are_refused(rows: Callable[..., Path]) -> None:
    ended = check(rows(lambda text, label, at: {"text": text, "label": f"row {at}"}))

    assert ended.code == 2
    assert "it looks like an identifier" in ended.out


def test_a_column_that_says_the_same_as_the_label_is_told_and_not_read(rows: Callable[..., Path]) -> None:
    numbers = {name: at for at, name in enumerate(sorted({label for _, label in ROWS}))}
    ended = check(rows(lambda text, label, at: {"text": text, "label": numbers[label], "label_text": label}))

    record = json.loads(ended.out.splitlines()[-1])
    assert ended.code == 0
    assert record["understood"]["unread"] == ["label_text"]
    assert [one["message"] for one in record["findings"] if one["check"] == "label-column"] == [
        "Column 'label_text' says the same as 'label', in other words, and is not read."
    ]


# Layouts of public tables


def told(path: Path, *options: str) -> tuple[str, str]:
    """The task and the columns in a few words, or why not."""
    ended = check(path, *options)
    if ended.code == 2:
        return "refused", ended.err + ended.out
    record = json.loads(ended.out.splitlines()[-1])["understood"]
    return record["task"], " ".join(record["columns"].values())


NUMBERED = ["27", "4,27", "25", "3", "4", "1,3,25", "1", "3,4"]


def test_numbers_of_several_labels_a_cell_are_labels_and_no_decimal_commas(rows: Callable[..., Path]) -> None:
    found = understood(rows(lambda text, label, at: {"text": text, "mood": NUMBERED[at % 8]}))

    assert (found["task"], found["labels_per_row"]) == ("text-classification", "many")
    assert found["labels"] == ["1", "3", "4", "25", "27"]


def test_a_column_named_as_several_labels_holds_them_in_any_order(rows: Callable[..., Path]) -> None:
    found = understood(
        rows(lambda text, label, at: {"text": text, "codes": ["3,1", "2", "1,2", "3"][at % 4]})
    )

    assert (found["labels_per_row"], found["labels"]) == ("many", ["1", "2", "3"])


def test_whole_numbers_with_commas_that_may_be_labels_or_decimals_are_asked_about_and_each_remedy_works(
    rows: Callable[..., Path],
) -> None:
    path = rows(lambda text, label, at: {"text": text, "preis": ["27", "4,27", "3", "2,3", "2", "4"][at % 6]})

    task, why = told(path)

    assert task == "refused"
    assert "'4,27', which may be the numbers of several labels or one number with a decimal comma" in why
    assert understood(path, "--labels-per-row", "many")["labels"] == ["2", "3", "4", "27"]
    assert told(path, "--task", "regression", "--decimal", "comma") == ("regression", "text preis")


def test_who_says_that_rows_have_many_labels_gets_no_regression(rows: Callable[..., Path]) -> None:
    path = rows(lambda text, label, at: {"text": text, "score": f"{at % 12},{at % 7}"})

    assert told(path)[0] == "regression"
    assert understood(path, "--labels-per-row", "many")["task"] == "text-classification"


@pytest.mark.parametrize(
    "names",
    [
        *(("text", "text_b"), ("left", "right"), ("src", "tgt"), ("sentA", "sentB"), ("q1", "q2")),
        *(("claim", "evidence"), ("headline", "body"), ("#1 String", "#2 String")),
    ],
)
def test_two_texts_whose_names_say_so_are_a_pair(rows: Callable[..., Path], names: tuple[str, ...]) -> None:
    first, second = names
    path = rows(lambda text, label, at: {first: text, second: f"It is said: {label}.", "label": at % 2})

    assert told(path) == ("pair-classification", f"{first} {second} label")


def test_a_pair_may_have_its_label_under_another_name(rows: Callable[..., Path]) -> None:
    path = rows(lambda text, label, at: {"Quality": at % 2, "q1": text, "q2": f"It is said: {label}."})

    assert told(path) == ("pair-classification", "q1 q2 Quality")


def test_columns_of_single_words_with_the_names_of_a_pair_are_none(rows: Callable[..., Path]) -> None:
    path = rows(lambda text, label, at: {"text": text, "source": "web", "target": label})

    assert told(path) == ("text-classification", "text target")


def test_two_texts_of_like_length_without_telling_names_are_asked_about_and_the_remedy_works(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bare.csv"
    path.write_text(
        "".join(f'"{text}","{text[::-1]} it is","{at % 3}"\n' for at, (text, _) in enumerate(ROWS))
    )

    assert "'column 1' and 'column 2' both hold texts, of like length" in told(path)[1]
    pair = told(path, "--text", "column 1", "--text2", "column 2")
    assert pair == ("pair-classification", "column 1 column 2 column 3")


def test_a_score_and_a_judgement_of_the_same_pair_are_asked_about(rows: Callable[..., Path]) -> None:
    path = rows(
        lambda text, label, at: {
            "sentence_A": text,
            "sentence_B": f"It is said: {label}.",
            "relatedness_score": at % 13 / 3,
            "entailment_judgment": label,
        }
    )

    assert "several columns may be what is to be learnt: 'relatedness_score'" in told(path)[1]
    assert told(path, "--label", "entailment_judgment")[0] == "pair-classification"
    assert told(path, "--label", "relatedness_score")[0] == "regression"


ENDINGS = ["goes out of the door", "sings a song", "falls asleep", "reads the letter"]
CHOICES: dict[str, Callable[[str, int], Row]] = {
    "endings": lambda text, at: {
        "startphrase": text,
        **{f"ending{n}": f"{ENDINGS[n]} at {at}" for n in range(4)},
        "label": at % 4,
    },
    "letters": lambda text, at: {
        "question": text,
        **{"ABCD"[n]: f"{ENDINGS[n]} at {at}" for n in range(4)},
        "answer": "ABCD"[at % 4],
    },
    "a list": lambda text, at: {
        "question": text,
        "choices": [f"{one} at {at}" for one in ENDINGS],
        "answer": at % 4,
    },
    "a list with letters": lambda text, at: {
        "question": text,
        "choices": {"text": [f"{one} at {at}" for one in ENDINGS], "label": ["A", "B", "C", "D"]},
        "answerKey": "ABCD"[at % 4],
    },
    "two": lambda text, at: {
        "goal": text,
        "sol1": f"It {ENDINGS[at % 4]} at {at}",
        "sol2": f"It {ENDINGS[at % 3]} by {at}",
        "label": at % 2,
    },
}


@pytest.mark.parametrize("form", CHOICES)
def test_multiple_choice_is_refused_by_its_name(rows: Callable[..., Path], form: str) -> None:
    task, why = told(rows(lambda text, label, at: CHOICES[form](text, at)))

    assert task == "refused"
    assert "questions of multiple choice" in why
    assert "No task here learns to choose" in why
    assert "name both --text and --label" in why


def test_labels_most_of_which_occur_once_are_told_as_such(rows: Callable[..., Path]) -> None:
    once = {3: ["a", "b"], 4: ["a", "b"]}
    path = rows(lambda text, label, at: {"text": text, "labels": once.get(at, [f"{at}", f"or {at}"])})

    why = told(path)[1]

    assert "58 of 60 rows have a label in column 'labels' that no other row has" in why
    assert "every row has the same" not in why


def test_a_few_decimals_that_nearly_all_differ_are_estimated(rows: Callable[..., Path]) -> None:
    scores = ["5.000", "3.800", "3.800", "2.600", "4.250", "4.250", "0.500", "1.600", "2.200"]
    path = rows(lambda text, label, at: {"text": text, "score": scores[at]}, many=ROWS[:9])

    assert told(path) == ("regression", "text score")


def test_where_most_rows_are_left_out_deleting_them_is_no_remedy(rows: Callable[..., Path]) -> None:
    path = rows(lambda text, label, at: {"text": text, "label": label if at % 3 == 0 else None})

    why = told(path)[1]

    assert "a column was probably misread" in why
    assert "--fix empty" not in why


def test_a_table_without_texts_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    lands, names = ["Italy", "France", "Spain", "US"], ["Roger Voss", "Ann Lima"]
    path.write_text("".join(f"{lands[at % 4]},{80 + at % 9},{names[at % 2]}\n" for at in range(40)))

    assert "none holds several words in most rows, and mostly different ones" in told(path)[1]


@pytest.mark.parametrize(
    ("tag", "examples"), [("tag", "patterns"), ("intent", "examples"), ("name", "speeches")]
)
def test_labels_with_lists_of_examples_are_a_row_for_each_example(
    tmp_path: Path, tag: str, examples: str
) -> None:
    labels = sorted({label for _, label in ROWS})
    own = [{tag: one, examples: [text for text, label in ROWS if label == one]} for one in labels]
    path = tmp_path / "intents.json"
    path.write_text(json.dumps({"intents": own}))

    found = understood(path)

    assert (found["task"], found["labels"], found["columns"]) == (
        "text-classification",
        labels,
        {"text": "text", "label": tag},
    )
    assert found["rows"] == 60
    assert f"with lists in '{examples}' are read as 60 rows, one for each item" in check(path).err


def test_lines_with_the_tag_first_are_read_as_words_and_tags(tmp_path: Path) -> None:
    path = tmp_path / "first.conll"
    path.write_text("\n".join(f"B-LOC Turin\nO is\nO large{at}\n" for at in range(24)))

    found = understood(path)

    assert found["columns"] == {"text": "tokens", "label": "tags"}
    assert found["labels"] == ["LOC"]
    assert "number 2 is read as the token, number 1 as the tag" in check(path).err


def test_no_column_gives_a_label_away_where_rows_are_read_without_labels(rows: Callable[..., Path]) -> None:
    path = rows(lambda text, label, at: {"text": text, "label": label})

    found = json.loads(check(path, "--task", "adaptation").out.splitlines()[-1])

    assert found["understood"]["task"] == "adaptation"
    assert [one["message"] for one in found["findings"] if one["check"] == "label-column"] == []
