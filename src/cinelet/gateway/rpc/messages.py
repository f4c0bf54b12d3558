"""Between the messages of `videos.proto` and what desk and archive know. Nothing of calls and statuses."""

from __future__ import annotations

from google.protobuf import json_format

from cinelet.errors import InvalidValueError, UnusableValueError
from cinelet.gateway.answer import video
from cinelet.gateway.archive import Content, View
from cinelet.gateway.body import Body
from cinelet.gateway.door import MAX_KEY_CHARS
from cinelet.gateway.form import Upload
from cinelet.gateway.rpc.videos_pb2 import Content as ContentMessage
from cinelet.gateway.rpc.videos_pb2 import CreateVideoRequest, Video
from cinelet.gateway.strict_json import check_usable

NOT_FIELDS = frozenset({"idempotency_key"})
"""What is said about the call and not about the clip: a header in HTTP."""


def body_of(request: CreateVideoRequest) -> Body:
    """The fields that were set, as HTTP's body would have them. Raises `UnusableValueError`."""
    fields = {field.name: value for field, value in request.ListFields() if field.name not in NOT_FIELDS}
    if "metadata" in fields:
        try:
            fields["metadata"] = json_format.MessageToDict(fields["metadata"])
        except (json_format.Error, ValueError) as error:
            raise UnusableValueError("metadata", "a value", "must hold text, finite numbers and booleans") from error
    if "loras" in fields:
        fields["loras"] = [json_format.MessageToDict(use) for use in fields["loras"]]
    image = fields.pop("input_reference", None)
    check_usable(fields)
    files = {} if image is None else {"input_reference": Upload(filename="input_reference", content_type=None, data=image)}
    return Body(fields, files)


def key_of(request: CreateVideoRequest) -> str | None:
    """The idempotency key, if there is one. Raises `InvalidValueError`."""
    if not request.HasField("idempotency_key"):
        return None
    key: str = request.idempotency_key
    if not key or len(key) > MAX_KEY_CHARS or not key.isprintable():
        raise InvalidValueError("idempotency_key", key, f"must have 1 to {MAX_KEY_CHARS} printable characters")
    return key


def video_message(view: View, public_url: str | None) -> Video:
    """The `Video` of the HTTP API, field by field; one that the contract lacks fails here, not at a client."""
    fields = video(view, "" if public_url is None else public_url)
    if public_url is None:
        del fields["url"]
    message = Video()
    json_format.ParseDict(fields, message)
    return message


def content_message(content: Content) -> ContentMessage:
    """What the bytes of a download are."""
    return ContentMessage(content_type=content.content_type, size_bytes=content.size_bytes, etag=content.etag, filename=content.filename)
