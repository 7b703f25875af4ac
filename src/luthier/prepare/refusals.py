"""What is refused before anything is computed, with what mends it: data that would mislead, what this model has not."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from luthier.checks import CHECKS
from luthier.data.split import Split
from luthier.errors import DataError, PlanError, did_you_mean, listing
from luthier.models.ladder.ladder import Ladder
from luthier.models.ladder.recompute import can_recompute
from luthier.plan.method import Top, parse_method
from luthier.plan.plan import Plan
from luthier.tasks import form_of
from luthier.tasks.kind import Roles, Understood

STOPPING = ("leaks", "left-out", "garbage", "one-shot")
"""Checks whose findings can stop a run that could go on. Without two labels, or without texts, it could not."""


def refuse_unknown_checks(allowed: Sequence[str]) -> None:
    """Raise PlanError for a name that is no check's."""
    for name in allowed:
        if name not in CHECKS:
            raise PlanError(
                f"data.allow: {name!r} is not a check that stops a run.{did_you_mean(name, CHECKS)} Expected {listing(STOPPING)}."
            )


def refuse_tuning_without_rows_to_stop_by(plan: Plan, split: Split) -> None:
    """Raise PlanError for settings of tuning where layers are tuned only if the user says so by name, as the rows that would say
    when to stop are those that are learnt from."""
    asked = plan.tuning_asked
    if plan.train.method == "auto" and asked and not split.validates_apart:
        raise PlanError(
            f"{', '.join(asked)}: no effect here. Labels have so few rows that none could be held out to say when to stop, so no "
            "layers are tuned unasked. Leave it out, name rows to validate on (--valid FILE), or choose --method full, which "
            "stops by the rows that it learns from."
        )


def refuse_empty_parts(plan: Plan, split: Split, found: Understood, roles: Roles) -> None:
    """Raise DataError where a part has no rows: nothing can be chosen or reported then.

    roles: the parts that rows were given for, by file, folder or column.
    """
    for part, name, rows, file in (
        ("test", "test", split.test, plan.data.test),
        ("valid", "validation", split.valid, plan.data.valid),
    ):
        if len(rows) or (found.keeps_single and part not in roles.names):
            continue
        if part in roles.names:
            where = file if file is not None else f"{plan.data.path}, {name} part"
            remedy = unusable_remedy(part, file, roles, len(roles.rows(found.unusable.empty_label, part)))
            raise DataError(
                f"{where}: none of its rows can be used: {unusable_words(found, roles, part)}. {remedy}"
            )
        other = ", or choose another --group" if plan.data.group is not None else ""
        raise DataError(
            f"{plan.data.path}: no row is left for the {name} part, because rows with the same text or the same group "
            f"stay together, and here nearly all do. Add rows that differ{other}."
        )


def refuse_one_kind(plan: Plan, split: Split, found: Understood) -> None:
    """Raise DataError for a part whose rows are all of one kind, where a task contrasts kinds."""
    if not found.answers.contrasted:
        return
    for part, name, file in (
        ("train", "training", None),
        ("valid", "validation", plan.data.valid),
        ("test", "test", plan.data.test),
    ):
        own = found.answers.strata[getattr(split, part)]
        for kind, words in enumerate(found.answers.strata_names):
            if len(own) and not (own == kind).any():
                raise DataError(
                    f"{file or plan.data.path}: none of the {len(own):,} {name} rows {words}. {found.answers.contrasted} "
                    f"Add rows that {words}, or name rows of both kinds to test and to validate on (--test FILE, --valid FILE)."
                )


def refuse_none_to_answer(plan: Plan, split: Split, found: Understood) -> None:
    """Raise DataError where candidates are to be compared by cross-validation and each label has one training row left. (Where
    rows are more, and all share something, the part for validation is empty.)"""
    each = np.unique(found.answers.strata[split.train], return_counts=True)[1]
    if not split.crossed and not found.keeps_single and each.max(initial=0) < 2:
        raise DataError(
            f"{plan.data.path}: each label is left with a single training row once rows are set aside for the test, so none can "
            "be answered by what learnt from others. Add rows, name rows to test on (--test FILE), or set fewer aside "
            "(--test-share)."
        )


def unusable_words(found: Understood, roles: Roles, part: str) -> str:
    """What the rows of a part lack, with how many of them lack it."""
    thing = form_of(found.task).thing
    without = found.unusable
    reasons = (
        (without.empty_label, ("has no label", "have no label")),
        (without.empty_input, (f"has no {thing}", f"have no {thing}")),
        (
            without.single,
            ("has a label that no training row shares", "have labels that no training row shares"),
        ),
    )
    others = tuple((rows, (f"has {why}", f"have {why}")) for why, rows in without.others.items())
    told = [
        f"{len(rows):,} {words[len(rows) > 1]}"
        for numbers, words in (*reasons, *others)
        if len(rows := roles.rows(numbers, part))
    ]
    return " and ".join(told) if told else "each lacks its text or its label"


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


def refuse_more_than_is_read(plan: Plan, limit: int) -> None:
    """Raise PlanError for answers that would be longer than the model reads. limit: tokens that it reads and writes together."""
    most = plan.task.max_tokens
    if most is not None and most >= limit:
        raise PlanError(
            f"task.max_tokens: {most:,} leave no room for what is asked, as {plan.model.name} reads and writes {limit:,} tokens "
            "together. Choose fewer."
        )


def refuse_recomputing(plan: Plan, model: nn.Module, ladder: Ladder) -> None:
    """Raise PlanError where blocks are to compute their activations again and are not made for that."""
    if plan.run.recompute == "on" and not can_recompute(model, ladder):
        raise PlanError(
            f"run.recompute: the blocks of {plan.model.name} cannot compute again on the way back. Leave it out, or make "
            "micro-batches smaller: --micro-tokens 4096."
        )


def refuse_few_shot_without_blocks(plan: Plan, ladder: Ladder) -> None:
    """Raise PlanError where few-shot is asked for and the model has embeddings alone, as a table of word vectors has, which
    few-shot leaves as they are."""
    if plan.train.method == "few-shot" and not ladder.blocks:
        raise PlanError(
            f"train.method: 'few-shot' moves all layers but the embeddings, and {plan.model.name} has no others. Choose --method "
            "probe or full, or another --model."
        )


def refuse_too_many_blocks(plan: Plan, ladder: Ladder) -> None:
    """Raise PlanError where more blocks are asked for than the model has: that is a slip, or means `full`."""
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
