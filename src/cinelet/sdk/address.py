"""Where the service is and who calls it: the arguments, else `CINELET_URL` and `CINELET_API_KEY`. Nothing of requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cinelet.errors import InvalidValueError

URL_LIMIT = "must be an http or https address without a user, such as http://127.0.0.1:8000"
API_KEY = re.compile(r"[\x21-\x7e]{1,8192}")
VERSION_PATH = "/v1"


@dataclass(frozen=True)
class Address:
    """A checked base address, with `/v1` at its end, and the key, which no message shows."""

    url: str
    api_key: str | None = field(default=None, repr=False)

    @classmethod
    def find(cls, url: str | None, api_key: str | None, environment: Mapping[str, str]) -> Address:
        """The address said or set. Raises `InvalidValueError` where there is none or it cannot be one."""
        url = environment.get("CINELET_URL") if url is None else url
        api_key = (environment.get("CINELET_API_KEY") or None) if api_key is None else api_key
        if not url:
            raise InvalidValueError("url", url or "", "name the service: an argument, --url, or CINELET_URL in the environment")
        if api_key is not None and not API_KEY.fullmatch(api_key):
            raise InvalidValueError("api_key", "(hidden)", "must be visible ASCII characters, at least one, without spaces")
        return cls(checked(url), api_key)


def checked(url: str) -> str:
    """`url` without a slash at its end and with `/v1`. Raises `InvalidValueError`."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.username is None and not (parts.query or parts.fragment)
        _ = parts.port
    except ValueError as error:
        raise InvalidValueError("url", url, URL_LIMIT) from error
    if not is_address or not url.isprintable() or " " in url:
        raise InvalidValueError("url", url, URL_LIMIT)
    base = url.rstrip("/")
    return base if base.endswith(VERSION_PATH) else base + VERSION_PATH
