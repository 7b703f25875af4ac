"""What trains when and how fast, and what stands still while it does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from luthier.errors import ModelError
from luthier.models.ladder.ladder import Ladder, find_ladder
from luthier.models.ladder.policies import (
    AllRungs,
    FrozenEmbeddings,
    HeadRate,
    LayerDecay,
    Policy,
    Thaw,
    TopRungs,
    frozen_prefix,
    stages,
)
from luthier.models.ladder.trainable import reinitialise, set_modes
from models.test_ladder import ARCHITECTURES, TEXTS, last_outputs
from tiny import Opened, messages, opened

DEPTH = 3
"""Rungs under the head: embeddings and two blocks."""


def scales(policy: Policy, epoch: int = 0) -> list[float]:
    """Multipliers from the embeddings up to the head."""
    return [policy.scale(below_head, epoch) for below_head in range(DEPTH, -1, -1)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (AllRungs(), [1, 1, 1, 1]),
        (TopRungs(0), [0, 0, 0, 1]),
        (TopRungs(2), [0, 1, 1, 1]),
        (TopRungs(9), [1, 1, 1, 1]),
        (LayerDecay(AllRungs(), 0.5), [0.125, 0.25, 0.5, 1]),
        (LayerDecay(TopRungs(1), 0.5), [0, 0, 0.5, 1]),
        (HeadRate(AllRungs(), 10), [1, 1, 1, 10]),
        (HeadRate(LayerDecay(TopRungs(1), 0.5), 10), [0, 0, 0.5, 10]),
        (FrozenEmbeddings(AllRungs(), DEPTH), [0, 1, 1, 1]),
    ],
)
def test_a_policy_gives_each_rung_its_multiplier(policy: Policy, expected: list[float]) -> None:
    assert scales(policy) == scales(policy, epoch=5) == expected


def test_thawing_frees_one_more_rung_each_time() -> None:
    assert [scales(Thaw(), epoch) for epoch in range(5)] == [
        [0, 0, 0, 1],
        [0, 0, 1, 1],
        [0, 1, 1, 1],
        [1, 1, 1, 1],
        [1, 1, 1, 1],
    ]
    assert [scales(Thaw(every=2), epoch) for epoch in (1, 2, 3)] == [
        [0, 0, 0, 1],
        [0, 0, 1, 1],
        [0, 0, 1, 1],
    ]


def test_rates_of_ulmfit_fall_by_2_6_from_rung_to_rung() -> None:
    """Howard and Ruder 2018, arXiv:1801.06146, section 3.2: the rate of a layer is that of the next one over 2.6."""
    found = scales(LayerDecay(AllRungs(), 1 / 2.6))

    assert np.allclose(np.array(found[1:]) / found[:-1], 2.6)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (AllRungs(), [0]),
        (TopRungs(0), [3]),
        (TopRungs(1), [2]),
        (Thaw(), [3, 2, 1, 0]),
        (Thaw(every=2), [3, 2, 1, 0]),
        (FrozenEmbeddings(AllRungs(), DEPTH), [1]),
        (FrozenEmbeddings(Thaw(), DEPTH), [3, 2, 1]),
    ],
)
def test_a_run_goes_through_the_depths_of_its_frozen_prefix(policy: Policy, expected: list[int]) -> None:
    assert stages(policy, DEPTH, epochs=9) == expected
    assert stages(policy, DEPTH, epochs=1) == expected[:1]


def test_only_what_lies_below_all_that_trains_is_a_prefix() -> None:
    class Middle(Policy):
        def scale(self, below_head: int, epoch: int) -> float:
            return 1.0 if below_head == 2 else 0.0

    assert scales(Middle()) == [0, 1, 0, 0]
    assert frozen_prefix(Middle(), DEPTH, epoch=0) == 1


def bert() -> tuple[Any, Ladder]:
    model = ARCHITECTURES["bert"].model()
    return model, ARCHITECTURES["bert"].ladder(model)


def training(model: nn.Module) -> set[str]:
    """Paths of the modules in training mode that have no others inside."""
    return {path for path, module in model.named_modules() if module.training and not list(module.children())}


def leaves(model: nn.Module, *paths: str) -> set[str]:
    return {
        name
        for name, module in model.named_modules()
        if not list(module.children()) and name.startswith(paths)
    }


def test_frozen_rungs_are_in_evaluation_mode_and_the_others_train() -> None:
    model, ladder = bert()
    found = {}

    for frozen in (2, 1, 0):
        set_modes(model, ladder, frozen)
        found[frozen] = training(model)

    above = ("bert.encoder.layer.1", "bert.encoder.layer.2", "bert.pooler", "dropout", "classifier")
    assert found[2] == leaves(model, *above)
    assert found[1] == leaves(model, *above, "bert.encoder.layer.0")
    assert found[0] == leaves(model, "")


@pytest.mark.parametrize("name", TEXTS)
def test_a_frozen_prefix_computes_in_training_what_it_computes_in_evaluation(name: str) -> None:
    """Dropout is 0.1 everywhere; a prefix of `frozen` rungs ends at the output of the last block among them."""
    architecture = ARCHITECTURES[name]
    model = architecture.model()
    ladder = architecture.ladder(model)
    entered: list[Tensor] = []
    first = model.get_submodule(ladder.blocks[0])
    first.register_forward_pre_hook(
        lambda module, args, kwargs: entered.append([*args, *kwargs.values()][0]), with_kwargs=True
    )

    def run(seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        entered.clear()
        with torch.no_grad(), last_outputs(model, ladder.blocks) as found:
            model(**architecture.inputs())
        return {"embeddings": entered[0], **found}

    expected = run(0)
    tops = list(expected)
    assert tops == ["embeddings", *ladder.blocks]
    for frozen, top in enumerate(tops, 1):
        set_modes(model, ladder, frozen)
        found = [run(seed)[top] for seed in (1, 2)]

        assert torch.equal(found[0], expected[top]), frozen
        assert torch.equal(found[1], expected[top]), frozen

    set_modes(model, ladder, 0)
    one, other = run(1), run(2)
    assert not torch.equal(one[tops[-1]], other[tops[-1]])


def test_dropout_that_the_body_applies_before_its_first_block_stands_still_with_the_embeddings() -> None:
    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))

        def forward(self, values: Tensor) -> Tensor:
            values = functional.dropout(values, 0.5, self.training)
            for layer in self.layers:
                values = layer(values)
            return values

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.body, self.dropout = nn.Embedding(9, 4), Body(), nn.Dropout()

        def forward(self, ids: Tensor) -> Tensor:
            found: Tensor = self.dropout(self.body(self.words(ids)))
            return found

    model = Model()
    ladder = find_ladder(model, lambda: model(torch.arange(5)))

    set_modes(model, ladder, 1)

    assert not model.body.training
    assert all(module.training for module in (model.body.layers[0], model.body.layers[1], model.dropout))


def test_batch_norms_keep_their_statistics_unless_they_are_asked_to_be_live() -> None:
    architecture = ARCHITECTURES["resnet"]
    model = architecture.model()
    ladder = architecture.ladder(model)
    norms = {path for path, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)}
    frozen = {path for rung in ladder.rungs[:3] for path in rung.modules}

    def moved(**settings: bool) -> set[str]:
        """Batch norms whose statistics a training pass changed."""
        set_modes(model, ladder, 3, **settings)
        before = {path: model.get_submodule(path).running_mean.clone() for path in norms}
        with torch.no_grad():
            model(**architecture.inputs())
        return {
            path for path in norms if not torch.equal(before[path], model.get_submodule(path).running_mean)
        }

    assert norms & frozen
    assert norms - frozen
    assert moved() == set()
    assert moved(frozen_batch_norm=False) == norms - frozen


def laddered(folder: Path) -> tuple[Opened, Ladder]:
    """A tiny classifier as a run opens it, with the weights of its folder."""
    found = opened(folder, messages(8))
    few = found.examples.batch(np.arange(2))
    return found, find_ladder(found.model, lambda: found.model(few))


def changed(model: nn.Module, act: Callable[[], None]) -> set[str]:
    """Parameters that something changed."""
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    act()
    return {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}


def test_the_top_blocks_start_anew_as_their_architecture_draws_them(
    tiny_model: Callable[[str], Path],
) -> None:
    found, ladder = laddered(tiny_model("bert"))
    model = found.model
    for weight in model.parameters():
        weight.data += 0.01  # norms and biases, too, differ from fresh ones

    moved = changed(model, lambda: reinitialise(model, ladder, 1, seed=0))

    assert moved == set(ladder.rungs[2].parameters)
    block = model.get_submodule(ladder.blocks[1])
    for name, weight in block.named_parameters():
        if weight.ndim > 1:
            assert float(weight.detach().std()) == pytest.approx(
                0.1, rel=0.1
            )  # initializer_range of the tiny models
        elif "LayerNorm.weight" in name:
            assert bool((weight == 1).all())
        else:
            assert bool((weight == 0).all())


def test_fresh_blocks_are_a_function_of_the_seed_and_their_place(tiny_model: Callable[[str], Path]) -> None:
    def drawn(blocks: int, seed: int) -> Tensor:
        found, ladder = laddered(tiny_model("bert"))
        torch.rand(blocks)  # what else was drawn does not count
        reinitialise(found.model, ladder, blocks, seed)
        return torch.cat([found.model.get_parameter(name).flatten() for name in ladder.rungs[2].parameters])

    first = drawn(1, seed=0)

    assert torch.equal(drawn(1, seed=0), first)
    assert torch.equal(drawn(2, seed=0), first)
    assert torch.equal(drawn(9, seed=0), first)
    assert not torch.equal(drawn(1, seed=1), first)


def test_no_fresh_blocks_are_none() -> None:
    model, ladder = bert()

    assert changed(model, lambda: reinitialise(model, ladder, 0, seed=0)) == set()


def test_a_fresh_block_of_gpt2_draws_what_leads_back_into_its_stream_more_narrowly() -> None:
    """By 1 / sqrt(2 x layers); Radford et al. 2019, section 2.3."""
    model = ARCHITECTURES["gpt2"].model()

    reinitialise(model, ARCHITECTURES["gpt2"].ladder(model), 1, seed=0)

    block, std = model.transformer.h[2], model.config.initializer_range
    assert float(block.mlp.c_fc.weight.detach().std()) == pytest.approx(std, rel=0.1)
    assert float(block.mlp.c_proj.weight.detach().std()) == pytest.approx(std / 6**0.5, rel=0.1)


@pytest.mark.parametrize("name", ["swin", "xlm", "modernbert", "albert"])
def test_all_modules_whose_weights_are_on_a_rung_start_anew_together(name: str) -> None:
    """Swin joins two stages between blocks; XLM keeps attentions and norms in lists of their own."""
    architecture = ARCHITECTURES[name]
    model = architecture.model()
    ladder = architecture.ladder(model)

    moved = changed(model, lambda: reinitialise(model, ladder, 1, seed=0))

    assert moved == set(ladder.rungs[-2].parameters)


def test_a_model_that_does_not_say_how_it_draws_weights_is_refused() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    ladder = find_ladder(model, lambda: model(torch.ones(1, 2)))

    with pytest.raises(ModelError) as caught:
        reinitialise(model, ladder, 1, seed=0)

    assert str(caught.value) == ("Sequential does not say how its weights are drawn. Leave train.reinit out.")
