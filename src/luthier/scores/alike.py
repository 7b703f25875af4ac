"""Rows in clusters by their features, and the words that tell a cluster from the others."""

import re
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from luthier import seeds
from luthier.arrays import Floats, Ints
from luthier.scores.unlike import unit_length

MOST_CLUSTERS = 8
ROWS_EACH = 40
"""Rows for each cluster that is looked for: with fewer, there are fewer clusters."""
LOOKED_AT = 4_000
"""The most rows from which the clusters' centres are learnt."""
ROUNDS = 20
"""Rounds of k-means at the most."""
WORDS = 3
"""Words that name a cluster, at the most."""
FEWEST_ROWS = 3
"""Rows of a cluster that a word has to be in to name it."""
CERTAIN = 1.96
"""Standard errors by which a word has to be more frequent than elsewhere to name a cluster."""
MOST_CHARACTERS = 2_000
"""Characters of a text that are looked at for words."""
WORD = re.compile(r"[^\W\d_][\w'’-]+")


def clusters_of(features: Floats, seed: int) -> Ints:
    """(rows,) the cluster of each row, by k-means on features of length 1, begun with k-means++ (Arthur and Vassilvitskii 2007,
    SODA); all 0 where rows are too few for two clusters. features: (rows, width)."""
    from scipy.cluster.vq import kmeans2, vq  # here, as it takes a while, and prediction does without it

    rows = len(features)
    count = min(MOST_CLUSTERS, rows // ROWS_EACH)
    unit = unit_length(features).astype(np.float32)
    if count < 2 or not np.ptp(unit, axis=0).any():
        return np.zeros(rows, np.int64)
    dice = seeds.generator(seed, "slices")
    looked_at = np.sort(dice.permutation(rows)[:LOOKED_AT])
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # that a cluster is empty: it is left out by whoever asks for its rows
        centres, _ = kmeans2(unit[looked_at], count, iter=ROUNDS, minit="++", seed=dice)
    found: Ints = vq(unit, centres.astype(np.float32))[0].astype(np.int64)
    return found


def telling_words(texts: Sequence[str], cluster_of: Ints, cluster: int) -> list[str]:
    """The words that tell the texts of a cluster from the others, the most telling first; none where none does.

    By the log-odds of a word being in a text of the cluster against the others, in standard errors, with a prior that makes rare
    words as frequent as they are in all texts (Monroe, Colaresi and Quinn 2008, "Fightin' Words", Political Analysis 16, eq. 16
    and 22). A text counts a word once, however often it stands there.
    """
    inside, everywhere = Counter[str](), Counter[str]()
    for text, own in zip(texts, cluster_of.tolist(), strict=True):
        words = {word.lower() for word in WORD.findall(text[:MOST_CHARACTERS])}
        everywhere.update(words)
        if own == cluster:
            inside.update(words)
    candidates = sorted(word for word, count in inside.items() if count >= FEWEST_ROWS)
    if not candidates or len(everywhere) < 2:
        return []
    own = np.array([inside[word] for word in candidates], float)
    others = np.array([everywhere[word] for word in candidates], float) - own
    z = telling(own, others, (inside.total(), everywhere.total() - inside.total()))
    order = np.argsort(-z, kind="stable")[:WORDS]
    return [candidates[at] for at in order if z[at] > CERTAIN]


def telling(own: Floats, others: Floats, totals: tuple[int, int]) -> Floats:
    """(words,) by how many standard errors each word is more frequent in one set of texts than in another.

    own, others: (words,) how often each is in either.  totals: how many words of all are in either.
    """
    every = own + others
    share = max(1, totals[0]) / max(1, sum(totals))
    prior, of_all = (
        every * share,
        sum(totals) * share,
    )  # as many words as the one set has, spread as in all texts

    def log_odds(counts: Floats, total: int) -> Floats:
        found: Floats = np.log((counts + prior) / (total + of_all - counts - prior))
        return found

    error = np.sqrt(1 / (own + prior) + 1 / (others + prior))
    found: Floats = (log_odds(own, totals[0]) - log_odds(others, totals[1])) / error
    return found
