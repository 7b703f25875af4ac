"""Chat: rows are conversations, and the assistant's turns are to be written."""

from collections.abc import Sequence

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.conversations import Conversation
from luthier.data.conversations.cells import as_text
from luthier.data.table import Table
from luthier.forms.conversation_form import ConversationForm
from luthier.forms.form import Columns, Form
from luthier.models.hub.tuned_head import WRITES, TunedHead
from luthier.scores.metrics import judging
from luthier.scores.which_match import which_match
from luthier.tasks.chat.patterns import refuse_patterns
from luthier.tasks.chat.rows import claims, conversation_rows, find
from luthier.tasks.chat.task import NAME, Chat
from luthier.tasks.kind import Finished, Kind, Roles, Understood, Wishes
from luthier.tasks.metric import chosen_metric
from luthier.tasks.task import Task


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    found = conversation_rows(table, columns)
    rights = answers_of(found.made)
    metric, told = wishes.metric, tuple[str, ...]()
    asked = "test" if wishes.finished is not None else "train"
    if metric == "auto":
        suited = which_match([rights[row] for row in roles.rows(found.usable, asked)] or [""])
        metric, told = suited.metric, (f"Judged by {suited.metric}, as {suited.why}; --metric corrects it.",)
    how = wishes.answering
    known = wishes.finished if isinstance(wishes.finished, Chat) else Chat()
    task = Chat(
        metric=chosen_metric(metric, judging(NAME), NAME),
        pattern=how.pattern or known.pattern,
        learnt=how.turns if wishes.finished is None else known.learnt,
        most=how.max_tokens or known.most,
        verify=how.verify or known.verify,
        system=known.system if how.system is None else how.system,
    )
    refuse_patterns(task, table, {int(row): rights[row] for row in found.usable})

    def targets(rows: Ints) -> Array:
        return rights[rows]

    return found.understood(task, targets, told)


def answers_of(rows: Sequence[object]) -> Array:
    """(rows,) the text of the assistant's last turn in each row; empty where a row is none to learn from."""
    found = np.empty(len(rows), object)
    found[:] = [answer_of(one) if isinstance(one, Conversation) else "" for one in rows]
    return found


def answer_of(one: Conversation) -> str:
    """The assistant's last turn, with the tools that it calls as they are written down."""
    ended = one.answered
    return ended.answer or as_text(ended.turns[-1:])


def of_head(head: TunedHead) -> Finished | None:
    """Answers to conversations, judged by what suits the rows' own."""
    return Finished(Chat(metric=judging(NAME)[0])) if head.kind == WRITES else None


def form_of(task: Task) -> Form:
    """Conversations as a chat task learns from them."""
    assert isinstance(task, Chat), "a chat task's rows"
    return ConversationForm(task.learnt, task.system)


CHAT = Kind(
    name=NAME,
    example=(
        {
            "messages": [
                {"role": "user", "content": "Which strings are for beginners?"},
                {"role": "assistant", "content": "Light ones: they are easier to press down."},
            ]
        },
        {
            "messages": [
                {"role": "system", "content": "Answer in one sentence."},
                {"role": "user", "content": "How often are strings changed?"},
                {"role": "assistant", "content": "Every three months, or before a concert."},
            ]
        },
        {"prompt": "Does the case come with a strap?", "completion": "Yes, with one of leather."},
    ),
    forms=("conversation",),
    find=find,
    understand=understand,
    restore=Chat.from_json,
    claims=claims,
    own_form=form_of,
)
