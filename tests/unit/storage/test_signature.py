from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.errors import InvalidValueError, NotFoundError
from cinelet.storage import MAX_URL_LIFETIME_S, Signer, signature

KEY = "video_local_01JD0000000000000000000000/0123456789abcdef/video.mp4"
NOW = 1_800_000_000
LATER = NOW + 300
SECRET = bytes(range(32))


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signer(clock: Clock) -> Signer:
    return Signer(SECRET, clock)


def test_a_signed_link_is_accepted_until_it_dies(signer: Signer, clock: Clock) -> None:
    token = signer.sign(KEY, LATER)
    signer.check(KEY, LATER, token)
    clock.now = LATER - 0.001
    signer.check(KEY, LATER, token)
    clock.now = LATER
    with pytest.raises(NotFoundError):
        signer.check(KEY, LATER, token)


def test_a_signature_has_at_least_128_bits_and_depends_on_every_part(signer: Signer, clock: Clock) -> None:
    signatures = {
        signer.sign(KEY, LATER),
        signer.sign(KEY, LATER + 1),
        signer.sign(KEY.replace("video.mp4", "thumbnail.webp"), LATER),
        signer.sign(KEY.replace("0123456789abcdef", "0123456789abcdee"), LATER),
        Signer(SECRET[::-1], clock).sign(KEY, LATER),
    }
    assert len(signatures) == 5
    assert all(len(bytes.fromhex(token)) >= 16 for token in signatures)


@pytest.mark.parametrize("forged", ["", "0" * 64, "é", "\ud800", "x" * 100_000, "\0"])
def test_a_forged_signature_is_refused(signer: Signer, forged: str) -> None:
    with pytest.raises(NotFoundError):
        signer.check(KEY, LATER, forged)


def test_a_changed_link_is_refused(signer: Signer, clock: Clock) -> None:
    token = signer.sign(KEY, LATER)
    other_key = KEY.replace("0123456789abcdef", "0123456789abcdee")
    changed = [
        (other_key, LATER, token),
        (KEY, LATER + 1, token),
        (KEY, LATER, token.upper()),
        (KEY, LATER, token[:-1]),
        (KEY, LATER, token + "0"),
        (f"{KEY}\n{LATER}", LATER, token),
        ("../../etc/passwd", LATER, token),
        ("\ud800", LATER, token),
        (KEY, 10**5000, token),
        (KEY, -1, token),
    ]
    for key, expires_at, offered in changed:
        with pytest.raises(NotFoundError):
            signer.check(key, expires_at, offered)
    with pytest.raises(NotFoundError):
        Signer(bytes(32), clock).check(KEY, LATER, token)


def test_a_well_signed_link_that_lives_too_long_is_refused(signer: Signer) -> None:
    far = NOW + MAX_URL_LIFETIME_S + signature.MAX_CLOCK_SKEW_S + 1
    token = hmac.new(SECRET, b"\n".join([signature.PURPOSE, KEY.encode(), str(far).encode()]), hashlib.sha256).hexdigest()
    with pytest.raises(NotFoundError):
        signer.check(KEY, far, token)


def test_forged_and_outlived_links_get_the_same_answer(signer: Signer, clock: Clock) -> None:
    token = signer.sign(KEY, LATER)
    with pytest.raises(NotFoundError) as forged:
        signer.check(KEY, LATER, "0" * 64)
    clock.now = LATER + 1
    with pytest.raises(NotFoundError) as outlived:
        signer.check(KEY, LATER, token)
    assert (forged.value.message, forged.value.detail) == (outlived.value.message, outlived.value.detail)


@pytest.mark.parametrize("expires_at", [NOW, NOW - 1, NOW + MAX_URL_LIFETIME_S + 1])
def test_a_link_that_is_dead_or_lives_too_long_is_not_signed(signer: Signer, expires_at: int) -> None:
    with pytest.raises(InvalidValueError, match="expires_at"):
        signer.sign(KEY, expires_at)


def test_only_a_key_is_signed(signer: Signer) -> None:
    with pytest.raises(InvalidValueError, match="key"):
        signer.sign("../../etc/passwd", LATER)


def test_gateways_whose_clocks_differ_a_little_accept_each_others_links(signer: Signer, clock: Clock) -> None:
    token = signer.sign(KEY, NOW + MAX_URL_LIFETIME_S)
    clock.now -= 30
    signer.check(KEY, NOW + MAX_URL_LIFETIME_S, token)


def test_a_short_secret_is_refused_and_not_shown(clock: Clock) -> None:
    with pytest.raises(InvalidValueError, match="at least 32 bytes") as refused:
        Signer(b"hunter2", clock)
    assert "hunter2" not in str(refused.value)


def test_signatures_are_compared_in_constant_time(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    signer.check(KEY, LATER, signer.sign(KEY, LATER))
    assert len(compared) == 1


@given(st.text(), st.integers(), st.text())
def test_no_guess_passes_and_none_breaks_the_check(key: str, expires_at: int, token: str) -> None:
    with pytest.raises(NotFoundError):
        Signer(SECRET, Clock()).check(key, expires_at, token)
