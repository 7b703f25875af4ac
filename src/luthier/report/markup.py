"""HTML that is always escaped: whatever is not `Html` already is escaped on its way in."""

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Html(str):
    """Text that is markup already. Made by the functions here, and of literals that hold no data."""

    __slots__ = ()


def safe(value: object) -> Html:
    """Markup as it is, anything else escaped.

    >>> safe("<b>"), safe(Html("<b>"))
    ('&lt;b&gt;', '<b>')
    """
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def join(parts: Iterable[object]) -> Html:
    return Html("".join(map(safe, parts)))


def tag(name: str, *children: object) -> Html:
    """An element; `name` may carry classes as a CSS selector does.

    >>> tag("td.number", "a < b")
    '<td class="number">a &lt; b</td>'
    """
    element, *classes = name.split(".")
    css = f' class="{" ".join(classes)}"' if classes else ""
    return Html(f"<{element}{css}>{join(children)}</{element}>")


@dataclass(frozen=True)
class Column:
    """A column of a table: numbers stand at the right, in figures of one width."""

    title: object
    number: bool = False
    wide: bool = False
    """Whether the column holds running text, and may take the width that is left."""
    drawn: bool = False
    """Whether its cells are drawn, on one axis for all rows."""


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> Html:
    """A table whose first column names its rows. It scrolls sideways by itself where the screen is narrow: with the keyboard too,
    for which it can be focused and has a name."""
    head = join(Html(f'<th scope="col"{css(column)}>{safe(column.title)}</th>') for column in columns)
    body = join(tag("tr", join(map(cell, columns, row, (True, *[False] * len(columns))))) for row in rows)
    room = "scroll full" if any(column.wide or column.drawn for column in columns) else "scroll"
    return Html(
        f'<div class="{room}" role="group" aria-label="{safe(caption)}" tabindex="0">'
        f"<table><caption>{safe(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>\n"
    )


def cell(column: Column, value: object, heads_row: bool) -> Html:
    if heads_row:
        return Html(f'<th scope="row"{css(column)}>{safe(value)}</th>')
    return Html(f"<td{css(column)}>{safe(value)}</td>")


def css(column: Column) -> str:
    names = ["number"] * column.number + ["wide"] * column.wide + ["drawn"] * column.drawn
    return f' class="{" ".join(names)}"' if names else ""


def with_note(value: object, note: object) -> Html:
    """A cell's value and, smaller below it, what there is to say about it."""
    return join([value, tag("small", note) if note else ""])


def details(summary: object, *children: object) -> Html:
    """Children that are shown on demand."""
    return Html(f"<details><summary>{safe(summary)}</summary>{join(children)}</details>\n")


def table_or_details(
    caption: str, columns: Sequence[Column], rows: Sequence[Sequence[object]], most: int = 16
) -> Html:
    """A table as it is while it is short, folded away when it is long."""
    made = table(caption, columns, rows)
    return made if len(rows) <= most else details(f"{caption}: {len(rows):,} rows", made)


def facts(pairs: Iterable[tuple[object, object]]) -> Html:
    """Names and values, one below the other."""
    groups = join(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs)
    return tag("dl.facts", groups) if groups else groups


def figures(shown: Iterable[tuple[object, object, object]]) -> Html:
    """The few numbers to remember, large: what each is, its value, and what belongs to it."""
    return tag("dl.figures", *[tag("div", *map(tag, ("dt", "dd", "dd"), group)) for group in shown])


def picture(image: Html, caption: object) -> Html:
    return tag("figure", image, tag("figcaption", caption))


def photo(jpeg: bytes, alt: str) -> Html:
    """An image that is part of the page."""
    data = base64.b64encode(jpeg).decode("ascii")
    return Html(f'<img alt="{safe(alt)}" src="data:image/jpeg;base64,{data}">')


def beside(*parts: Html) -> Html:
    """Words, pictures and tables that belong together: side by side where there is room. One that is empty takes none."""
    held = [tag("div", part) for part in parts if part]
    return tag("div.beside", *held) if len(held) > 1 else join(parts)


def code(text: str) -> Html:
    """Lines of code. Long ones scroll, with the keyboard too."""
    return Html(f'<pre tabindex="0">{tag("code", text)}</pre>')
