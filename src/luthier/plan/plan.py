"""The plan: everything the user asks for, in one frozen object."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from luthier.errors import PlanError, did_you_mean, listing
from luthier.hashes import hash_json
from luthier.plan.section import Section
from luthier.plan.sections import DataPlan, ModelPlan, RunPlan, TaskPlan, TrainPlan


class Plan(Section):
    """What to do: read, checked and printed as one. `Plan.build` makes it from settings such as `train.lr`."""

    data: DataPlan
    task: TaskPlan = TaskPlan()
    model: ModelPlan = ModelPlan()
    train: TrainPlan = TrainPlan()
    run: RunPlan = RunPlan()

    @staticmethod
    def build(settings: Mapping[str, Any]) -> "Plan":
        """A plan from settings keyed `section.field` or, where only one section has it, just `field`.

        Raises PlanError that tells of every unknown key and every wrong value together.
        """
        sections: dict[str, dict[str, Any]] = {}
        problems: list[str] = []
        for key, value in settings.items():
            try:
                section, field = full_key(key).split(".")
            except PlanError as error:
                problems.append(str(error))
            else:
                sections.setdefault(section, {})[field] = from_text(section, field, value)
        plan: Plan | None = None
        try:
            plan = Plan.model_validate(sections)
        except ValidationError as error:
            problems += [complaint(one) for one in error.errors()]
        else:
            problems += plan.clashes()
        if problems or plan is None:
            raise PlanError("\n".join(problems))
        return plan

    def clashes(self) -> list[str]:
        """Settings that are right one by one and wrong together."""
        found = []
        if self.data.text is not None and self.data.text == self.data.label:
            found.append(f"data.text and data.label both name the column {self.data.text!r}. Name two columns.")
        if self.data.valid_share + self.data.test_share >= 1:
            found.append(
                f"data.valid_share {self.data.valid_share} and data.test_share {self.data.test_share} "
                "leave no rows to train on. Make their sum smaller than 1."
            )
        if self.run.budget is not None:
            try:
                seconds_of(self.run.budget)
            except PlanError as error:
                found.append(str(error))
        if self.train.method == "probe":
            idle = [key for key in ("lr", "epochs", "batch_rows", "weight_decay", "warmup", "patience")
                    if getattr(self.train, key) is not None]  # fmt: skip
            if idle:
                found.append(
                    f"train.{idle[0]} has no effect with train.method 'probe', which solves for its head exactly. "
                    "Leave it out, or choose --method full."
                )
        if self.train.method == "probe" and self.model.hidden:
            found.append(
                "model.hidden has no effect with train.method 'probe', whose head is one linear layer. "
                "Leave it out, or choose --method full."
            )
        if self.train.head in ("probe", "shrunk") and self.model.hidden:
            found.append(f"train.head {self.train.head!r} is one linear layer and cannot start model.hidden. Choose --head fresh.")
        return found

    def with_settings(self, settings: Mapping[str, Any]) -> "Plan":
        """This plan with some settings replaced, checked again as a whole."""
        return Plan.build({**self.settings(), **settings})

    def settings(self) -> dict[str, Any]:
        """Every setting that has a value, keyed `section.field`."""
        return {
            f"{section}.{field}": value
            for section, fields in self.model_dump(mode="json", exclude_none=True).items()
            for field, value in fields.items()
        }

    def to_toml(self) -> str:
        """The plan as TOML. `run.out` stays out: a plan says what, not where to."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True, exclude={"run": {"out"}}))

    def identity(self) -> str:
        """Hash of all that decides the result: not where it is written, nor how long it may take."""
        return hash_json(self.model_dump(mode="json", exclude={"run": {"out", "budget"}}))

    @property
    def budget_seconds(self) -> float | None:
        return None if self.run.budget is None else seconds_of(self.run.budget)


def sections() -> dict[str, type[Section]]:
    """The sections by name, in the order of a plan."""
    return {name: field.annotation for name, field in Plan.model_fields.items() if isinstance(field.annotation, type)}


def fields() -> dict[str, FieldInfo]:
    """Every setting there is, keyed `section.field`."""
    return {
        f"{name}.{field}": info for name, section in sections().items() for field, info in section.model_fields.items()
    }


SHORT = {"task": "task.name", "model": "model.name", "plan": "", "data": "data.path"}
"""Names that mean a field of another name: `--task` is `task.name`."""


def flag(key: str) -> str:
    """The command-line flag of a setting: `train.batch_rows` is `--batch-rows`.

    >>> flag("model.name"), flag("train.batch_rows")
    ('--model', '--batch-rows')
    """
    section, field = key.split(".")
    return "--" + (section if field == "name" else field.replace("_", "-"))


def full_key(key: str) -> str:
    """`lr` is `train.lr`; an unknown key raises PlanError with the nearest right one."""
    known = fields()
    if key in known:
        return key
    if SHORT.get(key):
        return SHORT[key]
    ending = [full for full in known if full.split(".")[1] == key]
    if len(ending) == 1:
        return ending[0]
    names = [*known, *SHORT, *(full.split(".")[1] for full in known)]
    short = key.split(".")[-1]
    hint = did_you_mean(key, names) or did_you_mean(short, names)
    raise PlanError(f"There is no setting {key!r}.{hint} `luthier tune --help` lists them all.")


def from_text(section: str, field: str, value: Any) -> Any:
    """A value as typed on the command line: a field that is a tuple takes `256,64`."""
    info = sections()[section].model_fields[field]
    if isinstance(value, str) and str(info.annotation).startswith("tuple"):
        return tuple(part for part in value.split(",") if part)
    return value


def complaint(error: Any) -> str:
    """One of pydantic's errors as a sentence that names the setting, the value and what is expected."""
    key = ".".join(str(part) for part in error["loc"][:2])
    if error["type"] == "missing":
        return "No data was named. Give the file with your examples: luthier tune reviews.csv"
    if error["type"] == "extra_forbidden":
        return f"There is no setting {key!r}.{did_you_mean(key, fields())}"
    if error["type"] == "literal_error":
        return f"{key}: {error['input']!r} is not a choice. Expected {error['ctx']['expected']}."
    if key == "data.path":
        return f"data.path: {error['input']!r} is not a file's name. Give the file with your examples."
    expected = re.sub(r"^Input should be (a valid )?", "", error["msg"])
    return f"{key}: {error['input']!r} does not fit. Expected {expected}."


def seconds_of(words: str) -> float:
    """Seconds of a duration such as `90s`, `10m`, `1.5h`, `600`.

    >>> seconds_of("10m")
    600.0
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", words)
    if not match or float(match[1]) == 0:
        raise PlanError(f"run.budget: {words!r} is not a duration. Expected a number with s, m or h, as in 90s, 10m or 1.5h.")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def read_plan(path: Path) -> dict[str, Any]:
    """The settings of a plan file, keyed `section.field`. Raises PlanError with the line where TOML breaks."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PlanError(f"{path}: there is no such plan file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: cannot be read as a plan ({error}).") from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{path}: is not valid TOML: {error}.") from error
    known = sections()
    settings: dict[str, Any] = {}
    problems = []
    for section, body in content.items():
        if section not in known:
            problems.append(f"{path}: there is no section [{section}].{did_you_mean(section, known)} Expected {listing(known)}.")
        elif not isinstance(body, dict):
            problems.append(f"{path}: {section} is not a section. Write [{section}] and its settings below it.")
        else:
            settings |= {f"{section}.{field}": value for field, value in body.items()}
    if problems:
        raise PlanError("\n".join(problems))
    return settings
