"""Conversations to token numbers, with which of them are learnt: a tokenizer, its chat template, and how an answer ends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.conversations import Conversation
from luthier.batches.sequences import Sequences, Writer
from luthier.errors import DataError, ModelError, RowsError
from luthier.models.chat.defaults import DEFAULTS
from luthier.models.chat.locate import Learnt
from luthier.models.chat.proof import Proof, prove, refuse_nothing_learnt, stops, troubles_of, what_mends
from luthier.models.chat.rendered import Rendered
from luthier.models.chat.renderer import Renderer, open_renderer
from luthier.models.hub.end_tokens import end_tokens
from luthier.models.hub.inspect import Folder
from luthier.models.hub.json_file import read_object
from luthier.models.readers.texts import Long, Texts

GENERATION = "generation_config.json"
"""Where a model's folder says how it writes, as transformers names it."""
TOKENS = 256
"""Tokens of an answer at the most, where nobody says otherwise."""


class Conversations:
    """A tokenizer with its chat template, which renders conversations the same for training, answering and serving."""

    def __init__(self, folder: Folder, chats: bool = True) -> None:
        """Raises ModelError for a tokenizer or a template that cannot be used. chats: whether conversations are learnt."""
        refuse_encoders(folder)
        self.chats = chats
        self.texts = Texts(folder)
        said = read_object(folder.path / GENERATION)
        ends = end_tokens(said, folder.path / GENERATION, folder.config.get("vocab_size"))
        self.renderer = renderer_of(folder, self.texts, ends or [])
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
        return self.renderer.said(list(ids))

    @property
    def writer(self) -> Writer:
        return Writer(self.spell, self.renderer.end, self.most)

    @property
    def lead(self) -> str:
        """What the template puts before each answer."""
        return self.renderer.probed.lead

    @property
    def has_template(self) -> bool:
        """Whether the model came with a chat template of its own."""
        return self.renderer.template.name not in DEFAULTS

    def begun(self, text: str) -> list[int]:
        """The tokens of a plain text that is to be gone on with: as `passages` has them, without the end."""
        (ids,) = self.texts.encode([str(self.texts.spelt(text))], truncation=False, verbose=False)[
            "input_ids"
        ]
        end = self.texts.tokenizer.eos_token_id
        return list(ids[:-1] if len(ids) > 1 and ids[-1] == end else ids)

    def marked(self, conversation: Conversation, learnt: Learnt) -> str:
        """A conversation as the model reads it, with what is learnt of it between marks."""
        pieces = self.renderer.marked(conversation, learnt)
        return "".join(f"[[{text}]]" if trained else text for text, trained in pieces)

    def examples(
        self,
        rows: Sequence[Conversation],
        targets: Array,
        way: str,
        learnt: Learnt = "answers",
        scored: bool = False,
        name: str = "row",
    ) -> tuple[Sequences, Long]:
        """Conversations as token numbers. What is longer than the model reads is cut at its end, where `way` is `cut`.

        scored: whether they get a score as a whole: then they are read to the end of what the template writes, and no token of
        them is learnt.  name: what a conversation is called where it is told of.

        Raises DataError where `way` is `refuse` and a conversation is too long, and where a tenth of them or more teach nothing.
        """
        prompts = self.lengths_of_prompts(rows)
        rendered = self.rendered(rows, learnt)
        return self.laid_out(rows, rendered, prompts, targets, Way(way, learnt, scored, name))

    def pairs(
        self, rows: Sequence[tuple[Conversation, ...]], targets: Array, way: str, scored: bool = False
    ) -> tuple[Sequences, Long]:
        """As `examples`, of rows that are several conversations each, of which the last turn of the assistant is learnt."""
        flat = [one for row in rows for one in row]
        first = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
        try:
            found, long = self.examples(flat, np.zeros(len(flat)), way, "last", scored, "conversation")
        except RowsError as error:
            own = np.searchsorted(first, error.rows, side="right") - 1
            raise RowsError(error.said, list(dict.fromkeys(own.tolist())), error.remedy) from error
        longest = np.maximum.reduceat(long.lengths, first[:-1]) if len(rows) else long.lengths
        unknown = np.maximum.reduceat(long.unknown, first[:-1]) if len(rows) else long.unknown
        together = replace(found, first_part=first, prompts=found.prompts[first[:-1]], targets=targets)
        return together, replace(long, lengths=longest, unknown=unknown)

    def passages(self, texts: Sequence[str], targets: Array, way: str) -> tuple[Sequences, Long]:
        """Plain texts as token numbers, each ended by the tokenizer's end, all of which is learnt but the first token.

        A longer one than the model reads is cut into pieces that follow each other, or where `way` is `cut` at its end.
        """
        tokenizer = self.texts.tokenizer
        encoded = self.texts.encode(
            [str(self.texts.spelt(text)) for text in texts], truncation=False, verbose=False
        )
        end = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
        whole = [ids if ids[-1:] == end else [*ids, *end] for ids in encoded["input_ids"]]
        if way == "refuse":
            self.refuse_long([len(ids) for ids in whole])
        pieces = [
            [ids[at : at + self.limit] for at in range(0, len(ids) if way == "windows" else 1, self.limit)]
            for ids in whole
        ]
        # The last token of a text would be alone, with nothing before it that it could follow.
        parts = [[piece for piece in own if len(piece) > 1] for own in pieces]
        lengths = np.array([len(piece) for own in parts for piece in own], np.int64)
        ends = np.concatenate([[0], np.cumsum(lengths)])
        trained = np.ones(int(ends[-1]), bool)
        trained[ends[:-1]] = False
        first = np.concatenate([[0], np.cumsum([len(own) for own in parts], dtype=np.int64)])
        beyond = np.maximum(np.array([len(ids) for ids in whole], np.int64) - self.limit, 0)
        examples = Sequences(
            ids=np.fromiter((number for own in parts for piece in own for number in piece), np.int32),
            trained=trained,
            ends=ends,
            first_part=first,
            prompts=np.ones(len(texts), np.int64),
            targets=targets,
            shares=False,
        )
        counts = np.array([len(ids) for ids in whole], np.int64)
        cut = int(beyond.sum()) if way == "cut" else 0
        long = Long(
            self.limit, int(np.count_nonzero(beyond)), cut, way, counts, np.zeros(len(texts), np.int64)
        )
        return examples, long

    def general(self, texts: Sequence[str]) -> Sequences:
        """Texts that belong to no task, of which each token is predicted, cut at the limit."""
        return self.passages(texts, np.zeros(len(texts), np.int64), "cut")[0]

    def lengths_of_prompts(self, rows: Sequence[Conversation]) -> Ints:
        """(rows,) tokens before the answers. Raises RowsError for conversations that the template refuses."""
        try:
            return np.array([len(ids) for ids in self.renderer.prompts(rows)], np.int64)
        except DataError as error:
            refused = self.renderer.refusals(rows)
            if not refused:
                raise
            raise RowsError(next(iter(refused.values())), list(refused), "") from error

    def refuse_long(self, lengths: Sequence[int]) -> None:
        """Raise DataError for rows of more tokens than the model reads."""
        beyond = [length - self.limit for length in lengths if length > self.limit]
        if beyond:
            raise DataError(
                f"{len(beyond):,} of {len(lengths):,} rows are longer than the {self.limit:,} tokens this model reads, by "
                f"{sum(beyond):,} tokens in all. Use --long cut, or a model that reads more."
            )

    def laid_out(
        self,
        rows: Sequence[Conversation],
        rendered: Sequence[Rendered],
        prompts: Ints,
        targets: Array,
        way: "Way",
    ) -> tuple[Sequences, Long]:
        """Rendered rows side by side, once it is proved that they teach something. prompts: (rows,) tokens before the answers."""
        answered = [at for at, row in enumerate(rows) if row.answer is not None]
        proof = prove([rendered[at] for at in answered], self.renderer.end, self.limit, way.name)
        if answered:
            refuse_nothing_learnt(proof)
        lengths = np.array([len(one.ids) for one in rendered], np.int64)
        if way.long == "refuse":
            self.refuse_long(lengths.tolist())
        refuse_troubles(proof, answered)
        parts = (
            self.wholes(rows, rendered)
            if way.scored
            else [self.part(one, row.answer is not None) for one, row in zip(rendered, rows, strict=True)]
        )
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
        beyond = np.maximum(lengths - self.limit, 0)
        teaching = [] if way.scored else [row for row in rows if row.answer is not None]
        told = [*self.renderer.told, *(proof.words() if teaching else [])]
        first = next(iter(teaching), None)
        if first is not None:
            told.append(
                f"A row as the model reads it, [[what is learnt]] marked: {self.marked(first, way.learnt)!r}"
            )
        long = Long(
            limit=self.limit,
            rows=int(np.count_nonzero(beyond)),
            tokens=int(beyond.sum()),
            way=way.long,
            lengths=lengths,
            unknown=np.zeros(len(rows), np.int64),
            told=tuple(told),
        )
        return examples, long

    def rendered(self, rows: Sequence[Conversation], learnt: Learnt) -> list[Rendered]:
        """Every conversation in tokens; one that waits for its answer up to where that begins."""
        answered = [row for row in rows if row.answer is not None]
        waiting = [row for row in rows if row.answer is None]
        whole = iter(self.renderer.trainings(answered, learnt))
        asked = (Rendered(ids, [False] * len(ids)) for ids in self.renderer.prompts(waiting))
        return [next(asked) if row.answer is None else next(whole) for row in rows]

    def wholes(
        self, rows: Sequence[Conversation], rendered: Sequence[Rendered]
    ) -> list[tuple[list[int], list[bool]]]:
        """The tokens of rows that get a score as a whole, none of which is learnt; without an answer those of the prompt."""
        whole = iter(self.renderer.wholes([row for row in rows if row.answer is not None]))
        read = [
            one.ids if row.answer is None else next(whole) for one, row in zip(rendered, rows, strict=True)
        ]
        return [(ids[: self.limit], [False] * len(ids[: self.limit])) for ids in read]

    def part(self, one: Rendered, answered: bool) -> tuple[list[int], list[bool]]:
        """The tokens of a row up to the last that is learnt, and which of them are; the first one never is."""
        ids, trained = one.ids[: self.limit], [False, *one.trained[1 : self.limit]]
        if not answered or not any(trained):
            return ids, [False] * len(ids)
        end = len(trained) - trained[::-1].index(True)
        return ids[:end], trained[:end]


def renderer_of(folder: Folder, texts: Texts, stops: Sequence[int]) -> Renderer:
    """The renderer of a folder's tokenizer and template. Raises ModelError that names the folder."""
    try:
        return open_renderer(texts.tokenizer, stops=stops)
    except ModelError as error:
        raise ModelError(f"{folder.path}: {error}") from error


def refuse_encoders(folder: Folder) -> None:
    """Raise ModelError for a model that reads whole texts, and writes none."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as WRITERS
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as READERS

    encoder = folder.family in READERS or folder.family not in WRITERS
    if encoder or folder.config.get("is_encoder_decoder"):
        raise ModelError(
            f"{folder.path}: {folder.family} reads texts and writes none, and these rows want a model that writes. Name a "
            "causal language model with --model, such as SmolLM2-135M-Instruct."
        )


def refuse_troubles(proof: Proof, answered: Sequence[int]) -> None:
    """Raise RowsError where more rows than may be are of no use. answered: numbers of the rows that were proved."""
    doubts = stops(proof)
    if doubts:
        rows = sorted({answered[at] for found in troubles_of(proof).values() for at in found})
        raise RowsError(" ".join(doubts), rows, what_mends(proof))


@dataclass(frozen=True)
class Way:
    """How rows are read."""

    long: str
    """What is done with rows longer than the model reads: `cut` or `refuse`."""
    learnt: Learnt
    """Which tokens are learnt."""
    scored: bool = False
    """Whether rows get a score as a whole, and none of their tokens is learnt."""
    name: str = "row"
    """What they are called where they are told of."""
