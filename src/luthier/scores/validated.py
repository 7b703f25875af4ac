"""Which rows the validation scores of a run are of, and how that is said."""

CROSSED, LEARNT = "cross-validation", "train"
"""Values of a scorecard's `valid_from` where no rows are held out for validation: training rows, each answered by what did not
learn from it; and training rows that were learnt from."""


def on_validation(valid_from: str | None) -> str:
    """Words that follow a score. valid_from: as in a scorecard; None: rows are held out.

    >>> [on_validation(one) for one in (None, CROSSED, LEARNT)]
    ['on validation', 'in cross-validation', 'on rows that it learnt from']
    """
    return {CROSSED: "in cross-validation", LEARNT: "on rows that it learnt from"}.get(
        valid_from or "", "on validation"
    )


def on_rows(rows: int, valid_from: str | None) -> str:
    """Words that follow a score, with how many rows it is of.

    >>> [on_rows(30, one) for one in (None, CROSSED, LEARNT)]
    ['on 30 validation rows', 'in cross-validation over 30 training rows', 'on 30 training rows that it learnt from']
    """
    if valid_from == CROSSED:
        return f"in cross-validation over {called(rows, valid_from)}"
    if valid_from == LEARNT:
        return f"on {called(rows, valid_from)} that it learnt from"
    return f"on {called(rows, valid_from)}"


def called(rows: int, valid_from: str | None) -> str:
    """What the validation rows are called, with their number.

    >>> [called(30, None), called(1, CROSSED)]
    ['30 validation rows', '1 training row']
    """
    part = "training" if valid_from in (CROSSED, LEARNT) else "validation"
    return f"{rows:,} {part} row{'' if rows == 1 else 's'}"


def best_by(valid_from: str | None) -> str:
    """Why one of several equals is kept, in words that follow its name.

    >>> [best_by(one) for one in (None, CROSSED)]
    ['the best on validation', 'the best in cross-validation']
    """
    if valid_from == LEARNT:
        return "the first one, as no rows are held out to choose by"
    return f"the best {on_validation(valid_from)}"


def says_something(valid_from: str | None) -> bool:
    """Whether the validation scores of candidates are worth a look: not where they are of rows that were learnt from, or are the
    test scores once more.

    >>> [says_something(one) for one in (None, CROSSED, LEARNT, "test")]
    [True, True, False, False]
    """
    return valid_from in (None, CROSSED)
