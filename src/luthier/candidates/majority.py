"""The candidates that give every row the same answer."""

from luthier.candidates.baseline import BaselineCandidate

MAJORITY = BaselineCandidate("majority", "always answering the most frequent label", bytes_of_label=4)
MEAN = BaselineCandidate("mean", "always answering the mean", bytes_of_label=4)
NOTHING = BaselineCandidate("nothing", "never answering")
