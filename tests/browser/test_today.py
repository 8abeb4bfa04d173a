"""The Today page in a real browser: it lives, it is honest about staleness, it stays at home."""

import json
import re
import signal
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Demo, Watched, start_demo

pytestmark = pytest.mark.browser


def test_live_values_move_and_nothing_leaves_the_machine(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.goto(demo.url)
    card = page.locator("[data-live]")
    expect(card).to_have_attribute("data-stale", "false", timeout=10_000)
    first = card.locator("[data-field=flexion]").inner_text()
    picture = "document.querySelector('head-figure canvas').toDataURL().slice(-4000)"
    drawn = page.evaluate(picture)
    page.wait_for_function(
        "first => document.querySelector('[data-field=flexion]').innerText !== first", arg=first
    )
    page.wait_for_function(f"before => {picture} !== before", arg=drawn)
    expect(page.locator("[data-part=sensor-head]")).to_contain_text("connected")
    expect(page.locator("[data-part=sensor-trunk]")).to_contain_text("battery")
    expect(page.locator("[data-part=freshness]")).to_contain_text("Live")
    expect(page.locator(".angle .words").nth(2)).to_contain_text("Chin")
    assert watched.errors == []
    assert watched.outside == []


def test_words_and_number_agree(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.goto(demo.url)
    expect(page.locator("[data-live]")).to_have_attribute("data-stale", "false", timeout=10_000)
    pairs = page.evaluate(
        """async () => {
            const seen = [];
            for (let i = 0; i < 20; i += 1) {
              const row = document.querySelector('[data-part=angle-lateral]');
              const text = (part) => row.querySelector(part).innerText;
              seen.push([text('.words'), text('.value')]);
              await new Promise((done) => setTimeout(done, 50));
            }
            return seen;
        }"""
    )
    for words, value in pairs:
        number = float(value.rstrip("°").replace("−", "-"))
        if abs(number) >= 2:
            assert words.startswith("Tilted right" if number > 0 else "Tilted left"), (words, value)
            assert abs(float(words.split()[-1].rstrip("°")) - abs(number)) <= 0.56


def latest_frame(demo: Demo) -> dict[str, object]:
    """A frame as it comes over the live stream."""
    with urllib.request.urlopen(demo.url + "api/v1/live", timeout=20) as answer:
        lines = iter(answer)
        for line in lines:
            if line.strip() == b"event: frame":
                data = next(each for each in lines if each.startswith(b"data:"))
                found: dict[str, object] = json.loads(data[5:])
                return found
    raise AssertionError("the live stream ended")


def test_a_known_pose_is_asked_for_when_turning_is_no_longer_told_well(
    watched: Watched, demo: Demo
) -> None:
    page = watched.page
    page.set_viewport_size({"width": 320, "height": 700})
    frame = latest_frame(demo) | {"heading_sigma_deg": 12.4, "heading_quality": "poor"}
    guide: dict[str, object] = {"reset_due": True, "poses": ["neutral_pose", "midline_pose"]}

    def stream(route: Route) -> None:
        body = "".join(
            f"event: {name}\ndata: {json.dumps(data)}\n\n"
            # as the server does: what changes seldom comes first, and only once
            for name, data in (("guide", guide), ("frame", frame))
        )
        route.fulfill(content_type="text/event-stream", body="retry: 50\n\n" + body)

    page.route("**/api/v1/live", stream)
    page.goto(demo.url)
    prompt = page.locator("[data-part=reset]")
    expect(prompt).to_contain_text("(±12°)")
    expect(prompt.get_by_role("button")).to_have_text(
        ["Alone: my usual middle", "With a mirror or a helper: straight", "Not now"]
    )
    expect(page.locator("[data-part=angle-rotation] .words")).to_have_text("Not known")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    # M was never measured: nobody alone can be asked for it
    guide["poses"] = ["neutral_pose"]
    expect(prompt.get_by_role("button", name="Alone")).to_be_hidden()
    # held: the trust rises, the prompt goes
    frame |= {"heading_sigma_deg": 3.1, "heading_quality": "good"}
    guide["reset_due"] = False
    expect(prompt).to_be_hidden()
    expect(page.locator("[data-part=trust]")).to_contain_text("known well (±3.1°)")
    expect(page.locator("[data-part=angle-rotation] .words")).not_to_have_text("Not known")


def test_the_pose_that_is_asked_for_is_held_and_taken_in(watched: Watched, demo: Demo) -> None:
    """Heading was lost: the prompt's button leads through the pose, on the recording itself."""
    page = watched.page
    page.set_viewport_size({"width": 390, "height": 844})
    # the demonstration calibrates by itself; until then no pose is known
    page.goto(demo.url.rstrip("/") + "/setup")
    expect(page.locator("[data-part=again-on]")).to_be_visible(timeout=150_000)
    page.goto(demo.url)
    live = page.locator("[data-live]")
    expect(live).to_have_attribute("data-stale", "false", timeout=10_000)
    frame = latest_frame(demo) | {"heading_sigma_deg": 34.0, "heading_quality": "poor"}
    guide = {"reset_due": True, "poses": ["neutral_pose"]}
    body = "".join(
        f"event: {name}\ndata: {json.dumps(data)}\n\n"
        for name, data in (("guide", guide), ("frame", frame))
    )
    card = page.locator("[data-guide]")
    for _ in range(3):  # whose neck jerks while the pose is held is asked for it again
        page.route(
            "**/api/v1/live",
            lambda route: route.fulfill(
                content_type="text/event-stream", body="retry: 50\n\n" + body
            ),
        )
        page.goto(demo.url)
        prompt = page.locator("[data-part=reset]")
        expect(prompt).to_contain_text("no longer measured well (±34°)")
        button = prompt.get_by_role("button", name="With a mirror or a helper")
        expect(button).to_be_visible()
        # at once: each of these frames draws the prompt again, and a true one takes it away
        with page.expect_navigation():
            button.evaluate("button => button.click()")
        page.unroute("**/api/v1/live")
        expect(card).to_have_attribute("data-state", re.compile("done|failed"), timeout=60_000)
        if card.get_attribute("data-state") == "done":
            break
    expect(card.locator("[data-part=verdict-words]")).to_have_text(
        "Done. Turning is measured well again."
    )
    assert watched.errors == []


def test_history_progress_shows_while_the_page_is_up(watched: Watched, demo: Demo) -> None:
    watched.page.goto(demo.url)
    health = demo.json("/api/v1/health")["history"]
    assert isinstance(health, dict)
    if health["state"] == "running":
        expect(watched.page.locator("[data-progress]")).to_contain_text("14 days of history")


def test_silence_looks_stale_and_says_since_when(watched: Watched, tmp_path: Path) -> None:
    running = start_demo(tmp_path / "data")
    try:
        page = watched.page
        page.goto(running.url)
        card = page.locator("[data-live]")
        expect(card).to_have_attribute("data-stale", "false", timeout=10_000)
        running.process.send_signal(signal.SIGSTOP)
        expect(card).to_have_attribute("data-stale", "true", timeout=8_000)
        expect(page.locator("[data-part=freshness]")).to_contain_text("No new data since")
        expect(page.locator("[data-part=lost]")).to_contain_text("lost its connection")
        decoration = page.locator("[data-part=angle-flexion] .value").evaluate(
            "element => getComputedStyle(element).textDecorationLine"
        )
        assert decoration == "line-through"
        running.process.send_signal(signal.SIGCONT)
        expect(card).to_have_attribute("data-stale", "false", timeout=10_000)
        expect(page.locator("[data-part=lost]")).to_be_hidden()
    finally:
        running.process.send_signal(signal.SIGCONT)
        running.stop()
