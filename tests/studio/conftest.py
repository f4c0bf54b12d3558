"""A browser on the real page of a real service. Skipped where there is no Chromium, unless CI says there must be one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

HOW_TO_INSTALL = "the studio's tests need Chromium and Playwright: apt install chromium && pip install playwright axe-playwright-python"
PATIENCE_MS = 60_000
"""How long an expectation may wait. Clips of the pocket model take seconds; a busy machine takes several times that."""
STEP_S = 0.05
"""How long the fake engine takes for a step: long enough that a person, and a test, sees a clip in the making."""
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}

OpenPage = Callable[..., Any]
Prepare = Callable[[Any], None]


def find_chromium() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        refuse()
    return str(path)


def refuse() -> None:
    if os.environ.get("CI"):
        pytest.fail(HOW_TO_INSTALL)
    pytest.skip(HOW_TO_INSTALL)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser a file: Playwright keeps an event loop running in this thread, which no other test may find."""
    try:
        from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415 - may be missing
    except ImportError:
        refuse()
    executable = find_chromium()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One service for a file of tests; each test writes sentences of its own."""
    from tests.support.service import running_service  # noqa: PLC0415 - it needs the server's packages

    with running_service(tmp_path_factory.mktemp("service"), fake_step_s=STEP_S) as service:
        yield service


@pytest.fixture
def open_page(browser: Any, service: Any) -> Iterator[OpenPage]:
    """Opens the studio as a fresh visitor. At the end, nothing may have gone wrong in the page's own code or policy, and nothing goes on.

    Without `is_moving` the visitor asks for less motion, which spares a machine that has to draw without a GPU.
    """
    contexts: list[Any] = []
    faults: list[str] = []

    def open_page(
        *, viewport: dict[str, int] = DESK, scheme: str = "light", is_moving: bool = False, prepare: Prepare = lambda page: None
    ) -> Any:
        is_phone = viewport is PHONE
        motion = "no-preference" if is_moving else "reduce"
        context = browser.new_context(
            viewport=viewport, color_scheme=scheme, reduced_motion=motion, locale="en-GB", has_touch=is_phone, is_mobile=is_phone
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None)
        prepare(page)
        page.goto(f"{service.url}/studio/")
        page.wait_for_selector("html[data-connection]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    stop_everything(service.url)
    assert faults == []


def stop_everything(url: str) -> None:
    """Cancel what a test left behind, so that the next one does not wait in line."""
    with httpx2.Client(base_url=f"{url}/v1/", trust_env=False, timeout=PATIENCE_MS / 1000) as client:
        for video in client.get("videos", params={"limit": 100}).json()["data"]:
            if video["status"] in {"queued", "in_progress"}:
                client.post(f"videos/{video['id']}/cancel").raise_for_status()
