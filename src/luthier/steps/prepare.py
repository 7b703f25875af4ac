"""Everything up to the first computation: rows, model, tokens, the resolved plan. Nothing is written here."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from luthier import devices
from luthier.batches.augment import Augment
from luthier.batches.examples import Examples
from luthier.batches.pictures import Pictures
from luthier.batches.text_examples import TextExamples
from luthier.data.checks import TOKENS, examine, ranked
from luthier.data.checks.finding import Evidence, Finding, Tokens
from luthier.data.review import Review, review_path
from luthier.data.split import PARTS
from luthier.devices import Device
from luthier.errors import PlanError
from luthier.hashes import hash_json
from luthier.models.find import find_model
from luthier.models.headed import HeadedModel
from luthier.models.inspect import Folder, inspect_folder
from luthier.models.ladder import Ladder, find_ladder
from luthier.models.load import Wanted, load_model
from luthier.models.reading import READERS, Reader, preparation_of, reader_of
from luthier.models.texts import Long
from luthier.models.twin import Twin
from luthier.plan.method import Lora, Thaw, Top, parse_method
from luthier.plan.plan import Plan, flag, is_set, read_plan
from luthier.steps.kept import Kept
from luthier.steps.refusals import refuse_unknown_checks
from luthier.steps.rows import Rows, look_over, understand
from luthier.tasks.classification import Classification
from luthier.tasks.task import Task
from luthier.train.recipe import Recipe, recipe_for

LORA_RATE = 10
"""Times the rate of full tuning: Schulman et al. 2025, "LoRA without regret" (thinkingmachines.ai/blog/lora)."""


CAN_BE_LONG = ("text", "pair", "words", "question")
"""What rows are made of that may be read in more ways than cut where the model's limit is."""
IMAGES_ALONE = ("train.augment", "train.flip", "train.mix", "train.batch_norm")
"""Settings that only images have a use for."""
EMPTY_WINDOWS = 2
"""Windows without the answer that an epoch reads of each question, as nearly all windows of a long text are of that kind
(Alberti et al. 2019, arXiv:1901.08634, section 3, keep one in fifty)."""
VARIED = {
    "light": Augment(min_area=0.5, jitter=0.2),
    "medium": Augment(min_area=0.25, jitter=0.3),
    "strong": Augment(min_area=0.08, jitter=0.4, erase=0.25),
}
"""How much images are varied in training; `strong` is what training from scratch takes."""


@dataclass(frozen=True)
class Guess:
    """A setting that luthier chose, why, and the flag that corrects it."""

    key: str
    value: object
    why: str

    def __str__(self) -> str:
        return f"{self.key} = {self.value}  ({self.why}; {flag(self.key)} corrects it)"


@dataclass(frozen=True)
class Prepared:
    """What a run stands on."""

    plan: Plan
    """With nothing left open."""
    guesses: tuple[Guess, ...]
    rows: Rows
    folder: Folder
    reader: Reader
    """Tokenizer or image processor."""
    model: HeadedModel
    twin: Twin
    """The model's body in the two precisions."""
    ladder: Ladder
    examples: dict[str, Examples]
    """The tokenised rows of each part."""
    long: Long
    findings: tuple[Finding, ...]
    """Of rows, split and tokens; those of features come later."""
    evidence: Evidence
    checking: float
    """Seconds that the checks took."""
    device: Device
    base_fingerprint: str
    """Of the pre-trained model's folder."""
    key: str
    """Hash of plan, data and model: what a run's folder belongs to."""
    out: Path

    @property
    def features_key(self) -> str:
        """Hash of all that decides the frozen features: runs of different plans may have it in common."""
        rows, device = self.rows, self.device
        numbers = device.precision, device.kind, device.threads
        made_by = [self.base_fingerprint, self.plan.model.pooling, self.long.way, *numbers]
        return hash_json([rows.table.fingerprint, rows.split.to_json(), rows.task.to_json(), *made_by])


@dataclass(frozen=True)
class Base:
    """A pre-trained model's folder, opened."""

    folder: Folder
    reader: Reader
    fingerprint: str

    @staticmethod
    def of(name: str, reads: str) -> "Base":
        folder = inspect_folder(name, find_model(name), reads)
        return Base(folder, reader_of(folder, reads), folder.fingerprint())


def prepare(plan: Plan, kept: Kept | None = None) -> Prepared:
    """Open and check all that the plan names; raise InputError for what cannot be used.

    kept: what earlier runs of this process have opened, where this plan names the same.
    """
    kept = kept or Kept()
    named = plan.run.device, plan.run.precision, plan.run.threads
    device = kept.once("device", named, lambda: devices.choose(*named))
    refuse_unknown_checks(plan.data.allow)
    of_rows = plan.data, plan.task, plan.split_seed
    rows = kept.once("rows", of_rows, lambda: understand(plan))
    begin = time.monotonic()
    findings = kept.once("findings", of_rows, lambda: look_over(rows, plan.data.allow))
    checking = time.monotonic() - begin
    task, name = rows.task, plan.model.name
    base = kept.once("base", (name, task.reads), lambda: Base.of(name, task.reads))
    folder, reader = base.folder, base.reader
    refuse_what_has_no_effect(plan, task)
    used = {part: getattr(rows.split, part) for part in PARTS}
    everything = np.concatenate(list(used.values()))
    read, way = READERS[task.reads], task.long if plan.data.long == "auto" else plan.data.long
    examples, long = kept.once(
        "examples",
        (of_rows, name),
        lambda: read(reader, rows.inputs(everything), rows.targets(everything), way),
    )
    model = load_model(folder, wanted(plan, task), preparation_of(reader)).to(device.torch)
    few = examples.batch(np.zeros(1, np.int64)).to(device.torch)
    ladder = find_ladder(model, lambda: model(few))
    refuse_too_many_blocks(plan, ladder)
    recipe = recipe_for(folder.family, sum(weight.numel() for weight in model.parameters()))
    stands_on: list[object] = [rows.table.fingerprint, rows.split.sizes(), base.fingerprint]
    out = Path(plan.run.out or default_folder(plan, stands_on))
    device = as_recorded(device, plan, out)
    plan, guesses = resolve(
        plan, rows, recipe, device, model.pooling, ladder, windows(examples, task), model.knows
    )
    tokens = Tokens(everything, long.lengths, long.unknown, long.limit, long.way)
    evidence, more = kept.once("evidence", (of_rows, name), lambda: looked_into(plan, rows, tokens))
    ends = np.cumsum([len(part) for part in used.values()])
    parts = np.split(np.arange(len(everything)), ends[:-1])
    made = {part: examples.select(chosen) for part, chosen in zip(PARTS, parts, strict=True)}
    made["train"] = as_trained(plan, made["train"], task)
    return Prepared(
        plan=plan,
        guesses=tuple(guesses),
        rows=rows,
        folder=folder,
        reader=reader,
        model=model,
        twin=Twin(model.body, device.dtype),
        ladder=ladder,
        examples=made,
        long=long,
        findings=ranked([*findings, *more]),
        evidence=evidence,
        checking=checking,
        device=device,
        base_fingerprint=base.fingerprint,
        key=hash_json([plan.identity(), *stands_on]),
        out=out,
    )


def looked_into(plan: Plan, rows: Rows, tokens: Tokens) -> tuple[Evidence, Sequence[Finding]]:
    """What checks may look at now that the rows are tokens, and what those of tokens find."""
    review = Review.read(review_path(plan.data.path), rows.labels)
    evidence = replace(
        rows.evidence,
        settled=review.settled(rows.evidence) if rows.labels else np.zeros(0, np.int64),
        reviewed=review.complete,
        tokens=tokens,
    )
    return evidence, examine(evidence, TOKENS)


def wanted(plan: Plan, task: Task) -> Wanted:
    """The model that a plan asks for."""
    return Wanted(
        outputs=task.outputs,
        head=task.head,
        own_pooling=task.reads == "pair",
        pooling=plan.model.pooling,
        hidden=plan.model.hidden,
        dropout=plan.model.dropout,
        seed=plan.run.seed,
        body_dropout=plan.model.body_dropout,
    )


def windows(examples: Examples, task: Task) -> float:
    """Parts of a row that training reads, on average, where each part is learnt from by itself."""
    if task.probed or not isinstance(examples, TextExamples) or examples.by_part or not len(examples):
        return 1.0
    return float(thinned(examples, task).counts.mean())


def thinned(examples: TextExamples, task: Task) -> TextExamples:
    """Rows of which training reads a few windows with nothing to find, where something is to be found in one window."""
    return replace(examples, few=EMPTY_WINDOWS) if task.reads == "question" else examples


def refuse_what_has_no_effect(plan: Plan, task: Task) -> None:
    """A setting that this task's loss or rows know nothing of."""
    if not task.probed and (plan.train.method == "probe" or plan.train.head in ("shrunk", "probe")):
        key = "train.method" if plan.train.method == "probe" else "train.head"
        raise PlanError(
            f"{key}: {task.name} has no probe, as no linear head on frozen features does it. Leave it out."
        )
    named = {key: is_set(plan, *key.split(".")) for key in ("train.label_smoothing", "train.balance")}
    idle = [] if task.weighs else [key for key, there in named.items() if there]
    if is_set(plan, "task", "labels_per_row") and not task.weighs:
        idle.append("task.labels_per_row")
    if idle:
        raise PlanError(
            f"{', '.join(idle)}: no effect with {task.name}, which learns no labels. Leave it out."
        )
    of_images = [key for key in IMAGES_ALONE if is_set(plan, *key.split("."))]
    if of_images and task.reads != "image":
        raise PlanError(
            f"{', '.join(of_images)}: no effect with {task.name}, which reads no images. Leave it out."
        )
    longer = plan.data.long in ("windows", "refuse")
    unheard = ["data.long"] if longer and task.reads not in CAN_BE_LONG else []
    if is_set(plan, "task", "language") and task.reads != "question":
        unheard.append("task.language")
    if is_set(plan, "train", "flip") and plan.train.augment == "none":
        unheard.append("train.flip")
    if unheard:
        raise PlanError(f"{', '.join(unheard)}: no effect with {task.name} as it is asked for. Leave it out.")
    if task.reads == "pair" and plan.data.long == "windows":
        raise PlanError(
            f"data.long: 'windows' are of a single text, and the rows of {task.name} are made of two. Use --long cut."
        )
    if task.reads not in ("text", "pair") and plan.model.hidden:
        raise PlanError(
            f"model.hidden: more layers would not fit into the class of transformers that {task.name} is saved for. Leave it out."
        )
    if task.reads not in ("text", "texts") and plan.model.pooling != "auto":
        raise PlanError(
            f"model.pooling: {plan.model.pooling!r} makes one vector of a single text, and {task.name} reads otherwise. "
            "Leave it out."
        )


def refuse_too_many_blocks(plan: Plan, ladder: Ladder) -> None:
    """More blocks than the model has are a slip, or mean all of it."""
    blocks, method = len(ladder.blocks), parse_method(plan.train.method)
    asked = {
        "train.method": method.blocks if isinstance(method, Top) else 0,
        "train.reinit": plan.train.reinit,
    }
    for key, count in asked.items():
        if count > blocks:
            raise PlanError(
                f"{key}: asks for {count} blocks, and {plan.model.name} has {blocks}. "
                f"Choose {blocks} or fewer{', or --method full' if key == 'train.method' else ''}."
            )


def as_trained(plan: Plan, examples: Examples, task: Task) -> Examples:
    """The training rows as they are to be varied."""
    if isinstance(examples, TextExamples):
        return thinned(examples, task)
    if not isinstance(examples, Pictures):
        return examples
    settings = VARIED.get(plan.train.augment)
    mix = None if plan.train.mix == "none" else plan.train.mix
    flipped = None if settings is None else replace(settings, flip=plan.train.flip)
    return examples.varied(flipped, mix, task.outputs)


def default_folder(plan: Plan, stands_on: list[object]) -> Path:
    """runs/<name of the data>-<hash>: the same command finds the same folder again."""
    name = Path(plan.data.path).name.split(".")[0]
    return Path("runs") / f"{name}-{hash_json([plan.identity(), *stands_on])[:8]}"


def as_recorded(device: Device, plan: Plan, out: Path) -> Device:
    """The device as an earlier command found it, where the plan leaves that open.

    What is decided by measurement must not be decided anew: on a busy machine the same command could else end in another run.
    """
    if plan.run.precision != "auto" or not (out / "plan.toml").is_file():
        return device
    found = read_plan(out / "plan.toml").get("run.precision")
    return device if found is None else replace(device, precision=found)


def resolve(
    plan: Plan,
    rows: Rows,
    recipe: Recipe,
    device: Device,
    pooling: str | None,
    ladder: Ladder,
    windows: float,
    knows: bool,
) -> tuple[Plan, list[Guess]]:
    """The plan with every open setting filled in, and what was filled in.

    windows: of a row, each learnt from by itself.  knows: whether the model was tuned for the task before.
    """
    guesses = [
        Guess("task.name", rows.task.name, rows.guesses["task"]),
        *(Guess(f"data.{role}", name, rows.guesses.get(role, "")) for role, name in rows.columns.items()),
        Guess("task.metric", rows.task.metric, "the task's own"),
        *(
            [Guess("data.long", rows.task.long, "as usual with this task")]
            if rows.task.reads in CAN_BE_LONG
            else []
        ),
    ]
    task = rows.task
    if isinstance(task, Classification):
        per_row = "many" if task.many else "one"
        guesses.append(Guess("task.labels_per_row", per_row, f"{len(task.labels)} labels seen"))
    if plan.train.method != "probe":
        train_rows = len(rows.split.train)
        usual_rows = task.rows_per_step or max(1, round(recipe.batch_rows / windows))
        batch_rows = plan.train.batch_rows or usual_rows
        new_skill = task.new_skill and not knows
        epochs = plan.train.epochs or recipe.epochs_for(train_rows, batch_rows, new_skill)
        why = f"recipe for {recipe.name}"
        patient = max(2, round(epochs / 3)) if task.reads == "image" else 2
        patience = Guess(
            "train.patience", patient * plan.train.validations, f"{patient} epochs of validations"
        )
        method = parse_method(plan.train.method)
        if isinstance(method, Thaw) and plan.train.epochs is None:
            thawing = (len(ladder.rungs) - 1) * method.every
            epochs, why_epochs = epochs + thawing, f"{thawing} to thaw all rungs, then as the {why}"
            patience = Guess(
                "train.patience", epochs * plan.train.validations, "no stop before all has thawed"
            )
        else:
            why_epochs = f"{why}, {train_rows:,} rows"
        adapted = isinstance(method, Lora)
        rate, why_rate = (
            (recipe.lr * LORA_RATE, f"{LORA_RATE} times the {why}") if adapted else (recipe.lr, why)
        )
        fresh = bool(plan.model.hidden or plan.train.reinit)
        guesses += [
            Guess("train.lr", rate, why_rate),
            Guess(
                "train.batch_rows", usual_rows, why if windows == 1 else f"{why}, {windows:.1f} windows a row"
            ),
            Guess("train.epochs", epochs, why_epochs),
            Guess("train.weight_decay", recipe.weight_decay, why),
            Guess("train.warmup", recipe.warmup, why),
            *([] if adapted else [Guess("train.layer_decay", recipe.layer_decay, why)]),
            patience,
            *(
                [Guess("train.augment", "light", "enough for most small sets")]
                if task.reads == "image"
                else []
            ),
            Guess("train.head", "fresh" if fresh else usual_head(task), "docs/recipes.md"),
        ]
    guesses += [
        Guess("run.precision", device.precision, "fastest here by measurement"),
        Guess("run.device", device.kind, "found here"),
        Guess("run.threads", device.threads, "cores found"),
    ]
    if pooling is not None:
        guesses.append(
            Guess(
                "model.pooling",
                pooling,
                "declared by the model" if not plan.model.hidden else "room for model.hidden",
            )
        )
    if plan.train.balance == "rows" and isinstance(task, Classification) and task.many:
        raise PlanError(
            "train.balance: 'rows' draws rows by their one label, and here a row has several. Use --balance loss."
        )
    asked = plan.settings()
    open_ones = [guess for guess in guesses if asked.get(guess.key) in (None, "auto")]
    return plan.with_settings({guess.key: guess.value for guess in open_ones}), open_ones


def usual_head(task: Task) -> str:
    """Where the head starts: networks for images, all of whose layers a fresh head would pull about, learn from the probe's."""
    if not task.probed:
        return "fresh"
    return "probe" if task.reads == "image" else "shrunk"
