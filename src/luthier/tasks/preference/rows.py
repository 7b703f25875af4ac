"""Rows of preferences: which pairs of answers, or judged answers, can be learnt from, and what is wrong with the others."""

from dataclasses import replace

import numpy as np

from luthier.batches.conversations import Judged, Preference
from luthier.data.conversations.cells import as_text
from luthier.data.conversations.claims import claims_preference
from luthier.data.conversations.naming import find_preference
from luthier.data.conversations.preferences import judged_of, preferences_of
from luthier.data.conversations.reading import CHOSEN
from luthier.data.table import Table
from luthier.forms.form import Columns
from luthier.tasks.chat.rows import LanguageRows, as_prompt, language_rows

claims, find = claims_preference, find_preference
CONTRASTED = "Good answers are learnt in contrast to bad ones, and a score is how often a good one has the higher reward."


def preference_rows(table: Table, columns: Columns) -> LanguageRows:
    """The rows of a table as preferences to learn from: pairs where there are two answers, else judged answers.

    The strata of judged answers are 1 where an answer is good.

    Raises DataError where no row is one, where many have speakers that are not known, and for tools that are no JSON schemas.
    """
    made = preferences_of(table, columns) if CHOSEN in columns else judged_of(table, columns)
    known = Preference | Judged
    asked = [as_prompt(one.prompt) if isinstance(one, known) else None for one in made]
    answers = [answer_of(one) if isinstance(one, known) else None for one in made]
    found = language_rows(table, made, asked, answers, {})
    if CHOSEN in columns:
        return found
    good = np.array([isinstance(one, Judged) and one.good for one in made], np.int64)
    names = "have a bad answer", "have a good answer"
    own = replace(found.answers, strata=good, strata_names=names, contrasted=CONTRASTED)
    return replace(found, answers=own)


def answer_of(one: Preference | Judged) -> str:
    """What a row says of its prompt, as one text by which equal rows are known."""
    if isinstance(one, Preference):
        return f"{as_text(one.chosen)}\n{as_text(one.rejected)}"
    return f"{as_text(one.answer)}\n{one.good}"
