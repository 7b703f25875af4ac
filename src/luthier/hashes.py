"""Hashes of files and of JSON values: what decides whether two things are the same."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from luthier.files import open_file


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal. Raises InputError for a pipe or what else is no file."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_json(value: Any) -> str:
    """SHA-256 of a JSON value with its keys in order: equal values give equal hashes."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def fingerprint(pieces: Iterable[bytes]) -> bytes:
    """16 bytes that are alike where pieces of bytes are (BLAKE2b), as short as rows by the thousand want it."""
    found = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        found.update(len(piece).to_bytes(8, "big"))
        found.update(piece)
    return found.digest()
