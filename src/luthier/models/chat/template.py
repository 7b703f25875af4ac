"""A model's chat template: rendered by transformers in jinja2's sandbox, with errors that say what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.batches.conversations import Turn
from luthier.errors import DataError, ModelError, did_you_mean, first_line, listing
from luthier.models.chat.defaults import DEFAULTS, default_name, default_template
from luthier.models.chat.pinned_date import PINNED, pin_date, writes_the_date

WITH_TOOLS = "tool_use"
"""The name under which some models keep a second template, for conversations with tools."""


@dataclass(frozen=True)
class ChatTemplate:
    """A template of jinja2 that turns a conversation into one text.

    The sandbox keeps a template from the process and from the disk, and refuses ranges of more than 100,000 steps. It does not
    bound the time: loops within loops are run to their end.
    """

    tokenizer: Any
    text: str
    """What is rendered, and what is to be saved with the model: the date in it is pinned."""
    for_tools: str
    """The same for conversations with tools; mostly the same text."""
    name: str
    """The name among `DEFAULTS`, or `the model's own`."""

    @property
    def saved(self) -> str | dict[str, str]:
        """What is to be saved as the tokenizer's `chat_template`, so that transformers alone renders the same."""
        return (
            self.text if self.text == self.for_tools else {"default": self.text, WITH_TOOLS: self.for_tools}
        )

    @property
    def told(self) -> list[str]:
        """What a user should know of the template."""
        told = []
        if self.name in DEFAULTS:
            told.append(
                f"The model brings no chat template: {self.name!r} is used, and goes wherever the model is saved."
            )
        if writes_the_date(self.text):
            told.append(
                f"The chat template writes today's date: it is always {PINNED:%d %B %Y}, in training and afterwards, "
                "so that a row is the same tokens on every day."
            )
        return told

    def render(self, turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]], answering: bool) -> str:
        """The text of some turns; with `answering`, the beginning of the assistant's next turn stands at its end."""
        if not turns:
            raise DataError("A conversation has no turns. Leave the row out, or give it a message.")
        from jinja2.exceptions import SecurityError, TemplateSyntaxError

        try:
            rendered = self.tokenizer.apply_chat_template(
                [dict(turn) for turn in turns],
                tools=[dict(tool) for tool in tools] or None,
                chat_template=self.for_tools if tools else self.text,
                add_generation_prompt=answering,
                tokenize=False,
            )
        except SecurityError as error:
            raise ModelError(
                f"The chat template reaches outside of its sandbox ({first_line(error).rstrip('.')}), as no honest template "
                "does. Do not use this model, or give it another template."
            ) from error
        except TemplateSyntaxError as error:
            raise ModelError(
                f"The chat template cannot be read: line {error.lineno}, {first_line(error).rstrip('.')}. "
                "Correct it in the model's folder, or give it another template."
            ) from error
        except Exception as error:  # A template is a program of somebody else's: it may fail in any way.
            raise DataError(refusal(error, [turn.get("role") for turn in turns])) from error
        return str(rendered)


def refusal(error: Exception, roles: Sequence[Any]) -> str:
    """What is said of a conversation that a template does not take: its own words, and what it was given."""
    from jinja2.exceptions import TemplateError

    said = first_line(error).rstrip(".")
    if (
        type(error) is TemplateError
    ):  # What `raise_exception` raises; the library's own errors are subclasses.
        reason = f"The chat template refuses a conversation: {said!r}."
    else:
        reason = f"The chat template fails at a conversation: {type(error).__name__}, {said}."
    return (
        f"{reason} The roles of its turns are {listing(roles)}. "
        "Bring the turns into the order that the template wants, or choose another template."
    )


def open_template(tokenizer: Any, wanted: str | None = None) -> ChatTemplate:
    """The template of a tokenizer, or the default one of a name, or the text of a template that is given whole."""
    if wanted is not None and wanted not in DEFAULTS and "{" not in wanted:
        raise ModelError(
            f"There is no chat template named {wanted!r}: {listing(DEFAULTS)} are known.{did_you_mean(wanted, DEFAULTS)}"
        )
    if wanted is None and not tokenizer.chat_template:
        wanted = default_name(tokenizer)
    if wanted in DEFAULTS:
        text = default_template(tokenizer, wanted)
        return ChatTemplate(tokenizer, text, text, wanted)
    own = wanted or tokenizer.chat_template
    texts = own.values() if isinstance(own, dict) else [own]
    if not all(isinstance(text, str) for text in texts):
        raise ModelError(
            f"chat_template of tokenizer_config.json is {own!r:.80}, and a template is a text, or an object of texts by "
            "name. Correct it in the model's folder, or take the key out: a default template is used then."
        )
    if isinstance(own, str):
        return ChatTemplate(
            tokenizer, pin_date(own), pin_date(own), "the model's own" if wanted is None else "given"
        )
    if "default" not in own:
        raise ModelError(
            f"The model brings the chat templates {listing(own)}, and none named 'default'. Give the template to be used."
        )
    return ChatTemplate(
        tokenizer, pin_date(own["default"]), pin_date(own.get(WITH_TOOLS, own["default"])), "the model's own"
    )
