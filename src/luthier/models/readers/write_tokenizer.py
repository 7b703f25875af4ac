"""A tokenizer saved so that its library cuts and spells texts as luthier did."""

import copy
from pathlib import Path

from tokenizers import normalizers

from luthier.models.readers.texts import Texts


def write_tokenizer(folder: Path, texts: Texts, limit: int, lower_case: bool) -> None:
    """The tokenizer with luthier's own limit, and without the truncation that its last call left in it.

    lower_case: whether it is to spell texts as luthier did before them, where no other file of the folder can tell so.
    """
    tokenizer = copy.deepcopy(texts.tokenizer)
    tokenizer.model_max_length = limit
    if tokenizer.is_fast:
        whole = tokenizer.backend_tokenizer
        whole.no_truncation()
        whole.no_padding()
        if lower_case and texts.lower_case:
            own = [] if whole.normalizer is None else [whole.normalizer]
            whole.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
    tokenizer.save_pretrained(folder)
