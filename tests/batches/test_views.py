"""Words that are hidden or left out: whole ones, as many as they should be, and the same ones whenever they are asked for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from luthier.arrays import Ints
from luthier.batches.examples import Variation
from luthier.batches.masked_texts import MaskedTexts
from luthier.batches.text_views import TextViews
from luthier.forms import FORMS
from luthier.models.hub.inspect import inspect_folder
from luthier.models.readers.texts import Texts
from luthier.models.readers.whole_words import word_numbers
from tiny import TINY, messages

TEXTS = [text for text, _ in messages(200)]
FIRST = Variation(seed=0, epoch=0)


def reader(path: Path) -> Texts:
    return Texts(inspect_folder(path.name, path))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Texts:
    return reader(TINY["bert"](tmp_path_factory.mktemp("views") / "bert"))


@pytest.fixture(scope="module")
def masked(tokenizer: Texts) -> MaskedTexts:
    examples, _ = FORMS["masked"].read(tokenizer, TEXTS, np.zeros(len(TEXTS)), "cut")
    assert isinstance(examples, MaskedTexts)
    return examples


@pytest.fixture(scope="module")
def views(tokenizer: Texts) -> TextViews:
    examples, _ = FORMS["views"].read(tokenizer, TEXTS, np.zeros(len(TEXTS)), "cut")
    assert isinstance(examples, TextViews)
    return examples


def rows(examples: MaskedTexts | TextViews) -> Ints:
    return np.arange(len(examples))


@pytest.mark.parametrize("name", ["bert", "roberta", "xlm_roberta", "deberta_v2"])
def test_the_tokens_of_a_word_have_its_number(name: str, tiny_model: Callable[[str], Path]) -> None:
    own = reader(tiny_model(name))

    numbers = word_numbers(own, ["the guitar zqx, is", ""], "cut")

    texts, _ = own.examples(["the guitar zqx, is", ""], np.zeros(2))
    words: dict[int, str] = {}
    for token, number in zip(texts.ids[: texts.ends[1]].tolist(), numbers, strict=False):
        words[number] = words.get(number, "") + own.tokenizer.decode([token]).strip().strip("#")
    words.pop(-1)
    assert list(words.values()) == ["the", "guitar", "zqx", ",", "is"]
    assert set(numbers[texts.ends[1] :]) == {-1}, "an empty text has none but special tokens"


def test_words_are_numbered_in_each_window_of_a_long_text(tokenizer: Texts) -> None:
    long = [" ".join(TEXTS[:20]), TEXTS[20]]

    numbers = word_numbers(tokenizer, long, "windows")

    texts, _ = tokenizer.examples(long, np.zeros(2), "windows")
    assert len(texts.ends) > 3
    assert len(numbers) == len(texts.ids)


def test_words_are_hidden_whole(masked: MaskedTexts) -> None:
    batch = masked.batch(rows(masked), FIRST)

    assert batch.marks is not None
    marks = batch.marks.numpy()
    for row in range(len(masked)):
        begin, end = masked.texts.ends[row : row + 2]
        asked, words = marks[row, : end - begin] >= 0, masked.words[begin:end]
        assert not asked[words < 0].any(), "special tokens are never asked for"
        assert all(asked[words == word].all() for word in set(words[asked].tolist()))
        assert asked.any()


def test_what_is_asked_for_is_what_stood_there(masked: MaskedTexts) -> None:
    plain, batch = masked.texts.batch(rows(masked)), masked.batch(rows(masked), FIRST)

    assert batch.marks is not None
    asked = batch.marks >= 0
    assert bool((batch.marks[asked] == plain.inputs["input_ids"][asked]).all())
    assert bool((batch.inputs["input_ids"][~asked] == plain.inputs["input_ids"][~asked]).all())


def test_of_100_tokens_15_are_asked_for_of_which_12_are_hidden_and_2_replaced(masked: MaskedTexts) -> None:
    asked = hidden = other = there = 0
    for epoch in range(40):
        plain, batch = masked.texts.batch(rows(masked)), masked.batch(rows(masked), Variation(0, epoch))
        assert batch.marks is not None
        wanted, shown = batch.marks >= 0, batch.inputs["input_ids"]
        asked += int(wanted.sum())
        hidden += int((shown[wanted] == masked.mask).sum())
        other += int(((shown != plain.inputs["input_ids"]) & (shown != masked.mask) & wanted).sum())
        there += int((masked.words >= 0).sum())

    # Short texts ask for a word at the least, and words are asked for whole: more than 15 of 100.
    assert 0.15 <= asked / there < 0.30
    assert hidden / asked == pytest.approx(0.8, abs=0.01)
    assert other / asked == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("kind", ["masked", "views"])
def test_a_row_looks_alike_whenever_seed_and_epoch_are_alike(
    kind: str, masked: MaskedTexts, views: TextViews
) -> None:
    examples = {"masked": masked, "views": views}[kind]
    few = np.array([3, 7, 11])

    def seen(
        variation: Variation | None, own: MaskedTexts | TextViews = examples, at: Ints = few
    ) -> list[list[int]]:
        batch = own.batch(at, variation)
        width = int(batch.inputs["attention_mask"].sum(1).max())
        found: list[list[int]] = batch.inputs["input_ids"][:, :width].tolist()
        return found

    assert seen(FIRST) == seen(FIRST, examples.select(few), np.arange(3)), "whatever rows stand beside it"
    assert seen(FIRST) != seen(Variation(0, 1))
    assert seen(FIRST) != seen(Variation(1, 0))
    assert seen(None) == seen(None), "rows that are only asked always hide the same words"


def test_a_text_stands_beside_itself_without_some_of_its_words(views: TextViews) -> None:
    plain, batch = views.texts.batch(rows(views)), views.batch(rows(views), FIRST)

    kept = total = 0
    for row in range(len(views)):
        begin, end = views.texts.ends[row : row + 2]
        words, ids = views.words[begin:end], views.texts.ids[begin:end].tolist()
        shorter, whole = (batch.inputs["input_ids"][2 * row + side] for side in (0, 1))
        length = int(batch.inputs["attention_mask"][2 * row].sum())
        assert whole.tolist() == plain.inputs["input_ids"][row].tolist()
        left = iter(ids)
        assert all(token in left for token in shorter[:length].tolist()), "what is left stands in its order"
        assert (shorter[0], shorter[length - 1]) == (ids[0], ids[-1]), "special tokens stay"
        assert length > 2, "a word stays"
        kept, total = kept + length - 2, total + int((words >= 0).sum())
    assert batch.part_of.tolist() == [row for row in range(len(views)) for _ in (0, 1)]
    assert kept / total == pytest.approx(0.7, abs=0.05)
