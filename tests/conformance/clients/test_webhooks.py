"""Webhooks end to end: managed by `client.webhooks`, sent to a real receiver, verified by those who verify them in the field."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import openai
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from cinelet.cli.house import webhook_secret
from tests.support.clients import StockClient, StockError
from tests.support.service import Service
from tests.support.webhook_receiver import Received, Receiver, receiver

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")

OTHER_SECRET = webhook_secret(b"another", "local")


@dataclass
class Told:
    """One message, and the secrets it may be signed with."""

    message: Received
    secrets: list[str]
    video_id: str


@dataclass
class Tenant:
    """A client of an account, and the receiver its webhooks go to."""

    client: openai.AsyncOpenAI
    receiver: Receiver

    async def message_of(self, video_id: str) -> Received:
        """The first message about a video; others of the account may come as well."""
        host = self.receiver

        def found() -> list[Received]:
            return [message for message in host.received if json.loads(message.body)["data"]["id"] == video_id]

        async with asyncio.timeout(20), host.arrived:
            await host.arrived.wait_for(found)
        return found()[0]

    async def forget_endpoints(self) -> None:
        """Leave nothing behind for the next test."""
        async for endpoint in self.client.webhooks.list():
            await self.client.webhooks.delete(endpoint.id)


@asynccontextmanager
async def tenant(service: Service, key: str = "any") -> AsyncIterator[Tenant]:
    http = httpx2.AsyncClient(trust_env=False)
    async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key=key, max_retries=0, http_client=http) as client, receiver() as host:
        mine = Tenant(client, host)
        try:
            yield mine
        finally:
            await mine.forget_endpoints()


def run(service: Service, story: Callable[[Tenant], Awaitable[None]], key: str = "any") -> None:
    async def told() -> None:
        async with tenant(service, key) as mine:
            await story(mine)

    asyncio.run(told())


@pytest.fixture(scope="module")
def told(service: Service) -> Told:
    """A message of a finished clip, sent while an old secret and a new one are both good."""
    kept: list[Told] = []

    async def story(mine: Tenant) -> None:
        endpoint = await mine.client.webhooks.create(name="shop", url=mine.receiver.url("/200"), event_types=["video.completed"])
        rotated = await mine.client.webhooks.rotate_secret(endpoint.id, keep_old_secret_active_for_24_hours=True)
        video = await mine.client.videos.create(prompt="a cat", extra_body={"num_inference_steps": 2})
        message = await mine.message_of(video.id)
        kept.append(Told(message, [endpoint.signing_secret, rotated.signing_secret], video.id))

    run(service, story)
    return kept[0]


def test_a_finished_clip_is_told_with_its_id(told: Told) -> None:
    body = json.loads(told.message.body)
    assert (body["object"], body["type"], body["data"]) == ("event", "video.completed", {"id": told.video_id})
    assert body["id"] == told.message.headers["webhook-id"]
    assert body["id"].startswith("evt_")


@pytest.mark.parametrize("number", [0, 1])
def test_every_stock_client_unwraps_it_with_the_old_and_the_new_secret(told: Told, stock: StockClient, number: int) -> None:
    call = stock.at("http://127.0.0.1:1")
    payload = told.message.body.decode()
    event = call("webhooks.unwrap", payload=payload, received=told.message.headers, secret=told.secrets[number])
    assert (event["type"], event["data"]["id"]) == ("video.completed", told.video_id)
    with pytest.raises(StockError) as caught:
        call("webhooks.unwrap", payload=payload.replace("completed", "failed"), received=told.message.headers, secret=told.secrets[number])
    assert caught.value.kind == "InvalidWebhookSignatureError"
    with pytest.raises(StockError):
        call("webhooks.unwrap", payload=payload, received=told.message.headers, secret=OTHER_SECRET)


@pytest.mark.parametrize("number", [0, 1])
def test_the_standard_library_of_webhooks_verifies_it(told: Told, number: int) -> None:
    event = Webhook(told.secrets[number]).verify(told.message.body, told.message.headers)
    assert event["data"]["id"] == told.video_id
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER_SECRET).verify(told.message.body, told.message.headers)


def test_a_callback_of_one_request_is_signed_with_the_services_own_secret(service: Service) -> None:
    async def story(mine: Tenant) -> None:
        extra = {"callback_url": mine.receiver.url("/200"), "num_inference_steps": 2}
        video = await mine.client.videos.create(prompt="a cat", extra_body=extra)
        message = await mine.message_of(video.id)
        secret = webhook_secret(str(service.settings["secret"]).encode(), "local")
        event = mine.client.webhooks.unwrap(message.body, message.headers, secret=secret)
        assert (event.type, event.data.id) == ("video.completed", video.id)

    run(service, story)


def test_a_cancelled_clip_is_told_as_failed(guarded: Service, keys: dict[str, str]) -> None:
    async def story(mine: Tenant) -> None:
        await mine.client.webhooks.create(name="", url=mine.receiver.url("/200"), event_types=["video.completed", "video.failed"])
        video = await mine.client.videos.create(prompt="a cat")
        await mine.client.post(f"/videos/{video.id}/cancel", cast_to=openai.types.Video)
        assert json.loads((await mine.message_of(video.id)).body)["type"] == "video.failed"

    run(guarded, story, keys["ann"])


def test_an_endpoint_hears_only_what_it_asked_for_and_only_of_its_tenant(guarded: Service, keys: dict[str, str]) -> None:
    async def story(mine: Tenant) -> None:
        await mine.client.webhooks.create(name="", url=mine.receiver.url("/201"), event_types=["video.completed"])
        await mine.client.webhooks.create(name="", url=mine.receiver.url("/202"), event_types=["video.failed"])
        async with tenant(guarded, keys["bob"]) as other:
            stranger = await other.client.videos.create(prompt="a cat")
            await other.client.videos.delete(stranger.id)
        video = await mine.client.videos.create(prompt="a cat")
        await mine.client.post(f"/videos/{video.id}/cancel", cast_to=openai.types.Video)
        await mine.message_of(video.id)
        assert [(message.path, json.loads(message.body)["data"]["id"]) for message in mine.receiver.received] == [("/202", video.id)]

    run(guarded, story, keys["ann"])


def test_endpoints_are_made_changed_looked_up_and_forgotten(service: Service) -> None:
    async def story(mine: Tenant) -> None:
        webhooks = mine.client.webhooks
        made = await webhooks.create(name="shop", url=mine.receiver.url("/200"), event_types=["video.completed"])
        assert made.signing_secret.startswith("whsec_")
        assert len(made.signing_secret) == 38
        changed = await webhooks.update(made.id, name="store", event_types=["video.failed", "video.completed"])
        assert (changed.name, sorted(changed.event_types)) == ("store", ["video.completed", "video.failed"])
        seen = await webhooks.retrieve(made.id)
        assert seen.to_dict() == changed.to_dict()
        assert made.signing_secret not in json.dumps(seen.to_dict())
        assert (await webhooks.rotate_secret(made.id)).signing_secret != made.signing_secret
        gone = await webhooks.delete(made.id)
        assert gone.to_dict() == {"id": made.id, "object": "webhook_endpoint.deleted", "deleted": True}
        with pytest.raises(openai.NotFoundError):
            await webhooks.retrieve(made.id)

    run(service, story)


def test_endpoints_are_listed_page_by_page(service: Service) -> None:
    async def story(mine: Tenant) -> None:
        url = mine.receiver.url("/200")
        made = [(await mine.client.webhooks.create(name=str(n), url=url, event_types=["video.failed"])).id for n in range(5)]
        first = await mine.client.webhooks.list(limit=2)
        assert [len(page.data) async for page in first.iter_pages()] == [2, 2, 1]
        assert [endpoint.id async for endpoint in mine.client.webhooks.list(limit=2)] == made
        with pytest.raises(openai.BadRequestError) as caught:
            await mine.client.webhooks.list(after="whe_unknown")
        assert caught.value.param == "after"

    run(service, story)


def test_event_types_are_listed_by_name(service: Service) -> None:
    async def story(mine: Tenant) -> None:
        types = await mine.client.webhooks.event_types.list()
        assert types.data == ["video.completed", "video.failed"]

    run(service, story)


def test_a_test_message_is_sent_at_once_and_its_status_told(service: Service) -> None:
    async def story(mine: Tenant) -> None:
        made = await mine.client.webhooks.create(name="", url=mine.receiver.url("/200"), event_types=["video.completed"])
        result = await mine.client.webhooks.test(made.id, event_type="video.completed")
        assert (result.success, result.status_code, result.webhook_endpoint_id) == (True, 200, made.id)
        [message] = mine.receiver.received
        assert mine.client.webhooks.unwrap(message.body, message.headers, secret=made.signing_secret).type == "video.completed"
        await mine.client.webhooks.update(made.id, url=mine.receiver.url("/500"))
        refused = await mine.client.webhooks.test(made.id, event_type="video.failed")
        assert (refused.success, refused.status_code) == (True, 500)  # the message was brought; the status is the receiver's

    run(service, story)


def test_a_receiver_that_cannot_be_reached_is_an_error_that_says_so(service: Service) -> None:
    async def story(mine: Tenant) -> None:
        made = await mine.client.webhooks.create(name="", url=mine.receiver.url("/reset"), event_types=["video.completed"])
        with pytest.raises(openai.BadRequestError, match="the receiver gave no answer"):
            await mine.client.webhooks.test(made.id, event_type="video.completed")

    run(service, story)


@pytest.mark.parametrize("url", ["https://10.0.0.1/hook", "https://169.254.169.254/latest", "ftp://example.com/hook", 7])
def test_an_address_that_must_not_be_called_is_refused(service: Service, url: object) -> None:
    async def story(mine: Tenant) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            await mine.client.webhooks.create(name="", url=url, event_types=["video.completed"])  # type: ignore[arg-type]  # hostile
        assert caught.value.param == "url"

    run(service, story)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("rotate_secret", {"keep_old_secret_active_for_24_hours": []}),
        ("test", {"event_type": {}}),
        ("", {"event_types": [[]]}),
        ("", {"name": {}}),
    ],
)
def test_a_value_of_the_wrong_kind_is_the_clients_mistake(service: Service, path: str, body: dict[str, object]) -> None:
    async def story(mine: Tenant) -> None:
        made = await mine.client.webhooks.create(name="", url=mine.receiver.url("/200"), event_types=["video.completed"])
        with pytest.raises(openai.BadRequestError):
            await mine.client.post(f"/webhook_endpoints/{made.id}/{path}".rstrip("/"), cast_to=object, body=body)

    run(service, story)
