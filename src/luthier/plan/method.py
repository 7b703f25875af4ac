"""Methods of training as people write them: `probe`, `few-shot`, `top:2`, `thaw`, `lora:8`."""

import re
from dataclasses import dataclass

from luthier.errors import did_you_mean

EXPECTED = (
    "auto, probe, few-shot, full, top:K (the head and K blocks, K from 1), thaw or thaw:E (E epochs a rung), "
    "or lora or lora:R (rank R)"
)


@dataclass(frozen=True)
class Auto:
    """Train the probe, and all layers; the better one is kept."""


@dataclass(frozen=True)
class Probe:
    """Solve for a linear head on frozen features."""


@dataclass(frozen=True)
class FewShot:
    """Train all layers such that rows of a label come together, then solve for a linear head."""


@dataclass(frozen=True)
class Full:
    """Train all layers."""


@dataclass(frozen=True)
class Top:
    """Train the head and the last blocks."""

    blocks: int


@dataclass(frozen=True)
class Thaw:
    """Train the head first, and one more rung every `every` epochs."""

    every: int = 1


@dataclass(frozen=True)
class Lora:
    """Train adapters of low rank beside frozen weights (arXiv:2106.09685)."""

    rank: int = 16


Method = Auto | Probe | FewShot | Full | Top | Thaw | Lora
PLAIN: dict[str, Method] = {
    "auto": Auto(), "probe": Probe(), "few-shot": FewShot(), "full": Full(), "thaw": Thaw(), "lora": Lora(),
}  # fmt: skip
NUMBERED: dict[str, type[Top] | type[Thaw] | type[Lora]] = {"top": Top, "thaw": Thaw, "lora": Lora}


def parse_method(text: str) -> Method:
    """The method that a text means. Raises ValueError that says what is expected.

    >>> parse_method("top:2")
    Top(blocks=2)
    """
    if text in PLAIN:
        return PLAIN[text]
    found = re.fullmatch(r"(top|thaw|lora):(\d+)", text)
    if found and int(found[2]) > 0:
        return NUMBERED[found[1]](int(found[2]))
    hint = (
        "" if text.split(":")[0] in (*PLAIN, "top") else did_you_mean(text.split(":")[0], [*PLAIN, "top:2"])
    )
    raise ValueError(EXPECTED + ("." + hint.rstrip(".") if hint else ""))


def is_method(text: str) -> bool:
    """Whether a text names a method.

    >>> is_method("top:2"), is_method("bayes")
    (True, False)
    """
    try:
        parse_method(text)
    except ValueError:
        return False
    return True


def checked_method(text: str) -> str:
    """The text in its shortest spelling, if it is a method: one method is one text, in a plan and in its hash.

    >>> checked_method("thaw:1"), checked_method("top:02")
    ('thaw', 'top:2')
    """
    match parse_method(text):
        case Top(blocks):
            return f"top:{blocks}"
        case Thaw(every) if every > 1:
            return f"thaw:{every}"
        case Lora(rank) if rank != Lora().rank:
            return f"lora:{rank}"
    return text.split(":")[0]
