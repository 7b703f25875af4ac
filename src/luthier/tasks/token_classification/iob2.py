"""The likeliest well-formed tags of a row's words."""

import numpy as np

from luthier.arrays import Array

AT_ONCE = 2_000
"""Rows that are looked at together, of like length."""
NEVER = -1e9


def allowed(tags: tuple[str, ...]) -> tuple[Array, Array]:
    """(tags,) which tag may begin a row, and (tags, tags) which may follow which, in strict IOB2.

    >>> allowed(("O", "B-x", "I-x"))[0].tolist()
    [True, True, False]
    """
    begin = np.array([not tag.startswith("I-") for tag in tags])
    follow = np.array([
        [not after.startswith("I-") or before[2:] == after[2:] for after in tags] for before in tags
    ])  # fmt: skip
    return begin, follow


def best_tags(probabilities: Array, ends: Array, tags: tuple[str, ...]) -> Array:
    """(words,) tags whose product of probabilities is highest among all that strict IOB2 allows (Viterbi 1967).

    probabilities: (words, tags).  ends: (rows + 1,) where each row begins, and the last one ends.
    """
    begin, follow = allowed(tags)
    logs = np.log(np.maximum(probabilities, 1e-30)).astype(np.float32)
    found = np.zeros(len(logs), np.int64)
    lengths = np.diff(ends)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    barrier = np.where(follow, 0.0, NEVER).astype(np.float32)
    for at in range(0, len(order), AT_ONCE):
        rows = order[at : at + AT_ONCE]
        first, counts = ends[rows], lengths[rows]
        longest = int(counts.max())
        came_from = np.zeros((longest, len(rows), len(tags)), np.int16)
        score = logs[first] + np.where(begin, 0.0, NEVER).astype(np.float32)
        final = score.copy()
        for step in range(1, longest):
            live = counts > step
            ways = score[live][:, :, None] + barrier  # (rows, before, after)
            came_from[step][live] = ways.argmax(axis=1)
            score[live] = ways.max(axis=1) + logs[first[live] + step]
            final[live] = score[live]
        tag = final.argmax(axis=1)
        for step in range(longest - 1, -1, -1):
            live = counts > step
            found[first[live] + step] = tag[live]
            tag = np.where(live, came_from[step][np.arange(len(rows)), tag], tag)
    return found


def begun(numbers: Array, ends: Array, tags: tuple[str, ...]) -> Array:
    """Tags, (words,), in which an I- that goes on with nothing, or with an entity of another type, is a B-.

    >>> begun(np.array([2, 2, 0, 2]), np.array([0, 3, 4]), ("O", "B-x", "I-x")).tolist()
    [1, 2, 0, 1]
    """
    inside = np.array([tag.startswith("I-") for tag in tags])[numbers]
    types = {kind: at for at, kind in enumerate(dict.fromkeys(tag[2:] for tag in tags))}
    kinds = np.array([types[tag[2:]] for tag in tags])[numbers]
    before = np.concatenate([[-1], kinds[:-1]]) if len(kinds) else kinds
    first = np.zeros(len(numbers), bool)
    first[ends[:-1][np.diff(ends) > 0]] = True
    alone = inside & (first | (before != kinds))
    begins = np.array(
        [tags.index(f"B-{tag[2:]}") if tag.startswith("I-") else at for at, tag in enumerate(tags)]
    )
    found: Array = np.where(alone, begins[numbers], numbers)
    return found
