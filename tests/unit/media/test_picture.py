"""Foreign pictures: known by their bytes, measured before they are decoded, handed on as bare pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cinelet.errors import CineletError, InvalidValueError, TooLargeError, UnsupportedMediaError
from cinelet.media.picture import MAX_BYTES, MAX_PIXELS, cover, read_picture


def drawn(kind: str, size: tuple[int, int] = (12, 8), mode: str = "RGB", **options: Any) -> bytes:
    file = BytesIO()
    Image.new(mode, size, (200, 10, 10) if mode == "RGB" else 0).save(file, format=kind, **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds next to nothing."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_three_formats_are_read_by_their_bytes(kind: str) -> None:
    picture = read_picture(drawn(kind))
    assert (picture.mode, picture.size) == ("RGB", (12, 8))
    red, green, _ = picture.getpixel((5, 5))  # type: ignore[misc]
    assert red > 180
    assert green < 30


@pytest.mark.parametrize("mode", ["L", "1", "P", "I;16", "RGBA", "LA"])
def test_every_kind_of_pixel_becomes_red_green_and_blue(mode: str) -> None:
    assert read_picture(drawn("PNG", mode=mode)).mode == "RGB"


def test_sixteen_bits_of_grey_keep_their_brightness() -> None:
    file = BytesIO()
    Image.new("I;16", (4, 4), 0x8080).save(file, format="PNG")
    assert read_picture(file.getvalue()).getpixel((1, 1)) == (128, 128, 128)


@pytest.mark.parametrize(("mode", "colour", "seen"), [("RGBA", (200, 0, 0, 0), (255, 255, 255)), ("LA", (0, 128), (127, 127, 127))])
def test_what_is_transparent_lies_on_white(mode: str, colour: tuple[int, ...], seen: tuple[int, int, int]) -> None:
    file = BytesIO()
    Image.new(mode, (4, 4), colour).save(file, format="PNG")
    assert read_picture(file.getvalue()).getpixel((1, 1)) == seen


def test_a_transparent_colour_of_a_palette_lies_on_white_too() -> None:
    file = BytesIO()
    Image.new("P", (4, 4), 0).save(file, format="PNG", transparency=0)
    assert read_picture(file.getvalue()).getpixel((1, 1)) == (255, 255, 255)


def test_what_a_camera_wrote_is_gone_and_the_picture_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif[0x0112] = 6  # turned by a quarter
    picture = read_picture(drawn("JPEG", exif=exif, icc_profile=b"a profile", comment=b"a comment"))
    assert picture.size == (8, 12)
    assert picture.info == {}
    assert not picture.getexif()


@pytest.mark.parametrize(("size", "left", "right"), [((40, 10), 100, 100), ((20, 10), 0, 200), ((40, 20), 0, 200)])
def test_a_picture_covers_the_frame_and_is_cut_alike_on_both_sides(size: tuple[int, int], left: int, right: int) -> None:
    """A wide picture loses its dark left and bright right quarter; one of the frame's form loses nothing."""
    picture = Image.new("RGB", size, (100, 100, 100))
    quarter = size[0] // 4
    picture.paste((0, 0, 0), (0, 0, quarter, size[1]))
    picture.paste((200, 200, 200), (size[0] - quarter, 0, size[0], size[1]))
    framed = cover(picture, 20, 10)
    assert framed.size == (20, 10)
    assert (framed.getpixel((0, 5)), framed.getpixel((19, 5))) == ((left,) * 3, (right,) * 3)


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    picture = Image.effect_noise((24, 16), 80).convert("RGB")
    assert cover(picture, 24, 16).tobytes() == picture.tobytes()


FOREIGN: dict[str, Callable[[], bytes]] = {
    "SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "GIF": lambda: drawn("GIF"),
    "BMP": lambda: drawn("BMP"),
    "TIFF": lambda: drawn("TIFF"),
    "a polyglot that starts as something else": lambda: b"GIF89a" + drawn("PNG"),
    "a WAV": lambda: b"RIFF\x24\0\0\0WAVEfmt ",
    "PDF": lambda: b"%PDF-1.7",
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_formats_are_refused_by_their_bytes(name: str) -> None:
    with pytest.raises(UnsupportedMediaError) as caught:
        read_picture(FOREIGN[name](), "portrait")
    assert caught.value.field == "portrait"


@pytest.mark.parametrize("size", [(8001, 5000), (50_000, 50_000), (2**31 - 1, 2**31 - 1), (16_384, 1), (1, 100_000)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(TooLargeError):
        read_picture(png_of_size(*size))


def test_the_limit_itself_is_taken() -> None:
    assert read_picture(drawn("PNG", (8000, MAX_PIXELS // 8000))).width == 8000


def test_a_file_beyond_the_limit_is_refused_unread() -> None:
    with pytest.raises(TooLargeError, match="20,000,000 bytes"):
        read_picture(drawn("PNG") + bytes(MAX_BYTES))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_moving_pictures_are_refused(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), (i * 40, 0, 0)) for i in range(3)]
    file = BytesIO()
    frames[0].save(file, format=kind, save_all=True, append_images=frames[1:])
    with pytest.raises(InvalidValueError, match="one still picture"):
        read_picture(file.getvalue())


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_that_was_cut_off_is_refused(kind: str) -> None:
    whole = drawn(kind, (64, 64))
    with pytest.raises(InvalidValueError):
        read_picture(whole[: len(whole) // 2])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=12))
def test_a_damaged_picture_is_read_or_refused(kind: str, damage: list[tuple[int, int]]) -> None:
    data = bytearray(drawn(kind, (20, 20)))
    for place, value in damage:
        data[place % len(data)] = value
    try:
        read_picture(bytes(data))
    except CineletError as error:
        assert error.message.isprintable()
