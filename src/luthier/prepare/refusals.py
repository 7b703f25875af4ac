"""What is refused before anything is computed, with what mends it: data that would fool, and settings without effect."""

from collections.abc import Sequence

from luthier.checks import CHECKS
from luthier.data.split import Split
from luthier.errors import DataError, PlanError, did_you_mean, listing
from luthier.models.ladder.ladder import Ladder
from luthier.plan.method import Thaw, Top, parse_method
from luthier.plan.plan import Plan, is_set
from luthier.tasks.kind import Roles, Understood
from luthier.tasks.task import Task

STOPPING = ("leaks", "left-out", "garbage")
"""Checks whose findings can stop a run that could go on. Without two labels, or without texts, it could not."""
CAN_BE_LONG = ("text", "pair", "apart", "words", "question")
"""What rows are made of that may be read in more ways than cut where the model's limit is."""
IMAGES_ALONE = ("train.augment", "train.flip", "train.mix", "train.batch_norm")
"""Settings that only images have a use for."""


def refuse_unknown_checks(allowed: Sequence[str]) -> None:
    """Raise PlanError for a name that is no check's."""
    for name in allowed:
        if name not in CHECKS:
            raise PlanError(
                f"data.allow: {name!r} is not a check that stops a run.{did_you_mean(name, CHECKS)} Expected {listing(STOPPING)}."
            )


def refuse_empty_parts(plan: Plan, split: Split, found: Understood, roles: Roles) -> None:
    """Nothing can be chosen or reported without rows for it. roles: the parts that rows came for, by file, folder or column."""
    for part, name, rows, file in (
        ("valid", "validation", split.valid, plan.data.valid),
        ("test", "test", split.test, plan.data.test),
    ):
        if len(rows):
            continue
        if part in roles.names:
            where = file if file is not None else f"{plan.data.path}, {name} part"
            remedy = unusable_remedy(part, file, roles, len(roles.rows(found.empty_label, part)))
            raise DataError(
                f"{where}: none of its rows can be used: {unusable_words(found, roles, part)}. {remedy}"
            )
        other = ", or choose another --group" if plan.data.group is not None else ""
        raise DataError(
            f"{plan.data.path}: no row is left for the {name} part, because rows with the same text or the same group "
            f"stay together, and here nearly all do. Add rows that differ{other}."
        )


def unusable_words(found: Understood, roles: Roles, part: str) -> str:
    """What the rows of a part lack, with how many of them lack it."""
    reasons = (
        (found.empty_label, ("has no label", "have no label")),
        (found.empty_input, (f"has no {thing_read(found.task)}", f"have no {thing_read(found.task)}")),
        (
            found.single,
            ("has a label that no training row shares", "have labels that no training row shares"),
        ),
    )
    told = [
        f"{len(rows):,} {words[len(rows) > 1]}"
        for numbers, words in reasons
        if len(rows := roles.rows(numbers, part))
    ]
    return " and ".join(told) if told else "each lacks its text or its label"


def thing_read(task: Task) -> str:
    return "image" if task.reads == "image" else "text"


def unusable_remedy(part: str, file: str | None, roles: Roles, unlabelled: int) -> str:
    """What to do about a part without a usable row. file: the one that was named for it."""
    mend = "Fill in their labels" if unlabelled else "Correct them"
    if file is not None:
        return f"{mend}, or leave out --{part}: rows of the first file are then kept for it."
    if roles.column is not None:
        return (
            f"{mend}, or name --split-column none with --allow left-out: these rows are then left out, and the others parted at "
            "random."
        )
    return f"{mend}, or name a folder without them: rows of the others are then kept for it."


def refuse_what_has_no_effect(plan: Plan, task: Task) -> None:
    """A setting that this task's loss or rows know nothing of."""
    if task.probe is None and (plan.train.method == "probe" or plan.train.head in ("shrunk", "probe")):
        key = "train.method" if plan.train.method == "probe" else "train.head"
        raise PlanError(
            f"{key}: {task.name} has no probe, as no linear head on frozen features does it. Leave it out."
        )
    named = {key: is_set(plan, *key.split(".")) for key in ("train.label_smoothing", "train.balance")}
    idle = [] if task.weighting is not None else [key for key, there in named.items() if there]
    if is_set(plan, "task", "labels_per_row") and task.weighting is None:
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
    if is_set(plan, "model", "pair") and not (task.name == "regression" and task.reads in ("pair", "apart")):
        unheard.append("model.pair")
    of_head = [f"model.{key}" for key in ("hidden", "dropout") if is_set(plan, "model", key)]
    if of_head and task.reads == "apart":
        raise PlanError(
            f"{', '.join(of_head)}: no effect with a bi-encoder, whose head reads one number, a cosine. Leave it out, or choose "
            "--pair cross-encoder."
        )
    if is_set(plan, "model", "dropout") and task.head == "vector":
        unheard.append("model.dropout")
    if is_set(plan, "train", "flip") and plan.train.augment == "none":
        unheard.append("train.flip")
    if unheard:
        raise PlanError(f"{', '.join(unheard)}: no effect with {task.name} as it is asked for. Leave it out.")
    if plan.train.cloze is not None and task.reads != "question":
        raise PlanError(f"train.cloze: no effect with {task.name}, which answers no questions. Leave it out.")
    if plan.train.cloze and no_cloze_with(plan) is not None:
        raise PlanError(f"train.cloze: {no_cloze_with(plan)}. Leave one of the two out.")
    if plan.data.calibration_share is not None and task.calibrating is None:
        raise PlanError(
            f"data.calibration_share: no effect with {task.name}, which has nothing to calibrate. Leave it out."
        )
    if task.reads in ("pair", "apart") and plan.data.long == "windows":
        raise PlanError(
            f"data.long: 'windows' are of a single text, and the rows of {task.name} are made of two. Use --long cut."
        )
    if task.reads not in ("text", "pair") and plan.model.hidden:
        raise PlanError(
            f"model.hidden: more layers would not fit into the class of transformers that {task.name} is saved for. Leave it out."
        )
    if task.reads not in ("text", "texts", "apart") and plan.model.pooling != "auto":
        raise PlanError(
            f"model.pooling: {plan.model.pooling!r} makes one vector of a single text, and {task.name} reads otherwise. "
            "Leave it out."
        )


def no_cloze_with(plan: Plan) -> str | None:
    """Why a plan cannot begin with cloze questions; None where it can."""
    if plan.train.lr == "find":
        return "with --lr find the rate is found only after cloze questions would need it"
    if isinstance(parse_method(plan.train.method), Thaw):
        return "with --method thaw the head alone would learn from cloze questions"
    if plan.train.l2_sp:
        return "with --l2-sp weights would be pulled to what cloze questions made of them, not to the pre-trained ones"
    return None


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
