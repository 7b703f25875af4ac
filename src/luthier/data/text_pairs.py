"""Finding the two columns that are a pair of texts, by their names or their values, and what is asked where that is not clear."""

from collections.abc import Mapping, Sequence

from luthier.data.column_facts import reads_like_text
from luthier.data.column_names import normal, words_of_name
from luthier.data.column_numbers import holds_numbers
from luthier.data.columns import (
    COMMA,
    ColumnGuess,
    ask_which,
    guess_by_name,
    label_beside,
    may_be_label,
    names_there,
    texts_beside,
)
from luthier.data.known_names import LABEL_NAMES, SCORE_NAMES, TEXT_NAMES
from luthier.data.pair_names import paired
from luthier.data.table import Table
from luthier.errors import DataError, spelt

PAIR_NAMES = (
    *(
        ("text", "text2"),
        ("sentence1", "sentence2"),
        ("text1", "text2"),
        ("premise", "hypothesis"),
        ("question1", "question2"),
    ),
    *(("sentence_1", "sentence_2"), ("text_1", "text_2"), ("sentence_a", "sentence_b"), ("text_a", "text_b")),
    *(("question", "sentence"), ("query", "passage"), ("query", "document")),
)
"""Names of the two columns of a pair of texts."""
PAIRS_WITH_LABEL = (
    *(("claim", "evidence"), ("headline", "body"), ("headline", "article_body"), ("question", "answer")),
    *(
        ("question", "passage"),
        ("question", "context"),
        ("question", "document"),
        ("query", "doc"),
        ("query", "answer"),
    ),
    *(("context", "response"), ("post", "reply"), ("tweet", "reply"), ("context", "hypothesis")),
)
"""Further names of pairs, which other columns have too: a pair only where both hold texts, and a third is named as labels are."""
JUDGEMENTS = (
    "label",
    "judgment",
    "judgement",
    "entailment",
    "relation",
    "class",
    "stance",
    "verdict",
    "duplicate",
)
"""Last words of the names of columns that hold the labels of pairs."""
TITLES = ("title", "subject", "summary", "headline", "heading", "name", "keywords")
"""Last words of the names of columns whose texts describe the text beside them, such as titles."""
LIKE_LENGTH = 0.5
"""Another column may as well be meant when its texts have at least this share of the longest column's length."""


def pair_by_name(table: Table) -> tuple[str, str] | None:
    """Two columns of strings whose names say that they are a pair."""
    there = names_there(table, "text")
    known = next(((there[one], there[two]) for one, two in PAIR_NAMES if one in there and two in there), None)
    if known is not None:
        return known
    alike = [pair for pair in paired(list(there.values())) if all(holds_words(table, name) for name in pair)]
    if alike:
        return max(alike, key=lambda pair: sum(map(len, table.texts(pair[1], table.sample))))
    if not names_there(table, "label").keys() & {*LABEL_NAMES, *SCORE_NAMES, *JUDGEMENTS}:
        return None
    pairs = [(there[one], there[two]) for one, two in PAIRS_WITH_LABEL if one in there and two in there]
    return next((pair for pair in pairs if all(holds_words(table, name) for name in pair)), None)


def holds_words(table: Table, name: str) -> bool:
    """Whether most values of a column are several words."""
    texts = [text for text in table.texts(name, table.sample) if text.strip()]
    return bool(texts) and sum(map(reads_like_text, texts)) > 0.5 * len(texts)


def refuse_two_targets(table: Table, pair: Sequence[str]) -> None:
    """Raise DataError where beside two texts there are numbers to be estimated and labels as well, named as such."""
    facts = [one for one in table.facts() if one.name not in pair and may_be_label(one)]
    scores = [one.name for one in facts if normal(one.name) in SCORE_NAMES and holds_numbers(table, one.name)]
    labels = [
        one.name
        for one in facts
        if words_of_name(one.name)[-1:] in [[word] for word in JUDGEMENTS] and one.name not in scores
    ]
    if scores and labels:
        raise ask_which(table, facts, [*scores, *labels])


def refuse_two_texts(table: Table, guess: ColumnGuess) -> None:
    """Raise DataError where two columns hold texts of like length, and no name says which of them is meant, or both."""
    if normal(guess.text) in TEXT_NAMES or guess.text not in table.names:
        return
    facts = {one.name: one for one in table.facts()}
    own = facts[guess.text]
    labels = guess.label.split(COMMA)
    others = [
        name
        for name in texts_beside(table, guess.text, labels, varied=table.headed)
        if facts[name].characters >= LIKE_LENGTH * own.characters
        and words_of_name(name)[-1:] not in [[word] for word in TITLES]
        and not names_a_copy(guess.text, name)
    ]
    if len(others) == 1:
        first, second = sorted((guess.text, others[0]), key=table.names.index)
        one, two = spelt(first), spelt(second)
        raise DataError(
            f"{table.files[0]}: columns {first!r} and {second!r} both hold texts, of like length. Say which is meant with "
            f"--text {one} or --text {two}; of a pair, name both: --text {one} --text2 {two}."
        )


def names_a_copy(one: str, other: str) -> bool:
    """Whether a column's name is another's with words added, or they share all but one, as `comment` and `comment_clean` do."""
    first, second = set(words_of_name(one)), set(words_of_name(other))
    return not normal(one).startswith("column_") and bool(first <= second or second <= first)


def guess_pair(
    table: Table, asked: Mapping[str, str | None], labels: Sequence[str] = LABEL_NAMES
) -> ColumnGuess:
    """The two texts of a pair and what is to be learnt of them."""
    named = pair_by_name(table)
    first, second = ((named[0],), (named[1],)) if named else (TEXT_NAMES, ())
    known = {"text": [normal(n) for n in first], "text2": [normal(n) for n in second], "label": labels}
    texts = [asked.get("text") or (named and named[0]), asked.get("text2") or (named and named[1])]
    if texts[0] is not None and texts[0] == texts[1]:
        raise DataError(
            f"{table.files[0]}: column {texts[0]!r} cannot be both text and text2. Name different columns."
        )
    if asked.get("label") is not None or None in texts or names_there(table, "label").keys() & set(labels):
        return guess_by_name(table, asked, known)
    label, why = label_beside(table, [name for name in texts if name is not None])
    found = guess_by_name(table, {**asked, "label": label}, known)
    return ColumnGuess(found.columns, {**found.reasons, "label": why})
