"""The clinician's door in a real browser: keys, phones, accessibility, no errors."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import AXE, Watched
from tests.browser.test_pages import axe_violations
from tests.support.clinic_folder import ZONE, fill

pytestmark = pytest.mark.browser

PAGES = ["/clinic", "/clinic/patients/p1", "/clinic/patients/p1/episodes"]


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("clinic") / "data"
    today = datetime.now(ZoneInfo(ZONE)).date()
    fill(folder, today)
    fill(folder, today, patient="p2", label="Robin", injected_ago=(40,), poor_h=5.0)
    process = subprocess.Popen(
        [
            sys.executable, "-c", "from api.cli import main; main()", "serve",
            "--port", "0", "--data-dir", str(folder),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                yield found.group()
                break
        else:
            pytest.fail(f"the server did not start:\n{said}")
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(
    browser: Browser, clinic: str, path: str, scheme: Literal["light", "dark"]
) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not there; an editable install fetches it")
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.goto(clinic + path)
    for summary in page.locator("details > summary").all():
        summary.click()
    found = axe_violations(page)
    context.close()
    assert found == []


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_wider_than_the_phone(watched: Watched, clinic: str, path: str) -> None:
    watched.page.set_viewport_size({"width": 320, "height": 700})
    watched.page.goto(clinic + path)
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert watched.errors == []
    assert watched.outside == []


def test_episodes_are_judged_by_key(watched: Watched, clinic: str) -> None:
    page = watched.page
    page.goto(f"{clinic}/clinic/patients/p1/episodes")
    first, second = (page.locator("[data-verdicts] > li").nth(i) for i in range(2))
    page.keyboard.press("j")
    expect(first).to_be_focused()
    page.keyboard.press("c")
    expect(first).to_have_attribute("data-verdict", "confirm")
    expect(second).to_be_focused()
    page.keyboard.press("r")
    expect(second).to_have_attribute("data-verdict", "reject")
    page.reload()
    expect(first).to_have_attribute("data-verdict", "confirm")
    page.keyboard.press("j")
    page.keyboard.press("u")
    expect(first).to_have_attribute("data-verdict", "none")
    assert watched.errors == []


def test_the_caseload_sorts_and_moves_by_key(watched: Watched, clinic: str) -> None:
    page = watched.page
    page.goto(f"{clinic}/clinic")
    names = page.locator("tbody a[data-row]")
    page.get_by_role("button", name="Patient").click()
    expect(names.first).to_have_text("Robin")
    page.get_by_role("button", name="Patient").click()
    expect(names.first).to_have_text("Sam")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sam")
    assert watched.errors == []


def test_an_injection_is_entered_without_script(browser: Browser, clinic: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{clinic}/clinic/patients/p2")
    page.get_by_text("Enter an injection").click()
    page.get_by_label("Product").fill("toxin B")
    page.get_by_label("Units").fill("5000")
    page.locator("form[action$='/injections'] button").click()
    expect(page.get_by_role("cell", name="toxin B")).to_be_visible()
    page.get_by_role("button", name=re.compile("Remove the injection")).first.click()
    expect(page.get_by_role("cell", name="toxin B")).to_have_count(0)
    context.close()
