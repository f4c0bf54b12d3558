"""How a bucket is opened: which settings, which patience. Nothing of what is stored in it.

Integrity on the way is S3's own: each request carries the SHA-256 of its body, signed, and the server refuses a body that differs.
Credentials come from the environment (`AWS_ACCESS_KEY_ID`, …), from a web identity or from the instance, as obstore finds them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import S3Store

from cinelet.errors import InvalidValueError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

CONNECT_TIMEOUT_S = 5
REQUEST_TIMEOUT_S = 30
"""For one request with its body: a part of 8 MiB passes at 280 kB/s. Slower is as good as down."""
MAX_RETRIES = 5
MAX_RETRY_S = 45
"""No try begins later than this after the first one, so that a request ends within 75 s. A worker's lease is renewed meanwhile."""
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5


def open_s3(bucket: str, *, prefix: str | None, endpoint: str | None, region: str | None) -> S3Store:
    """The bucket; nothing is asked of it yet. `endpoint` None means AWS, `region` None the environment's or us-east-1."""
    config: S3Config = {"checksum_algorithm": "SHA256"}
    if endpoint is not None:
        config["endpoint"] = endpoint
    if region is not None:
        config["region"] = region
    client: ClientConfig = {
        "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
        "timeout": timedelta(seconds=REQUEST_TIMEOUT_S),
        "allow_http": endpoint is not None and endpoint.startswith("http://"),
    }
    retry: RetryConfig = {
        "max_retries": MAX_RETRIES,
        "retry_timeout": timedelta(seconds=MAX_RETRY_S),
        "backoff": {"init_backoff": timedelta(seconds=FIRST_BACKOFF_S), "max_backoff": timedelta(seconds=MAX_BACKOFF_S), "base": 2},
    }
    try:
        return S3Store(bucket, prefix=prefix, config=config, client_options=client, retry_config=retry)
    except (BaseError, ValueError) as error:
        raise InvalidValueError(
            "blobs", f"s3://{bucket}", f"must be a bucket that obstore can open; {str(error).splitlines()[0]}"
        ) from error
