"""The plan: everything the user asks for, in one frozen object."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_origin

import tomli_w
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from luthier.errors import PlanError, did_you_mean
from luthier.files import open_file
from luthier.hashes import hash_json
from luthier.plan.complaints import complaints
from luthier.plan.duration import seconds_of
from luthier.plan.key import FIRST, deciding
from luthier.plan.method import Lora, Top, parse_method
from luthier.plan.named_columns import OWN
from luthier.plan.names_alone import clashes_of_names, names_in
from luthier.plan.section import Section
from luthier.plan.sections import ComparePlan, DataPlan, ModelPlan, RunPlan, TaskPlan, TrainPlan
from luthier.records import VERSION, VersionedRecord, migrated, stamped


class Plan(Section):
    """What to do: read, checked and printed as one. `Plan.build` makes it from settings such as `train.lr`."""

    data: DataPlan
    task: TaskPlan = TaskPlan()
    model: ModelPlan = ModelPlan()
    train: TrainPlan = TrainPlan()
    compare: ComparePlan = ComparePlan()
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
                sections.setdefault(section, {})[field] = plain(section, field, value)
        plan: Plan | None = None
        try:
            plan = Plan.model_validate(sections)
        except ValidationError as error:
            problems += complaints(error.errors())
        else:
            problems += plan.clashes()
        if problems or plan is None:
            raise PlanError("\n".join(problems))
        return plan

    def clashes(self) -> list[str]:
        """Sentences on settings that are right one by one and wrong together."""
        found, data = [], self.data
        found += [
            f"data.{role} and data.columns name two columns, {getattr(data, role)!r} and {name!r}. Name one."
            for role, name in data.columns or ()
            if role in OWN
        ]
        if data.text is not None and data.text == data.label:
            found.append(f"data.text and data.label both name the column {data.text!r}. Name two columns.")
        if data.valid is None and data.test is None and data.valid_share + data.test_share >= 1:
            found.append(
                f"data.valid_share {data.valid_share} and data.test_share {data.test_share} "
                "leave no rows to train on. Make their sum smaller than 1."
            )
        idle = [f"{section}.{key}" for section, key in TUNING_ALONE if is_set(self, section, key)]
        own = [f"model.{key}" for key in ("hidden",) if is_set(self, "model", key)]
        found += clashes_of_names(data, self.task, self.train.method, idle, own)
        if self.train.method == "probe" and idle:
            found.append(
                f"{', '.join(idle)}: no effect with train.method 'probe', which solves for its head exactly. "
                "Leave it out, or choose --method full."
            )
        if self.train.method in ("probe", "few-shot") and self.model.hidden:
            found.append(
                f"model.hidden has no effect with train.method {self.train.method!r}, whose head is one linear layer. "
                "Leave it out, or choose --method full."
            )
        if self.train.method == "few-shot" and any(key not in FEW_SHOT_TOO for key in idle):
            keys = ", ".join(key for key in idle if key not in FEW_SHOT_TOO)
            found.append(
                f"{keys}: no effect with train.method 'few-shot', which learns a fixed number of steps. Leave it out, or choose "
                "--method full."
            )
        if self.train.method == "few-shot" and self.train.keep == "strong":
            found.append(
                "train.keep 'strong' looks for weights after --method full. Leave it out, or choose --method full."
            )
        if self.data.validation == "crossed" and self.train.method not in CROSSED:
            found.append(
                f"data.validation 'crossed' with train.method {self.train.method!r}, which needs rows to stop by. Leave it "
                "out, or choose --method few-shot."
            )
        if self.data.validation == "crossed" and self.train.method == "auto" and self.tuning_asked:
            found.append(
                f"{', '.join(self.tuning_asked)}: no effect with data.validation 'crossed', by which nothing is tuned that needs "
                "rows to stop by. Leave one of the two out."
            )
        if self.data.validation == "crossed" and is_set(self, "data", "valid_share"):
            found.append(
                "data.valid_share with data.validation 'crossed', by which no rows are held out for validation. Leave one of the "
                "two out."
            )
        if self.train.embeddings == "frozen" and self.train.method.startswith("top:"):
            found.append(
                f"train.embeddings 'frozen' changes nothing with train.method {self.train.method!r}, which never trains them. "
                "Leave it out, or choose --method full."
            )
        method = parse_method(self.train.method)
        amiss = [f"train.{key}" for key in WHOLE_WEIGHTS if is_set(self, "train", key)]
        if isinstance(method, Lora) and amiss:
            found.append(
                f"{', '.join(amiss)}: not with train.method {self.train.method!r}, which trains adapters beside weights that "
                "stay as they are. Leave it out, or choose --method full."
            )
        if isinstance(method, Top) and self.train.reinit > method.blocks:
            found.append(
                f"train.reinit {self.train.reinit} with train.method {self.train.method!r}: a block that starts anew "
                f"would never train. Make train.reinit at most {method.blocks}, or choose --method full."
            )
        if self.train.head in ("probe", "shrunk") and self.model.hidden:
            found.append(
                f"train.head {self.train.head!r} is one linear layer and cannot start model.hidden. Choose --head fresh."
            )
        return found

    def with_settings(self, settings: Mapping[str, Any]) -> "Plan":
        """This plan with some settings replaced, checked again as a whole."""
        return Plan.build({**self.settings(), **settings})

    def settings(self) -> dict[str, Any]:
        """Every setting that has a value, keyed `section.field`; the model only where it was named, as it is for the rows to say
        which one serves where none was."""
        return {
            f"{section}.{field}": value
            for section, fields in self.told().items()
            for field, value in fields.items()
        }

    def told(self) -> dict[str, dict[str, Any]]:
        """What `settings` tells, by section."""
        found: dict[str, dict[str, Any]] = self.model_dump(mode="json", exclude_none=True)
        if "name" not in self.model.model_fields_set:
            del found["model"]["name"]
        return found

    def to_toml(self) -> str:
        """The plan as TOML. `run.out` stays out: a plan says what, not where to."""
        told = self.told()
        told["run"].pop("out", None)
        return tomli_w.dumps(stamped(told, PlanFile))

    def identity(self) -> str:
        """Hash of all that decides the result beside the rows and the model themselves (`plan/key.py`)."""
        parts = {name: deciding(name, getattr(self, name)) for name in type(self).model_fields}
        return hash_json({name: part for name, part in parts.items() if part or name in FIRST})

    def of_rows(self) -> "Plan":
        """A plan of the rows and their split alone: what else is asked for is as if nobody had said it."""
        asked = {"split_seed": self.split_seed, "validation": self.validation}
        return Plan(data=self.data.model_copy(update=asked), task=self.task)

    @property
    def split_seed(self) -> int:
        return self.run.seed if self.data.split_seed is None else self.data.split_seed

    @property
    def validation(self) -> str:
        """How candidates are compared. Where nobody says, rows are held out for who asks for a share of them, or for what is
        tuned by them: another method, or settings of tuning."""
        if self.data.validation != "auto":
            return self.data.validation
        known = self.train.method in CROSSED and not is_set(self, "data", "valid_share")
        return "auto" if known and not self.tuning_asked else "held-out"

    @property
    def tuning_asked(self) -> tuple[str, ...]:
        """The settings that are asked for, keyed `section.field`, and count only where layers are tuned, which needs rows beside
        those that are learnt from to stop by."""
        idle = [f"{section}.{key}" for section, key in TUNING_ALONE if is_set(self, section, key)]
        free = set(FEW_SHOT_TOO) - ({"train.keep"} if self.train.keep == "strong" else set())
        hidden = ["model.hidden"] if self.model.hidden else []
        return (*(key for key in idle if key not in free), *hidden)

    @property
    def budget_seconds(self) -> float | None:
        return None if self.run.budget is None else seconds_of(self.run.budget)


def sections() -> dict[str, type[Section]]:
    """The sections by name, in the order of a plan."""
    return {
        name: field.annotation
        for name, field in Plan.model_fields.items()
        if isinstance(field.annotation, type)
    }


def fields() -> dict[str, FieldInfo]:
    """Every setting there is, keyed `section.field`."""
    return {
        f"{name}.{field}": info
        for name, section in sections().items()
        for field, info in section.model_fields.items()
    }


SHORT = {"task": "task.name", "model": "model.name", "data": "data.path"}
"""Short names of some settings: `--task` is `task.name`."""

SPELT = {"data.columns": "--column", "data.continues": "--continue"}
"""Flags that are not spelt as their field: columns are named one at a time, and `continue` is a word of Python."""

ADAPTERS_ALONE = ("adapter", "adapter_alpha", "adapter_b_rate")
"""Settings of `train` without effect on any method but LoRA."""

TUNING_ALONE = (
    *(
        ("train", key)
        for key in ("lr", "epochs", "batch_rows", "weight_decay", "warmup", "patience", "layer_decay")
    ),
    *(
        ("train", key)
        for key in (
            "head_rate",
            "embeddings",
            "reinit",
            "schedule",
            "label_smoothing",
            "balance",
            "augment",
            "flip",
            "mix",
            "batch_norm",
        )
    ),
    *(
        ("train", key)
        for key in (
            "max_norm",
            "head",
            "validations",
            "keep",
            "l2_sp",
            "distill",
            "teacher",
            "replay",
            "ema",
            "cloze",
            "rounds",
            "samples",
        )
    ),
    *(("train", key) for key in ADAPTERS_ALONE),
    *(("model", key) for key in ("dropout", "body_dropout")),
    ("compare", "scratch"),
    ("data", "general"),
    ("run", "recompute"),
    ("run", "save_every"),
)
"""Settings without effect on the probe."""

FEW_SHOT_TOO = ("train.keep", "train.max_norm", "data.general", "model.body_dropout")
"""Those of them that have one on the few-shot model."""
CROSSED = ("auto", "probe", "few-shot")
"""Methods that need no rows held out."""

WHOLE_WEIGHTS = ("layer_decay", "embeddings", "reinit", "l2_sp")
"""Settings of `train` that speak of the pre-trained weights themselves, which LoRA leaves as they are."""


def is_set(plan: Plan, section: str, key: str) -> bool:
    """Whether a setting is other than when it is left out."""
    return bool(getattr(getattr(plan, section), key) != sections()[section].model_fields[key].default)


def flag(key: str) -> str:
    """The command-line flag of a setting: `train.batch_rows` is `--batch-rows`.

    >>> flag("model.name"), flag("train.batch_rows")
    ('--model', '--batch-rows')
    """
    if key in SPELT:
        return SPELT[key]
    section, field = key.split(".")
    return "--" + (section if field == "name" else field.replace("_", "-"))


def full_key(key: str) -> str:
    """The full key of a setting: `lr` is `train.lr`. An unknown key raises PlanError with the nearest right one."""
    known = fields()
    if key in known:
        return key
    if key in SHORT:
        return SHORT[key]
    fitting = [full for full in known if full.split(".")[1] == key]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise PlanError(f"There is no setting {key!r} alone. Write {' or '.join(fitting)}.")
    names = [*known, *SHORT, *(full.split(".")[1] for full in known)]
    hint = did_you_mean(key, names) or did_you_mean(key.split(".")[-1], names)
    raise PlanError(f"There is no setting {key!r}.{hint} `luthier tune --help` lists them all.")


def plain(section: str, field: str, value: Any) -> Any:
    """A value as TOML could hold it: a path is a text, and `256,64` a list where the field is a tuple."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, str) and field == "label_names":
        return names_in(value)
    if isinstance(value, str) and get_origin(sections()[section].model_fields[field].annotation) is tuple:
        return [part for part in value.split(",") if part]
    return value


LARGEST = 16_000_000
"""The most bytes of a plan file that are read: far more than any plan has."""


class PlanFile(VersionedRecord):
    """plan.toml: settings by section. What they are is the plan's to check."""


def read_plan(path: Path) -> dict[str, Any]:
    """The settings of a plan file, keyed `section.field`, for `Plan.build` to check.

    Raises PlanError when it is not there, or not TOML, NewerRecord when it is a newer luthier's.
    """
    if path.is_dir():
        raise PlanError(f"{path}: is a folder. Give the plan file itself: {path / 'plan.toml'}")
    try:
        with open_file(path) as file:
            content = tomllib.loads(file.read(LARGEST).decode("utf-8-sig"))
    except FileNotFoundError:
        raise PlanError(
            f"{path}: there is no such plan file. Every run's folder holds one: plan.toml."
        ) from None
    except NotADirectoryError:
        raise PlanError(
            f"{path}: there is no such plan file, as a file stands where a folder is named."
        ) from None
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except UnicodeDecodeError:
        raise PlanError(f"{path}: is not text in UTF-8, as TOML is. Save it as UTF-8.") from None
    except RecursionError:
        raise PlanError(f"{path}: is nested too deeply to be read. Correct it there.") from None
    except ValueError as error:  # no TOML, or a number too long to be one
        raise PlanError(f"{path}: is not valid TOML: {error}. Correct it there.") from None
    settings: dict[str, Any] = {}
    for name, body in migrated(content, PlanFile, str(path)).items():
        if name == VERSION:
            continue
        settings |= (
            {f"{name}.{field}": value for field, value in body.items()}
            if isinstance(body, dict)
            else {name: body}
        )
    return settings
