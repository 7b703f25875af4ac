"""Cloze questions: a sentence of a text with a part left out, and that part as the answer.

What a question and its answer have to do with each other can be learnt from texts alone, without anybody's labels
(Lewis et al. 2019, arXiv:1906.04980, section 2; as there, words of the sentence are dropped and moved).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from luthier.tasks.question_answering.sentences import CHARACTER, WORD, Place, sentences_of

FEWEST_WORDS = 6
"""Fewest words of a sentence that a question is made of."""
LONGEST_STRETCH = 600
"""Characters: of a longer text some sentences in a row. Twice as long costs twice, and teaches less (docs/recipes.md). Of a
Chinese or Japanese text half as many, as each is a token there."""
OF_A_STRETCH = 40
"""Questions about one stretch at the most: more of them are more of the same."""
KEPT, MOVED = 0.6, 0.3
"""Share of a sentence's words that stay in its question, and of questions in which their order is lost."""
MOST_WORDS = 18
"""The most words of a question."""
OPENING = 2
"""Words of the user's questions with which others begin."""


@dataclass(frozen=True)
class Cloze:
    """A question that was made, with the stretch of text it is asked about."""

    context: str
    question: str
    answer: str
    """The answer; empty where the context does not answer."""
    start: int
    """Character of the context where the answer begins."""


@dataclass(frozen=True)
class Stretch:
    """A text, or some sentences in a row of a long one."""

    text: str
    sentences: tuple[tuple[Place, ...], ...]
    """The words of each that is long enough."""


def cloze_questions(
    texts: Sequence[str], known: Sequence[tuple[str, str]], dice: np.random.Generator
) -> Iterator[Cloze]:
    """Questions about the texts, one about each stretch and then again, until there are many about each.

    known: the user's own questions and answers (empty: none in the text), after which these are made: how they begin, how
    often there is no answer, and whether it is a number, a name or something else, of how many words.
    """
    stretches = [one for text in dict.fromkeys(texts) for one in stretches_of(text)]
    for _ in range(OF_A_STRETCH):
        for stretch in stretches:
            question, answer = known[int(dice.integers(len(known)))]
            made = ask(stretch, question, answer, dice)
            if answer:
                yield made
                continue
            elsewhere = stretches[int(dice.integers(len(stretches)))].text
            if made.answer not in elsewhere:
                yield Cloze(elsewhere, made.question, "", -1)


def stretches_of(text: str) -> list[Stretch]:
    """
    >>> [one.text for one in stretches_of("It has 3.5 million rooms and six doors. Why?")]
    ['It has 3.5 million rooms and six doors. Why?']
    """
    longest = LONGEST_STRETCH // 2 if 2 * len(CHARACTER.findall(text)) > len(text) else LONGEST_STRETCH
    groups: list[list[Place]] = []
    for sentence in sentences_of(text, longest):
        if groups and sentence[1] - groups[-1][0][0] <= longest:
            groups[-1].append(sentence)
        else:
            groups.append([sentence])
    found = []
    for group in groups:
        begin, end = group[0][0], group[-1][1]
        words = [
            tuple((word.start() - begin, word.end() - begin) for word in WORD.finditer(text, *sentence))
            for sentence in group
        ]
        asked_about = tuple(one for one in words if len(one) >= FEWEST_WORDS)
        if asked_about:
            found.append(Stretch(text[begin:end], asked_about))
    return found


def ask(stretch: Stretch, question: str, answer: str, dice: np.random.Generator) -> Cloze:
    """A question that begins as `question` does, with an answer like `answer`."""
    text, words = stretch.text, stretch.sentences[int(dice.integers(len(stretch.sentences)))]
    first, last = part_like(answer, text, words, dice)
    start, end = words[first][0], words[last][1]
    rest = [text[begin:stop] for at, (begin, stop) in enumerate(words) if not first <= at <= last]
    said = [word for word in rest if dice.random() < KEPT][:MOST_WORDS]
    if dice.random() < MOVED:
        dice.shuffle(said)
    opening = [word.group() for word in islice(WORD.finditer(question), OPENING)]
    return Cloze(text, " ".join([*opening, *said]) + "?", text[start:end], start)


def part_like(answer: str, text: str, words: Sequence[Place], dice: np.random.Generator) -> Place:
    """First and last of the words of a sentence that are left out: of the answer's kind where there are such, else as many."""
    kind = kind_of(answer)
    runs: list[list[int]] = []
    for at, (begin, end) in enumerate(words):
        alike = kind != "other" and at > 0 and kind_of(text[begin:end]) == kind
        joined = runs and runs[-1][-1] == at - 1 and text[words[at - 1][1] : begin] == " "
        if alike and joined:
            runs[-1].append(at)
        elif alike:
            runs.append([at])
    if runs:
        run = runs[int(dice.integers(len(runs)))]
        return run[0], run[-1]
    length = min(max(1, len(WORD.findall(answer))), len(words) // 2)
    first = int(dice.integers(len(words) - length + 1))
    return first, first + length - 1


def kind_of(answer: str) -> str:
    """
    >>> kind_of("in 1667"), kind_of("Cremona"), kind_of("the cellar")
    ('number', 'name', 'other')
    """
    if any(letter.isdigit() for letter in answer):
        return "number"
    return "name" if answer[:1].isupper() else "other"
