"""A plan with every open setting filled in: by the task, the recipe of the model, and what the machine is."""

from dataclasses import dataclass

from luthier.devices import Device
from luthier.errors import PlanError
from luthier.models.headed import HeadedModel
from luthier.models.heads import HEADS
from luthier.models.ladder.ladder import Ladder
from luthier.plan.method import Lora, Method, Thaw, Top, parse_method
from luthier.plan.named_columns import COLUMNS, column_settings
from luthier.plan.plan import Plan, flag
from luthier.prepare.idle_settings import no_cloze_with
from luthier.prepare.rows import Rows
from luthier.tasks import form_of
from luthier.tasks.task import Task
from luthier.train.recipe import Recipe

LORA_RATE = 10
"""LoRA's learning rate as a multiple of that of full tuning: Schulman et al. 2025, "LoRA without regret"
(thinkingmachines.ai/blog/lora)."""

WARM = 0.3
"""Share of the usual epochs that a next round of labelling trains, from the layers that the round before has trained
(docs/label-loop.md has what other shares came to)."""


@dataclass(frozen=True)
class Guess:
    """A setting that luthier chose, why, and the flag that corrects it."""

    key: str
    value: object
    why: str

    def __str__(self) -> str:
        return f"{self.key} = {self.value}  ({self.why}; {flag(self.key)} corrects it)"


@dataclass(frozen=True)
class Start:
    """The recipe, the model and the rows from which open settings are filled in."""

    recipe: Recipe
    model: HeadedModel
    ladder: Ladder
    declares: bool
    """Whether the model says how its token states become one vector."""
    rows: int
    windows: float
    """Mean number of windows of a row, each of which is learnt from by itself."""
    warm: bool
    """Whether training goes on from the layers that an earlier run has trained."""
    made: int
    """Number of cloze questions that were made, of those that `made_wanted` asks for."""


@dataclass(frozen=True)
class Resolved:
    """A plan with nothing left open."""

    plan: Plan
    guesses: tuple[Guess, ...]
    """What was filled in."""


def resolve(plan: Plan, rows: Rows, device: Device, start: Start) -> Resolved:
    """The plan with every open setting filled in, and what was filled in.

    Raises PlanError for a setting that only now is known to have no meaning.
    """
    task = rows.task
    if plan.train.balance == "rows" and task.labels_per_row == "many":
        raise PlanError(
            "train.balance: 'rows' draws rows by their one label, and here a row has several. Use --balance loss."
        )
    guesses = of_rows(rows)
    if tuned_by_steps(plan, rows):
        guesses += of_made(plan, start) if rows.task.made_rows is not None and not start.warm else []
        guesses += of_training(plan, task, start)
    guesses += of_machine(device)
    if (
        start.model.pooling is not None and not rows.form.own_pooling
    ):  # of pairs it goes without saying, and may not be said
        why = "room for model.hidden" if plan.model.hidden else "declared by the model"
        if not start.declares:
            why = "as usual where the model declares none"
        guesses.append(Guess("model.pooling", start.model.pooling, why))
    asked = plan.settings()
    open_ones = [guess for guess in guesses if asked.get(guess.key) in (None, "auto")]
    filled = plan.with_settings({guess.key: guess.value for guess in open_ones})
    return Resolved(filled, tuple(open_ones))


def tuned_by_steps(plan: Plan, rows: Rows) -> bool:
    """Whether layers are tuned in steps that a recipe describes, and rows are held out that say when to stop."""
    method = plan.train.method
    return method not in ("probe", "few-shot") and (method != "auto" or rows.split.validates_apart)


def of_rows(rows: Rows) -> list[Guess]:
    """Guesses that the rows alone decide."""
    task = rows.task
    guesses = [Guess("task.name", task.name, rows.guesses["task"])]
    guesses += of_columns(rows)
    if "split_column" in rows.guesses:
        name = rows.understanding.split.removeprefix("column ")
        guesses.append(Guess("data.split_column", name, rows.guesses["split_column"]))
    if rows.split.crossed:
        why = f"{len(rows.split.train):,} training rows, of which none is held out"
        guesses.append(Guess("data.validation", "crossed", why))
    guesses.append(Guess("task.metric", task.metric, "the task's own"))
    why_pair = rows.guesses.get("pair")
    if why_pair is not None:
        guesses.append(Guess("model.pair", rows.form.pair, why_pair))
    if "data.long" in rows.form.effects:
        guesses.append(Guess("data.long", task.long, "as usual with this task"))
    if task.labels_per_row is not None:
        why = f"{len(task.known_labels)} labels seen"
        guesses.append(Guess("task.labels_per_row", task.labels_per_row, why))
    return guesses


def of_columns(rows: Rows) -> list[Guess]:
    """Which column serves for what."""
    settings = column_settings(rows.columns)
    reasons = {f"data.{role}": rows.guesses.get(role, "") for role in rows.columns}
    reasons[COLUMNS] = "; ".join(reasons[f"data.{role}"] for role in settings.get(COLUMNS, ()))
    return [Guess(key, value, reasons[key]) for key, value in settings.items()]


def of_training(plan: Plan, task: Task, start: Start) -> list[Guess]:
    """Guesses that the recipe decides, for so many rows to learn from."""
    recipe, rows = start.recipe, start.rows
    why, method = f"recipe for {recipe.name}", parse_method(plan.train.method)
    # Where rows are few, what the model has no notion of it learns from others that are made, or else in twice the steps.
    new = task.learning.new_skill and not start.model.knows and recipe.has_few(rows)
    # Those that are made are read in the same steps, and are many.
    windows_per_step = recipe.batch_rows if new else recipe.rows_per_step(round(rows * start.windows))
    usual_rows = task.learning.rows_per_step or max(1, round(windows_per_step / start.windows))
    why_epochs = f"{why}, {rows:,} rows"
    why_rows = why_epochs if start.windows == 1 else f"{why_epochs}, {start.windows:.1f} windows a row"
    batch_rows = plan.train.batch_rows or usual_rows
    fewest = windows_per_step < recipe.batch_rows
    times = task.learning.steps_of_fewest if fewest else 1.0
    if new:
        times = 2 - min(1.0, start.made / recipe.rows_of_floor)
    usual_epochs = recipe.epochs_for(rows, batch_rows, times)
    if task.learning.most_epochs is not None:
        usual_epochs = min(usual_epochs, task.learning.most_epochs)
    if start.warm:
        usual_epochs = max(2, round(WARM * usual_epochs))
        why_epochs += f", of which {WARM:.0%} are enough where an earlier round has trained"
    epochs = plan.train.epochs or usual_epochs
    patience = max(2, round(epochs / 3))  # of many short epochs two say nothing
    why_patience = f"{patience} epochs of validations"
    if isinstance(method, Thaw) and plan.train.epochs is None:
        thawing = (len(start.ladder.rungs) - 1) * method.every
        epochs = patience = usual_epochs + thawing
        why_epochs = f"{thawing} to thaw all rungs, then as the {why}"
        why_patience = "no stop before all has thawed"
    guesses = []
    times = task.learning.rate * rate_of(method, recipe)
    guesses.append(Guess("train.lr", recipe.lr * times, why if times == 1 else f"{times:g} times the {why}"))
    if not isinstance(method, Lora):
        guesses.append(Guess("train.layer_decay", recipe.layers.decay, why))
    guesses += [
        Guess("train.batch_rows", usual_rows, why_rows),
        Guess("train.epochs", epochs, why_epochs),
        Guess("train.weight_decay", recipe.weight_decay, why),
        Guess("train.warmup", recipe.warmup, why),
        Guess("train.patience", patience * plan.train.validations, why_patience),
    ]
    if "train.augment" in form_of(task).effects:
        guesses.append(Guess("train.augment", "light", "enough for most small sets"))
    if start.model.writes:  # whose output layer came with it
        return guesses
    new_layers = bool(plan.model.hidden or plan.train.reinit)
    if start.warm and task.probe is not None and not new_layers:
        return [*guesses, Guess("train.head", "probe", "solved on the layers of the round before")]
    return [
        *guesses,
        Guess("train.head", "fresh" if new_layers else usual_head(task), "docs/recipes.md"),
    ]


def rate_of(method: Method, recipe: Recipe) -> float:
    """A method's learning rate as a multiple of that of full tuning."""
    match method:
        case Lora():
            return LORA_RATE
        case Top():
            return recipe.layers.top
        case _:
            return 1


def made_wanted(plan: Plan, rows: Rows, recipe: Recipe, model: HeadedModel) -> int:
    """How many questions are to be made of the training texts: as many rows as the floor of steps reads, where the user's own
    are fewer, read as often as usual."""
    if plan.train.cloze is not None:
        return plan.train.cloze
    if rows.task.made_rows is None or model.knows or no_cloze_with(plan) is not None:
        return 0
    return recipe.rows_of_floor if recipe.has_few(len(rows.split.train)) else 0


def of_made(plan: Plan, start: Start) -> list[Guess]:
    """How many questions were made, and why so many."""
    why = f"{start.rows:,} are enough to learn answering from"
    if start.made:
        why = f"as {start.rows:,} are few to learn answering from"
    elif start.model.knows:
        why = "the model has answered questions before"
    elif start.recipe.has_few(start.rows):
        why = no_cloze_with(plan) or "no sentence of the training texts is long enough to ask about"
    return [Guess("train.cloze", start.made, why)]


def of_machine(device: Device) -> list[Guess]:
    return [
        Guess("run.precision", device.precision, "fastest here by measurement"),
        Guess("run.device", device.kind, "found here"),
        Guess("run.threads", device.threads, "cores found"),
    ]


def usual_head(task: Task) -> str:
    """Where the head starts if nobody says so: fresh where there is no probe."""
    return HEADS[task.head].start if task.probe is not None else "fresh"
