"""The loop keeps its promises: gradients of the whole step, the same bytes for the same seed, the best weights at the end."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional

from luthier.batches.examples import Batch
from luthier.batches.order import epoch_order
from luthier.batches.text_examples import TextExamples
from luthier.errors import WorldError
from luthier.events import Event, Stepped, Stopped, Validated
from luthier.models.kernels.dropout import Dropout
from luthier.scores.metrics import METRICS
from luthier.tasks.task import Learning, Loss
from luthier.train.checkpoints import Checkpoints
from luthier.train.loop import Ending, Lesson, train, validation_steps
from luthier.train.probe.probe import (
    STRENGTHS,
    HeldOut,
    Probe,
    cross_validate,
    fit_probe,
    solve_probe,
)
from luthier.train.recipe import recipe_for, recipes
from luthier.train.schedule import multiplier
from tiny import cpu, make_settings, messages, new_state, opened, whole


class Prior(nn.Module):
    """One weight per label: the smallest model that can learn."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.5, -0.5]))

    def forward(self, batch: Batch) -> Tensor:
        return self.weight.expand(len(batch.rows), 2)


class Watched:
    """A task that remembers the rows of each micro-batch, and draws as dropout does; `worse` spoils the logits."""

    metric = "accuracy"
    learning = Learning()

    def __init__(self, worse: float = 0.0) -> None:
        self.seen: list[list[int]] = []
        self.drawn: list[float] = []
        self.worse = worse

    def goodness(self, score: float) -> float:
        return METRICS[self.metric].goodness(score)

    def loss(self, model: Any, batch: Batch) -> Loss:
        self.seen.append(batch.rows.tolist())
        self.drawn.append(torch.rand(()).item())
        logits = model(batch)
        return Loss(
            functional.cross_entropy(logits + self.worse * logits, batch.targets, reduction="sum"),
            len(batch.rows),
        )


class Course:
    """A training of `Prior` on rows without meaning, with validation scores that are set beforehand."""

    def __init__(
        self, rows: int = 40, scores: Any = None, step: int = 0, seed: int = 0, **train_settings: Any
    ) -> None:
        self.scores = iter(scores if scores is not None else (at / 1000 for at in count()))
        self.train_settings = make_settings(**({"lr": 0.1, "weight_decay": 0.0} | train_settings))
        self.task: Any = Watched()
        self.state: Any = new_state(Prior())
        self.state.step = step
        self.examples = rows_of_length([3 + row % 5 for row in range(rows)])
        self.seed = seed
        self.validated: list[Tensor] = []

    def validate(self) -> tuple[float, float]:
        self.validated.append(self.state.model.weight.detach().clone())
        torch.rand(7)  # whoever looks may draw
        score = next(self.scores)
        return score if isinstance(score, tuple) else (score, 1.0)

    def events(
        self,
        clock: Callable[[], float],
        checkpoints: Checkpoints | None = None,
        groups: Any = None,
        **ending: Any,
    ) -> Iterator[Event]:
        lesson = Lesson(self.task, self.examples, self.validate, self.seed, groups)
        unfreezing, until = whole(self.state.model), Ending(**ending)
        return train(self.state, lesson, self.train_settings, unfreezing, cpu(), clock, until, checkpoints)

    def run(self, clock: Callable[[], float] = lambda: 0.0, **more: Any) -> list[Event]:
        return list(self.events(clock, **more))


def rows_of_length(lengths: list[int]) -> TextExamples:
    return TextExamples(
        ids=np.ones(sum(lengths), np.int32),
        ends=np.cumsum([0, *lengths]),
        first_part=np.arange(len(lengths) + 1),
        targets=np.arange(len(lengths)) % 2,
        pad=0,
    )


def only(kind: type, events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def weights_of(model: nn.Module) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())


def without_dropout(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.Dropout | Dropout):
            module.p = 0.0
    return model


# Order, seeds and gradients


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(bert: Path) -> None:
    rows = messages(40)
    models = [opened(bert, rows, seed=1) for _ in range(3)]

    for at, (model, seed) in enumerate(zip(models, (7, 7, 8), strict=True)):
        torch.manual_seed(at)
        model.train(seed=seed, epochs=2)

    first, same, other = (weights_of(model.model) for model in models)
    assert first == same
    assert first != other


def test_looking_more_often_does_not_change_the_training() -> None:
    seldom, often = Course(validations=1), Course(validations=5)

    seldom.run()
    often.run()

    assert len(often.validated) == 5 * len(seldom.validated)
    assert torch.equal(seldom.state.model.weight, often.state.model.weight)


@pytest.mark.parametrize("labels", ["one", "many"])
def test_four_micro_batches_give_the_gradient_of_one_batch(labels: str, bert: Path) -> None:
    rows = [
        (text, label if labels == "one" else [label, "extra"][: 1 + at % 2])
        for at, (text, label) in enumerate(messages(12))
    ]
    found = opened(bert, rows)
    examples, model = found.examples, without_dropout(found.model.double())
    if labels == "many":
        examples = dataclasses.replace(examples, targets=examples.targets.astype(np.float64))
    calls: list[int] = []
    model.register_forward_hook(lambda *_: calls.append(1))
    lengths = np.sort(examples.lengths)
    budget = int(lengths[:3].max() * 3)
    kept: dict[str, Tensor] = {}
    state = new_state(model)

    def keep(lr: float, scales: Any, weight: float, norm: float, max_norm: float) -> None:
        """Keeps the gradient instead of following it."""
        for flat in state.weights.flat:
            for part, gradient in zip(flat.parts, flat.gradient_views, strict=True):
                kept[part.name] = gradient / weight

    state.weights.step = keep  # type: ignore[method-assign]
    train_settings = make_settings(batch_rows=12, max_norm=math.inf, micro_tokens=budget)
    lesson = Lesson(found.task, examples, lambda: (0.0, 0.0))
    events = list(train(state, lesson, train_settings, whole(model), cpu(), lambda: 0.0))
    stepped = only(Stepped, events)[0]
    parts = len(calls)
    batch = examples.batch(np.arange(12))
    kind = functional.cross_entropy if labels == "one" else functional.binary_cross_entropy_with_logits
    mean = kind(model(batch), batch.targets)
    names, parameters = zip(*model.named_parameters(), strict=True)
    expected = dict(zip(names, torch.autograd.grad(mean, parameters), strict=True))

    assert parts >= 4
    assert len(set(np.diff(examples.ends))) > 4
    assert kept.keys() == expected.keys()
    for name, gradient in expected.items():
        assert (kept[name] - gradient).norm() <= 1e-9 * max(gradient.norm(), 1e-6), name
    assert stepped.loss == pytest.approx(mean.item(), rel=1e-9)
    assert stepped.norm == pytest.approx(
        math.sqrt(sum(float(g.norm()) ** 2 for g in expected.values())), rel=1e-9
    )
    assert stepped.tokens == len(examples.ids)


def test_windows_of_a_row_stay_together_in_micro_batches(bert: Path) -> None:
    long = " ".join(["lovely guitar today"] * 60)
    rows = [(long, "a"), ("great", "b"), (long + long, "b"), ("thanks", "a")]
    losses = []
    for micro_tokens in (1, 10**6):
        found = opened(bert, rows, way="windows")
        without_dropout(found.model)
        losses.append(only(Stepped, found.train(batch_rows=4, micro_tokens=micro_tokens))[0].loss)

    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_each_epoch_visits_every_row_once_in_an_order_of_its_own() -> None:
    course = Course(rows=43, epochs=3)

    course.run()

    seen = np.concatenate(course.task.seen)
    epochs = np.split(seen, 3)
    assert all(np.array_equal(np.sort(epoch), np.arange(43)) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])
    assert [len(step) for step in course.task.seen].count(43 % 8) == 3


def test_steps_are_those_of_the_epochs_order() -> None:
    course = Course(rows=43, epochs=2, seed=5)

    course.run()

    expected = [
        step.tolist() for epoch in (0, 1) for step in epoch_order(course.examples.lengths, 8, 5, epoch)
    ]
    assert course.task.seen == expected


@pytest.mark.parametrize("begin", [1, 6, 8])
def test_a_run_that_begins_at_a_later_step_sees_what_is_left(begin: int) -> None:
    whole, rest = Course(rows=43, epochs=2), Course(rows=43, epochs=2, step=begin)

    whole.run()
    rest.run()

    assert rest.task.seen == whole.task.seen[begin:]
    assert rest.task.drawn == whole.task.drawn[begin:]


def test_every_micro_batch_has_a_dropout_of_its_own() -> None:
    course = Course(rows=43, epochs=2, micro_tokens=20)

    course.run()

    assert len(course.task.drawn) > 2 * 6
    assert len(set(course.task.drawn)) == len(course.task.drawn)


# Steps and rates


@pytest.mark.parametrize(
    ("steps", "warmup"), [(1, 0.1), (2, 0.5), (10, 0.0), (100, 0.1), (7, 1.0), (1000, 0.06)]
)
def test_the_rate_rises_and_falls_in_straight_lines(steps: int, warmup: float) -> None:
    """min(rising line, falling line), as in Devlin et al. 2019, with no step of zero."""
    warm = max(1, round(warmup * steps))

    found = [multiplier("linear", step, steps, warmup) for step in range(steps)]

    expected = [min((step + 1) / warm, (steps - step) / max(1, steps - warm)) for step in range(steps)]
    assert found == pytest.approx(expected)
    assert min(found) > 0
    assert max(found) == 1


def test_steps_tell_their_rate_and_place() -> None:
    course = Course(rows=40, epochs=2, lr=0.1, warmup=0.2)

    stepped = only(Stepped, course.run())

    assert [event.step for event in stepped] == list(range(1, 11))
    assert [event.lr for event in stepped] == pytest.approx(
        [0.05, 0.1] + [0.1 * left / 8 for left in range(8, 0, -1)]
    )
    assert [event.epoch for event in stepped] == pytest.approx([step / 5 for step in range(1, 11)])
    assert {event.rows for event in stepped} == {8}
    assert sum(event.tokens for event in stepped) == 2 * len(course.examples.ids)


@pytest.mark.parametrize(("epochs", "steps"), [(0.5, 3), (0.01, 1), (1, 5), (2.5, 13)])
def test_part_of_an_epoch_is_part_of_its_steps(epochs: float, steps: int) -> None:
    assert len(only(Stepped, Course(rows=40, epochs=epochs).run())) == steps


def test_who_validates_nothing_has_no_validation_at_the_end_either() -> None:
    assert not validation_steps(10, 5, 0)


def test_validations_are_even_and_the_last_step_is_always_one() -> None:
    assert sorted(validation_steps(10, 5, 2)) == [3, 5, 8, 10]
    assert sorted(validation_steps(7, 5, 1)) == [5, 7]
    assert sorted(validation_steps(2, 5, 10)) == [1, 2]
    assert sorted(validation_steps(1, 1, 3)) == [1]


@pytest.mark.parametrize("max_norm", [1e-3, 1e9])
def test_steps_are_those_of_torchs_adamw_after_its_clipping(max_norm: float, bert: Path) -> None:
    """Norms and biases are not decayed (Devlin et al. 2019); a gradient that is too long is scaled, and told as it was."""
    rows = messages(12)
    ours, theirs = opened(bert, rows), without_dropout(opened(bert, rows).model)
    without_dropout(ours.model)
    plain = [weight for name, weight in theirs.named_parameters() if "bias" in name or "LayerNorm" in name]
    others = [weight for weight in theirs.parameters() if all(weight is not one for one in plain)]
    groups = [{"params": others, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=5e-3, fused=False)
    norms = []
    for epoch in range(3):
        for chosen in epoch_order(ours.examples.lengths, 12, 0, epoch):
            batch = ours.examples.batch(chosen)
            functional.cross_entropy(theirs(batch), batch.targets).backward()
            norms.append(float(nn.utils.clip_grad_norm_(theirs.parameters(), max_norm)))
            optimizer.step()
            optimizer.zero_grad()

    stepped = only(
        Stepped,
        ours.train(epochs=3, batch_rows=12, max_norm=max_norm, schedule="constant", warmup=0.0),
    )

    assert [event.norm for event in stepped] == pytest.approx(norms, rel=1e-4)
    for (name, found), expected in zip(ours.model.named_parameters(), theirs.parameters(), strict=True):
        if "key.bias" not in name:  # softmax takes it away: its gradient is rounding, which Adam makes large
            assert torch.allclose(found, expected, rtol=1e-3, atol=2e-5), name


# How it ends


def test_the_best_weights_come_back() -> None:
    course = Course(epochs=4, scores=[0.5, 0.8, 0.7, 0.6], patience=9)

    events = course.run()

    stopped = only(Stopped, events)[0]
    assert (stopped.why, stopped.step, stopped.best_step) == ("epochs", 20, 10)
    assert [event.best for event in only(Validated, events)] == [True, True, False, False]
    assert torch.equal(course.state.model.weight, course.validated[1])
    assert not torch.equal(course.validated[1], course.validated[3])


def test_patience_runs_out() -> None:
    course = Course(epochs=100, scores=[0.5, 0.8, 0.7, 0.6, 0.9], patience=2)

    stopped = only(Stopped, course.run())[0]

    assert (stopped.why, stopped.step, stopped.best_step) == ("patience", 20, 10)


def test_where_lower_is_better_the_lowest_score_is_the_best() -> None:
    course = Course(epochs=100, scores=[0.5, 0.2, 0.3, 0.4, 0.1], patience=2)
    course.task.metric = "log_loss"

    events = course.run()

    (stopped,) = only(Stopped, events)
    assert (stopped.why, stopped.step, stopped.best_step) == ("patience", 20, 10)
    assert [(one.score, one.best) for one in only(Validated, events)] == [
        (0.5, True), (0.2, True), (0.3, False), (0.4, False),
    ]  # fmt: skip


def test_a_better_score_renews_the_patience() -> None:
    course = Course(epochs=6, scores=[0.5, 0.4, 0.6, 0.5, 0.7, 0.6], patience=2)

    stopped = only(Stopped, course.run())[0]

    assert (stopped.why, stopped.best_step) == ("epochs", 25)


def test_among_equal_scores_the_lower_loss_is_better() -> None:
    course = Course(epochs=3, scores=[(0.8, 0.5), (0.8, 0.3), (0.8, 0.4)])

    assert only(Stopped, course.run())[0].best_step == 10


def test_a_score_that_is_no_number_is_never_the_best() -> None:
    course = Course(epochs=3, scores=[0.5, math.nan, 0.4])

    assert only(Stopped, course.run())[0].best_step == 5


def test_the_budget_ends_it_with_a_last_look() -> None:
    course = Course(epochs=100)

    events = course.run(over=lambda: "budget" if course.state.step == 12 else "")

    stopped = only(Stopped, events)[0]
    assert stopped.why == "budget"
    assert stopped.step == 12
    assert only(Validated, events)[-1].step == stopped.step == stopped.best_step


def test_a_budget_that_ends_before_the_first_validation_leaves_nothing_to_keep() -> None:
    course = Course(epochs=100)

    events = course.run(over=lambda: "budget")

    assert [type(event) for event in events] == [Stepped, Stopped]
    assert course.state.best == {}


def test_a_wish_to_stop_is_granted_after_the_step() -> None:
    course = Course(epochs=100)

    events = course.run(stop=lambda: course.state.step == 12)

    stopped = only(Stopped, events)[0]
    assert (stopped.why, stopped.step) == ("interrupted", 12)
    assert only(Validated, events)[-1].step == 10


def test_whoever_no_longer_asks_has_stopped_it() -> None:
    course = Course(epochs=100)
    events = course.events(clock=lambda: 0.0)

    for event in events:
        if isinstance(event, Stepped) and event.step == 3:
            break

    assert course.state.step == 3


def test_a_gradient_that_is_not_finite_is_told_and_nothing_of_it_kept() -> None:
    course = Course(epochs=2, lr=0.08, warmup=0.0)
    course.task.worse = math.nan
    before = course.state.model.weight.detach().clone()

    with pytest.raises(WorldError) as caught:
        course.run()

    first = ", ".join(map(str, course.task.seen[0][:5]))
    assert str(caught.value) == (
        f"tuned, step 1: the loss is not finite (loss nan, learning rate 0.08, training rows {first} and 3 more). "
        "Try a smaller learning rate: --lr 0.02, or --precision fp32."
    )
    assert torch.equal(course.state.model.weight, before)


class Cut(Prior):
    """A model of which a loss knows nothing."""

    def forward(self, batch: Batch) -> Tensor:
        return super().forward(batch) * 0 + torch.ones(2)


def test_a_first_step_without_any_gradient_is_refused() -> None:
    course = Course()
    course.state = new_state(Cut())
    with pytest.raises(WorldError) as error:
        course.run()
    assert str(error.value) == (
        "tuned, step 1: the loss is 0.693147, and no gradient of it reaches the weights that train, so training would teach "
        "nothing. Try another method (--method full), or --precision fp32."
    )


def test_a_tiny_model_learns_the_messages(bert: Path) -> None:
    found = opened(bert, messages(80))

    stepped = only(Stepped, found.train(epochs=15))

    assert stepped[-1].loss < 0.2 * stepped[0].loss
    assert (found.logits().argmax(axis=1) == found.examples.targets).mean() > 0.95


# The probe


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def accuracy(logits: np.ndarray, targets: np.ndarray) -> float:
    right = (logits > 0) == (targets > 0) if targets.ndim == 2 else logits.argmax(axis=1) == targets
    return float(right.mean())


def blobs(random: np.random.Generator, rows: int, width: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clouds, one a class, in features of very different size."""
    targets = random.integers(0, classes, rows)
    centres = random.normal(size=(classes, width))
    features = centres[targets] + 1.5 * random.normal(size=(rows, width))
    return (features * np.logspace(-1, 1, width) + 5).astype(np.float32), targets


def direct(features: np.ndarray, targets: np.ndarray, strength: float) -> np.ndarray:
    """Logits of scikit-learn's own logistic regression, solved to the last digit."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, tol=1e-10, max_iter=10_000))
    exact = features.astype(np.float64)
    return np.asarray(model.fit(exact, targets).decision_function(exact))


@pytest.mark.parametrize("classes", [3, 7])
def test_the_probe_is_scikit_learns_logistic_regression(random: np.random.Generator, classes: int) -> None:
    features, targets = blobs(random, 400, 12, classes)

    probe = fit_probe(features, targets, classes, accuracy, seed=0)

    ours = probe.logits(features)
    expected = direct(features, targets, probe.strength)
    assert (
        np.abs((ours - ours.mean(1, keepdims=True)) - (expected - expected.mean(1, keepdims=True))).max()
        < 1e-3
    )


def test_two_classes_have_a_logit_each(random: np.random.Generator) -> None:
    features, targets = blobs(random, 300, 12, 2)

    probe = fit_probe(features, targets, 2, accuracy, seed=0)

    ours = probe.logits(features)
    assert probe.weight.shape == (2, 12)
    assert np.abs(ours[:, 1] - ours[:, 0] - direct(features, targets, probe.strength)).max() < 1e-3


def test_a_probe_for_several_labels_is_one_regression_a_label(random: np.random.Generator) -> None:
    features, first = blobs(random, 300, 12, 2)
    marks = np.stack([first, (features[:, 0] > features[:, 0].mean()), 1 - first], axis=1).astype(np.float32)

    probe = fit_probe(features, marks, 3, accuracy, seed=0)

    expected = np.stack([direct(features, marks[:, at], probe.strength) for at in range(3)], axis=1)
    assert np.abs(probe.logits(features) - expected).max() < 2e-3


def test_a_label_that_all_rows_have_or_none_is_answered_by_its_frequency(random: np.random.Generator) -> None:
    features, first = blobs(random, 99, 5, 2)
    marks = np.stack([first, np.ones(99), np.zeros(99)], axis=1).astype(np.float32)

    logits = fit_probe(features, marks, 3, accuracy, seed=0).logits(features)

    assert logits[:, 1] == pytest.approx(math.log(99.5 / 0.5))
    assert logits[:, 2] == pytest.approx(-math.log(99.5 / 0.5))


def test_a_class_without_rows_never_wins(random: np.random.Generator) -> None:
    features, targets = blobs(random, 100, 5, 3)

    logits = fit_probe(features, targets, 4, accuracy, seed=0).logits(features)

    assert functional.softmax(torch.from_numpy(logits), dim=1)[:, 3].max() < 1e-4


@pytest.mark.parametrize("seed", range(10))
def test_a_label_that_a_fold_lacks_is_no_trouble(random: np.random.Generator, seed: int) -> None:
    features, _ = blobs(random, 14, 5, 3)
    targets = np.array([0] * 6 + [1] * 6 + [2] * 2)

    probe = fit_probe(features, targets, 3, accuracy, seed=seed)

    assert np.isfinite(probe.logits(features)).all()
    assert all(0 <= score <= 1 for score in probe.cross_validated.values())


@pytest.mark.parametrize("seed", range(10))
def test_a_fold_that_holds_all_rows_of_a_label_is_no_trouble(random: np.random.Generator, seed: int) -> None:
    features, _ = blobs(random, 5, 4, 2)

    probe = fit_probe(features, np.array([0, 0, 0, 1, 1]), 2, accuracy, seed=seed)

    assert np.isfinite(probe.logits(features)).all()


def test_copies_of_a_row_make_no_strength_look_good(random: np.random.Generator) -> None:
    """Where labels are drawn, only a copy of a row tells its label: held out together, copies tell nothing."""
    row = np.repeat(np.arange(40), 5)
    features = random.normal(size=(40, 60))[row].astype(np.float32)
    targets = random.integers(0, 2, 40)[row]

    known, apart = (
        fit_probe(features, targets, 2, accuracy, seed=0, clusters=clusters).cross_validated.values()
        for clusters in (None, row)
    )

    assert max(known) > 0.9
    assert max(apart) < 0.7


def test_too_few_rows_for_folds_take_a_strong_penalty(random: np.random.Generator) -> None:
    probe = fit_probe(random.normal(size=(2, 4)).astype(np.float32), np.array([0, 1]), 2, accuracy, seed=0)

    assert probe.strength == STRENGTHS[1]
    assert probe.cross_validated == {}


def test_constant_features_change_nothing(random: np.random.Generator) -> None:
    features, targets = blobs(random, 200, 6, 3)
    constant = np.concatenate([np.full((200, 1), 3.0), features, np.zeros((200, 1))], axis=1).astype(
        np.float32
    )

    with_, without = (fit_probe(found, targets, 3, accuracy, seed=0) for found in (constant, features))

    assert with_.strength == without.strength
    assert np.abs(with_.logits(constant) - without.logits(features)).max() < 1e-3


def test_features_that_are_all_constant_answer_by_frequency() -> None:
    targets = np.array([0] * 30 + [1] * 10)

    logits = fit_probe(np.ones((40, 3), np.float32), targets, 2, accuracy, seed=0).logits(np.ones((1, 3)))

    assert logits[0, 0] - logits[0, 1] == pytest.approx(math.log(3), abs=1e-3)


def test_the_probe_does_not_care_for_the_scale_of_features(random: np.random.Generator) -> None:
    features, targets = blobs(random, 200, 6, 3)

    small, large = (fit_probe(features * scale, targets, 3, accuracy, seed=0) for scale in (1e-3, 1e3))

    assert small.strength == large.strength
    assert np.abs(small.logits(features * 1e-3) - large.logits(features * 1e3)).max() < 1e-3


def test_the_seed_decides_the_folds(random: np.random.Generator) -> None:
    features, targets = blobs(random, 200, 6, 3)

    first, same, other = (fit_probe(features, targets, 3, accuracy, seed=seed) for seed in (0, 0, 1))

    assert first.cross_validated == same.cross_validated != other.cross_validated
    assert np.array_equal(first.weight, same.weight)


def right_of(rows: int, *wrong: range) -> np.ndarray:
    """(rows, 2) logits that answer 0, except where they are wrong."""
    logits = np.tile(np.array([1.0, 0.0], np.float32), (rows, 1))
    for places in wrong:
        logits[places] = logits[places, ::-1]
    return logits


def held_out(logits: dict[float, np.ndarray]) -> HeldOut:
    rows = len(logits[0.01])
    return HeldOut(logits, np.zeros(rows, np.int64), np.arange(rows) % 3, accuracy)


def test_rows_of_two_folds_are_not_ranked_together() -> None:
    """Two heads that rank rightly and differ by a constant: over all rows no correlation would be left."""
    truth = np.arange(20.0)
    logits = np.where(np.arange(20) % 2, truth + 1000, truth - 1000)[:, None]

    held = HeldOut(
        {1.0: logits}, truth, np.arange(20) % 2, lambda said, true: np.corrcoef(said[:, 0], true)[0, 1]
    )

    assert held.score(1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("better", "worse", "taken"),
    [(4, 3, 0.01), (5, 0, 0.1), (9, 3, 0.1), (0, 5, 0.01), (0, 0, 0.01)],
)
def test_the_strongest_penalty_within_one_standard_error_of_the_difference_is_taken(
    better: int, worse: int, taken: float
) -> None:
    """The weaker one alone answers `better` of 100 rows rightly, and the stronger one alone `worse`: the standard error of their
    difference is about sqrt(better + worse) / 100, however often both are wrong."""
    both = range(50, 80)
    logits = {
        0.01: right_of(100, both, range(better)),
        0.1: right_of(100, both, range(30, 30 + worse)),
    }

    assert held_out(logits).strongest_within_noise() == taken


def test_where_all_weaker_penalties_are_worse_the_strongest_is_taken() -> None:
    logits = {0.01: right_of(30), 0.1: right_of(30, range(20)), 1.0: right_of(30, range(25))}

    assert held_out(logits).strongest_within_noise() == 0.01


def test_cross_validation_answers_rows_that_it_did_not_see() -> None:
    """Labels that are drawn by lot cannot be told, though 30 rows with 40 features can be learnt by heart."""
    random = np.random.default_rng(0)
    features, targets = random.normal(size=(30, 40)), random.integers(0, 2, 30)

    held = cross_validate(features, targets, 2, accuracy, seed=0)

    assert sorted(held.targets) == sorted(targets)
    assert max(held.score(strength) for strength in held.logits) < 0.8
    assert accuracy(solve_probe(features, targets, 2, 3.0).logits(features), targets) == 1.0


def test_a_head_starts_as_a_share_of_the_probe(random: np.random.Generator) -> None:
    probe = Probe(random.normal(size=(3, 5)).astype(np.float32), np.ones(3, np.float32), 1.0, {})
    layer = nn.Linear(5, 3)

    probe.start(layer, share=0.1)

    assert layer.weight.detach().numpy() == pytest.approx(0.1 * probe.weight)
    assert layer.bias.detach().numpy() == pytest.approx(0.1)


# Recipes


def test_a_recipe_is_found_by_family_and_size() -> None:
    assert recipe_for("bert", 22_700_000).name == "small encoders (MiniLM, DistilBERT, ELECTRA-small)"
    assert recipe_for("bert", 110_000_000).name == "base encoders (BERT, RoBERTa)"
    assert recipe_for("roberta", 355_000_000).name == "large encoders"
    assert recipe_for("modernbert", 149_000_000).name == "ModernBERT"
    assert recipe_for("deberta-v2", 184_000_000).name == "DeBERTa, base and larger"
    assert recipe_for("something-new", 10**13).name == "large encoders"


def test_small_sets_get_more_epochs_up_to_a_limit() -> None:
    recipe = recipe_for("bert", 22_700_000)

    assert recipe.epochs_for(rows=100_000, batch_rows=16) == recipe.epochs
    assert recipe.epochs_for(rows=16 * 60, batch_rows=16) == 5
    assert (recipe.has_few(rows=2399), recipe.has_few(rows=2400)) == (True, False), (
        "two epochs, 300 steps of 16"
    )
    assert recipe.epochs_for(rows=20, batch_rows=16) == recipe.epochs_at_most
    assert recipe.epochs_for(rows=16 * 60, batch_rows=16, times=2.0) == 10
    assert recipe.epochs_for(rows=20, batch_rows=16, times=2.0) == 2 * recipe.epochs_at_most
    assert recipe.epochs_for(rows=100_000, batch_rows=16, times=2.0) == recipe.epochs


def test_where_the_most_epochs_are_too_few_steps_a_step_has_fewer_rows() -> None:
    recipe = recipe_for("bert", 22_700_000)

    assert [recipe.rows_per_step(rows) for rows in (225, 224, 113, 112, 1)] == [16, 8, 8, 4, 4]
    assert recipe.epochs_for(rows=16 * 14, batch_rows=8) * 28 >= recipe.steps


def test_every_recipe_says_where_it_comes_from() -> None:
    assert all(recipe.source.startswith(("[M]", "[V]", "[R]")) for recipe in recipes())
    assert not recipes()[-1].models.families
