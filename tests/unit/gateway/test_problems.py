"""Every error has an answer, and every answer tells clients what to do next."""

from __future__ import annotations

import json

import pytest

from cinelet import errors
from cinelet.errors import CineletError, InvalidValueError
from cinelet.gateway.problems import RETRIED, TABLE, error_body, problem, row_of


def classes(base: type[CineletError] = CineletError) -> list[type[CineletError]]:
    return [base, *(found for child in base.__subclasses__() for found in classes(child))]


def made(kind: type[CineletError]) -> CineletError:
    return (
        kind("size", "1x1", "private limit") if issubclass(kind, InvalidValueError) else kind("what happened", detail="secret of the log")
    )


@pytest.mark.parametrize("kind", [kind for kind in classes() if kind is not CineletError])
def test_every_class_has_a_row_of_its_own_or_of_a_base(kind: type[CineletError]) -> None:
    assert any(base in TABLE for base in kind.__mro__)


@pytest.mark.parametrize("kind", classes())
def test_every_answer_has_the_one_shape_and_keeps_the_logs_detail(kind: type[CineletError]) -> None:
    answer = problem(made(kind))
    assert list(answer.body) == ["error"]
    assert list(answer.body["error"]) == ["message", "type", "param", "code"]
    assert answer.body["error"]["message"]
    assert answer.body["error"]["code"]
    assert "secret" not in json.dumps(answer.body) + str(answer.headers)
    assert 400 <= answer.status < 600


ROWS = [
    (errors.RequestError("no"), 400, "invalid_request_error", None, "invalid_request"),
    (errors.MalformedError("no"), 400, "invalid_request_error", None, "malformed"),
    (InvalidValueError("size", "1x1", "no"), 400, "invalid_request_error", "size", "invalid_size"),
    (InvalidValueError("metadata.'x y'", "1x1", "no"), 400, "invalid_request_error", "metadata.'x y'", "invalid_value"),
    (errors.UnknownFieldError("sharpness", 1, "no"), 400, "invalid_request_error", "sharpness", "unknown_parameter"),
    (errors.AuthenticationError("no"), 401, "authentication_error", None, "invalid_api_key"),
    (errors.PermissionDeniedError("no"), 403, "permission_error", None, "permission_denied"),
    (errors.NotFoundError("no"), 404, "not_found_error", None, "not_found"),
    (errors.ModelNotFoundError("no"), 404, "not_found_error", "model", "model_not_found"),
    (errors.NotReadyError("no"), 404, "not_found_error", None, "video_not_ready"),
    (errors.ConflictError("no"), 409, "conflict_error", None, "conflict"),
    (errors.GoneError("no"), 410, "not_found_error", None, "gone"),
    (errors.TooLargeError("body", "2 MB", "no"), 413, "invalid_request_error", "body", "too_large"),
    (errors.UnsupportedMediaError("content-type", "x", "no"), 415, "invalid_request_error", "content-type", "unsupported_media"),
    (errors.UnusableValueError("prompt", "\0", "no"), 422, "invalid_request_error", "prompt", "unusable_value"),
    (errors.KeyReusedError("no"), 422, "invalid_request_error", None, "idempotency_key_reused"),
    (errors.RateLimitedError("no", 3.2), 429, "rate_limit_error", None, "rate_limit_exceeded"),
    (errors.QuotaError("no", 7200), 429, "insufficient_quota", None, "insufficient_quota"),
    (errors.InternalError("no"), 500, "server_error", None, "internal"),
    (errors.ModelFilesError("no"), 503, "server_error", None, "model_files"),
    (errors.UnavailableError("no"), 503, "server_error", None, "unavailable"),
    (errors.OutOfMemoryError("no"), 503, "server_error", None, "out_of_memory"),
    (errors.EngineDiedError("no"), 503, "server_error", None, "engine_died"),
    (errors.TimedOutError("no"), 504, "server_error", None, "timed_out"),
]


@pytest.mark.parametrize(("error", "status", "kind", "param", "code"), ROWS, ids=lambda value: type(value).__name__)
def test_the_table_says_what_the_contract_says(error: CineletError, status: int, kind: str, param: str | None, code: str) -> None:
    answer = problem(error)
    assert answer.status == status
    assert answer.body == error_body(answer.body["error"]["message"], kind, param, code)


def test_the_contract_speaks_of_every_row() -> None:
    assert {row_of(type(error)) for error, *_ in ROWS} == set(TABLE.values())


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (errors.RateLimitedError("no", 3.2), {"retry-after": "4", "retry-after-ms": "3200"}),
        (errors.RateLimitedError("no", 0), {"retry-after": "1", "retry-after-ms": "1"}),
        (errors.RateLimitedError("no", 60), {"retry-after": "60", "retry-after-ms": "60000"}),
        (errors.RateLimitedError("no", 600), {"retry-after": "600", "retry-after-ms": "600000", "x-should-retry": "false"}),
        (errors.RateLimitedError("no", float("inf")), {"retry-after": "86400", "retry-after-ms": "86400000", "x-should-retry": "false"}),
        (errors.RateLimitedError("no"), {"retry-after": "2", "retry-after-ms": "2000"}),
        (errors.QuotaError("no", 30), {"retry-after": "30", "retry-after-ms": "30000", "x-should-retry": "false"}),
        (errors.QuotaError("no"), {"x-should-retry": "false"}),
        (errors.UnavailableError("no"), {"retry-after": "2", "retry-after-ms": "2000"}),
        (errors.UnavailableError("no", retry_after_s=5), {"retry-after": "5", "retry-after-ms": "5000"}),
        (errors.OutOfMemoryError("no"), {"x-should-retry": "false"}),
        (errors.ModelFilesError("no"), {"x-should-retry": "false"}),
        (errors.InternalError("no"), {"x-should-retry": "false"}),
        (errors.ConflictError("no"), {"x-should-retry": "false"}),
        (errors.ConflictError("no", retry_after_s=1), {"retry-after": "1", "retry-after-ms": "1000"}),
        (errors.KeyReusedError("no"), {}),
        (errors.NotReadyError("no"), {}),
        (errors.AuthenticationError("no"), {"www-authenticate": "Bearer"}),
        (InvalidValueError("size", "1x1", "no"), {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_headers_tell_when_to_come_back_and_whether_to(error: CineletError, headers: dict[str, str]) -> None:
    assert dict(problem(error).headers) == headers


@pytest.mark.parametrize("kind", classes())
def test_a_client_that_retries_by_itself_is_never_left_guessing(kind: type[CineletError]) -> None:
    answer = problem(made(kind))
    assert (answer.status in RETRIED) == bool({"retry-after", "x-should-retry"} & set(answer.headers))


def test_what_speaks_of_the_servers_inside_is_not_told() -> None:
    for error in (
        errors.InternalError("row 7 of /srv/db"),
        errors.ModelFilesError("model: /srv/models/x is truncated"),
        CineletError("/srv"),
    ):
        assert "/srv" not in problem(error).body["error"]["message"]
