"""The check for texts with many words unknown to the tokenizer."""

from collections.abc import Iterator

from luthier.checks.finding import Evidence, Finding, count_of

UNKNOWN = 0.1
"""Smallest share of unknown tokens in a text that is reported."""


def unknown_words(evidence: Evidence) -> Iterator[Finding]:
    """Texts many of whose pieces are unknown to the tokenizer's vocabulary."""
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
