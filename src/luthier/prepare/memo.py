"""A memo of what several runs over the same rows share, so that the second one does not compute it again."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import ParamSpec, TypeVar

from luthier.folder.artefacts import Artefacts

Value = TypeVar("Value")
Parameters = ParamSpec("Parameters")

MODELS = 2
"""How many values of one function are held at once: a search that goes to and fro between models holds the rows of both."""
PLAIN = (str, int, float, bool)
"""Values of which there may be one object for many, made by whomever."""


@dataclass(frozen=True)
class Origin:
    """A value that the memo holds, and the call that made it."""

    value: object
    key: Hashable


class Memo:
    """Values that were made for earlier runs of this process, and a folder for those that runs of other processes may use too.

    A single run shares with nobody: its Memo is empty, and `folder` None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.wide: int | None = None
        """CPU threads for work outside of training, while nobody else needs the cores; None: as many as every other step has."""
        self.made: dict[str, dict[Hashable, object]] = {}
        """What each function returned, by its arguments; the one used last comes last."""
        self.origins: dict[int, Origin] = {}
        """The call that first made each value that is held, by the value's `id`."""

    def call(
        self,
        function: Callable[Parameters, Value],
        *arguments: Parameters.args,
        **named: Parameters.kwargs,
    ) -> Value:
        """What a function returned for these arguments before, or returns now.

        The key is made of all that the function is given, so that none of it can be forgotten: an argument counts by its
        value, or, where the memo itself made it, by the call that did. Raises TypeError for an argument that is neither,
        and for a function that brings more along than its arguments: a lambda, a closure, a method of an object.
        """
        name = name_of(function)
        key = (
            tuple(self.identity(one) for one in arguments),
            tuple((key, self.identity(named[key])) for key in sorted(named)),
        )
        held = self.made.setdefault(name, {})
        value = held.pop(key) if key in held else function(*arguments, **named)
        held[key] = value
        if not isinstance(value, tuple) or value:  # there is one empty tuple for all, whoever made it
            self.origins.setdefault(id(value), Origin(value, (name, key)))
        while len(held) > MODELS:
            self.forget(name, next(iter(held)))
        return value  # type: ignore[return-value]  # what this function returned

    def forget(self, name: str, key: Hashable) -> None:
        """Hold a value no longer; another one that comes to have its `id` is not taken for it."""
        value = self.made[name].pop(key)
        origin = self.origins.get(id(value))
        if origin is not None and origin.key == (name, key):
            del self.origins[id(value)]

    def identity(self, argument: object) -> Hashable:
        """What tells an argument from every other one. Raises TypeError where nothing does."""
        if argument is None or isinstance(argument, PLAIN):
            return type(argument), argument  # as 1, 1.0 and True are equal
        origin = self.origins.get(id(argument))
        if origin is not None:
            return Origin, origin.key
        if isinstance(argument, tuple):
            return tuple(map(self.identity, argument))
        if type(argument).__hash__ is not object.__hash__ and is_hashable(argument):
            return type(argument), argument
        raise TypeError(
            f"A {type(argument).__name__} cannot be told from another one by its value. Give what it is made from, or have the "
            "memo make it."
        )

    def artefacts(self, key: str, own: Artefacts) -> Artefacts:
        """The folder for features that depend on `key` alone: the one shared by all runs, or the run's own."""
        return own if self.folder is None else Artefacts(self.folder / key)


def name_of(function: Callable[..., object]) -> str:
    """Where a function is defined. Raises TypeError for one that knows more than its arguments."""
    if (
        isinstance(function, FunctionType)
        and function.__closure__ is None
        and function.__name__ != "<lambda>"
    ):
        return f"{function.__module__}.{function.__qualname__}"
    raise TypeError(
        f"{function!r} may use what is none of its arguments: give a function of a module, and all that it needs."
    )


def is_hashable(argument: object) -> bool:
    """Whether a value and all that it consists of can be hashed."""
    try:
        hash(argument)
    except TypeError:
        return False
    return True
