"""Packed batches of sequences: losses and gradients are those of each sequence alone, however they lie in a batch."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MistralConfig, Qwen3Config

from luthier.batches import prefix_tree
from luthier.batches.packed import PADDED, buckets_of, padding
from luthier.batches.prefix_tree import tree_of
from luthier.batches.sequences import Sequences
from luthier.models.heads.language_model import LanguageModel, pack
from luthier.models.kernels import packed_attention

SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "max_position_embeddings": 64,
}
CONFIGS: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaConfig(**SIZES),
    "llama with tied weights": lambda: LlamaConfig(**SIZES, tie_word_embeddings=True),
    "mistral with a window": lambda: MistralConfig(**SIZES, sliding_window=5),
    "qwen3": lambda: Qwen3Config(**SIZES),
    "gpt2": lambda: GPT2Config(
        vocab_size=50, n_embd=16, n_layer=2, n_head=4, n_positions=64, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0
    ),
}  # fmt: skip
START = (7, 8, 9, 7, 8, 9, 10, 11)
"""What sequences of the tests begin with."""
TEXTS = (
    (*START, 12, 13, 14),
    (*START, 12, 13, 15, 16, 17, 18),
    (*START, 20),
    (21, 22, 23, 24, 25, 26, 27),
    (*START, 12, 13, 14),
)
LEARNT = 3
"""Tokens at the end of each sequence that are learnt; the last text's whole, and with it tokens that others share."""


def body_of(name: str, attention: str) -> Any:
    """A tiny model of transformers; with SDPA in float64 throughout, but for which its own norms would round to float32."""
    torch.manual_seed(0)
    body = AutoModelForCausalLM.from_config(CONFIGS[name](), attn_implementation=attention).eval()
    if attention == "eager":  # whose softmax is in float32
        return randomised(body)
    body = body.double()
    for path, module in list(body.named_modules()):
        if type(module).__name__.endswith("RMSNorm"):
            body.set_submodule(path, torch.nn.RMSNorm(len(module.weight), 1e-6, dtype=torch.float64))
    return randomised(body)


def randomised(body: Any) -> Any:
    for weight in body.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    return body


def model_of(name: str, attention: str = "sdpa") -> LanguageModel:
    body = body_of(name, attention)
    return LanguageModel(body, pack(body))


def sequences_of(texts: Sequence[Sequence[int]], shares: bool = True) -> Sequences:
    ends = np.cumsum([0, *map(len, texts)])
    trained = np.zeros(ends[-1], bool)
    for end in ends[1:]:
        trained[end - LEARNT : end] = True
    trained[ends[-2] + 1 :] = True  # of the last one all
    rows = np.arange(len(texts) + 1)
    ids = np.array([number for text in texts for number in text], np.int32)
    return Sequences(
        ids, trained, ends, rows, np.ones(len(texts), np.int64), np.zeros(len(texts)), shares=shares
    )


def plain(name: str, attention: str) -> tuple[float, list[torch.Tensor]]:
    """The summed loss and its gradient, row after row, with transformers and torch alone."""
    body = body_of(name, attention)
    total = 0.0
    for row, text in enumerate(TEXTS):
        ids = torch.tensor([text])
        first = 1 if row == len(TEXTS) - 1 else len(text) - LEARNT
        logits = body(input_ids=ids).logits[0, first - 1 : -1]
        loss = torch.nn.functional.cross_entropy(logits, ids[0, first:], reduction="sum")
        loss.backward()
        total += float(loss.detach())
    return total, [weight.grad for weight in body.parameters() if weight.grad is not None]


def ours(
    model: LanguageModel, examples: Sequences, batches: Sequence[Sequence[int]]
) -> tuple[float, list[torch.Tensor]]:
    total = 0.0
    for rows in batches:
        loss = -model(examples.batch(np.array(rows))).sum()
        loss.backward()
        total += float(loss.detach())
    return total, [weight.grad for weight in model.body.parameters() if weight.grad is not None]


WHOLE = [list(range(len(TEXTS)))]
WAYS: dict[str, tuple[bool, bool, list[list[int]]]] = {
    "beginnings shared": (True, True, WHOLE),
    "packed": (True, False, WHOLE),
    "padded": (False, True, WHOLE),
    "accumulated": (True, True, [[0, 3], [4, 1], [2]]),
}
"""Whether sequences are packed, whether they share their beginnings, and the micro-batches."""


NEAR = {"sdpa": 1e-9, "eager": 1e-5}
"""How near gradients are to the largest of their tensor: in float64, and in float32."""


@pytest.mark.parametrize("attention", NEAR)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CONFIGS)
def test_loss_and_gradient_are_those_of_each_row_alone(
    name: str, way: str, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs, shares, batches = WAYS[way]
    if attention == "sdpa":  # so do packed batches, however short
        monkeypatch.setattr(packed_attention, "SHORT", 0)
    model = model_of(name, attention)
    assert model.packs, "all of these can be packed"
    if not packs:
        model.body.set_attn_implementation(attention)  # type: ignore[operator]
        model.packs = False

    found, gradients = ours(model, sequences_of(TEXTS, shares), batches)

    expected, others = plain(name, attention)
    assert found == pytest.approx(expected, rel=NEAR[attention])
    assert len(gradients) == len(others)
    for one, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=NEAR[attention] * float(other.abs().max()))


def test_what_rows_share_goes_through_the_model_once() -> None:
    examples = sequences_of(TEXTS)
    shared, alone = (sequences_of(TEXTS, shares).batch(np.arange(5)) for shares in (True, False))
    assert alone.inputs["input_ids"].shape[1] == int(examples.lengths.sum()) == 10 + 13 + 8 + 6 + 10
    # The start once, and what is left of each; two tokens are no branch, and the last that is learnt is never computed.
    assert shared.inputs["input_ids"].shape[1] == 8 + 2 + 5 + 2 + 6
    assert shared.tokens == alone.tokens == sum(map(len, TEXTS))


def test_little_in_common_is_not_shared() -> None:
    texts = [(*START[:4], *range(20 + 10 * at, 30 + 10 * at)) for at in range(2)]
    texts += [tuple(range(at, at + 30)) for at in range(1, 20, 4)]
    batch = sequences_of(texts).batch(np.arange(len(texts)))
    assert batch.inputs["input_ids"].shape[1] == sum(map(len, texts)) - len(texts)


def test_a_long_sequence_attends_in_pieces_to_the_same_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    model, texts = model_of("llama"), [tuple(range(1, 40)), tuple(range(3, 20))]
    batch = sequences_of(texts).batch(np.arange(2))
    expected = model(batch)
    monkeypatch.setattr(prefix_tree, "PIECE", 7)
    monkeypatch.setattr(packed_attention, "SHORT", 10)
    cut = sequences_of(texts).batch(np.arange(2))
    assert len(tree_of([np.arange(39), np.arange(17)], shares=False).branches) == 6 + 3
    torch.testing.assert_close(model(cut), expected, rtol=0, atol=1e-12)


def test_branches_that_attend_together_are_of_like_size() -> None:
    tree = tree_of([np.arange(length) for length in (3, 90, 4, 100, 5)], shares=False)
    buckets = buckets_of(tree)
    assert [len(bucket.queries) for bucket in buckets] == [3, 2]
    assert all(bucket.causal == (len(bucket.queries) == 1) for bucket in buckets)
    assert padding(tree.branches[:1]) == 1.0 <= PADDED


def test_micro_batches_hold_so_many_tokens_and_count_a_shared_beginning_once() -> None:
    examples = sequences_of(TEXTS)
    cut = examples.cut(np.array([0, 1, 2, 4]), examples.lengths, 16)
    assert [rows.tolist() for rows in cut] == [[0, 1, 2], [4]]
    assert all(examples.batch(rows).inputs["input_ids"].shape[1] <= 16 for rows in cut)
    alone = sequences_of(TEXTS, shares=False)
    assert [rows.tolist() for rows in alone.cut(np.array([0, 1, 2, 4]), alone.lengths, 18)] == [
        [0],
        [1],
        [2, 4],
    ]


def test_rows_are_scored_in_batches_that_count_a_shared_beginning_once() -> None:
    examples, alone = sequences_of(TEXTS), sequences_of(TEXTS, shares=False)

    assert [rows.tolist() for rows in examples.by_length(20)] == [[3, 2], [0, 4, 1]]
    assert [rows.tolist() for rows in alone.by_length(20)] == [[3, 2], [0, 4], [1]]


def test_micro_batches_count_what_the_answers_of_a_row_begin_with_once() -> None:
    one, other = [(*range(1, 9), 20 + n, 21) for n in (0, 5)], [(*range(30, 38), 20 + n, 22) for n in (0, 5)]
    alone = sequences_of([*one, *other])
    pairs = replace(alone, first_part=np.array([0, 2, 4]), prompts=np.array([8, 8]), targets=np.zeros((2, 2)))

    assert (pairs.lengths.tolist(), pairs.shared.tolist()) == ([18, 18], [8, 8])
    assert [rows.tolist() for rows in pairs.cut(np.arange(2), pairs.lengths, 20)] == [[0, 1]]
    assert pairs.batch(np.arange(2)).inputs["input_ids"].shape[1] == 20


def test_features_are_the_mean_of_a_rows_states() -> None:
    model, examples = model_of("llama"), sequences_of(TEXTS)
    found = model.features(examples.batch(np.array([3, 0])))
    ids = torch.tensor([TEXTS[3][:-1]])
    expected = model.body.base_model(input_ids=ids).last_hidden_state[0].mean(0)  # type: ignore[operator]
    torch.testing.assert_close(found[0], expected)
