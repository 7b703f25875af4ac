"""The tokens at which a model stops writing, as its settings name them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from luthier.errors import ModelError

KEY = "eos_token_id"


def end_tokens(settings: Mapping[str, Any], path: Path, vocabulary: int | None) -> list[int] | None:
    """The numbers under `eos_token_id`, one or several; None where settings name none.

    path: the file of the settings. vocabulary: how many tokens the model knows; None where its settings do not say.

    Raises ModelError for what is no number of a token: transformers fails at it in the midst of writing, or never stops.
    """
    found = settings.get(KEY)
    if found is None:
        return None
    numbers = found if isinstance(found, list) else [found]
    for one in numbers:
        if not isinstance(one, int) or isinstance(one, bool) or one < 0 or (vocabulary and one >= vocabulary):
            known = f" from 0 to {vocabulary - 1:,}" if vocabulary else ""
            raise ModelError(
                f"{path}: {KEY} is {found!r:.80}, and {one!r:.80} is no number of a token{known}. Write the number of the "
                "token that ends an answer there, or take the key out."
            )
    return numbers
