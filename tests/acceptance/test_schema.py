"""The OpenAPI document is true: requests made from it find no failure of ours, and answers have the status, type and shape it promises.

schemathesis, as its own process, draws the requests: good ones, and ones broken in one place.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.service import Service, running_service

MAX_TIME_S = os.environ.get("CINELET_SCHEMA_SECONDS", "35")
"""A budget for the drawn requests; those at the edges of each field come on top, about 600."""
NUM_EXAMPLES = os.environ.get("CINELET_SCHEMA_EXAMPLES", "25")
"""How many each route gets of each kind, where the budget allows."""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
ENDLESS = "/v1/videos/events"
"""A stream that never ends by itself."""
NOWHERE = {"enum": ["http://127.0.0.1:9/"]}
"""In place of any address: a test asks no name server."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("schema"), fake_step_s=0.0, slots=4) as service:
        yield service


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    with httpx2.Client(base_url=service.url, trust_env=False, timeout=30) as client:
        return client.get("/openapi.json").json()


def bodies(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for verbs in document["paths"].values():
        for operation in verbs.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                yield content["schema"]


def test_answers_are_as_the_document_says(service: Service, document: dict[str, Any], tmp_path: Path) -> None:
    for body in bodies(document):
        body["properties"] |= {name: NOWHERE for name in ("url", "callback_url") if name in body["properties"]}
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(path), "--url", service.url, "--checks", CHECKS]
    command += ["--exclude-path", ENDLESS, "--phases", "examples,coverage,fuzzing", "--workers", "1", "--no-color", "--no-shrink"]
    command += ["--max-examples", NUM_EXAMPLES, "--max-time", MAX_TIME_S, "--warnings", "off", "--generation-deterministic"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=2 * float(MAX_TIME_S) + 120)
    print(done.stdout[-1500:])
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert service.is_alive


def test_every_route_says_what_its_errors_look_like(document: dict[str, Any]) -> None:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            if path.startswith("/v1/"):
                shape = operation["responses"]["400"]["content"]["application/json"]["schema"]
                assert shape == {"$ref": "#/components/schemas/ErrorBody"}, f"{verb} {path}"


def test_every_route_that_reads_a_body_says_what_is_in_it(document: dict[str, Any]) -> None:
    silent = {
        path for path, verbs in document["paths"].items() if "post" in verbs and "requestBody" not in verbs["post"]
    }  # fmt: skip
    refused = {"/v1/videos/extensions", "/v1/videos/characters"}
    bodiless = {f"/v1/videos/{{video_id}}/{verb}" for verb in ("cancel", "retry", "link")}
    assert silent == refused | bodiless
