"""Durations as people write them, such as `10m`."""

import re
from typing import Any

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
"""Seconds of each unit of time."""


def seconds_of(words: str) -> float:
    """Seconds of a duration such as `90s`, `10m`, `1.5h`, `600`. Raises ValueError that says what is expected.

    >>> seconds_of("10m")
    600.0
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", words)
    if not match or float(match[1]) == 0:
        raise ValueError("a number above zero with s, m or h, as in 90s, 10m or 1.5h")
    return float(match[1]) * UNITS[match[2]]


def checked_duration(value: Any) -> str:
    """The duration as text, if it is one: TOML and Python may give a bare number of seconds."""
    words = str(value)
    seconds_of(words)
    return words
