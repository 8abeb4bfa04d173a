"""The first run with sensors from a shop: heard, told apart by a nod, recorded, in Chromium."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import AXE, Watched
from tests.browser.test_pages import axe_violations
from tests.support.bluez.bus import EmulatedBluez, available, private_bus

pytestmark = [pytest.mark.browser, pytest.mark.ble, pytest.mark.slow]
HEAD, TRUNK, LAMP = (f"C0:00:00:00:00:0{n}" for n in (1, 2, 9))


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
                {"kind": "stranger", "address": LAMP, "name": "Lamp"},
            ]
        )
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
