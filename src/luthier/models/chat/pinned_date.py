"""Templates that write today's date write one fixed day, so that a row is the same tokens on every day."""

from datetime import datetime

PINNED = datetime(2026, 1, 1, 12, 0, 0)
"""The day that such templates write. It is a constant: a run that is resumed or scored on a later day must see the tokens
that it was trained on, and so must whoever opens the finished model."""

DIRECTIVES = ("%-d", "%-m", "%-I", "%-H", *(f"%{letter}" for letter in "aAwdbBmyYHIpMSfjUWcxXeDFTRhGuV"))
"""What `strftime` knows and a date is written with; the longer ones first, as they are replaced one after the other."""


def writes_the_date(template: str) -> bool:
    """Whether a template asks for the date."""
    return "strftime_now" in template


def pin_date(template: str, day: datetime = PINNED) -> str:
    """The template with a `strftime_now` of its own, which takes the place of the one that reads the clock.

    It is part of the text, and so holds wherever the template is used: here, in transformers alone, in a server.
    """
    if not writes_the_date(template):
        return template
    replaced = "".join(f".replace('{one}', '{written(day, one)}')" for one in DIRECTIVES)
    # The line's end, which jinja takes away after a block, keeps the template's first line the beginning of a line.
    pinned = f"{{% macro strftime_now(format) -%}}{{{{ format{replaced} }}}}{{%- endmacro %}}\n"
    return template if template.startswith(pinned) else pinned + template


def written(day: datetime, directive: str) -> str:
    """What one directive writes for a day; `%-d` is `%d` without the zero before it, which not every system knows.

    >>> written(PINNED, "%d"), written(PINNED, "%-d"), written(PINNED, "%B")
    ('01', '1', 'January')
    """
    if directive.startswith("%-"):
        return day.strftime(f"%{directive[-1]}").lstrip("0") or "0"
    return day.strftime(directive)
