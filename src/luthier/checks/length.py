"""The check for texts that are longer than the model reads."""

from collections.abc import Iterator

from luthier.checks.finding import Evidence, Finding, Tokens, count_of


def length(evidence: Evidence) -> Iterator[Finding]:
    """Rows longer than the model reads."""
    tokens = evidence.tokens
    if tokens is None or not (tokens.lengths > tokens.limit).any():
        return
    long = tokens.rows[tokens.lengths > tokens.limit]
    beyond = int((tokens.lengths[tokens.lengths > tokens.limit] - tokens.limit).sum())
    cut = tokens.way == "cut"
    counted = count_of(len(long), f"{tokens.thing} is", f"{tokens.thing}s are")
    yield Finding(
        check="length",
        severity="warn" if cut else "note",  # what is lost is always told
        count=len(long),
        share=len(long) / len(tokens.rows),
        rows=evidence.shown(long),
        message=f"{counted} longer than the {tokens.limit} tokens this model reads, by "
        f"{count_of(beyond, 'token', 'tokens')} of {int(tokens.lengths.sum()):,}"
        f"{', which are cut off' if cut else ': they are read in windows'}.",
        matters="What is cut off is neither learnt nor read at prediction time."
        if cut
        else "Windows cost time, and no text is lost.",
        mend=remedy(tokens),
    )


def remedy(tokens: Tokens) -> str:
    """What can be done about rows that are too long."""
    if tokens.way != "cut":
        return "--long cut reads their beginning alone."
    if tokens.windows:
        return "--long windows reads them all; or take a model that reads more."
    return f"Shorten them, take a model that reads more, or have none cut: --long refuse stops at the first {tokens.thing}."
