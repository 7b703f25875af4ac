"""Exports of Prodigy: a question in each row, and the annotator's answer, which is `accept`, `reject` or `ignore`.

Only an accepted row holds what it says. In a row about one label, `reject` says that the label is not the row's.
"""

from luthier.data.annotations.cells import field_type, head, is_nested, is_text, objects, replaced, sniffed
from luthier.data.annotations.setting_aside import with_set_aside
from luthier.data.annotations.spans import SPANS
from luthier.data.annotations.telling import named, noted
from luthier.data.table import Table

ANSWERS = {"accept": None, "reject": "rejected", "ignore": "ignored"}
"""Answers of rows that are not used, and the reason in words."""
MARKS = (
    "_input_hash",
    "_task_hash",
    "_view_id",
    "_session_id",
    "_annotator_id",
    "options",
    "accept",
    "spans",
    "label",
)
"""Columns that mark an export of Prodigy: it has at least one of them."""
UNANSWERED = "not answered"


def prodigy(table: Table) -> Table | None:
    """Rows that were accepted keep their label or spans; the others are set aside."""
    if not is_prodigy(table):
        return None
    answers = [answer or None for answer in table.values("answer")]
    text = next((name for name in ("text", "html", "image") if name in table.names), None)
    if text is None:
        return None
    if "accept" in table.names and "options" in table.names:
        return chosen(table, answers, text)
    if "spans" in table.names and (head(table, "spans") or not has_labels(table)):
        return marked(table, answers, text)
    return judged(table, answers, text) if has_labels(table) else None


def is_prodigy(table: Table) -> bool:
    if "answer" not in table.names or not is_text(table, "answer"):
        return False
    return any(name in table.names for name in MARKS) and set(table.values("answer")) <= {*ANSWERS, "", None}


def has_labels(table: Table) -> bool:
    return "label" in table.names and bool(head(table, "label")) and not is_nested(table, "label")


def reasons(answers: list[str | None]) -> dict[int, str]:
    """The reasons for which rows are set aside, by row."""
    why = {row: UNANSWERED if answer is None else ANSWERS[answer] for row, answer in enumerate(answers)}
    return {row: reason for row, reason in why.items() if reason is not None}


def chosen(table: Table, answers: list[str | None], text: str) -> Table:
    """Rows with options to choose of: the label is what was chosen."""
    given = (
        objects(table, "accept", "lists of labels") if sniffed(table, "accept") else table.values("accept")
    )
    values = [value if value is None or isinstance(value, list) else [value] for value in given]
    if not is_nested(table, "accept"):
        table = replaced(table, "accept", values)
    table = with_set_aside(table, reasons(answers), ["accept"])
    task = "image-classification" if text == "image" else "text-classification"
    why = "it is Prodigy's export of choices, where `accept` holds what was chosen"
    return named(table, task, why, {"image" if text == "image" else "text": text, "label": "accept"})


def marked(table: Table, answers: list[str | None], text: str) -> Table:
    """Rows with spans. Where only one of them was asked about, the row may have more entities, which is told."""
    none = "spans" in table.names and any(
        value is None and answer == "accept"
        for value, answer in zip(table.values("spans"), answers, strict=True)
    )
    if none:  # an accepted row without spans has no entity
        spans = [[] if value is None else value for value in objects(table, "spans", "spans")]
        known = field_type(table, "spans") if head(table, "spans") else SPANS
        table = replaced(table, "spans", spans, known)
    table = with_set_aside(table, reasons(answers), ["spans"])
    views = (
        set(table.values("_view_id")) if "_view_id" in table.names and is_text(table, "_view_id") else set()
    )
    if views == {"ner"} and each_has_one(table):
        table = noted(
            table,
            "each row was asked about one span (Prodigy's view `ner`), so that other entities in it may be "
            "unmarked, and are learnt as none; rows annotated with ner.manual or ner.correct correct it.",
        )
    return named(
        table, "token-classification", "it is Prodigy's export of spans", {"text": text, "label": "spans"}
    )


def each_has_one(table: Table) -> bool:
    return all(len(value) == 1 for value in sniffed(table, "spans"))


def judged(table: Table, answers: list[str | None], text: str) -> Table:
    """Rows about one label each. Where all are about the same, the answers are the labels."""
    labels = {label for label in table.values("label") if label not in (None, "")}
    aside = reasons(answers)
    why = "it is Prodigy's export of labels that were accepted or rejected"
    if len(labels) == 1 and {"accept", "reject"} <= set(answers):
        rejected = {row: reason for row, reason in aside.items() if answers[row] != "reject"}
        table = with_set_aside(table, rejected, ["answer"])
        table = noted(
            table,
            f"all rows are about the one label {next(iter(labels))!r}, so that 'accept' and 'reject' are the two "
            "labels to learn; --label COLUMN corrects it.",
        )
        return named(table, "text-classification", why, {"text": text, "label": "answer"})
    table = with_set_aside(table, aside, ["label"])
    return named(table, "text-classification", why, {"text": text, "label": "label"})
