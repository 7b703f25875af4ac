"""Pictures as inline SVG, drawn by matplotlib from plain numbers.

Colours are CSS variables of the page, so that one picture serves light, dark and paper. No difference is told
by colour alone: shape, fill or dash tells it too. The same numbers give the same bytes.
"""

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

from luthier.report.markup import Html, safe
from luthier.report.numbers import Shown
from luthier.report.sentences import cut

COLOURS = {
    "--ink": "#1d1b19",
    "--muted": "#696259",
    "--line": "#dfd9cf",
    "--accent": "#96450f",
    "--paper": "#fffefc",
}
"""The colours that matplotlib draws with, each replaced by the page's variable of that name (style.css)."""

INK, MUTED, LINE, ACCENT, PAPER = COLOURS.values()

STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "luthier",
    "text.parse_math": False,  # a label may hold dollar signs
    "font.size": 13,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 1,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 13,
    "legend.labelcolor": MUTED,
}

WIDTH = 440
"""Width of a picture in pixels: not more, so that letters stay readable when a phone shrinks it."""


def drawing(
    name: str, description: str, height: float, draw: Callable[[Any], None], width: float = WIDTH
) -> Html:
    """The picture that `draw` paints on a matplotlib Figure, as `<svg>`. `name` is its title for who does not see it, and keeps
    the ids of one page apart; `description` says what is seen."""
    from matplotlib import style
    from matplotlib.figure import Figure

    target = io.StringIO()
    with style.context(["default", STYLE]), warnings.catch_warnings():
        # Only widths are guessed with matplotlib's own font; the browser finds a glyph for every script.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained")
        draw(figure)
        blank = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(target, format="svg", transparent=True, metadata=blank)
    return inline(target.getvalue(), name, description, width)


def inline(text: str, name: str, description: str, width: float) -> Html:
    """An SVG file as an element of a page: no prologue, no namespaces, no ids or styles that could leak."""
    root = ET.fromstring(text)
    for element in list(root.iter()):
        element.tag = element.tag.rpartition("}")[2]
        for child in [child for child in element if child.tag.endswith(("}metadata", "}style"))]:
            element.remove(child)
        for key, value in list(element.attrib.items()):
            del element.attrib[key]
            element.set(key.rpartition("}")[2], attribute(key.rpartition("}")[2], value, name))
    box = root.get("viewBox", "")
    body = "".join(ET.tostring(child, encoding="unicode") for child in root)
    body = re.sub(r"\s*\n\s*", "\n", body)
    title = safe(name.capitalize().replace("-", " "))
    return Html(
        f'<svg role="img" aria-labelledby="{name}-named" aria-describedby="{name}-told" viewBox="{box}" width="{width:g}">'
        f'<title id="{name}-named">{title}</title><desc id="{name}-told">{safe(description)}</desc>{body.strip()}</svg>'
    )


def attribute(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "style":
        value = re.sub(r"font-family: [^;]*;? ?", "", value)
        for variable, colour in COLOURS.items():
            value = value.replace(colour, f"var({variable})")
        return value
    if key == "d":
        return re.sub(r"\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}", value.replace("\n", ""))
    return value.replace("#", f"#{name}-") if key in ("href", "clip-path") else value


def bare(axes: Any, grid: str = "y") -> None:
    """Leave nothing of the frame but a grid: what is drawn is looked at, and not its box."""
    axes.grid(axis=grid)
    axes.tick_params(length=0, pad=6)
    axes.spines[["left", "bottom"]].set_visible(False)


def percents(metric: Shown) -> Callable[[float, int], str]:
    """How the numbers of an axis are written, along which a metric is drawn."""
    return lambda value, _: metric.tick(value)


def short(label: object, most: int = 22) -> str:
    """A label for an axis: one line, nothing that XML forbids."""
    return "".join(letter for letter in cut(label, most) if letter.isprintable())
