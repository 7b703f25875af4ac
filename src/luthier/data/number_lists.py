"""Cells such as `4,27`: the numbers of several labels, or one number with a decimal comma. The whole column tells."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

JOINED = re.compile(r"\d{1,3}(?:\s?,\s?\d{1,3})+")
ALONE = re.compile(r"\d{1,3}")
THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
HALVES = frozenset(("0", "00", "5", "50", "25", "75"))
"""Decimals of grades such as 3,5."""
PRICES = frozenset(("95", "98", "99", "49", "90"))
"""Decimals of prices such as 4,99."""
COMPANY = 3
"""Different numbers that stand before a last one which never stands alone, from which on this is hardly one decimal."""
SURE = 6
"""Different cells of two numbers, all of them ascending, from which on this is no accident: of decimals, half do not ascend."""
FEWEST = 2
"""Fewest such cells from which on it may be no accident."""


def number_lists(cells: Iterable[str], named: bool = False) -> bool | None:
    """Whether cells hold lists of whole numbers with commas between them; None where they may as well hold decimal commas.

    named: whether the column is named as several labels are, so that any whole numbers will do, in whatever order.
    Lists ascend, and their last numbers stand alone in other cells, or behind several numbers that do; a cell of three numbers
    can be nothing else.

    >>> number_lists(["27", "4,27", "1,3,27", "3"]), number_lists(["1,5", "2,25", "3"]), number_lists(["1,5", "4,5", "5"])
    (True, False, False)
    >>> number_lists(["0", "5", "10", "0,27", "5,27", "10,27"]), number_lists(["4", "5", "6", "4,99", "5,99", "6,99"])
    (None, False)
    """
    texts = {cell.strip() for cell in cells} - {""}
    joined = {text for text in texts if JOINED.fullmatch(text) and not THOUSANDS.fullmatch(text)}
    alone = {text for text in texts if ALONE.fullmatch(text)}
    if not joined or len(joined) + len(alone) < len(texts):
        return False
    parts = {text: re.split(r"\s?,\s?", text) for text in joined}
    if any(len(own) > 2 for own in parts.values()):
        return True
    if not all(one == str(int(one)) for own in parts.values() for one in own):
        return False
    if named:
        return True
    last = {own[-1] for own in parts.values()}
    ascend = all(int(first) < int(second) for first, second in parts.values())
    if not ascend or last <= HALVES or len(joined) < FEWEST:
        return False
    if 2 * len(last & alone) > len(last):
        return True if len(joined) >= SURE else None
    return None if keep_company(parts.values(), alone) and not last <= HALVES | PRICES else False


def keep_company(pairs: Iterable[Sequence[str]], alone: set[str]) -> bool:
    """Whether most last numbers of pairs stand alone, or behind several numbers most of which do."""
    before: defaultdict[str, set[str]] = defaultdict(set)
    for first, last in pairs:
        before[last].add(first)
    kept = [
        last
        for last, own in before.items()
        if last in alone or (len(own) >= COMPANY and 2 * len(own & alone) > len(own))
    ]
    return 2 * len(kept) > len(before)
