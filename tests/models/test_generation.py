"""Text of decoders: the tokens that transformers writes to each prompt alone, whatever the batch."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from luthier.errors import ModelError
from luthier.models.decoding import reading as ways
from luthier.models.decoding.choices import drawn
from luthier.models.generation import (
    CACHED,
    SLOTTED,
    UNCACHED,
    Decoding,
    Dialogue,
    Written,
    doubt_of,
    stream,
    way_of,
    write,
)
from luthier.models.kernels.attention import use_short_attention

CPU = torch.device("cpu")
VOCABULARY, CONTEXT, END = 97, 96, 2
GREEDY = Decoding(frozenset({END}), most=12)


def described(**more: Any) -> dict[str, Any]:
    """What the tiny models of most architectures have in common."""
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": False,
        "pad_token_id": 0,
        "eos_token_id": END,
        **more,
    }


def llama() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**described(num_key_value_heads=2)))


def gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(**described()))


def qwen2() -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    window = {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1}
    return Qwen2ForCausalLM(Qwen2Config(**described(num_key_value_heads=2, **window)))


def qwen3() -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(Qwen3Config(**described(num_key_value_heads=2, head_dim=8)))


def mistral() -> Any:
    from transformers import MistralConfig, MistralForCausalLM

    return MistralForCausalLM(MistralConfig(**described(num_key_value_heads=2, sliding_window=7)))


def gemma2() -> Any:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    return Gemma2ForCausalLM(Gemma2Config(**described(num_key_value_heads=2, head_dim=8, sliding_window=6)))


def gemma3() -> Any:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    return Gemma3ForCausalLM(
        Gemma3TextConfig(**described(num_key_value_heads=2, head_dim=8, sliding_window=6))
    )


def bloom() -> Any:
    from transformers import BloomConfig, BloomForCausalLM

    return BloomForCausalLM(BloomConfig(**described(n_layer=2, n_head=4)))


def lfm2() -> Any:
    from transformers import Lfm2Config, Lfm2ForCausalLM

    kinds = ["conv", "full_attention", "conv"]
    return Lfm2ForCausalLM(Lfm2Config(**described(num_key_value_heads=2, layer_types=kinds)))


def mamba() -> Any:
    from transformers import MambaConfig, MambaForCausalLM

    return MambaForCausalLM(MambaConfig(**described()))


Maker = Callable[[], Any]
WAYS: list[tuple[Maker, str]] = [
    (llama, SLOTTED),
    (gpt2, SLOTTED),
    (qwen2, SLOTTED),
    (qwen3, SLOTTED),
    (mistral, SLOTTED),
    (gemma2, SLOTTED),
    (gemma3, SLOTTED),
    (bloom, CACHED),
    (lfm2, CACHED),
    (mamba, UNCACHED),
]


def built(make: Maker) -> Any:
    """A model with weights so large that its likeliest tokens are not one token for ever."""
    torch.manual_seed(0)
    model = make().eval()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim == 2:
                weights *= 6
        model.get_input_embeddings().weight *= 5
    return model


def tokens(count: int, seed: int = 0) -> list[int]:
    return random.Random(seed).choices(range(3, VOCABULARY), k=count)


def prompts_of_all_kinds() -> list[list[int]]:
    """Prompts that share nothing, a beginning, or all; of one token; and such that nearly fill the context, or do."""
    system, longer = tokens(20), tokens(32)
    return [
        *(system + tokens(4 + 3 * at, at) for at in range(1, 6)),
        *(longer + tokens(at, at) for at in range(1, 4)),
        [5],
        [5, 9],
        system,
        system,
        tokens(CONTEXT - 5, 7),
        tokens(CONTEXT, 8),
    ]


def written_alone(model: Any, prompt: Sequence[int], most: int = GREEDY.most) -> list[int]:
    """What transformers writes to one prompt."""
    limit = min(most, CONTEXT - len(prompt))
    if limit == 0:
        return []
    found = model.generate(
        torch.tensor([list(prompt)]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        do_sample=False,
        max_new_tokens=limit,
        eos_token_id=END,
        pad_token_id=0,
    )
    ids: list[int] = found[0, len(prompt) :].tolist()
    return ids


def without_end(ids: Sequence[int]) -> tuple[int, ...]:
    return tuple(ids[:-1] if ids and ids[-1] == END else ids)


def counted_tokens(model: Any) -> list[int]:
    """How many tokens each pass through the first block reads, from now on."""
    counts: list[int] = []
    model.model.layers[0].register_forward_hook(
        lambda module, given, found: counts.append(found[..., 0].numel())
    )
    return counts


@pytest.mark.parametrize(("make", "way"), WAYS, ids=lambda given: getattr(given, "__name__", given))
def test_greedy_texts_are_those_that_transformers_writes_to_each_prompt_alone(make: Maker, way: str) -> None:
    model = built(make)
    if make in (bloom, mamba):  # their descriptions name no context
        model.config.max_position_embeddings = CONTEXT
    prompts = prompts_of_all_kinds()

    found = write(model, prompts, GREEDY, CPU)

    assert way_of(model) == way
    alone = [written_alone(model, prompt) for prompt in prompts]
    assert [one.ids for one in found] == [without_end(ids) for ids in alone]
    assert [one.finish for one in found] == ["stop" if END in ids else "length" for ids in alone]
    assert len({ids for one in found for ids in one.ids}) > 5 or make is bloom


@pytest.mark.parametrize("attention", ["eager", "sdpa", "luthier"])
def test_every_attention_writes_the_same(attention: str) -> None:
    model, prompts = built(llama), prompts_of_all_kinds()
    expected = write(model, prompts, GREEDY, CPU)

    if attention == "luthier":
        assert use_short_attention(model, lambda: model(torch.tensor([[5, 6, 7]])).logits)
    else:
        model.set_attn_implementation(attention)

    assert way_of(model) == SLOTTED
    assert [one.ids for one in write(model, prompts, GREEDY, CPU)] == [one.ids for one in expected]


@pytest.mark.parametrize("make", [llama, mistral, gemma3])
@pytest.mark.parametrize("budget", [1, 150, 400])
def test_texts_do_not_depend_on_the_size_of_the_batches(make: Maker, budget: int) -> None:
    model, prompts = built(make), prompts_of_all_kinds()

    assert texts(write(model, prompts, GREEDY, CPU, budget)) == texts(write(model, prompts, GREEDY, CPU))


@pytest.mark.parametrize("make", [llama, mistral, gemma3])
@pytest.mark.parametrize("together", [3, 16])
def test_long_pieces_are_read_in_parts_with_the_same_result(
    make: Maker, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, prompts = built(make), prompts_of_all_kinds()
    expected = texts(write(model, prompts, GREEDY, CPU))

    monkeypatch.setattr(ways, "TOGETHER", together)

    assert texts(write(model, prompts, GREEDY, CPU)) == expected


def texts(found: Sequence[Written]) -> list[tuple[tuple[int, ...], str]]:
    return [(one.ids, one.finish) for one in found]


def test_what_prompts_share_at_their_beginning_is_read_once() -> None:
    model, system = built(llama), tokens(34)
    prompts = [system + tokens(6, at) for at in range(1, 9)]
    counts = counted_tokens(model)
    ways.can_slot(model)
    of_the_trial = len(counts)

    write(model, prompts, replace(GREEDY, most=1), CPU)

    # The shared beginning; all but the last token of each rest; the last tokens.
    assert counts[2 * of_the_trial :] == [34, 8 * 5, 8]


def test_samples_of_a_prompt_share_what_is_read_of_it() -> None:
    model = built(llama)
    counts = counted_tokens(model)
    ways.can_slot(model)
    of_the_trial = len(counts)

    write(model, [tokens(30)], Decoding(frozenset(), most=1, temperature=1.0, samples=5), CPU)

    assert counts[2 * of_the_trial :] == [29, 5]


def test_rows_that_have_ended_are_not_computed_any_more() -> None:
    model, prompts = built(llama), [tokens(10, at) for at in range(8)]
    endless = write(model, prompts, replace(GREEDY, end=frozenset()), CPU)
    end = endless[3].ids[4]
    lasting = [
        next((at for at, id in enumerate(one.ids) if id == end), GREEDY.most - 1) + 1 for one in endless
    ]
    counts = counted_tokens(model)

    write(model, prompts, replace(GREEDY, end=frozenset({end})), CPU)

    assert counts[-max(lasting) :] == [sum(last > step for last in lasting) for step in range(max(lasting))]
    assert min(lasting) < max(lasting)


def test_a_text_ends_before_its_end_token_or_at_the_limit() -> None:
    model, prompt = built(llama), tokens(12)
    (endless,) = write(model, [prompt], Decoding(frozenset(), most=9), CPU)
    end = endless.ids[5]
    first = endless.ids.index(end)

    (ended,) = write(model, [prompt], Decoding(frozenset({end, 0}), most=9), CPU)

    assert (endless.finish, len(endless.ids)) == ("length", 9)
    assert (ended.finish, ended.ids) == ("stop", endless.ids[:first])


def test_a_prompt_that_fills_the_context_is_written_nothing_to() -> None:
    assert write(built(llama), [tokens(CONTEXT)], GREEDY, CPU) == [Written((), "length", 0.0)]


def test_nothing_is_written_where_nothing_may_be() -> None:
    model = built(llama)

    assert write(model, [[5]], replace(GREEDY, most=0), CPU) == [Written((), "length", 0.0)]
    assert write(model, [], GREEDY, CPU) == []


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([], "Prompt 1 is empty."),
        (tokens(CONTEXT + 1), f"Prompt 1 has {CONTEXT + 1} tokens, more than the model's {CONTEXT}."),
    ],
)
def test_prompts_that_cannot_be_read_are_refused(prompt: list[int], message: str) -> None:
    with pytest.raises(ValueError) as error:
        write(built(llama), [[5], prompt], GREEDY, CPU)

    assert str(error.value) == message


def log_probabilities(model: Any, prompt: Sequence[int], ids: Sequence[int]) -> Tensor:
    """(tokens,) log-probability of each token of an answer, from one pass without a cache."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *ids]]), use_cache=False).logits[0, len(prompt) - 1 : -1]
    found: Tensor = logits.log_softmax(-1).gather(1, torch.tensor([list(ids)]).T)[:, 0]
    return found


def test_the_log_probability_is_that_of_the_whole_text_with_its_end() -> None:
    model, prompts = built(llama), prompts_of_all_kinds()[:-1]
    end = write(model, prompts, GREEDY, CPU)[0].ids[3]

    found = write(model, prompts, replace(GREEDY, end=frozenset({end})), CPU)

    assert {one.finish for one in found} == {"stop", "length"}
    for prompt, one in zip(prompts, found, strict=True):
        ids = [*one.ids, end] if one.finish == "stop" else one.ids
        assert one.log_probability == pytest.approx(
            float(log_probabilities(model, prompt, ids).sum()), abs=1e-3
        )


def test_what_is_drawn_for_a_prompt_does_not_depend_on_the_batch() -> None:
    model, prompts = built(llama), prompts_of_all_kinds()
    how = Decoding(frozenset({END}), most=8, temperature=3.0, top_p=0.9, seed=5, samples=3)

    together, one_by_one = write(model, prompts, how, CPU), write(model, prompts, how, CPU, budget_tokens=1)

    assert texts(together) == texts(one_by_one)
    assert len(together) == 3 * len(prompts)
    assert together[0].ids != together[1].ids
    assert texts(together) != texts(write(model, prompts, replace(how, seed=6), CPU))


def test_fewer_samples_are_the_first_of_more() -> None:
    model, how = built(llama), Decoding(frozenset({END}), most=8, temperature=3.0, samples=4)

    assert (
        texts(write(model, [tokens(5)], replace(how, samples=2), CPU))
        == texts(write(model, [tokens(5)], how, CPU))[:2]
    )


def test_tokens_are_drawn_as_often_as_their_probabilities_say() -> None:
    logits = torch.tensor([2.0, 0.5, -1.0, 1.0, -torch.inf])
    uniform = (torch.arange(10_000) + 0.5) / 10_000

    found, told = drawn(logits.expand(10_000, -1), uniform, temperature=2.0)

    expected = torch.softmax(logits / 2, -1)
    assert torch.allclose(torch.bincount(found, minlength=5) / 10_000, expected, atol=2e-4)
    assert torch.allclose(told.float(), expected.log()[found], atol=1e-5)


@pytest.mark.parametrize("vocabulary", [5, 3000])
def test_only_the_tokens_that_reach_top_p_are_drawn(vocabulary: int) -> None:
    logits = torch.full((vocabulary,), -30.0)
    logits[:4] = torch.tensor([0.5, 0.2, 0.25, 0.05]).log()
    uniform = torch.tensor([0.0, 0.3, 0.6, 0.8, 1 - 2**-24])

    found, told = drawn(logits.expand(5, -1), uniform, temperature=1.0, top_p=0.7)

    assert found.tolist() == [0, 0, 0, 2, 2]
    assert torch.allclose(told.float(), torch.tensor([0.5, 0.5, 0.5, 0.25, 0.25]).div(0.75).log(), atol=1e-5)


def test_a_nucleus_wider_than_what_is_looked_at_first_is_found_whole() -> None:
    _, told = drawn(torch.zeros(1, 3000), torch.tensor([0.999]), temperature=1.0, top_p=0.5)

    assert told.exp().item() == pytest.approx(1 / 1500)


@pytest.mark.parametrize("make", [llama, mistral, lfm2, mamba])
def test_a_stream_yields_the_same_text_token_by_token(make: Maker) -> None:
    model = built(make)
    prompt = tokens(15)

    assert list(stream(model, prompt, GREEDY, CPU)) == list(write(model, [prompt], GREEDY, CPU)[0].ids)


def test_a_dialogue_reads_only_what_is_new_in_a_turn() -> None:
    model = built(llama)
    dialogue, prompt = Dialogue(model, CPU), tokens(20)
    answer = list(dialogue.stream(prompt, GREEDY))
    counts = counted_tokens(model)
    following = [*prompt, *answer, *tokens(9, 1)]

    second = list(dialogue.stream(following, replace(GREEDY, most=4)))

    assert tuple(second) == write(model, [following], replace(GREEDY, most=4), CPU)[0].ids
    assert counts[0] <= 9
    assert dialogue.finish == "length"


def test_a_dialogue_may_go_back_and_begin_anew() -> None:
    model = built(mistral)
    dialogue = Dialogue(model, CPU)
    list(dialogue.stream(tokens(40), GREEDY))

    for prompt in (tokens(40)[:25] + tokens(3, 2), tokens(7, 3), tokens(60, 4), tokens(60, 4)):
        assert tuple(dialogue.stream(prompt, GREEDY)) == write(model, [prompt], GREEDY, CPU)[0].ids


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("make", [llama, gpt2, mistral, gemma3])
def test_models_of_other_precisions_are_read_in_slots_too(make: Maker, dtype: torch.dtype) -> None:
    model = built(make).to(dtype)

    assert way_of(model) == SLOTTED
    assert (
        len(write(model, [tokens(5), tokens(9)], replace(GREEDY, end=frozenset()), CPU)[0].ids) == GREEDY.most
    )


def test_a_model_without_a_cache_is_told_of() -> None:
    assert doubt_of(built(llama)) == ""
    assert doubt_of(built(mamba)) == (
        "The architecture 'mamba' keeps nothing of what it has read where others can use it again: each new token reads the "
        "whole text anew, so generation takes long."
    )


def test_a_stream_leaves_no_inference_mode_open_while_it_waits() -> None:
    waiting = stream(built(llama), tokens(15), GREEDY, CPU)

    next(waiting)

    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()


def test_logits_that_are_not_finite_are_told() -> None:
    model = built(llama)
    with torch.no_grad():
        model.lm_head.weight[:] = torch.nan

    with pytest.raises(ModelError, match="not finite"):
        write(model, [[5, 6]], GREEDY, CPU)
