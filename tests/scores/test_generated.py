"""Scores of generated texts and of what language models think likely, against second implementations and closed forms."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from luthier.scores.chrf import chrf, chrf_counts, chrf_of
from luthier.scores.evidence import Generated, Preferred
from luthier.scores.generated import TEXT_SCORES, resampled_loss, resampled_perplexity, text_scores
from luthier.scores.measures import OfSome, PerRow
from luthier.scores.metrics import ADAPTATION, CHAT, METRICS, PREFERENCE
from luthier.scores.rouge import common_subsequence, rouge_l, words

EVERY = np.arange(3)[None]
"""The rows of three as they are: one draw."""


def texts(rows: int, letters: str, longest: int, seed: int) -> list[str]:
    """Random texts of a few letters."""
    dice = np.random.default_rng(seed)
    return ["".join(dice.choice(list(letters), dice.integers(0, longest))) for _ in range(rows)]


def common_by_table(first: Sequence[str], second: Sequence[str]) -> int:
    """The longest common subsequence by the table of the textbook (Cormen et al., section 15.4)."""
    lengths = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first, 1):
        for j, other in enumerate(second, 1):
            grown = lengths[i - 1][j - 1] + 1
            lengths[i][j] = grown if one == other else max(lengths[i - 1][j], lengths[i][j - 1])
    return lengths[-1][-1]


def chrf_by_paper(pairs: Sequence[tuple[str, str]]) -> float:
    """chrF2 of a corpus as Popović 2015 writes it, run by run, with sacrebleu's rule for texts that are too short."""
    precisions, recalls = [], []
    for n in range(1, 7):
        found = wanted = common = 0
        for text, right in ((text.replace(" ", ""), right.replace(" ", "")) for text, right in pairs):
            ours = [text[at : at + n] for at in range(len(text) - n + 1)]
            theirs = [right[at : at + n] for at in range(len(right) - n + 1)]
            found, wanted = found + len(ours), wanted + len(theirs)
            for run in ours:
                if run in theirs:
                    theirs.remove(run)
                    common += 1
        if found and wanted:
            precisions.append(common / found)
            recalls.append(common / wanted)
    if not sum(precisions):
        return 0.0
    precision, recall = np.mean(precisions), np.mean(recalls)
    return float((1 + 2**2) * precision * recall / (2**2 * precision + recall))


# Texts


def test_the_longest_common_subsequence_is_that_of_the_textbook() -> None:
    pairs = list(zip(texts(300, "abcd", 90, 1), texts(300, "abcd", 90, 2), strict=True))

    found = [common_subsequence(one, other) for one, other in pairs]

    assert found == [common_by_table(one, other) for one, other in pairs]
    assert found == [common_subsequence(other, one) for one, other in pairs]


def test_rouge_l_has_the_values_of_lins_example() -> None:
    """Lin 2004, section 3.1: S2 keeps the order of S1's words better than S3 does."""
    right = "police killed the gunman"

    assert rouge_l("police kill the gunman", right) == pytest.approx(3 / 4)
    assert rouge_l("the gunman kill police", right) == pytest.approx(2 / 4)


def test_rouge_l_is_the_harmonic_mean_of_precision_and_recall() -> None:
    text, right = "a big brown dog ran", "the brown dog"  # two words in common

    assert rouge_l(text, right) == pytest.approx(2 / (5 / 2 + 3 / 2))


def test_words_have_no_case_and_no_marks_and_are_characters_in_chinese() -> None:
    assert words("Don't—STOP, snake_case 3.5") == ["don", "t", "stop", "snake", "case", "3", "5"]
    assert words("東京のUNO") == ["東", "京", "の", "uno"]
    assert rouge_l("Hello, world!", "hello world") == 1.0


def test_texts_without_any_word_are_alike_or_not() -> None:
    assert (rouge_l(" 👍", "👍 "), rouge_l("👍", "?"), rouge_l("", "word"), rouge_l("?", "word")) == (
        1.0,
        0.0,
        0.0,
        0.0,
    )


def test_chrf_is_that_of_the_paper_for_a_row_and_for_a_corpus() -> None:
    pairs = list(zip(texts(200, "ab c", 40, 3), texts(200, "ab c", 40, 4), strict=True))

    assert [chrf(*pair) for pair in pairs] == pytest.approx([chrf_by_paper([pair]) for pair in pairs])
    assert chrf_of(np.sum([chrf_counts(*pair) for pair in pairs], axis=0)) == pytest.approx(
        chrf_by_paper(pairs)
    )


def test_chrf_by_hand() -> None:
    """Two of three characters are right, one of two pairs, and no run of three."""
    assert chrf("abd", "abc") == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_recall_counts_more_than_precision_in_chrf() -> None:
    assert chrf("abc", "abcabc") < chrf("abcabc", "abc")


@pytest.mark.parametrize("score", [rouge_l, chrf])
def test_a_text_is_wholly_like_itself_and_not_at_all_like_one_of_other_letters(score) -> None:  # type: ignore[no-untyped-def]
    for text in ("a", "two words", "a longer text of some words", "日本", "x" * 500):
        assert score(text, text) == 1.0
        assert score(text, "Ω") == score("Ω", text) == score("", text) == 0.0


def test_every_score_of_texts_is_measured_by_its_name_row_by_row() -> None:
    rights = ["12", '{"a": 1}', "a.c"]

    found = text_scores(["12", '{"a": 1.0}', "abc"], rights)

    assert tuple(found) == TEXT_SCORES
    assert {
        name: scores.tolist() for name, scores in found.items() if name in ("exact_match", "number_match")
    } == {
        "exact_match": [1, 0, 0],
        "number_match": [1, 1, 0],
    }
    assert found["json_match"].tolist() == [1, 1, 0]
    assert found["regex_match"].tolist() == [1, 0, 1]
    assert all(CHAT in METRICS[name].measures for name in TEXT_SCORES)


def test_what_the_user_says_of_texts_holds_for_every_row() -> None:
    found = text_scores(
        ["1,5", "x"], ["1,50", "y"], ["number_match", "regex_match"], pattern="[a-z]", comma=True
    )

    assert found["number_match"].tolist() == [1, 0]
    assert found["regex_match"].tolist() == [0, 1]


# What a model thinks likely


def test_each_token_counts_the_same_whichever_row_it_is_of() -> None:
    losses, tokens = np.array([2.0, 9.0, 0.0]), np.array([1, 3, 2])

    assert resampled_loss(losses, tokens)(EVERY)[0] == pytest.approx(11 / 6)
    assert resampled_perplexity(losses, tokens)(EVERY)[0] == pytest.approx(math.exp(11 / 6))


def test_a_model_that_guesses_has_the_perplexity_of_its_vocabulary() -> None:
    tokens = np.array([4, 1, 7])
    found = Generated(tokens * math.log(49_152), tokens)

    assert METRICS["perplexity"].measures[CHAT](found).value == pytest.approx(49_152)
    assert METRICS["loss"].measures[ADAPTATION](found).value == pytest.approx(math.log(49_152))


def test_the_interval_of_a_loss_is_that_of_a_ratio_of_sums() -> None:
    """The standard error of the residuals over the mean size (Cochran 1977, "Sampling Techniques", section 6.4)."""
    dice = np.random.default_rng(5)
    tokens = dice.integers(1, 60, 400)
    losses = tokens * dice.gamma(4.0, 0.3, 400)
    loss = METRICS["loss"].measures[CHAT](Generated(losses, tokens))
    residuals = losses - loss.value * tokens
    error = residuals.std(ddof=1) / math.sqrt(400) / tokens.mean()

    found = loss.estimate(0)

    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(error, rel=0.1)
    assert found.low < loss.value < found.high


def test_two_losses_are_compared_on_the_same_rows() -> None:
    """What is hard for both cancels: the interval of the difference is far narrower than that of either loss."""
    dice = np.random.default_rng(6)
    tokens = dice.integers(1, 60, 200)
    before = tokens * dice.gamma(4.0, 0.3, 200)
    first, second = (Generated(losses, tokens) for losses in (before - 0.1 * tokens, before))

    gap = METRICS["loss"].measures[CHAT](first).minus(METRICS["loss"].measures[CHAT](second), 0)

    assert gap.value == pytest.approx(-0.1)
    assert (gap.low, gap.high) == pytest.approx((-0.1, -0.1))


def test_texts_that_were_generated_for_some_rows_score_those_alone() -> None:
    found = Generated(
        np.ones(6), np.ones(6, int), {"contains": np.array([1.0, 0.0, 1.0])}, np.array([0, 3, 4])
    )
    measure = METRICS["contains"].measures[CHAT](found)

    assert isinstance(measure, OfSome)
    assert measure.value == pytest.approx(2 / 3)
    assert measure.of(np.array([0, 1, 2, 3, 3])) == pytest.approx(1 / 3)  # row 3 was drawn twice
    assert math.isnan(measure.of(np.array([1, 2, 5])))
    plain = PerRow(found.scores["contains"], share=True)
    assert measure.estimate(0) == plain.estimate(0)
    assert measure.standard_error(measure, 0) == 0.0
    assert measure.minus(measure, 0).value == 0.0


def test_texts_of_different_rows_are_not_compared() -> None:
    first, second = (OfSome(PerRow(np.ones(2)), np.array(places)) for places in ([0, 1], [0, 2]))

    with pytest.raises(AssertionError, match="different rows"):
        first.minus(second, 0)


def test_a_model_without_a_preference_is_right_half_the_time() -> None:
    untouched = METRICS["reward_accuracy"].measures[PREFERENCE](Preferred(np.zeros(9)))
    tuned = METRICS["reward_accuracy"].measures[PREFERENCE](
        Preferred(np.array([0.1, 0.2, -0.1, 0.4, 1, 2, 3, 4, 5]))
    )

    assert (untouched.value, untouched.estimate(0).value) == (0.5, 0.5)
    assert tuned.value == pytest.approx(8 / 9)
    assert tuned.minus(untouched, 0).value == pytest.approx(8 / 9 - 1 / 2)
