from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from cinelet.errors import InvalidValueError
from cinelet.storage import Artifact

KEY = "video_local_01JD0000000000000000000000/0123456789abcdef/video.mp4"
FIELDS: dict[str, Any] = {"key": KEY, "content_type": "video/mp4", "size_bytes": 5, "sha256": hashlib.sha256(b"hello").hexdigest()}


def test_an_artifact_survives_json() -> None:
    artifact = Artifact(**FIELDS)
    assert Artifact.from_json(json.loads(json.dumps(artifact.to_json()))) == artifact


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", "../../etc/passwd"),
        ("content_type", "video/mp4\r\nSet-Cookie: a=b"),
        ("content_type", "text/html; charset=utf-8"),
        ("content_type", ""),
        ("content_type", None),
        ("size_bytes", -1),
        ("size_bytes", True),
        ("size_bytes", 5.0),
        ("size_bytes", "5"),
        ("size_bytes", 1 << 41),
        ("sha256", "0" * 63),
        ("sha256", "A" * 64),
        ("sha256", None),
    ],
)
def test_a_field_of_another_form_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidValueError) as refused:
        Artifact.from_json({**FIELDS, field: value})
    assert refused.value.field == field


@pytest.mark.parametrize("fields", [{}, {**FIELDS, "etag": "x"}, {name: FIELDS[name] for name in ("key", "sha256")}])
def test_missing_and_unknown_fields_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match="exactly the fields"):
        Artifact.from_json(fields)
