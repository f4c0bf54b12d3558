from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.errors import CineletError, InvalidValueError, UnavailableError
from cinelet.gateway.target import MAX_ADDRESSES, Target, check_target, is_public, resolve

PUBLIC = "93.184.216.34"


class Names:
    """A resolver with answers by host, one list a call; the last repeats. Everything else resolves to a public address."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(lists) for name, lists in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        lists = self.answers.get(host, [[PUBLIC]])
        return list(lists.pop(0) if len(lists) > 1 else lists[0])


def check(url: str, names: Names | None = None, **options: object) -> Target:
    return asyncio.run(check_target(url, resolve=Names() if names is None else names, **options))  # type: ignore[arg-type]


HOSTILE = [
    # not https
    "http://hooks.example.com:443/",
    "http://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd", "gopher://hooks.example.com:443/", "data:text/plain,x",
    "javascript:alert(1)", "//hooks.example.com/", "hooks.example.com", "",
    "https:", "https://", "https:///path", "https:/hooks.example.com",
    "https:hooks.example.com", "unix:///var/run/docker.sock",
    # other ports
    "https://hooks.example.com:22/", "https://hooks.example.com:8443/", "https://hooks.example.com:0/", "https://hooks.example.com:65536/",
    "https://hooks.example.com:-443/", "https://hooks.example.com:４４３４/", "https://hooks.example.com:/",
    # who is the host
    "https://user@hooks.example.com/", "https://user:pass@hooks.example.com/", "https://hooks.example.com@127.0.0.1/",
    "https://127.0.0.1\\@hooks.example.com/", "https://hooks.example.com\\@127.0.0.1/", "https://127.0.0.1#@hooks.example.com/",
    "https://hooks.example.com#@127.0.0.1/", "https://hooks.example.com\\.evil.com/", "https://hooks.example.com%40127.0.0.1/",
    "https://127.0.0.1%2f@hooks.example.com/", "https:\\\\hooks.example.com/", "https://hooks.example.com／@evil.com/", "https://@/",
    "https://hooks.example.com:443@127.0.0.1/", "https://a@b@hooks.example.com/",
    # spaces and control characters
    " https://hooks.example.com/", "https://hooks.example.com/ ", "https://hooks.exam\tple.com/", "https://hooks.example.com/\r\nX: y",
    "https://hooks.example.com/\0", "https://hooks.example.com/\u202egpj",
    "https://hooks\u200b.example.com/", "https://ho oks.example.com/",
    "https://hooks.example.com/ü", "https://hooks.example.com/\ud800",
    # no host names
    "https://a..example.com/", "https://-a.example.com/",
    "https://.example.com/", "https://a_b.example.com/", f"https://{'a' * 64}.example.com/",
    "https://*.example.com/", "https://[hooks.example.com]/", "https://[::1/", "https://[v1.fe80::a]/", "https://::1/", "https://!/",
    f"https://hooks.example.com/{'a' * 2048}",
    # IPv4, in all spellings
    "https://127.0.0.1/", "https://127.0.0.1:443/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/",
    "https://0177.0.0.1/", "https://017700000001/", "https://127.0.0.1./", "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/", "https://0/",
    "https://0.0.0.0/", "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/", "https://100.100.100.200/", "https://192.0.0.192/",
    "https://192.0.2.1/", "https://198.18.0.1/", "https://192.88.99.1/",
    "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/", "https://1.2.3/", "https://1.2.3.4.5/", "https://256.1.1.1/",
    "https://127.0.0.1.0x7f/",
    # IPv6, wrapped and bare
    "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/", "https://[64:ff9b:1::a9fe:a9fe]/", "https://[2002:7f00:1::]/", "https://[2002:a9fe:a9fe::1]/",
    "https://[2001:0:7f00:1::]/", "https://[2001:0:5db8:d822::f5ff:fffe]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/", "https://[fd00:ec2::254]/", "https://[fec0::1]/",
    "https://[ff02::1]/", "https://[ff0e::1]/", "https://[2001:db8::1]/",
    "https://[3fff::1]/", "https://[100::1]/", "https://[5f00::1]/", "https://[2001:10::1]/", "https://[0:0:0:0:0:ffff:0a00:0001]/",
]  # fmt: skip


def test_the_list_of_hostile_urls_is_long_enough() -> None:
    assert len(set(HOSTILE)) >= 60


@pytest.mark.parametrize("url", HOSTILE, ids=ascii)
def test_a_hostile_url_is_refused_before_any_connection(url: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        check(url)
    assert refusal.value.field == "url"
    assert len(refusal.value.message) < 400


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:0a00:0001::",
        "fe80::1%eth0",
        "224.0.0.1",
        "2606:2800:220:1::1%eth0",
        "nonsense",
    ],
)
def test_a_name_that_leads_inside_is_refused_even_beside_a_public_address(address: str) -> None:
    for answer in ([address], [PUBLIC, address], [address, PUBLIC]):
        with pytest.raises(InvalidValueError):
            check("https://hooks.example.com/", Names(hooks_example_com=[answer]))


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost"])
def test_what_the_system_makes_of_odd_spellings_is_loopback_and_refused(spelling: str) -> None:
    assert "127.0.0.1" in asyncio.run(resolve(spelling, 443))
    with pytest.raises(InvalidValueError):
        asyncio.run(check_target(f"https://{spelling}/"))


@pytest.mark.parametrize("count", [0, MAX_ADDRESSES + 1])
def test_a_name_has_a_bounded_number_of_addresses(count: int) -> None:
    with pytest.raises(InvalidValueError, match="addresses"):
        check("https://hooks.example.com/", Names(hooks_example_com=[[f"93.184.216.{n}" for n in range(count)]]))


@pytest.mark.parametrize(
    ("url", "host", "canonical"),
    [
        ("https://hooks.example.com", "hooks.example.com", "https://hooks.example.com:443/"),
        ("https://HOOKS.Example.com:443/a/b?c=d%20e", "hooks.example.com", "https://hooks.example.com:443/a/b?c=d%20e"),
        ("https://hooks.example.com./x", "hooks.example.com", "https://hooks.example.com:443/x"),
        ("https://münchen.example/x", "xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example:443/x"),
        ("https://93.184.216.34/x@y", "93.184.216.34", "https://93.184.216.34:443/x@y"),
        ("https://[2606:2800:220:1::1]/x", "2606:2800:220:1::1", "https://[2606:2800:220:1::1]:443/x"),
        ("https://[64:ff9b::5db8:d822]/", "64:ff9b::5db8:d822", "https://[64:ff9b::5db8:d822]:443/"),
        ("https://1.example.com/", "1.example.com", "https://1.example.com:443/"),
    ],
)
def test_an_honest_url_becomes_a_target(url: str, host: str, canonical: str) -> None:
    target = check(url)
    assert (target.host, target.port, target.url) == (host, 443, canonical)
    assert all(is_public(address) for address in target.addresses)


def test_the_connection_goes_to_the_address_and_speaks_the_name() -> None:
    target = check("https://hooks.example.com/a?b=c", Names(hooks_example_com=[[PUBLIC, "2606:2800:220:1::1"]]))
    assert [target.pinned(address) for address in target.addresses] == [
        f"https://{PUBLIC}:443/a?b=c",
        "https://[2606:2800:220:1::1]:443/a?b=c",
    ]
    assert target.authority == "hooks.example.com"
    assert check("https://hooks.example.com:8443/", allowed_ports={443, 8443}).authority == "hooks.example.com:8443"


def test_a_name_is_resolved_once_so_that_it_cannot_change_its_mind() -> None:
    names = Names(rebind_example_com=[[PUBLIC], ["127.0.0.1"]])
    target = check("https://rebind.example.com/", names)
    assert names.asked == ["rebind.example.com"]
    assert [str(address) for address in target.addresses] == [PUBLIC]
    with pytest.raises(InvalidValueError):
        check("https://rebind.example.com/", names)


def test_a_name_that_cannot_be_resolved_may_be_tried_again() -> None:
    with pytest.raises(UnavailableError):
        asyncio.run(check_target("https://does-not-exist.invalid/"))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/x", "https://127.0.0.1:8443/", "http://[::1]:9/", "http://dev.example.com:3000/"])
def test_loopback_is_for_those_who_ask_for_it(url: str) -> None:
    names = Names(dev_example_com=[["127.0.0.1", "::1"]])
    assert check(url, names, allow_loopback=True).port != 443
    with pytest.raises(InvalidValueError):
        check(url, names)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://hooks.example.com:22/",
        "http://10.0.0.1/",
        "https://169.254.169.254/",
        "http://mixed.example.com/",
    ],
)
def test_allowing_loopback_opens_nothing_else(url: str) -> None:
    with pytest.raises(InvalidValueError):
        check(url, Names(mixed_example_com=[["127.0.0.1", "10.0.0.1"]]), allow_loopback=True)


@given(st.one_of(st.text(max_size=60), st.text(max_size=40).map("https://{}/".format), st.ip_addresses().map(str)))
def test_whatever_comes_is_refused_or_leads_to_public_addresses(text: str) -> None:
    try:
        target = check(text)
    except CineletError:
        return
    assert all(is_public(address) for address in target.addresses)


@given(st.ip_addresses(v=4))
def test_a_wrapped_address_is_as_public_as_what_it_wraps(inner: ipaddress.IPv4Address) -> None:
    value = int(inner)
    wrapped = [(0xFFFF << 32) | value, (0x64FF9B << 96) | value, (0x2002 << 112) | (value << 80)]
    assert {is_public(ipaddress.IPv6Address(number)) for number in wrapped} == {is_public(inner)}
