"""The first run in Chromium on simulated sensors, from an empty folder to an empty folder.

Pair, calibrate by the guide, repeat one step, put the sensors on again, press the button, take
everything along, delete everything. In real time, as a person would do it.
"""

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import AXE, Demo, Watched, start_up
from tests.browser.test_pages import axe_violations

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.long]

CALIBRATION_MS = 240_000
"""Seven steps of up to half a minute each, on a loaded machine."""
COMPILING_MS = 600_000


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Demo]:
    running = start_up(tmp_path / "data")
    yield running
    running.stop()


def begin(page: Page, button: Locator) -> float:
    """Press a button of the guide, wait for its verdict; return the seconds between."""
    card = page.locator("[data-guide]")
    began_s = time.monotonic()
    button.click()
    expect(card).to_have_attribute("data-state", "running")
    # what is asked for stands in view of a phone, at the first step and whenever it changes
    prompt = card.locator("[data-part=prompt]")
    expect(prompt).to_be_in_viewport(ratio=1)
    first = prompt.inner_text()
    if card.locator("[data-part=steps] [data-step=todo]").count() > 0:
        expect(prompt).not_to_have_text(first, timeout=60_000)
        expect(prompt).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
    expect(card).to_have_attribute("data-state", "done", timeout=CALIBRATION_MS)
    expect(card.locator("[data-part=verdict-words]")).to_be_in_viewport(ratio=1)
    return time.monotonic() - began_s


def worn_sessions(up: Demo) -> int:
    found = up.json("/api/v1/patients/p1/sessions")["items"]
    assert isinstance(found, list)
    return len(found)


def test_from_an_empty_folder_to_an_empty_folder(watched: Watched, up: Demo) -> None:
    page = watched.page
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(up.url)
    expect(page).to_have_url(up.url + "setup")
    page.get_by_text("No sensors at hand?").click()
    page.get_by_role("button", name="Use simulated sensors").click()
    card = page.locator("[data-guide]")
    expect(card).to_be_visible(timeout=COMPILING_MS)
    start = card.get_by_role("button", name="Start", exact=True)
    expect(start).to_be_enabled(timeout=60_000)
    assert not AXE.is_file() or axe_violations(page) == []

    begin(page, start)
    verdict = card.locator("[data-part=verdict-words]")
    expect(verdict).to_contain_text("The calibration is")
    steps = card.locator("[data-part=steps] li")
    expect(steps).to_have_count(7)
    assert {step.get_attribute("data-step") for step in steps.all()} == {"done"}
    assert not AXE.is_file() or axe_violations(page) == []
    assert worn_sessions(up) == 1

    redo = card.locator("[data-part=redo]")
    if redo.get_attribute("open") is None:
        redo.locator("summary").click()
    took_s = begin(page, redo.get_by_role("button", name="Shake"))
    assert took_s < 60, "one step, not seven"
    expect(steps).to_have_count(7)
    assert worn_sessions(up) == 1, "in place of the first"

    took_s = begin(page, card.get_by_role("button", name="Alone: my usual middle").first)
    assert took_s < 60
    assert worn_sessions(up) == 2
    expect(steps).to_have_count(3)
    expect(verdict).to_contain_text("The calibration is")

    card.get_by_role("link", name="Go to Today").click()
    expect(page.locator("[data-live]")).to_have_attribute("data-stale", "false")
    expect(page.locator("[data-part=trust]")).not_to_contain_text("not known")
    page.get_by_role("button", name="Spasm now").press("Enter")
    expect(page.locator(".noted")).to_contain_text("spasm")
    page.locator(".noted").get_by_role("button", name="Take back").press("Enter")
    expect(page.locator(".noted")).to_have_count(0)

    other = page.context.new_page()
    other.goto(up.url)
    page.goto(up.url + "mine")
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download everything").click()
    with zipfile.ZipFile(taken.value.path()) as everything:
        names = everything.namelist()
    assert any(name.endswith(".parquet") for name in names), names
    page.get_by_label("Type DELETE to confirm").fill("DELETE")
    page.get_by_role("button", name="Delete everything").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Everything was deleted")
    # a page left open elsewhere lets go of the person too
    expect(other.get_by_role("heading", level=1)).to_have_text("Nobody is recorded here yet")
    assert not list(up.data_dir.rglob("*.parquet"))
    page.goto(up.url)
    page.get_by_role("button", name="Begin anew").press("Enter")
    expect(page).to_have_url(up.url + "setup")
    expect(page.get_by_role("button", name="Look for sensors")).to_be_visible()
    other.close()
    assert [error for error in watched.errors if "409" not in error and "404" not in error] == []
    assert watched.outside == []
