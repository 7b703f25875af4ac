"""From the bytes of an image file to pixels: always upright, RGB, 8 bits each."""

import contextlib
import io
import math
import threading
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from luthier.errors import shorten

FORMATS = (*("JPEG", "PNG", "GIF", "BMP", "DIB", "WEBP", "AVIF", "TIFF", "JPEG2000", "PPM"),)
"""Kinds of files that are opened, told by their content. Others that Pillow knows are no photos, or start a program (EPS)."""
MOVING = ("GIF", "PNG", "WEBP", "AVIF", "TIFF")
"""Kinds of files whose further frames are pictures of their own; in a JPEG they are previews."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The turn or flip that brings an image upright, by its EXIF orientation (EXIF 2.32, tag 0x0112)."""
SIDEWAYS = tuple(TURNS[orientation] for orientation in (5, 6, 7, 8))
CONVERTED = {
    "1": "black and white",
    "L": "grey",
    "P": "palette",
    "PA": "palette",
    "I": "32-bit grey",
    "F": "float grey",
}
"""Names in words of Pillow's modes, where the mode's own name says little."""
USUAL = {"F": (1.0, 255.0), "I": (255.0, 65_535.0)}
"""Values that white may have in a mode, the smallest first."""
WHITE = (0.0, 255.0)
MANY_PIXELS = 1 << 24
"""An image of more pixels is made smaller as it is brought to RGB; models read at most a thousand a side."""
STRIP_PIXELS = 1 << 20
HELD_TWICE = ("WEBP", "AVIF", "JPEG2000")
MOST_HELD_TWICE = 1 << 25
"""The most pixels of an image of a kind whose decoder takes 16 bytes and more for each."""
LARGE_ONE = threading.Lock()
NO_IMAGES = {
    b"<": "is a text in angle brackets, such as a web page or a drawing in SVG",
    b"%PDF": "is a PDF document",
    b"version https://git-lfs": "is a pointer of Git LFS: the file itself was not fetched",
}
"""What files that are no images often are, by their first bytes."""
HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
"""Brands (ISO/IEC 23008-12, annex B) of the images that telephones write."""


class BrokenImage(ValueError):
    """A file that gives no image. The message says why, to follow the file's name: `is cut off`, `is empty`."""


@dataclass(frozen=True)
class Decoded:
    """An image as models take it."""

    image: Image.Image
    """The image in RGB of 8 bits, upright."""
    width: int
    height: int
    """Width and height of the whole image in pixels, upright; `image` has fewer if it was decoded at a reduced scale."""
    converted: str | None
    """What the image was before it became RGB, in a word or two; None for plain RGB."""


def decode(raw: bytes, draft_size: int | None = None) -> Decoded:
    """The image in a file. Raises BrokenImage when there is none, it is cut off, or has more pixels than Pillow's limit
    against decompression bombs (`Image.MAX_IMAGE_PIXELS`).

    draft_size: pixels a side that will do. A JPEG is decoded at 1/2, 1/4 or 1/8 if neither side gets shorter: several times
    faster, but its pixels are not quite those of the whole image scaled down.
    """
    if not raw:
        raise BrokenImage("is empty")
    try:
        return opened(raw, draft_size)
    except BrokenImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BrokenImage(too_large(Image.MAX_IMAGE_PIXELS)) from error
    except MemoryError:
        raise  # The machine's trouble, not the file's.
    except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them to.
        raise BrokenImage(reason(raw, error)) from error


def opened(raw: bytes, draft_size: int | None) -> Decoded:
    with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
        width, height = image.size
        limit = limit_of(image.format)
        if limit is not None and width * height > limit:
            raise BrokenImage(too_large(limit))  # Pillow itself only warns, up to twice as many.
        moving = image.format in MOVING and getattr(image, "is_animated", False)
        reduced = draft_size is not None and image.draft(None, (draft_size, draft_size)) is not None
        with alone(image):
            image.load()
            if not reduced:
                width, height = image.size  # A TIFF turns itself.
            turn = TURNS.get(orientation(image))
            pixels, converted = in_rgb(image)
    pixels.info.clear()  # Whoever looks for an orientation there would turn it once more.
    if turn is not None:
        pixels = pixels.transpose(turn)
        if turn in SIDEWAYS:
            width, height = height, width
    return Decoded(pixels, width, height, "one frame of several" if moving else converted)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; upright when it is not told, or its record is damaged."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # As with pixels; but an image with a damaged record is an image.
        return 1


def alone(image: Image.Image) -> contextlib.AbstractContextManager[object]:
    """The lock under which images of very many pixels are decoded one at a time, as each takes hundreds of megabytes."""
    return LARGE_ONE if image.width * image.height > MANY_PIXELS else contextlib.nullcontext()


def in_rgb(image: Image.Image) -> tuple[Image.Image, str | None]:
    """A copy in RGB, on white where it is transparent, and what it was before unless it was that. One of very many pixels is
    made smaller on the way, a strip of rows at a time."""
    factor = math.ceil(math.sqrt(image.width * image.height / MANY_PIXELS))
    span = span_of(image) if image.mode.startswith("I;16") or image.mode in USUAL else WHITE
    if factor <= 1:
        return strip_in_rgb(image, span)
    small = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    rows = factor * max(1, STRIP_PIXELS // image.width // factor)
    converted = None
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        pixels, converted = strip_in_rgb(strip, span)
        small.paste(pixels.reduce(factor), (0, top // factor))
    return small, converted


def strip_in_rgb(image: Image.Image, span: tuple[float, float]) -> tuple[Image.Image, str | None]:
    """Rows of an image in RGB. span: what black and white are, of more than 8 bits."""
    if image.mode.startswith("I;16"):
        return scaled(image, span), "16-bit grey"
    if image.mode in ("I", "F"):
        return scaled(image, span), CONVERTED[image.mode]
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        white = Image.new("RGB", clear.size, "white")
        white.paste(clear, mask=clear.getchannel("A"))
        return white, "transparency"
    if image.mode == "RGB":
        return image.copy(), None
    return image.convert("RGB"), CONVERTED.get(image.mode, image.mode)


def span_of(image: Image.Image) -> tuple[float, float]:
    """What is black and what is white in an image of more than 8 bits.

    A range that many use is taken as it is, so that dark images stay dark: 0 to 65,535; of 32 bits, 0 to 255 before that; of
    floats, 0 to 1, then 0 to 255. Any other is stretched from the least value to the greatest.
    """
    least, most = math.inf, -math.inf
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        values = np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))
        finite = values[np.isfinite(values)]
        if len(finite):
            least, most = min(least, float(finite.min())), max(most, float(finite.max()))
    if least > most:
        return 0.0, 0.0
    usual = USUAL.get(image.mode, (65_535.0,))
    return next(((0.0, top) for top in usual if least >= 0 and most <= top), (least, most))


def scaled(image: Image.Image, span: tuple[float, float]) -> Image.Image:
    """Grey values of more than 8 bits, scaled to 8 bits."""
    low, high = span
    values = np.nan_to_num(np.asarray(image).astype(np.float64), nan=low, posinf=high, neginf=low)
    grey = np.rint((values - low) * (255 / ((high - low) or 1.0)))
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


def limit_of(form: str | None) -> int | None:
    """The most pixels of an image that is decoded; fewer where a decoder holds it several times over."""
    limit = Image.MAX_IMAGE_PIXELS
    return min(limit, MOST_HELD_TWICE) if limit is not None and form in HELD_TWICE else limit


def too_large(limit: int | None) -> str:
    return f"has more than {limit or 0:,} pixels, which may fill the memory"


def reason(raw: bytes, error: Exception) -> str:
    """The reason, in words, for which a file does not open, or breaks off."""
    for mark, words in NO_IMAGES.items():
        if raw.lstrip()[: len(mark)] == mark:
            return words
    if raw[4:8] == b"ftyp" and raw[8:12] in HEIC:
        return "is a HEIC image, which is not read: convert it to JPEG"
    if isinstance(error, UnidentifiedImageError):
        return "is no image of a kind that is known"
    said = str(error).rstrip(".") or type(error).__name__
    if "truncated" in said.lower():
        return "is cut off"
    return f"cannot be decoded ({shorten(said)})"
