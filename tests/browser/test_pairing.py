"""The first run with sensors from a shop: heard, told apart by a nod, recorded, in Chromium."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import AXE, Watched
from tests.browser.test_pages import axe_violations, cut_tables
from tests.support.bluez.bus import EmulatedBluez, available, private_bus

pytestmark = [pytest.mark.browser, pytest.mark.ble, pytest.mark.slow]
HEAD, TRUNK, NEW, LAMP = (f"C0:00:00:00:00:0{n}" for n in (1, 2, 3, 9))


@pytest.fixture
def bluez(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedBluez]:
    if not available():
        pytest.skip("dbus-daemon is not installed; it carries the emulated Bluetooth daemon")
    with private_bus(tmp_path) as bus:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        daemon = EmulatedBluez(dict(os.environ))
        daemon.populate(
            [
                {"kind": "polar", "address": TRUNK},
                {"kind": "capture2go", "address": HEAD},
                {"kind": "movella_dot", "address": NEW},
                {"kind": "stranger", "address": LAMP, "name": "Lamp"},
            ]
        )
        daemon.faults(NEW, hidden=True)
        yield daemon
        daemon.kill()


@pytest.fixture
def up(bluez: EmulatedBluez, tmp_path: Path) -> Iterator[str]:
    """The address of `necktrace up` on an empty folder."""
    del bluez
    process = subprocess.Popen(
        [
            sys.executable, "-c", "from api.cli import main; main()", "up", "--no-browser",
            "--port", "0", "--data-dir", str(tmp_path / "data"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    out, lines = process.stdout, list[str]()

    def gather() -> None:
        # reading ends when the pipe is closed, by either side
        with contextlib.suppress(ValueError):
            lines.extend(out)

    threading.Thread(target=gather, daemon=True).start()
    deadline = time.monotonic() + 90
    while not (found := re.search(r"http://127\.0\.0\.1:\d+/", "".join(list(lines)))):
        assert process.poll() is None, "".join(lines)
        assert time.monotonic() < deadline, "".join(lines)
        time.sleep(0.1)
    yield found.group()
    process.send_signal(signal.SIGINT)
    try:
        # a first run may have to finish compiling its kernels
        assert process.wait(timeout=120) == 0, "".join(lines)
        assert "Traceback" not in "".join(lines)
    finally:
        process.kill()
        process.wait()
        out.close()


def test_a_nod_tells_which_sensor_is_on_the_head(
    watched: Watched, bluez: EmulatedBluez, up: str
) -> None:
    page = watched.page
    for address in (HEAD, TRUNK):
        bluez.command("move", address=address, kind="still")
    page.goto(up + "setup")
    page.get_by_role("button", name="Look for sensors").click()
    expect(page.get_by_text("Lamp", exact=True)).to_be_visible()
    boxes = page.get_by_role("checkbox")
    expect(boxes).to_have_count(2)
    page.get_by_role("button", name="Find out by a nod").click()
    expect(page.get_by_role("alert")).to_contain_text("Tick exactly two")
    page.get_by_role("button", name="Look for sensors").click()
    expect(boxes).to_have_count(2)
    assert not AXE.is_file() or axe_violations(page) == []
    for box in (boxes.nth(0), boxes.nth(1)):
        box.check()
    page.get_by_role("button", name="Find out by a nod").click()
    asked = page.get_by_role("status")
    expect(asked).to_have_text("Nod twice now, slowly.", timeout=40_000)
    assert not AXE.is_file() or axe_violations(page) == []
    bluez.command("move", address=HEAD, kind="nod")
    chips = page.locator(".paired li")
    expect(chips.nth(0)).to_contain_text("Capture2Go", timeout=40_000)
    expect(chips.nth(1)).to_contain_text("Polar")
    page.get_by_role("button", name="Go on with these sensors").click()
    expect(page.locator("[data-guide]")).to_be_visible(timeout=120_000)
    assert [error for error in watched.errors if "409" not in error] == []
    assert watched.outside == []


def streams(up: str) -> set[str]:
    """Makes of the sensors that were recorded on the head."""
    with urllib.request.urlopen(up + "api/v1/patients/p1/streams", timeout=10) as answer:
        items = json.loads(answer.read())["items"]
    return {each["device_id"].split("-")[0] for each in items if each["role"] == "head"}


def pair_by_hand(page: Page, address: str, where: str) -> None:
    sensor = page.locator(".found li").filter(has_text=address)
    sensor.get_by_role("button", name=f"is worn on the {where}").click()


def looks_right(page: Page) -> None:
    """Nothing inaccessible, and whole on the narrowest phone."""
    assert not AXE.is_file() or axe_violations(page) == []
    wide = page.viewport_size
    assert wide is not None
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert cut_tables(page) == []
    page.set_viewport_size(wide)


def test_another_sensor_takes_the_place_of_a_broken_one(
    watched: Watched, bluez: EmulatedBluez, up: str
) -> None:
    page = watched.page
    page.goto(up + "setup")
    for address, where in ((HEAD, "head"), (TRUNK, "trunk")):
        page.get_by_role("button", name="Look for sensors").click()
        pair_by_hand(page, address, where)
        expect(page.locator(".paired .chip.good")).to_have_count(1 if where == "head" else 2)
    page.get_by_role("button", name="Go on with these sensors").click()
    expect(page.locator("[data-guide]")).to_be_visible(timeout=120_000)
    until = time.monotonic() + 60
    while not streams(up):
        assert time.monotonic() < until, "the head was not recorded"
        page.wait_for_timeout(250)
    before = streams(up)

    # it broke: the owner brings another one
    bluez.faults(HEAD, hidden=True)
    bluez.command("lose_link", address=HEAD)
    bluez.faults(NEW, hidden=False)
    page.get_by_text("Another sensor", exact=True).click()
    looks_right(page)
    page.get_by_role("button", name="End recording and pair").click()
    chips = page.locator(".paired li")
    expect(chips.nth(0)).to_contain_text("Capture2Go", timeout=60_000)
    page.get_by_role("button", name="Look for sensors").click()
    pair_by_hand(page, NEW, "head")
    expect(chips.nth(0)).to_contain_text("Movella", timeout=40_000)
    expect(chips.nth(1)).to_contain_text("Polar")
    looks_right(page)
    page.get_by_role("button", name="Go on with these sensors").click()
    expect(page.locator("[data-guide]")).to_be_visible(timeout=120_000)
    until = time.monotonic() + 60
    while streams(up) == before:
        assert time.monotonic() < until, "the new sensor was not recorded"
        page.wait_for_timeout(250)
    assert before < streams(up), "what the broken one recorded stays"
    looks_right(page)
    assert [error for error in watched.errors if "409" not in error] == []
    assert watched.outside == []
