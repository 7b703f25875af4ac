"""What a base says, and how far another body is from that: against transformers' own logits, over whole vocabularies."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForImageClassification

from luthier.batches.examples import Batch
from luthier.batches.text_examples import TextExamples
from luthier.models import knowledge
from luthier.models.heads import HEADS
from luthier.models.heads.head import Wanted
from luthier.models.hub.inspect import PROCESSOR, inspect_folder
from luthier.models.knowledge import Neighbours, NextTokens, OwnLabels
from luthier.models.ladder.ladder import find_ladder
from luthier.models.ladder.rung_states import RungStates
from luthier.models.readers.conversations import Conversations
from luthier.models.readers.images import ImageReader
from luthier.models.readers.texts import Texts
from tiny import TINY_IMAGES
from tiny_chats import chatting

TEXTS = ["The parcel was lovely.", "My refund is late, and I want to know why it is so.", "A guitar."]


def shaken(model: nn.Module, by: float = 0.05) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(by * torch.randn_like(weight))


@pytest.fixture
def speaker(tmp_path: Path) -> tuple[Any, Batch, Path]:
    """A tiny llama, three texts as it reads them, and its folder."""
    path = chatting(tmp_path / "llama")
    folder = inspect_folder(str(path), path)
    model = HEADS["language"].build(folder, Wanted(1), None)
    return model.eval(), Conversations(folder, chats=False).general(TEXTS).batch(np.arange(3)), path


def all_logs(body: Any, path: Path) -> np.ndarray:
    """(tokens, vocabulary) of transformers, text after text."""
    reader = Conversations(inspect_folder(str(path), path), chats=False).general(TEXTS)
    found = []
    for row in range(len(TEXTS)):
        ids = torch.from_numpy(reader.ids[reader.ends[row] : reader.ends[row + 1]].astype(np.int64))
        with torch.no_grad():
            found.append(body(ids[None]).logits[0, :-1].log_softmax(1).numpy())
    return np.concatenate(found)


def test_a_language_model_is_as_far_from_its_base_as_over_its_whole_vocabulary(
    speaker: tuple[Any, Batch, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch, path = speaker
    says, monkey = NextTokens(), monkeypatch
    monkey.setattr(knowledge, "LIKELIEST", 10**6)
    with torch.no_grad():
        base = says.of_base(model, batch)
        before = all_logs(AutoModelForCausalLM.from_pretrained(path).eval(), path)
        shaken(model)
        now = says.of_other(model, batch, base)

    after = all_logs(model.body, path)
    found = says.divergences({name: values.numpy() for name, values in base.items()}, now.numpy())

    assert found == pytest.approx(entropy(np.exp(before), np.exp(after), axis=1), rel=1e-3, abs=1e-6)


def test_what_is_unlikely_counts_as_one_outcome_which_makes_no_divergence_larger(
    speaker: tuple[Any, Batch, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch, path = speaker
    says = NextTokens()
    monkeypatch.setattr(knowledge, "LIKELIEST", 3)
    with torch.no_grad():
        base = says.of_base(model, batch)
        before = all_logs(model.body, path)
        shaken(model)
        now = says.of_other(model, batch, base)

    after = all_logs(model.body, path)
    found = says.divergences({name: values.numpy() for name, values in base.items()}, now.numpy())

    assert base["logs"].exp().sum(1).numpy() == pytest.approx(1.0, abs=1e-5)
    assert now.exp().sum(1).numpy() == pytest.approx(1.0, abs=1e-5)
    assert (found <= entropy(np.exp(before), np.exp(after), axis=1) + 1e-6).all()
    assert found.mean() > 0


def test_general_texts_surprise_a_language_model_as_transformers_says(
    speaker: tuple[Any, Batch, Path],
) -> None:
    model, batch, path = speaker
    with torch.no_grad():
        found = NextTokens().general(model, batch).numpy()

    own = AutoModelForCausalLM.from_pretrained(path).eval()
    reader = Conversations(inspect_folder(str(path), path), chats=False).general(TEXTS)
    for row in range(len(TEXTS)):
        ids = torch.from_numpy(reader.ids[reader.ends[row] : reader.ends[row + 1]].astype(np.int64))
        with torch.no_grad():
            loss = float(own(ids[None], labels=ids[None]).loss)
        assert found[row] == pytest.approx([loss * (len(ids) - 1), len(ids) - 1], rel=1e-4)


def test_a_classifier_of_images_says_by_its_own_head_what_transformers_says(tmp_path: Path) -> None:
    path = TINY_IMAGES["vit"](tmp_path / "vit")
    folder = inspect_folder("images", path, PROCESSOR)
    reader = ImageReader(folder)
    model = HEADS["image"].build(folder, Wanted(5, head="image"), reader.preparation)
    says = HEADS["image"].knowledge(folder, model)
    pixels = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    batch = Batch({"pixel_values": pixels}, torch.arange(4), torch.zeros(4), np.arange(4), 4)

    with torch.no_grad():
        found = says.of_base(model.eval(), batch)["logs"]
        own = AutoModelForImageClassification.from_pretrained(path).eval()
        expected = own(model.scaled(pixels)).logits.log_softmax(1)

    assert isinstance(says, OwnLabels)
    assert says.words == f"the {expected.shape[1]} labels of its own head"
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def test_an_encoder_without_outputs_of_its_own_is_known_by_its_neighbours(
    tiny_model: Callable[[str], Path],
) -> None:
    path = tiny_model("sentence_bert")
    folder = inspect_folder(str(path), path)
    model = HEADS["row"].build(folder, Wanted(3), None)

    says = HEADS["row"].knowledge(folder, model)

    assert isinstance(says, Neighbours)
    assert says.words == "which other one of them is nearest by its features"


# States rung by rung


@pytest.mark.parametrize("name", ["bert", "distilbert", "modernbert", "deberta_v2"])
def test_the_states_of_rungs_are_transformers_hidden_states_over_real_tokens(
    name: str, tiny_model: Callable[[str], Path]
) -> None:
    path = tiny_model(name)
    folder = inspect_folder(str(path), path)
    model: Any = HEADS["row"].build(folder, Wanted(3, pooling="mean"), None).eval()
    examples: TextExamples = Texts(folder).general(TEXTS)
    batch = examples.batch(np.arange(3))
    ladder = find_ladder(model, lambda: model(batch))
    states = RungStates(ladder)

    with states.listening(model), torch.no_grad():
        model(batch)
        found = states.taken(batch)
    with torch.no_grad():
        hidden = model.body(**batch.inputs, output_hidden_states=True).hidden_states

    real = batch.inputs["attention_mask"][:, :, None].float()
    assert list(found) == ["embeddings", "block 0", "block 1"]
    for state, expected in list(zip(found.values(), hidden, strict=True))[
        :2
    ]:  # a last norm may follow the last block
        assert state.numpy() == pytest.approx(((expected * real).sum(1) / real.sum(1)).numpy(), abs=1e-4)


def test_the_states_of_packed_sequences_are_those_of_each_alone(speaker: tuple[Any, Batch, Path]) -> None:
    model, batch, path = speaker
    ladder = find_ladder(model, lambda: model(batch))
    states = RungStates(ladder)
    with states.listening(model), torch.no_grad():
        model(batch)
        found = states.taken(batch)

    own = AutoModelForCausalLM.from_pretrained(path).eval()
    reader = Conversations(inspect_folder(str(path), path), chats=False).general(TEXTS)
    for row in range(len(TEXTS)):
        ids = torch.from_numpy(reader.sequence(row))
        with torch.no_grad():
            hidden = own(ids[None], output_hidden_states=True).hidden_states
        for rung, expected in list(zip(found.values(), hidden, strict=True))[:2]:
            assert rung[row].numpy() == pytest.approx(expected[0].mean(0).numpy(), abs=1e-4)


@pytest.mark.parametrize("name", TINY_IMAGES)
def test_every_rung_of_a_network_for_images_has_a_state_for_each_row(name: str, tmp_path: Path) -> None:
    path = TINY_IMAGES[name](tmp_path / name)
    folder = inspect_folder("images", path, PROCESSOR)
    reader = ImageReader(folder)
    model = HEADS["image"].build(folder, Wanted(3, head="image"), reader.preparation).eval()
    pixels = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    batch = Batch({"pixel_values": pixels}, torch.arange(4), torch.zeros(4), np.arange(4), 4)
    ladder = find_ladder(model, lambda: model(batch))
    states = RungStates(ladder)

    with states.listening(model), torch.no_grad():
        model(batch)
        found = states.taken(batch)

    assert {len(state) for state in found.values()} <= {4}
    assert len(found) == (len(ladder.blocks) + 1 if ladder.blocks else 0)
