"""Read a file of rows, or a folder of such files."""

from pathlib import Path

from luthier.data.formats.row_files import read_file
from luthier.data.images.shards import holds_shards, read_folder
from luthier.data.table import Table
from luthier.data.writing import Writing


def read(path: str | Path, writing: Writing = Writing()) -> Table:  # noqa: B008  it is frozen
    """The rows of a file, as `read_file` reads it; or those of a folder of such files that are shards of one part.

    Raises as `read_file` does, and DataError for a folder that holds several parts.
    """
    path = Path(path)
    return read_folder(path, writing) if holds_shards(path) else read_file(path, writing)
