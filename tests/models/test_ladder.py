"""A model's rungs are found in the model itself, whatever its architecture."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from luthier.errors import ModelError
from luthier.models.ladder.ladder import Ladder, find_ladder

TEXT = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
        "intermediate_size": 64, "max_position_embeddings": 62}  # fmt: skip
IMAGE = {"image_size": 32, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
         "intermediate_size": 64, "patch_size": 8}  # fmt: skip
DEBERTA = TEXT | {"relative_attention": True, "position_buckets": 16, "norm_rel_ebd": "layer_norm", "share_att_key": True,
                  "pos_att_type": ["p2c", "c2p"], "position_biased_input": False, "type_vocab_size": 0}  # fmt: skip
SWIN = {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [2, 1, 2], "num_heads": [2, 2, 2],
        "window_size": 4}  # fmt: skip
T5 = {"vocab_size": 99, "d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 3,
      "num_heads": 2}  # fmt: skip
BART = {"vocab_size": 99, "d_model": 32, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 62}  # fmt: skip


def numbered(path: str, *numbers: int) -> tuple[str, ...]:
    """Paths of blocks: {} stands for 0 up to the number, one number per list."""
    return tuple(path.format(at, inner) for at, count in enumerate(numbers) for inner in range(count))


@dataclass(frozen=True)
class Architecture:
    """An architecture as transformers names it, small, and the blocks it is known to have."""

    name: str
    config: str
    settings: dict[str, Any]
    blocks: tuple[str, ...]
    shared: tuple[str, ...] = ()
    """Parts of the names of weights that blocks, or the head, read by themselves: relative positions, tied words."""
    idle: tuple[str, ...] = ()

    @property
    def reads_text(self) -> bool:
        return "image_size" not in self.settings and "depths" not in self.settings

    def model(self, **settings: Any) -> Any:
        """The model with random weights, and dropout of 0.1 wherever it knows of one."""
        import transformers

        config = getattr(transformers, self.config)(**self.settings | {"num_labels": 3} | settings)
        for name, value in config.to_dict().items():
            if "drop" in name and isinstance(value, int | float) and not isinstance(value, bool):
                setattr(config, name, 0.1)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = getattr(transformers, self.name)(config)
            for weight in model.parameters():  # neither zeros nor ones: each weight shall matter
                weight.data += 0.1 * torch.randn_like(weight)
        return model.eval()

    def inputs(self) -> dict[str, Tensor]:
        if not self.reads_text:
            return {"pixel_values": torch.linspace(-1, 1, 2 * 3 * 32 * 32).sin().reshape(2, 3, 32, 32)}
        mask = torch.ones(2, 7, dtype=torch.int64)
        mask[1, 5:] = 0
        inputs = {"input_ids": torch.arange(14).reshape(2, 7) + 3, "attention_mask": mask}
        if any("decoder." in block for block in self.blocks):
            inputs["decoder_input_ids"] = inputs["input_ids"] + 5
        return inputs

    def ladder(self, model: nn.Module) -> Ladder:
        return find_ladder(model, lambda: model(**self.inputs()))


def classifier(family: str, settings: dict[str, Any], path: str, *numbers: int, **known: Any) -> Architecture:
    kind = "Sequence" if "vocab_size" in settings else "Image"
    return Architecture(
        f"{family}For{kind}Classification", f"{family}Config", settings, numbered(path, *numbers), **known
    )


ARCHITECTURES = {
    "bert": classifier("Bert", TEXT, "bert.encoder.layer.{1}", 3),
    "bert, mean pooling": Architecture(
        "BertModel", "BertConfig", TEXT, numbered("encoder.layer.{1}", 3),
        idle=("pooler.dense.weight", "pooler.dense.bias"),
    ),
    "roberta": classifier("Roberta", TEXT, "roberta.encoder.layer.{1}", 3),
    "deberta_v2": classifier("DebertaV2", DEBERTA, "deberta.encoder.layer.{1}", 3,
                             shared=("rel_embeddings", "encoder.LayerNorm")),
    "deberta_v2, xlarge": Architecture(
        "DebertaV2ForSequenceClassification", "DebertaV2Config",
        DEBERTA | {"conv_kernel_size": 3, "conv_act": "gelu"},
        numbered("deberta.encoder.layer.{1}", 3)[1:],  # a convolution goes around the first one
        shared=("rel_embeddings", "encoder.LayerNorm"),
    ),
    "modernbert": classifier("ModernBert", TEXT | {"global_attn_every_n_layers": 2, "local_attention": 16,
                             "pad_token_id": 2}, "model.layers.{1}", 3),
    "distilbert": classifier("DistilBert", {"vocab_size": 99, "dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64,
                             "max_position_embeddings": 62}, "distilbert.transformer.layer.{1}", 3),
    "electra": classifier("Electra", TEXT | {"embedding_size": 16}, "electra.encoder.layer.{1}", 3),
    "albert": classifier("Albert", TEXT | {"embedding_size": 16}, "albert.encoder.albert_layer_groups.{1}", 1),
    "albert, two groups": classifier("Albert", TEXT | {"embedding_size": 16, "num_hidden_layers": 4,
                                     "num_hidden_groups": 2, "inner_group_num": 2},
                                     "albert.encoder.albert_layer_groups.{1}", 2),
    "mobilebert": classifier("MobileBert", TEXT | {"embedding_size": 16, "intra_bottleneck_size": 16},
                             "mobilebert.encoder.layer.{1}", 3),
    "mpnet": classifier("MPNet", TEXT, "mpnet.encoder.layer.{1}", 3, shared=("relative_attention_bias",)),
    "xlm": Architecture("XLMForSequenceClassification", "XLMConfig",
                        {"vocab_size": 99, "emb_dim": 32, "n_layers": 3, "n_heads": 2, "max_position_embeddings": 62},
                        numbered("transformer.layer_norm2.{1}", 3)),
    "gpt2": Architecture("GPT2LMHeadModel", "GPT2Config",
                         {"n_embd": 32, "n_layer": 3, "n_head": 2, "vocab_size": 99, "n_positions": 62},
                         numbered("transformer.h.{1}", 3), shared=("wte",)),
    "llama": Architecture("LlamaForCausalLM", "LlamaConfig", TEXT | {"num_key_value_heads": 1},
                          numbered("model.layers.{1}", 3)),
    "qwen3": Architecture("Qwen3ForCausalLM", "Qwen3Config", TEXT | {"num_key_value_heads": 1, "head_dim": 16},
                          numbered("model.layers.{1}", 3)),
    "t5": Architecture("T5ForConditionalGeneration", "T5Config", T5,
                       numbered("encoder.block.{1}", 2) + numbered("decoder.block.{1}", 3),
                       shared=("relative_attention_bias", "shared")),
    "bart": Architecture("BartForConditionalGeneration", "BartConfig", BART,
                         numbered("model.encoder.layers.{1}", 2) + numbered("model.decoder.layers.{1}", 3),
                         shared=("shared", "decoder.embed_positions", "decoder.layernorm_embedding")),
    "vit": classifier("ViT", IMAGE, "vit.layers.{1}", 3),
    "deit": classifier("DeiT", IMAGE, "deit.layers.{1}", 3),
    "beit": classifier("Beit", IMAGE | {"use_relative_position_bias": True}, "beit.layers.{1}", 3),
    "beit, shared positions": classifier("Beit", IMAGE | {"use_shared_relative_position_bias": True}, "beit.layers.{1}", 3,
                                         shared=("relative_position_bias",)),
    "swin": classifier("Swin", SWIN, "swin.encoder.layers.{}.blocks.{}", 2, 1, 2),
    "convnext": classifier("ConvNext", {"hidden_sizes": [8, 16, 32], "depths": [2, 1, 3], "num_stages": 3},
                           "convnext.encoder.stages.{}.layers.{}", 2, 1, 3),
    "resnet": classifier("ResNet", {"embedding_size": 8, "hidden_sizes": [16, 32], "depths": [2, 3]},
                         "resnet.encoder.stages.{}.layers.{}", 2, 3),
    "mobilenet_v1": classifier("MobileNetV1", {"image_size": 32, "depth_multiplier": 0.25},
                               "mobilenet_v1.layer.{1}", 26),
    "mobilenet_v2": classifier("MobileNetV2", {"image_size": 32, "depth_multiplier": 0.25},
                               "mobilenet_v2.layer.{1}", 16),
    "efficientnet": classifier("EfficientNet", {"image_size": 32, "width_coefficient": 0.25, "depth_coefficient": 0.3,
                               "hidden_dim": 320}, "efficientnet.encoder.blocks.{1}", 8),
}  # fmt: skip
TEXTS = [name for name, architecture in ARCHITECTURES.items() if architecture.reads_text]


@contextmanager
def last_outputs(model: nn.Module, paths: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
    """Inside, what modules gave when they last ran, by their paths."""
    found: dict[str, Tensor] = {}

    def keep(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            found[path] = output[0] if isinstance(output, tuple) else output

        return hook

    handles = [model.get_submodule(path).register_forward_hook(keep(path)) for path in paths]
    yield found
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_blocks_of_an_architecture_are_found(name: str) -> None:
    architecture = ARCHITECTURES[name]

    ladder = architecture.ladder(architecture.model())

    assert ladder.blocks == architecture.blocks
    assert [rung.module for rung in ladder.rungs] == [None, *architecture.blocks, None]
    assert ladder.rungs[0].name == "embeddings"
    assert ladder.rungs[-1].name == "head"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_parameter_and_module_is_on_one_rung_or_the_parameter_is_idle(name: str) -> None:
    architecture = ARCHITECTURES[name]
    model = architecture.model()

    ladder = architecture.ladder(model)

    dealt = [name for rung in ladder.rungs for name in rung.parameters]
    assert sorted([*dealt, *ladder.idle]) == sorted(name for name, _ in model.named_parameters())
    assert ladder.idle == architecture.idle
    ran = [path for rung in ladder.rungs for path in rung.modules]
    assert sorted(ran) == sorted(path for path, _ in model.named_modules())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_backward_pass_from_a_block_reaches_the_parameters_up_to_its_rung_and_no_others(name: str) -> None:
    """The definition that a frozen prefix stands on, with real gradients."""
    architecture = ARCHITECTURES[name]
    model = architecture.model()
    ladder = architecture.ladder(model)
    weights = dict(model.named_parameters())

    with last_outputs(model, ladder.blocks) as found:
        output = model(**architecture.inputs())
    tops = [*(found[path] for path in ladder.blocks), output[0]]

    below = set(ladder.rungs[0].parameters)
    for rung, top in zip(ladder.rungs[1:], tops, strict=True):
        below |= set(rung.parameters)
        gradients = torch.autograd.grad(
            top.sum(), list(weights.values()), retain_graph=True, allow_unused=True
        )
        reached = {name for name, gradient in zip(weights, gradients, strict=True) if gradient is not None}
        assert reached == below


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_where_a_block_gives_what_it_once_gave_nothing_below_it_matters(name: str) -> None:
    """But for weights that parts above read by themselves (`shared`), and for an encoder that a decoder's blocks all read."""
    architecture = ARCHITECTURES[name]
    model = architecture.model()
    ladder = architecture.ladder(model)
    blocks = [
        at for at, rung in enumerate(ladder.rungs) if rung.module and not rung.name.startswith("decoder")
    ]
    weights = dict(model.named_parameters())

    with torch.no_grad(), last_outputs(model, ladder.blocks) as found:
        expected = model(**architecture.inputs())[0]
    for at in blocks:
        below = [name for rung in ladder.rungs[: at + 1] for name in rung.parameters]
        moved = [name for name in below if not any(part in name for part in architecture.shared)]
        held = {name: weights[name].data.clone() for name in moved}
        path = ladder.rungs[at].module
        assert path is not None
        states = found[path].clone()

        def give(module: nn.Module, args: Any, output: Any, states: Tensor = states) -> Any:
            return (states, *output[1:]) if isinstance(output, tuple) else states

        handle = model.get_submodule(path).register_forward_hook(give)
        for name in moved:
            weights[name].data += 1
        with torch.no_grad():
            given = model(**architecture.inputs())[0]
        handle.remove()
        for name in moved:
            weights[name].data.copy_(held[name])
        assert torch.equal(given, expected), ladder.rungs[at].name


def test_two_towers_are_one_ladder_in_the_order_in_which_they_run() -> None:
    architecture = ARCHITECTURES["t5"]

    ladder = architecture.ladder(architecture.model())

    assert [rung.name for rung in ladder.rungs] == [
        "embeddings", "encoder block 0", "encoder block 1",
        "decoder block 0", "decoder block 1", "decoder block 2", "head",
    ]  # fmt: skip
    assert ladder.note == "its towers are stacked: encoder, decoder."


def test_blocks_with_one_set_of_weights_are_one_rung() -> None:
    notes = {
        name: ARCHITECTURES[name].ladder(ARCHITECTURES[name].model()).note
        for name in ("albert", "albert, two groups")
    }

    assert notes == {
        "albert": "its 3 blocks share one set of weights: they train all together or not at all.",
        "albert, two groups": "its 4 blocks share 2 sets of weights: each set trains as one block.",
    }


def test_relative_positions_that_all_blocks_read_are_on_the_lowest_rung_they_reach() -> None:
    architecture = ARCHITECTURES["deberta_v2"]

    ladder = architecture.ladder(architecture.model())

    assert "deberta.encoder.rel_embeddings.weight" in ladder.rungs[1].parameters
    assert "deberta.encoder.LayerNorm.weight" in ladder.rungs[1].parameters


def test_what_joins_two_stages_belongs_to_the_block_above_it() -> None:
    architecture = ARCHITECTURES["swin"]

    ladder = architecture.ladder(architecture.model())

    rung = ladder.rungs[3]
    assert rung.module == "swin.encoder.layers.1.blocks.0"
    assert "swin.encoder.layers.0.downsample.reduction.weight" in rung.parameters
    assert "swin.encoder.layers.0.downsample.reduction" in rung.modules


def test_a_tied_weight_counts_at_its_lowest_place() -> None:
    model = ARCHITECTURES["gpt2"].model()

    ladder = ARCHITECTURES["gpt2"].ladder(model)

    assert model.lm_head.weight is model.transformer.wte.weight
    assert "transformer.wte.weight" in ladder.rungs[0].parameters
    assert ladder.rungs[-1].parameters == ("transformer.ln_f.weight", "transformer.ln_f.bias")


def test_below_head_counts_from_the_head_down() -> None:
    ladder = ARCHITECTURES["bert"].ladder(ARCHITECTURES["bert"].model())

    assert [ladder.below_head(at) for at in range(5)] == [4, 3, 2, 1, 0]


def test_the_model_is_left_as_it_was_also_when_it_fails() -> None:
    model = ARCHITECTURES["resnet"].model().train()
    model.resnet.encoder.stages[0].eval()
    model.classifier.requires_grad_(False)
    modes = [module.training for module in model.modules()]
    asked = [weight.requires_grad for weight in model.parameters()]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def fail() -> None:
        model(**ARCHITECTURES["resnet"].inputs())
        raise KeyError("no such input")

    ladder = ARCHITECTURES["resnet"].ladder(model)
    with pytest.raises(KeyError):
        find_ladder(model, fail)

    assert "classifier.1.weight" in ladder.rungs[-1].parameters
    assert [module.training for module in model.modules()] == modes
    assert [weight.requires_grad for weight in model.parameters()] == asked
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_ladder_can_be_asked_for_where_gradients_are_off() -> None:
    architecture = ARCHITECTURES["bert"]
    model = architecture.model().requires_grad_(False)

    with torch.no_grad():
        ladder = architecture.ladder(model)

    assert ladder.blocks == architecture.blocks


class Bends(nn.Module):
    """Nothing in it repeats."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.turn, self.out = nn.Embedding(9, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.spare = nn.Linear(1, 1)

    def forward(self, ids: Tensor) -> Tensor:
        found: Tensor = self.out(functional.relu(self.turn(self.words(ids))))
        return found


def test_a_model_without_repeated_blocks_is_all_head() -> None:
    model = Bends()

    ladder = find_ladder(model, lambda: model(torch.arange(3)))

    assert [(rung.name, rung.module) for rung in ladder.rungs] == [("embeddings", None), ("head", None)]
    assert ladder.rungs[0].parameters == ladder.rungs[0].modules == ()
    assert ladder.rungs[1].parameters == (
        "words.weight", "turn.weight", "turn.bias", "out.weight", "out.bias",
    )  # fmt: skip
    assert ladder.idle == ("spare.weight", "spare.bias")
    assert ladder.note == "no repeated blocks were found: it trains as a whole."


def test_branches_side_by_side_are_no_blocks() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branches = nn.ModuleList(nn.Linear(4, 4) for _ in range(6))
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))

        def forward(self, values: Tensor) -> Tensor:
            values = sum(branch(values) for branch in self.branches)
            for layer in self.layers:
                values = values + layer(values).relu()
            return values

    model = Branches()

    assert find_ladder(model, lambda: model(torch.ones(1, 4))).blocks == ()


def test_equal_layers_in_lists_of_other_names_are_one_chain() -> None:
    """As torchvision's ResNets have them: layer1, layer2, ..."""

    class Stages(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer1 = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
            self.layer2 = nn.Sequential(nn.Linear(4, 4))

        def forward(self, values: Tensor) -> Tensor:
            found: Tensor = self.layer2(self.layer1(values).relu())
            return found

    model = Stages()

    assert find_ladder(model, lambda: model(torch.ones(1, 4))).blocks == ("layer1.0", "layer1.1", "layer2.0")


def test_an_output_that_no_weight_reaches_is_refused_with_the_reason() -> None:
    with pytest.raises(ModelError) as caught:
        find_ladder(nn.Dropout(), lambda: torch.ones(1))

    assert str(caught.value) == (
        "The model's output depends on none of its weights, so there is nothing to train."
    )
