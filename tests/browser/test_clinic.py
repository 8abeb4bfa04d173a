"""The clinician's door in a real browser: keys, phones, accessibility, no errors."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import AXE, Watched
from tests.browser.test_pages import axe_violations, cut_tables
from tests.support.clinic_folder import ZONE
from tests.support.clinic_server import clinic_server, fill_clinic

pytestmark = pytest.mark.browser

PAGES = [
    "/clinic", "/clinic/patients/p1", "/clinic/patients/p1/episodes",
    "/clinic/patients/p1/sharing", "/clinic/patients/p1/sharing/looked",
]  # fmt: skip


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("clinic") / "data"
    fill_clinic(folder)
    with clinic_server(folder) as address:
        yield address


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
def test_no_page_scrolls_sideways(watched: Watched, clinic: str, path: str) -> None:
    for width in (3840, 1280, 320):
        watched.page.set_viewport_size({"width": width, "height": 700})
        watched.page.goto(clinic + path)
        for summary in watched.page.locator("details > summary").all():
            summary.click()
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
        assert cut_tables(watched.page) == []
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


def test_each_chart_of_a_patient_has_its_numbers_in_a_table(watched: Watched, clinic: str) -> None:
    page = watched.page
    page.goto(f"{clinic}/clinic/patients/p1")
    for section in ("cycle-head", "trends", "compare", "hours"):
        card = page.locator(f"section[aria-labelledby='{section}']")
        charts = card.locator("figure.chart svg")
        assert section == "hours" or charts.count() >= 1
        for chart in charts.all():
            assert chart.get_attribute("aria-label")
        for summary in card.locator("details > summary").all():
            summary.click()
        assert card.locator("table tbody tr").count() >= 5


def test_a_clinicians_three_minutes(watched: Watched, clinic: str) -> None:
    """Who needs a look, what happened, an injection, two weeks, an episode, a threshold, print."""
    page = watched.page
    page.goto(f"{clinic}/clinic")
    expect(page.get_by_text("3 of 3 patients need a look.")).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sam")
    expect(page.locator(".glance")).to_contain_text("Wearing off")

    page.get_by_text("Enter an injection").click()
    product = page.get_by_label("Product")
    product.fill("incobotulinumtoxinA")
    page.get_by_label("Units").fill("160")
    page.get_by_label("Muscles").fill("splenius capitis li., levator")
    product.press("Enter")
    expect(page).to_have_url(re.compile("#injections$"))
    entered = page.locator("section[aria-labelledby='injections'] tbody tr").first
    expect(entered).to_contain_text("splenius capitis li., levator")
    expect(entered).to_contain_text("0 wk 0 d")

    today = datetime.now(ZoneInfo(ZONE)).date()
    for name, ago in (("a_from", 60), ("a_to", 54), ("b_from", 7), ("b_to", 1)):
        page.locator(f"input[name={name}]").fill((today - timedelta(days=ago)).isoformat())
    page.get_by_role("button", name="Compare").press("Enter")
    expect(page).to_have_url(re.compile(r"a_from=.*#compare$"))
    compared = page.locator("section[aria-labelledby='compare']")
    expect(compared.get_by_text("7 of 7 days count")).to_have_count(2)
    expect(compared.locator("tbody tr").first).to_contain_text("worse")
    expect(compared.locator("svg[role=img]")).to_have_count(6)

    threshold = page.get_by_label("Jerk: at least degrees")
    threshold.fill("6")
    threshold.press("Enter")
    expect(page).to_have_url(re.compile("#thresholds$"))
    history = page.locator("section[aria-labelledby='thresholds'] table tbody tr").first
    expect(history).to_contain_text("Jerk: at least degrees: 3.0 → 6.0")

    page.get_by_role("link", name="Judge episodes").first.press("Enter")
    expect(page).to_have_url(re.compile("/episodes$"))
    page.wait_for_load_state()
    third = page.locator("[data-verdicts] > li").nth(2)
    for _ in range(3):
        page.keyboard.press("j")
    expect(third).to_be_focused()
    page.keyboard.press("c")
    expect(third).to_have_attribute("data-verdict", "confirm")
    page.get_by_role("link", name="← Sam").press("Enter")
    expect(page.locator("section[aria-labelledby='judged']")).to_contain_text("confirmed")

    href = page.get_by_role("link", name="Report (A4)").get_attribute("href")
    answer = page.request.get(f"{clinic}{href}")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body().startswith(b"%PDF-")
    page.get_by_role("button", name="Remove the injection").first.click()
    expect(page.get_by_role("cell", name="incobotulinumtoxinA")).to_have_count(0)
    assert watched.errors == []
    assert watched.outside == []


def test_the_caseload_sorts_and_moves_by_key(watched: Watched, clinic: str) -> None:
    page = watched.page
    page.goto(f"{clinic}/clinic")
    names = page.locator("tbody a[data-row]")
    page.get_by_role("button", name="Patient").click()
    expect(names.first).to_have_text("Kim")
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
