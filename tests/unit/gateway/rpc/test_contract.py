"""The gRPC contract: its generated code is fresh, its words are those of HTTP, and every error has its status."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from grpc import StatusCode

from cinelet import errors
from cinelet.errors import CineletError, InternalError, InvalidValueError, RateLimitedError
from cinelet.gateway.answer import video
from cinelet.gateway.archive import View
from cinelet.gateway.problems import problem
from cinelet.gateway.request_schema import FIELDS
from cinelet.gateway.rpc.messages import NOT_FIELDS, video_message
from cinelet.gateway.rpc.status import TABLE, status_of
from cinelet.gateway.rpc.videos_pb2 import CreateVideoRequest, Video
from cinelet.jobs import Failure, Job
from tests.support.world import PLAN

SOURCE = Path(__file__).parents[4] / "src"
CONTRACT = "cinelet/gateway/rpc/videos.proto"
OURS = {StatusCode.INTERNAL, StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.RESOURCE_EXHAUSTED}
GENERATED = ("videos_pb2.py", "videos_pb2.pyi", "videos_pb2_grpc.py")


def test_the_generated_code_is_what_the_contract_generates(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(SOURCE), f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([*command, f"--grpc_python_out={tmp_path}", CONTRACT], check=True)
    for name in GENERATED:
        fresh = (tmp_path / "cinelet/gateway/rpc" / name).read_text(encoding="utf-8")
        assert (SOURCE / "cinelet/gateway/rpc" / name).read_text(encoding="utf-8") == fresh, f"run grpc_tools.protoc again for {name}"


def job(**fields: object) -> Job:
    plain = {"id": "video_local_01J9ZX3V0Q8M5T6W7Y2R4K1N0B", "tenant": "ann", "tier": "free", "plan": PLAN, "created_at": 1.0}
    return Job(**{**plain, "state": "available", **fields})  # type: ignore[arg-type]


def test_the_message_has_exactly_the_fields_of_the_json_object() -> None:
    assert set(Video.DESCRIPTOR.fields_by_name) == set(video(View(job=job()), "http://x/"))


def test_a_picture_is_told_of_until_it_goes_with_the_files() -> None:
    pictured = replace(PLAN, image="1234")
    told = [video(View(job=job(plan=plan, purged_at=at)), "http://x/") for plan, at in ((PLAN, None), (pictured, None), (pictured, 9.0))]
    assert [each["has_start_image"] for each in told] == [False, True, False]


def test_the_request_has_only_fields_that_http_reads() -> None:
    assert set(CreateVideoRequest.DESCRIPTOR.fields_by_name) - NOT_FIELDS <= FIELDS.keys()


@pytest.mark.parametrize("state", ["scheduled", "available", "running", "succeeded", "failed", "cancelled", "expired"])
def test_a_job_in_any_state_fits_the_message(state: str) -> None:
    failure = Failure(code="engine_died", message="the engine ended") if state == "failed" else None
    message = video_message(View(job=job(state=state, failure=failure), num_ahead=3, eta_s=1.5, warnings=["a"]), None)
    assert message.x_state == state
    assert not message.HasField("url")
    assert message.error.code == {"failed": "engine_died", "cancelled": "cancelled", "expired": "expired"}.get(state, "")


def kinds(kind: type[CineletError] = CineletError) -> Iterator[type[CineletError]]:
    """Every class of the tree."""
    yield kind
    for child in kind.__subclasses__():
        yield from kinds(child)


def make(kind: type[CineletError]) -> CineletError:
    return kind("field", "value", "limit") if issubclass(kind, InvalidValueError) else kind("a sentence")


CLASSES = [kind for kind in kinds() if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_and_the_words_of_http(kind: type[CineletError]) -> None:
    told, http = status_of(make(kind)), problem(make(kind))
    notes = dict(told.metadata)
    assert told.code not in {StatusCode.OK, StatusCode.UNKNOWN, StatusCode.CANCELLED}
    assert notes["cinelet-code"] == http.body["error"]["code"]
    assert told.message == http.body["error"]["message"]
    assert told.http_status == http.status
    assert http.status < 500 or told.code in OURS


def test_every_row_of_the_table_is_a_class_of_the_tree() -> None:
    assert set(TABLE) <= set(CLASSES)


def test_what_is_private_stays_behind() -> None:
    told = status_of(InternalError("sql: SELECT", detail="password"))
    assert "SELECT" not in told.message
    assert "password" not in repr(told)


def test_a_wait_is_told_in_milliseconds() -> None:
    assert dict(status_of(RateLimitedError("later", 1.5)).metadata)["retry-after-ms"] == "1500"


def test_a_field_name_that_metadata_cannot_carry_is_left_out() -> None:
    notes = dict(status_of(InvalidValueError("цвет\r\n", 1, "is unknown")).metadata)
    assert "cinelet-param" not in notes
    assert notes["cinelet-code"] == "invalid_value"
