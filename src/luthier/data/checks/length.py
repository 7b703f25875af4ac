from collections.abc import Iterator

from luthier.data.checks.finding import Evidence, Finding, count_of

UNKNOWN = 0.1
"""Share of a text's tokens that are unknown words, from which on it is told."""


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
        severity="warn" if cut and beyond > 0.02 * tokens.lengths.sum() else "note",
        count=len(long),
        share=len(long) / len(tokens.rows),
        rows=evidence.shown(long),
        message=f"{count_of(len(long), 'text is', 'texts are')} longer than the {tokens.limit} tokens this model reads, by "
        f"{count_of(beyond, 'token', 'tokens')} of {int(tokens.lengths.sum()):,}"
        f"{', which are cut off' if cut else ': they are read in windows, and the answers averaged'}.",
        matters="What is cut off is neither learnt nor read at prediction time."
        if cut
        else "Windows cost time, and no text is lost.",
        mend="--long windows reads them all; or take a model that reads more."
        if cut
        else "--long cut reads their beginning alone.",
    )


def unknown_words(evidence: Evidence) -> Iterator[Finding]:
    """Texts with many pieces that the tokenizer has no token for."""
    tokens = evidence.tokens
    if tokens is None:
        return
    many = tokens.rows[tokens.unknown > UNKNOWN * tokens.lengths]
    if len(many):
        yield Finding(
            check="unknown-words",
            severity="warn" if len(many) > 0.02 * len(tokens.rows) else "note",
            count=len(many),
            share=len(many) / len(tokens.rows),
            rows=evidence.shown(many),
            message=f"{count_of(len(many), 'text has', 'texts have')} more than {UNKNOWN:.0%} tokens that the model does not "
            "know: another script, or signs such as emoji.",
            matters="All unknown pieces look alike to the model.",
            mend="Take a model of these languages, or write the signs as words.",
        )
