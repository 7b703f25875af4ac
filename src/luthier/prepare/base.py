"""A pre-trained model's folder, opened: what is known before its weights are."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from luthier.files import refuse_link_away, refuse_links_away
from luthier.folder.model_record import FILE as MODEL_RECORD
from luthier.forms import FORMS
from luthier.models.hub.inspect import PROCESSOR, TOKENIZER, Folder, ReaderFiles, inspect_folder
from luthier.models.readers.reading import Reader
from luthier.models.static.making import model_path
from luthier.prepare.memo import Memo

EITHER = ReaderFiles((*TOKENIZER.names, *PROCESSOR.names), TOKENIZER.missing)
"""What any model's folder must hold, before it is known whether it reads texts or images."""


@dataclass(frozen=True)
class Base:
    """A pre-trained model's folder, opened."""

    folder: Folder
    reader: Reader
    """Tokenizer or image processor."""

    @staticmethod
    def of(name: str, reads: str, base: str | None) -> "Base":
        """Find and open a model's folder. Raises ModelError for one that cannot serve."""
        path, named = model_path(name), Path(os.path.expanduser(name))
        if os.path.lexists(
            path / MODEL_RECORD
        ):  # a run's model: what lies elsewhere is not what the run has made
            refuse_links_away(path, named if named.is_dir() else path)
            refuse_link_away(path, named if named.is_dir() else path)
        form = FORMS[reads]
        folder = inspect_folder(name, path, form.files, base)
        return Base(folder, form.open(folder))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the folder's files, as they were when it was first asked for."""
        return self.folder.fingerprint()


def base_of(name: str, reads: str, base: str | None, memo: Memo) -> Base:
    """A model's folder, opened once in a process. base: the model that an adapter was made for."""
    return memo.call(Base.of, name, reads, base)
