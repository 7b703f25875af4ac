"""Entities: their tags and spans, files that hold them, their scores (against seqeval, and by hand)."""

import gzip
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2, Entities

from luthier.data.formats.conll import read_conll
from luthier.data.table import Table
from luthier.data.tags import repaired, scheme_of, spans_of, tags_of_spans, to_iob2, words_of
from luthier.errors import DataError
from luthier.scores.classification import ClassScore
from luthier.scores.entities import (
    counts_per_row,
    per_type,
    precision_recall_f1,
    resampled_f1,
    resampled_precision,
    resampled_recall,
    types_of,
)
from luthier.scores.intervals import bootstrap

Tagged = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""The true tags, the answers, and where each row ends."""

TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER", "I-ORG", "B-ORG")

ENTITIES = ["B-PER", "I-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC", "O"]
SAME_ENTITIES = {
    "IOB2": ["B-PER", "I-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC", "O"],
    "IOB1": ["I-PER", "I-PER", "I-PER", "O", "I-LOC", "B-LOC", "I-LOC", "O"],
    "BIOES": ["B-PER", "I-PER", "E-PER", "O", "S-LOC", "B-LOC", "E-LOC", "O"],
    "BILOU": ["B-PER", "I-PER", "L-PER", "O", "U-LOC", "B-LOC", "L-LOC", "O"],
}

SHAPE = (
    "a token and its tag on each line, separated by a tab or spaces, such as 'Paris B-LOC', "
    "and a blank line after each sentence"
)


# Schemes


@pytest.mark.parametrize("scheme", SAME_ENTITIES)
def test_a_scheme_is_told_from_its_tags_and_brought_to_iob2_without_repairs(scheme: str) -> None:
    tags = SAME_ENTITIES[scheme]

    assert scheme_of([["O"], tags]) == scheme
    assert to_iob2(tags, scheme) == (ENTITIES, Counter())
    assert repaired(tags) == (ENTITIES, Counter())


def test_without_any_b_entities_that_touch_are_one() -> None:
    tags = ["I-PER", "I-PER", "I-LOC", "O", "I-LOC"]

    assert scheme_of([tags]) == "IO"
    assert repaired(tags) == (["B-PER", "I-PER", "B-LOC", "O", "B-LOC"], Counter())


def test_the_scheme_is_that_of_all_rows_not_of_one() -> None:
    first, second = ["I-PER", "O"], ["I-LOC", "B-LOC"]

    assert [scheme_of([first]), scheme_of([first, second])] == ["IO", "IOB1"]


def test_rows_without_an_entity_are_iob2() -> None:
    assert scheme_of([]) == scheme_of([["O", "O"], []]) == "IOB2"
    assert repaired(["O"]) == (["O"], Counter())
    assert repaired([]) == ([], Counter())


def test_a_type_may_hold_hyphens_and_spaces() -> None:
    tags = ["S-first-name", "B-date of birth", "E-date of birth"]

    assert repaired(tags) == (["B-first-name", "B-date of birth", "I-date of birth"], Counter())
    assert spans_of(repaired(tags)[0]) == [(0, 1, "first-name"), (1, 3, "date of birth")]


# Repairs


@pytest.mark.parametrize(
    ("scheme", "tags", "mended", "repairs"),
    [
        ("IOB2", "O I-PER I-PER", "O B-PER I-PER", {"an I- without its B-": 1}),
        ("IOB2", "B-PER I-LOC O I-LOC", "B-PER B-LOC O B-LOC", {"an I- without its B-": 2}),
        ("IOB1", "O B-PER I-PER B-PER", "O B-PER I-PER B-PER", {"a B- where IOB1 has an I-": 1}),
        ("BIOES", "B-PER O S-PER", "B-PER O B-PER", {"an entity without its E-": 1}),
        ("BIOES", "S-PER B-PER I-PER", "B-PER B-PER I-PER", {"an entity without its E-": 1}),
        ("BIOES", "E-PER S-PER", "B-PER B-PER", {"an E- without its B-": 1}),
        ("BIOES", "S-PER I-PER E-PER", "B-PER B-PER I-PER", {"an I- without its B-": 1}),
        (
            "BIOES",
            "B-PER E-LOC",
            "B-PER B-LOC",
            {"an entity without its E-": 1, "an E- without its B-": 1},
        ),
        ("BILOU", "B-PER U-PER", "B-PER B-PER", {"an entity without its L-": 1}),
        ("BILOU", "O L-PER", "O B-PER", {"an L- without its B-": 1}),
        ("BILOU", "U-LOC I-PER L-PER", "B-LOC B-PER I-PER", {"an I- without its B-": 1}),
    ],
)
def test_a_fault_is_mended_and_counted_and_no_word_leaves_its_entity(
    scheme: str, tags: str, mended: str, repairs: dict[str, int]
) -> None:
    assert to_iob2(tags.split(), scheme) == (mended.split(), Counter(repairs))


@pytest.mark.parametrize("scheme", SAME_ENTITIES)
def test_whatever_the_faults_the_outcome_is_strict_iob2_of_the_same_words_and_types(scheme: str) -> None:
    random = np.random.default_rng(0)
    marks = sorted({tag[:2] for tag in SAME_ENTITIES[scheme]} - {"O"})
    tags = ["O", *(f"{mark}{kind}" for mark in marks for kind in ("X", "Y"))]
    for _ in range(200):
        row = random.choice(tags, 8).tolist()

        mended, _ = to_iob2(row, scheme)

        assert [tag[1:] for tag in mended] == [tag[1:] for tag in row]
        assert to_iob2(mended, "IOB2") == (mended, Counter())


@pytest.mark.parametrize("tag", ["", "B-", "X_foo", "B-  ", "PER", "o", "X-PER", None, 3])
def test_what_is_no_tag_is_told_with_its_word(tag: Any) -> None:
    with pytest.raises(ValueError) as error:
        repaired(["B-LOC", tag])

    assert str(error.value) == (
        f"word 2 has the tag {tag!r}. Expected, in IOB2, the scheme of the rows: O, or B- or I- with a type, "
        "such as B-LOC. Correct the tag."
    )


def test_a_tag_of_another_scheme_than_the_rows_is_told_too() -> None:
    rows = [["B-LOC", "E-LOC", "S-LOC"], ["O", "O", "U-LOC"]]

    with pytest.raises(ValueError) as error:
        to_iob2(rows[1], scheme_of(rows))

    assert str(error.value) == (
        "word 3 has the tag 'U-LOC'. Expected, in BIOES, the scheme of the rows: O, or B-, I-, E- or S- with a type, "
        "such as B-LOC. Correct the tag."
    )


# Spans


def test_spans_of_strict_tags_and_of_an_answer_that_is_not_strict() -> None:
    assert spans_of(ENTITIES) == [(0, 3, "PER"), (4, 5, "LOC"), (5, 7, "LOC")]
    assert spans_of(["I-PER", "B-PER", "I-LOC", "I-LOC"]) == [(1, 2, "PER")]
    assert spans_of([]) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't  stop.\n", ["Don", "'", "t", "stop", "."]),
        ("Zürich–Genève 3,5€", ["Zürich", "–", "Genève", "3", ",", "5", "€"]),
        ("Gene\u0300ve", ["Gene\u0300ve"]),
        ("नमस्ते दुनिया।", ["नमस्ते", "दुनिया", "।"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("I \u2764\ufe0fit", ["I", "\u2764\ufe0f", "it"]),
        ("東京に", ["東京に"]),
        (" \n", []),
    ],
)
def test_words_are_letters_with_their_accents_and_each_sign_by_itself(text: str, words: list[str]) -> None:
    assert [text[begin:end] for begin, end in words_of(text)] == words


def span(start: int, end: float, label: str = "LOC") -> dict[str, Any]:
    return {"start": start, "end": end, "label": label}


def test_spans_become_tags_and_white_space_at_their_edges_changes_nothing() -> None:

    text = "Ada Lovelace met Mary in Turin ."

    tags, misfits = tags_of_spans(
        words_of(text), [span(25, 31, "LOC"), span(0, 12, "PER"), span(16, 22, "PER")]
    )

    assert tags == ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "O"]
    assert misfits == Counter()


@pytest.mark.parametrize(
    ("spans", "tags", "misfits"),
    [
        ([span(2, 7)], "B I O", {"a span that begins or ends inside a word, widened to the word": 1}),
        ([span(3, 3), span(7, 4)], "O O O", {"a span that is empty": 2}),
        ([span(16, 20), span(-3, 0)], "O O O", {"a span outside the text": 2}),
        ([span(11, 20)], "O O B", {"a span that reaches beyond the text, cut to it": 1}),
        ([span(-1, 3)], "B O O", {"a span that reaches beyond the text, cut to it": 1}),
        ([span(3, 4)], "O O O", {"a span that holds no word": 1}),
        ([span(0, 3), span(0, 3)], "B O O", {"a span that is given twice": 1}),
        (
            [span(0, 3), span(0, 10), span(4, 10)],
            "B I O",
            {"a span that overlaps a longer one, or as long and given first, left out": 2},
        ),
        (
            [span(4, 10), span(4, 10, "PER")],
            "O B O",
            {"a span that overlaps a longer one, or as long and given first, left out": 1},
        ),
    ],
)
def test_a_span_that_does_not_fit_is_counted(
    spans: list[dict[str, int | str]], tags: str, misfits: dict[str, int]
) -> None:
    words = words_of("New Yorker 1925 ")  # 0 to 3, 4 to 10, 11 to 15

    found = tags_of_spans(words, spans, length=16)

    expected = [tag if tag == "O" else f"{tag}-LOC" for tag in tags.split()]
    assert found == (expected, Counter(misfits))


def test_the_longer_of_two_spans_is_kept_as_they_are_after_widening() -> None:
    words = words_of("New Yorker 1925")

    tags, misfits = tags_of_spans(words, [span(0, 10, "PER"), span(8, 12, "LOC")])

    assert tags == ["O", "B-LOC", "I-LOC"]
    assert misfits.total() == 2


def test_where_the_length_of_the_text_is_not_said_it_ends_with_its_last_word() -> None:
    words = words_of("New York ")

    assert tags_of_spans(words, [span(4, 9)]) == (
        ["O", "B-LOC"],
        Counter({"a span that reaches beyond the text, cut to it": 1}),
    )
    assert tags_of_spans([], [span(0, 1)]) == ([], Counter({"a span outside the text": 1}))


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [
        ({"start": 0, "end": 3}, "{'start': 0, 'end': 3}"),
        (span(0, 1.5), "{'start': 0, 'end': 1.5, 'label': 'LOC'}"),
        (span(True, 3), "{'start': True, 'end': 3, 'label': 'LOC'}"),
        (span(0, 3, " "), "{'start': 0, 'end': 3, 'label': ' '}"),
        ([0, 3, "LOC"], "[0, 3, 'LOC']"),
    ],
)
def test_what_is_no_span_is_told_with_its_number(wrong: dict[str, Any], shown: str) -> None:
    with pytest.raises(ValueError) as error:
        tags_of_spans([(0, 3)], [span(0, 3), wrong])

    assert str(error.value) == (
        f"span 2 is {shown}. Expected 'start' and 'end' as whole numbers, counted in characters from 0, and 'label' "
        "as a text, such as {'start': 0, 'end': 5, 'label': 'LOC'}. Correct the span."
    )


# Files


@pytest.fixture
def conll(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Table]:
    """The table of a file with that content; paths are shown as from its folder."""
    monkeypatch.chdir(tmp_path)

    def conll(content: str | bytes, name: str = "a.conll", encoding: str | None = None) -> Table:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_conll(Path(name), encoding)

    return conll


@pytest.fixture
def refusal(conll: Callable[..., Table]) -> Callable[[str], str]:
    def refusal(content: str) -> str:
        with pytest.raises(DataError) as error:
            conll(content)
        return str(error.value)

    return refusal


def test_a_sentence_is_a_row_and_its_place_the_line_of_its_first_token(conll: Callable[..., Table]) -> None:
    table = conll("\nJean B-PER\nmet O\n\n \t\nMary B-PER\n")

    assert table.names == ["tokens", "tags"]
    assert table.values("tokens") == [["Jean", "met"], ["Mary"]]
    assert table.values("tags") == [["B-PER", "O"], ["B-PER"]]
    assert table.line_of.tolist() == [2, 6]
    assert str(table.place(1)) == "a.conll, line 6"
    assert str(table.columns.schema.field("tags").type) == "list<item: string>"
    assert table.guesses == ()


def test_of_more_columns_the_first_and_the_last_are_read_and_what_was_passed_over_is_told(
    conll: Callable[..., Table],
) -> None:
    table = conll(
        "-DOCSTART- -X- -X- O\n\n# sent_id = 1\nEU NNP B-NP B-ORG\r\nrejects VBZ B-VP O\r\n"
        "-DOCSTART- -X- -X- O\n# text = Vitamin O\n# by hand\nPeter NNP B-NP B-PER"
    )

    assert table.values("tokens") == [["EU", "rejects"], ["Peter"]]
    assert table.values("tags") == [["B-ORG", "O"], ["B-PER"]]
    assert table.guesses == (
        "a.conll: of 4 columns the first is read as the token, the last as the tag; "
        "a copy with only the right two corrects it.",
        "a.conll: 2 -DOCSTART- lines begin documents, which the column 'document' numbers; --group document keeps the sentences "
        "of one together, and counts them as one cluster.",
        "a.conll: 3 comments passed over (they begin with # and a space); a tab after it makes # a token.",
    )


def test_sentences_know_their_document_where_a_file_has_several(conll: Callable[..., Table]) -> None:
    first = conll("-DOCSTART- O\n\nEU B-ORG\n\nhere O\n\n-DOCSTART- O\n\nPeter B-PER\n")
    other = conll("-DOCSTART- O\n\nMary B-PER\n\n-DOCSTART- O\n\nPeter B-PER\n")
    single = conll("-DOCSTART- O\n\nEU B-ORG\n\nhere O\n")

    own, theirs = first.values("document"), other.values("document")

    assert (own[0] == own[1], len(set(own))) == (True, 2)
    assert own[0] not in theirs
    assert single.names == ["tokens", "tags"]
    assert single.guesses == ("a.conll: 1 -DOCSTART- line passed over.",)


def test_between_tabs_a_token_may_hold_spaces_and_a_hash_may_be_a_token(conll: Callable[..., Table]) -> None:
    table = conll("New York\tB-LOC \n#\tO\n\u00a0\tO\n")

    assert table.values("tokens") == [["New York", "#", "\u00a0"]]
    assert table.values("tags") == [["B-LOC", "O", "O"]]
    assert conll("# O\nsale O\n# B-TAG\n").values("tokens") == [["#", "sale", "#"]]
    assert conll("a   O\nb \t O\n").values("tags") == [["O", "O"]]


def test_encoding_and_compression_are_found_as_of_other_files(conll: Callable[..., Table]) -> None:
    lines = "für O\nKöln B-LOC\nschön O\nGröße O\nüber O\n"
    latin = conll(lines.encode("cp1252"))
    packed = conll(gzip.compress(f"\ufeff{lines}".encode()), "a.conll.gz")

    assert latin.values("tokens") == packed.values("tokens") == [["für", "Köln", "schön", "Größe", "über"]]
    assert latin.guesses == ("a.conll: is read as cp1252; --encoding NAME corrects it.",)
    assert packed.guesses == ()


def test_many_sentences_are_laid_out_in_batches_and_keep_their_order(conll: Callable[..., Table]) -> None:
    table = conll("".join(f"word{number} O\n\n" for number in range(20_000)))

    assert table.values("tokens") == [[f"word{number}"] for number in range(20_000)]
    assert table.line_of.tolist() == list(range(1, 40_000, 2))


def test_a_long_file_without_a_blank_line_is_remarked_on(conll: Callable[..., Table]) -> None:
    assert conll("a O\n" * 501).guesses == (
        "a.conll: has no blank line, so all 501 tokens are one row; a blank line after each sentence corrects it.",
    )


def test_lines_that_lack_a_column_are_told_together(refusal: Callable[[str], str]) -> None:
    assert refusal("Paris B-LOC\nis\n\nNew York B-LOC\n.\n") == (
        "a.conll: 3 of 4 lines cannot be read as a token and its tag: line 2 (1 column: 'is'), "
        "line 4 (3 columns: 'New York B-LOC') and line 5 (1 column: '.'). Expected 2 columns on each, as on line 1, "
        "separated by spaces, of which a token holds none. Correct the lines; between sentences leave one blank."
    )


def test_between_tabs_an_empty_token_or_tag_is_told(refusal: Callable[[str], str]) -> None:
    assert refusal("Paris\tB-LOC\nis\t\n\tO\nnice O\n") == (
        "a.conll: 3 of 4 lines cannot be read as a token and its tag: line 2 (no tag: 'is\\t'), "
        "line 3 (no token: '\\tO') and line 4 (1 column: 'nice O'). Expected 2 columns on each, as on line 1, "
        "separated by a tab, the token first, the tag last. Correct the lines; between sentences leave one blank."
    )


def test_a_file_without_tags_or_without_tokens_is_refused(refusal: Callable[[str], str]) -> None:
    assert (
        refusal("Paris\nis\n")
        == "a.conll: no line has a tag: line 1 (1 column: 'Paris') and line 2 (1 column: 'is'). "
        f"Expected {SHAPE}."
    )
    assert refusal("") == f"a.conll: holds no token. Expected {SHAPE}."
    assert refusal("-DOCSTART- O\n\n# nothing\n") == f"a.conll: holds no token. Expected {SHAPE}."


# Scores


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def answers(random: np.random.Generator) -> Tagged:
    """1,000 rows of 0 to 12 words; the answers, ill-formed ones too, agree with the truth on 7 words in 10."""
    ends = np.concatenate([[0], np.cumsum(random.integers(0, 13, 1000))])
    noise = random.integers(0, len(TAGS), (2, ends[-1]))
    truth = np.concatenate([strict(noise[0, a:b]) for a, b in pairwise(ends)])
    return truth, np.where(random.random(ends[-1]) < 0.7, truth, noise[1]), ends


def strict(row: NDArray[Any]) -> NDArray[Any]:
    tags, _ = to_iob2([TAGS[number] for number in row], "IOB2")
    return np.array([TAGS.index(tag) for tag in tags], int)


def names_of(numbers: NDArray[Any], ends: NDArray[Any], rows: Iterable[int] | None = None) -> list[list[str]]:
    rows = range(len(ends) - 1) if rows is None else rows
    return [[TAGS[number] for number in numbers[ends[row] : ends[row + 1]]] for row in rows]


def seqeval_of(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    ends: NDArray[Any],
    rows: Iterable[int] | None = None,
    average: str | None = "micro",
) -> Any:
    names = names_of(truth, ends, rows), names_of(predicted, ends, rows)
    return precision_recall_fscore_support(*names, average=average, scheme=IOB2, zero_division=0)


def test_overall_scores_are_those_of_seqeval_on_ill_formed_answers_too(
    answers: Tagged,
) -> None:
    truth, predicted, ends = answers

    found = precision_recall_f1(counts_per_row(truth, predicted, ends, TAGS))

    assert found == pytest.approx(seqeval_of(*answers)[:3], rel=1e-12)
    assert 0.2 < found[2] < 0.8


def test_scores_per_type_are_those_of_seqeval(
    answers: Tagged,
) -> None:
    truth, predicted, ends = answers

    found = per_type(counts_per_row(truth, predicted, ends, TAGS))

    expected = dict(
        zip(("LOC", "ORG", "PER"), zip(*seqeval_of(*answers, average=None), strict=True), strict=True)
    )
    for kind, score in zip(types_of(TAGS), found, strict=True):
        assert (score.precision, score.recall, score.f1, score.support) == pytest.approx(expected[kind])


def test_counts_of_each_row_are_those_of_seqeval(
    answers: Tagged,
) -> None:
    truth, predicted, ends = answers

    found = counts_per_row(truth, predicted, ends, TAGS)

    true_entities = Entities(names_of(truth, ends), IOB2).entities
    answered = Entities(names_of(predicted, ends), IOB2).entities
    assert found.shape == (1000, 3, 3)
    for row in range(1000):
        for number, kind in enumerate(types_of(TAGS)):
            true = {entity for entity in true_entities[row] if entity.tag == kind}
            answer = {entity for entity in answered[row] if entity.tag == kind}
            assert found[row, number].tolist() == [len(true & answer), len(answer), len(true)]


def test_counts_of_a_row_are_those_of_its_spans(
    answers: Tagged,
) -> None:
    truth, predicted, ends = answers

    found = counts_per_row(truth, predicted, ends, TAGS).sum(axis=1)

    pairs = zip(names_of(truth, ends), names_of(predicted, ends), strict=True)
    spans = [(set(spans_of(true)), set(spans_of(answer))) for true, answer in pairs]
    assert found.tolist() == [[len(true & answer), len(answer), len(true)] for true, answer in spans]


def test_scores_of_resamples_are_those_of_seqeval_on_each(
    answers: Tagged, random: np.random.Generator
) -> None:
    counts = counts_per_row(*answers, TAGS)
    rows = random.integers(0, 1000, (4, 30))

    found = [statistic(counts)(rows) for statistic in (resampled_precision, resampled_recall, resampled_f1)]

    expected = [seqeval_of(*answers, rows=each)[:3] for each in rows]
    assert np.transpose(found).tolist() == [pytest.approx(each) for each in expected]


def test_the_statistic_of_the_rows_as_they_are_is_the_score(
    answers: Tagged,
) -> None:
    counts = counts_per_row(*answers, TAGS)
    statistics = resampled_precision, resampled_recall, resampled_f1

    estimates = [bootstrap(statistic(counts), rows=1000, draws=50, seed=0) for statistic in statistics]

    assert tuple(estimate.value for estimate in estimates) == precision_recall_f1(counts)
    assert all(estimate.low < estimate.value < estimate.high for estimate in estimates)


def test_an_entity_ends_with_its_row_and_empty_rows_hold_none() -> None:
    truth = np.array([1, 2, 1])  # B-LOC | I-LOC is another row's, and begins nothing | B-LOC
    ends = np.array([0, 0, 1, 1, 2, 3, 3])

    counts = counts_per_row(truth, truth, ends, TAGS[:3])

    assert counts[:, 0].tolist() == [[0, 0, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0], [1, 1, 1], [0, 0, 0]]


def test_without_any_entity_all_scores_are_zero() -> None:
    outside = np.zeros(4, int)

    counts = counts_per_row(outside, outside, np.array([0, 4]), TAGS)

    assert precision_recall_f1(counts) == (0, 0, 0)
    assert per_type(counts) == (ClassScore(0.0, 0.0, 0.0, 0),) * 3
    assert resampled_f1(counts)(np.array([[0]])).tolist() == [0]


def test_half_an_entity_is_not_right_nor_one_of_another_type() -> None:
    truth = np.array([1, 2, 0, 1])  # LOC of two words, LOC of one
    predicted = np.array([1, 0, 0, 3])  # its first word, PER

    assert counts_per_row(truth, predicted, np.array([0, 4]), TAGS)[0].tolist() == [
        [0, 1, 2],
        [0, 1, 0],
        [0, 0, 0],
    ]


def test_numbers_that_are_our_own_bug_are_refused() -> None:
    words, ends = np.array([0, 1]), np.array([0, 2])

    with pytest.raises(AssertionError, match="2 words in truth, 1 in predictions"):
        counts_per_row(words, words[:1], ends, TAGS)
    with pytest.raises(AssertionError, match="the last row ends at word 1 of 2"):
        counts_per_row(words, words, np.array([0, 1]), TAGS)
    with pytest.raises(AssertionError, match="a tag beyond the 1 known ones"):
        counts_per_row(words, words, ends, ("O",))
    with pytest.raises(AssertionError, match="no row to score"):
        counts_per_row(words[:0], words[:0], np.array([0]), TAGS)


def test_a_row_of_sixty_thousand_spans_is_tagged_in_seconds() -> None:
    words = [(4 * at, 4 * at + 3) for at in range(60_000)]
    begin = time.monotonic()

    tags, misfits = tags_of_spans(
        words, [{"start": a, "end": b, "label": "x"} for a, b in [*words, words[0]]]
    )

    assert time.monotonic() - begin < 10  # each was once looked for among all others, which took minutes
    assert set(tags) == {"B-x"}
    assert misfits == {"a span that is given twice": 1}
