"""The candidates that give every row the same answer."""

from luthier.candidates.baseline import BaselineCandidate

MAJORITY = BaselineCandidate("majority", "always answering the most frequent label", "answers")
MEAN = BaselineCandidate("mean", "always answering the mean", "answers")
NOTHING = BaselineCandidate("nothing", "never answering", "answers")
