"""The candidates that give every row the same answer."""

from luthier.candidates.baseline import BaselineCandidate

MAJORITY = BaselineCandidate("majority", "always answering the most frequent label", 4, "answers")
MEAN = BaselineCandidate("mean", "always answering the mean", 4, "answers")
NOTHING = BaselineCandidate("nothing", "never answering", 0, "answers")
