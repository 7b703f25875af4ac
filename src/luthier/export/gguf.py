"""GGUF, the format of llama.cpp: written tensor after tensor, read back by the library gguf and by transformers."""

import contextlib
import importlib.util
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from luthier.errors import LuthierError, WorldError, first_line
from luthier.export import gguf_settings, gguf_tensors, gguf_tokenizer
from luthier.export.exporter import Exporter, TokensDifference, WeightsDifference
from luthier.export.gguf_settings import LlamaSettings, llama_settings
from luthier.export.gguf_tensors import PlacedTensor, bytes_of, most_rounding, placed_tensors, values_of
from luthier.export.gguf_tokenizer import GgufTokenizer
from luthier.export.original import Original
from luthier.models.quiet import quiet

ARCHITECTURE = "llama"
FILE_TYPES = {"F16": 1, "BF16": 32, "Q8_0": 7, "Q4_0": 2}
"""llama.cpp's numbers for what most tensors of a file are (`LlamaFileType`)."""
QUANTISATION = 2
"""The version of llama.cpp's blocks."""
NEEDED = ("gguf", "accelerate")
"""Libraries that write a file, and that transformers wants in order to read it."""


class Gguf(Exporter):
    """Llama-type decoders for llama.cpp and the programs that are built on it."""

    words = "for llama.cpp and the programs that are built on it, such as Ollama and LM Studio"
    ending = ".gguf"
    types: ClassVar[dict[str, float]] = {"F16": 0.97, "BF16": 0.0, "Q8_0": 0.0, "Q4_0": 0.0}

    def why_not(self, original: Original) -> str | None:
        found = gguf_settings.obstacles(original.folder.config)
        if not found:
            settings = llama_settings(original.folder.config)
            found = gguf_tensors.obstacles(original.folder.tensors, settings)
            found += gguf_tokenizer.obstacles(original.tokenizer)
        return "; ".join(found) or None

    def refuse_missing_library(self) -> None:
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise WorldError(
                f'--format gguf: {" and ".join(missing)} is not installed. Install it: pip install "luthier[gguf]"'
            )

    def size(self, original: Original, kind: str) -> int:
        return sum(
            map(
                bytes_of,
                placed_tensors(original.folder.tensors, llama_settings(original.folder.config), kind),
            )
        )

    def write(self, original: Original, kind: str, path: Path, name: str) -> Iterator[str]:
        from gguf import GGMLQuantizationType, GGUFWriter

        settings = llama_settings(original.folder.config)
        placed = placed_tensors(original.folder.tensors, settings, kind)
        writer = GGUFWriter(path, ARCHITECTURE)
        with contextlib.closing(writer):
            writer.add_type("model")
            writer.add_name(name)
            writer.add_file_type(FILE_TYPES[kind])
            writer.add_quantization_version(QUANTISATION)
            add_settings(writer, settings)
            add_tokenizer(writer, original, settings)
            for one in placed:
                number_type = GGMLQuantizationType[one.kind]
                writer.add_tensor_info(
                    one.name, one.shape, np.dtype(np.float32), bytes_of(one), raw_dtype=number_type
                )
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            for one in placed:
                writer.write_tensor_data(encoded(values_of(one, original.weights, settings), one.kind))
                yield one.name

    def notes(self, original: Original, kind: str) -> list[str]:
        settings = llama_settings(original.folder.config)
        placed = placed_tensors(original.folder.tensors, settings, kind)
        found = [
            *kinds_told(placed, kind),
            *gguf_tokenizer.notes(original.tokenizer, original.end_tokens),
        ]
        if settings.rope["rope_type"] != gguf_settings.PLAIN:
            found.append(
                "transformers reads no scaled rotary positions from a GGUF file, where llama.cpp does: for the comparison it was "
                "given those of the original, and the divisors in the file were compared one by one."
            )
        return found

    def weights_differ(self, original: Original, path: Path) -> dict[str, WeightsDifference]:
        from gguf import GGUFReader, dequantize

        settings = llama_settings(original.folder.config)
        there = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
        found: dict[str, WeightsDifference] = {}
        for one in self.expected(original, path):
            tensor = there.pop(one.name, None)
            if tensor is None or tensor.tensor_type.name != one.kind:
                raise unreadable(path, f"holds no tensor {one.name} of the type {one.kind}")
            values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
            found[one.kind] = with_tensor(
                found.get(one.kind), one, values, values_of(one, original.weights, settings)
            )
        if there:
            raise unreadable(path, f"holds {next(iter(there))}, which was not written")
        return found

    def expected(self, original: Original, path: Path) -> list[PlacedTensor]:
        """Return the tensors that were written into a file, by the type that it says it is of."""
        from gguf import GGUFReader

        written = GGUFReader(path).fields["general.file_type"].contents()
        kind = next(name for name, number in FILE_TYPES.items() if number == written)
        return placed_tensors(original.folder.tensors, llama_settings(original.folder.config), kind)

    def tokens_differ(self, original: Original, path: Path, texts: Sequence[str]) -> TokensDifference:
        from transformers import AutoTokenizer

        tokenizer = original.tokenizer
        with under_its_name(path) as (home, name), quiet(), telling(path):
            again: Any = AutoTokenizer.from_pretrained(
                home, gguf_file=name, trust_remote_code=False, local_files_only=True
            )
        plainly = [ids_of(again, text) for text in texts]
        again.backend_tokenizer.normalizer = tokenizer.backend_tokenizer.normalizer
        again.backend_tokenizer.pre_tokenizer = tokenizer.backend_tokenizer.pre_tokenizer
        wanted = [ids_of(tokenizer, text) for text in texts]
        by_vocabulary = [ids_of(again, text) for text in texts]
        return TokensDifference(len(texts), differing(by_vocabulary, wanted), differing(plainly, wanted))

    def open(self, original: Original, path: Path) -> Any:
        from transformers import AutoConfig, AutoModelForCausalLM

        settings = llama_settings(original.folder.config)
        with under_its_name(path) as (home, name), quiet(), telling(path):
            config = AutoConfig.from_pretrained(home, gguf_file=name, local_files_only=True)
            refuse_other_settings(path, config.to_dict(), settings)
            config.rope_parameters = dict(settings.rope)
            return AutoModelForCausalLM.from_pretrained(
                home, config=config, gguf_file=name, dtype=torch.float32, local_files_only=True
            ).eval()


def add_settings(writer: Any, settings: LlamaSettings) -> None:
    """Write the sizes of a model."""
    writer.add_vocab_size(settings.vocabulary)
    writer.add_context_length(settings.context)
    writer.add_embedding_length(settings.width)
    writer.add_block_count(settings.layers)
    writer.add_feed_forward_length(settings.inner_width)
    writer.add_head_count(settings.heads)
    writer.add_head_count_kv(settings.key_heads)
    writer.add_layer_norm_rms_eps(settings.epsilon)
    writer.add_rope_freq_base(settings.rope["rope_theta"])
    writer.add_rope_dimension_count(settings.head_width)
    if settings.head_width * settings.heads != settings.width:  # else llama.cpp divides
        writer.add_key_length(settings.head_width)
        writer.add_value_length(settings.head_width)


def add_tokenizer(writer: Any, original: Original, settings: LlamaSettings) -> None:
    """Write the tokenizer, its special tokens and the chat template."""
    opened = original.tokenizer
    found = gguf_tokenizer.gguf_tokenizer(opened, original.end_tokens, settings.vocabulary)
    writer.add_tokenizer_model(found.model)
    writer.add_tokenizer_pre(found.pre)
    writer.add_token_list(found.tokens)
    writer.add_token_types(found.kinds)
    writer.add_token_merges(found.merges)
    writer.add_token_scores(found.scores)
    writer.add_add_space_prefix(found.blank_first)
    writer.add_add_bos_token(found.begins)
    writer.add_add_eos_token(found.ends)
    add_special_tokens(writer, found)
    template = opened.chat_template
    if isinstance(template, Mapping):
        template = [{"name": name, "template": text} for name, text in template.items()]
    if template:
        writer.add_chat_template(template)


def add_special_tokens(writer: Any, tokenizer: GgufTokenizer) -> None:
    """Write the numbers of the tokens that have a meaning."""
    ways = {
        "bos": writer.add_bos_token_id,
        "eos": writer.add_eos_token_id,
        "eot": writer.add_eot_token_id,
        "unk": writer.add_unk_token_id,
        "pad": writer.add_pad_token_id,
    }
    for name, number in tokenizer.special.items():
        ways[name](number)


def encoded(values: torch.Tensor, kind: str) -> np.ndarray[Any, np.dtype[Any]]:
    """Return weights in the bytes of a number type."""
    from gguf import GGMLQuantizationType, quantize

    found: np.ndarray[Any, np.dtype[Any]] = quantize(values.numpy(), GGMLQuantizationType[kind])
    return found


def kinds_told(placed: Sequence[PlacedTensor], kind: str) -> list[str]:
    """Return which matrices are written in another number type than was asked for, and why, a sentence each."""
    others = [one for one in placed if len(one.shape) > 1 and one.kind != kind]
    halves = [one for one in others if one.kind == "F16"]
    found = []
    if halves:
        found.append(
            f"{len(halves)} matrices are written as F16, as their rows of {halves[0].shape[-1]} weights do not come in whole "
            f"blocks of {gguf_tensors.BLOCK}."
        )
    if len(others) > len(halves):
        found.append(
            f"The layer that chooses the next token is written as {gguf_tensors.FOR_OUTPUT}, as llama.cpp's own programs give it "
            "more bits too."
        )
    return found


def with_tensor(
    found: WeightsDifference | None, placed: PlacedTensor, read: torch.Tensor, written: torch.Tensor
) -> WeightsDifference:
    """Return the difference of a number type with one tensor more."""
    before = found or WeightsDifference(0, 0.0, 0.0)
    if read.shape != written.shape:
        return WeightsDifference(
            before.tensors + 1, float("inf"), before.largest_weight, (*before.beyond, placed.name)
        )
    far = (read - written).abs()
    fits = bool((far <= most_rounding(written, placed.kind)).all())  # what is no number is not
    return WeightsDifference(
        before.tensors + 1,
        max(before.largest, float(far.max())),
        max(before.largest_weight, float(written.abs().max())),
        before.beyond if fits else (*before.beyond, placed.name),
    )


@contextlib.contextmanager
def under_its_name(path: Path) -> Iterator[tuple[str, str]]:
    """Inside, a file that has not yet got its name has one that transformers knows the format by: its folder and its name."""
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "model.gguf").symlink_to(path.resolve())
        yield home, "model.gguf"


@contextlib.contextmanager
def telling(path: Path) -> Iterator[None]:
    """Inside, errors that transformers raises over a file become WorldError."""
    try:
        yield
    except LuthierError:
        raise
    except Exception as error:  # of many kinds; each means that the file cannot be read
        raise unreadable(path, f"cannot be read by transformers ({first_line(error)[:200]})") from error


def unreadable(path: Path, why: str) -> WorldError:
    return WorldError(f"{path.name}: was written, and {why}. Nothing was kept. Report it, with this message.")


def refuse_other_settings(path: Path, config: Mapping[str, Any], settings: LlamaSettings) -> None:
    """Raise WorldError where transformers reads other sizes in a file than the original has."""
    wanted = {
        "num_hidden_layers": settings.layers,
        "hidden_size": settings.width,
        "intermediate_size": settings.inner_width,
        "num_attention_heads": settings.heads,
        "num_key_value_heads": settings.key_heads,
        "head_dim": settings.head_width,
        "max_position_embeddings": settings.context,
        "vocab_size": settings.vocabulary,
        "tie_word_embeddings": settings.tied,
    }
    numbers = {"rms_norm_eps": (config["rms_norm_eps"], settings.epsilon)}
    base = gguf_settings.rope_settings(config)["rope_theta"]
    numbers["rope_theta"] = (base, settings.rope["rope_theta"])
    wrong = [name for name, value in wanted.items() if config.get(name) != value]
    # A GGUF file holds them in four bytes.
    wrong += [name for name, (read, written) in numbers.items() if np.float32(read) != np.float32(written)]
    if wrong:
        raise unreadable(path, f"transformers reads another {wrong[0]} in it")


def ids_of(tokenizer: Any, text: str) -> list[int]:
    found: list[int] = tokenizer.encode(text, add_special_tokens=True)
    return found


def differing(some: Sequence[Any], others: Sequence[Any]) -> int:
    return sum(one != other for one, other in zip(some, others, strict=True))
