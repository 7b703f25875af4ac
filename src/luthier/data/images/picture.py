"""One image of a table, or of a caller: opened when it is looked at."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from luthier.data.images.decode import BrokenImage, decode
from luthier.data.images.image_bytes import image_bytes
from luthier.data.images.source import ImageSource
from luthier.errors import DataError


@dataclass(frozen=True, slots=True)
class Picture:
    """The image of a table's row."""

    source: ImageSource
    row: int

    @property
    def missing(self) -> bool:
        """Whether the row names no image."""
        return self.source.names_none(self.row)

    def open(self, draft_size: int | None = None) -> Image.Image:
        """The image in RGB, upright; for a JPEG much larger than `draft_size` a side, a smaller version. Raises DataError."""
        try:
            return decode(self.source.bytes_of(self.row), draft_size).image
        except BrokenImage as error:
            raise DataError(f"{self.source.name_of(self.row)} {error}. Replace or delete it.") from None


@dataclass(frozen=True, slots=True)
class FilePicture:
    """An image that a caller names, or hands over as it is."""

    given: str | Path | bytes | Image.Image

    @property
    def missing(self) -> bool:
        return self.given is None or self.given in ("", b"")

    @property
    def name(self) -> str:
        return str(self.given) if isinstance(self.given, str | Path) else "the image"

    def open(self, draft_size: int | None = None) -> Image.Image:
        """The image in RGB, upright. Raises DataError for what is no image."""
        if isinstance(self.given, Image.Image):
            return self.given.convert("RGB")
        try:
            raw = self.given if isinstance(self.given, bytes) else image_bytes(Path(self.given))
            return decode(raw, draft_size).image
        except BrokenImage as error:
            raise DataError(f"{self.name} {error}.") from None
        except OSError as error:
            raise DataError(f"{self.name}: cannot be read ({error.strerror or error}).") from error
