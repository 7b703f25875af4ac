"""What a test knows to be there, though its type says that it may be missing."""

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return the value; fail where there is none."""
    assert value is not None
    return value
