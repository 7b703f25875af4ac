"""Entities looked up: those of the training rows, found again word for word. What an entity looks like is not learnt.

As the baseline of the CoNLL-2003 shared task (Tjong Kim Sang and De Meulder 2003, arXiv:cs/0306050).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from luthier.data.tags import spans_of

Glossary = dict[str, list[tuple[tuple[str, ...], str]]]
"""By its first word: the words of each entity and its type, the longest first."""


def glossary_of(rows: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Glossary:
    """The entities of some rows, (words, strict IOB2 tags) each, but for those that are now of one type and now of another.

    >>> glossary_of([(["in", "New", "York"], ["O", "B-LOC", "I-LOC"])])
    {'New': [(('New', 'York'), 'LOC')]}
    """
    types: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for words, tags in rows:
        for first, end, kind in spans_of(tags):
            types[tuple(words[first:end])].add(kind)
    found: Glossary = defaultdict(list)
    for entity, (kind, *others) in types.items():
        if not others:
            found[entity[0]].append((entity, kind))
    return {first: sorted(known, key=lambda one: -len(one[0])) for first, known in found.items()}


def looked_up(words: Sequence[str], glossary: Glossary) -> list[str]:
    """Strict IOB2 tags: from left to right the longest entity that the glossary has.

    >>> looked_up(["New", "York", "in", "May"], {"New": [(("New", "York"), "LOC")]})
    ['B-LOC', 'I-LOC', 'O', 'O']
    """
    tags: list[str] = []
    for at, word in enumerate(words):
        if at < len(tags):
            continue  # inside of one
        fitting = (one for one in glossary.get(word, ()) if tuple(words[at : at + len(one[0])]) == one[0])
        entity, kind = next(fitting, (None, ""))
        tags += ["O"] if entity is None else [f"B-{kind}"] + [f"I-{kind}"] * (len(entity) - 1)
    return tags
