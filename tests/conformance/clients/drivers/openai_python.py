"""Runs an openai library for Python, whichever version is on the path, as JSON lines on standard input tell it to.

A line is {verb, id, fields, extra, headers, settings}; the answer is {value, request_id} or {refused}. It imports nothing of ours.
"""

from __future__ import annotations

import base64
import json
import sys
from functools import cache, reduce
from typing import Any

import openai


@cache
def client(base_url: str, api_key: str, timeout_s: float, max_retries: int) -> openai.OpenAI:
    return openai.OpenAI(base_url=base_url, api_key=api_key, timeout=timeout_s, max_retries=max_retries, webhook_secret="whsec_unused")


def value_of(question: dict[str, Any]) -> tuple[Any, str | None]:
    arguments = {**{name: given(value) for name, value in question["fields"].items()}}
    arguments |= {"extra_headers": question["headers"]} if question["headers"] else {}
    arguments |= {"extra_body": given(question["extra"])} if question["extra"] else {}
    verb = question["verb"].removesuffix("_pages")
    call = reduce(getattr, verb.split("."), client(**question["settings"]))
    if verb == "webhooks.unwrap":
        sent = question["fields"]
        event = call(sent["payload"], sent["received"], secret=sent["secret"])
        return {"type": event.type, "id": event.id, "data": {"id": event.data.id}}, None
    answer = call(*([] if question["id"] is None else [question["id"]]), **arguments)
    if verb != question["verb"]:
        return [[entry.id for entry in page.data] for page in answer.iter_pages()], None
    if hasattr(answer, "read"):
        return {"$bytes": base64.b64encode(answer.read()).decode()}, answer.response.headers.get("x-request-id")
    return answer.to_dict(), answer._request_id


def given(value: Any) -> Any:
    """Values as a caller of the library writes them: bytes for {"$bytes"}."""
    if isinstance(value, dict):
        return base64.b64decode(value["$bytes"]) if "$bytes" in value else {name: given(entry) for name, entry in value.items()}
    return value


def refused(error: Exception) -> dict[str, Any]:
    seen = {name: getattr(error, name, None) for name in ("code", "param", "type", "request_id")}
    return {"kind": type(error).__name__, "message": str(error), "status": getattr(error, "status_code", None), **seen}


for line in sys.stdin:
    try:
        value, request_id = value_of(json.loads(line))
        told = {"value": value, "request_id": request_id}
    except Exception as error:  # noqa: BLE001 - told to the test, whatever it is
        told = {"refused": refused(error)}
    print(json.dumps(told), flush=True)
