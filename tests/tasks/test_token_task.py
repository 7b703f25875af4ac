"""What is special to words with tags: repairs, windows, words cut off, well-formed answers."""

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from known import Known
from luthier.batches.text_examples import TextExamples
from luthier.batches.word_rows import Words
from luthier.errors import DataError, PlanError
from luthier.events import result_of
from luthier.forms import FORMS
from luthier.models.heads.head import Wanted
from luthier.models.hub.inspect import inspect_folder
from luthier.models.load import load_model
from luthier.models.readers.texts import Texts
from luthier.models.readers.words import NOTHING, OUTSIDE, read_words, units, words_of_tokens
from luthier.plan.plan import Plan
from luthier.predict import logits_of
from luthier.prepare.prepare import prepare
from luthier.prepare.rows import look_over, understand
from luthier.steps import tune
from luthier.tasks.calibration import Calibration
from luthier.tasks.kind import Wishes
from luthier.tasks.outputs import Logits
from luthier.tasks.token_classification.iob2 import allowed, best_tags
from luthier.tasks.token_classification.kind import TOKEN_CLASSIFICATION
from luthier.tasks.token_classification.task import Tags, TokenClassification
from present import present
from tiny import ABOUT, PLAIN, cpu, tagged_jsonl, write_jsonl

TASK = TokenClassification(("place", "time"))
OUT, B_PLACE, I_PLACE, B_TIME, I_TIME = range(5)


def plan_for(data: Path, model: Path | str = "none", **settings: Any) -> Plan:
    return Plan.build({"data.path": str(data), "model.name": str(model), **settings})


def rows_of(*tagged: str) -> list[dict[str, Any]]:
    """Rows from words with tags, as in `Ana/B-person Lima/I-person`; what has no tag is O."""
    made = []
    for row in tagged:
        pairs = [(*word.split("/"), "O")[:2] for word in row.split()]
        made.append({"tokens": [word for word, _ in pairs], "tags": [tag for _, tag in pairs]})
    return made


def padding(count: int = 40) -> list[dict[str, Any]]:
    """Rows without fault, each unlike the others."""
    return rows_of(*(f"row {number} is in Turin/B-place today/B-time" for number in range(count)))


def repairs(data: Path) -> dict[str, tuple[int, list[int]]]:
    """What the check `repairs` tells of a file: its words, how many rows, and which."""
    found = look_over(understand(plan_for(data)), ())
    return {
        one.message: (one.count, [row["row"] for row in one.rows]) for one in found if one.check == "repairs"
    }


# Rows


def test_tags_against_their_scheme_are_mended_and_told_by_row(tmp_path: Path) -> None:
    odd = rows_of("we met in New/B-place York/I-time", "then I-was/I-place gone")
    data = write_jsonl(tmp_path / "rows.jsonl", [*padding(), *odd])

    rows = understand(plan_for(data))

    assert repairs(data) == {"2 rows have an I- without its B-.": (2, [41, 42])}
    assert [list(found) for found in rows.targets(np.array([40, 41]))] == [
        [OUT, OUT, OUT, B_PLACE, B_TIME],
        [OUT, B_PLACE, OUT],
    ]


def test_spans_that_do_not_fit_their_words_are_mended_and_told(tmp_path: Path) -> None:
    good = [
        {"text": f"row {at} is in Turin", "spans": [{"start": 13, "end": 18, "label": "place"}]}
        for at in range(10, 50)
    ]
    odd = [
        {"text": "in New York", "spans": [{"start": 3, "end": 9, "label": "place"}]},
        {"text": "in Rome", "spans": [{"start": 3, "end": 7, "label": "place"}, {"start": 3, "end": 3, "label": "place"}]},
    ]  # fmt: skip
    data = write_jsonl(tmp_path / "rows.jsonl", [*good, *odd])

    assert repairs(data) == {
        "1 row has a span that begins or ends inside a word, widened to the word.": (1, [41]),
        "1 row has a span that is empty.": (1, [42]),
    }


def test_rows_without_fault_are_not_told_of(tmp_path: Path) -> None:
    assert repairs(tagged_jsonl(tmp_path / "rows.jsonl", 60)) == {}


def test_more_tags_than_words_are_refused(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", [*padding(), {"tokens": ["a", "b"], "tags": ["O"]}])

    with pytest.raises(DataError) as error:
        understand(plan_for(data))

    assert str(error.value) == (
        "rows.jsonl, line 41: column 'tags': 2 tokens and 1 tags, of which there must be as many. Correct the row, or name "
        "another column with --label."
    )


def test_rows_without_any_entity_are_refused(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", rows_of(*(f"row {at} is empty" for at in range(20))))

    with pytest.raises(DataError) as error:
        understand(plan_for(data))

    assert str(error.value) == (
        f"{data}: no row has an entity in column 'tags'. Name the column of tags or spans with --label."
    )


def test_an_entity_of_a_type_that_was_never_learnt_is_refused_in_a_test_file(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", padding())
    test = write_jsonl(tmp_path / "test.jsonl", rows_of("we met in Turin/B-place", "it was Ana/B-plase"))

    with pytest.raises(DataError) as error:
        understand(plan_for(data, **{"data.test": str(test)}))

    assert str(error.value) == (
        "test.jsonl, line 2: an entity of type 'plase', which never occurs in the training rows. Did you mean 'place'? "
        "Correct it, or add training rows with it."
    )


def test_a_row_without_words_or_without_tags_is_left_out_and_counted(tmp_path: Path) -> None:
    odd: list[dict[str, Any]] = [{"tokens": [], "tags": []}, {"tokens": ["a", "b"], "tags": None}]
    rows = understand(plan_for(write_jsonl(tmp_path / "rows.jsonl", [*padding(), *odd])))

    assert rows.understood.unusable.empty_input.tolist() == [40]
    assert rows.understood.unusable.empty_label.tolist() == [41]
    assert rows.left_out == {"empty": 2}


def test_words_are_read_alike_when_they_are_learnt_and_when_they_are_asked_for(tmp_path: Path) -> None:
    """A text whose tags are split at blanks: `Turin.` is one word in both."""
    rows = [{"text": f"row {at} is in Turin.", "tags": "O O O O B-place"} for at in range(20)]
    data = write_jsonl(tmp_path / "rows.jsonl", rows)
    rows_of = understand(plan_for(data, **{"task.name": "token-classification"}))
    table, task = rows_of.table, rows_of.task

    learnt = TOKEN_CLASSIFICATION.form(task).inputs(table, {"text": "text", "label": "tags"}, np.array([3]))
    asked = TOKEN_CLASSIFICATION.form(task).given([table.texts("text")[3]])

    assert len(learnt[0]) == 5
    assert asked == learnt


@pytest.mark.parametrize("given", [[3], [["a", 3]]])
def test_what_is_neither_a_text_nor_words_is_refused(given: list[object]) -> None:
    with pytest.raises(DataError) as error:
        FORMS["words"].given(given)

    assert str(error.value) == f"row 0: {given[0]!r} is neither a text nor a list of words."


def test_the_only_metric_is_f1(tmp_path: Path) -> None:
    rows = understand(plan_for(write_jsonl(tmp_path / "rows.jsonl", padding())))
    roles = type("Whole", (), {"names": ("train",), "rows": lambda self, among, name: among})()

    with pytest.raises(PlanError) as error:
        TOKEN_CLASSIFICATION.understand(rows.table, rows.columns, roles, Wishes(metric="accuracy"))

    assert str(error.value) == "task.metric: 'accuracy' is no metric of token-classification. Expected 'f1'."


# Words to tokens


@pytest.fixture(scope="module")
def texts(bert: Path) -> Texts:
    return Texts(inspect_folder("bert", bert))


def tags(rows: Sequence[Sequence[int] | np.ndarray] | np.ndarray) -> np.ndarray:
    made = np.empty(len(rows), object)
    made[:] = [np.array(row, np.int16) for row in rows]
    return made


def test_a_word_is_marked_at_its_first_token_and_nowhere_else(texts: Texts) -> None:
    row = Words.of_tokens(["the", "xyz", "parcel"])

    examples, _ = read_words(texts, [row], tags([[OUT, B_PLACE, I_PLACE]]), "windows")

    spelt = texts.tokenizer.convert_ids_to_tokens(examples.ids)
    assert spelt == ["[CLS]", "the", "x", "##y", "##z", "parcel", "[SEP]"]
    tokens = present(examples.tokens)
    assert tokens.marks.tolist() == [NOTHING, OUT, B_PLACE, NOTHING, NOTHING, I_PLACE, NOTHING]
    assert tokens.unit.tolist() == [1, 2, 5]


def test_words_of_a_text_and_given_one_by_one_are_the_same_tokens(texts: Texts) -> None:
    words = ["Lovely", "parcel", ",", "today", "!"]
    in_text = FORMS["words"].given(["Lovely parcel, today!"])[0]

    one, two = (
        read_words(texts, [row], np.zeros(1, np.int64), "windows")[0]
        for row in (in_text, Words.of_tokens(words))
    )

    assert [in_text.text[begin:end] for begin, end in in_text.places] == words
    assert one.ids.tolist() == two.ids.tolist()
    assert present(one.tokens).unit.tolist() == present(two.tokens).unit.tolist()


def test_a_word_in_overlapping_windows_is_answered_by_the_one_with_most_around_it(texts: Texts) -> None:
    words = [PLAIN[at % len(PLAIN)] for at in range(150)]  # a token each
    row = Words.of_tokens(words)

    examples, long = read_words(texts, [row], tags([[OUT] * 150]), "windows")

    parts = np.diff(examples.ends)
    assert (long.rows, len(parts) > 2) == (1, True)
    room: dict[int, list[tuple[int, int]]] = {}
    for begin, count in zip(examples.ends, parts, strict=False):
        of = [
            texts.tokenizer.convert_ids_to_tokens(int(number))
            for number in examples.ids[begin : begin + count]
        ]
        assert (of[0], of[-1]) == ("[CLS]", "[SEP]")
    stride = 62 // 4
    held = 62 - 2
    for part, begin in enumerate(examples.ends[:-1]):
        first_word = part * (held - stride)
        for inside in range(1, int(parts[part]) - 1):
            around = min(inside, int(parts[part]) - 1 - inside)
            room.setdefault(first_word + inside - 1, []).append((around, int(begin) + inside))
    assert sorted(room) == list(range(150))
    for word, places in room.items():
        most = max(around for around, _ in places)
        assert present(examples.tokens).unit[word] == next(
            place for around, place in places if around == most
        )


def test_of_two_windows_the_unit_is_the_token_farther_from_an_edge() -> None:
    left = np.array([-1, 0, 1, 2, 3, -1])
    right = np.array([-1, 2, 3, 4, 5, -1])

    assert units([left, right], 6).tolist() == [1, 2, 3, 8, 9, 10]


def test_every_token_of_a_word_is_learnt_in_every_window(texts: Texts) -> None:
    words = [PLAIN[at % len(PLAIN)] for at in range(150)]
    truth = [at % 5 for at in range(150)]

    examples, _ = read_words(texts, [Words.of_tokens(words)], tags([truth]), "windows")

    marks = present(examples.tokens).marks
    assert marks[present(examples.tokens).unit].tolist() == truth
    assert (marks >= 0).sum() == len(examples.ids) - 2 * (len(examples.ends) - 1)


def test_a_word_that_was_cut_off_is_answered_at_the_first_token_which_learns_that_it_is_outside(
    texts: Texts,
) -> None:
    words = [PLAIN[at % len(PLAIN)] for at in range(100)]
    whole, cut = [OUT] * 5, [OUT] * 99 + [B_PLACE]

    examples, long = read_words(
        texts, [Words.of_tokens(words[:5]), Words.of_tokens(words)], tags([whole, cut]), "cut"
    )

    begin = int(examples.ends[1])
    assert (long.rows, long.tokens) == (1, 102 - 62)
    assert present(examples.tokens).unit[5 : 5 + 60].tolist() == list(range(begin + 1, begin + 61))
    assert present(examples.tokens).unit[65:].tolist() == [begin] * 40
    assert present(examples.tokens).marks[begin] == OUTSIDE
    assert present(examples.tokens).marks[0] == NOTHING, (
        "where nothing was cut, the first token learns nothing"
    )


def test_an_entity_that_was_cut_off_counts_as_missed(texts: Texts) -> None:
    words = [PLAIN[at % len(PLAIN)] for at in range(100)]
    targets = tags([[OUT] * 99 + [B_PLACE]])
    examples, _ = read_words(texts, [Words.of_tokens(words)], targets, "cut")
    nothing = TASK.no_entity(examples, examples)

    said = TASK.answer(nothing, Calibration(), examples)

    assert said.tags.tolist() == [OUT] * 100
    assert TASK.counts(said, targets).sum(axis=(0, 1)).tolist() == [0, 0, 1]


def test_a_word_that_the_tokenizer_drops_is_answered_at_the_first_token(texts: Texts) -> None:
    examples, _ = read_words(
        texts, [Words.of_tokens(["the", "\u200b", "parcel"])], tags([[OUT, OUT, B_TIME]]), "windows"
    )

    assert present(examples.tokens).unit.tolist() == [1, 0, 2]
    assert present(examples.tokens).marks.tolist() == [OUTSIDE, OUT, B_TIME, NOTHING]


def test_without_a_special_token_before_them_the_first_word_learns_its_own_tag(
    bert: Path, texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with GPT-2 and its like, whose tokenizers add nothing."""
    plain = Texts(inspect_folder("bert", bert))
    plain.tokenizer.backend_tokenizer.post_processor = (
        plain.tokenizer.backend_tokenizer.post_processor.__class__(
            single="$A", pair="$A $B", special_tokens=[]
        )
    )

    examples, _ = read_words(plain, [Words.of_tokens(["parcel", "today"])], tags([[B_PLACE, OUT]]), "windows")

    assert present(examples.tokens).unit.tolist() == [0, 1]
    assert present(examples.tokens).marks.tolist() == [B_PLACE, OUT]


def test_texts_that_are_too_long_are_refused_where_asked(texts: Texts) -> None:
    rows = [Words.of_tokens(["the"] * 5), Words.of_tokens(["the"] * 100)]

    with pytest.raises(DataError) as error:
        read_words(texts, rows, np.zeros(2, np.int64), "refuse")

    assert str(error.value) == (
        "1 of 2 texts are longer than the 62 tokens this model reads, by 40 tokens in all. Use --long windows or --long "
        "cut, or a model that reads more."
    )


def test_some_rows_alone_are_as_they_are_among_all(texts: Texts) -> None:
    rows = [Words.of_tokens([PLAIN[at % 14] for at in range(count)]) for count in (5, 150, 1, 90)]
    targets = tags([[OUT] * len(row) for row in rows])
    examples, _ = read_words(texts, rows, targets, "windows")

    chosen = examples.select(np.array([3, 1]))
    alone, _ = read_words(texts, [rows[3], rows[1]], targets[[3, 1]], "windows")

    assert chosen.ids.tolist() == alone.ids.tolist()
    assert present(chosen.tokens).unit.tolist() == present(alone.tokens).unit.tolist()
    assert present(chosen.tokens).marks.tolist() == present(alone.tokens).marks.tolist()
    assert present(chosen.unit_ends).tolist() == [0, 90, 240]


def test_a_token_begins_a_word_though_it_begins_with_the_blank_before() -> None:
    row = Words("New York now", ((0, 3), (4, 8), (9, 12)))

    assert words_of_tokens(row, [(0, 0), (0, 3), (3, 6), (6, 8), (8, 12), (0, 0)]).tolist() == [
        -1,
        0,
        1,
        -1,
        2,
        -1,
    ]
    assert words_of_tokens(Words("", ()), [(0, 0), (0, 0)]).tolist() == [-1, -1]


# Loss and logits


class Fixed:
    """A model that always gives these logits."""

    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits

    def __call__(self, batch: Any) -> torch.Tensor:
        return self.logits


def test_the_loss_is_the_mean_over_words_whatever_windows_and_padding_there_are(texts: Texts) -> None:
    rows = [Words.of_tokens(["the", "xyz"]), Words.of_tokens(["parcel", "today", "is", "lovely"])]
    examples, _ = read_words(texts, rows, tags([[OUT, B_PLACE], [OUT, OUT, B_TIME, I_TIME]]), "windows")
    batch = examples.batch(np.array([0, 1]))
    logits = torch.randn(2, present(batch.marks).shape[1], 5, generator=torch.manual_seed(0))

    loss = TASK.loss(Fixed(logits), batch)

    of_words = torch.stack([logits[0, 1], logits[0, 2], *logits[1, 1:5]])
    expected = -of_words.log_softmax(1)[torch.arange(6), [OUT, B_PLACE, OUT, OUT, B_TIME, I_TIME]]
    assert loss.weight == 6
    assert float(loss.total) == pytest.approx(float(expected.sum()), rel=1e-6)
    assert TASK.mean_loss(Logits(of_words.numpy()), examples) == pytest.approx(
        float(expected.mean()), rel=1e-6
    )


def test_logits_come_in_the_order_of_rows_and_words_whatever_batches_there_are(
    bert: Path, texts: Texts
) -> None:
    rows = [
        Words.of_tokens([PLAIN[(at * 7 + count) % 14] for at in range(count)]) for count in (5, 150, 1, 9)
    ]
    model = load_model(inspect_folder("bert", bert), Wanted(outputs=5, head="tags"))
    examples, _ = read_words(texts, rows, np.zeros(4, np.int64), "windows")

    logits = logits_of(model, examples, cpu(), tokens=1)

    assert logits.shape == (165, 5)
    for row, (begin, end) in enumerate(itertools.pairwise(present(examples.unit_ends))):
        alone, _ = read_words(texts, [rows[row]], np.zeros(1, np.int64), "windows")
        assert np.abs(logits[begin:end] - logits_of(model, alone, cpu())).max() < 1e-5


def test_every_word_that_was_cut_off_has_the_logits_of_the_first_token(bert: Path, texts: Texts) -> None:
    model = load_model(inspect_folder("bert", bert), Wanted(outputs=5, head="tags"))
    rows = [Words.of_tokens([PLAIN[at % 14] for at in range(count)]) for count in (100, 5)]
    examples, _ = read_words(texts, rows, np.zeros(2, np.int64), "cut")

    logits = logits_of(model, examples, cpu())

    with torch.no_grad():
        first = model(examples.batch(np.array([0])))[0, 0].numpy()
    assert logits.shape == (105, 5)
    assert np.abs(logits[60:100] - first).max() < 1e-5
    assert np.abs(logits[:60] - first).max(axis=1).min() > 1e-5


# Answers


def chances(words: int, seed: int, tags: int = 5) -> np.ndarray:
    drawn = np.random.default_rng(seed).random((words, tags)) ** 4
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def well_formed(found: Sequence[str]) -> bool:
    return all(
        not tag.startswith("I-") or (at > 0 and found[at - 1] in (f"B-{tag[2:]}", tag))
        for at, tag in enumerate(found)
    )


def test_what_may_follow_what_is_strict_iob2() -> None:
    begin, follow = allowed(TASK.tags)

    assert TASK.tags == ("O", "B-place", "I-place", "B-time", "I-time")
    for first in range(5):
        assert begin[first] == well_formed([TASK.tags[first]])
        for second in range(5):
            if begin[first]:
                assert follow[first, second] == well_formed([TASK.tags[first], TASK.tags[second]])
    assert follow[I_PLACE, I_PLACE]
    assert not follow[I_PLACE, I_TIME]


@pytest.mark.parametrize("seed", range(8))
def test_the_answer_is_the_likeliest_of_all_well_formed_ones(seed: int) -> None:
    probabilities = chances(3, seed)

    found = best_tags(probabilities, np.array([0, 3]), TASK.tags)

    ways = [
        way for way in itertools.product(range(5), repeat=3) if well_formed([TASK.tags[tag] for tag in way])
    ]
    best = max(ways, key=lambda way: probabilities[np.arange(3), way].prod())
    assert tuple(found) == best


def test_rows_are_answered_each_by_itself_and_empty_ones_not_at_all() -> None:
    ends = np.array([0, 3, 3, 4, 24, 24])
    probabilities = chances(24, seed=1)

    found = best_tags(probabilities, ends, TASK.tags)

    for begin, end in itertools.pairwise(ends):
        own = [TASK.tags[tag] for tag in found[begin:end]]
        assert well_formed(own)
        if end > begin:
            alone = best_tags(probabilities[begin:end], np.array([0, end - begin]), TASK.tags)
            assert found[begin:end].tolist() == alone.tolist()


def test_an_answer_is_well_formed_even_where_a_model_is_sure_of_what_cannot_be() -> None:
    probabilities = np.tile([0.0, 0.0, 1.0, 0.0, 0.0], (4, 1))

    found = best_tags(probabilities, np.array([0, 4]), TASK.tags)

    assert well_formed([TASK.tags[tag] for tag in found])
    assert found[1:].tolist() == [I_PLACE] * 3


def test_entities_are_told_as_places_in_the_text_with_the_chance_of_their_least_sure_word() -> None:
    words = FORMS["words"].given(["Meet in New York at noon."])[0]
    said = np.array([OUT, OUT, B_PLACE, I_PLACE, OUT, B_TIME, OUT])
    probabilities = np.full((7, 5), 0.01)
    probabilities[np.arange(7), said] = [0.9, 0.9, 0.8, 0.6, 0.9, 0.7, 0.9]

    found = TASK.lines(Tags(probabilities, said, np.array([0, 7])), [words])

    assert found == [
        {
            "entities": [
                {"start": 8, "end": 16, "label": "place", "text": "New York", "probability": 0.6},
                {"start": 20, "end": 24, "label": "time", "text": "noon", "probability": 0.7},
            ]
        }
    ]
    assert TASK.known(tags([said]), [words]) == [
        [{key: value for key, value in one.items() if key != "probability"} for one in found[0]["entities"]]
    ]


def saying(said: np.ndarray) -> Tags:
    """Answers to rows of which the tags alone matter."""
    return Tags(np.zeros((len(said), 5)), said, np.arange(0, len(said) + 1, len(said)))


def test_the_score_is_that_of_seqeval() -> None:
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    random = np.random.default_rng(0)
    ends = np.arange(0, 121, 6)
    truth, said = (best_tags(random.random((120, 5)) ** 3, ends, TASK.tags) for _ in range(2))
    said = np.where(random.random(120) < 0.7, truth, said)
    said = best_tags(np.eye(5)[said] * 0.9 + 0.02, ends, TASK.tags)
    named = [[[TASK.tags[tag] for tag in row] for row in np.split(side, 20)] for side in (truth, said)]

    score = TASK.score(saying(said), tags(np.split(truth, 20)))

    assert 0.2 < score < 0.9
    assert score == pytest.approx(f1_score(*named, mode="strict", scheme=IOB2))


def test_difference_counts_rows_and_is_zero_against_itself() -> None:
    targets = tags([[B_PLACE, OUT], [B_TIME, OUT], [OUT, OUT]] * 10)
    right, nothing = TASK.flawless(targets), saying(np.zeros(60, np.int64))

    same, better = (TASK.difference(right, other, targets, seed=0) for other in (right, nothing))

    assert (same.value, same.low <= 0 <= same.high) == (0, True)
    assert (better.value, better.low > 0) == (1, True)


def test_calibration_softens_what_is_too_sure_and_few_rows_change_nothing() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 5, (40, 6))
    logits = (8 * (np.eye(5)[truth.ravel()] * 0.5 + random.normal(0, 0.5, (240, 5)))).astype(np.float32)

    fit = TASK.calibrating.fit
    assert fit(Logits(logits), Known(tags(truth))).temperature > 1.5
    assert fit(Logits(logits[:60]), Known(tags(truth[:10]))) == Calibration()


# The rule of thumb


def looked_up(texts: Texts, learnt: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The rows that are asked, tagged with what stands in those that are learnt, in the same spelling."""
    number = {tag: at for at, tag in enumerate(TASK.tags)}

    def examples(rows: Sequence[str]) -> TextExamples:
        made = rows_of(*rows)
        words = [Words.of_tokens(row["tokens"]) for row in made]
        return read_words(
            texts, words, tags([[number[tag] for tag in row["tags"]] for row in made]), "windows"
        )[0]

    there = examples(asked)
    said = TASK.answer(TASK.look_up(examples(learnt), there), Calibration(), there).tags
    return [
        " ".join(
            word if tag == OUT else f"{word}/{TASK.tags[tag]}"
            for word, tag in zip(words.tokens, said[begin:end], strict=True)
        )
        for words, (begin, end) in zip(
            present(there.sources), itertools.pairwise(present(there.unit_ends)), strict=True
        )
    ]


def test_without_a_model_entities_of_the_training_rows_are_found_word_for_word(texts: Texts) -> None:
    learnt = ["to New/B-place York/I-place today/B-time", "York/B-place and Turin/B-place"]

    said = looked_up(texts, learnt, ["New York or York today", "new york", "Turin", ""])

    assert said == ["New/B-place York/I-place or York/B-place today/B-time", "new york", "Turin/B-place", ""]


def test_what_training_rows_have_as_two_types_is_not_looked_up(texts: Texts) -> None:
    learnt = ["in May/B-time", "May/B-place Hill/I-place", "Lent/B-place", "Lent/B-time", "at Lent/B-time"]

    assert looked_up(texts, learnt, ["Lent May Hill May"]) == ["Lent May/B-place Hill/I-place May/B-time"]


# Whole


def test_entities_of_a_long_text_are_found_in_all_its_windows(bert: Path, tmp_path: Path) -> None:
    """The model reads 62 tokens; a text of 120 words is asked for."""
    short = [
        json.loads(line) for line in tagged_jsonl(tmp_path / "short.jsonl", 300).read_text().splitlines()
    ]
    joined = [
        {key: [one for row in short[at : at + 6] for one in row[key]] for key in ("tokens", "tags")}
        for at in range(0, 300, 6)
    ]
    data = write_jsonl(tmp_path / "rows.jsonl", joined)
    settings = {
        "method": "full",
        "lr": 5e-3,
        "epochs": 12,
        "batch_rows": 8,
        "patience": 100,
        "precision": "fp32",
    }
    folder = result_of(tune.tune(plan_for(data, bert, **settings, **{"run.out": str(tmp_path / "run")})))
    words = ["the", "my", "is", "was"] * 30
    for at in (10, 50, 110):
        words[at] = ABOUT["delivery"][1]

    answer = folder.predict([words])[0]

    assert [one["text"] for one in answer["entities"]] == ["courier"] * 3
    assert [one["start"] for one in answer["entities"]] == [
        len(" ".join([*words[:at], ""])) for at in (10, 50, 110)
    ]
    assert {one["label"] for one in answer["entities"]} == {"delivery"}
    card = json.loads((folder.path / "model" / "config.json").read_text())
    assert card["id2label"]["0"] == "O"
    assert folder.scorecard.record["long"]["way"] == "windows"


@pytest.mark.parametrize(("rows", "rows_per_step", "floor"), [(120, 4, 600), (260, 8, 600), (360, 16, 300)])
def test_where_a_step_takes_fewer_rows_than_usual_words_take_twice_the_steps(
    bert: Path, tmp_path: Path, rows: int, rows_per_step: int, floor: int
) -> None:
    ready = prepare(plan_for(tagged_jsonl(tmp_path / "rows.jsonl", rows), bert))

    steps = math.ceil(len(ready.examples["train"]) / present(ready.plan.train.batch_rows))
    assert ready.plan.train.batch_rows == rows_per_step
    assert ready.plan.train.epochs == math.ceil(floor / steps), "300: the floor of the recipe"


@pytest.mark.parametrize("bare", [("NN", "VB"), ("PER", "O"), ("de", "es")])
def test_types_without_marks_are_refused_with_what_to_write(tmp_path: Path, bare: tuple[str, ...]) -> None:
    rows = [{"tokens": ["a", "b"], "tags": list(bare)} for _ in range(40)]

    with pytest.raises(DataError) as error:
        understand(plan_for(write_jsonl(tmp_path / "rows.jsonl", rows)))

    assert "are types without a mark, such as " in str(error.value)
    assert "Put I- before each type (PER becomes I-PER)" in str(error.value)
