"""Where the images lie that a table names."""

from pathlib import Path

from luthier.data.table import Table


def with_images_in(table: Table, folder: Path | None) -> Table:
    """The table, its images looked for in a folder that the user named."""
    return table
