"""The candidates there are, from cheap to dear. A new one is a file and a row here."""

from luthier.candidates.candidate import Candidate
from luthier.candidates.class_means import CLASS_MEANS
from luthier.candidates.colours import COLOURS
from luthier.candidates.few_shot.few_shot import FEW_SHOT
from luthier.candidates.length import LENGTH
from luthier.candidates.lookup import LOOKUP
from luthier.candidates.majority import MAJORITY, MEAN, NOTHING
from luthier.candidates.neighbours import NEIGHBOURS
from luthier.candidates.overlap import OVERLAP
from luthier.candidates.probe import PROBE
from luthier.candidates.scratch import SCRATCH
from luthier.candidates.tf_idf import TF_IDF
from luthier.candidates.tuned.tuned import TUNED
from luthier.candidates.untouched import FEW_EXAMPLES, UNTOUCHED
from luthier.candidates.zero_shot import ZERO_SHOT
from luthier.prepare.prepare import Prepared

CANDIDATES: dict[str, Candidate] = {
    candidate.name: candidate
    for candidate in (
        MAJORITY,
        MEAN,
        NOTHING,
        LOOKUP,
        OVERLAP,
        LENGTH,
        TF_IDF,
        COLOURS,
        ZERO_SHOT,
        UNTOUCHED,
        FEW_EXAMPLES,
        NEIGHBOURS,
        CLASS_MEANS,
        PROBE,
        FEW_SHOT,
        TUNED,
        SCRATCH,
    )
}


def competing(ready: Prepared, trains: bool) -> list[Candidate]:
    """The candidates of a run, from cheap to dear: those that train layers, or the others."""
    return [one for one in CANDIDATES.values() if one.trains == trains and not one.why_not(ready)]


def tunes(ready: Prepared) -> bool:
    """Whether layers are tuned in steps that a plan describes, and a forecast times."""
    return not TUNED.why_not(ready)
