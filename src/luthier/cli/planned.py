"""Commands whose flags are made from the plan's own fields."""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

from cyclopts import Parameter

from luthier.errors import PlanError
from luthier.plan.continuing import with_those_of_earlier
from luthier.plan.named_columns import COLUMNS, columns_by_role
from luthier.plan.plan import Plan, fields, flag, read_plan
from luthier.plan.search import parted


def planned(function: Any, more: tuple[inspect.Parameter, ...] = (), section: str = "") -> Any:
    """Give a command the plan's fields as flags, and `more` of its own. It is called with the plan of the settings that were
    given, and with its own by name; those of a plan file's `section`, which no other command knows, count where they are
    not given as flags."""
    names: dict[str, str] = {}
    parameters = [
        inspect.Parameter(
            "data", inspect.Parameter.POSITIONAL_ONLY, default=None,
            annotation=Annotated[str | None, Parameter(help=fields()["data.path"].description)],
        )
    ]  # fmt: skip
    for key, info in fields().items():
        if key != "data.path":
            names[key.replace(".", "_")] = key
            kind = list[str] if key == COLUMNS else str
            parameters.append(option(key.replace(".", "_"), flag(key), kind, described(info)))
    extras = {
        "plan": option(
            "plan", "--plan", str, "Plan file (TOML), such as RUN/plan.toml; flags given beside it win."
        ),
        "set": option("set", "--set", list[str], "Any setting as section.key=value; may be repeated."),
        "json": option(
            "json", "--json", bool, "Last line of standard output: the result as one JSON object."
        ),
        "quiet": option("quiet", "--quiet", bool, "No progress."),
    }
    parameters += [*extras.values(), *more]

    def command(data: str | None = None, **given: Any) -> Any:
        settings = read_plan(Path(given["plan"])) if given.get("plan") else {}
        if data is not None:
            settings["data.path"] = data
        if given.get(COLUMNS.replace(".", "_")):
            settings = with_columns(settings, given.pop(COLUMNS.replace(".", "_")))
        settings |= {
            names[name]: value for name, value in given.items() if name in names and value is not None
        }
        for pair in given.get("set") or []:
            key, equals, value = pair.partition("=")
            if not equals:
                raise PlanError(f"--set {pair!r}: expected section.key=value, as in --set train.lr=1e-4.")
            settings.pop(key, None)  # What is said last counts, whichever way the key is written.
            settings[key] = value
        own = {one.name: given.get(one.name) for one in more}
        if section:
            settings, found = parted(settings)
            own = {**found, **{name: value for name, value in own.items() if value is not None}}
        shown = {"as_json": bool(given.get("json")), "quiet": bool(given.get("quiet"))}
        return function(Plan.build(with_those_of_earlier(settings)), **shown, **own)

    command.__annotations__ = {}  # Those of the signature count, which have the help.
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command


def with_columns(settings: Mapping[str, Any], named: Sequence[str]) -> dict[str, Any]:
    """Settings of a plan file with the columns of the command line in the place of theirs. named: role=NAME each."""
    try:
        columns = columns_by_role(named)
        others = columns_by_role(settings.get(COLUMNS) or {})
    except ValueError as error:
        raise PlanError(f"--column {' '.join(named)}: expected {error}.") from None
    kept = {key: value for key, value in settings.items() if key.removeprefix("data.") not in columns}
    return {**kept, COLUMNS: {**others, **columns}}


def option(name: str, spelling: str, kind: Any, help: str) -> inspect.Parameter:
    optional = kind if kind is bool else kind | None
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if kind is bool else None,
        annotation=Annotated[optional, Parameter(name=spelling, help=help, negative=(), show_default=False)],
    )


def described(info: Any) -> str:
    """A field's help with its choices and its default."""
    text = " ".join(str(info.description).split())
    choices = get_args(info.annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        text += f" One of {', '.join(choices)}."
    if info.default is None or info.default == () or not isinstance(info.default, (str, int, float)):
        return text
    return f"{text} [{info.default}]"
