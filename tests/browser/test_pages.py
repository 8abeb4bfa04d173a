"""Every page: accessible, usable at 320 px, by keyboard, in light and dark."""

import json
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import AXE, Demo, Watched

pytestmark = pytest.mark.browser

PAGES = ["/", "/history", "/episodes", "/data", "/about", "/docs", "/docs/columns", "/no-such-page"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(
    browser: Browser, demo: Demo, path: str, scheme: Literal["light", "dark"]
) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not there; an editable install fetches it")
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.goto(demo.url.rstrip("/") + path)
    page.wait_for_timeout(300)
    found = axe_violations(page)
    context.close()
    assert found == []


def axe_violations(page: Page) -> list[str]:
    """What axe-core finds; it comes in through the debugger, as the policy forbids inline code."""
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": AXE.read_text()})
    answer = session.send(
        "Runtime.evaluate",
        {
            "expression": "axe.run().then(r => JSON.stringify(r.violations.map(v => v.id + ': ' + "
            "v.nodes.map(n => n.target.join(' ') + ' ' + n.failureSummary).join(' | '))))",
            "awaitPromise": True,
        },
    )
    found: list[str] = json.loads(answer["result"]["value"])
    return found


def cut_tables(page: Page) -> list[str]:
    """Tables of which a part is out of sight; the hours of a day by its days stay one grid."""
    page.eval_on_selector_all("main details", "all => all.forEach(e => { e.open = true; })")
    found: list[str] = page.eval_on_selector_all(
        "main .scroll:not(:has(table.hours)), main pre",
        "all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText.slice(0, 80))",
    )
    return found


@pytest.mark.parametrize("path", [*PAGES, "/account", "/exercises"])
def test_a_phone_shows_whole_tables(browser: Browser, demo: Demo, path: str) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 800})
    page = context.new_page()
    page.goto(demo.url.rstrip("/") + path)
    found = cut_tables(page)
    context.close()
    assert found == []


@pytest.mark.parametrize("width", [320, 3840])
@pytest.mark.parametrize("path", PAGES)
def test_no_page_scrolls_sideways(browser: Browser, demo: Demo, path: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(demo.url.rstrip("/") + path)
    wide = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert wide <= width


def test_keyboard_reaches_every_page(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.goto(demo.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = []
    for _ in range(7):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.getAttribute('href')"))
    assert {"/", "/history", "/episodes", "/data", "/about"} <= set(seen)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_each_chart_has_a_table_twin(watched: Watched, demo: Demo) -> None:
    page = watched.page
    days: list[dict[str, str]] = []
    for _ in range(60):
        found = demo.json("/api/v1/patients/demo/days")["items"]
        assert isinstance(found, list)
        days = found
        if len(days) >= 2:
            break
        page.wait_for_timeout(1000)
    page.goto(demo.url + "history")
    bars = page.locator("svg.bars")
    assert bars.count() == 3
    page.locator("details summary").click()
    assert page.locator("table tbody tr").count() >= 2
    page.goto(f"{demo.url}history/{days[0]['date']}")
    chart = page.locator("posture-chart")
    expect(chart.locator("canvas")).to_be_visible(timeout=10_000)
    page.locator("[data-table] summary").click()
    expect(page.locator("[data-table] tbody tr").first).to_be_visible()
    before = chart.get_attribute("data-points")
    chart.focus()
    page.keyboard.press("+")
    page.wait_for_function(
        "before => document.querySelector('posture-chart').dataset.points !== before", arg=before
    )
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-cursor]")).to_contain_text("Chin")
    page.keyboard.press("+")
    page.keyboard.press("Shift+ArrowLeft")
    seen = chart.get_attribute("data-view")
    assert seen is not None
    page.keyboard.press("Shift+ArrowRight")
    assert int(chart.get_attribute("data-view") or 0) > int(seen)
    # moving on without a rest, it asks for more before the edge comes into view, and keeps its plot
    page.keyboard.press("+")
    page.wait_for_timeout(1000)
    canvas = chart.locator("canvas").element_handle()
    asked = page.evaluate(
        """async () => {
            const asked = () => performance.getEntriesByType('resource')
              .filter((each) => each.name.includes('/angles?')).length;
            const before = asked();
            const over = document.querySelector('posture-chart .u-over');
            for (let i = 0; i < 400 && asked() === before; i += 1) {
              over.dispatchEvent(new WheelEvent('wheel', { deltaX: 12, cancelable: true }));
              await new Promise(requestAnimationFrame);
            }
            return asked() - before;
        }"""
    )
    assert asked >= 1
    page.wait_for_timeout(500)
    assert canvas is not None
    assert canvas.evaluate("element => element.isConnected")
    assert watched.errors == []
    assert watched.outside == []


def test_theme_can_be_chosen_and_stays(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.goto(demo.url + "about")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("[data-theme-toggle]").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
