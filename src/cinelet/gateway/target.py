"""Where a request on a caller's behalf may go: to public addresses only, and to the very address that was checked.

For webhooks and everything else whose URL a client chose (server-side request forgery, OWASP API7). Names prove nothing: what
counts are the addresses they lead to, with every wrapping of IPv4 in IPv6 taken off. Nothing of HTTP beyond the URL.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import idna

from cinelet.errors import InvalidValueError, UnavailableError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

DEFAULT_PORTS = {"https": 443, "http": 80}
MAX_URL_CHARS = 2048
MAX_ADDRESSES = 16
"""More than any honest name has; each must pass."""
RESOLVE_TIMEOUT_S = 5.0
NEVER_IN_URL = re.compile(r"[\s\\#]")
"""Where parsers disagree on what the host is."""
NUMBER = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)")
"""A last label of this form makes the whole host an IPv4 address for `getaddrinfo` and for browsers (WHATWG URL)."""

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
"""The only space that is given out (IANA IPv6 Global Unicast Address Assignments)."""
NEVER = (
    ipaddress.ip_network("192.88.99.0/24"),  # anycast of 6to4 relays, RFC 7526
    ipaddress.ip_network("192.0.0.0/24"),  # protocol assignments, RFC 6890
    ipaddress.ip_network("3fff::/20"),  # documentation, RFC 9637
    ipaddress.ip_network("2001::/23"),  # protocol assignments, RFC 2928
)
"""Not public, whatever this version of Python knows of it. Teredo lies in the last one: see `unwrap`."""


@dataclass(frozen=True)
class Target:
    """A URL that may be asked. `host` is in ASCII, `addresses` are those to connect to, and no others."""

    url: str
    host: str
    port: int
    addresses: tuple[Address, ...]

    @property
    def is_encrypted(self) -> bool:
        """Whether it is asked over TLS; the certificate must then be for `host`."""
        return self.url.startswith("https:")

    @property
    def authority(self) -> str:
        """The value of the `Host` header."""
        has_usual_port = self.port == DEFAULT_PORTS[urlsplit(self.url).scheme]
        return _bracket(self.host) if has_usual_port else f"{_bracket(self.host)}:{self.port}"

    def pinned(self, address: Address) -> str:
        """The URL with `address` in place of the name, to connect without resolving again."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{_bracket(str(address))}:{self.port}").geturl()


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a name, as the system finds them. Raises `UnavailableError`."""
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnavailableError(f"url: the host {host!r} is not found", detail=repr(error)) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def check_target(
    url: str, *, resolve: Resolve = resolve, allowed_ports: Collection[int] = frozenset({443}), allow_loopback: bool = False
) -> Target:
    """The target of a URL that a caller chose. Resolves its name once; connect only by `Target.pinned`.

    `allow_loopback`, for development and tests, additionally lets pass http, this machine's loopback addresses, and any port
    of them. Raises `InvalidValueError` for a URL that may not be asked, `UnavailableError` when its name cannot be resolved now.
    """
    parts, port = _parse(url)
    host = _host(parts)
    addresses = await _find_addresses(host, port, resolve)
    if not (allow_loopback and all(address.is_loopback for address in addresses)):
        if parts.scheme != "https" or port not in allowed_ports:
            raise InvalidValueError("url", url, f"must be https on port {', '.join(map(str, sorted(allowed_ports)))}")
        if not all(is_public(address) for address in addresses):
            raise InvalidValueError("url", host, "must lead to public addresses only")
    canonical = parts._replace(netloc=f"{_bracket(host)}:{port}", path=parts.path or "/").geturl()
    return Target(canonical, host, port, addresses)


def is_public(address: Address) -> bool:
    """Whether `address` and every address wrapped into it is global unicast."""
    return all(_is_global(inner) for inner in unwrap(address))


def unwrap(address: Address) -> Iterator[Address]:
    """The addresses that a packet for `address` may reach: itself, or the IPv4 ones inside (mapped, NAT64, 6to4, Teredo)."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif address.teredo is not None:
        yield from address.teredo
    else:
        yield address


def _is_global(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_IPV6:
        return False
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified or any(address in network for network in NEVER)
    return address.is_global and not is_special


def _parse(url: str) -> tuple[SplitResult, int]:
    """Scheme, host, port, path and query, in a form that every parser reads alike."""
    if not isinstance(url, str) or not 0 < len(url) <= MAX_URL_CHARS:
        raise InvalidValueError("url", url, f"must have 1 to {MAX_URL_CHARS:,} characters")
    if NEVER_IN_URL.search(url) or not url.isprintable():
        raise InvalidValueError("url", url, "must have no spaces, control characters, backslashes or fragment")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidValueError("url", url, "must be a URL") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise InvalidValueError("url", url, "must begin with https://")
    if not f"{parts.path}{parts.query}".isascii():
        raise InvalidValueError("url", url, "must escape what is not ASCII after the host")
    if "@" in parts.netloc or "%" in parts.netloc or parts.netloc.endswith(":"):
        raise InvalidValueError("url", url, "must name only a host and a port before the path")
    return parts, DEFAULT_PORTS[parts.scheme] if port is None else port


def _host(parts: SplitResult) -> str:
    """The host in ASCII, lower case, without a final dot; an IPv6 address without its brackets."""
    host = parts.hostname if parts.hostname is not None else ""
    if parts.netloc.startswith("["):
        if _literal(host) is None:
            raise InvalidValueError("url", host, "must hold an IPv6 address in its brackets")
        return host
    try:
        encoded = idna.encode(host, uts46=True, std3_rules=True).decode().removesuffix(".")
    except idna.IDNAError as error:
        raise InvalidValueError("url", host, "must be the name of a host") from error
    if NUMBER.fullmatch(encoded.rpartition(".")[2]) and _literal(encoded) is None:
        raise InvalidValueError("url", host, "must be the name of a host, or an address in its usual form")
    return encoded


async def _find_addresses(host: str, port: int, resolve: Resolve) -> tuple[Address, ...]:
    literal = _literal(host)
    if literal is not None:
        return (literal,)
    found = [_literal(name) for name in dict.fromkeys(await resolve(host, port))]
    addresses = tuple(address for address in found if address is not None)
    if len(addresses) < len(found):
        raise InvalidValueError("url", host, "must lead to public addresses only")
    if not 0 < len(addresses) <= MAX_ADDRESSES:
        raise InvalidValueError("url", host, f"must lead to 1 to {MAX_ADDRESSES} addresses, not {len(addresses)}")
    return addresses


def _literal(text: str) -> Address | None:
    """An address in its usual form. One with a scope (`fe80::1%eth0`) is bound to this machine's links and counts as none."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host
