"""Conversations to token numbers, with which of them are learnt: a tokenizer, its chat template, and how an answer ends."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.arrays import Array
from luthier.batches.conversations import Conversation
from luthier.batches.sequences import Sequences, Writer
from luthier.errors import DataError
from luthier.models.chat.rendered import REMARKS, Rendered
from luthier.models.chat.renderer import open_renderer
from luthier.models.chat.spans import Learnt
from luthier.models.hub.inspect import Folder
from luthier.models.hub.json_file import read_object
from luthier.models.readers.texts import Long, Texts

GENERATION = "generation_config.json"
"""Where a model's folder says how it writes, as transformers names it."""
TOKENS = 256
"""Tokens of an answer at the most, where nobody says otherwise."""
MOST_UNFIT = 0.1
"""The share of rows that may be left out, as they teach nothing; where more of them do, something is wrong with all."""


class Conversations:
    """A tokenizer with its chat template, which renders conversations the same for training, answering and serving."""

    def __init__(self, folder: Folder) -> None:
        """Raises ModelError for a tokenizer or a template that cannot be used."""
        self.texts = Texts(folder)
        said = read_object(folder.path / GENERATION)
        ends = said.get("eos_token_id", [])
        self.renderer = open_renderer(self.texts.tokenizer, stops=[ends] if isinstance(ends, int) else ends or [])
        most = said.get("max_new_tokens")
        self.most: int = most if isinstance(most, int) and most > 0 else TOKENS
        """Tokens of an answer at the most."""

    @property
    def limit(self) -> int:
        """The most tokens that the model reads and writes together."""
        return self.texts.limit

    def reads_as(self, other: object) -> bool:
        """Whether another reader makes the same tokens of a conversation."""
        if not isinstance(other, Conversations):
            return False
        turns = ({"role": "user", "content": "What is 12 + 1?"}, {"role": "assistant", "content": "13"})
        ours, theirs = (one.renderer.training(Conversation(turns)).ids for one in (self, other))
        return ours == theirs and self.renderer.end == other.renderer.end

    def spell(self, ids: Sequence[int]) -> str:
        """The text of some tokens that a model wrote, without those that steer it."""
        found: str = self.texts.tokenizer.decode(list(ids), skip_special_tokens=True)
        return found

    @property
    def writer(self) -> Writer:
        return Writer(self.spell, self.renderer.end, self.most)

    def marked(self, conversation: Conversation, learnt: Learnt) -> str:
        """A conversation as the model reads it, with what is learnt of it between marks."""
        pieces = self.renderer.marked(conversation, learnt)
        return "".join(f"[[{text}]]" if trained else text for text, trained in pieces)

    def examples(
        self, rows: Sequence[Conversation], targets: Array, way: str, learnt: Learnt = "answers"
    ) -> tuple[Sequences, Long]:
        """Conversations as token numbers. What is longer than the model reads is cut at its end, where `way` is `cut`.

        Raises DataError where `way` is `refuse` and a conversation is too long, and where a tenth of the answers or more
        cannot be learnt.
        """
        rendered = self.rendered(rows, learnt)
        prompts = np.array([len(ids) for ids in self.renderer.prompts(rows)], np.int64)
        lengths = np.array([len(one.ids) for one in rendered], np.int64)
        beyond = np.maximum(lengths - self.limit, 0)
        if beyond.any() and way == "refuse":
            raise DataError(
                f"{np.count_nonzero(beyond):,} of {len(rows):,} conversations are longer than the {self.limit:,} tokens this model "
                f"reads, by {beyond.sum():,} tokens in all. Use --long cut, or a model that reads more."
            )
        parts = [self.part(one, row.answer is not None) for one, row in zip(rendered, rows, strict=True)]
        answered = np.array([row.answer is not None for row in rows], bool)
        refuse_unlearnt(parts, answered, prompts, self.limit)
        ends = np.concatenate([[0], np.cumsum([len(ids) for ids, _ in parts], dtype=np.int64)])
        examples = Sequences(
            ids=np.fromiter((number for ids, _ in parts for number in ids), np.int32),
            trained=np.fromiter((flag for _, flags in parts for flag in flags), bool),
            ends=ends,
            first_part=np.arange(len(rows) + 1),
            prompts=np.minimum(prompts, np.diff(ends)),
            targets=targets,
            writer=self.writer,
        )
        long = Long(
            limit=self.limit,
            rows=int(np.count_nonzero(beyond)),
            tokens=int(beyond.sum()),
            way=way,
            lengths=lengths,
            unknown=np.zeros(len(rows), np.int64),
            told=(*self.renderer.told, *told_remarks(rendered), *self.proof(rows, examples, learnt)),
        )
        return examples, long

    def rendered(self, rows: Sequence[Conversation], learnt: Learnt) -> list[Rendered]:
        """Every conversation in tokens; one that waits for its answer up to where that begins."""
        answered = [row for row in rows if row.answer is not None]
        waiting = [row for row in rows if row.answer is None]
        whole = iter(self.renderer.trainings(answered, learnt))
        asked = (Rendered(ids, [False] * len(ids)) for ids in self.renderer.prompts(waiting))
        return [next(asked) if row.answer is None else next(whole) for row in rows]

    def part(self, one: Rendered, answered: bool) -> tuple[list[int], list[bool]]:
        """The tokens of a row up to the last that is learnt, and which of them are; the first one never is."""
        ids, trained = one.ids[: self.limit], [False, *one.trained[1 : self.limit]]
        if not answered or not any(trained):
            return ids, [False] * len(ids)
        end = len(trained) - trained[::-1].index(True)
        return ids[:end], trained[:end]

    def proof(self, rows: Sequence[Conversation], examples: Sequences, learnt: Learnt) -> list[str]:
        """What shows that answers are learnt: how many tokens, how many answers with their end, and one row with marks."""
        learns = np.flatnonzero(np.add.reduceat(examples.trained, examples.ends[:-1])) if len(rows) else []
        if not len(learns):
            return []
        last = examples.ids[examples.ends[1:][learns] - 1]
        ended = int(np.isin(last, self.renderer.end).sum())
        share = examples.trained.sum() / len(examples.ids)
        shown = self.marked(rows[int(learns[0])], learnt)
        return [
            f"{examples.trained.sum():,} of {len(examples.ids):,} tokens are learnt ({100 * share:.0f} %), and with them the end of "
            f"{ended:,} of {len(learns):,} answers.",
            f"A row as the model reads it, what is learnt between [[ and ]]: {shown!r}",
        ]


def told_remarks(rendered: Sequence[Rendered]) -> list[str]:
    """What happened to rows as they were rendered, with how many they were."""
    counts = Counter(remark for one in rendered for remark in one.remarks)
    return [f"{count:,} of {len(rendered):,} rows: {REMARKS[remark]}." for remark, count in counts.items()]


def refuse_unlearnt(
    parts: Sequence[tuple[list[int], list[bool]]], answered: Any, prompts: Any, limit: int
) -> None:
    """Raise DataError where more answers than a tenth teach nothing."""
    nothing = np.array([not any(trained) for _, trained in parts], bool) & answered
    if not nothing.any() or nothing.sum() <= MOST_UNFIT * answered.sum():
        return
    long = int((nothing & (prompts >= limit)).sum())
    why = f"{long:,} of them begin only beyond the {limit:,} tokens that this model reads" if long else (
        "the chat template does not show where they stand"
    )  # fmt: skip
    raise DataError(
        f"{nothing.sum():,} of {answered.sum():,} answers teach nothing: {why}. Shorten the prompts, or name a model that reads more "
        "and whose chat template writes answers down, with --model."
    )
