"""Paired tests that stay honest however often one looks: a round of labelling is followed by another one, on the same test rows.

The first look at some test rows spends a half of the 5 %, the next one a sixth, a twelfth and so on: 1 / (look (look + 1)), which
is 1 in all however many there are. So by the union bound the share of loops in which any interval ever misses is 5 % at the most,
whenever one stops and however much the looks depend on each other (an alpha-spending sequence, as in Howard et al. 2021,
arXiv:1810.08240, section 3.1; Johari et al. 2015, arXiv:1512.04922, say what peeking does without).

A test martingale, whose evidence is multiplied from look to look (Ville's inequality, arXiv:2010.09686), would spend less where
each look brought rows of its own. Here every look is at the same rows: a model that was unlucky on them makes the next one look
better, so that the evidence of one look is not fair given the last, and nothing bounds the product. In loops without any gain the
plain 95 % intervals claim one in 23 of 100 cases after eight rounds, these in 2 to 3 (tests/scores/test_many_looks.py).
"""


def spent(look: int) -> float:
    """The share of all error that a look may spend, the first being 1.

    >>> [round(spent(look), 4) for look in (1, 2, 3)], round(sum(map(spent, range(1, 10_000))), 3)
    ([0.5, 0.1667, 0.0833], 1.0)
    """
    assert look > 0, "looks are counted from 1 on"
    return 1 / (look * (look + 1))


def confidence_at(look: int, confidence: float = 0.95) -> float:
    """The confidence of a look's interval, so that all of them together have the confidence that is asked for.

    >>> round(confidence_at(1), 4), round(confidence_at(3), 4)
    (0.975, 0.9958)
    """
    return 1 - (1 - confidence) * spent(look)
