"""The check for texts that are longer than the model reads."""

from collections.abc import Iterator

from luthier.checks.finding import Evidence, Finding, count_of


def length(evidence: Evidence) -> Iterator[Finding]:
    """Texts longer than the model reads."""
    tokens = evidence.tokens
    if tokens is None or not (tokens.lengths > tokens.limit).any():
        return
    long = tokens.rows[tokens.lengths > tokens.limit]
    beyond = int((tokens.lengths[tokens.lengths > tokens.limit] - tokens.limit).sum())
    cut = tokens.way == "cut"
    yield Finding(
        check="length",
        severity="warn" if cut else "note",  # what is lost is always told
        count=len(long),
        share=len(long) / len(tokens.rows),
        rows=evidence.shown(long),
        message=f"{count_of(len(long), 'text is', 'texts are')} longer than the {tokens.limit} tokens this model reads, by "
        f"{count_of(beyond, 'token', 'tokens')} of {int(tokens.lengths.sum()):,}"
        f"{', which are cut off' if cut else ': they are read in windows'}.",
        matters="What is cut off is neither learnt nor read at prediction time."
        if cut
        else "Windows cost time, and no text is lost.",
        mend="--long windows reads them all; or take a model that reads more."
        if cut
        else "--long cut reads their beginning alone.",
    )
