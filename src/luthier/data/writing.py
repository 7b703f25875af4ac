"""How the user says that a file of text is written, where that is not to be found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Writing:
    """Each is None where it is to be found."""

    encoding: str | None = None
    """As Python names it."""
    delimiter: str | None = None
    """The character between the values of a row."""
    quoting: str | None = None
    """`double`: quotes inside of a quoted value are doubled. `backslash`: they follow one. `none`: a quote is a letter."""
