"""Preferences: each objective is that of its paper, computed once more with transformers and torch alone, gradient and all."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, GPT2Config

from luthier.batches.pieces import pieces_of
from luthier.batches.sequences import Sequences
from luthier.models.headed import HeadedModel
from luthier.models.heads.language_model import LanguageModel, pack
from luthier.models.heads.reward_model import RewardModel, head_with
from luthier.models.kernels import packed_attention
from luthier.scores.generated import resampled_preference
from luthier.tasks.calibration import Calibration
from luthier.tasks.preference.lengths import by_length
from luthier.tasks.preference.objectives import log_odds, orpo, weights_of
from luthier.tasks.preference.rewards import Likelihoods, Rewards
from luthier.tasks.preference.task import Preference
from tiny import cpu

BETA = 0.3
PROMPTS = ((7, 8, 9, 7, 8, 9, 10), (7, 8, 9, 7, 8, 9, 11, 12, 13), (21, 22, 23, 24, 25, 26))
ANSWERS = (((12, 13, 14), (12, 15)), ((30, 31), (31, 30, 32, 33)), ((5,), (6, 7)))
"""Two answers to each prompt."""


@pytest.fixture(autouse=True)
def attends_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain products are in float32 at the finest."""
    monkeypatch.setattr(packed_attention, "SHORT", 0)


def config() -> Any:
    return GPT2Config(
        vocab_size=50, n_embd=16, n_layer=2, n_head=4, n_positions=64, resid_pdrop=0.0, embd_pdrop=0.0,
        attn_pdrop=0.0, num_labels=1, pad_token_id=0,
    )  # fmt: skip


def randomised(auto: Any, seed: int = 1) -> Any:
    """A model of transformers in float64."""
    body = auto.from_config(config(), attn_implementation="sdpa").double().eval()
    torch.manual_seed(seed)
    for weight in body.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    return body


@dataclass(frozen=True)
class Case:
    """A task, and the answers of each of its rows, each a prompt and what follows it."""

    task: Preference
    rows: list[list[tuple[tuple[int, ...], tuple[int, ...]]]]
    good: list[bool]
    """Whether each row's answer is good, where it was judged."""

    @property
    def sequences(self) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        return chain.from_iterable(self.rows)


def case_of(objective: str, judged: bool = False) -> Case:
    task = Preference(objective, BETA, judged=judged)
    pairs = [[(prompt, one) for one in two] for prompt, two in zip(PROMPTS, ANSWERS, strict=True)]
    if not judged and objective != "kto":
        return Case(task, pairs, [])
    if not judged:  # each prompt with the answers of the row before
        before = [ANSWERS[1], *ANSWERS[:-1]]
        return Case(
            task,
            [
                [*own, *((own[0][0], one) for one in others)]
                for own, others in zip(pairs, before, strict=True)
            ],
            [],
        )
    rows = [
        [own[0], (own[0][0], other)] for own, (other, _) in zip(pairs, [ANSWERS[1], *ANSWERS], strict=False)
    ]
    return Case(replace(task, weights=(1.0, 2.0)), rows, [True, False, True])


CASES: dict[str, Callable[[], Case]] = {
    "dpo": lambda: case_of("dpo"),
    "orpo": lambda: case_of("orpo"),
    "kto": lambda: case_of("kto"),
    "kto of judged answers": lambda: case_of("kto", judged=True),
    "reward": lambda: case_of("reward"),
}


# Plain references


def log_probability(body: Any, prompt: tuple[int, ...], answer: tuple[int, ...]) -> Tensor:
    """() of an answer, by one forward pass of transformers over one sequence."""
    ids = torch.tensor([[*prompt, *answer]])
    logits = body(input_ids=ids).logits[0, len(prompt) - 1 : -1]
    found: Tensor = logits.log_softmax(-1).gather(1, torch.tensor(answer)[:, None]).sum()
    return found


def by_formula(case: Case, body: Any, before: Any) -> Tensor:
    """() the mean loss of the rows, from the equations of the papers."""
    task = case.task
    losses: list[Tensor] = []
    if task.objective == "reward":  # arXiv:2203.02155, eq. 1
        for (prompt, chosen), (_, rejected) in case.rows:
            scores = [
                body(input_ids=torch.tensor([[*prompt, *one]])).logits[0, 0] for one in (chosen, rejected)
            ]
            losses.append(-torch.log(torch.sigmoid(scores[0] - scores[1])))
        return torch.stack(losses).mean()
    policy = [[log_probability(body, *one) for one in row] for row in case.rows]
    with torch.no_grad():
        reference = [[log_probability(before, *one) for one in row] for row in case.rows]
    ratios = [
        [ours - theirs for ours, theirs in zip(*both, strict=True)]
        for both in zip(policy, reference, strict=True)
    ]
    if task.objective == "dpo":  # arXiv:2305.18290, eq. 7
        losses = [-torch.log(torch.sigmoid(BETA * chosen - BETA * rejected)) for chosen, rejected in ratios]
    elif task.objective == "orpo":  # arXiv:2403.07691, eq. 6 and 7
        for row, both in zip(case.rows, policy, strict=True):
            one, other = (
                torch.exp(value / len(answer)) for value, (_, answer) in zip(both, row, strict=True)
            )
            ratio = (one / (1 - one)) / (other / (1 - other))
            losses.append(-torch.log(one) - BETA * torch.log(torch.sigmoid(torch.log(ratio))))
    else:  # arXiv:2402.01306, eq. 8
        own = task.answers
        drift = torch.stack([one for row in ratios for one in row[own:]]).mean().clamp(min=0).detach()
        assert float(drift) > 0, "it counts for something"
        for at, differences in enumerate(ratios):
            judged = zip(differences[:own], [case.good[at]] if task.judged else [True, False], strict=True)
            found = []
            for ratio, good in judged:
                weight, sign = task.weights[0 if good else 1], 1 if good else -1
                found.append(weight - weight * torch.sigmoid(sign * BETA * (ratio - drift)))
            losses.append(torch.stack(found).mean())
    return torch.stack(losses).mean()


# Ours


def examples_of(case: Case, before: Any) -> Sequences:
    texts = [(*prompt, *answer) for prompt, answer in case.sequences]
    learnt = [
        [False] * len(prompt) + [case.task.objective != "reward"] * len(answer)
        for prompt, answer in case.sequences
    ]
    with torch.no_grad():
        targets = np.array(
            [[float(log_probability(before, *one)) for one in row] for row in case.rows]
            if case.task.reference
            else np.zeros((len(case.rows), case.task.sequences))
        )
    return Sequences(
        ids=np.array(list(chain.from_iterable(texts)), np.int32),
        trained=np.array(list(chain.from_iterable(learnt))),
        ends=np.cumsum([0, *map(len, texts)]),
        first_part=np.cumsum([0, *map(len, case.rows)]),
        prompts=np.array([len(row[0][0]) for row in case.rows]),
        targets=np.column_stack([targets, np.array(case.good, float)]) if case.task.judged else targets,
    )


def model_of(case: Case) -> HeadedModel:
    if case.task.head == "language":
        body = randomised(AutoModelForCausalLM)
        return LanguageModel(body, pack(body))
    body = randomised(AutoModelForSequenceClassification)
    head = head_with(body.score.weight.data)
    body.score = torch.nn.Identity()
    return RewardModel(body, head, "score")


def plain_of(case: Case) -> tuple[Any, Any]:
    """The model that learns, and the one that it is compared with, by transformers alone."""
    reward = case.task.head == "score"
    learns = randomised(AutoModelForSequenceClassification if reward else AutoModelForCausalLM)
    return learns, randomised(AutoModelForCausalLM, seed=0)


def gradients(model: Any) -> list[Tensor]:
    return [weight.grad for weight in model.parameters() if weight.grad is not None]


def assert_alike(ours: list[Tensor], theirs: list[Tensor]) -> None:
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert float((one - other).abs().max()) < 1e-9 * max(1.0, float(other.abs().max()))


@pytest.mark.parametrize("name", CASES)
def test_an_objective_and_its_gradient_are_those_of_each_answer_alone(name: str) -> None:
    case = CASES[name]()
    learns, before = plain_of(case)
    model, examples = model_of(case), examples_of(case, before)

    loss = case.task.loss(model, examples.batch(np.arange(3)))
    (loss.total / loss.weight).backward()

    expected = by_formula(case, learns, before)
    expected.backward()
    assert float(loss.total.detach() / loss.weight) == pytest.approx(float(expected.detach()), abs=1e-9)
    assert_alike(gradients(model), gradients(learns))
    outputs = case.task.infer(model, examples, cpu())
    assert case.task.mean_loss(outputs, examples) == pytest.approx(float(expected.detach()), abs=1e-9)


@pytest.mark.parametrize("name", ["dpo", "reward"])
def test_a_step_in_micro_batches_adds_up_to_the_step_whole(name: str) -> None:
    case = CASES[name]()
    learns, before = plain_of(case)
    model, examples = model_of(case), examples_of(case, before)

    for rows in ([2], [0, 1]):
        (case.task.loss(model, examples.batch(np.array(rows))).total / 3).backward()

    by_formula(case, learns, before).backward()
    assert_alike(gradients(model), gradients(learns))


@pytest.mark.parametrize("name", ["kto", "kto of judged answers"])
@pytest.mark.parametrize("packs", [True, False])
def test_a_step_that_is_compared_as_a_whole_has_the_same_gradient_in_pieces(name: str, packs: bool) -> None:
    case = CASES[name]()
    learns, before = plain_of(case)
    model, examples = model_of(case), examples_of(case, before)
    assert isinstance(model, LanguageModel)
    if not packs:
        model.body.set_attn_implementation("sdpa")  # type: ignore[operator]
        model.packs = False
    model.micro_tokens = 12
    calls: list[int] = []
    inner: Any = model.body.base_model
    inner.register_forward_hook(lambda *_: calls.append(1))

    loss = case.task.loss(model, examples.batch(np.arange(3)))
    (loss.total / loss.weight).backward()

    expected = by_formula(case, learns, before)
    expected.backward()
    assert len(calls) == 6, "three pieces, each once more on the way back"
    assert float(loss.total.detach() / loss.weight) == pytest.approx(float(expected.detach()), abs=1e-9)
    assert_alike(gradients(model), gradients(learns))


def test_pieces_hold_what_the_batch_holds_in_its_order() -> None:
    case = CASES["kto"]()
    examples = examples_of(case, plain_of(case)[1])
    batch = examples.batch(np.array([2, 0, 1]))

    pieces = pieces_of(batch, 40)

    assert [piece.rows.tolist() for piece in pieces] == [[2], [0], [1]]
    alone = [examples.batch(piece.rows) for piece in pieces]
    for piece, one in zip(pieces, alone, strict=True):
        assert torch.equal(piece.inputs["input_ids"], one.inputs["input_ids"])
        assert torch.equal(piece.inputs["position_ids"], one.inputs["position_ids"])
        assert torch.equal(piece.targets, one.targets)
        assert piece.packed is not None
        assert one.packed is not None
        assert np.array_equal(examples.ids[piece.packed.source], examples.ids[one.packed.source])
        for field in ("flat", "executed"):
            assert np.array_equal(getattr(piece.packed, field), getattr(one.packed, field)), field
        for field in ("at", "wanted", "pair", "sequence"):
            assert torch.equal(
                getattr(piece.packed.predictions, field), getattr(one.packed.predictions, field)
            )


# What rows share


def test_a_prompt_goes_through_the_model_once_for_all_of_its_answers() -> None:
    case = CASES["dpo"]()
    examples = examples_of(case, plain_of(case)[1])

    batch = examples.batch(np.array([2]))

    executed = int(batch.inputs["input_ids"].numel())
    assert executed == len(PROMPTS[2]) + 1, "the first token of the longer answer; last ones have no state"
    assert executed < int(examples.lengths[2])


# Rewards


def test_rewards_are_those_that_the_papers_name() -> None:
    outputs = Likelihoods(np.array([[-4.0, -6.0]]), np.array([[2, 4]]))
    examples = replace(
        examples_of(CASES["dpo"](), plain_of(CASES["dpo"]())[1]).select(np.array([0])),
        targets=np.array([[-5.0, -5.5]]),
    )

    def rewards(objective: str, of: Likelihoods = outputs) -> list[float]:
        answered = Preference(objective, beta=0.1).answer(of, Calibration(), examples)
        found: list[float] = answered.values[0].tolist()
        return found

    assert rewards("dpo") == pytest.approx([0.1, -0.05])
    assert rewards("kto") == pytest.approx([0.1, -0.05])
    assert rewards("orpo") == pytest.approx([-2.0, -1.5])
    assert rewards("reward") == [-4.0, -6.0]
    untouched = Preference().untouched(outputs)
    assert rewards("dpo", untouched) == [-2.0, -1.5], "its difference to itself would say nothing"


def test_of_judged_answers_the_score_is_the_share_of_pairs_whose_good_one_is_rewarded_more() -> None:
    rewards, good = np.array([3.0, 1.0, 2.0, 2.0, 0.5]), np.array([True, True, False, True, False])
    pairs = [(one, other) for one in rewards[good] for other in rewards[~good]]
    task = Preference("kto", judged=True)
    targets = np.column_stack([np.zeros((5, 2)), good])

    score = task.score(Rewards(rewards[:, None]), targets)

    assert score == pytest.approx(np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs]))
    assert task.score(task.flawless(targets), targets) == 1.0
    assert resampled_preference(rewards, good)(np.array([[0, 0, 1]]))[0] == 0.5, "no pair to compare"


def test_the_length_of_answers_is_preferred_the_way_training_rows_tell() -> None:
    case = CASES["dpo"]()
    examples = examples_of(case, plain_of(case)[1])

    found = by_length(case.task)(examples, examples)

    assert isinstance(found, Likelihoods)
    assert found.values.tolist() == [[-3.0, -2.0], [-2.0, -4.0], [-1.0, -2.0]]
    assert case.task.answer(found, Calibration(), examples).values.tolist() == found.values.tolist()


def test_the_rarer_of_good_and_bad_answers_counts_as_much_as_the_others_together() -> None:
    task = Preference("kto", judged=True)
    targets = np.column_stack([np.zeros((12, 2)), np.array([1.0] * 3 + [0.0] * 9)])

    assert task.having_seen(targets).weights == (3.0, 1.0)
    assert weights_of(4, 3) == (1.0, 1.0)
    assert weights_of(0, 3) == (1.0, 1.0)


# Numbers


@pytest.mark.parametrize("p", [1e-30, 1e-9, 0.2, 0.5, 0.9, 1 - 1e-6])
def test_log_odds_and_their_gradient_have_all_digits(p: float) -> None:
    value = torch.tensor(math.log(p), dtype=torch.float64, requires_grad=True)

    found = log_odds(value)
    found.backward()

    rest = -math.expm1(float(value.detach()))
    assert float(found) == pytest.approx(float(value) - math.log(rest), rel=1e-9)
    assert value.grad is not None
    assert float(value.grad) == pytest.approx(1 / rest, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_answer_that_is_certain_keeps_a_finite_gradient(dtype: torch.dtype) -> None:
    """(chosen, rejected): certain and not, the other way round, both, and one that cannot be."""
    policy = torch.tensor(
        [[0.0, -3.0], [-3.0, 0.0], [0.0, 0.0], [-1e-9, -2_000.0]], dtype=dtype
    ).requires_grad_()

    losses = orpo(policy, torch.ones(4, 2), 0.1)
    losses.sum().backward()

    assert torch.isfinite(losses).all()
    assert policy.grad is not None
    assert torch.isfinite(policy.grad).all()
    assert (policy.grad[1] != 0).all(), "the rejected answer is not left as certain as it is"
    assert policy.grad[1, 1] > 0 > policy.grad[1, 0]


def test_the_loss_of_dpo_begins_at_ln_2() -> None:
    case = CASES["dpo"]()
    learns, _ = plain_of(case)
    model, examples = model_of(case), examples_of(case, learns)

    loss = case.task.loss(model, examples.batch(np.arange(3)))

    assert float(loss.total.detach() / loss.weight) == pytest.approx(math.log(2), abs=1e-9)
    assert float(-logsigmoid(torch.tensor(0.0))) == pytest.approx(math.log(2))
