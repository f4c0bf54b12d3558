"""The studio in a browser, on a running service: what a person does with it, by mouse, by finger and by keyboard alone."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.studio.conftest import DESK, PHONE, OpenPage

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

MANY_STEPS = "120"
"""Enough denoising steps that a preview can be seen and a cancel comes in time."""
TOO_MANY_STEPS = "900"
"""More than anybody waits for: such a clip is there to be cancelled."""
SCREENSHOTS = os.environ.get("CINELET_SCREENSHOTS")
"""A folder that keeps the pictures of the page; without it they go to the test's own."""


def ask_for(page: Any, prompt: str, *, steps: str | None = None) -> Any:
    """Write a sentence, press the button, and return the card that appears in the queue."""
    if steps is not None:
        page.evaluate("document.getElementById('advanced').open = true")
        page.get_by_label("Steps", exact=True).fill(steps)
    page.locator("#prompt").fill(prompt)
    page.get_by_role("button", name="Make the clip").click()
    return queue_card(page, prompt)


def queue_card(page: Any, prompt: str) -> Any:
    return page.locator(".queue-card", has_text=prompt)


def clip_card(page: Any, prompt: str) -> Any:
    return page.locator(".clip-card", has_text=prompt)


def make(page: Any, prompt: str) -> Any:
    """A finished clip of `prompt`, as a draft."""
    page.get_by_label(re.compile("^Draft")).check(force=True)
    ask_for(page, prompt)
    expect(clip_card(page, prompt)).to_be_visible()
    return clip_card(page, prompt)


def test_a_sentence_becomes_a_clip_with_progress_and_a_preview_on_the_way(open_page: OpenPage) -> None:
    page = open_page(is_moving=True)
    prompt = "A red balloon rising at sunset, watched"
    card = ask_for(page, prompt, steps=MANY_STEPS)
    expect(card.get_by_role("progressbar")).to_be_visible()
    expect(card.locator(".state")).to_contain_text(re.compile(r"step \d+ of 120"))
    expect(card.locator(".preview img")).to_be_visible()
    expect(card).to_have_count(0)
    clip_card(page, prompt).get_by_role("button", name=f"Play: {prompt}").click()
    player = page.get_by_role("dialog").locator("video")
    assert player.evaluate("async (video) => { video.muted = true; await video.play(); return video.videoWidth; }") > 0
    player.evaluate("(video) => new Promise((done) => video.addEventListener('timeupdate', done, { once: true }))")


def test_a_clip_in_the_making_survives_a_reload_and_can_be_cancelled(open_page: OpenPage) -> None:
    page = open_page()
    prompt = "A slow blue boat on the sea"
    ask_for(page, prompt, steps=TOO_MANY_STEPS)
    expect(queue_card(page, prompt)).to_be_visible()
    page.reload()
    expect(page.locator("#prompt")).to_have_value(prompt)
    card = queue_card(page, prompt)
    expect(card.locator(".state")).to_contain_text("step")
    card.get_by_role("button", name="Cancel").click()
    expect(card.locator(".state")).to_have_text("Cancelled")
    expect(card.get_by_role("button", name="Try again")).to_be_focused()
    card.get_by_role("button", name="Remove").click()
    expect(card).to_have_count(0)


def test_settings_of_a_clip_can_be_used_again(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#seed").fill("4711")
    page.get_by_text("Leave something out").click()
    page.locator("#negative").fill("clouds")
    make(page, "A yellow star spinning in the night").get_by_role("button", name="Play").click()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Keep this seed").click()  # typing one had locked it
    page.get_by_role("button", name="Roll a new seed").click()
    page.locator("#prompt").fill("")
    page.locator("#negative").fill("")
    clip_card(page, "A yellow star").get_by_role("button", name="Play").click()
    page.get_by_role("dialog").get_by_role("button", name="Reuse settings").click()
    expect(page.locator("#prompt")).to_have_value("A yellow star spinning in the night")
    expect(page.locator("#prompt")).to_be_focused()
    expect(page.locator("#seed")).to_have_value("4711")
    expect(page.get_by_role("button", name="Keep this seed")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#negative")).to_have_value("clouds")


def test_a_style_and_lighter_ways_are_chosen_shown_and_used_again(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate("document.getElementById('advanced').open = true")
    strength = page.get_by_label("Strength", exact=True)
    expect(strength).to_be_hidden()
    page.locator("[name=loras]").select_option("night")
    strength.fill("0.8")
    page.locator("[name=vae]").select_option("tiny")
    page.locator("[name=step_cache]").select_option("mild")
    prompt = "A white rocket rising over the sea"
    make(page, prompt).get_by_role("button", name="Play").click()
    dialog = page.get_by_role("dialog")
    for name, value in {"Style": "night:0.8", "Decoder": "tiny", "Cached steps": "mild"}.items():
        expect(dialog.locator("dl div", has_text=name)).to_contain_text(value)
    dialog.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Back to the model's defaults").click()
    expect(strength).to_be_hidden()
    expect(page.locator("[name=vae]")).to_have_value("full")
    clip_card(page, prompt).get_by_role("button", name="Play").click()
    page.get_by_role("dialog").get_by_role("button", name="Reuse settings").click()
    for name, value in {"loras": "night", "lora_strength": "0.8", "vae": "tiny", "step_cache": "mild"}.items():
        expect(page.locator(f"[name={name}]")).to_have_value(value)
    page.get_by_label(re.compile("^Final")).check(force=True)
    expect(page.locator("[name=loras]")).to_have_value("night")


def test_what_is_wrong_with_a_field_that_is_not_shown_stands_in_nobodys_way(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate("document.getElementById('advanced').open = true")
    page.locator("[name=loras]").select_option("night")
    page.locator("[name=lora_strength]").fill("9")
    page.locator("[name=loras]").select_option("")
    expect(make(page, "A panda bouncing in the snow, without a style")).to_be_visible()


def test_four_relatives_of_a_seed_are_asked_for_one_by_one(open_page: OpenPage) -> None:
    sent: list[dict[str, Any]] = []
    page = open_page(prepare=lambda page: page.route("**/v1/videos", lambda route: keep_and_refuse(route, sent)))
    page.locator("#seed").fill("9007199254740993")  # beyond what a number holds exactly in a browser
    page.get_by_label("4 alike").check(force=True)
    page.locator("#prompt").fill("A green tree growing in the park")
    page.get_by_role("button", name="Make four clips").click()
    expect(page.locator("#form-error")).to_have_text("queue: full, 4 of 4 Try again in 30 s.")
    asked = {"prompt": "A green tree growing in the park", "preset": "standard", "seed": 9007199254740993}
    assert len(sent) == 1, "after the first refusal there is no use in asking again"
    assert sent[0].items() >= {**asked, "variation_seed": 1, "variation_strength": 0.3}.items()


def keep_and_refuse(route: Any, sent: list[dict[str, Any]]) -> None:
    """Keep what a POST carried and answer it as a full queue does."""
    if route.request.method != "POST":
        route.continue_()
        return
    sent.append(json.loads(route.request.post_data))
    error = {"error": {"message": "queue: full, 4 of 4", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}}
    route.fulfill(status=429, json=error, headers={"retry-after": "30"})


def test_a_refused_field_is_shown_where_it_was_typed(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate("document.getElementById('advanced').open = true")
    page.locator("[name=num_frames]").fill("99997")
    page.locator("#prompt").fill("A cat")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#form-error")).to_contain_text("num_frames")
    expect(page.locator("[name=num_frames]")).to_be_focused()
    expect(page.locator("[name=num_frames]")).to_have_attribute("aria-invalid", "true")


def test_an_empty_sentence_is_refused_before_it_is_sent(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="Make the clip").click()
    expect(page.locator("#prompt-error")).to_have_text("Write a sentence first.")
    expect(page.locator("#prompt")).to_be_focused()


def test_a_failure_says_what_went_wrong_and_what_to_do(open_page: OpenPage) -> None:
    failed = {
        "id": "video_local_01J00000000000000000000000", "object": "video", "status": "failed", "x_state": "failed", "progress": 40,
        "prompt": "A failing whale", "model": "pocket", "seconds": "2.1", "size": "160x96", "seed": 7, "created_at": 1_800_000_000,
        "error": {"code": "resource_exhausted", "message": "size: needs 9.1 GiB; the device has 8.0 GiB"},
    }  # fmt: skip
    only_it = {"data": [failed], "has_more": False}
    page = open_page(prepare=lambda page: page.route("**/v1/videos?*", lambda route: route.fulfill(json=only_it)))
    card = queue_card(page, "A failing whale")
    expect(card).to_contain_text("the device has 8.0 GiB")
    expect(card).to_contain_text("A smaller size or fewer frames will fit.")
    card.get_by_role("button", name="Change the settings").click()
    expect(page.locator("#prompt")).to_have_value("A failing whale")


def test_a_deleted_clip_comes_back_by_undo_and_stays_away_without(open_page: OpenPage) -> None:
    page = open_page()
    prompt = "A purple heart growing by day"
    make(page, prompt)
    delete(page, prompt)
    page.get_by_role("button", name="Undo").click()
    expect(clip_card(page, prompt)).to_be_visible()
    delete(page, prompt)
    page.reload()  # leaving the page ends the time to undo
    page.wait_for_selector("html[data-connection]")
    expect(clip_card(page, prompt)).to_have_count(0)


def test_a_deleted_clip_stays_away_although_the_server_still_lists_it(open_page: OpenPage) -> None:
    page = open_page()
    prompt, other = "A purple cat spinning in the rain", "A purple dog spinning in the rain"
    make(page, other)
    make(page, prompt)
    with page.expect_response("**/v1/videos?*") as listing:
        page.reload()
    listed = listing.value.json()
    assert prompt in {video["prompt"] for video in listed["data"]}
    delete(page, prompt)
    page.route("**/v1/videos?*", lambda route: route.fulfill(json=listed))  # as if the deletion were still on its way
    page.reload()
    expect(clip_card(page, other)).to_be_visible()
    expect(clip_card(page, prompt)).to_have_count(0)


def delete(page: Any, prompt: str) -> None:
    clip_card(page, prompt).get_by_role("button", name="Play").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(clip_card(page, prompt)).to_have_count(0)


def test_favourites_are_kept_and_can_be_shown_alone(open_page: OpenPage) -> None:
    page = open_page()
    make(page, "An orange fish in the sea, kept").get_by_role("button", name="Favourite").click()
    make(page, "A pink car on a mountain road, passed by")
    page.reload()
    page.get_by_role("button", name="Favourites").click()
    expect(clip_card(page, "kept")).to_be_visible()
    expect(clip_card(page, "passed by")).to_be_hidden()


def test_code_that_makes_the_clip_again_is_given_in_three_languages(open_page: OpenPage) -> None:
    page = open_page()
    make(page, "A robot's dance in the city").get_by_role("button", name="Play").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Make it from code").click()
    code = dialog.locator("pre")
    expect(code).to_contain_text(r"A robot'\''s dance in the city")
    dialog.get_by_role("button", name="Python").click()
    compile(code.inner_text(), "python", "exec")
    expect(code).to_contain_text("cinelet.TextToVideoGenerator(url=")
    dialog.get_by_role("button", name="openai").click()
    compile(code.inner_text(), "openai", "exec")


def test_everything_can_be_done_by_keyboard_alone(open_page: OpenPage) -> None:
    page = open_page()
    prompt = "A white rocket rising in the snow, typed"
    press = page.keyboard.press
    press("Tab")
    expect(page.get_by_role("link", name="Skip to your clips")).to_be_focused()
    tab_to(page, "prompt")
    page.keyboard.type(prompt)
    tab_to(page, "standard")
    press("ArrowLeft")
    expect(page.locator("[value=draft]")).to_be_checked()
    press("Control+Enter")
    expect(clip_card(page, prompt)).to_be_visible()
    tab_to(page, f"Play: {prompt}")
    press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(clip_card(page, prompt).get_by_role("button", name="Play")).to_be_focused()
    press("Tab")
    press("Enter")
    expect(clip_card(page, prompt).get_by_role("button", name="Favourite")).to_have_attribute("aria-pressed", "true")


def tab_to(page: Any, name: str) -> None:
    """Press Tab until the element of that id, value or label has the focus."""
    who = "(() => { const e = document.activeElement; return [e.id, e.value, e.ariaLabel]; })()"
    for _ in range(80):
        if name in page.evaluate(who):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{name} cannot be reached with Tab")


def test_a_lost_connection_is_told_and_mended(open_page: OpenPage) -> None:
    page = open_page()
    page.route("**/v1/**", lambda route: route.abort())
    page.reload()
    expect(page.locator("#lost")).to_be_visible()
    page.unroute("**/v1/**")
    expect(page.locator("#lost")).to_be_hidden()


def test_a_server_that_asks_for_a_key_gets_it_and_the_page_forgets_it_with_the_tab(open_page: OpenPage) -> None:
    def guard(route: Any) -> None:
        if route.request.headers.get("authorization") == "Bearer sesame":
            route.continue_(headers={name: value for name, value in route.request.headers.items() if name != "authorization"})
        else:
            error = {"message": "key: missing", "type": "authentication_error", "param": None, "code": "invalid_api_key"}
            route.fulfill(status=401, json={"error": error})

    page = open_page(prepare=lambda page: page.route("**/v1/**", guard))
    page.get_by_label("This server asks for an API key.").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-error")).to_have_text("This key was not accepted.")
    page.get_by_label("This server asks for an API key.").fill("sesame")
    page.keyboard.press("Enter")
    expect(page.locator("#key")).to_be_hidden()
    expect(page.locator("html")).to_have_attribute("data-connection", "live")
    picture = make(page, "A white house by day, under lock and key").locator("img")
    expect(picture).to_have_attribute("src", re.compile("^blob:"))
    expect(picture).to_have_js_property("complete", value=True)
    assert picture.evaluate("(image) => image.naturalWidth") > 0
    assert page.evaluate("Object.keys(localStorage).some((name) => localStorage[name].includes('sesame'))") is False


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_the_page_fits_its_screen_and_has_no_serious_barrier(
    open_page: OpenPage, tmp_path: Path, viewport: dict[str, int], scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(viewport=viewport, scheme=scheme)
    prompt = f"A panda bouncing in the snow, {scheme} {viewport['width']}"
    make(page, prompt)
    card = ask_for(page, "A slow bird in the park", steps=TOO_MANY_STEPS)
    expect(card.locator(".state")).to_contain_text("step")
    folder = Path(SCREENSHOTS) if SCREENSHOTS else tmp_path
    for name in ("page", "details"):
        if name == "details":
            clip_card(page, prompt).get_by_role("button", name="Play").click()
            expect(page.get_by_role("dialog")).to_be_visible()
        page.screenshot(path=folder / f"studio-{name}-{viewport['width']}-{scheme}.png")
        found = [each for each in axe.run(page).response["violations"] if each["impact"] in {"serious", "critical"}]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_everything_to_press_on_a_phone_is_large_enough_for_a_finger(open_page: OpenPage) -> None:
    page = open_page(viewport=PHONE)
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    small = page.evaluate("""() => [...document.querySelectorAll('button, summary, select, input:not([type=radio]), a, fieldset label')]
        .filter((each) => each.checkVisibility() && !each.matches('.skip-link'))
        .filter((each) => each.getBoundingClientRect().height < 44).map((each) => each.outerHTML.slice(0, 120))""")
    assert small == []


def test_the_page_speaks_chinese_and_keeps_the_sentence(open_page: OpenPage) -> None:
    page = open_page(viewport=PHONE)
    page.locator("#prompt").fill("一只红色的气球")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("button", name="制作短片")).to_be_visible()
    expect(page.locator("#prompt")).to_have_value("一只红色的气球")
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_theme_can_be_turned_and_stays_turned(open_page: OpenPage) -> None:
    page = open_page(scheme="dark")
    page.get_by_role("button", name="Switch between light and dark").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 243, 245)"
