"""Everything up to the first computation: rows, model, tokens, the resolved plan. Nothing is written here."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from luthier import devices, seeds
from luthier.batches.augment import Augment
from luthier.batches.examples import Examples
from luthier.batches.image_examples import ImageExamples
from luthier.batches.text_examples import TextExamples
from luthier.checks import TOKENS, examine, ranked
from luthier.checks.finding import Evidence, Finding, Tokens
from luthier.checks.review import Review, review_path
from luthier.data.split import PARTS
from luthier.devices import Device
from luthier.files import refuse_link_away, refuse_links_away
from luthier.folder.model_record import FILE as MODEL_RECORD
from luthier.folder.run_folder import RunFolder
from luthier.hashes import hash_json
from luthier.models.headed import HeadedModel
from luthier.models.hub.find import find_model
from luthier.models.hub.inspect import Folder, inspect_folder
from luthier.models.ladder.ladder import Ladder, find_ladder
from luthier.models.load import Wanted, load_model
from luthier.models.master_weights import MasterWeights
from luthier.models.readers.questions import leaves_room
from luthier.models.readers.reading import READERS, Reader, preparation_of, reader_of
from luthier.models.readers.texts import Long, Texts
from luthier.plan.plan import Plan, read_plan
from luthier.prepare.memo import Memo
from luthier.prepare.pairs import how_pairs_are_read
from luthier.prepare.refusals import refuse_too_many_blocks, refuse_unknown_checks, refuse_what_has_no_effect
from luthier.prepare.resolve import Guess, Start, cloze_wanted, resolve
from luthier.prepare.rows import Rows, look_over, understand
from luthier.tasks.task import Task
from luthier.train.recipe import recipe_for

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
    masters: MasterWeights
    """The model's body in the two precisions."""
    ladder: Ladder
    examples: dict[str, Examples]
    """The tokenised rows of each part."""
    cloze: Examples | None
    """Questions made of the training texts, to learn from first."""
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
    older_keys: tuple[str, ...]
    """Those that older versions gave such a run."""
    out: Path

    @property
    def features_key(self) -> str:
        """Hash of all that decides the frozen features: runs of different plans may have it in common."""
        rows, device = self.rows, self.device
        numbers = device.precision, device.kind, device.threads
        # An architecture's own class may have layers below the head that the folder lacks: they are drawn.
        drawn = self.plan.run.seed if self.model.pooling is None else None
        made_by = [self.base_fingerprint, self.plan.model.pooling, self.long.way, drawn, *numbers]
        return hash_json([rows.fingerprint, rows.split.to_json(), rows.task.to_json(), *made_by])

    @property
    def run_folder(self) -> RunFolder:
        """Where the run writes. Raises RunError where anything else's work stands there."""
        return RunFolder(self.out, self.key, self.older_keys)

    def untrained(self) -> HeadedModel:
        """The model as it was before anything was trained, opened once more."""
        return load_model(self.folder, wanted(self.plan, self.rows.task), preparation_of(self.reader))

    def renewed(self) -> "Prepared":
        """The same, with a model that nobody has trained yet in the place of one whose layers have moved."""
        model = self.untrained().to(self.device.torch)
        few = self.examples["train"].batch(np.zeros(1, np.int64)).to(self.device.torch)
        ladder = find_ladder(model, lambda: model(few))
        return replace(self, model=model, masters=MasterWeights(model.body, self.device.dtype), ladder=ladder)


@dataclass(frozen=True)
class Base:
    """A pre-trained model's folder, opened."""

    folder: Folder
    reader: Reader
    fingerprint: str

    @staticmethod
    def of(name: str, reads: str, base: str | None) -> "Base":
        path, named = find_model(name), Path(os.path.expanduser(name))
        if os.path.lexists(
            path / MODEL_RECORD
        ):  # a run's model: what lies elsewhere is not what the run has made
            refuse_links_away(path, named if named.is_dir() else path)
            refuse_link_away(path, named if named.is_dir() else path)
        folder = inspect_folder(name, path, reads, base)
        return Base(folder, reader_of(folder, reads), folder.fingerprint())


def base_of(name: str, reads: str, base: str | None, memo: Memo) -> Base:
    """A model's folder, opened once in a process. base: the model that an adapter was made for."""
    return memo.once("base", (name, reads, base), lambda: Base.of(name, reads, base))


def prepare(plan: Plan, memo: Memo | None = None) -> Prepared:
    """Open and check all that the plan names; raise InputError for what cannot be used.

    memo: what earlier runs of this process have opened, where this plan names the same.
    """
    memo = memo or Memo()
    named = plan.run.device, plan.run.precision, plan.run.threads
    device = memo.once("device", named, lambda: devices.choose(*named))
    refuse_unknown_checks(plan.data.allow)
    of_rows = plan.data, plan.task, plan.split_seed
    rows = memo.once("rows", of_rows, lambda: understand(plan))
    begin = time.monotonic()
    findings = memo.once("findings", of_rows, lambda: look_over(rows, plan.data.allow))
    checking = time.monotonic() - begin
    task, name = rows.task, plan.model.name
    base = base_of(name, task.reads, plan.model.base, memo)
    folder, reader = base.folder, base.reader
    of_pairs = of_rows, name, plan.model.pair, plan.model.pooling, plan.model.hidden, plan.model.dropout
    rows = memo.once("pairs", of_pairs, lambda: how_pairs_are_read(plan, rows, folder, reader, device))
    task = rows.task
    refuse_what_has_no_effect(plan, task)
    used = {part: getattr(rows.split, part) for part in PARTS}
    everything = np.concatenate(list(used.values()))
    read, way = READERS[task.reads], task.long if plan.data.long == "auto" else plan.data.long
    examples, long = memo.once(
        "examples",
        (of_rows, name, task.reads),
        lambda: read(reader, rows.inputs(everything), rows.targets(everything), way),
    )
    model = load_model(folder, wanted(plan, task), preparation_of(reader)).to(device.torch)
    few = examples.batch(np.zeros(1, np.int64)).to(device.torch)
    ladder = find_ladder(model, lambda: model(few))
    refuse_too_many_blocks(plan, ladder)
    recipe = recipe_for(folder.family, sum(weight.numel() for weight in model.parameters()))
    stands_on: list[object] = [rows.fingerprint, rows.split.sizes(), base.fingerprint]
    out = Path(plan.run.out or default_folder(plan, stands_on))
    device = as_recorded(device, plan, out)
    wanted_cloze = cloze_wanted(plan, rows, recipe, model)
    cloze = memo.once(
        "cloze",
        (of_rows, name, wanted_cloze, plan.run.seed),
        lambda: made_of_texts(wanted_cloze, rows, reader, plan.run.seed),
    )
    start = Start(
        recipe=recipe,
        model=model,
        ladder=ladder,
        declares=folder.pooling is not None,
        rows=len(rows.split.train),
        windows=windows(examples, task),
        made=0 if cloze is None else len(cloze),
    )
    plan, guesses = resolve(plan, rows, device, start)
    tokens = Tokens(everything, long.lengths, long.unknown, long.limit, long.way)
    evidence, more = memo.once(
        "evidence", (of_rows, name, task.reads), lambda: looked_into(plan, rows, tokens)
    )
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
        masters=MasterWeights(model.body, device.dtype),
        ladder=ladder,
        examples=made,
        cloze=cloze,
        long=long,
        findings=ranked([*findings, *more]),
        evidence=evidence,
        checking=checking,
        device=device,
        base_fingerprint=base.fingerprint,
        key=hash_json([plan.identity(), *stands_on]),
        older_keys=older_keys(plan, rows, stands_on),
        out=out,
    )


def older_keys(plan: Plan, rows: Rows, stands_on: list[object]) -> tuple[str, ...]:
    """What older versions called a run: it stood on the images' names alone, not on their bytes."""
    if rows.understood.images is None:
        return ()
    return (hash_json([plan.identity(), rows.table.fingerprint, *stands_on[1:]]),)


def made_of_texts(count: int, rows: Rows, reader: Reader, seed: int) -> Examples | None:
    """Cloze questions, so many at the most; None where none are wanted, or none can be made."""
    if not count or rows.kind.cloze is None:
        return None
    assert isinstance(reader, Texts), "questions are texts"
    own, dice = rows.split.train, seeds.generator(seed, "cloze")
    made = rows.kind.cloze(rows.inputs(own), rows.targets(own), dice)
    fitting = ((row, target) for row, target in made if leaves_room(reader, row.question))
    chosen = list(islice(fitting, count))
    if not chosen:
        return None
    targets = np.empty(len(chosen), object)
    targets[:] = [target for _, target in chosen]
    examples, _ = READERS[rows.task.reads](reader, [row for row, _ in chosen], targets, "windows")
    return examples


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
    if (
        task.probe is not None
        or not isinstance(examples, TextExamples)
        or examples.by_part
        or not len(examples)
    ):
        return 1.0
    return float(thinned(examples, task).counts.mean())


def thinned(examples: TextExamples, task: Task) -> TextExamples:
    """Rows of which training reads a few windows with nothing to find, where something is to be found in one window."""
    return replace(examples, few=EMPTY_WINDOWS) if task.reads == "question" else examples


def as_trained(plan: Plan, examples: Examples, task: Task) -> Examples:
    """The training rows as they are to be varied."""
    if isinstance(examples, TextExamples):
        return thinned(examples, task)
    if not isinstance(examples, ImageExamples):
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
