"""Which tokens stand in the places that were found."""

from bisect import bisect_left
from collections.abc import Sequence

from luthier.models.chat.encoding import Encoded
from luthier.models.chat.spans import Located, Span


def answered(located: Located, whole: Encoded, prompt: int) -> list[bool]:
    """Which tokens are learnt: those of the answers found, of which the last begins after so many tokens of the prompt."""
    border = len(located.prompt) if located.prompt is not None else len(located.text)
    last = [span for span in located.spans if span[0] >= border]
    trained = inside(whole, [span for span in located.spans if span[0] < border])
    for _, stop in last:
        trained[prompt:] = [start < stop for start in whole.starts[prompt:]]
    return trained


def straddled(encoded: Encoded, border: int) -> bool:
    """Whether a token stands over a place of the text."""
    at = bisect_left(encoded.starts, border)
    return at > 0 and encoded.ends[at - 1] > border


def inside(encoded: Encoded, spans: Sequence[Span]) -> list[bool]:
    """Which tokens stand in one of the spans, which are in order. Offsets leave blanks out, and so may be empty."""
    trained = [False] * len(encoded.ids)
    if not spans:
        return trained
    left = iter(spans)
    begin, stop = next(left)
    for at, (start, end) in enumerate(zip(encoded.starts, encoded.ends, strict=True)):
        while start >= stop:
            following = next(left, None)
            if following is None:
                return trained
            begin, stop = following
        trained[at] = start >= begin and end > begin
    return trained
