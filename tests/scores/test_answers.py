"""Scores of spans: against plain ports of SQuAD 2.0's and MLQA's definitions, thresholds by brute force."""

import random
import re
import string
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from luthier.scores import answers

WORDS = [
    *("a", "an", "the", "The", "THE", "A", "An", "theatre", "Anna", "a.", "the,", "(the)", "a-b", "the-end"),
    *(
        "tower",
        "Tower",
        "towers",
        "red",
        "red",
        "RED",
        "42",
        "4,200.5",
        "1990s",
        "3%",
        "$5",
        "U.S.",
        "O'Neil",
    ),
    *(
        "well-known",
        "“quoted”",
        "‘single’",
        "naïve",
        "Ærø",
        "İstanbul",
        "ﬁne",
        "ß",
        "…",
        "—",
        "a–b",
        "_a_",
        "the_",
    ),
    *(
        "\u00a0",
        "the\u00a0end",
        "!",
        "?!",
        "...",
        "a'",
        "'the'",
        "東京",
        "e\u0301",
        "+",
        "=",
        "`the`",
        "~",
        "«an»",
    ),
]
JOINTS = [" ", " ", " ", "  ", "\t", "\n", "", "-"]


class Squad:
    """evaluate-v2.0.py, written down once more, as plainly as its definition goes."""

    @staticmethod
    def normalize_answer(text: str) -> str:
        text = text.lower()
        text = "".join(ch for ch in text if ch not in set(string.punctuation))
        text = re.sub(r"\b(a|an|the)\b", " ", text)
        return " ".join(text.split())

    def compute_exact(self, gold: str, said: str) -> int:
        return int(self.normalize_answer(gold) == self.normalize_answer(said))

    def compute_f1(self, gold: str, said: str) -> float:
        gold_tokens = self.normalize_answer(gold).split()
        said_tokens = self.normalize_answer(said).split()
        if not gold_tokens or not said_tokens:
            return int(gold_tokens == said_tokens)
        same = sum((Counter(gold_tokens) & Counter(said_tokens)).values())
        if same == 0:
            return 0
        precision = 1.0 * same / len(said_tokens)
        recall = 1.0 * same / len(gold_tokens)
        return (2 * precision * recall) / (precision + recall)

    def raw_scores(self, said: str, golds: Sequence[str]) -> tuple[int, float]:
        golds = [gold for gold in golds if self.normalize_answer(gold)] or [""]
        return max(self.compute_exact(g, said) for g in golds), max(self.compute_f1(g, said) for g in golds)

    @staticmethod
    def find_best_thresh(
        said: Sequence[str], scores: Sequence[float], no_answer: Sequence[float], has_answer: Sequence[bool]
    ) -> tuple[float, float]:
        """As a share, where the script gives per cent."""
        current = float(sum(1 for has in has_answer if not has))
        best, threshold = current, 0.0
        for k in sorted(range(len(no_answer)), key=lambda k: no_answer[k]):
            if has_answer[k]:
                current += scores[k]
            else:
                current += -1 if said[k] else 0
            if current > best:
                best, threshold = current, no_answer[k]
        return best / len(scores), threshold


def mlqa_normalize_answer(text: str, language: str) -> str:
    """mlqa_evaluation_v1.py, written down once more."""
    punctuation = {chr(i) for i in range(sys.maxunicode) if unicodedata.category(chr(i)).startswith("P")}
    punctuation |= set(string.punctuation)
    text = "".join(ch for ch in text.lower() if ch not in punctuation)
    if language == "es":
        text = re.sub(r"\b(un|una|unos|unas|el|la|los|las)\b", " ", text)
    if language == "de":
        text = re.sub(r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b", " ", text)
    if language != "zh":
        return " ".join(text.split())
    pieces, waiting = [], ""
    for ch in text:
        if re.match("[\u4e00-\u9fa5]", ch):
            pieces += [*waiting.split(), ch]
            waiting = ""
        else:
            waiting += ch
    return " ".join(pieces + waiting.split())


def crafted() -> list[tuple[str, list[str]]]:
    """200 rows (said, answers): all edges of the definition by name, and words thrown together."""
    rows = [
        ("", []),
        ("the", []),
        ("...", []),
        ("tower", []),
        ("", ["tower"]),
        ("", ["", "the", "..."]),
        ("the", ["a"]),
        ("tower", ["", "the"]),
        ("", ["the", "tower"]),
        ("The Tower", ["tower."]),
        ("red red red", ["red red", "red"]),
        ("red", ["red red red"]),
        ("a b c d", ["d c b"]),
        ("well-known", ["well known", "wellknown"]),
        ("“tower”", ["tower", '"tower"']),
        ("tower’s", ["tower's"]),
        ("1,000", ["1000", "1 000"]),
        ("x", ["y", "z", "x"]),
        ("theatre a", ["theatre"]),
        ("a\u00a0tower", ["tower"]),
    ]
    dice = random.Random(0)

    def text(most: int) -> str:
        return "".join(dice.choice(WORDS) + dice.choice(JOINTS) for _ in range(dice.randint(0, most)))

    while len(rows) < 200:
        golds = [text(7) for _ in range(dice.randint(0, 4))]
        near = [" ".join([*dice.sample(gold.split(), len(gold.split()) // 2), text(2)]) for gold in golds]
        rows.append(
            (dice.choice([text(6), "", *golds, *near, *near, *(gold.upper() for gold in golds)]), golds)
        )
    return rows


def test_two_hundred_crafted_rows_score_as_evaluate_v2_does_to_the_last_bit() -> None:
    said, golds = zip(*crafted(), strict=True)
    assert len(said) == 200

    found = answers.per_row(said, golds)

    squad = Squad()
    assert found.tolist() == [list(squad.raw_scores(*row)) for row in zip(said, golds, strict=True)]
    # The rows are worth comparing on: whole, none and in between.
    assert {0.0, 1.0} == set(found[:, 0])
    assert len(set(found[:, 1])) > 8


def test_english_is_normalised_as_evaluate_v2_does() -> None:
    for said, golds in crafted():
        for text in (said, *golds):
            assert answers.normalised(text) == Squad.normalize_answer(text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Der Turm, den »ein« Löwe des Königs – einem Lied zufolge – bewacht; eins, dasselbe"),
        ("es", "¿El árbol o la luna? ¡Unos pájaros, unas “nubes” y lástima!"),
        ("zh", "《红楼梦》的作者是曹雪芹（约1715年 — 1763年）、iPhone 15 the Pro。"),
    ],
)
def test_german_spanish_and_chinese_are_normalised_as_mlqa_does(language: str, text: str) -> None:
    assert answers.normalised(text, language) == mlqa_normalize_answer(text, language)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("fr", "L'île, l’eau, des fleurs et une Lune", "île eau fleurs et lune"),
        ("fr", "aujourd'hui", "aujourdhui"),
        ("it", "Un'idea, l'acqua e gli amici dell’arte", "idea acqua e amici dellarte"),
        ("nl", "De fiets en het huis van een man", "fiets en huis van man"),
        ("pt", "Os livros e uma “casa”", "livros e casa"),
        ("ja", "東京タワーは、「the」ラーメン々 です。", "東 京 タ ワ ー は the ラ ー メ ン 々 で す"),
        ("zh", "𠀀龥a一b", "𠀀 龥 a 一 b"),
        ("pl", "The «a» Łódź!", "the a łódź"),
        ("ru", "«А роза»", "а роза"),
    ],
)
def test_other_languages_lose_their_own_articles_and_all_punctuation(
    language: str, text: str, expected: str
) -> None:
    assert answers.normalised(text, language) == expected


def test_normalising_twice_changes_nothing_of_a_clean_text() -> None:
    for said, _ in crafted():
        once = answers.normalised(said, "pl")
        assert answers.normalised(once, "pl") == once


def test_the_language_reaches_the_scores() -> None:
    assert answers.exact_match("der Turm", ["Turm"], "de") == 1
    assert answers.exact_match("der Turm", ["Turm"], "en") == 0
    # Two of three characters said are right, and two of two are said: 2 * 2 / (3 + 2).
    assert answers.token_f1("東京都", ["東京"], "ja") == pytest.approx(0.8)
    assert answers.token_f1("東京都", ["東京"], "en") == 0


def test_only_silence_is_right_where_there_is_no_answer() -> None:
    assert answers.per_row(["", "tower", "", "the"], [[], [], ["tower"], []]).tolist() == [
        [1, 1],
        [0, 0],
        [0, 0],
        [1, 1],
    ]


def test_no_row_has_no_scores() -> None:
    assert answers.per_row([], []).shape == (0, 2)


def dice_of_margins(seed: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Rows without equal margins: margin, F1 of the span, answerable."""
    dice = np.random.default_rng(seed)
    rows = int(dice.integers(1, 40))
    answerable = dice.random(rows) < dice.random()
    margin = dice.normal(size=rows) - answerable
    f1 = np.where(answerable, dice.integers(0, 8, rows) / dice.integers(7, 12, rows), 0.0)
    return margin, f1, answerable


def mean_if_answered_up_to(
    threshold: float, margin: NDArray[Any], f1: NDArray[Any], answerable: NDArray[Any]
) -> float:
    return float(np.where(margin <= threshold, f1, ~answerable).mean())


@pytest.mark.parametrize("seed", range(50))
def test_the_best_score_is_that_of_find_best_thresh_to_the_last_bit(seed: int) -> None:
    margin, f1, answerable = dice_of_margins(seed)

    threshold, score = answers.best_threshold(margin, f1, answerable)

    expected, of_script = Squad.find_best_thresh(["x"] * len(f1), list(f1), list(margin), list(answerable))
    assert score == expected
    # The script stops at the first of equal scores, so it never answers more; 0 is its word for nothing.
    assert threshold >= of_script or of_script == 0.0
    assert mean_if_answered_up_to(threshold, margin, f1, answerable) == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize("seed", range(50))
def test_no_threshold_scores_higher_and_none_that_scores_as_high_answers_more(seed: int) -> None:
    margin, f1, answerable = dice_of_margins(seed)
    # Equal margins, and eighths, whose sums are exact, so that equal scores are equal.
    margin, f1 = np.round(margin), np.round(8 * f1) / 8

    threshold, score = answers.best_threshold(margin, f1, answerable)

    tried = {t: mean_if_answered_up_to(t, margin, f1, answerable) for t in (-np.inf, *margin)}
    best = max(tried.values())
    most = max(t for t, mean in tried.items() if mean == best)
    assert score == best == mean_if_answered_up_to(threshold, margin, f1, answerable)
    assert (margin <= threshold).tolist() == (margin <= most).tolist()


@pytest.mark.parametrize("flushes_denormals", [False, True])
def test_rows_of_one_margin_are_answered_together(flushes_denormals: bool) -> None:
    torch.set_flush_denormal(flushes_denormals)  # as a run does
    # Alone the first would be worth answering; with the two unanswerable ones of the same margin it is not.
    margin, f1 = np.zeros(3), np.array([1.0, 0.0, 0.0])
    answerable = np.array([True, False, False])

    threshold, score = answers.best_threshold(margin, f1, answerable)

    assert -1e-300 < threshold < 0
    assert score == 2 / 3


def test_an_empty_span_costs_nothing_where_there_is_no_answer() -> None:
    margin, f1, answerable = np.array([1.0, 2.0]), np.array([1.0, 1.0]), np.array([False, True])

    assert answers.best_threshold(margin, f1, answerable) == (2.0, 1.0)


def test_of_equal_scores_the_one_that_answers_more_is_taken() -> None:
    margin, f1 = np.array([-1.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])

    assert answers.best_threshold(margin, f1, np.array([True, True, True])) == (1.0, 1 / 3)


def test_rows_that_are_our_own_bug_are_refused() -> None:
    with pytest.raises(AssertionError, match="1 rows said and 2 rows of answers"):
        answers.per_row([""], [[], []])
    with pytest.raises(AssertionError, match="margins must be finite"):
        answers.best_threshold(np.array([np.inf]), np.zeros(1), np.zeros(1, bool))
    with pytest.raises(AssertionError, match=r"margins \(2,\), scores \(1,\), answerable \(2,\)"):
        answers.best_threshold(np.zeros(2), np.zeros(1), np.zeros(2, bool))
