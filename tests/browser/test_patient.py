"""The patient's pages in a real browser: sensors, exercises, the week, one's own data."""

import json
import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Route, ViewportSize, expect

from tests.browser.conftest import AXE, Demo, Watched
from tests.browser.test_pages import axe_violations

pytestmark = pytest.mark.browser

PAGES = ["/setup", "/exercises", "/week", "/mine"]
PHONE: ViewportSize = {"width": 320, "height": 700}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_it_whole_and_axe_finds_nothing(
    browser: Browser, demo: Demo, path: str, scheme: Literal["light", "dark"]
) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not there; an editable install fetches it")
    context = browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 700})
    page = context.new_page()
    page.goto(demo.url.rstrip("/") + path)
    for summary in page.locator("details > summary:visible").all():
        summary.click()
    wide = page.evaluate("document.documentElement.scrollWidth")
    found = axe_violations(page)
    context.close()
    assert wide <= 320
    assert found == []


@pytest.mark.parametrize("path", PAGES)
def test_tab_reaches_every_control(watched: Watched, demo: Demo, path: str) -> None:
    page = watched.page
    page.goto(demo.url.rstrip("/") + path)
    wanted = page.evaluate(
        """() => {
            const all = document.querySelectorAll('main a[href], main button, main input');
            // of the radio buttons of a group Tab reaches the chosen one
            const shown = [...all].filter((e) => e.checkVisibility() && e.type !== 'hidden'
              && !(e.type === 'radio' && !e.checked));
            shown.forEach((e, i) => { e.dataset.wanted = String(i); });
            return shown.length;
        }"""
    )
    assert wanted > 0
    seen = set()
    for _ in range(wanted + 20):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement?.dataset.wanted ?? null"))
    assert {str(each) for each in range(wanted)} <= seen


def test_an_exercise_shows_the_target_and_stops_for_pain(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.set_viewport_size(PHONE)
    page.goto(demo.url + "exercises")
    page.get_by_label("Chin up").check()
    page.get_by_role("button", name="Save my choice").press("Enter")
    page.get_by_role("button", name="Start: Chin up").press("Enter")
    player = page.locator("[data-player]")
    expect(player).to_have_attribute("data-state", "running")
    # the server writes neither: they come with the live stream
    expect(page.locator("[data-part=target]")).to_have_attribute("width", re.compile(r"^\d"))
    mark = page.locator("[data-part=mark]")
    expect(mark).to_be_visible()
    before = mark.get_attribute("cx")
    page.wait_for_function(
        "before => document.querySelector('[data-part=mark]').getAttribute('cx') !== before",
        arg=before,
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    if AXE.is_file():
        assert axe_violations(page) == []
    page.get_by_role("button", name="Stop: it hurts").press("Enter")
    expect(player).to_have_attribute("data-state", "stopped")
    expect(page.locator("[data-part=pain]")).to_be_visible()
    page.get_by_role("button", name="pain 6").press("Enter")
    expect(page.locator(".noted")).to_contain_text("pain 6")

    page.goto(demo.url + "exercises")
    page.get_by_text("Each time").click()
    listed = page.locator(".notes li").filter(has_text="Chin up")
    expect(listed).to_contain_text("stopped because of pain")
    page.get_by_role("button", name=re.compile("^Take back Chin up at")).press("Enter")
    expect(page.get_by_text("stopped because of pain")).to_have_count(0)
    assert watched.errors == []
    assert watched.outside == []


def test_one_press_notes_a_spasm_and_one_takes_it_back(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.goto(demo.url)
    page.get_by_role("button", name="Spasm now").press("Enter")
    noted = page.locator(".noted")
    expect(noted).to_be_visible()
    listed = page.locator(".notes li")
    before = listed.count()
    assert before >= 1
    noted.get_by_role("button", name="Take back").press("Enter")
    expect(page.locator(".noted")).to_have_count(0)
    expect(listed).to_have_count(before - 1)
    assert watched.errors == []


def test_nothing_is_deleted_unless_that_is_typed(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.goto(demo.url + "mine")
    expect(page.get_by_text("A recording under way is ended first")).to_be_visible()
    for typed in ["", "delete"]:
        answer = page.request.post(
            demo.url + "mine/delete",
            form={"confirm": typed},
            headers={"origin": demo.url.rstrip("/")},
        )
        assert answer.status == 422
        assert "Nothing was deleted: type DELETE to confirm." in answer.text()
    page.goto(demo.url + "mine")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sharing and my data")


SPEAKER = """
window.tones = [];
window.later = 0;
const now = Date.now.bind(Date);
Date.now = () => now() + window.later;
window.AudioContext = class {
  currentTime = 0; destination = {};
  createGain() { return { gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} },
                          connect: (next) => next }; }
  createOscillator() { const hz = { value: 0 };
    return { frequency: hz, connect: (next) => next, start: () => window.tones.push(hz.value),
             stop() {} }; }
};
"""
"""In place of the loudspeaker and the clock of the page."""


def test_sounds_only_where_wanted_and_late_when_too_far(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.goto(demo.url + "exercises")
    page.get_by_label("Come to the middle").check()
    page.get_by_role("button", name="Save my choice").press("Enter")
    page.get_by_role("button", name="Start: Come to the middle").press("Enter")
    expect(page.locator("[data-player]")).to_have_attribute("data-state", "running")
    page.add_init_script(SPEAKER)
    told: dict[str, object] = {
        "state": "running", "progress": 0.5, "reach": 0.7, "beyond": 1.2, "most": 1.5,
        "unknown_why": "", "repetitions": 0, "hold_s": 0.0, "stopped": "",
    }  # fmt: skip
    says: list[dict[str, object]] = []

    def stream(route: Route) -> None:
        body = "".join(f"event: exercise\ndata: {json.dumps(told | each)}\n\n" for each in says)
        route.fulfill(content_type="text/event-stream", body="retry: 50\n\n" + body)

    page.route("**/api/v1/live", stream)
    page.goto(demo.url + "exercises/play")
    phase, tones = page.locator("[data-part=phase]"), "window.tones"
    says[:] = [{"phase": "away", "held": 0}, {"phase": "in_band", "held": 0}]
    expect(phase).to_have_text("There. Hold")
    assert page.evaluate(tones) == [], "nobody asked for sounds"

    says[:] = [{"phase": "away", "held": 0}]
    expect(phase).to_have_text("Move slowly towards the target")
    page.locator("[data-cues]").check()
    says[:] = [{"phase": "in_band", "held": 0}]
    page.wait_for_function("() => window.tones.length === 1")
    says[:] = [{"phase": "in_band", "held": 1}]
    page.wait_for_function("() => window.tones.length === 2")
    says[:] = [{"phase": "beyond", "held": 1}]
    expect(phase).to_have_text("Far enough. Ease back a little")
    assert page.evaluate(tones) == [660, 880], "no nagging at once"
    page.evaluate("window.later += 3500")
    page.wait_for_function("() => window.tones.length === 3")
    page.wait_for_timeout(300)
    assert page.evaluate(tones) == [660, 880, 330], "and only once"
    page.unroute("**/api/v1/live")
    page.request.post(
        demo.url + "exercises/stop", form={"why": "early"}, headers={"origin": demo.url.rstrip("/")}
    )
