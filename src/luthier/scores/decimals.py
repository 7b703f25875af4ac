"""Scores as they are written where they are no shares in per cent."""

FEWEST = 0.01
"""A number nearer to zero would say nothing, or little, in three decimals."""


def decimals(value: float, sign: str = "") -> str:
    """Three decimals, and two digits that tell where three decimals would be zeros. sign: "+" to write that of a gain, too.

    >>> decimals(0.8214), decimals(0.000421), decimals(-0.0052), decimals(0.0)
    ('0.821', '0.00042', '-0.0052', '0.000')
    >>> decimals(0.0312, sign="+"), decimals(3e-7)
    ('+0.031', '3e-07')
    """
    if value == 0 or abs(value) >= FEWEST:
        return f"{value:{sign}.3f}"
    return f"{value:{sign}.2g}"
