"""Settings that not every task or form of a row knows: who knows them, and what is said where they are set in vain."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from luthier.errors import PlanError
from luthier.forms.form import Form
from luthier.models.heads import HEADS
from luthier.plan.method import Lora, Thaw, parse_method
from luthier.plan.plan import ADAPTERS_ALONE, Plan, is_set
from luthier.prepare.pairs import ways_to_read
from luthier.tasks import form_of
from luthier.tasks.adaptation.reading import NAME as ADAPTATION
from luthier.tasks.task import Task


@dataclass(frozen=True)
class Case:
    """A plan, and the task and the form of the rows that it is for."""

    plan: Plan
    task: Task
    form: Form


@dataclass(frozen=True)
class Setting:
    """A setting that does not always have an effect."""

    key: str
    words: str
    """What is said after its key, with {task} for the task's name; settings with the same words are told of together."""
    known: Callable[[Case], bool] | None = None
    """Whether it has an effect; None: where the form lists it among its `effects`."""
    asked: Callable[[Plan], bool] | None = None
    """Whether a plan asks for it; None: where it is other than when it is left out."""
    effect: str = ""
    """How forms list it, where not by its key: one value of it may be known where another is not."""

    def idle(self, case: Case) -> bool:
        """Whether a plan asks for it in vain."""
        if not (is_set(case.plan, *self.key.split(".")) if self.asked is None else self.asked(case.plan)):
            return False
        if self.known is not None:
            return not self.known(case)
        return (self.effect or self.key) not in case.form.effects


def refuse_what_has_no_effect(plan: Plan, task: Task) -> None:
    """Raise PlanError for settings that this task's loss or rows know nothing of: the first ones that have the same words."""
    case = Case(plan, task, form_of(task))
    for words, settings in groupby(SETTINGS, key=lambda one: one.words):
        idle = [one.key for one in settings if one.idle(case)]
        if idle:
            told = {"task": task.name, "pooling": repr(plan.model.pooling), "cloze": no_cloze_with(plan)}
            raise PlanError(f"{', '.join(idle)}{words.format(**told)}")


def no_cloze_with(plan: Plan) -> str | None:
    """Why a plan cannot begin with cloze questions; None where it can."""
    if plan.train.lr == "find":
        return "with --lr find the rate is found only after cloze questions would need it"
    if isinstance(parse_method(plan.train.method), Thaw):
        return "with --method thaw the head alone would learn from cloze questions"
    if plan.train.l2_sp:
        return "with --l2-sp weights would be pulled to what cloze questions made of them, not to the pre-trained ones"
    return None


def has_adapters(case: Case) -> bool:
    return isinstance(parse_method(case.plan.train.method), Lora)


def probes(case: Case) -> bool:
    return case.task.probe is not None


def contrasts(case: Case) -> bool:
    return case.task.contrasting is not None


def crosses(case: Case) -> bool:
    return case.task.crosses


def learns_labels(case: Case) -> bool:
    return case.task.weighting is not None


def calibrates(case: Case) -> bool:
    return case.task.calibrating is not None


def chooses_how_pairs_are_read(case: Case) -> bool:
    return len(ways_to_read(case.task)) > 1


def has_a_head_of_its_own(case: Case) -> bool:
    """Not so a bi-encoder, whose cosine has a line through it and nothing else."""
    return not case.form.side_by_side


def has_new_layers(case: Case) -> bool:
    """Not so a language model, whose output layer came with it."""
    return HEADS[case.task.head].new


def can_begin_anew(case: Case) -> bool:
    """Not so what writes: no run reads enough text to learn a language from."""
    return not HEADS[case.task.head].writes


def wants_labels(case: Case) -> bool:
    return case.task.name != ADAPTATION


def learns_from_features_of_rows(case: Case) -> bool:
    return case.task.probe is not None and "data.unlabelled" in case.form.effects


def verifies(case: Case) -> bool:
    return case.plan.task.verify is not None


def weighs_preferences(case: Case) -> bool:
    """A reward model's loss, that of Bradley and Terry, has nothing to weigh."""
    return case.plan.task.objective != "reward"


def reads_texts(case: Case) -> bool:
    return case.form.reads_texts


def measures(case: Case) -> bool:
    return case.plan.train.keep != "off" or case.plan.train.replay > 0


def distils(case: Case) -> bool:
    return case.task.probe is not None and HEADS[case.task.head].reads_features


def can_be_taught(case: Case) -> bool:
    return case.task.teaching is not None


def learns_labels_alone(case: Case) -> bool:
    return case.plan.train.teacher is None


def replays(case: Case) -> bool:
    return case.task.replays


def reads_pieces_of_rows(case: Case) -> bool:
    """Not so what is read as a whole because what is learnt of it stands at its end."""
    return not HEADS[case.task.head].writes or "data.long=windows" in case.form.effects


def compares_with_words(case: Case) -> bool:
    """Whether texts are compared with the labels' names, or with what describes them."""
    return case.task.zero_shot is not None and bool(case.task.zero_shot.prompts)


NO_PROBE = ": {task} has no probe, as no linear head on frozen features does it. Leave it out."
NO_CONTRAST = ": works with texts that have one label each, which these rows of {task} are not. Leave it out."
NOT_CROSSED = (
    ": 'crossed' works with texts and with images that have one label each, which these rows of {task} are not. "
    "Leave it out."
)
NO_LABELS = ": no effect with {task}, which learns no labels. Leave it out."
TAUGHT = ": a teacher's answers are no labels, by which rows could be weighed or blended. Leave it out, or leave --teacher out."
NO_IMAGES = ": no effect with {task}, which reads no images. Leave it out."
A_COSINE = ": no effect with a bi-encoder, whose head reads one number, a cosine. Leave it out, or choose --pair cross-encoder."
NOTHING_NEW = (
    ": no effect with {task}, whose model has no new layers: its output layer came with it. Leave it out."
)
NOTHING_WRITTEN = ": no effect with {task}, of which no conversations are learnt. Leave it out."
NO_PREFERENCE = ": no effect with {task}, which learns no preferences. Leave it out."
NO_ADAPTERS = ": no effect without adapters. Leave it out, or choose --method lora."
NOTHING_WITHOUT_LABELS = (
    ": no effect with {task}, which learns nothing from rows without labels. Leave it out."
)
ALL_WITHOUT_LABELS = (
    ": no effect with {task}, to which all rows of DATA are rows without labels. Give these as DATA, too."
)
AS_ASKED = ": no effect with {task} as it is asked for. Leave it out."

SETTINGS: tuple[Setting, ...] = (
    Setting("train.method", NO_PROBE, probes, lambda plan: plan.train.method == "probe"),
    Setting("train.method", NO_CONTRAST, contrasts, lambda plan: plan.train.method == "few-shot"),
    Setting("data.validation", NOT_CROSSED, crosses, lambda plan: plan.data.validation == "crossed"),
    Setting("train.head", NO_PROBE, probes, lambda plan: plan.train.head in ("shrunk", "probe")),
    Setting("train.head", NOTHING_NEW, has_new_layers),
    Setting("train.head_rate", NOTHING_NEW, has_new_layers),
    Setting(
        "train.reinit",
        ": with {task} the blocks would have to learn to write anew, which takes far more text than any run reads. Leave it out.",
        has_new_layers,
    ),
    Setting(
        "compare.scratch",
        ": with {task} a model from random weights would have to learn the language first, which takes far more text than any "
        "run reads. Leave it out.",
        can_begin_anew,
    ),
    Setting("task.turns", NOTHING_WRITTEN),
    Setting("task.system", NOTHING_WRITTEN),
    Setting("task.max_tokens", NOTHING_WRITTEN),
    Setting("task.pattern", NOTHING_WRITTEN),
    Setting("task.verify", NOTHING_WRITTEN),
    Setting("train.rounds", ": no effect without --verify, whose rounds they are of. Leave it out.", verifies),
    Setting("train.samples", ": no effect without --verify, which checks them. Leave it out.", verifies),
    Setting("task.objective", NO_PREFERENCE),
    Setting("task.beta", NO_PREFERENCE),
    Setting(
        "task.beta", ": no effect with --objective reward, whose loss weighs nothing. Leave it out.", weighs_preferences
    ),
    *(Setting(f"train.{key}", NO_ADAPTERS, has_adapters) for key in ADAPTERS_ALONE),
    Setting("train.label_smoothing", NO_LABELS, learns_labels),
    Setting("train.balance", NO_LABELS, learns_labels),
    Setting("task.labels_per_row", NO_LABELS, learns_labels),
    Setting("data.general", ": no effect with {task}, which reads no texts. Leave it out.", reads_texts),
    Setting("data.general", ": no effect with --keep off, by which nothing is measured. Leave it out.", measures),
    Setting(
        "train.distill", ": no effect with {task}, of whose rows nothing is known that the base made of them. Leave it out.",
        distils,
    ),
    Setting(
        "train.distill", ": with --mix an image is none that the base has seen. Leave one of the two out.",
        lambda case: case.plan.train.mix == "none",
    ),
    Setting("train.teacher", ": no effect with {task}, which learns from no teacher. Leave it out.", can_be_taught),
    Setting("train.balance", TAUGHT, learns_labels_alone),
    Setting("train.mix", TAUGHT, learns_labels_alone),
    Setting(
        "compare.scratch", ": a model from random weights learns from labels alone, which says nothing beside a student. "
        "Leave one of --scratch and --teacher out.",
        learns_labels_alone,
    ),
    Setting(
        "train.distill", ": a teacher is learnt from already, and the base's features of its rows are not there. Leave one of "
        "--distill and --teacher out.",
        learns_labels_alone,
    ),
    Setting("train.replay", ": no effect with {task}, which learns nothing from texts alone. Leave it out.", replays),
    Setting(
        "train.replay", ": no effect without --general, whose texts are learnt. Leave it out, or name a file.",
        lambda case: case.plan.data.general is not None,
    ),
    Setting(
        "data.describe", ": no effect with {task}, which compares no texts with what describes labels. Leave it out.",
        compares_with_words,
    ),
    Setting("data.unlabelled", ALL_WITHOUT_LABELS, wants_labels),
    Setting("data.unlabelled", NOTHING_WITHOUT_LABELS, learns_from_features_of_rows),
    Setting("train.augment", NO_IMAGES),
    Setting("train.flip", NO_IMAGES),
    Setting("train.mix", NO_IMAGES),
    Setting("train.batch_norm", NO_IMAGES),
    Setting("model.hidden", A_COSINE, has_a_head_of_its_own),
    Setting("model.dropout", A_COSINE, has_a_head_of_its_own),
    Setting("data.long", AS_ASKED, asked=lambda plan: plan.data.long in ("windows", "refuse")),
    Setting("task.language", AS_ASKED),
    Setting("model.pair", AS_ASKED, chooses_how_pairs_are_read),
    Setting("model.dropout", AS_ASKED),
    Setting("train.flip", AS_ASKED, lambda case: case.plan.train.augment != "none"),
    Setting("train.cloze", ": no effect with {task}, which answers no questions. Leave it out."),
    Setting(
        "train.cloze", ": {cloze}. Leave one of the two out.",
        lambda case: no_cloze_with(case.plan) is None, lambda plan: bool(plan.train.cloze),
    ),
    Setting(
        "data.calibration_share", ": no effect with {task}, which has nothing to calibrate. Leave it out.", calibrates
    ),
    Setting(
        "data.long", ": 'windows' would part what is learnt from what it answers to, in rows of {task}. Use --long cut.",
        reads_pieces_of_rows, lambda plan: plan.data.long == "windows",
    ),
    Setting(
        "data.long", ": 'windows' are of a single text, and the rows of {task} are made of two. Use --long cut.",
        asked=lambda plan: plan.data.long == "windows", effect="data.long=windows",
    ),
    Setting(
        "model.hidden",
        ": more layers would not fit into the class of transformers that {task} is saved for. Leave it out.",
    ),
    Setting(
        "model.pooling",
        ": {pooling} makes one vector of a single text, and {task} reads otherwise. Leave it out.",
    ),
)  # fmt: skip
"""In the order in which they are refused."""
