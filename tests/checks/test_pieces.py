"""Texts in a language that the model hardly knows are told by the pieces that its tokenizer makes of their words."""

from pathlib import Path

import numpy as np
import pytest

import luthier
from luthier.checks.finding import BrokenWords, Finding, Tokens
from luthier.checks.pieces import pieces
from luthier.prepare import broken_words as breaking
from luthier.prepare.general import General
from tiny import messages, write_jsonl


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """General sentences of words that the tiny tokenizer knows; of luthier's own it knows letters."""
    texts = tuple(text for text, _ in messages(20, seed=3))
    monkeypatch.setattr(breaking, "own", lambda: General("some", texts, None, "hash"))


def found_in(rows: list[dict[str, str]], folder: Path, bert: Path) -> list[Finding]:
    path = write_jsonl(folder / "rows.jsonl", rows)
    return [one for one in luthier.check(str(path), model=str(bert), quiet=True) if one.check == "pieces"]


def german(count: int) -> list[dict[str, str]]:
    words = (
        "wann",
        "kommt",
        "mein",
        "paket",
        "bitte",
        "sofort",
        "morgen",
        "gestern",
        "zahlung",
        "kaputt",
        "danke",
    )
    dice = np.random.default_rng(0)
    return [{"text": " ".join(dice.choice(words, 6)), "label": "ab"[at % 2]} for at in range(count)]


def test_texts_in_another_language_are_told_with_a_model_that_knows_it(
    usual: None, tmp_path: Path, bert: Path
) -> None:
    (found,) = found_in(german(60), tmp_path, bert)

    assert (found.severity, found.share) == ("warn", 1.0)
    assert found.message.startswith(
        f"The tokenizer breaks words into pieces: {found.count} texts of {found.count} looked at have more than 1.5 times "
        "as many as general English sentences, "
    )
    assert found.matters == (
        "The model has hardly read texts in this language: its features say little of them, and texts are cut off earlier."
    )
    assert found.mend == (
        "Take a model of this language, or of many, such as --model "
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2; or translate the texts."
    )


def test_texts_of_which_some_are_in_another_language_give_no_finding(
    usual: None, tmp_path: Path, bert: Path
) -> None:
    known = [{"text": text, "label": label} for text, label in messages(60, labels=2)]

    assert found_in([*known, *german(20)], tmp_path, bert) == []


def test_a_tokenizer_that_breaks_all_words_gives_no_finding(tmp_path: Path, bert: Path) -> None:
    assert found_in(german(60), tmp_path, bert) == []


def test_words_of_a_field_are_told_from_another_language() -> None:
    broken = BrokenWords(np.arange(4), np.array([2.0, 2.1, 1.9, 2.2]), usual=1.1, common=0.25)
    tokens = Tokens(np.arange(4), np.full(4, 9), np.zeros(4, np.int64), 60, "cut", broken=broken)

    (found,) = pieces(SimpleEvidence(tokens))  # type: ignore[arg-type]

    assert found.matters.startswith("The model has hardly read such words: ")
    assert found.mend.startswith("Take a model of this field. ")


class SimpleEvidence:
    """As much of the evidence as the check looks at."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def shown(self, rows: np.ndarray) -> tuple[()]:
        return ()


def test_scripts_without_blanks_have_no_words_to_break() -> None:
    assert breaking.words_in("東京の天気は 12 tram stops") == ["tram", "stops"]
