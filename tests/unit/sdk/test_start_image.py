"""Start images as people hand them over, and how they travel."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cinelet.errors import InvalidValueError, TooLargeError
from cinelet.sdk import make_wish
from cinelet.sdk.start_image import MAX_BYTES, read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)


def test_a_path_and_bytes_are_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a file")
    assert read_image(tmp_path / "a.jpg") == read_image(str(tmp_path / "a.jpg")) == read_image(b"a file") == b"a file"


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[::-1, ::2], np.asfortranarray(PIXELS)], ids=["plain", "strided", "fortran"])
def test_an_array_becomes_a_png_of_its_pixels(pixels: Any) -> None:
    with Image.open(BytesIO(read_image(pixels))) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_a_wish_carries_the_picture_as_a_data_url() -> None:
    wish = make_wish("a boat", image=b"a file")
    head, _, payload = wish.extra["input_reference"]["image_url"].partition(",")
    assert head.startswith("data:")
    assert head.endswith(";base64")
    assert base64.b64decode(payload) == b"a file"
    assert "a file" not in repr(wish)
    assert "input_reference" not in make_wish("a boat").extra


BAD: dict[str, Any] = {
    "floats": PIXELS / 255,
    "an alpha channel": np.zeros((4, 4, 4), np.uint8),
    "a clip": np.zeros((2, 4, 4, 3), np.uint8),
    "no pixel": np.zeros((0, 4, 3), np.uint8),
    "a file that is not there": "nowhere.png",
    "a folder": Path(),
    "NUL in a path": "a\0.png",
    "a number": 7,
    "nothing of the kind": object(),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        read_image(BAD[name])
    assert caught.value.field == "image"


def test_a_file_beyond_the_limit_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(bytes(MAX_BYTES + 1))
    with pytest.raises(TooLargeError):
        read_image(tmp_path / "large.png")
