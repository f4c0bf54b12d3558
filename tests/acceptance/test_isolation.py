"""Three tenants on one service: what is another's is exactly as if it were not there, and bounds hold to the last one."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cinelet.jobs import Store, Tenant
from tests.support.service import Service, running_service

TENANTS = ("ann", "bob", "eve")
UNKNOWN = {"video_id": "video_local_01ARZ3NDEKTSV4RRFFQ69G5FAV", "endpoint_id": "whe_01ARZ3NDEKTSV4RRFFQ69G5FAV"}
NOWHERE = "http://127.0.0.1:9/"
REVOKED_WITHIN_S = 6.0
POLL_S = 0.05
NUM_AT_ONCE = 200
ROOM = 10


@dataclass(frozen=True, kw_only=True)
class House:
    """A running service and what is in it: a client for each tenant, and a video and an endpoint of each."""

    service: Service
    clients: Mapping[str, httpx2.Client]
    videos: Mapping[str, str]
    endpoints: Mapping[str, str]
    paths: Mapping[str, Mapping[str, Any]]

    def ids(self, tenant: str) -> dict[str, str]:
        return {"video_id": self.videos[tenant], "endpoint_id": self.endpoints[tenant]}


def make_keys(store_url: str, *tenants: Tenant) -> dict[str, str]:
    store = Store(store_url)
    try:
        for tenant in tenants:
            store.tenants.put(tenant)
        return {tenant.id: store.tenants.create_key(tenant.id, "test")[0] for tenant in tenants}
    finally:
        store.close()


def client_of(service: Service, key: str) -> httpx2.Client:
    limits = httpx2.Limits(max_connections=NUM_AT_ONCE)
    headers = {"authorization": f"Bearer {key}"}
    return httpx2.Client(base_url=service.url, trust_env=False, timeout=60, headers=headers, limits=limits)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("isolation")
    keys = make_keys(str(folder / "cinelet.db"), *(Tenant(id=name) for name in TENANTS))
    with running_service(folder, require_key=True, fake_step_s=0.0) as service:
        clients = {name: client_of(service, key) for name, key in keys.items()}
        videos, endpoints = {}, {}
        for name, client in clients.items():
            body = {"prompt": f"the secret of {name}", "num_frames": 1, "seed": 7, "metadata": {"owner": name}}
            video = client.post("/v1/videos", json=body, headers={"prefer": "wait=20"}).json()
            assert video["status"] == "completed", video
            videos[name] = video["id"]
            endpoints[name] = client.post("/v1/webhook_endpoints", json={"url": NOWHERE, "name": f"of {name}"}).json()["id"]
        paths = clients["ann"].get("/openapi.json").json()["paths"]
        yield House(service=service, clients=clients, videos=videos, endpoints=endpoints, paths=paths)
        for client in clients.values():
            client.close()


BODY = {"prompt": "a cat", "num_frames": 1, "event_type": "video.completed"}


def fill(path: str, ids: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: ids[match[1]], path)


def of_another(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Every verb of every route that names a thing which belongs to somebody."""
    for path, verbs in paths.items():
        if any(f"{{{name}}}" in path for name in UNKNOWN):
            yield from ((verb, path) for verb in verbs)
            if "get" in verbs:
                yield "head", path


def told(response: httpx2.Response, *ids: str) -> tuple[int, dict[str, str], str]:
    """An answer without what is different each time, and without the ids."""
    text = response.text
    for name in ids:
        text = text.replace(name, "ID")
    passing = {"date", "x-request-id", "openai-processing-ms", "content-length"}
    return response.status_code, {name: value for name, value in response.headers.items() if name not in passing}, text


def test_every_route_treats_anothers_id_as_an_unknown_one(house: House) -> None:
    eve, mine = house.clients["eve"], house.ids("ann")
    seen = set()
    for verb, path in of_another(house.paths):
        body = None if verb in {"get", "head"} else BODY
        answers = [
            told(eve.request(verb.upper(), fill(path, ids), json=body), *ids.values()) for ids in (mine, UNKNOWN)
        ]  # fmt: skip
        assert answers[0] == answers[1], f"{verb} {path}"
        assert answers[0][0] in {404, 405}, f"{verb} {path}: {answers[0]}"
        seen.add(path)
    assert {"/v1/videos/{video_id}", "/v1/videos/{video_id}/remix", "/v1/webhook_endpoints/{endpoint_id}/rotate_secret"} <= seen
    assert len(seen) >= 10


def test_ids_in_bodies_and_queries_are_no_way_in(house: House) -> None:
    eve = house.clients["eve"]

    def asked(video: str, endpoint: str) -> list[tuple[int, dict[str, str], str]]:
        return [
            told(response, video, endpoint)
            for response in (
                eve.post("/v1/videos/edits", json={"prompt": "a cat", "video": {"id": video}}),
                eve.post("/v1/videos/edits", json={"prompt": "a cat", "video": video}),
                eve.get("/v1/videos", params={"after": video}),
                eve.get("/v1/webhook_endpoints", params={"after": endpoint}),
            )
        ]

    answers = asked(house.videos["ann"], house.endpoints["ann"])
    assert answers == asked(UNKNOWN["video_id"], UNKNOWN["endpoint_id"])
    assert {answer[0] for answer in answers} == {404, 400}


def test_what_was_refused_to_others_is_whole(house: House) -> None:
    for name, client in house.clients.items():
        assert client.get(f"/v1/videos/{house.videos[name]}").json()["status"] == "completed"
        assert client.get(f"/v1/videos/{house.videos[name]}/content").status_code == 200
        assert client.get(f"/v1/webhook_endpoints/{house.endpoints[name]}").json()["is_disabled"] is False


def test_nothing_that_is_listed_belongs_to_another(house: House) -> None:
    strangers = {word for name in ("ann", "bob") for word in (f"the secret of {name}", house.videos[name], house.endpoints[name])}
    for path, verbs in house.paths.items():
        if "get" not in verbs or "{" in path or path == "/v1/videos/events":
            continue
        text = house.clients["eve"].get(path).text
        assert not [word for word in strangers if word in text], path
    listed = house.clients["eve"].get("/v1/videos", params={"limit": 100}).json()["data"]
    assert {video["metadata"].get("owner") for video in listed} <= {"eve", None}
    assert house.videos["eve"] in {video["id"] for video in listed}


def test_the_stream_of_events_tells_only_ones_own(house: House) -> None:
    names: list[str] = []
    with house.clients["eve"].stream("GET", "/v1/videos/events", headers={"last-event-id": "0"}) as stream:
        house.clients["ann"].post("/v1/videos", json={"prompt": "ann again", "num_frames": 1})
        last = house.clients["eve"].post("/v1/videos", json={"prompt": "eve again", "num_frames": 1}).json()["id"]
        kind = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            if line.startswith("data: "):
                video = json.loads(line.removeprefix("data: "))
                names.append(video["prompt"])
                if video["id"] == last and kind == "video.completed":
                    break
    assert "the secret of eve" in names
    assert not [name for name in names if "ann" in name or "bob" in name]


def test_the_cache_of_clips_ends_at_the_tenant(house: House) -> None:
    body = {"prompt": "a clip that all of them want", "num_frames": 1, "seed": 11}
    wait = {"prefer": "wait=20"}
    first = {name: client.post("/v1/videos", json=body, headers=wait).json() for name, client in house.clients.items()}
    assert {name: video["cached"] for name, video in first.items()} == dict.fromkeys(TENANTS, False)
    again = {name: client.post("/v1/videos", json=body, headers=wait).json() for name, client in house.clients.items()}
    assert {name: video["cached"] for name, video in again.items()} == dict.fromkeys(TENANTS, True)


def test_an_idempotency_key_is_known_to_its_tenant_only(house: House) -> None:
    body, key = {"prompt": "a cat", "num_frames": 1}, {"idempotency-key": "one"}
    ids = {name: client.post("/v1/videos", json=body, headers=key).json()["id"] for name, client in house.clients.items()}
    assert len(set(ids.values())) == len(TENANTS)
    assert house.clients["ann"].post("/v1/videos", json=body, headers=key).json()["id"] == ids["ann"]
    repeat = {"x-stainless-retry-count": "1"}
    assert house.clients["bob"].post("/v1/videos", json={**body, "prompt": "said by bob"}).status_code == 200
    by_eve = house.clients["eve"].post("/v1/videos", json={**body, "prompt": "said by bob"}, headers=repeat).json()
    assert by_eve["id"] not in {video["id"] for video in house.clients["bob"].get("/v1/videos", params={"limit": 100}).json()["data"]}


def test_every_route_of_the_api_asks_for_a_key(house: House) -> None:
    signed = "/v1/files/{key}"
    ids = {**house.ids("ann"), "model": "pocket"}
    with httpx2.Client(base_url=house.service.url, trust_env=False, timeout=30) as nobody:
        for path, verbs in house.paths.items():
            if not path.startswith("/v1/") or path == signed:
                continue
            for verb in verbs:
                for headers in ({}, {"authorization": "Bearer cinelet_" + "a" * 43}, {"authorization": "Basic YTpi"}):
                    answer = nobody.request(verb.upper(), fill(path, ids), headers=headers, json=None if verb == "get" else BODY)
                    assert answer.status_code == 401, f"{verb} {path} {headers}"
                    assert answer.json()["error"]["type"] == "authentication_error"


def test_a_signed_link_opens_one_file_and_no_other(house: House) -> None:
    links = {name: house.clients[name].post(f"/v1/videos/{house.videos[name]}/link").json()["url"] for name in ("ann", "eve")}
    with httpx2.Client(trust_env=False, timeout=30) as nobody:
        assert nobody.get(links["eve"]).status_code == 200
        path_of_ann, _, _ = links["ann"].partition("?")
        _, _, query_of_eve = links["eve"].partition("?")
        assert nobody.get(f"{path_of_ann}?{query_of_eve}").status_code == 404


def test_a_revoked_key_stops_working_within_seconds(tmp_path: Path, postgres_url: str) -> None:
    keys = make_keys(postgres_url, Tenant(id="ann"), Tenant(id="bob"))
    with ExitStack() as stack:
        service = stack.enter_context(Service(tmp_path, "gateway", store=postgres_url, require_key=True))
        ann, bob = (stack.enter_context(client_of(service, key)) for key in keys.values())
        assert ann.get("/v1/videos").status_code == bob.get("/v1/videos").status_code == 200
        revoke(postgres_url, "ann")
        deadline = time.monotonic() + REVOKED_WITHIN_S
        while ann.get("/v1/videos").status_code != 401:
            assert time.monotonic() < deadline, f"the key still opens after {REVOKED_WITHIN_S:g} s"
            time.sleep(POLL_S)
        assert bob.get("/v1/videos").status_code == 200


def revoke(store_url: str, tenant: str) -> None:
    store = Store(store_url)
    try:
        for key in [key for key in store.tenants.keys() if key.tenant == tenant]:  # noqa: SIM118 - a method, not a mapping
            store.tenants.revoke_key(key.id)
    finally:
        store.close()


@pytest.mark.parametrize("bound", ["max_waiting", "quota_s"])
def test_of_200_submissions_at_once_exactly_those_with_room_are_accepted(tmp_path: Path, bound: str) -> None:
    store = str(tmp_path / "cinelet.db")
    body = {"prompt": "a cat", "num_frames": 1}
    keys = make_keys(store, Tenant(id="ann"))
    service = Service(tmp_path, "gateway", require_key=True)  # nobody works, so nothing leaves the queue
    with service, client_of(service, keys["ann"]) as client:
        work_s = client.post("/v1/videos/estimate", json=body).json()["gpu_seconds"]
    room = {"max_waiting": ROOM} if bound == "max_waiting" else {"quota_s": (ROOM + 0.5) * work_s}
    keys = make_keys(store, Tenant(id="ann", **room), Tenant(id="bob"))
    with ExitStack() as stack:
        stack.enter_context(service)
        ann, bob = (stack.enter_context(client_of(service, key)) for key in keys.values())
        crowd = stack.enter_context(ThreadPoolExecutor(NUM_AT_ONCE))
        answers = list(crowd.map(lambda _: ann.post("/v1/videos", json=body), range(NUM_AT_ONCE)))
        accepted = {answer.json()["id"] for answer in answers if answer.status_code == 200}
        assert Counter(answer.status_code for answer in answers) == {200: ROOM, 429: NUM_AT_ONCE - ROOM}
        assert {video["id"] for video in ann.get("/v1/videos", params={"limit": 100}).json()["data"]} == accepted
        assert bob.post("/v1/videos", json=body).status_code == 200, "another's full queue is no bound of ours"
        assert ann.delete(f"/v1/videos/{min(accepted)}").status_code == 200
        assert [ann.post("/v1/videos", json=body).status_code for _ in range(2)] == [200, 429], "what is given back is free again"
