"""Chat templates for base models, which bring none: by name, in words that every tokenizer can read."""

from typing import Any

from luthier.errors import ModelError

TOOLS = """\
{%- macro called(calls) -%}
{%- for call in calls %}{{ '\\n' if not loop.first else '' }}{{ (call.function or call) | tojson }}{% endfor -%}
{%- endmacro -%}
"""

CHATML = """\
{%- if tools -%}
{{ '<|im_start|>system\\nYou can call these tools:\\n' + (tools | tojson) + '<|im_end|>\\n' }}
{%- endif -%}
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\\n' + (message.content or '') }}
{%- if message.tool_calls -%}{{ called(message.tool_calls) }}{%- endif -%}
{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"""

PLAIN = """\
{%- if tools -%}
{{ 'Tools: ' + (tools | tojson) + '\\n\\n' }}
{%- endif -%}
{%- for message in messages -%}
{{ (message.role | capitalize) + ':\\n' + (message.content or '') }}
{%- if message.tool_calls -%}{{ called(message.tool_calls) }}{%- endif -%}
{{ eos_token + '\\n\\n' if message.role == 'assistant' else '\\n\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ 'Assistant:\\n' }}{%- endif -%}"""

DEFAULTS: dict[str, str] = {"chatml": TOOLS + CHATML, "plain": TOOLS + PLAIN}
"""Templates by name. `chatml` wants the tokens <|im_start|> and <|im_end|>; `plain` writes the roles as words."""

BEGINNING = "{{ bos_token }}"
"""What stands before a default template where the tokenizer begins its texts with a token of its own."""


def default_name(tokenizer: Any) -> str:
    """The default template for a tokenizer: `chatml` where it knows the tokens, `plain` elsewhere."""
    known = tokenizer.get_added_vocab()
    return "chatml" if "<|im_start|>" in known and "<|im_end|>" in known else "plain"


def default_template(tokenizer: Any, name: str) -> str:
    """The text of a default template for a tokenizer, which must have the tokens that it needs."""
    if name == "chatml" and default_name(tokenizer) != "chatml":
        raise ModelError(
            "The chat template 'chatml' needs the tokens <|im_start|> and <|im_end|>, which this model's tokenizer does "
            "not have. Use the template 'plain', which writes the roles as words."
        )
    if tokenizer.eos_token is None:
        raise ModelError(
            "This model's tokenizer has no token that ends a text (eos_token), so that no answer could end. "
            "Choose another model, or name the token in its tokenizer_config.json."
        )
    return (BEGINNING if begins_texts(tokenizer) else "") + DEFAULTS[name]


def begins_texts(tokenizer: Any) -> bool:
    """Whether the tokenizer itself writes its `bos_token` before a text."""
    first = tokenizer("a")["input_ids"][:1]
    return tokenizer.bos_token_id is not None and first == [tokenizer.bos_token_id]
