"""The check for rows that are in the files and not used."""

from collections.abc import Iterator, Mapping
from itertools import chain

from luthier.checks.empty import MOST
from luthier.checks.finding import Evidence, Finding, count_of

TOO_MANY = 0.1
"""When this share of the rows is left out, something was probably misread, and no run is begun."""


def left_out(evidence: Evidence) -> Iterator[Finding]:
    """Rows that are not used. Those that annotators rejected or skipped are reported; many others stop a run."""
    without, set_aside = evidence.left_out.rows, evidence.left_out.set_aside
    aside = sum(set_aside.values())
    rows = len(evidence.table) - aside
    if aside:
        yield Finding(
            check="left-out",
            severity="note",
            count=aside,
            share=aside / len(evidence.table),
            rows=(),
            message=f"{count_of(aside, 'row is', 'rows are')} not used, as whoever annotated "
            f"{'it' if aside == 1 else 'them'} put {'it' if aside == 1 else 'them'} aside: {told(set_aside)}.",
            matters="They are no examples of any label.",
            mend="Nothing has to be done.",
        )
    faults = {why: count for why, count in evidence.left_out.reasons.items() if why not in set_aside}
    count = sum(faults.values())
    if rows and count > TOO_MANY * rows:
        yield Finding(
            check="left-out",
            severity="stop",
            count=count,
            share=count / rows,
            rows=evidence.shown(
                [
                    *without.empty_input,
                    *without.empty_label,
                    *without.single,
                    *chain(*without.others.values()),
                ]
            ),
            message=f"{count_of(count, 'row', 'rows')} of {rows:,} would be left out: {told(faults)}.",
            matters="So many mostly mean that a column or a file was misread, and what is learnt is learnt from the rest alone.",
            mend=f"Look at these rows. Fill them in, name other columns with {naming(evidence)}"
            + reading(evidence)
            + keeping(evidence)
            + (
                ". Most of the file is left out, so a column was probably misread: deleting the rows would mend nothing."
                if count > MOST * rows
                else ", or delete them (luthier check --fix empty)."
            ),
        )


def told(reasons: Mapping[str, int]) -> str:
    """
    >>> told({"no label": 3, "rejected": 1})
    '3 with no label, 1 rejected'
    """
    return ", ".join(
        f"{count:,} {'with ' if why.startswith(('no ', 'a ', 'chosen ')) else ''}{why}"
        for why, count in reasons.items()
    )


def naming(evidence: Evidence) -> str:
    """The flags that name other columns."""
    own = evidence.left_out.rows.others
    return "--column ROLE=NAME" if own else "--text and --label"


def keeping(evidence: Evidence) -> str:
    """What keeps labels that occur once."""
    return ", keep labels that occur once with --allow one-shot" if len(evidence.left_out.rows.single) else ""


def reading(evidence: Evidence) -> str:
    """What may read labels that are none yet."""
    if not len(evidence.left_out.rows.empty_label):
        return ""
    return ", say what stands for nothing with --missing"
