"""`/v1/webhook_endpoints`: where a tenant wants to be told, as `client.webhooks` of the openai libraries manages it."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from ulid import ULID

from cinelet.errors import InvalidValueError, RequestError, show
from cinelet.gateway import schemas
from cinelet.gateway.body import read_body
from cinelet.gateway.door import Door, door_of
from cinelet.gateway.given import Given
from cinelet.gateway.schemas import ENDPOINT_FIELDS, ERRORS, body_schema
from cinelet.gateway.webhook import event_body
from cinelet.jobs import Endpoint
from cinelet.jobs.outbox import TOLD_BY_WEBHOOK
from cinelet.jobs.register import MAX_PAGE

router = APIRouter(prefix="/v1", tags=["webhooks"], responses=ERRORS)

MAX_NAME_CHARS = 200


@router.get("/webhook_event_types")
async def list_event_types(request: Request) -> dict[str, Any]:
    """What can be told."""
    await door_of(request).let_read(request)
    return {"object": "list", "data": list(TOLD_BY_WEBHOOK)}


@router.get("/webhook_secret")
async def get_callback_secret(request: Request) -> dict[str, Any]:
    """What signs messages to the `callback_url` of single requests of this tenant."""
    door = door_of(request)
    tenant = (await door.let_read(request)).tenant.id
    return {"object": "webhook_secret", "signing_secret": door.webhook_secret_of(tenant)}


@router.post("/webhook_endpoints", response_model=schemas.Endpoint, openapi_extra=body_schema(ENDPOINT_FIELDS, ("url",), is_form_too=False))
async def create_endpoint(request: Request) -> dict[str, Any]:
    """A new receiver. Its secret is shown here and at a rotation, never else."""
    door = door_of(request)
    tenant = (await door.admit(request)).tenant.id
    fields = (await read_body(request)).fields
    values = await _checked(door, fields, is_new=True)
    endpoint = await door.in_thread(lambda: door.store.endpoints.create(tenant, **values))
    return shown(endpoint, with_secret=True)


@router.get("/webhook_endpoints", response_model=schemas.EndpointList)
async def list_endpoints(
    request: Request,
    after: Annotated[str | None, Query(max_length=64, description="Id of the last endpoint of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
) -> dict[str, Any]:
    """The tenant's receivers, oldest first."""
    door = door_of(request)
    tenant = (await door.let_read(request)).tenant.id
    endpoints = await door.in_thread(lambda: door.store.endpoints.list(tenant))
    ids = [endpoint.id for endpoint in endpoints]
    if after and after not in ids:
        raise InvalidValueError("after", after, "must be the id of an endpoint of a page before")
    start = ids.index(after) + 1 if after else 0
    page = endpoints[start : start + limit]
    return {
        "object": "list",
        "data": [shown(endpoint) for endpoint in page],
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
        "has_more": start + limit < len(ids),
    }


@router.get("/webhook_endpoints/{endpoint_id}", response_model=schemas.Endpoint)
async def get_endpoint(request: Request, endpoint_id: str) -> dict[str, Any]:
    """One receiver."""
    door = door_of(request)
    tenant = (await door.let_read(request)).tenant.id
    return shown(await door.in_thread(lambda: door.store.endpoints.get(endpoint_id, tenant)))


@router.post(
    "/webhook_endpoints/{endpoint_id}", response_model=schemas.Endpoint, openapi_extra=body_schema(ENDPOINT_FIELDS, (), is_form_too=False)
)
async def change_endpoint(request: Request, endpoint_id: str) -> dict[str, Any]:
    """Change name, address or event types; a receiver that was disabled is told again."""
    door = door_of(request)
    tenant = (await door.admit(request)).tenant.id
    values = await _checked(door, (await read_body(request)).fields, is_new=False)
    return shown(await door.in_thread(lambda: door.store.endpoints.change(endpoint_id, tenant, values)))


@router.delete("/webhook_endpoints/{endpoint_id}", response_model=schemas.EndpointDeleted)
async def delete_endpoint(request: Request, endpoint_id: str) -> dict[str, Any]:
    """Forget a receiver."""
    door = door_of(request)
    tenant = (await door.admit(request)).tenant.id
    await door.in_thread(lambda: door.store.endpoints.delete(endpoint_id, tenant))
    return {"id": endpoint_id, "object": "webhook_endpoint.deleted", "deleted": True}


@router.post(
    "/webhook_endpoints/{endpoint_id}/rotate_secret",
    response_model=schemas.Endpoint,
    openapi_extra=body_schema({"keep_old_secret_active_for_24_hours": {"type": "boolean"}}, ()),
)
async def rotate_secret(request: Request, endpoint_id: str) -> dict[str, Any]:
    """A new secret; the old one signs beside it for a day where the caller wants that."""
    door = door_of(request)
    tenant = (await door.admit(request)).tenant.id
    fields = (await read_body(request)).fields
    keep_old = Given(fields, {}).flag("keep_old_secret_active_for_24_hours")
    endpoint = await door.in_thread(lambda: door.store.endpoints.rotate_secret(endpoint_id, tenant, keep_old=keep_old))
    return shown(endpoint, with_secret=True)


@router.post(
    "/webhook_endpoints/{endpoint_id}/test",
    response_model=schemas.EndpointTested,
    openapi_extra=body_schema({"event_type": {"enum": list(TOLD_BY_WEBHOOK)}}, ()),
)
async def test_endpoint(request: Request, endpoint_id: str) -> dict[str, Any]:
    """Send a sample event now and say which status came back. A receiver that gives none is an error."""
    door = door_of(request)
    tenant = (await door.admit(request)).tenant.id
    kind = _event_type((await read_body(request)).fields.get("event_type", TOLD_BY_WEBHOOK[0]))
    endpoint = await door.in_thread(lambda: door.store.endpoints.get(endpoint_id, tenant))
    event_id = f"evt_{ULID()}"
    body = event_body(event_id, kind, "video_test", time.time())
    status = await request.app.state.envoy.send(endpoint.url, event_id, body, [endpoint.secret])
    if not isinstance(status, int):
        raise RequestError("url: the receiver gave no answer; it must be reachable from here and answer in time")
    return {
        "object": "webhook_endpoint.test",
        "event_type": kind,
        "status_code": status,
        "success": True,
        "webhook_endpoint_id": endpoint_id,
    }


def shown(endpoint: Endpoint, *, with_secret: bool = False) -> dict[str, Any]:
    """An endpoint on the wire."""
    return {
        "id": endpoint.id,
        "object": "webhook_endpoint",
        "created_at": int(endpoint.created_at),
        "updated_at": int(endpoint.updated_at),
        "event_types": list(endpoint.event_types),
        "name": endpoint.name,
        "url": endpoint.url,
        "signing_secret": endpoint.secret if with_secret else None,
        "signing_secret_hint": endpoint.secret[-4:],
        "is_disabled": endpoint.is_disabled,
    }


async def _checked(door: Door, fields: dict[str, Any], *, is_new: bool) -> dict[str, Any]:
    """The fields that were given, each of the right form. Raises `InvalidValueError`."""
    values: dict[str, Any] = {}
    if is_new or "url" in fields:
        url = fields.get("url")
        if not isinstance(url, str):
            raise InvalidValueError("url", url, "must be an https address")
        await door.check_callback(url)
        values["url"] = url
    if is_new or "event_types" in fields:
        types = fields.get("event_types", list(TOLD_BY_WEBHOOK))
        if not isinstance(types, list) or not types:
            raise InvalidValueError("event_types", types, f"must be a list of {', '.join(TOLD_BY_WEBHOOK)}")
        values["event_types"] = sorted({_event_type(kind) for kind in types})
    if is_new or "name" in fields:
        name = fields.get("name", "")
        if not isinstance(name, str) or len(name) > MAX_NAME_CHARS:
            raise InvalidValueError("name", name, f"must be text of at most {MAX_NAME_CHARS} characters")
        values["name"] = name
    return values


def _event_type(kind: object) -> str:
    if kind not in TOLD_BY_WEBHOOK:
        raise InvalidValueError("event_types", show(kind), f"must be of {', '.join(TOLD_BY_WEBHOOK)}")
    return str(kind)
