"""Kinds of tasks that only understand conversations and preferences, for tests of what is told of such rows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from luthier.arrays import Array, Ints
from luthier.data.table import Table
from luthier.forms.form import Columns
from luthier.tasks import TASKS
from luthier.tasks.chat import rows as chat
from luthier.tasks.kind import Kind, Roles, Understood, Wishes
from luthier.tasks.preference import rows as preference
from toy import VerseJudging, restore


@dataclass(frozen=True)
class Talk(VerseJudging):
    """A task whose rows are conversations."""

    name: ClassVar[str] = "chat"  # type: ignore[misc]
    reads: ClassVar[str] = "conversation"  # type: ignore[misc]


@dataclass(frozen=True)
class Choice(VerseJudging):
    """A task whose rows are preferences."""

    name: ClassVar[str] = "preference"  # type: ignore[misc]
    reads: ClassVar[str] = "preference"  # type: ignore[misc]


def nothing(rows: Ints) -> Array:
    return np.zeros(len(rows), np.int64)


def chats(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    return chat.conversation_rows(table, columns).understood(Talk(), nothing)


def choices(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    return preference.preference_rows(table, columns).understood(Choice(), nothing)


CHAT = Kind("chat", (), ("conversation",), chat.find, chats, restore, chat.claims)
PREFERENCE = Kind("preference", (), ("preference",), preference.find, choices, restore, preference.claims)
KINDS: Mapping[str, Kind] = {"chat": CHAT, "preference": PREFERENCE}


@contextmanager
def registered() -> Iterator[None]:
    """Both kinds in the table of tasks, as long as the context lasts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, kind in KINDS.items():
            patch.setitem(TASKS, name, kind)
        yield


def turns(question: str, answer: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
