"""`cinelet serve`, `gateway` and `worker`: the service on one machine, or its halves on many."""

from __future__ import annotations

import ctypes
import gc
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cinelet.errors import InvalidValueError, UnavailableError
from cinelet.settings import Settings, gib, load_settings

if TYPE_CHECKING:
    from cinelet.gateway.app import Application

GRACEFUL_S = 3
"""What open connections get when the server stops: event streams never end by themselves."""
M_ARENA_MAX, NUM_ARENAS = -8, 2
"""The parameter's number in glibc's malloc.h."""

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")]
StoreUrl = Annotated[str | None, typer.Option("--store", help="Database: a path, or postgresql://user@host/database.")]
Blobs = Annotated[str | None, typer.Option(help="Clips: a folder, or s3://bucket/prefix?endpoint=…")]
Model = Annotated[str | None, typer.Option(help="Model to serve.")]
EngineKind = Annotated[str | None, typer.Option("--engine", help="real, or fake: plain colours at once, for development.")]
RequireKey = Annotated[bool | None, typer.Option("--require-key/--open", help="Ask callers for a key; open is for this machine alone.")]
Slots = Annotated[int | None, typer.Option(help="Clips advanced together, where that pays.")]
PolicyName = Annotated[str | None, typer.Option("--policy", help="Who goes first: cinelet, or to compare fifo, edf, priority, srpt.")]


MemoryLimit = Annotated[str | None, typer.Option(help="Most memory of the engine, predicted before each clip: 16GB, 1.5GiB.")]


def serve(  # noqa: PLR0917 - the options of a command
    host: Host = None,
    port: Port = None,
    store: StoreUrl = None,
    blobs: Blobs = None,
    model: Model = None,
    engine: EngineKind = None,
    require_key: RequireKey = None,
    slots: Slots = None,
    policy: PolicyName = None,
    memory_limit: MemoryLimit = None,
) -> None:
    """Serve everything from this machine: API, studio, worker."""
    run_house(
        load_settings(
            host=host,
            port=port,
            store=store,
            blobs=blobs,
            model=model,
            engine=engine,
            require_key=require_key,
            slots=slots,
            policy=policy,
            memory_limit_gib=gib(memory_limit),
        )
    )


def gateway(  # noqa: PLR0917
    host: Host = None, port: Port = None, store: StoreUrl = None, blobs: Blobs = None, model: Model = None, require_key: RequireKey = None
) -> None:
    """Serve the API and the studio; workers run elsewhere on the same store."""
    run_house(load_settings(host=host, port=port, store=store, blobs=blobs, model=model, require_key=require_key), has_worker=False)


def worker(  # noqa: PLR0917
    store: StoreUrl = None,
    blobs: Blobs = None,
    model: Model = None,
    engine: EngineKind = None,
    slots: Slots = None,
    policy: PolicyName = None,
    memory_limit: MemoryLimit = None,
) -> None:
    """Make clips for gateways on the same store."""
    settings = load_settings(
        store=store, blobs=blobs, model=model, engine=engine, slots=slots, policy=policy, memory_limit_gib=gib(memory_limit)
    )
    run_house(settings, has_gateway=False)


def run_house(settings: Settings, *, has_gateway: bool = True, has_worker: bool = True) -> None:
    """Run until a signal. SIGTERM and Ctrl-C: not ready, claim no more, finish or save, go."""
    from cinelet.cli.house import make_app, make_metrics, make_worker, open_house  # noqa: PLC0415 - `--help` should not wait for these
    from cinelet.telemetry import configure  # noqa: PLC0415
    from cinelet.worker.caretaker import Caretaker  # noqa: PLC0415

    configure(settings.log_level, sys.stderr)
    share_arenas()
    listening = _listen(settings) if has_gateway else None
    house = open_house(settings, has_worker=has_worker)
    metrics = make_metrics()
    caretaker = Caretaker(house.store, house.blobs)
    try:
        caretaker.start()
        labourer = make_worker(house, metrics) if has_worker else None
        thread = _Thread(labourer.run) if labourer is not None else None
        checks = {"worker": labourer.is_ready.is_set} if labourer is not None else {}
        app = make_app(house, metrics, checks=checks) if listening is not None else None
        if thread is not None:
            thread.start()
        if listening is not None and app is not None:
            gc.collect()
            gc.freeze()  # what is there now stays: collections need to walk only what requests make (benchmarks/service.py)
            _serve_http(
                app,
                listening,
                settings,
                on_stop=labourer.stop if labourer is not None else _nothing,
                watch=thread,
            )
        elif labourer is not None and thread is not None:
            _wait_for_signal(labourer.stop, thread)
        if thread is not None and labourer is not None:
            labourer.stop()
            thread.finish()
    finally:
        caretaker.stop()
        house.close()


def share_arenas() -> None:
    """Have glibc keep freed memory in two places and not in eight for each core: our threads take turns anyway.

    The 250 hostile requests of tests/acceptance/test_hostile.py left a server 75 MB larger without this, 27 MB with it. Elsewhere than
    under glibc nothing happens.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_ARENA_MAX, NUM_ARENAS)


class _Thread(threading.Thread):
    """A thread whose failure is the process's."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(name="cinelet-worker", daemon=True)
        self._work = work
        self.error: BaseException | None = None
        self.on_end: Callable[[], None] = _nothing

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            self.error = error
        self.on_end()

    def finish(self) -> None:
        """Wait for the end; raise what ended it."""
        self.join()
        if self.error is not None:
            raise self.error


def _nothing() -> None:
    pass


def _listen(settings: Settings) -> socket.socket:
    """Take the port before anything else, and say which."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise UnavailableError(f"port: {settings.host}:{settings.port} cannot be listened on; {error.strerror}") from error
    scheme = "https" if settings.tls_certificate else "http"
    host = f"[{settings.host}]" if family == socket.AF_INET6 else settings.host
    print(f"{scheme}://{host}:{listening.getsockname()[1]}", flush=True)  # noqa: T201 - the result of the command
    return listening


def _serve_http(
    app: Application, listening: socket.socket, settings: Settings, *, on_stop: Callable[[], None], watch: _Thread | None
) -> None:
    import uvicorn  # noqa: PLC0415

    from cinelet.gateway.protocol import BoundedProtocol  # noqa: PLC0415

    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise InvalidValueError("tls_key", str(settings.tls_key), "tls_certificate and tls_key go together")
    tls: dict[str, Any] = {"ssl_certfile": settings.tls_certificate, "ssl_keyfile": settings.tls_key} if settings.tls_certificate else {}
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_S,
        timeout_keep_alive=75,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        **tls,
    )

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """As in the base, but a handled signal is not raised again: the worker still has clips to save."""
            previous = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
            try:
                yield
            finally:
                for number, handler in previous.items():
                    signal.signal(number, handler)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            on_stop()
            super().handle_exit(sig, frame)

    server = Server(config)
    if watch is not None:
        watch.on_end = lambda: setattr(server, "should_exit", True)
    server.run(sockets=[listening])


def _wait_for_signal(stop: Callable[[], None], thread: _Thread) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())
    while thread.is_alive():
        thread.join(0.2)  # signals are handled between the waits
