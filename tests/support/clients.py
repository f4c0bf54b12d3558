"""The openai libraries that do not fit into our environment, and all of them behind one door: a process a library, driven by JSON lines.

`python -m tests.support.clients` installs what is missing beside the environment's packages. Knows nothing of the service.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FOLDER = Path(sys.prefix) / "clients"
CONFORMANCE = Path(__file__).parents[1] / "conformance" / "clients"
PYTHON_2_PINS = CONFORMANCE / "pins" / "openai-2.3.0.txt"
NODE_PINS = CONFORMANCE / "pins" / "package.json"
DRIVERS = CONFORMANCE / "drivers"
PYTHON_2 = FOLDER / "openai-2.3.0"
NODE = FOLDER / "node"
MAX_CALL_S = 120.0
"""A call that hangs ends its driver, and the test with it."""


class StockError(Exception):
    """What a stock client raised: `kind` is its class, the rest what it read from the answer, `message` its whole text."""

    def __init__(self, kind: str, message: str, seen: Mapping[str, Any]) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.status: int | None = seen.get("status")
        self.code: str | None = seen.get("code")
        self.param: str | None = seen.get("param")
        self.type: str | None = seen.get("type")
        self.request_id: str | None = seen.get("request_id")


class MissingClientError(Exception):
    """A client that is not on this machine; the message says how to get it. `is_excusable` where its platform is missing."""

    def __init__(self, message: str, *, is_excusable: bool = False) -> None:
        super().__init__(message)
        self.is_excusable = is_excusable


@dataclass(frozen=True)
class Answered:
    """What a call gave. `request_id` is where the client found the header."""

    value: Any
    request_id: str | None


class StockClient:
    """One library in a child process. `name` is what it calls itself in `user-agent`."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        self.name = name
        clean = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy") and not key.startswith("OPENAI_")}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**clean, **environment}, text=True, encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate()  # the end of its input is the end of a driver

    def at(self, url: str, key: str = "any", *, timeout_s: float = 60.0, max_retries: int = 0) -> Caller:
        """This library, pointed at a service (`url` without `/v1`)."""
        return Caller(self, {"base_url": f"{url}/v1", "api_key": key, "timeout_s": timeout_s, "max_retries": max_retries})

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """One line there, one line back."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watchdog = threading.Timer(MAX_CALL_S, self._process.kill)
        watchdog.start()
        try:
            self._process.stdin.write(json.dumps(question, default=_file) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, f"{self.name}: the driver ended in {question['verb']}"
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass(frozen=True)
class Caller:
    """A stock client with its settings. Verbs are those of the Python library."""

    client: StockClient
    settings: Mapping[str, Any]

    def ask(
        self,
        verb: str,
        target: str | None = None,
        *,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Answered:
        """Call `verb`, such as `videos.retrieve`, on the id `target`. `extra` are fields without an argument. Raises `StockError`."""
        question = {"verb": verb, "id": target, "fields": fields, "extra": extra or {}, "headers": headers or {}, "settings": self.settings}
        answer = self.client.ask(question)
        if "refused" in answer:
            seen = answer["refused"]
            raise StockError(seen["kind"], seen["message"], seen)
        value = answer["value"]
        if isinstance(value, dict) and "$bytes" in value:
            value = base64.b64decode(value["$bytes"])
        return Answered(value, answer.get("request_id"))

    def __call__(self, verb: str, target: str | None = None, **what: Any) -> Any:
        """`ask`, without the request's id."""
        return self.ask(verb, target, **what).value


def openai_3() -> StockClient:
    """The library of this environment."""
    return StockClient("OpenAI/Python 3.52.0", _python_driver(), {})


def openai_2() -> StockClient:
    """The last generation, which sends JSON. Raises `MissingClientError`."""
    if not _has_python_2():
        raise MissingClientError("openai 2.3.0 is not installed: python -m tests.support.clients")
    return StockClient("OpenAI/Python 2.3.0", _python_driver(), {"PYTHONPATH": str(PYTHON_2)})


def openai_node() -> StockClient:
    """The JavaScript library. Raises `MissingClientError`."""
    node = shutil.which("node")
    if node is None:
        raise MissingClientError(
            "Node.js is not installed: install Node.js 20 with npm, then python -m tests.support.clients", is_excusable=True
        )
    if not _has_node_client():
        raise MissingClientError("openai-node is not installed: python -m tests.support.clients")
    return StockClient("OpenAI/JS 6.49.0", [node, str(DRIVERS / "openai_node.mjs"), str(NODE)], {})


def install() -> None:
    """Bring both clients to `FOLDER`. Where one cannot be had, a line says so: its tests will be skipped, or fail under CI."""
    if not _has_python_2():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(PYTHON_2)]
        if _run("openai 2.3.0", [*command, "-r", str(PYTHON_2_PINS)]):
            shutil.copy(PYTHON_2_PINS, PYTHON_2)
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not installed: the tests with openai-node will be skipped")
    elif not _has_node_client():
        NODE.mkdir(parents=True, exist_ok=True)
        shutil.copy(NODE_PINS, NODE)
        _run("openai-node", [npm, "install", "--prefix", str(NODE), "--no-audit", "--no-fund", "--loglevel", "error"])


def _run(name: str, command: list[str]) -> bool:
    is_done = subprocess.run(command, check=False).returncode == 0
    if not is_done:
        print(f"{name} could not be installed")
    return is_done


def _has_python_2() -> bool:
    """Whether all of it was installed: its pins are copied when the rest is there."""
    copy = PYTHON_2 / PYTHON_2_PINS.name
    return copy.is_file() and copy.read_bytes() == PYTHON_2_PINS.read_bytes()


def _python_driver() -> list[str]:
    return [sys.executable, "-W", "ignore", str(DRIVERS / "openai_python.py")]


def _has_node_client() -> bool:
    package = NODE / "node_modules" / "openai" / "package.json"
    pinned = json.loads(NODE_PINS.read_text(encoding="utf-8"))["dependencies"]["openai"]
    return package.is_file() and json.loads(package.read_text(encoding="utf-8"))["version"] == pinned


def _file(value: object) -> dict[str, str]:
    assert isinstance(value, bytes)
    return {"$bytes": base64.b64encode(value).decode()}


if __name__ == "__main__":
    install()
