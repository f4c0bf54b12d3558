"""Clips that begin with a picture, in the browser: on a service whose model takes one."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from tests.studio.conftest import OpenPage
from tests.support.checkpoints import make_checkpoint
from tests.support.service import running_service

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A service of one tiny model that takes pictures."""
    model = make_checkpoint(tmp_path_factory.mktemp("model"), expand_timesteps=True)
    with running_service(tmp_path_factory.mktemp("service"), model=model) as service:
        yield service


@pytest.fixture
def harbour(tmp_path: Path) -> Path:
    path = tmp_path / "harbour.png"
    Image.linear_gradient("L").resize((120, 80)).convert("RGB").save(path)
    return path


def ask_for(page: Any, prompt: str) -> Any:
    page.locator("#prompt").fill(prompt)
    page.get_by_role("button", name="Make the clip").click()
    card = page.locator(".clip-card", has_text=prompt)
    expect(card).to_be_visible()
    return card


def last_video(service: Any) -> dict[str, Any]:
    with httpx2.Client(base_url=f"{service.url}/v1/", trust_env=False) as client:
        video: dict[str, Any] = client.get("videos", params={"limit": 1}).json()["data"][0]
        if video["has_start_image"]:
            content = client.get(f"videos/{video['id']}/content", params={"variant": "start_image"})
            video["picture"] = content.raise_for_status().content
    return video


def test_a_clip_begins_with_a_picture_that_is_shown_and_used_again(open_page: OpenPage, service: Any, harbour: Path) -> None:
    page = open_page()
    chosen = page.locator("#start-picture img")
    expect(chosen).to_be_hidden()
    page.get_by_label("Begin with a picture").set_input_files(harbour)
    expect(chosen).to_be_visible()
    ask_for(page, "the boat sets sail").get_by_role("button", name="Play").click()
    first = last_video(service)

    dialog = page.get_by_role("dialog")
    shown = dialog.get_by_alt_text("The picture that the clip began with")
    expect(shown).to_be_visible()
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    assert [each["id"] for each in axe.run(page).response["violations"] if each["impact"] in {"serious", "critical"}] == []
    assert base64.b64decode(shown.get_attribute("src").partition(",")[2]) == first["picture"]
    dialog.get_by_text("Make it from code").click()
    for name, line in {"curl": "-F input_reference=@start.png", "Python": 'image="start.png"', "openai": 'open("start.png", "rb")'}.items():
        dialog.get_by_role("button", name=name, exact=True).click()
        expect(dialog.locator("pre")).to_contain_text(line)
    dialog.get_by_role("button", name="Close").click()

    page.get_by_role("button", name="Without a picture").click()
    expect(chosen).to_be_hidden()
    ask_for(page, "the boat stays away")
    assert not last_video(service)["has_start_image"]

    page.locator(".clip-card", has_text="the boat sets sail").get_by_role("button", name="Play").click()
    dialog.get_by_role("button", name="Reuse settings").click()
    expect(chosen).to_be_visible()
    ask_for(page, "the boat comes home")
    again = last_video(service)
    assert (again["picture"], again["seed"]) == (first["picture"], first["seed"])


def test_relatives_of_a_clip_begin_with_its_picture(open_page: OpenPage, service: Any, harbour: Path) -> None:
    page = open_page()
    page.get_by_label("Begin with a picture").set_input_files(harbour)
    ask_for(page, "four boats").get_by_role("button", name="Play").click()
    picture = last_video(service)["picture"]
    page.get_by_role("dialog").get_by_role("button", name="Four more like this").click()
    expect(page.locator(".clip-card", has_text="four boats")).to_have_count(5)
    relative = last_video(service)
    assert relative["variation_strength"] > 0
    assert relative["picture"] == picture


def test_what_is_no_picture_is_refused_where_it_was_chosen(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    (tmp_path / "note.png").write_text("no picture")
    field = page.get_by_label("Begin with a picture")
    field.set_input_files(tmp_path / "note.png")
    page.locator("#prompt").fill("a boat of words")
    page.get_by_role("button", name="Make the clip").click()
    expect(page.locator("#form-error")).to_contain_text("input_reference")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
