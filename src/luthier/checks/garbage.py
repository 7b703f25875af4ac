"""The check for texts that nobody wrote so: wrongly decoded, full of markup, or of letters as no other text has them."""

import html
import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from luthier.arrays import Ints
from luthier.checks.finding import Evidence, Finding, count_of
from luthier.checks.letters import surprise
from luthier.data.formats.code_pages import FIRST_WIDE, clear_winner, readings

MARKUP = re.compile(r"</?[A-Za-z][^<>]{0,300}>|&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
TAGS = re.compile(
    r"<(?:script|style)\b.*?</(?:script|style)>|</?[A-Za-z][^<>]{0,300}>", re.DOTALL | re.IGNORECASE
)


TOO_MANY = 0.05
"""When this share of the rows was decoded wrongly, the whole file was, and no run is begun."""
CASE_TURNED = ("cp1251", "koi8-r")
"""Pairs of code pages of which one has small letters where the other has capitals."""
WIDE_PAGES = ("gb18030", "cp932", "cp949")
"""Code pages of Chinese, Japanese and Korean: UTF-8 that is read in one of them looks like a text."""
FEWEST_LETTERS = 5
"""Fewest letters beyond ASCII by which a text is known to be in another code page as a whole."""


def garbage(evidence: Evidence) -> Iterator[Finding]:
    """Texts that were decoded wrongly, that hold markup, or that are no text of this kind at all."""
    misread: list[int] = []
    marked: list[int] = []
    for row, text in evidence.texts():
        if is_misread(text):
            misread.append(row)
        if ("<" in text or "&" in text) and MARKUP.search(text):
            marked.append(row)
    total = len(evidence.table)
    if misread:
        yield Finding(
            check="garbage",
            severity="stop" if len(misread) > TOO_MANY * total else "warn",
            count=len(misread),
            share=len(misread) / total,
            rows=evidence.shown(misread),
            message=f"{count_of(len(misread), 'row was', 'rows were')} decoded wrongly on the way here: "
            "letters such as é stand there as Ã© or \ufffd.",
            matters="A word with wrong letters is another word to the model, or none.",
            mend="luthier check --fix garbage decodes them anew where that can be undone; better read them again from "
            "their source as UTF-8."
            if evidence.rewritable
            else "Read them again from their source as UTF-8.",
        )
    if marked:
        yield Finding(
            check="garbage",
            severity="warn" if len(marked) > 0.01 * total and not evidence.form.answers_vary else "note",
            count=len(marked),
            share=len(marked) / total,
            rows=evidence.shown(marked),
            message=f"{count_of(len(marked), 'row holds', 'rows hold')} HTML: tags such as <br>, or signs such as &amp;.",
            matters="Markup takes tokens from the text, and where it goes with a label it is learnt in place of it.",
            mend="luthier check --fix garbage takes the tags out and writes the signs as they are meant."
            if evidence.rewritable
            else "Take the tags out of the file, unless they are what is to be written, as in code.",
        )
    strange = unlike(evidence)
    if len(strange):
        yield Finding(
            check="garbage",
            severity="note",
            count=len(strange),
            share=len(strange) / total,
            rows=evidence.shown(strange),
            message=f"{count_of(len(strange), 'row is', 'rows are')} unlike the others letter by letter: another language, "
            "codes, or keys hit at random.",
            matters="The model knows little of such texts, and their labels are mostly guesses.",
            mend="Look at them; delete what is no example, or add more of a language that is meant.",
        )


def is_misread(text: str) -> bool:
    """Whether a text was once read in another encoding than its own, or could not be read.

    >>> is_misread("crÃ¨me brÃ»lÃ©e"), is_misread("crème brûlée")
    (True, False)
    """
    if text.isascii():
        return False
    from ftfy.badness import is_bad

    if "\ufffd" in text or (is_bad(text) and decoded(text) != text):
        return True
    return in_other_page(text) is not None or utf8_in_wide_page(text) is not None


def decoded(text: str) -> str:
    """A text that was decoded wrongly, as it was meant, where that can be found out."""
    from ftfy import fix_encoding

    fixed = str(fix_encoding(text))
    if fixed != text:
        return fixed
    return in_other_page(text) or utf8_in_wide_page(text) or text


def in_other_page(text: str) -> str | None:
    """The text in the code page that its bytes are in, where they were read in another, and its words are all beyond ASCII.

    >>> in_other_page("Ïðèâåò, êàê äåëà"), in_other_page("оПХБЕР, ЙЮЙ ДЕКЮ"), in_other_page("Größe für Mädchen")
    ('Привет, как дела', 'Привет, как дела', None)
    """
    letters = [sign for sign in text if sign.isalpha()]
    beyond = sum(not sign.isascii() for sign in letters)
    if beyond < max(FEWEST_LETTERS, len(letters) / 2):
        return None
    turned = sum(one.islower() and after.isupper() for one, after in pairwise(text))
    meant = []
    for page in ("cp1252", *(CASE_TURNED if turned else ())):
        try:
            lines = [text.encode(page)]
        except UnicodeEncodeError:
            continue
        best = clear_winner(readings(lines), lines)
        if best is not None and best.encoding != page:
            meant.append(best)
    return max(meant, key=lambda one: one.likelihood).text if meant else None


def utf8_in_wide_page(text: str) -> str | None:
    """The text that is meant, where its bytes, in UTF-8, were read as a code page of Chinese, Japanese or Korean.

    >>> utf8_in_wide_page("浣犲ソ涓栫晫"), utf8_in_wide_page("你好世界")
    ('你好世界', None)
    """
    if sum(ord(sign) >= FIRST_WIDE for sign in text) < 3:
        return None
    for page in WIDE_PAGES:
        try:
            meant = text.encode(page).decode("utf-8")
        except UnicodeError:
            continue
        return meant
    return None


def without_markup(text: str) -> str:
    """
    >>> without_markup("Fish &amp; chips<br/>were <b>great</b>")
    'Fish & chips were great'
    """
    return " ".join(html.unescape(TAGS.sub(" ", text)).split())


def unlike(evidence: Evidence) -> Ints:
    """Rows whose letters follow each other as they hardly ever do in the other rows."""
    rows, bits = surprise(evidence.texts)
    if len(rows) < 100:
        return np.zeros(0, np.int64)
    middle = float(np.median(bits))
    spread = 1.4826 * float(np.median(np.abs(bits - middle)))
    found: Ints = rows[bits > middle + 8 * max(spread, 0.1)]
    return found
