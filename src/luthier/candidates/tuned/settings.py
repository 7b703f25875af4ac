"""What a plan says of training, as the loop wants it."""

import math
from functools import partial

import numpy as np

from luthier.arrays import Ints
from luthier.models.ladder.ladder import Ladder, find_ladder
from luthier.models.ladder.policies import (
    AllRungs,
    FrozenEmbeddings,
    HeadRate,
    LayerDecay,
    Policy,
    TopRungs,
)
from luthier.models.ladder.policies import Thaw as ThawPolicy
from luthier.models.lora import Design, b_rate, is_adapter
from luthier.plan.method import Lora, Thaw, Top, parse_method
from luthier.plan.sections import RunPlan, TrainPlan
from luthier.prepare.prepare import Prepared
from luthier.tasks.task import Task
from luthier.train.loop import TrainSettings
from luthier.train.unfreezing import LadderUnfreezing


def settings_of(plan: TrainPlan, micro_tokens: int) -> TrainSettings:
    """The resolved plan as the loop wants it."""
    assert plan.batch_rows is not None, "a resolved plan leaves nothing open"
    assert plan.epochs is not None, "a resolved plan leaves nothing open"
    assert plan.patience is not None, "a resolved plan leaves nothing open"
    assert plan.weight_decay is not None, "a resolved plan leaves nothing open"
    assert plan.warmup is not None, "a resolved plan leaves nothing open"
    return TrainSettings(
        lr=plan.lr if isinstance(plan.lr, float) else math.nan,  # find_rate gives it its number
        batch_rows=plan.batch_rows,
        epochs=plan.epochs,
        weight_decay=plan.weight_decay,
        warmup=plan.warmup,
        max_norm=plan.max_norm,
        validations=plan.validations,
        patience=plan.patience,
        micro_tokens=micro_tokens,
        schedule=plan.schedule,
    )


def micro_tokens_of(plan: RunPlan, task: Task) -> int:
    """Tokens that go through the model at once: as the plan says, but no more than help this task."""
    most = task.learning.micro_tokens
    return plan.micro_tokens if most is None else min(most, plan.micro_tokens)


def unfreezing_of(ready: Prepared, adapted: bool) -> LadderUnfreezing:
    """The plan's method and rates over the model's own ladder; `adapted` where it now has LoRA's adapters."""
    ladder = ready.ladder
    if adapted:
        few = ready.examples["train"].batch(np.zeros(1, np.int64)).to(ready.device.torch)
        ladder = find_ladder(ready.model, lambda: ready.model(few))
    inside = is_adapter if adapted else every
    live = ready.plan.train.batch_norm == "live"
    policy, new_head = policy_of(ready.plan.train, ladder), len(ready.model.head) > 0
    rate = partial(b_rate, times=ready.plan.train.adapter_b_rate)
    return LadderUnfreezing(ready.model, ladder, policy, live, inside=inside, new_head=new_head, rate=rate)


def design_of(plan: TrainPlan) -> Design | None:
    """How the adapters are made that a plan wants; None where it wants none."""
    method = parse_method(plan.method)
    if not isinstance(method, Lora):
        return None
    return Design(method.rank, plan.adapter, plan.adapter_alpha)


def every(name: str) -> bool:
    """Whether a parameter of this name trains: each does."""
    return True


def policy_of(plan: TrainPlan, ladder: Ladder) -> Policy:
    """The policy that a plan describes."""
    method = parse_method(plan.method)
    depth = len(ladder.rungs) - 1
    policy: Policy = AllRungs()
    if isinstance(method, Top):
        policy = TopRungs(method.blocks)
    elif isinstance(method, Thaw):
        policy = ThawPolicy(method.every)
    if plan.layer_decay not in (None, 1.0):
        policy = LayerDecay(policy, plan.layer_decay)
    if plan.head_rate != 1.0:
        policy = HeadRate(policy, plan.head_rate)
    if plan.embeddings == "frozen":
        policy = FrozenEmbeddings(policy, depth)
    return policy


def weighted(ready: Prepared) -> Task:
    """The task with the training loss that the plan wants."""
    plan, task = ready.plan.train, ready.rows.task
    if task.weighting is not None:  # else prepare has refused settings that it does not know
        targets = ready.examples["train"].targets
        task = task.weighting.weighted(plan.label_smoothing, plan.balance == "loss", targets)
    if ready.teacher is not None and task.teaching is not None:
        learner: Task = task.teaching.learner()
        return learner
    return task


def groups_of(ready: Prepared) -> Ints | None:
    """The label of each training row, where the plan wants labels drawn alike often."""
    if ready.plan.train.balance != "rows":
        return None
    labels: Ints = ready.examples["train"].targets
    return labels
