"""Whatever a file of an image holds, it comes out upright, in RGB with 8 bits; or is refused with a reason."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from luthier.data.images.decode import BrokenImage, decode

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def noise(width: int = 60, height: int = 40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def ramp() -> np.ndarray[Any, Any]:
    """(16, 16) every value of 8 bits once."""
    return np.arange(256, dtype=np.uint8).reshape(16, 16)


def grey_of(raw: bytes) -> np.ndarray[Any, Any]:
    """The decoded image, which must be grey."""
    pixels = np.asarray(decode(raw).image)
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


def refusal(raw: bytes) -> str:
    with pytest.raises(BrokenImage) as error:
        decode(raw)
    return str(error.value)


# What comes out


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "JPEG2000"])
def test_plain_rgb_is_left_as_it_is(form: str) -> None:
    found = decode(saved(noise(), form))

    assert np.array_equal(np.asarray(found.image), np.asarray(noise()))
    assert (found.width, found.height, found.converted) == (60, 40, None)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF"])
def test_kinds_that_lose_a_little_come_out_nearly_as_they_were(form: str) -> None:
    smooth = noise(6, 4).resize((60, 40), Image.Resampling.BICUBIC)

    found = decode(saved(smooth, form, quality=95))

    assert found.converted is None
    assert np.abs(np.asarray(found.image).astype(int) - np.asarray(smooth)).mean() < 3


@pytest.mark.parametrize(
    ("mode", "form", "name"),
    [
        ("1", "PNG", "black and white"),
        ("L", "PNG", "grey"),
        ("L", "JPEG", "grey"),
        ("LA", "PNG", "transparency"),
        ("P", "PNG", "palette"),
        ("P", "GIF", "palette"),
        ("RGBA", "PNG", "transparency"),
        ("RGBA", "TIFF", "transparency"),
        ("CMYK", "JPEG", "CMYK"),
        ("CMYK", "TIFF", "CMYK"),
        ("YCbCr", "TIFF", "YCbCr"),
        ("LAB", "TIFF", "LAB"),
        ("I", "TIFF", "32-bit grey"),
        ("F", "TIFF", "float grey"),
        ("I;16", "PNG", "16-bit grey"),
        ("I;16", "TIFF", "16-bit grey"),
    ],
)
def test_every_mode_becomes_rgb_and_is_told(mode: str, form: str, name: str) -> None:
    source = Image.new(mode, (3, 2)) if mode == "LAB" else Image.new("L", (3, 2), 90).convert(mode)

    found = decode(saved(source, form))

    assert (found.image.mode, found.image.size, found.converted) == ("RGB", (3, 2), name)


def test_colours_survive_a_palette_and_four_inks() -> None:
    red = Image.new("RGB", (16, 16), RED)

    assert decode(saved(red.convert("P"))).image.getpixel((3, 3)) == RED
    assert decode(saved(red.convert("CMYK"), "TIFF")).image.getpixel((3, 3)) == RED


@pytest.mark.parametrize(
    "source",
    [
        Image.new("RGBA", (2, 2), (255, 0, 0, 0)),
        Image.new("LA", (2, 2), (0, 0)),
    ],
)
def test_what_is_transparent_is_white(source: Image.Image) -> None:
    assert decode(saved(source)).image.getpixel((0, 0)) == WHITE


def test_what_is_half_transparent_is_half_white() -> None:
    assert decode(saved(Image.new("RGBA", (2, 2), (255, 0, 0, 128)))).image.getpixel((0, 0)) == (
        255,
        127,
        127,
    )


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_colour_named_as_transparent_is_white(mode: str) -> None:
    source = Image.new("RGB", (2, 1), GREEN)
    source.putpixel((0, 0), BLUE)
    source = source.convert(mode, palette=Image.Palette.ADAPTIVE) if mode == "P" else source.convert(mode)
    named = source.getpixel((0, 0))

    found = decode(saved(source, transparency=named))

    assert found.image.getpixel((0, 0)) == WHITE
    assert found.image.getpixel((1, 0)) != WHITE
    assert found.converted == "transparency"


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (ramp().astype(np.uint16) * 257, "PNG"),
        (ramp().astype(np.uint16) * 257, "TIFF"),
        ((ramp().astype(np.uint16) * 257).astype(">u2"), "TIFF"),
        (ramp().astype(np.int32), "TIFF"),
        (ramp().astype(np.int32) * 257, "TIFF"),
        (ramp().astype(np.int32) * 1_000_000 - 50_000_000, "TIFF"),
        (ramp().astype(np.float32) / 255, "TIFF"),
        (ramp().astype(np.float32), "TIFF"),
        (ramp().astype(np.float32) * 20 - 7, "TIFF"),
    ],
)
def test_grey_of_more_than_8_bits_is_scaled_to_them(values: NDArray[Any], form: str) -> None:
    assert np.array_equal(grey_of(saved(Image.fromarray(values), form)), ramp())


def test_a_dark_image_of_16_bits_stays_dark() -> None:
    assert grey_of(saved(Image.fromarray(np.full((2, 2), 257 * 9, np.uint16)))).tolist() == [[9, 9], [9, 9]]


def test_floats_that_are_no_numbers_are_black_and_endless_ones_black_or_white() -> None:
    values = np.array([[np.nan, np.inf, -np.inf, 1.0, 0.0]], np.float32)

    assert grey_of(saved(Image.fromarray(values), "TIFF")).tolist() == [[0, 255, 0, 255, 0]]


# Upright


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_an_image_is_upright_whatever_its_orientation(form: str, orientation: int) -> None:
    """The corners as the EXIF standard numbers them: where row 0 and column 0 of the file stand in the scene."""
    scene = np.zeros((16, 32, 3), np.uint8)
    scene[:8, :16], scene[:8, 16:], scene[8:, :16] = RED, GREEN, BLUE
    as_stored = {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.transpose(1, 0, 2),
        6: scene.transpose(1, 0, 2)[::-1],
        7: scene.transpose(1, 0, 2)[::-1, ::-1],
        8: scene.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = (
        {"quality": 100, "subsampling": 0} if form == "JPEG" else {"lossless": True} if form == "WEBP" else {}
    )

    found = decode(saved(Image.fromarray(np.ascontiguousarray(as_stored)), form, exif=exif, **options))

    assert np.abs(np.asarray(found.image).astype(int) - scene).max() < 8
    assert (found.width, found.height) == (32, 16)
    assert found.image.getexif().get(0x0112) is None


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_exif_record_is_no_damaged_image() -> None:
    raw = saved(noise(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")

    assert decode(raw).image.size == (60, 40)


def test_of_a_moving_image_the_first_frame_is_taken_and_told() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE)]

    found = decode(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))

    assert found.image.getpixel((0, 0)) == RED
    assert found.converted == "one frame of several"


# Reduced


def test_a_jpeg_is_decoded_smaller_only_when_asked_and_only_as_far_as_allowed() -> None:
    raw = saved(noise(801, 400), "JPEG")

    assert decode(raw).image.size == (801, 400)
    assert decode(raw, draft_size=100).image.size == (201, 100)
    assert decode(raw, draft_size=101).image.size == (401, 200)
    assert decode(raw, draft_size=300).image.size == (801, 400)


def test_the_size_told_is_that_of_the_whole_image() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6

    found = decode(saved(noise(801, 400), "JPEG", exif=exif), draft_size=50)

    assert (found.width, found.height, found.image.size) == (400, 801, (50, 101))


def test_other_kinds_are_decoded_whole() -> None:
    assert decode(saved(noise(80, 40)), draft_size=10).image.size == (80, 40)


# What is refused


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_a_file_that_is_cut_off_is_refused(form: str, keep: float) -> None:
    raw = saved(noise(), form)

    assert refusal(raw[: int(keep * len(raw))]) == "is cut off"


@pytest.mark.parametrize("form", ["WEBP", "AVIF", "JPEG2000"])
def test_other_kinds_that_are_cut_off_are_refused_too(form: str) -> None:
    raw = saved(noise(), form)

    assert refusal(raw[: len(raw) // 2])


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is empty"),
        (b"label,text\n", "is no image of a kind that is known"),
        (b"\n<!DOCTYPE html>", "is a text in angle brackets, such as a web page or a drawing in SVG"),
        (b"%PDF-1.4", "is a PDF document"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "is a pointer of Git LFS: the file itself was not fetched",
        ),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC image, which is not read: convert it to JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no image of a kind that is known"),
    ],
)
def test_what_is_no_image_is_told_by_what_it_is(raw: bytes, words: str) -> None:
    assert refusal(raw) == words


def test_an_image_with_too_many_pixels_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = saved(Image.new("L", (100, 100)))
    words = "has more than 9,999 pixels, which may fill the memory"

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9_999)
    with pytest.warns(Image.DecompressionBombWarning):
        assert refusal(raw) == words

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4_000)
    assert refusal(raw) == words.replace("9,999", "4,000")

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert decode(raw).image.size == (100, 100)


@pytest.mark.filterwarnings("ignore")
def test_random_damage_gives_an_image_or_a_reason() -> None:
    rng = np.random.default_rng(0)
    for form in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"):
        whole = np.frombuffer(saved(noise(), form), np.uint8)
        for _ in range(40):
            raw = whole.copy()
            raw[rng.integers(0, len(raw), 8)] = rng.integers(0, 256, 8)
            with contextlib.suppress(BrokenImage):
                assert decode(raw.tobytes()).image.mode == "RGB"
