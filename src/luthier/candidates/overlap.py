"""The candidate that answers with the sentence that has most words of the question."""

from luthier.candidates.baseline import BaselineCandidate

OVERLAP = BaselineCandidate("overlap", "the sentence with most of the question's words")
