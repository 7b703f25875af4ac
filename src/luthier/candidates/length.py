"""The candidate that looks at nothing but the length of answers."""

from luthier.candidates.baseline import BaselineCandidate

LENGTH = BaselineCandidate("length", "preferring answers by their length alone", bytes_of_label=None)
