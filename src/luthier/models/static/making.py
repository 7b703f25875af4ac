"""`static:MODEL`: a table of word vectors made of an encoder once, and kept as a folder of sentence-transformers."""

import json
from pathlib import Path
from typing import Any

from tokenizers import normalizers

from luthier.errors import InputError, ModelError, WorldError
from luthier.files import cache_folder, whole_folder
from luthier.hashes import hash_file, hash_json
from luthier.models.hub.find import find_model
from luthier.models.hub.gguf_folder import making
from luthier.models.hub.inspect import Folder, inspect_folder
from luthier.models.hub.pretrained import BARE, folder_config, pretrained, refuse_encoder_decoder
from luthier.models.hub.static_table import MODULE, StaticTable
from luthier.models.readers.texts import Texts
from luthier.models.static.vectors import fewer_numbers, token_vectors, weighted
from luthier.plan.places import MADE as MADE_OF
from luthier.plan.places import PACKAGED
from luthier.records import Name, VersionedRecord, read_sealed, sealed, stamped

STATIC = "static"
"""The name of the table that is made of a teacher."""
ORIGIN = "luthier-static.json"
"""The file of a kept folder that says what it was made of."""
MADE = 1
"""Which way of making a table: a change of it makes all tables anew."""


class StaticOrigin(VersionedRecord):
    """luthier-static.json: what a table was made of, and what its folder held when it was whole."""

    encoder: Name
    """Hash of the encoder's weights, settings and vocabulary."""
    files: dict[str, str]
    """SHA-256 of each file but this one."""


def model_path(name: str) -> Path:
    """The folder of a model, as `find_model` finds it; of `static:MODEL` the table that is made of that model, and kept.

    Raises ModelError where there is no such model or nothing can be made of it, DiskError where it cannot be kept.
    """
    if not name.startswith(MADE_OF):
        return find_model(name)
    return made_of(encoder_folder(name))


def what_making_takes(name: str) -> str | None:
    """What to tell before a table is made, where that takes longer than one may wait without a word."""
    if not name.startswith(MADE_OF) or is_sound(kept_at(encoder_folder(name))):
        return None
    return (
        f"{name}: each token of its vocabulary is read once, which takes a while. What comes of it is kept."
    )


def encoder_folder(name: str) -> Folder:
    """The encoder that a table is to be made of. Raises ModelError for a model that is none."""
    inner = name.removeprefix(MADE_OF)
    if not inner:
        raise ModelError(
            f"model.name: {name!r} does not say of what the table of word vectors is to be made. Name an encoder behind the "
            f"colon: --model {MADE_OF}{PACKAGED}"
        )
    folder = inspect_folder(inner, find_model(inner))
    refuse_encoder_decoder(folder)
    if folder.is_table:
        raise ModelError(
            f"{name}: {inner} is a table of word vectors already. Name it alone: --model {inner}"
        )
    return folder


def kept_at(folder: Folder) -> Path:
    """Where the table of an encoder is kept."""
    return cache_folder() / "static" / f"{hash_json([folder.fingerprint(), folder.pooling])[:32]}-{MADE}"


def made_of(encoder: Folder) -> Path:
    """The folder of an encoder's table, made where nobody has yet, or where what was made is damaged."""
    place = kept_at(encoder)
    if not is_sound(place):
        with making(encoder.path, place):
            if not is_sound(place):  # another process may have made it meanwhile
                write_table(encoder, place)
    return place


def is_sound(place: Path) -> bool:
    """Whether a folder is there, and is what was written."""
    try:
        record, was_sealed = read_sealed(place / ORIGIN, StaticOrigin, within=place)
        return was_sealed and all(hash_file(place / name) == digest for name, digest in record.files.items())
    except (InputError, WorldError, OSError):  # not there, or not what was written
        return False


def write_table(encoder: Folder, place: Path) -> None:
    """Read each token of an encoder's vocabulary once, and write the table, whole or not at all."""
    texts = Texts(encoder)
    if not texts.tokenizer.is_fast:
        raise ModelError(
            f"{encoder.path}: holds no tokenizer.json, which a table of word vectors is saved with. Open its tokenizer in "
            "transformers once and save it again, with save_pretrained."
        )
    body = pretrained(encoder, BARE, folder_config(encoder, None)).eval()
    vectors = token_vectors(body, encoder.pooling or "mean", special_tokens(texts), len(texts.tokenizer))
    table = StaticTable(weighted(fewer_numbers(vectors)))
    with whole_folder(place) as part:
        table.save_pretrained(part)
        written = plain_tokenizer(texts)
        (part / "tokenizer.json").write_text(written, encoding="utf-8")
        modules = [{"idx": 0, "name": "0", "path": "", "type": f"sentence_transformers.models.{MODULE}"}]
        (part / "modules.json").write_text(json.dumps(modules, indent=2) + "\n", encoding="utf-8")
        files = {file.name: hash_file(file) for file in sorted(part.iterdir())}
        record = StaticOrigin(encoder=encoder.fingerprint(), files=files)
        told = sealed(stamped(record.to_json(), StaticOrigin))
        (part / ORIGIN).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def special_tokens(texts: Texts) -> tuple[list[int], list[int]]:
    """The numbers of the tokens that an encoder's tokenizer puts before and behind a text."""
    whole = texts.tokenizer("a")["input_ids"]
    bare = texts.tokenizer("a", add_special_tokens=False)["input_ids"]
    for at in range(len(whole) - len(bare) + 1):
        if whole[at : at + len(bare)] == bare:
            return whole[:at], whole[at + len(bare) :]
    return [], []


def plain_tokenizer(texts: Texts) -> str:
    """tokenizer.json as a table wants it: nothing is cut or padded, and texts are spelt as the encoder spelt them."""
    from tokenizers import Tokenizer

    whole: Any = Tokenizer.from_str(texts.tokenizer.backend_tokenizer.to_str())
    whole.no_truncation()
    whole.no_padding()
    if texts.lower_case:
        own = [] if whole.normalizer is None else [whole.normalizer]
        whole.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
    found: str = whole.to_str(pretty=True)
    return found
