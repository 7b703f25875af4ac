"""Chat templates in the manner of well-known models, and tiny tokenizers for them.

tokenizer("chatml")                    a byte-level tokenizer with the template of that name
marked_template("chatml")              the same template, its answers within {% generation %}
talk("Hello", "Hi")                    a conversation: user and assistant in turn
"""

from functools import cache
from typing import Any

from luthier.batches.conversations import Conversation

TEMPLATES: dict[str, str] = {
    "chatml": (
        "{% for m in messages %}{% if loop.first and m.role != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}"
        "<|im_start|>{{ m.role }}\n"
        "{% if m.role == 'assistant' %}[G]{{ m.content }}<|im_end|>[/G]{% else %}{{ m.content }}<|im_end|>"
        "{% endif %}{{ '\n' }}"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "llama3": (
        "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
        "{% if m.role == 'assistant' %}[G]{{ m.content | trim }}<|eot_id|>[/G]"
        "{% else %}{{ m.content | trim }}<|eot_id|>{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
    ),
    "mistral": (
        "{{ bos_token }}{% set ns = namespace(system='', n=0) %}"
        "{% for m in messages %}{% if m.role == 'system' %}{% set ns.system = m.content + '\n\n' %}"
        "{% else %}{% if (m.role == 'user') != (ns.n % 2 == 0) %}"
        "{{ raise_exception('Roles must alternate user/assistant/user/assistant') }}{% endif %}{% set ns.n = ns.n + 1 %}"
        "{% if m.role == 'user' %}{% if loop.last or loop.index0 == messages | length - 2 %}"
        "[INST] {{ ns.system + m.content }} [/INST]"
        ""
        "{% else %}[INST] {{ m.content }} [/INST]{% endif %}"
        "{% else %}[G] {{ m.content | trim }}</s>[/G]{% endif %}{% endif %}{% endfor %}"
    ),
    "gemma": (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}"
        "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
        "{% if m.role == 'assistant' %}[G]{{ m.content | trim }}<end_of_turn>[/G]"
        "{% else %}{{ m.content | trim }}<end_of_turn>{% endif %}"
        "{{ '\n' }}{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
    ),
    "qwen3": (
        "{% set ns = namespace(last=-1) %}{% for m in messages %}"
        "{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{% if m.role == 'assistant' %}{% set said = m.content.split('</think>')[-1].lstrip('\n') %}"
        "{% set thought = m.content.split('</think>')[0].split('<think>')[-1] if '</think>' in m.content else '' %}"
        "[G]{% if loop.index0 > ns.last %}<think>\n{{ thought.strip('\n') }}\n</think>\n\n{% endif %}{{ said }}<|im_end|>[/G]"
        "{% else %}{{ m.content }}<|im_end|>{% endif %}{{ '\n' }}"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "zephyr": (
        "{% for m in messages %}<|{{ m.role }}|>\n"
        "{% if m.role == 'assistant' %}[G]{{ m.content + eos_token }}[/G]{% else %}{{ m.content + eos_token }}"
        "{% endif %}{{ '\n' }}"
        "{% if loop.last and add_generation_prompt %}<|assistant|>\n{% endif %}{% endfor %}"
    ),
    "phi": (
        "{% for m in messages %}<|{{ m.role }}|>\n"
        "{% if m.role == 'assistant' %}[G]{{ m.content }}<|end|>[/G]{% else %}{{ m.content }}<|end|>"
        "{% endif %}{{ '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}"
    ),
    "deepseek": (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}<|Assistant|>"
        "[G]{{ m.content.split('</think>')[-1] }}</s>[/G]{% else %}<|User|>{{ m.content }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}"
    ),
    "glued": (
        "{% for m in messages %}{{ m.role }}:{% if m.role == 'assistant' %}[G]{{ m.content }}</s>[/G]"
        "{% else %}{{ m.content }}\n{% endif %}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
    ),
}
"""`[G]` and `[/G]` stand where an answer that is to be learnt begins and ends."""

SPECIAL = [
    "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "[INST]", "[/INST]",
    "<start_of_turn>", "<end_of_turn>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|User|>", "<|Assistant|>",
]  # fmt: skip
"""Special tokens of all of them, so that one tokenizer serves every template."""
KINDS = ("bytes", "untrimmed", "characters")
CORPUS = [
    "Hello, how are you today? I am well: thank you.",
    "assistant:Paris is the capital. user:What is the capital of France?",
    "  blanks and\n\nlines\n and  more ... numbers 12 345",
    "system assistant user tool model think",
] * 4


def template(name: str) -> str:
    return TEMPLATES[name].replace("[G]", "").replace("[/G]", "")


def marked_template(name: str) -> str:
    return TEMPLATES[name].replace("[G]", "{% generation %}").replace("[/G]", "{% endgeneration %}")


@cache
def backend(kind: str = "bytes") -> str:
    """A BPE tokenizer over bytes as GPT-2 has it, whose offsets leave blanks out unless it is `untrimmed`, or over
    `characters`, with bytes for the rest, as Llama 2 has it."""
    from tokenizers import (
        AddedToken,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    if kind != "characters":
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        made.post_processor = processors.ByteLevel(trim_offsets=kind == "bytes")
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        made.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        alphabet = []
    fallback = [] if kind != "characters" else ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=fallback, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    made.add_tokens([AddedToken(token, special=False, normalized=False) for token in ("<think>", "</think>")])
    return str(made.to_str())


def tokenizer(name: str | None = None, kind: str = "bytes", text: str | None = None) -> Any:
    """A fast tokenizer with the template of a name, or with a template's text, or with none."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    made = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(backend(kind)), bos_token="<s>", eos_token="</s>"
    )
    made.chat_template = text if name is None else template(name)
    return made


def talk(*contents: str, system: str | None = None) -> Conversation:
    """A conversation in which user and assistant speak in turn, the user first."""
    turns = [{"role": "assistant" if at % 2 else "user", "content": one} for at, one in enumerate(contents)]
    return Conversation((*([] if system is None else [{"role": "system", "content": system}]), *turns))
