"""Real services for real clients: an open one that is quick, one with keys that is slow, one whose clips lie in a bucket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from cinelet.jobs import Store, Tenant
from tests.support import clients
from tests.support.clients import Caller, MissingClientError, StockClient
from tests.support.service import Service, running_service

TENANTS = (
    Tenant(id="ann"),
    Tenant(id="bob"),
    Tenant(id="full", max_waiting=0),
    Tenant(id="hasty", requests_per_minute=1),
    Tenant(id="poor", quota_s=0.001),
)
END_S = 60.0
"""For a job that fails three times, on a busy machine."""
MOTO = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Open to everyone; a clip takes a moment."""
    with running_service(tmp_path_factory.mktemp("open"), fake_step_s=0.005, grace_s=0) as service:
        yield service


@pytest.fixture(scope="session", autouse=True)
def poisoned_id(service: Service) -> str:
    """A clip whose engine dies at each attempt. It begins first, so that it has failed for good when somebody looks."""
    return str(httpx2.post(f"{service.url}/v1/videos", json={"prompt": "poison"}, trust_env=False).json()["id"])


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The key of each tenant of `guarded`, under `folder` the place of its database."""
    folder = tmp_path_factory.mktemp("guarded")
    store = Store(str(folder / "cinelet.db"))
    try:
        for tenant in TENANTS:
            store.tenants.put(tenant)
        return {"folder": str(folder), **{tenant.id: store.tenants.create_key(tenant.id, "test")[0] for tenant in TENANTS}}
    finally:
        store.close()


@pytest.fixture(scope="session")
def guarded(keys: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Asks for keys. Its steps take so long that a running clip stays one until a test ends it."""
    store = f"{keys['folder']}/cinelet.db"
    with running_service(tmp_path_factory.mktemp("slow"), store=store, require_key=True, fake_step_s=0.5, grace_s=0) as service:
        yield service


@pytest.fixture(scope="session")
def bucket_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Its clips lie in S3, as moto speaks it."""
    command = [sys.executable, "-c", MOTO]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as moto:
        assert moto.stdout is not None
        endpoint = moto.stdout.readline().strip()
        assert endpoint, "moto did not start"
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/clips", method="PUT"), timeout=30).close()  # noqa: S310 - the test's own server
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            blobs = f"s3://clips/made?endpoint={endpoint}&region=us-east-1"
            with running_service(tmp_path_factory.mktemp("bucket"), blobs=blobs, fake_step_s=0.001, grace_s=0) as service:
                yield service


@pytest.fixture(scope="session", params=["openai_3", "openai_2", "openai_node"])
def stock(request: pytest.FixtureRequest) -> Iterator[StockClient]:
    """Each stock client in turn."""
    with start_stock(request.param) as client:
        yield client


@pytest.fixture
def call(stock: StockClient, service: Service) -> Caller:
    """Each stock client in turn, at the open service."""
    return stock.at(service.url)


@pytest.fixture(scope="session")
def start_client() -> Callable[[str], StockClient]:
    """A stock client by name."""
    return start_stock


@pytest.fixture
def http(service: Service) -> Iterator[httpx2.Client]:
    """Bare HTTP at the open service."""
    with httpx2.Client(base_url=service.url, trust_env=False, timeout=END_S) as client:
        yield client


@pytest.fixture(scope="session")
def ended() -> Callable[..., dict[str, Any]]:
    """Waits on the event stream until a video has ended, and gives its last event's object."""
    return wait_end


def start_stock(name: str) -> StockClient:
    try:
        client: StockClient = getattr(clients, name)()
    except MissingClientError as error:
        if "CI" in os.environ and not error.is_excusable:
            pytest.fail(str(error))
        pytest.skip(str(error))
    return client


def wait_end(service: Service, video_id: str, key: str = "any") -> dict[str, Any]:
    headers = {"authorization": f"Bearer {key}"}
    last: dict[str, Any] = {}
    with httpx2.stream("GET", f"{service.url}/v1/videos/{video_id}/events", headers=headers, timeout=END_S, trust_env=False) as stream:
        stream.raise_for_status()
        for line in stream.iter_lines():
            if line.startswith("data: "):
                last = json.loads(line.removeprefix("data: "))
    assert last["status"] in {"completed", "failed"}, last
    return last
