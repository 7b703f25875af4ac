"""Texts to token numbers, with every token that does not fit counted."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tokenizers import processors

from luthier.arrays import Array
from luthier.batches.text_examples import TextExamples
from luthier.errors import DataError, LuthierError, ModelError, first_line
from luthier.models.hub.inspect import Folder
from luthier.models.hub.pretrained import folder_config
from luthier.models.quiet import quiet
from luthier.models.readers.rehearsal import Rehearsal
from luthier.models.readers.tokenizer_file import FILE, checked_tokenizer, token_out_of_range

PANIC = "PanicException"
"""Name of the exception that the tokenizers library raises where it gives up; no module exports its class."""
CHUNK = 2_000
"""Number of texts tokenised at once: enough to keep the tokenizer's threads busy, few enough to bound memory."""

OFFSET_FAMILIES = (
    *("roberta", "roberta-prelayernorm", "camembert", "xlm-roberta", "xlm-roberta-xl", "xmod", "mpnet"),
    *("longformer", "data2vec-text", "ibert", "luke", "markuplm", "lilt", "esm"),
)
"""Families that count positions from pad_token_id + 1, so that many of the positions are not for tokens."""


@dataclass(frozen=True)
class Long:
    """How many texts were longer than the limit, and how many tokens that cost."""

    limit: int
    """The most tokens of a part, special tokens included."""
    rows: int
    tokens: int
    """Tokens beyond the limit, over all rows."""
    way: str
    """What was done with longer texts: `cut` or `windows`."""
    lengths: Array
    """(texts,) number of tokens of each text, before anything is cut."""
    unknown: Array
    """(texts,) number of unknown tokens in each text."""
    told: tuple[str, ...] = ()
    """Sentences on what else is to be known of how rows were read."""


@dataclass(frozen=True)
class Window:
    """A stretch of a text behind a question."""

    ids: list[int]
    types: list[int]
    """Token types: 0 or 1, the text of the two that each token belongs to, where the model reads that."""
    places: list[tuple[int, int]]
    """Where in the text each token stands; (0, 0) for tokens that are no part of it."""
    whole: int
    """Number of tokens of question and text if nothing were cut."""


EXAMPLE = "What a saved Model reads, 1 text: it's the same!"
"""A text by which two readers are compared."""


class Texts:
    """A tokenizer with its limit. `examples` is all the rest of luthier needs of it."""

    def __init__(self, folder: Folder) -> None:
        """Raises ModelError for a tokenizer that cannot be loaded, or does not belong to the model."""
        self.path = folder.path
        found = checked_tokenizer(folder.path)
        self.rehearsal = Rehearsal(found) if found.strange else None
        config = folder_config(folder, None)
        with self.telling_library_errors("cannot be loaded"), quiet():
            self.tokenizer: Any = opened_tokenizer(folder, config)
        if self.tokenizer.pad_token_id is None and self.tokenizer.eos_token_id is None:
            raise ModelError(
                f"{folder.path}: its tokenizer names neither a padding nor an end token. Add pad_token to it."
            )
        self.known = int(getattr(config.get_text_config(), "vocab_size", None) or len(self.tokenizer))
        """Number of tokens that the model knows; theirs are numbered from 0."""
        if len(self.tokenizer) > self.known:
            raise ModelError(
                f"{folder.path}: its tokenizer knows {len(self.tokenizer):,} tokens and its model "
                f"{self.known:,}: they do not belong together. Copy the tokenizer of this model."
            )
        self.refuse_unknown(self.tokenizer.get_vocab().values())
        self.lower_case = folder.lower_case
        self.limit = token_limit(folder, self.tokenizer)
        self.most = token_limit(replace(folder, max_tokens=None), self.tokenizer)
        """The most tokens that the architecture can read, whatever length its sentence encoder was made for."""
        pad, end = self.tokenizer.pad_token_id, self.tokenizer.eos_token_id
        self.pad = int(end if pad is None else pad)
        self.unknown = self.tokenizer.unk_token_id
        self.try_out()

    @property
    def texts(self) -> "Texts":
        """What reads texts: this reader."""
        return self

    def reads_as(self, other: object) -> bool:
        """Whether another reader makes the same tokens of a text."""
        if not isinstance(other, Texts):
            return False
        ours, theirs = (
            one.encode([one.spelt_alike(EXAMPLE)], verbose=False)["input_ids"] for one in (self, other)
        )
        return bool(ours == theirs)

    def try_out(self) -> None:
        """Raise ModelError for a tokenizer that cannot read a short text, or leaves no room for one."""
        special = max(self.tokenizer.num_special_tokens_to_add(pair=pair) for pair in (False, True))
        if special >= self.limit:
            raise ModelError(
                f"{self.path / FILE}: puts {special:,} special tokens beside two texts, and the model reads "
                f"{self.limit:,} tokens: "
                "no room is left for a text. Copy the tokenizer of this model."
            )
        for columns in (["A text, and 1 more: \u00e9\u4e2d!"],), (["One text."], ["Another one."]):
            self.encode(*columns, truncation=False, verbose=False)

    def encode(self, *columns: str | Sequence[str], **options: Any) -> Any:
        """What the tokenizer makes of texts, or of pairs of them in two columns. Raises ModelError where it cannot read them,
        or gives tokens that the model does not know."""
        if self.rehearsal is not None:
            for texts in columns:
                self.rehearsal.read([texts] if isinstance(texts, str) else texts)
        with self.telling_library_errors("cannot read these texts"):
            encoded = self.tokenizer(*columns, **options)
        ids = encoded["input_ids"]
        several = ids if ids and isinstance(ids[0], list) else [ids]
        self.refuse_unknown(number for found in several for number in extremes(found))
        return encoded

    def refuse_unknown(self, numbers: Iterable[int]) -> None:
        """Raise ModelError for numbers of tokens that the model does not know."""
        strange = [number for number in numbers if not 0 <= number < self.known]
        if strange:
            raise token_out_of_range(self.path / FILE, sorted(set(strange)), self.known)

    @contextlib.contextmanager
    def telling_library_errors(self, what: str) -> Iterator[None]:
        """Inside, errors that a tokenizer raises become ModelError, in our words."""
        try:
            yield
        except LuthierError:
            raise
        except BaseException as error:  # a panic of the tokenizers library is no Exception
            if not isinstance(error, Exception) and type(error).__name__ != PANIC:
                raise
            raise ModelError(
                f"{self.path}: its tokenizer {what} ({type(error).__name__}: {first_line(error)[:200]}). "
                "Save it anew beside the weights: AutoTokenizer.from_pretrained(...).save_pretrained(FOLDER)"
            ) from error

    def examples(
        self, texts: Sequence[str] | Sequence[tuple[str, str]], targets: Array, way: str = "cut"
    ) -> tuple[TextExamples, Long]:
        """Texts, or pairs of them, as token numbers, each as one part, or as several overlapping ones where `way` is
        `windows`; of a long pair the longer text is cut first.

        Raises DataError where `way` is `refuse` and a text is too long.
        """
        ids: list[Array] = []
        types: list[Array] = []
        lengths: list[int] = []
        parts_of_row: list[int] = []
        too_long: list[int] = []
        whole: list[int] = []
        unknown: list[int] = []
        beyond = 0
        for begin in range(0, len(texts), CHUNK):
            chunk = [self.spelt(text) for text in texts[begin : begin + CHUNK]]
            encoded = self.encode(*columns_of(chunk), truncation=False, verbose=False)
            numbers, of_text = encoded["input_ids"], encoded.get("token_type_ids")
            rows = [[found] for found in numbers]
            kinds = None if of_text is None else [[found] for found in of_text]
            whole += map(len, numbers)
            unknown += [found.count(self.unknown) for found in numbers]
            for place, found in enumerate(numbers):
                if len(found) > self.limit:
                    too_long.append(begin + place)
                    beyond += len(found) - self.limit
                    rows[place], made = self.parts(chunk[place], way)
                    if kinds is not None:
                        kinds[place] = made
            parts = [part for row in rows for part in row]
            ids.append(np.fromiter((number for part in parts for number in part), np.int32))
            if kinds is not None:
                types.append(np.fromiter((one for row in kinds for part in row for one in part), np.int8))
            lengths += [len(part) for part in parts]
            parts_of_row += [len(row) for row in rows]
        if too_long and way == "refuse":
            raise DataError(
                f"{len(too_long):,} of {len(texts):,} texts are longer than the {self.limit} tokens this model reads, "
                f"by {beyond:,} tokens in all. Use --long cut (of single texts, also --long windows), or a model that "
                "reads more."
            )
        examples = TextExamples(
            ids=np.concatenate([*ids, np.zeros(0, np.int32)]),
            ends=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
            first_part=np.concatenate([[0], np.cumsum(parts_of_row, dtype=np.int64)]),
            targets=targets,
            pad=self.pad,
            types=told_apart(types),
        )
        counts = np.array(whole, np.int64), np.array(unknown, np.int64)
        return examples, Long(self.limit, len(too_long), beyond, way, *counts)

    def general(self, texts: Sequence[str]) -> TextExamples:
        """Texts that belong to no task, cut at the limit."""
        return self.examples(texts, np.zeros(len(texts), np.int64))[0]

    def sets(
        self, rows: Sequence[Sequence[str]], targets: Array, way: str = "cut", by_part: bool = True
    ) -> tuple[TextExamples, Long]:
        """Rows of one or several texts, each text a part of its own. way: `cut` at the limit, or `refuse` what is longer.
        by_part: whether each text has an answer of its own, or the row has one."""
        counts = np.array([len(row) for row in rows], np.int64)
        flat, long = self.examples(
            [text for row in rows for text in row], np.zeros(int(counts.sum()), np.int64), way
        )
        made = replace(
            flat, first_part=np.concatenate([[0], np.cumsum(counts)]), targets=targets, by_part=by_part
        )
        first = np.concatenate([[0], np.cumsum(counts)])[:-1]
        longest = np.maximum.reduceat(long.lengths, first) if len(rows) else long.lengths
        unknown = np.maximum.reduceat(long.unknown, first) if len(rows) else long.unknown
        return made, replace(long, lengths=longest, unknown=unknown)

    def spelt(self, text: str | tuple[str, str]) -> str | tuple[str, str]:
        """A text, or both of a pair, in the case that the model was trained on."""
        if not self.lower_case:
            return text
        return text.lower() if isinstance(text, str) else (text[0].lower(), text[1].lower())

    def spelt_alike(self, text: str) -> str:
        """A text in the case that the model was trained on, each character in its place."""
        lower = text.lower() if self.lower_case else text
        return lower if len(lower) == len(text) else text

    def placed_parts(self, text: str, way: str) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """A long text's parts, and where in the text each of their tokens stands; special tokens stand at (0, 0)."""
        windows = way == "windows"
        encoded = self.encode(
            text,
            truncation=True,
            max_length=self.limit,
            stride=self.limit // 4 if windows else 0,
            return_overflowing_tokens=windows,
            return_offsets_mapping=True,
        )
        ids, places = encoded["input_ids"], encoded["offset_mapping"]
        return list(zip(ids, places, strict=True)) if windows else [(ids, places)]

    def windows_after(self, before: str, text: str, limit: int, overlap: int, way: str) -> list[Window]:
        """A text in windows of at most `limit` tokens that each begin with the text `before`, such as a question."""
        several = way == "windows"
        encoded = self.encode(
            self.spelt_alike(before),
            self.spelt_alike(text),
            truncation="only_second",
            max_length=limit,
            stride=overlap if several else 0,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        found = []
        parts = len(encoded["input_ids"])
        own = [sum(of == 1 for of in encoded.sequence_ids(at)) for at in range(parts)]
        whole = len(encoded["input_ids"][0]) + sum(own[1:]) - overlap * (parts - 1) * several
        for at in range(parts if several else 1):
            ids = encoded["input_ids"][at]
            of = encoded.sequence_ids(at)
            places = [
                place if which == 1 else (0, 0)
                for place, which in zip(encoded["offset_mapping"][at], of, strict=True)
            ]
            types = encoded["token_type_ids"][at] if "token_type_ids" in encoded else [0] * len(ids)
            found.append(Window(ids, types, places, whole))
        return found

    def parts(self, text: str | tuple[str, str], way: str) -> tuple[list[list[int]], list[list[int]]]:
        """A long text's parts: its beginning, or windows that overlap by a quarter; and of which text each token is."""
        encoded = self.encode(
            *([text] if isinstance(text, str) else text),
            truncation=True,
            max_length=self.limit,
            stride=self.limit // 4 if way == "windows" else 0,
            return_overflowing_tokens=way == "windows",
        )
        several = way == "windows"
        found: list[Any] = encoded["input_ids"]
        kinds: list[Any] = encoded.get("token_type_ids", found)
        return (found, kinds) if several else ([found], [kinds])


def opened_tokenizer(folder: Folder, config: Any) -> Any:
    """The tokenizer of a folder, in the class that transformers has for it; a table's is its tokenizer.json and nothing else.

    A table of word vectors reads no special tokens, and what pads is left out of the mean, whichever token it is.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if folder.is_table:
        found = PreTrainedTokenizerFast(tokenizer_file=str(folder.path / FILE))
        whole = found.backend_tokenizer
        whole.no_truncation()
        whole.no_padding()
        whole.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B", special_tokens=[])
        unknown = json.loads(whole.to_str())["model"].get("unk_token")
        found.unk_token = unknown
        found.pad_token = unknown or found.convert_ids_to_tokens(0)
        return found
    return AutoTokenizer.from_pretrained(
        folder.path, config=config, trust_remote_code=False, local_files_only=True, use_fast=True
    )


def columns_of(texts: Sequence[str | tuple[str, str]]) -> list[list[str]]:
    """Texts as one list, or pairs as two, as a tokenizer takes them."""
    if texts and not isinstance(texts[0], str):
        return [[str(text[at]) for text in texts] for at in (0, 1)]
    return [list(map(str, texts))]


def told_apart(types: list[Array]) -> Array | None:
    """The text of a pair that each token belongs to, (tokens,); None where the model does not read that, or there is one text."""
    if not any(piece.any() for piece in types):
        return None
    return np.concatenate(types)


def token_limit(folder: Folder, tokenizer: Any) -> int:
    """The most tokens that the model can read: the lowest of what folder, tokenizer and position embeddings allow."""
    positions, pad = folder.config.get("max_position_embeddings"), folder.config.get("pad_token_id")
    limits = [512 if positions is None else int(positions)]
    if folder.family in OFFSET_FAMILIES:
        limits[0] -= (1 if pad is None else int(pad)) + 1
    if tokenizer.model_max_length < 1_000_000:  # transformers' way to say "not known" is 1e30
        limits.append(int(tokenizer.model_max_length))
    if folder.max_tokens is not None:
        limits.append(int(folder.max_tokens))
    return min(limits)


def extremes(numbers: list[int]) -> tuple[int, ...]:
    """The lowest and the highest, if there are any."""
    return (min(numbers), max(numbers)) if numbers else ()
