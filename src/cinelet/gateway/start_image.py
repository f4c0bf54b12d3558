"""Start images of requests: read where they came, kept beside the job that needs them, found again for its remix or retry.

An image lies under `{job_id}/{its digest}/start.png`, so it lives and goes with the job's other files: the janitor calls it alive until
those are purged, and one whose job was never accepted is left to the sweeper. Every job has its own copy, followers too: their leader
may fail. Nothing is fetched from anywhere.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cinelet.errors import CineletError, GoneError, InvalidValueError, NotFoundError
from cinelet.gateway.form import Upload
from cinelet.jobs import MAX_START_IMAGE_BYTES, START_IMAGE, Job
from cinelet.media import StartImage
from cinelet.storage import BlobStore, blob_key

FIELD = "input_reference"
IMAGE_TYPE = "image/png"
MAX_AT_ONCE = 2
"""Pictures decoded at a time in one process: the largest takes about half a gigabyte while it is decoded and scaled."""


@dataclass(frozen=True)
class KeptImage:
    """An image as it is stored: `digest` names its pixels, `png` holds nothing else."""

    digest: str
    png: bytes = field(repr=False)


class StartImages:
    """For one gateway. `blobs` is where jobs' files lie. Pictures are decoded in threads of their own; the rest is for the caller's."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._decoders = ThreadPoolExecutor(MAX_AT_ONCE, "cinelet-pictures")

    def close(self) -> None:
        """End the threads."""
        self._decoders.shutdown(wait=False, cancel_futures=True)

    async def read(self, reference: Upload | dict[str, Any], width: int, height: int) -> KeptImage:
        """The image of a request for a clip of this size. Raises what `cinelet.media.picture.read_picture` raises, naming the field."""
        return await asyncio.get_running_loop().run_in_executor(self._decoders, read_reference, reference, width, height)

    def keep(self, job_id: str, image: KeptImage) -> None:
        """Store it for a job that is about to be accepted."""
        self._blobs.put_bytes(image_key(job_id, image.digest), image.png, IMAGE_TYPE)

    def drop(self, job_id: str, image: KeptImage) -> None:
        """Remove it where the job was not accepted after all. The sweeper finds what is left here."""
        with suppress(CineletError):
            self._blobs.delete(image_key(job_id, image.digest))

    def find(self, job: Job) -> KeptImage | None:
        """The image of an earlier job, for another like it; None where it has none. Raises `GoneError` when its time is over."""
        if job.plan.image is None:
            return None
        try:
            png = self._blobs.get_bytes(image_key(job.id, job.plan.image), MAX_START_IMAGE_BYTES)
        except NotFoundError as error:
            raise GoneError(f"{FIELD}: the start image of {job.id} is no longer kept; send it with a new request") from error
        return KeptImage(job.plan.image, png)


def image_key(job_id: str, digest: str) -> str:
    """Where the image of a job lies."""
    return blob_key(job_id, digest, START_IMAGE)


def read_reference(reference: Upload | dict[str, Any], width: int, height: int) -> KeptImage:
    """The image of a file or of a `data:` url, made ready. Raises what `StartImage.prepare` raises."""
    image = StartImage.prepare(reference.data if isinstance(reference, Upload) else linked(reference), width, height, FIELD)
    return KeptImage(image.digest, image.to_png())


def linked(reference: dict[str, Any]) -> bytes:
    """The bytes of an object's `image_url`, if that is a `data:` url (RFC 2397, base64 only). Raises `InvalidValueError`."""
    url = reference.get("image_url")
    if not isinstance(url, str):
        raise InvalidValueError(FIELD, ", ".join(map(str, reference)), "send the image itself, as a file or as a data: url in image_url")
    head, _, payload = url.partition(",")
    if not (head.lower().startswith("data:") and head.lower().endswith(";base64")):
        raise InvalidValueError(FIELD, url, "is not fetched; send the image itself, as a file or as a base64 data: url")
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidValueError(FIELD, url, "its base64 is broken") from error
