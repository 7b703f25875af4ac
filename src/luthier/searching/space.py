"""What a search varies: settings of a plan, each over some values or a range."""

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_origin

from luthier.errors import PlanError
from luthier.plan.method import Lora, Probe, is_method, parse_method
from luthier.plan.plan import ADAPTERS_ALONE, TUNING_ALONE, WHOLE_WEIGHTS, Plan, fields, full_key

METHOD = "train.method"
MODEL = "model.name"
PAIR = "model.pair"
IDLE_WITH_PAIR = {"bi-encoder": ("model.dropout", "model.hidden"), "cross-encoder": ("model.pooling",)}
"""Settings without effect, by the way in which pairs are read."""
SPELT = "expected KEY=a,b,c or KEY=low..high or KEY=low..high log, as in train.lr=1e-5..1e-3 log"
POINTS = 5
"""Number of points that a range has in a grid."""

Value = float | int | str


@dataclass(frozen=True)
class Choices:
    """A setting over some values."""

    key: str
    values: tuple[Value, ...]

    @property
    def points(self) -> tuple[Value, ...]:
        return self.values

    def holds(self, value: object) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return f"{self.key}={','.join(map(str, self.values))}"


@dataclass(frozen=True)
class Range:
    """A setting between two numbers, both of which it may take."""

    key: str
    low: float
    high: float
    log: bool = False
    """Whether equal factors count as equal steps."""
    whole: bool = False
    """Whether the setting takes only whole numbers."""

    @property
    def points(self) -> tuple[Value, ...]:
        """The points of the range in a grid: evenly spaced, both ends included; each number, where there are few whole ones."""
        if self.whole and self.high - self.low < POINTS:
            return tuple(range(int(self.low), int(self.high) + 1))
        shares = [at / (POINTS - 1) for at in range(POINTS)]
        if self.log:
            found = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            found = [self.low + (self.high - self.low) * share for share in shares]
        if self.whole:
            return tuple(dict.fromkeys(round(value) for value in found))
        return tuple(float(f"{value:.6g}") for value in found)

    def holds(self, value: object) -> bool:
        if not isinstance(value, (int, float)):
            return False
        return self.low <= value <= self.high and (not self.whole or value == int(value))

    def __str__(self) -> str:
        low, high = (repr(int(end) if self.whole else end) for end in (self.low, self.high))
        return f"{self.key}={low}..{high}{' log' if self.log else ''}"


Dimension = Choices | Range


@dataclass(frozen=True)
class Space:
    """Every setting that a search varies. Settings that decide whether others have an effect come first."""

    dimensions: tuple[Dimension, ...]

    def __post_init__(self) -> None:
        ordered = sorted(self.dimensions, key=lambda one: one.key not in (METHOD, PAIR))
        object.__setattr__(self, "dimensions", tuple(ordered))

    def counting(self, plan: Plan, values: Mapping[str, Value]) -> list[Dimension]:
        """The dimensions that matter with the method and the reading of pairs of these values; the plan's own method where it is
        not varied."""
        idle = idle_with(str(values.get(METHOD, plan.train.method)), str(values.get(PAIR, "auto")))
        return [one for one in self.dimensions if one.key not in idle]

    def grid(self, plan: Plan) -> list[dict[str, Value]]:
        """All distinct combinations of the dimensions' points."""
        found: dict[tuple[tuple[str, Value], ...], dict[str, Value]] = {}
        for chosen in itertools.product(*(one.points for one in self.dimensions)):
            values = dict(zip((one.key for one in self.dimensions), chosen, strict=True))
            counting = {one.key: values[one.key] for one in self.counting(plan, values)}
            found.setdefault(tuple(counting.items()), counting)
        return list(found.values())

    @property
    def grid_points(self) -> int:
        """The largest possible number of combinations."""
        return math.prod(len(one.points) for one in self.dimensions)

    def spelt(self) -> list[str]:
        """The dimensions in the spelling that `--vary` takes."""
        return [str(one) for one in self.dimensions]


def idle_with(method: str, pair: str = "auto") -> set[str]:
    """Settings without effect with a method, and with a way to read pairs."""
    idle, found = set(IDLE_WITH_PAIR.get(pair, ())), parse_method(method)
    if isinstance(found, Probe):
        idle |= {f"{section}.{key}" for section, key in TUNING_ALONE} | {"model.hidden"}
    of_others = WHOLE_WEIGHTS if isinstance(found, Lora) else ADAPTERS_ALONE
    idle |= {f"train.{key}" for key in of_others}
    return idle


def plan_of(plan: Plan, values: Mapping[str, Value], **more: Any) -> Plan:
    """The plan of a trial: this one with some values, and without what has no effect with their method and their reading of
    pairs. more: `section__key`."""
    settings = {**plan.settings(), **values, **{key.replace("__", "."): one for key, one in more.items()}}
    method = str(values.get(METHOD, "auto"))
    if is_method(method):  # where it is none, the plan tells so
        idle = idle_with(method, str(values.get(PAIR, "auto")))
        settings = {key: value for key, value in settings.items() if key not in idle}
    return Plan.build(settings)


def read_space(vary: Sequence[str], plan: Plan) -> Space:
    """What `--vary` asks for. Raises PlanError that tells of everything that is wrong, before anything is run."""
    problems: list[str] = []
    dimensions: list[Dimension] = []
    for text in vary:
        try:
            dimensions.append(read_dimension(text, plan))
        except PlanError as error:
            problems.append(str(error))
    twice = [key for key, times in counted(one.key for one in dimensions).items() if times > 1]
    problems += [f"--vary {key}: given twice. Say it once, with all its values." for key in twice]
    space = Space(tuple(dimensions))
    if not problems:
        problems += clashing(space, plan)
    if problems:
        raise PlanError("\n".join(problems))
    return space


def counted(keys: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for key in keys:
        found[key] = found.get(key, 0) + 1
    return found


def read_dimension(text: str, plan: Plan) -> Dimension:
    """One `KEY=SPEC`. Raises PlanError for what the plan's own check refuses too."""
    name, equals, spec = text.partition("=")
    spec = spec.strip()
    if not equals or not spec:
        raise PlanError(f"--vary {text!r}: {SPELT}.")
    key = checked_key(full_key(name.strip()))
    found = re.fullmatch(r"([^\s,]+?)\.\.([^\s,]+?)(\s+log)?", spec)
    if found:
        return read_range(key, found[1], found[2], bool(found[3]), plan)
    parts = [part.strip() for part in spec.split(",")]
    if "" in parts:
        raise PlanError(f"--vary {text!r}: a value is empty; {SPELT}.")
    values = tuple(dict.fromkeys(value_of(key, part, plan) for part in parts))
    if len(values) < len(parts):
        raise PlanError(f"--vary {text!r}: a value stands there twice. Give each once.")
    return Choices(key, values)


def checked_key(key: str) -> str:
    """Raises PlanError for a setting that would make scores incomparable, or changes none."""
    if key == "data.long" or key.startswith(("model.", "train.")):
        if get_origin(fields()[key].annotation) is tuple:
            raise PlanError(f"--vary {key}: is a list itself, whose commas would be taken for those between values. "
                            "Compare such lists by runs of their own.")  # fmt: skip
        return key
    if key == "run.seed":
        raise PlanError(
            "--vary run.seed: the luckiest seed is no finding. --seeds runs the best settings on several."
        )
    if key.startswith("run."):
        raise PlanError(
            f"--vary {key}: says where and how to compute, not what comes out. Vary model.* or train.*."
        )
    raise PlanError(
        f"--vary {key}: trials on other rows, or by another score, cannot be compared. Vary model.* or train.*."
    )


def read_range(key: str, low: str, high: str, log: bool, plan: Plan) -> Range:
    ends = []
    for end in (low, high):
        try:
            ends.append(float(end))
        except ValueError:
            raise PlanError(f"--vary {key}={low}..{high}: {end!r} is no number; {SPELT}.") from None
        if not math.isfinite(ends[-1]):
            raise PlanError(f"--vary {key}={low}..{high}: {end!r} is not finite; {SPELT}.")
    if not ends[0] < ends[1]:
        raise PlanError(f"--vary {key}={low}..{high}: the first number must be the smaller one.")
    if log and ends[0] <= 0:
        raise PlanError(
            f"--vary {key}={low}..{high} log: {low} has no logarithm. Begin above zero, or leave out 'log'."
        )
    written_whole = all(re.fullmatch(r"\d+", end) for end in (low, high)) and ends[1] - ends[0] > 1
    checked = [value_of(key, end, plan) for end in (low, high)]
    if any(isinstance(value, str) for value in checked):
        raise PlanError(
            f"--vary {key}={low}..{high}: takes words, not numbers. Write them with commas: KEY=a,b,c."
        )
    whole = all(isinstance(value, int) for value in checked) or written_whole
    return Range(key, ends[0], ends[1], log, whole)


def value_of(key: str, text: str, plan: Plan) -> Value:
    """A value in the form that the plan's own check gives it."""
    try:
        found: Value = plan_of(plan, {key: text}).settings()[key]
    except PlanError as error:
        raise PlanError(f"--vary: {error}") from None
    return found


def clashing(space: Space, plan: Plan) -> list[str]:
    """What is wrong with two values together, each of which is right alone."""
    found: dict[str, None] = {}
    for one, other in itertools.combinations(space.dimensions, 2):
        for values in itertools.product(one.points, other.points):
            try:
                plan_of(plan, dict(zip((one.key, other.key), values, strict=True)))
            except PlanError as error:
                found[f"--vary {one.key} and {other.key}: {error}"] = None
    return list(found)[:5]
