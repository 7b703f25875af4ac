"""The checks there are. A new one is a file and a row here."""

from collections.abc import Callable, Iterator

from luthier.data.checks.contradictions import contradictions
from luthier.data.checks.copies import copies
from luthier.data.checks.empty import empty
from luthier.data.checks.finding import Evidence, Finding
from luthier.data.checks.leaks import leaks
from luthier.data.checks.single import single

CHECKS: dict[str, Callable[[Evidence], Iterator[Finding]]] = {
    "empty": empty,
    "single-labels": single,
    "copies": copies,
    "contradictions": contradictions,
    "leaks": leaks,
}
