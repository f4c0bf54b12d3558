from __future__ import annotations

import json
import time

import pytest
from openai import OpenAI
from standardwebhooks import Webhook, WebhookVerificationError

from cinelet.errors import RequestError
from cinelet.gateway.webhook import event_body, key_of, signed_headers
from cinelet.jobs.endpoints import new_secret

JOB = "video_local_01JD0000000000000000000000"


def test_the_body_says_what_happened_to_which_clip_and_no_more() -> None:
    body = event_body("evt_1", "video.completed", JOB, 1_790_000_000.9)
    assert json.loads(body) == {
        "id": "evt_1", "object": "event", "created_at": 1_790_000_000, "type": "video.completed", "data": {"id": JOB},
    }  # fmt: skip


def test_the_standard_verifier_accepts_the_signature_and_refuses_another_body() -> None:
    secret, body = new_secret(), event_body("evt_1", "video.failed", JOB, 1.0)
    headers = signed_headers("evt_1", body, [secret], time.time())
    assert Webhook(secret).verify(body, headers)["data"]["id"] == JOB
    for bad_body, bad_secret in ((body + b" ", secret), (body, new_secret())):
        with pytest.raises(WebhookVerificationError):
            Webhook(bad_secret).verify(bad_body, headers)


def test_the_signature_covers_id_and_time() -> None:
    secret, body = new_secret(), b"{}"
    headers = signed_headers("evt_1", body, [secret], time.time())
    for name, value in (("webhook-id", "evt_2"), ("webhook-timestamp", str(int(time.time()) - 1))):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, {**headers, name: value})


def test_the_openai_client_unwraps_it() -> None:
    secret, body = new_secret(), event_body("evt_1", "video.completed", JOB, time.time())
    client = OpenAI(api_key="unused", webhook_secret=secret)
    try:
        event = client.webhooks.unwrap(body.decode(), signed_headers("evt_1", body, [secret], time.time()))
    finally:
        client.close()
    assert event.type == "video.completed"  # type: ignore[comparison-overlap]
    assert event.data.id == JOB  # type: ignore[union-attr]


def test_while_a_secret_is_changed_both_old_and_new_verify() -> None:
    old, new, body = new_secret(), new_secret(), b'{"a":1}'
    headers = signed_headers("evt_1", body, [new, old], time.time())
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert Webhook(old).verify(body, headers) == Webhook(new).verify(body, headers) == {"a": 1}


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_abc", "whsec_!!!!", "whsec_abc!defg=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_é"]
)
def test_what_is_no_secret_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(RequestError) as refusal:
        key_of(secret)
    assert secret in {"", "whsec_"} or secret not in refusal.value.message


def test_a_secret_is_24_random_bytes() -> None:
    assert len(key_of(new_secret())) == 24
