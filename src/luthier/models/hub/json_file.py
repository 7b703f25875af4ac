"""Reading the JSON files of a model folder."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from luthier.errors import ModelError, WorldError


def read_object(path: Path, missing: str | None = None) -> dict[str, Any]:
    """A JSON object of a model folder. `missing` is the message when it is not there; None makes that an empty object."""
    if not path.is_file():
        if missing is not None:
            raise ModelError(missing)
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise ModelError(f"{path}: holds no JSON object, which is expected here. Fetch or copy it again.")
    return content


def read_json(path: Path) -> Any:
    with telling_read_errors(path):
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{path}: is not valid JSON ({error}). Fetch or copy it again.") from error


@contextlib.contextmanager
def telling_read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorldError(
            f"{path}: cannot be read ({error.strerror or error}). Ask its owner, or copy it to a place of your own."
        ) from error
