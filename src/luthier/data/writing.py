"""How a file of text is written, as far as the user says so."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Writing:
    """The encoding, delimiter and so on that the user names; None where luthier is to find them."""

    encoding: str | None = None
    """The encoding, as Python names it."""
    delimiter: str | None = None
    """The character between the values of a row."""
    quoting: str | None = None
    """`double`: quotes inside of a quoted value are doubled. `backslash`: they follow a backslash. `none`: a quote is a
    letter."""
