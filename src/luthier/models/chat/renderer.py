"""The one way from a conversation to token numbers: training, answering, scoring and serving all use it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any, get_args

from luthier.batches.conversations import WEIGHT, Conversation
from luthier.errors import DataError, ModelError, PlanError, did_you_mean, listing
from luthier.models.chat.encoding import Encoded, encode_all, encode_apart
from luthier.models.chat.locate import Learnt, locate
from luthier.models.chat.losses import lost
from luthier.models.chat.masks import answered, straddled
from luthier.models.chat.messages import Arguments, messages_of
from luthier.models.chat.probe import Probed, added_tokens, arguments_shape, probe
from luthier.models.chat.rendered import Rendered
from luthier.models.chat.spans import Located, Script
from luthier.models.chat.special_text import SpecialText, special_text, unmarked
from luthier.models.chat.template import ChatTemplate, open_template

SPECIAL_TEXT, APART, STRADDLED, UNLEARNT = "special-text", "apart", "straddled", "unlearnt"


@dataclass(frozen=True, eq=False)
class Renderer:
    """A tokenizer and a chat template. It keeps nothing of the conversations that it renders."""

    tokenizer: Any
    template: ChatTemplate
    probed: Probed
    stops: tuple[int, ...] = ()
    """Token ids that end a text by the model's generation settings, beside those found here."""

    @property
    def end(self) -> tuple[int, ...]:
        """Token ids that end a turn, the one that is trained first."""
        eos = () if self.tokenizer.eos_token_id is None else (self.tokenizer.eos_token_id,)
        return tuple(dict.fromkeys((self.probed.end_token, *eos, *self.stops)))

    @property
    def told(self) -> list[str]:
        """What a user should know: of the template and, once a row has calls of tools, of what was tried for them."""
        told = [*self.template.told, *self.probed.told]
        return [*told, self.tried[1]] if "tried" in self.__dict__ else told

    @cached_property
    def tried(self) -> tuple[Arguments, str]:
        """How the arguments of a tool's call are given to this template, and a sentence on what was tried."""
        return arguments_shape(self.template)

    def training(self, conversation: Conversation, learnt: Learnt = "answers") -> Rendered:
        """The tokens of a whole conversation, and which of them are learnt."""
        return self.trainings([conversation], learnt)[0]

    def trainings(self, conversations: Sequence[Conversation], learnt: Learnt = "answers") -> list[Rendered]:
        """The same of many conversations, much faster than one by one."""
        if learnt not in get_args(Learnt):
            raise PlanError(
                f"{learnt!r} does not say which turns are learnt: {listing(get_args(Learnt))} do."
                f"{did_you_mean(learnt, get_args(Learnt))}"
            )
        return [rendered for _, _, rendered in self.read(conversations, learnt)]

    def read(
        self, conversations: Sequence[Conversation], learnt: Learnt
    ) -> list[tuple[Located, Encoded, Rendered]]:
        """Each conversation as text with its answers, as tokens with their places, and as what is trained on."""
        scripts = [self.script(one) for one in conversations]
        located = [locate(script, learnt) for script in scripts]
        wholes = encode_all(self.tokenizer, [one.text for one in located])
        prompts = [one.ids for one in encode_all(self.tokenizer, [one.prompt or "" for one in located])]
        found = []
        for script, given, one, whole, prompt in zip(
            scripts, conversations, located, wholes, prompts, strict=True
        ):
            remarks = [*self.remarks(script, given, one.text), *one.remarks]
            if whole.ids[: len(prompt)] != prompt:
                whole = encode_apart(self.tokenizer, one.text, cut=len(one.prompt or ""))
                remarks.append(APART)
            if any(straddled(whole, begin) for begin, _ in one.spans if begin < len(one.prompt or one.text)):
                remarks.append(STRADDLED)
            if script.unlearnt and learnt != "all":
                remarks.append(UNLEARNT)
            trained = [True] * len(whole.ids) if learnt == "all" else answered(one, whole, len(prompt))
            found.append((one, whole, Rendered(whole.ids, trained, tuple(remarks))))
        return found

    def refusals(self, conversations: Sequence[Conversation]) -> dict[int, str]:
        """What the template says to the conversations that it does not take, by their number, to be told all at once."""
        found = {}
        for row, conversation in enumerate(conversations):
            try:
                locate(self.script(conversation), "last")
            except DataError as error:
                found[row] = str(error)
        return found

    def prompt(self, conversation: Conversation) -> list[int]:
        """The tokens before the answer to a conversation; an assistant's turn at its end is not seen."""
        return self.prompts([conversation])[0]

    def prompts(self, conversations: Sequence[Conversation]) -> list[list[int]]:
        """The same of many conversations."""
        scripts = [self.script(one.prompt) for one in conversations]
        texts = [script.render(len(script.messages), True) for script in scripts]
        return [one.ids for one in encode_all(self.tokenizer, texts)]

    def wholes(self, conversations: Sequence[Conversation]) -> list[list[int]]:
        """The tokens of whole conversations to which nothing is added: read at once, as any tokenizer reads their text."""
        texts = [locate(self.script(one), "last").text for one in conversations]
        return [one.ids for one in encode_all(self.tokenizer, texts)]

    def said(self, ids: Iterable[int]) -> str:
        """What an answer says that was generated as these tokens: up to the end, and without what the template puts before it."""
        end = frozenset(self.end)
        kept = list(takewhile(lambda number: number not in end, ids))
        text = str(self.tokenizer.decode(kept, clean_up_tokenization_spaces=False))
        return without(self.probed.lead, text)

    def text(self, conversation: Conversation) -> str:
        """The whole conversation as the model reads it in training."""
        return unmarked(locate(self.script(conversation), "last").text)

    def prompt_text(self, conversation: Conversation) -> str:
        """What the model reads before it answers."""
        script = self.script(conversation.prompt)
        return unmarked(script.render(len(script.messages), True))

    def marked(self, conversation: Conversation, learnt: Learnt = "answers") -> list[tuple[str, bool]]:
        """The conversation in pieces of text, each with whether its tokens are learnt, to be shown."""
        ((located, encoded, rendered),) = self.read([conversation], learnt)
        first = [at for at in range(1, len(rendered.ids)) if rendered.trained[at] != rendered.trained[at - 1]]
        # The end of the token before: the beginning of one leaves out the blank that it may begin with.
        borders = [0, *(encoded.ends[at - 1] for at in first), len(located.text)]
        flags = [rendered.trained[at] for at in (0, *first)] if rendered.ids else [False]
        return [
            (unmarked(located.text[begin:end]), trained)
            for begin, end, trained in zip(borders, borders[1:], flags, strict=False)
        ]

    def script(self, conversation: Conversation) -> Script:
        """A conversation as messages, in which text that looks like a special token is marked as text."""
        messages = messages_of(conversation.turns, self.shape(conversation))
        marked = [self.special_text.marked(message) for message in messages]
        marked_tools = [self.special_text.marked_tool(tool) for tool in conversation.tools]
        return Script(
            self.template,
            self.probed,
            [new or old for new, old in zip(marked, messages, strict=True)],
            [new or old for new, old in zip(marked_tools, conversation.tools, strict=True)],
            self.end_tokens,
            (SPECIAL_TEXT,) if any(marked) or any(marked_tools) else (),
            frozenset(at for at, turn in enumerate(conversation.turns) if turn.get(WEIGHT) == 0),
        )

    def shape(self, conversation: Conversation) -> Arguments:
        """How arguments of calls are given. The template is asked only where there are some."""
        return self.tried[0] if any(turn.get("tool_calls") for turn in conversation.turns) else "mapping"

    @cached_property
    def special_text(self) -> SpecialText:
        """What is read as text where it stands in a message."""
        begin = [self.tokenizer.bos_token] if self.tokenizer.bos_token else []
        return special_text(self.tokenizer, [*self.probed.special, *self.end_tokens, *begin])

    @cached_property
    def end_tokens(self) -> tuple[str, ...]:
        """The tokens that end a turn, as they are written."""
        by_id = {number: token for token, number in added_tokens(self.tokenizer).items()}
        return tuple(by_id[number] for number in self.end if number in by_id)

    def remarks(self, script: Script, conversation: Conversation, text: str) -> list[str]:
        """What the template lost of a conversation, and what was marked in it."""
        return [
            *script.remarks,
            *lost(self.template, self.shape(conversation), script.messages, script.tools, text),
        ]


def without(lead: str, text: str) -> str:
    """A text without what stands before each answer. Some tokenizers put blanks around special tokens when they decode.

    >>> without("<think>\\n</think>\\n", "<think> \\n</think>\\n Paris")
    ' Paris'
    """
    if not lead.strip():
        return text.removeprefix(lead)
    words = r"\s*".join(map(re.escape, lead.split()))
    blanks = "".join(f" ?{re.escape(one)}" for one in lead[len(lead.rstrip()) :])
    return re.sub(rf"\A\s*{words}(?:{blanks})?", "", text)


def open_renderer(tokenizer: Any, template: str | None = None, stops: Iterable[int] = ()) -> Renderer:
    """The renderer of a model: by its own template, by a default one's name, or by a template's text.

    stops: the token ids that the model's generation settings name as ends of a text.
    """
    if not tokenizer.is_fast:
        raise ModelError(
            "The model's tokenizer does not say where in a text its tokens stand, so that answers cannot be told from prompts. "
            "Save the model with a tokenizer.json, as transformers' fast tokenizers do."
        )
    opened = open_template(tokenizer, template)
    return Renderer(tokenizer, opened, probe(opened), tuple(stops))
