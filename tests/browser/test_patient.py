"""The patient's journeys in a real browser, on simulated sensors through the real collector."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import AXE, Demo, Watched, _end
from tests.browser.test_pages import axe_violations

pytestmark = pytest.mark.browser

PAGES = ["/week", "/exercises", "/exercises/play", "/mine", "/setup"]
LONG_MS = 150_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`necktrace up` in an empty folder: nothing is paired yet."""
    folder: Path = tmp_path_factory.mktemp("home") / "data"
    process = subprocess.Popen(
        [
            sys.executable, "-c", "from api.cli import main; main()", "up", "--no-browser",
            "--port", "0", "--data-dir", str(folder),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "TZ": "Europe/Berlin"},
    )  # fmt: skip
    assert process.stdout is not None
    out, lines = process.stdout, []
    for line in out:
        lines.append(line)
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        if found:
            break
    else:
        _end(process)
        pytest.fail("`necktrace up` did not start:\n" + "".join(lines))
    threading.Thread(target=lambda: [None for _ in out], daemon=True).start()
    yield Demo(process, found.group(), folder)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    _end(process)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_and_the_phone_is_wide_enough(
    browser: Browser, demo: Demo, path: str, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 700})
    page = context.new_page()
    page.goto(demo.url.rstrip("/") + path)
    for summary in page.locator("details > summary").all():
        summary.click()
    wide = page.evaluate("document.documentElement.scrollWidth")
    found = axe_violations(page) if AXE.is_file() else []
    context.close()
    assert wide <= 320
    assert found == []


def test_first_run_calibration_and_an_exercise(watched: Watched, home: Demo) -> None:
    """From an empty folder: simulated sensors, one step that is judged, an exercise, pain."""
    page = watched.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(home.url)
    expect(page).to_have_url(re.compile("/setup$"))
    page.get_by_text("No sensors at hand?").click()
    page.get_by_role("button", name="Use simulated sensors").press("Enter")
    guide = page.locator("[data-guide]")
    guide.wait_for(timeout=LONG_MS)
    expect(page.get_by_role("note").first).to_contain_text("virtual sensors")
    page.goto(home.url)
    expect(page.locator("[data-live]")).to_have_attribute("data-stale", "false", timeout=LONG_MS)

    page.goto(home.url + "setup")
    page.get_by_role("button", name="Start", exact=True).press("Enter")
    expect(guide).to_have_attribute("data-state", "running")
    expect(page.locator("[data-part=prompt]")).to_contain_text("look straight ahead")
    assert page.locator("[data-voice]").get_attribute("data-said") is not None
    steps = page.locator("[data-part=steps] li")
    expect(steps.first).to_have_attribute("data-step", "done", timeout=60_000)
    expect(page.locator("[data-part=feedback]")).to_contain_text("of 5", timeout=60_000)
    page.get_by_role("button", name="Stop", exact=True).press("Enter")
    expect(guide).to_have_attribute("data-state", "idle")

    page.goto(home.url + "exercises")
    page.get_by_label("Chin down").check()
    page.get_by_role("button", name="Save my choice").press("Enter")
    page.get_by_role("button", name="Start: Chin down").press("Enter")
    player = page.locator("[data-player]")
    expect(player).to_have_attribute("data-state", "running")
    expect(page.locator("[data-part=mark]")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Stop: it hurts").press("Enter")
    expect(page.get_by_text("Rest now")).to_be_visible()
    page.get_by_role("button", name="pain 6").press("Enter")
    expect(page.get_by_text("Noted: pain 6")).to_be_visible()
    page.goto(home.url + "exercises")
    page.get_by_text("Each time").click()
    expect(page.locator(".notes")).to_contain_text("stopped because of pain")
    page.get_by_role("button", name=re.compile("Take back Chin down")).press("Enter")
    expect(page.get_by_text("stopped because of pain")).to_have_count(0)
    assert watched.errors == []
    assert watched.outside == []


def test_everything_is_deleted_only_once_that_is_typed(watched: Watched, tmp_path: Path) -> None:
    from storage.catalog import Catalog, Patient

    folder = tmp_path / "data"
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "Europe/Berlin"))
    process = subprocess.Popen(
        [
            sys.executable, "-c", "from api.cli import main; main()", "serve", "--port", "0",
            "--data-dir", str(folder),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = None
        until = time.monotonic() + 60
        while found is None and time.monotonic() < until:
            found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert found is not None
        page = watched.page
        page.goto(found.group() + "mine")
        page.get_by_role("button", name="I do not agree: Research").press("Enter")
        expect(page.get_by_text("withdrawn on")).to_be_visible()
        page.get_by_label("Type DELETE to confirm").fill("delete")
        page.get_by_role("button", name="Delete everything").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("Nothing was deleted")
        page.get_by_label("Type DELETE to confirm").fill("DELETE")
        page.get_by_role("button", name="Delete everything").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Everything was deleted")
    finally:
        process.terminate()
        process.wait(20)
        _end(process)
    with Catalog(folder) as catalog:
        assert catalog.patients() == []
    assert watched.outside == []
    # the refused confirmation is a 422, which the console reports
    assert [error for error in watched.errors if "422" not in error] == []
