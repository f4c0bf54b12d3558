"""Puts a running cinelet together from its settings: store, blobs, gateway, worker. The only place that knows all of them."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import os
import secrets
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from cinelet import __version__
from cinelet.cli.profiles import Profiles, device_name
from cinelet.errors import InvalidValueError, UnavailableError
from cinelet.jobs import Store, Tenant
from cinelet.local import engine_spec, open_adapters
from cinelet.models import Catalogue, require_model
from cinelet.scheduling import Architecture, Pricer
from cinelet.settings import DATA, Settings
from cinelet.storage import BlobStore, Signer, open_blobs
from cinelet.telemetry import Metrics, get_logger
from cinelet.worker import EnginePort, FakeEngine, Pace, Worker
from cinelet.worker.guard import Guard, limits_from
from cinelet.worker.thermal import KernelThermometer, NvidiaThermometer, Thermometer

if TYPE_CHECKING:
    from cinelet.gateway.app import Application
    from cinelet.gateway.door import Door
    from cinelet.gateway.rewriter import Rewriter

DAY_S = 86_400.0
LOCAL_TENANT = Tenant(id="local", tier="standard")
"""Whose everything is while authentication is off."""
MIN_SECRET_CHARS = 32
STORE_PATIENCE_S = 60.0
"""How long a start waits for its database: after a power cut everything starts at once."""
STORE_RETRY_S = 0.5


@dataclass(frozen=True, kw_only=True)
class House:
    """What gateways and workers share in one process."""

    settings: Settings
    store: Store
    blobs: BlobStore
    catalogue: Catalogue
    profiles: Profiles | None = None

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()


def open_house(settings: Settings, *, has_worker: bool = True) -> House:
    """Open store and blobs. Raises what their addresses deserve; a database that is away is waited for. Where no worker is, no
    device's profile is of use."""
    for name in settings.offered:
        Catalogue(settings.models_dir).get(name)
    blobs = open_blobs(settings.blobs)
    store = open_store(settings)
    catalogue = Catalogue(settings.models_dir)
    profiles = Profiles(settings.profiles_dir, device_name(settings), catalogue) if has_worker else None
    return House(settings=settings, store=store, blobs=blobs, catalogue=catalogue, profiles=profiles)


def open_store(settings: Settings) -> Store:
    """The store, as soon as its database answers. Raises `UnavailableError` when patience ends."""
    give_up_at = time.monotonic() + STORE_PATIENCE_S
    while True:
        try:
            return Store(settings.store, lease_s=settings.lease_s, retention_s=settings.retention_days * DAY_S)
        except UnavailableError as error:
            if time.monotonic() > give_up_at:
                raise
            get_logger("cinelet.house").warning("store is away", reason=error.message, detail=error.detail)
            time.sleep(STORE_RETRY_S)


def make_pricers(catalogue: Catalogue, models: Sequence[str], profiles: Profiles | None = None) -> dict[str, Pricer]:
    """What prices the plans of each model: it begins with what is kept of this device, and learns from the clips that are made."""
    cards = [catalogue.get(name) for name in models]
    return {
        card.name: Pricer(Architecture(*card.architecture), card.latent_stride, () if profiles is None else profiles.samples(card))
        for card in cards
    }


def make_worker(house: House, metrics: Metrics) -> Worker:
    """The worker of this process: one engine, one device. It serves the default model."""
    settings = house.settings
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    pace = Pace(
        slots=settings.slots,
        policy=settings.policy,
        checkpoint_every_s=settings.checkpoint_every_s,
        preview_every_s=settings.preview_every_s,
        beat_every_s=min(0.5, settings.lease_s / 3),
        grace_s=settings.grace_s,
    )
    models = settings.offered[:1]
    pricers = make_pricers(house.catalogue, models, house.profiles)

    def keep_prices(*, is_last: bool) -> None:
        if house.profiles is not None:
            house.profiles.save(pricers) if is_last else house.profiles.save_if_due(pricers)

    return Worker(
        name,
        models,
        house.store,
        house.blobs,
        engine=make_engine(house),
        get_adapter=open_adapters(settings).get,
        pricers=pricers,
        keep_prices=keep_prices,
        metrics=metrics,
        pace=pace,
        guard=make_guard(settings),
    )


def make_guard(settings: Settings) -> Guard:
    """What keeps the device within its temperature and power; no sensor is opened where no limit is set."""
    limits = limits_from(warm_c=settings.thermal_warm_c, hot_c=settings.thermal_hot_c, power_w=settings.power_limit_w)
    thermometer = None if limits.heat is None and limits.power is None else open_thermometer(settings)
    return Guard(slots=settings.slots, limits=limits, thermometer=thermometer)


def open_thermometer(settings: Settings) -> Thermometer:
    """Of the engine's device: NVIDIA's library where it answers, else the kernel's sensors."""
    if settings.device != "cpu":
        with suppress(UnavailableError):
            return NvidiaThermometer()
    return KernelThermometer()


def make_engine(house: House) -> EnginePort:
    """A fake engine, or a real one in a child process; its files are checked first."""
    settings = house.settings
    if settings.engine == "fake":
        return FakeEngine(step_s=settings.fake_step_s)
    from cinelet.engine.process import EngineProcess  # noqa: PLC0415 - loads torch

    card = house.catalogue.get(settings.offered[0])
    require_model(card)
    return EngineProcess(engine_spec(card, settings))


def make_app(house: House, metrics: Metrics, *, checks: Mapping[str, Callable[[], bool]] | None = None) -> Application:
    """The HTTP application of this house, with its courier and, where asked for, gRPC."""
    from cinelet.gateway.access import check_open  # noqa: PLC0415 - a worker alone needs no web framework
    from cinelet.gateway.app import create_app  # noqa: PLC0415

    settings = house.settings
    if not settings.require_key:
        check_open(settings.host)

    @asynccontextmanager
    async def lifespan(app: Application) -> AsyncIterator[None]:
        async with _open_gateway(house, app, metrics):
            yield

    return create_app(lifespan, metrics, checks=checks, allowed_hosts=tuple(settings.allowed_hosts))


@asynccontextmanager
async def _open_gateway(house: House, app: Application, metrics: Metrics) -> AsyncIterator[None]:
    import asyncio  # noqa: PLC0415

    from cinelet.gateway.access import Authenticator, Limiter, open_counters  # noqa: PLC0415
    from cinelet.gateway.courier import Courier  # noqa: PLC0415
    from cinelet.gateway.desk import Desk  # noqa: PLC0415
    from cinelet.gateway.door import Door  # noqa: PLC0415
    from cinelet.gateway.envoy import Envoy, direct_transport  # noqa: PLC0415
    from cinelet.gateway.reader import Reader  # noqa: PLC0415
    from cinelet.gateway.target import resolve  # noqa: PLC0415

    settings = house.settings
    secret = read_secret(settings)
    desk = Desk(
        house.store,
        house.blobs,
        house.catalogue,
        settings.offered,
        region=settings.region,
        precision=settings.precision,
        pricers=make_pricers(house.catalogue, settings.offered, house.profiles),
        adapters=open_adapters(settings),
        rewriter=make_rewriter(settings),
        policy=settings.policy,
        max_wait_s=settings.max_wait_s,
        metrics=metrics,
    )
    is_open = None if settings.require_key else LOCAL_TENANT
    if is_open is not None:
        await desk.archive.in_thread(lambda: house.store.tenants.ensure(LOCAL_TENANT))
    envoy = Envoy(direct_transport(), allow_loopback=settings.allow_loopback_callbacks)
    app.state.envoy = envoy
    app.state.door = Door(
        desk=desk,
        reader=Reader(desk.card),
        authenticator=Authenticator(house.store.tenants, tokens=_token_checker(settings), open_tenant=is_open),
        limiter=Limiter(open_counters(settings.counters)),
        signer=Signer(secret, clock=house.store.database.clock),
        resolve=resolve,
        allow_loopback=settings.allow_loopback_callbacks,
        sync_timeout_s=settings.sync_timeout_s,
        webhook_secret_of=functools.partial(webhook_secret, secret),
    )
    on_outcome = metrics.webhook_deliveries_total.add
    deliveries = Courier(
        house.store.outbox, envoy, secret_of=functools.partial(webhook_secret, secret), on_outcome=lambda result: on_outcome(result=result)
    )
    courier = asyncio.create_task(deliveries.run(desk.archive.wakeups.outbox))
    try:
        async with _open_rpc(app.state.door, metrics, settings):
            yield
    finally:
        courier.cancel()
        with suppress(asyncio.CancelledError):
            await courier
        desk.close()


def make_rewriter(settings: Settings) -> Rewriter | None:
    """What rewrites prompts, where an endpoint for it is named."""
    from cinelet.gateway.rewriter import ChatRewriter  # noqa: PLC0415

    url, model, key = settings.rewriter_url, settings.rewriter_model, settings.rewriter_key
    if url is None and model is None:
        return None
    if url is None or model is None or not url.startswith(("https://", "http://")):
        raise InvalidValueError("rewriter_url", url, "must be an http or https address, and goes together with rewriter_model")
    return ChatRewriter(url, model, None if key is None else key.get_secret_value(), timeout_s=settings.rewriter_timeout_s)


@asynccontextmanager
async def _open_rpc(door: Door, metrics: Metrics, settings: Settings) -> AsyncIterator[None]:
    """The gRPC door, where a port is set for it."""
    if settings.rpc_port < 0:
        yield
        return
    from cinelet.gateway.rpc import RpcServer, tls_credentials  # noqa: PLC0415
    from cinelet.gateway.rpc.service import Videos  # noqa: PLC0415

    credentials = None
    if settings.tls_certificate is not None and settings.tls_key is not None:
        credentials = tls_credentials(settings.tls_certificate, settings.tls_key)
    async with RpcServer(Videos(door, metrics), f"{settings.host}:{settings.rpc_port}", credentials=credentials) as server:
        get_logger("cinelet.rpc").info("listening", port=server.port)
        yield


def _token_checker(settings: Settings) -> Any:
    from cinelet.gateway.access import KeyServer, KeySet, TokenChecker, TokenRules  # noqa: PLC0415

    parts = (settings.token_issuer, settings.token_audience, settings.token_keys_url)
    if all(part is None for part in parts):
        return None
    if settings.token_issuer is None or settings.token_audience is None or settings.token_keys_url is None:
        raise InvalidValueError("token_issuer", settings.token_issuer, "token_issuer, token_audience and token_keys_url go together")
    rules = TokenRules(issuer=settings.token_issuer, audience=settings.token_audience)
    return TokenChecker(rules, KeySet(KeyServer(settings.token_keys_url), ["RS256", "PS256"]))


def read_secret(settings: Settings, path: Path = DATA / "secret") -> bytes:
    """The deployment's secret: the setting, or one made at the first start and kept for this user alone."""
    if settings.secret is not None:
        text = settings.secret.get_secret_value()
        if len(text) < MIN_SECRET_CHARS:
            raise InvalidValueError("secret", f"{len(text)} characters", f"must have at least {MIN_SECRET_CHARS}")
        return text.encode()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as draft:  # made for this user alone
            draft.write(secrets.token_urlsafe(48))
            draft.flush()
            os.fsync(draft.fileno())
            with suppress(FileExistsError):  # another process was faster: its secret counts
                os.link(draft.name, path)
    return path.read_bytes()


def webhook_secret(secret: bytes, tenant: str) -> str:
    """What signs a tenant's callbacks of single requests: derived, so that it tells nothing of other tenants or of the secret itself."""
    return "whsec_" + base64.b64encode(hmac.digest(secret, f"cinelet webhook 1 {tenant}".encode(), hashlib.sha256)[:24]).decode()


def make_metrics() -> Metrics:
    """The numbers of this process."""
    return Metrics(CollectorRegistry(), version=__version__)
