"""What is special to questions: windows, where answers may stand, no answer at all, how sure an answer is."""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from known import Known
from luthier.batches.examples import Batch, Variation
from luthier.batches.passages import END, START, Gold, Passage
from luthier.batches.text_examples import TextExamples
from luthier.candidates.tuned import cloze
from luthier.data.annotations.answer_places import ABSENT, MOVED
from luthier.errors import DataError, PlanError
from luthier.events import Advanced, Event, Noted, Started, Stepped
from luthier.folder.model_folder import ModelFolder
from luthier.forms import FORMS
from luthier.hashes import hash_file
from luthier.models.hub.inspect import inspect_folder
from luthier.models.readers.questions import MOST_QUESTION, read_questions, without_white_space
from luthier.models.readers.texts import Texts
from luthier.plan.plan import Plan
from luthier.prepare.prepare import Prepared, prepare
from luthier.prepare.rows import look_over, understand
from luthier.scores import answers as scores_of
from luthier.searching.folder import SearchFolder
from luthier.steps.statements import statements
from luthier.steps.tune import tune
from luthier.tasks.calibration import Calibration
from luthier.tasks.outputs import Logits
from luthier.tasks.question_answering.overlap import nearest_sentence
from luthier.tasks.question_answering.spans import FAR, Found, Said, Spans, best_answer, said_of
from luthier.tasks.question_answering.task import QuestionAnswering
from luthier.train import sparse_embedding
from present import present
from tiny import PLAIN, messages_csv, questions_jsonl, write_jsonl

TASK = QuestionAnswering()
QUESTION = "is it my order"


def plan_for(data: Path, model: Path | str = "none", **settings: Any) -> Plan:
    return Plan.build({"data.path": str(data), "model.name": str(model), **settings})


def padding(count: int = 40) -> list[dict[str, Any]]:
    return [
        {"context": f"Row {at} tells of Turin.", "question": "Where?", "answers": {"text": ["Turin"], "answer_start": [16]}}
        for at in range(10, 10 + count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def texts(bert: Path) -> Texts:
    return Texts(inspect_folder("bert", bert))


def golds(*rows: Gold | Said) -> np.ndarray:
    made = np.empty(len(rows), object)
    made[:] = rows
    return made


def long_context(words: int = 150) -> tuple[str, list[int]]:
    """A text of that many words, a token each, and where each begins."""
    chosen = [PLAIN[(at * 5 + at // 14) % 14] for at in range(words)]
    starts = np.cumsum([0, *(len(word) + 1 for word in chosen)]).tolist()
    return " ".join(chosen), starts[:-1]


def answer_of(context: str, starts: list[int], first: int, last: int) -> Gold:
    """The words from `first` to `last`, both included."""
    end = starts[last + 1] - 1 if last + 1 < len(starts) else len(context)
    return Gold((context[starts[first] : end],), (starts[first],))


# Rows


def test_an_answer_beside_its_start_is_moved_and_told_of(tmp_path: Path) -> None:
    odd = {
        "context": "It was in Rome.",
        "question": "Where?",
        "answers": {"text": ["Rome"], "answer_start": [8]},
    }
    rows = understand(plan_for(write_jsonl(tmp_path / "rows.jsonl", [*padding(), odd])))

    told = [one for one in look_over(rows, ()) if one.check == "repairs"]

    assert [one.message for one in told] == [f"1 row has {MOVED}."]
    assert [row["row"] for row in told[0].rows] == [41]
    assert rows.targets(np.array([40]))[0] == Gold(("Rome",), (10,))


def test_a_row_whose_answer_is_not_in_its_text_is_left_out_and_told_of(tmp_path: Path) -> None:
    odd = {
        "context": "It was in Rome.",
        "question": "Where?",
        "answers": {"text": ["Oslo"], "answer_start": [10]},
    }
    rows = understand(plan_for(write_jsonl(tmp_path / "rows.jsonl", [*padding(), odd])))

    assert rows.understood.unusable.empty_label.tolist() == [40]
    assert rows.left_out == {"empty": 1}
    assert f"1 row has {ABSENT}." in [one.message for one in look_over(rows, ())]


def test_rows_with_one_text_stay_on_one_side_of_the_split(tmp_path: Path) -> None:
    made = [
        {"context": f"Text {at // 4} is of Turin.", "question": f"Where is it, {at}?", "answers": "Turin"}
        for at in range(120)
    ]
    rows = understand(plan_for(write_jsonl(tmp_path / "rows.jsonl", made)))

    sides = [{row // 4 for row in getattr(rows.split, part).tolist()} for part in ("train", "valid", "test")]

    assert all(one.isdisjoint(two) for one, two in combinations(sides, 2))


def test_unanswerable_questions_are_spread_over_all_parts(tmp_path: Path) -> None:
    rows = understand(plan_for(questions_jsonl(tmp_path / "rows.jsonl", 100)))

    for part in ("train", "valid", "test"):
        share = np.mean([not gold.texts for gold in rows.targets(getattr(rows.split, part))])
        assert 0.1 <= share <= 0.3


@pytest.mark.parametrize("given", ["a text", ("one",), ("one", 2), {"question": "Where?"}, 3])
def test_what_is_no_question_with_its_text_is_refused(given: object) -> None:
    with pytest.raises(DataError) as error:
        FORMS["question"].given([("q", "c"), given])

    assert str(error.value) == (
        f"row 1: {given!r} is not a question with its text. Give (question, text), or an object with `question` and "
        "`context`."
    )


def test_a_pair_and_an_object_are_the_same_row() -> None:
    one, two = FORMS["question"].given(
        [("Where?", "In Rome."), {"context": "In Rome.", "question": "Where?"}]
    )

    assert (one.question, one.context) == (two.question, two.context) == ("Where?", "In Rome.")


@pytest.mark.slow
def test_questions_have_no_probe(bert: Path, tmp_path: Path) -> None:
    data = questions_jsonl(tmp_path / "rows.jsonl", 40)

    for settings, key in (({"method": "probe"}, "train.method"), ({"train.head": "shrunk"}, "train.head")):
        with pytest.raises(PlanError) as error:
            prepare(plan_for(data, bert, **settings))

        assert str(error.value) == (
            f"{key}: question-answering has no probe, as no linear head on frozen features does it. Leave it out."
        )


# Questions to tokens


def test_the_tokens_of_the_text_and_the_first_one_may_answer_and_no_others(texts: Texts) -> None:
    row, gold = Passage("my order", "the parcel is xyz"), Gold(("parcel is",), (4,))

    examples, _ = read_questions(texts, [row], golds(gold), "windows")

    spelt = texts.tokenizer.convert_ids_to_tokens(examples.ids)
    assert spelt == [
        "[CLS]", "my", "order", "[SEP]", "the", "parcel", "is", "x", "##y", "##z", "[SEP]",
    ]  # fmt: skip
    assert present(examples.tokens).marks.tolist() == [0, -1, -1, -1, 0, START, END, 0, 0, 0, -1]
    assert present(examples.types).tolist() == [0] * 4 + [1] * 7
    places = present(examples.sources)[0].places
    assert [row.context[begin:end] for begin, end in places[4:10]] == ["the", "parcel", "is", "x", "y", "z"]


def test_an_answer_of_one_token_begins_and_ends_there_and_none_is_the_first_token(texts: Texts) -> None:
    rows = [Passage("my order", "the parcel is")] * 2

    examples, _ = read_questions(texts, rows, golds(Gold(("parcel",), (4,)), Gold()), "windows")

    assert present(examples.tokens).marks.tolist() == [
        *[0, -1, -1, -1, 0, START | END, 0, -1],
        *[START | END, -1, -1, -1, 0, 0, 0, -1],
    ]


def test_an_answer_inside_a_word_is_learnt_as_the_tokens_that_hold_it(texts: Texts) -> None:
    examples, _ = read_questions(texts, [Passage("my", "wxyz")], golds(Gold(("xy",), (1,))), "windows")

    assert present(examples.tokens).marks.tolist() == [0, -1, -1, 0, START, END, 0, -1]


def test_each_window_begins_with_the_question_and_overlaps_with_the_next_by_a_third(texts: Texts) -> None:
    context, _ = long_context()

    examples, long = read_questions(texts, [Passage(QUESTION, context)], golds(Gold()), "windows")

    passage, question = present(examples.sources)[0], 4
    assert long.limit == 62
    assert long.lengths.tolist() == [150 + question + 3]
    assert long.tokens == 150 + question + 3 - 62
    assert passage.parts.tolist() == examples.ends.tolist()
    seen = []
    for begin, end in pairwise(passage.parts):
        assert end - begin <= 62
        assert texts.tokenizer.convert_ids_to_tokens(examples.ids[begin + 1 : begin + 5]) == QUESTION.split()
        seen.append([tuple(place) for place in passage.places[begin:end] if place[1] > place[0]])
    assert len({place for window in seen for place in window}) == 150
    for one, two in pairwise(seen):
        assert one[-20:] == two[:20]


def test_a_window_without_the_whole_answer_points_at_its_first_token(texts: Texts) -> None:
    context, starts = long_context()
    gold = answer_of(context, starts, 50, 57)  # the first window ends with word 54

    examples, _ = read_questions(texts, [Passage(QUESTION, context)], golds(gold), "windows")

    marks = [present(examples.tokens).marks[begin:end] for begin, end in pairwise(examples.ends)]
    holding = [at for at, own in enumerate(marks) if own[0] == 0]
    assert holding == [1]
    for at, own in enumerate(marks):
        assert sorted(own[own > 0].tolist()) == ([START, END] if at == 1 else [START | END])
    begin = examples.ends[1]
    first, last = (begin + int(np.argmax((marks[1] > 0) & (marks[1] & bit > 0))) for bit in (START, END))
    passage = present(examples.sources)[0]
    assert context[passage.places[first][0] : passage.places[last][1]] == gold.texts[0]


def test_only_the_first_window_is_read_where_texts_are_cut(texts: Texts) -> None:
    context, starts = long_context()
    gold = answer_of(context, starts, 100, 101)

    examples, long = read_questions(texts, [Passage(QUESTION, context)], golds(gold), "cut")

    assert (len(examples.ends), long.rows) == (2, 1)
    assert present(examples.tokens).marks[0] == START | END
    assert long.lengths.tolist() == [157]


def test_texts_that_are_too_long_are_refused_where_asked(texts: Texts) -> None:
    with pytest.raises(DataError) as error:
        read_questions(texts, [Passage(QUESTION, long_context()[0])], golds(Gold()), "refuse")

    assert str(error.value) == (
        "1 of 1 questions with their texts are longer than the 62 tokens of a window. Use --long windows."
    )


def test_a_question_that_takes_most_of_a_window_is_refused(texts: Texts) -> None:
    question = " ".join(["the"] * 40)

    with pytest.raises(DataError) as error:
        read_questions(texts, [Passage(question, "my parcel")], golds(Gold()), "windows")

    assert str(error.value) == (
        f"The question {question[:60]!r}... has 42 tokens, and a window of this model 62: no room is left for the text. "
        "Shorten it, or swap the columns (--text for the text, --question for the question)."
    )


def test_some_rows_alone_are_as_they_are_among_all(texts: Texts) -> None:
    context, starts = long_context()
    rows = [Passage("my", "the parcel"), Passage(QUESTION, context), Passage("a", "is it")]
    targets = golds(Gold(("parcel",), (4,)), answer_of(context, starts, 70, 71), Gold())
    examples, _ = read_questions(texts, rows, targets, "windows")

    chosen = examples.select(np.array([2, 1]))
    alone, _ = read_questions(texts, [rows[2], rows[1]], targets[[2, 1]], "windows")

    for name in ("ids", "ends", "first_part", "types"):
        assert getattr(chosen, name).tolist() == getattr(alone, name).tolist()
    assert present(chosen.tokens).marks.tolist() == present(alone.tokens).marks.tolist()
    assert present(chosen.unit_ends).tolist() == present(alone.unit_ends).tolist()


def thinned_rows(texts: Any) -> TextExamples:
    """A long text with an answer in one window, one without an answer, and a short one."""
    context, starts = long_context(400)
    rows = [Passage(QUESTION, context), Passage(QUESTION, context), Passage("my", "the parcel")]
    targets = golds(answer_of(context, starts, 200, 201), Gold(), Gold(("parcel",), (4,)))
    examples, _ = read_questions(texts, rows, targets, "windows")
    return replace(examples, few=2)


def windows_of(batch: Batch, row: int) -> set[tuple[int, ...]]:
    """Token numbers of the windows of a row."""
    ids, there = batch.inputs["input_ids"], batch.inputs["attention_mask"].bool()
    return {tuple(ids[part][there[part]].tolist()) for part in torch.where(batch.part_of == row)[0]}


def test_an_epoch_reads_the_windows_with_the_answer_and_a_few_others_of_each_row(texts: Texts) -> None:
    examples = thinned_rows(texts)
    whole = examples.batch(np.arange(3))
    marks = present(examples.tokens).marks

    epochs = [examples.batch(np.arange(3), Variation(0, epoch)) for epoch in range(60)]

    holding = [int((marks[begin + 1 : end] > 0).any()) for begin, end in pairwise(examples.ends)]
    first = int(np.diff(examples.first_part)[0])
    assert first > 8
    answers = sum(holding[:first])
    assert answers in (1, 2)
    for batch in epochs:
        assert np.bincount(batch.part_of).tolist() == [answers + 2, 2, 1] == examples.counts.tolist()
        assert windows_of(batch, 0) <= windows_of(whole, 0)
        inside = present(batch.marks)[:, 1:]
        assert int(((inside > 0) & (inside & START > 0)).sum()) == answers + 1
    assert set.union(*(windows_of(batch, 1) for batch in epochs)) == windows_of(whole, 1), (
        "in time all are read"
    )
    assert examples.varies
    assert not replace(examples, few=None).varies
    assert not replace(examples, few=99).varies


def test_which_windows_are_read_depends_on_seed_epoch_and_row_alone(texts: Texts) -> None:
    examples = thinned_rows(texts)
    how = Variation(3, 1)

    whole = examples.batch(np.arange(3), how)

    for row in range(3):
        assert windows_of(examples.batch(np.array([row]), how), 0) == windows_of(whole, row)
    assert windows_of(whole, 1) != windows_of(examples.batch(np.arange(3), Variation(4, 1)), 1)
    assert windows_of(whole, 1) != windows_of(examples.batch(np.arange(3), Variation(3, 2)), 1)


def test_a_thinned_row_counts_as_what_is_read_of_it(texts: Texts) -> None:
    examples = thinned_rows(texts)

    batch = examples.batch(np.array([0]), Variation(0, 0))

    assert examples.lengths[0] == batch.inputs["input_ids"].numel()
    assert examples.shapes([np.array([0])])[0].tolist() == [batch.inputs["input_ids"].numel()]
    assert examples.amount < replace(examples, few=None).amount == len(examples.ids)


# The loss


class Fixed:
    """A model that always gives these logits."""

    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits

    def __call__(self, batch: Any) -> torch.Tensor:
        return self.logits


def test_the_loss_is_the_log_loss_over_the_first_token_and_those_of_the_text(texts: Texts) -> None:
    rows = [Passage("my order", "the parcel is xyz"), Passage("it", "a guitar")]
    targets = golds(Gold(("parcel is",), (4,)), Gold())
    examples, _ = read_questions(texts, rows, targets, "windows")
    batch = examples.batch(np.array([0, 1]))
    logits = torch.randn(
        2, present(batch.marks).shape[1], 2, generator=torch.manual_seed(0), requires_grad=True
    )

    loss = TASK.loss(Fixed(logits), batch)

    able = [[0, 4, 5, 6, 7, 8, 9], [0, 3, 4]]
    wanted = [(5, 6), (0, 0)]
    expected = 0.0
    for row in range(2):
        for at in range(2):
            logs = logits.detach()[row, able[row], at].log_softmax(0)
            expected -= float(logs[able[row].index(wanted[row][at])]) / 2
    assert loss.weight == 2
    assert loss.total.item() == pytest.approx(expected, rel=1e-6)
    flat = logits.detach()[batch.inputs["attention_mask"].bool()].numpy()
    assert TASK.mean_loss(Logits(flat), examples) == pytest.approx(expected / 2, rel=1e-6)
    loss.total.backward()
    touched = present(logits.grad).abs().sum(-1) > 0
    assert [np.flatnonzero(row).tolist() for row in touched.numpy()] == able


def test_each_window_is_learnt_from_by_itself(texts: Texts) -> None:
    examples, _ = read_questions(texts, [Passage(QUESTION, long_context()[0])], golds(Gold()), "windows")
    batch = examples.batch(np.array([0]))

    loss = TASK.loss(Fixed(torch.zeros(*present(batch.marks).shape, 2)), batch)

    assert loss.weight == len(examples.ends) - 1 > 2
    able = [(own >= 0).sum() for own in present(batch.marks)]
    assert float(loss.total) == pytest.approx(sum(math.log(count) for count in able), rel=1e-6)


# Answers


def one_window(words: int, question: int = 2) -> Passage:
    """A passage in one window: first token, question, separator, words of one letter (no article), separator."""
    context = " ".join("bcdefghijklmnopqrstuvwxyz"[at % 25] for at in range(words))
    places = [(0, 0)] * (question + 2) + [(2 * at, 2 * at + 1) for at in range(words)] + [(0, 0)]
    return Passage("?", context, np.array(places, np.int32), np.array([0, len(places)]))


@pytest.mark.parametrize("seed", range(6))
def test_the_best_answer_is_the_best_of_all_spans(seed: int) -> None:
    passage = one_window(12)
    logits = np.random.default_rng(seed).normal(size=(17, 2)).astype(np.float32)

    found = best_answer(passage, logits, Calibration())

    spans = {
        (first, last): float(logits[4 + first, 0]) + float(logits[4 + last, 1])
        for first in range(12)
        for last in range(first, 12)
    }
    ranked = sorted(spans.values(), reverse=True)
    best = max(spans, key=lambda span: spans[span])
    null = float(logits[0].sum())
    assert (found.start, found.end) == (2 * best[0], 2 * best[1] + 1)
    assert found.text == passage.context[found.start : found.end]
    assert found.margin == pytest.approx(null - ranked[0], abs=1e-6)
    assert found.lead == pytest.approx(ranked[0] - max(ranked[1], null), abs=1e-6)
    assert found.probability == pytest.approx(1 / (1 + math.exp(-found.lead)), abs=1e-6)


def test_an_answer_never_ends_before_it_begins_nor_is_it_too_long() -> None:
    passage = one_window(100)
    logits = np.zeros((105, 2), np.float32)
    logits[4 + 80, 0], logits[4 + 10, 1] = 9, 9  # backwards
    assert best_answer(passage, logits, Calibration()).margin == pytest.approx(-9)

    logits = np.zeros((105, 2), np.float32)
    logits[4 + 10, 0], logits[4 + 40, 1] = 9, 9
    assert best_answer(passage, logits, Calibration()).end == 2 * 40 + 1
    assert best_answer(passage, logits, Calibration(), longest=60).margin == pytest.approx(-9), (
        "61 characters"
    )

    logits[4 + 39, 1] = 8
    found = best_answer(passage, logits, Calibration(), longest=60)
    assert (found.start, found.end) == (20, 2 * 39 + 1)


def test_answers_are_as_long_as_nearly_all_of_those_in_the_training_rows(tmp_path: Path) -> None:
    rows = understand(plan_for(questions_jsonl(tmp_path / "rows.jsonl", 100)))
    task, seen = rows.task, golds(*(Gold(("x" * length,), (0,)) for length in [*range(1, 101), 500]))

    own = [len(gold.texts[0]) for gold in rows.targets(rows.split.train) if gold.texts]
    assert isinstance(task, QuestionAnswering)
    assert task.longest == math.ceil(np.quantile(own, 0.99))
    assert task.having_seen(seen).longest == 100, "but for one in a hundred"
    assert QuestionAnswering.from_json(task.to_json()) == task


def test_where_no_span_is_short_enough_a_longer_one_is_given() -> None:
    passage = Passage("?", "seventeen", np.array([(0, 0), (0, 9), (0, 0)], np.int32), np.array([0, 3]))

    assert best_answer(passage, np.zeros((3, 2), np.float32), Calibration(), longest=4).text == "seventeen"


def test_white_space_that_a_tokenizer_counts_to_a_word_is_no_part_of_it() -> None:
    places = np.array([(0, 0), (0, 2), (2, 6), (6, 12), (12, 14)])

    found = without_white_space(places, "In the  middle")

    assert found.tolist() == [[0, 0], [0, 2], [3, 6], [8, 12], [12, 14]]


def test_a_model_saved_before_answers_had_a_length_gives_any() -> None:
    record = {key: value for key, value in TASK.to_json().items() if key != "longest"}

    assert QuestionAnswering.from_json(record).longest is None


def test_the_question_is_never_the_answer() -> None:
    passage = one_window(5)
    logits = np.zeros((10, 2), np.float32)
    logits[1:3] = 50

    assert best_answer(passage, logits, Calibration()).margin == pytest.approx(0)


def test_a_passage_without_a_token_to_answer_with_has_no_answer() -> None:
    passage = one_window(0)

    assert best_answer(passage, np.zeros((5, 2), np.float32), Calibration()) == Found(
        "", -1, -1, FAR, 0.0, 0.0, 1.0
    )


def test_an_answer_is_found_in_whatever_window_it_stands(texts: Texts) -> None:
    context, starts = long_context()
    examples, _ = read_questions(texts, [Passage(QUESTION, context)], np.zeros(1, np.int64), "windows")
    passage = present(examples.sources)[0]
    logits = np.zeros((examples.units, 2), np.float32)
    wanted = [(starts[at], starts[at] + len(context[starts[at] :].split()[0])) for at in (140, 142)]
    places = [tuple(place) for place in passage.places]
    logits[places.index(wanted[0]), 0] = 4
    logits[places.index(wanted[1]), 1] = 3
    logits[passage.parts[:-1]] = [[-1, -1], [2, 2], [-5, -5], [0, 0]][: len(passage.parts) - 1]

    found = TASK.found(Logits(logits), Calibration(), examples)[0]

    assert (found.start, found.end) == (wanted[0][0], wanted[1][1])
    assert found.text == " ".join(context.split()[140:143])
    assert found.margin == pytest.approx(-10 - 7), "the least 'no answer' of all windows counts"


def test_the_same_answer_in_two_windows_is_no_rival_of_itself() -> None:
    context = "a b c"
    places = np.array([(0, 0), (0, 1), (2, 3), (0, 0), (2, 3), (4, 5)], np.int32)
    passage = Passage("?", context, places, np.array([0, 3, 6]))
    logits = np.zeros((6, 2), np.float32)
    logits[2], logits[4] = 3, 2.5  # `b` in both windows
    logits[[0, 3]] = -9

    found = best_answer(passage, logits, Calibration())

    assert found.text == "b"
    assert found.lead == pytest.approx(3.0)


# No answer


def found_with(margins: list[float], texts: list[str] | None = None) -> tuple[Found, ...]:
    return tuple(
        Found(text, 0, len(text), margin, -margin, probability=0.5, silence=0.25)
        for margin, text in zip(margins, texts or ["yes"] * len(margins), strict=True)
    )


def saying(*said: Said) -> Spans:
    """Answers of which only what is said matters."""
    return Spans((), said)


def test_nothing_is_answered_beyond_the_threshold() -> None:
    found = found_with([-2.0, -0.5, 0.5], ["one", "two", "three"])

    def said(threshold: float) -> list[str]:
        return [one.text for one in said_of(found, Calibration(thresholds=(threshold,)))]

    assert said(-0.5) == ["one", "two", ""]
    assert said(FAR) == ["one", "two", "three"]
    assert [one.text for one in said_of(found, Calibration())] == ["one", "two", ""]
    assert said_of(found, Calibration())[2] == Said("", -1, -1)


def known(passages: list[Passage], targets: np.ndarray) -> Known:
    """Examples of passages in one window each, with their right answers."""
    sources = np.empty(len(passages), object)
    sources[:] = passages
    return Known(targets, sources, np.cumsum([0, *(len(passage.places) for passage in passages)]))


def noisy(rows: int, seed: int = 0, answerable: float = 0.7) -> tuple[Logits, Known]:
    """Logits that are right more often than not, and the examples they are of."""
    random = np.random.default_rng(seed)
    passages, targets, logits = [], [], []
    for _ in range(rows):
        passage, own = one_window(6), random.normal(size=(11, 2)).astype(np.float32)
        has_one = random.random() < answerable
        at = int(random.integers(6))
        own[4 + at if has_one else 0] += 2.0
        passages.append(passage)
        logits.append(own)
        targets.append(Gold((passage.context[2 * at],), (2 * at,)) if has_one else Gold())
    return Logits(np.concatenate(logits)), known(passages, golds(*targets))


def test_the_threshold_is_the_best_one_on_the_validation_rows() -> None:
    logits, known = noisy(60)

    threshold = TASK.calibrating.decide(Calibration(), logits, known).thresholds[0]

    def score(at: float) -> float:
        return TASK.score(TASK.answer(logits, Calibration(thresholds=(at,)), known), known.targets)

    margins = [one.margin for one in TASK.found(logits, Calibration(), known)]
    assert score(threshold) == max(score(at) for at in [min(margins) - 1, *margins])
    assert score(threshold) > score(FAR)


def test_where_every_question_has_an_answer_one_is_always_given() -> None:
    logits, known = noisy(40, answerable=1.0)

    calibration = TASK.calibrating.decide(Calibration(), logits, known)

    said = TASK.answer(logits, calibration, known)
    assert calibration.thresholds == (FAR,)
    assert all(said.texts)


def test_a_threshold_keeps_the_calibration_that_was_fitted() -> None:
    logits, known = noisy(40)
    fitted = TASK.calibrating.fit(logits, known)

    both = TASK.calibrating.decide(fitted, logits, known)

    assert (both.scale, both.bias) == (fitted.scale, fitted.bias)


def test_the_chance_of_an_answer_is_platts_line_through_its_lead() -> None:
    logits, known = noisy(300)

    calibration = TASK.calibrating.fit(logits, known)

    found = TASK.found(logits, calibration, known)
    leads = np.array([one.lead for one in found])
    right = np.array(
        [scores_of.exact_match(one.text, gold.texts) for one, gold in zip(found, known.targets, strict=True)]
    )
    scale, bias = calibration.scale[0], calibration.bias[0]
    chances = 1 / (1 + np.exp(-(scale * leads + bias)))
    assert [one.probability for one in found] == pytest.approx(chances.tolist())

    def loss(scale: float, bias: float) -> float:
        """Log loss against Platt's smoothed truth."""
        yes, no = right.sum(), len(right) - right.sum()
        truth = np.where(right > 0, (yes + 1) / (yes + 2), 1 / (no + 2))
        line = scale * leads + bias
        return float((np.logaddexp(0, line) - truth * line).mean())

    assert scale > 0
    for step in (-0.01, 0.01):
        assert loss(scale + step, bias) > loss(scale, bias) < loss(scale, bias + step)
    assert chances.mean() == pytest.approx(right.mean(), abs=0.02)


def test_how_sure_it_is_that_there_is_no_answer_is_a_line_through_the_margin() -> None:
    logits, known = noisy(300)

    calibration = TASK.calibrating.fit(logits, known)

    found = TASK.found(logits, calibration, known)
    margins, silences = np.array([(one.margin, one.silence) for one in found]).T
    unanswerable = np.array([not gold.texts for gold in known.targets])
    line = calibration.scale[1] * margins + calibration.bias[1]
    assert silences == pytest.approx(1 / (1 + np.exp(-line)))
    assert silences.mean() == pytest.approx(unanswerable.mean(), abs=0.02)
    surer = silences > np.median(silences)
    assert unanswerable[surer].mean() > 2 * unanswerable[~surer].mean()


def test_where_all_questions_have_answers_no_line_is_drawn_to_silence() -> None:
    logits, known = noisy(100, answerable=1.0)

    calibration = TASK.calibrating.fit(logits, known)

    assert (calibration.scale[1], calibration.bias[1]) == (1.0, 0.0)


def test_how_sure_an_answer_is_stands_beside_how_often_it_is_right() -> None:
    found = found_with([0.0, 0.0, 0.0, 0.0, 1.0], ["Rome", "Oslo", "Oslo", "Oslo", "Rome"])
    chances = zip(found, (0.9, 0.1, 0.1, 0.1, 0.1), strict=True)
    answers = Spans(tuple(replace(one, probability=chance, silence=0.7) for one, chance in chances), ())
    targets = golds(*[Gold(("Rome",), (0,))] * 3, Gold(), Gold())

    told = TASK.calibrating.trust(answers, answers, targets, Calibration())

    bins = [
        (one["count"], one["confidence"], one["accuracy"])
        for one in told["reliability"]["after"]
        if one["count"]
    ]
    # Between them nothing is said, rightly: told is how sure it is of that, not how sure that the answer would be wrong.
    assert bins == [(3, pytest.approx(0.1), 0.0), (1, pytest.approx(0.7), 1.0), (1, pytest.approx(0.9), 1.0)]
    assert told["calibration"]["ece_after"] == pytest.approx((3 * 0.1 + 0.3 + 0.1) / 5)


def test_a_model_that_was_saved_without_a_line_to_silence_is_read_all_the_same() -> None:
    logits, known = noisy(1)

    found = TASK.found(logits, Calibration(scale=(2.0,), bias=(0.5,)), known)[0]

    assert found.probability == pytest.approx(1 / (1 + math.exp(-2 * found.lead - 0.5)))
    assert found.silence == pytest.approx(1 / (1 + math.exp(-found.margin)))


def test_few_rows_calibrate_nothing() -> None:
    logits, known = noisy(19)

    assert TASK.calibrating.fit(logits, known) == Calibration()


def test_the_usual_answer_is_none(texts: Texts) -> None:
    rows = [Passage("my", "the parcel"), Passage(QUESTION, long_context()[0])]
    targets = golds(Gold(("parcel",), (4,)), Gold())
    examples, _ = read_questions(texts, rows, targets, "windows")

    logits = TASK.no_answer(examples, examples)

    said = TASK.answer(logits, Calibration(), examples)
    assert said.said == (Said(), Said())
    assert TASK.score(said, targets) == 0.5


# The rule of thumb

TEXT = "It is in Rome. Her oil is cooked by Ada Neri. It sold."


def by_rule(
    texts: Texts, rows: list[Passage], task: QuestionAnswering = TASK, long: str = "windows"
) -> list[str]:
    """What is answered without a model."""
    examples, _ = read_questions(texts, rows, golds(*[Gold()] * len(rows)), long)
    return task.answer(task.overlap(examples, examples), Calibration(), examples).texts


def test_without_a_model_the_sentence_with_most_of_the_questions_words_answers(texts: Texts) -> None:
    questions = ["Who cooked oil?", "Is it in?", "Wozu?"]

    said = by_rule(texts, [Passage(question, TEXT) for question in questions])

    assert said == ["Her oil is cooked by Ada Neri", "It is in Rome", ""]


def test_it_answers_no_longer_than_the_model_may(texts: Texts) -> None:
    assert by_rule(texts, [Passage("Who cooked oil?", TEXT)], replace(TASK, longest=8)) == ["Ada Neri"]


def test_it_finds_its_sentence_in_whatever_window_it_stands_and_none_that_was_not_read(texts: Texts) -> None:
    words = long_context()[0]
    far = Passage("Who cooked oil?", f"{words}. {TEXT}")

    assert by_rule(texts, [far, far]) == ["Her oil is cooked by Ada Neri"] * 2
    assert by_rule(texts, [far], long="cut") == [""]


def test_a_rare_word_says_more_than_a_frequent_one() -> None:
    text = "A is a b. Violins. A is a c. A is a d."
    (begin, end), share = present(nearest_sentence("A violins?", text))

    assert text[begin:end] == "Violins"
    # A word in k of four sentences weighs log(1 + 4 / k).
    assert share == pytest.approx(np.log(5) / (np.log(5) + np.log(1 + 4 / 3)))


def test_a_text_without_a_word_of_the_question_has_no_nearest_sentence() -> None:
    assert nearest_sentence("Who?", TEXT) is None
    assert nearest_sentence("Who?", "...") is None
    assert nearest_sentence("?", TEXT) is None


# Scores


def test_scores_tell_answerable_and_unanswerable_rows_apart() -> None:
    targets = golds(Gold(("the red tower",), (0,)), Gold(("Rome",), (0,)), Gold(), Gold())
    said = saying(Said("red tower", 0, 9), Said(), Said(), Said("Oslo", 0, 4))

    scores = TASK.scores(said, targets, seed=0)
    details = TASK.details(said, targets)

    assert {name: one.value for name, one in scores.items()} == {
        "f1": 0.5, "exact_match": 0.5, "answerable_f1": 0.5, "unanswerable_accuracy": 0.5,
    }  # fmt: skip
    assert details["answers"] == {
        "right": 2, "partly": 0, "wrong": 1, "silent_though_answerable": 1, "answered_though_unanswerable": 1,
        "unanswerable": 2,
    }  # fmt: skip


def test_the_metric_that_was_asked_for_is_the_score() -> None:
    targets = golds(Gold(("big red tower",), (0,)))
    said = saying(Said("red tower", 0, 9))

    assert TASK.score(said, targets) == pytest.approx(0.8)
    assert QuestionAnswering("exact_match").score(said, targets) == 0


def test_an_answer_tells_where_it_stands_and_none_stands_nowhere() -> None:
    found = found_with([-1.0, 2.0], ["Rome", "Oslo"])

    answers = TASK.lines(Spans(found, said_of(found, Calibration())))

    assert answers == [
        {"answer": "Rome", "start": 0, "end": 4, "probability": 0.5},
        {"answer": "", "start": None, "end": None, "probability": 0.25},
    ]


def test_articles_of_the_language_do_not_count() -> None:
    targets, said = golds(Gold(("die Brücke",), (0,))), saying(Said("Brücke", 0, 6))

    assert QuestionAnswering("exact_match", "de").score(said, targets) == 1
    assert QuestionAnswering("exact_match", "en").score(said, targets) == 0


def test_a_model_that_answers_questions_already_keeps_its_head_and_one_that_does_not_is_told_of(
    bert: Path, tmp_path: Path
) -> None:
    data = questions_jsonl(tmp_path / "rows.jsonl", 40)
    first = {
        "data.path": str(data),
        "model.name": str(bert),
        "train.epochs": 1,
        "run.out": str(tmp_path / "first"),
    }
    fresh = prepare(Plan.build(first))
    list(tune(Plan.build(first)))

    onward = prepare(
        Plan.build(first | {"model.name": str(tmp_path / "first"), "run.out": str(tmp_path / "onward")})
    )

    kept, here = ModelFolder(tmp_path / "first").model.head[-1], onward.model.head[-1]
    assert isinstance(kept, torch.nn.Linear)
    assert isinstance(here, torch.nn.Linear)
    assert torch.equal(here.weight, kept.weight)
    assert torch.equal(here.bias, kept.bias)
    told = [
        [words for words in statements(one) if "never answered questions" in words] for one in (fresh, onward)
    ]
    assert [len(words) for words in told] == [1, 0]
    assert f"and {len(fresh.rows.split.train)} are few to learn it from" in told[0][0]


@pytest.mark.slow
def test_a_run_that_warms_up_goes_on_from_what_other_questions_taught(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    questions_jsonl(tmp_path / "rows.jsonl", 40)
    questions_jsonl(tmp_path / "others.jsonl", 60, seed=1)
    settings = {"data.path": "rows.jsonl", "model.name": str(bert), "train.epochs": 1}

    events = list(tune(Plan.build(settings | {"data.warm_up": "others.jsonl", "run.out": "run"})))

    first = next(Path("runs").iterdir())
    assert f"Warmed up: going on from {first}." in [
        event.text for event in events if isinstance(event, Noted)
    ]
    record = json.loads(Path("run", "scorecard.json").read_text())
    assert (first.name.split("-")[0], record["model"]) == ("others", str(first))
    assert "warm_up" not in Path("run", "plan.toml").read_text()


def test_only_questions_warm_up_and_without_a_budget(bert: Path, tmp_path: Path) -> None:
    questions = questions_jsonl(tmp_path / "rows.jsonl", 40)
    messages = messages_csv(tmp_path / "messages.csv", 40)

    for data, more, told in (
        (
            messages,
            {},
            "data.warm_up: no effect with text-classification; only question-answering warms up. Leave it out.",
        ),
        (
            questions,
            {"run.budget": "1m"},
            "data.warm_up with run.budget: two runs cannot keep one budget. Tune on the warm-up file by a command of its own, "
            "and go on with --model RUN.",
        ),
    ):
        with pytest.raises(PlanError) as error:
            list(
                tune(
                    Plan.build(
                        {"data.path": str(data), "data.warm_up": str(questions), "model.name": str(bert)}
                        | more
                    )
                )
            )
        assert str(error.value) == told


# Cloze questions


@pytest.fixture
def settings(bert: Path, tmp_path: Path) -> dict[str, Any]:
    """A run over ten steps of cloze questions and as many of the user's own."""
    return {
        "data.path": str(questions_jsonl(tmp_path / "rows.jsonl", 60)), "model.name": str(bert), "train.cloze": 80,
        "train.batch_rows": 8, "train.epochs": 2, "train.lr": 1e-3, "run.threads": 1, "run.save_every": "0.001s",
    }  # fmt: skip


def cloze_of(ready: Prepared) -> TextExamples:
    assert isinstance(ready.made, TextExamples)
    return ready.made


def cloze_guess(ready: Prepared) -> str:
    return str(next(one for one in ready.resolved.guesses if one.key == "train.cloze"))


def test_few_questions_are_preceded_by_others_made_of_their_texts(bert: Path, tmp_path: Path) -> None:
    plan = plan_for(questions_jsonl(tmp_path / "rows.jsonl", 60), bert)

    ready = prepare(plan)

    made, rows = len(cloze_of(ready)), len(ready.rows.split.train)
    assert cloze_guess(ready) == (
        f"train.cloze = {made}  (as {rows} are few to learn answering from; --cloze corrects it)"
    )
    assert 0 < made < 4800, "so few texts have no more"
    own = {row.context for row in ready.rows.inputs(ready.rows.split.train)}
    assert {row.context for row in present(cloze_of(ready).sources)} <= own, (
        "texts of held-out rows are not learnt from"
    )
    assert prepare(plan.with_settings({"train.cloze": 0})).made is None
    assert np.array_equal(cloze_of(prepare(ready.plan)).ids, cloze_of(ready).ids), (
        "a resumed run makes the same ones"
    )


def test_none_of_them_is_too_long_for_a_window(bert: Path, tmp_path: Path) -> None:
    context = f"Here {','.join(map(str, range(200)))} are all of the numbers."
    answers = {"text": ["all"], "answer_start": [context.index("all")]}
    odd = [{"context": context, "question": f"Which, {at}?", "answers": answers} for at in range(9)]
    data = questions_jsonl(tmp_path / "rows.jsonl", 40)
    data.write_text(data.read_text() + "".join(json.dumps(row) + "\n" for row in odd))

    ready = prepare(plan_for(data, bert, **{"train.cloze": 200}))

    assert isinstance(ready.base.reader, Texts)
    room, tokenizer = MOST_QUESTION * ready.long.limit, ready.base.reader.tokenizer
    asked = [row.question for row in present(cloze_of(ready).sources)]
    assert all(len(tokenizer(question)["input_ids"]) <= room for question in asked)
    assert np.array_equal(cloze_of(prepare(ready.plan)).ids, cloze_of(ready).ids)


@pytest.mark.parametrize(("made", "times"), [(None, 1.0), (2400, 1.5), (0, 2.0)])
def test_the_more_others_are_made_the_less_often_ones_own_are_gone_through(
    bert: Path, tmp_path: Path, made: int | None, times: float
) -> None:
    plan = plan_for(questions_jsonl(tmp_path / "rows.jsonl", 800), bert, **{"train.cloze": made})

    ready = prepare(plan)

    steps = math.ceil(len(ready.examples["train"]) / present(ready.plan.train.batch_rows))
    assert ready.plan.train.epochs == math.ceil(times * 300 / steps), "300: the floor of the recipe"


def test_where_rows_are_many_they_are_gone_through_as_in_other_tasks(bert: Path, tmp_path: Path) -> None:
    ready = prepare(plan_for(questions_jsonl(tmp_path / "rows.jsonl", 3600), bert))

    assert len(ready.examples["train"]) * 2 > 300 * present(ready.plan.train.batch_rows), (
        "more than the floor reads in two epochs"
    )
    assert (ready.plan.train.epochs, ready.plan.train.cloze) == (2, 0)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"train.lr": "find"}, "with --lr find the rate is found only after cloze questions would need it"),
        ({"train.method": "thaw"}, "with --method thaw the head alone would learn from cloze questions"),
        ({"train.l2_sp": 0.1}, "with --l2-sp weights would be pulled to what cloze questions made of them"),
    ],
)  # fmt: skip
def test_none_are_made_where_they_would_not_help(
    bert: Path, tmp_path: Path, changed: dict[str, float | str], why: str
) -> None:
    plan = plan_for(questions_jsonl(tmp_path / "rows.jsonl", 60), bert, **changed)

    ready = prepare(plan)

    assert (ready.plan.train.cloze, ready.made) == (0, None)
    assert why in cloze_guess(ready)
    with pytest.raises(PlanError) as error:
        prepare(plan.with_settings({"train.cloze": 10}))
    assert str(error.value).startswith(f"train.cloze: {why}")
    assert str(error.value).endswith(". Leave one of the two out.")


def test_a_model_that_answers_questions_learns_from_none_that_are_made(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    list(tune(Plan.build(settings | {"run.out": str(tmp_path / "first")})))

    onward = prepare(
        plan_for(settings["data.path"], tmp_path / "first", **{"run.out": str(tmp_path / "run")})
    )

    assert (onward.plan.train.cloze, onward.made) == (0, None)


def test_other_tasks_have_no_cloze_questions(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError) as error:
        prepare(plan_for(messages_csv(tmp_path / "messages.csv", 40), bert, **{"train.cloze": 10}))

    assert str(error.value) == (
        "train.cloze: no effect with text-classification, which answers no questions. Leave it out."
    )


def test_where_no_question_can_be_made_ones_own_are_gone_through_twice_as_often(
    bert: Path, tmp_path: Path
) -> None:
    plan = plan_for(write_jsonl(tmp_path / "rows.jsonl", padding(800)), bert)

    ready, asked = prepare(plan), prepare(plan.with_settings({"train.cloze": 100}))

    steps = math.ceil(len(ready.examples["train"]) / present(ready.plan.train.batch_rows))
    assert ready.plan.train.epochs == asked.plan.train.epochs == math.ceil(600 / steps)
    assert "no sentence of the training texts is long enough to ask about" in cloze_guess(ready)
    told = "No sentence of the training texts is long enough to make questions of."
    assert (told in statements(asked), told in statements(ready)) == (True, False)


def stopped_where(events: Iterator[Event], here: Callable[[Event], bool]) -> None:
    """As a kill does it: nothing more is asked of the run."""
    assert any(here(event) for event in events)


def weights_of(run: Path) -> str:
    return hash_file(run / "model" / "model.safetensors")


@pytest.mark.slow
@pytest.mark.precision
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("method", ["full", "lora:2", "top:1", "words"])
def test_a_run_killed_among_cloze_questions_or_after_them_ends_as_one_never_killed(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, precision: str
) -> None:
    settings |= {"train.method": "full" if method == "words" else method, "run.precision": precision,
                 "run.cache": str(tmp_path / "cache")}  # fmt: skip
    if method == "words":
        monkeypatch.setattr(sparse_embedding, "ROWS_OF_A_TABLE", 20)  # so that words are stepped row by row
    whole, killed = (Plan.build(settings | {"run.out": str(tmp_path / name)}) for name in ("whole", "killed"))
    events = list(tune(whole))
    began = [event.step_name for event in events if isinstance(event, Started)]
    assert began[began.index("cloze") :][:2] == ["cloze", "train"]
    card = json.loads((tmp_path / "whole" / "scorecard.json").read_text())
    assert (card["tuning"]["cloze"]["questions"], card["tuning"]["cloze"]["steps"]) == (80, 10)
    assert card["cost"]["tokens"] == card["tuning"]["cloze"]["tokens"] + card["tuning"]["tuned"]["tokens"]

    stopped_where(tune(killed), lambda event: isinstance(event, Advanced) and event.done == 4)
    stopped_where(tune(killed), lambda event: isinstance(event, Stepped) and event.step == 1)
    shutil.rmtree(tmp_path / "killed" / "state" / "training")  # as a kill before its first state leaves it
    stopped_where(tune(killed), lambda event: isinstance(event, Stepped) and event.step == 3)
    resumed = list(tune(killed))

    assert "cloze" not in [event.step_name for event in resumed if isinstance(event, Started)]
    assert weights_of(tmp_path / "killed") == weights_of(tmp_path / "whole")
    told = json.loads((tmp_path / "killed" / "scorecard.json").read_text())["tuning"]["cloze"]
    assert {**told, "seconds": 0} == {**card["tuning"]["cloze"], "seconds": 0}
    left = {path.name for path in (tmp_path / "killed" / "state").iterdir()}
    assert not left & {"cloze.safetensors", "training-cloze", "training"}, "what is not needed any more goes"


def test_a_trial_that_ends_early_leaves_no_weights_of_cloze_questions(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    plan = Plan.build(settings | {"run.out": str(tmp_path / "trial")})
    stopped_where(tune(plan), lambda event: isinstance(event, Stepped))
    folder = SearchFolder(tmp_path)
    assert list((tmp_path / "trial" / "state").rglob("*.safetensors"))

    folder.forget_weights(tmp_path / "trial")

    assert not list((tmp_path / "trial" / "state").rglob("*.safetensors"))


def test_of_a_budget_cloze_questions_take_a_share(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloze, "SHARE_OF_BUDGET", 0.001)

    list(tune(Plan.build(settings | {"run.budget": "60s", "run.out": str(tmp_path / "run")})))

    told = json.loads((tmp_path / "run" / "scorecard.json").read_text())["tuning"]
    assert (told["cloze"]["steps"], told["cloze"]["why"], told["tuned"]["why"]) == (1, "budget", "epochs")


def test_of_many_questions_it_is_not_said_that_they_are_few() -> None:
    assert QuestionAnswering().expectation(100_000) is None
