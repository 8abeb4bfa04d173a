"""A demonstration as a subprocess on a free port, and a real Chromium that may reach only it."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

ROOT = Path(__file__).parents[2]
AXE = ROOT / ".cache" / "npm" / "axe.min.js"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=20_000)  # what a page must show is no matter of a loaded machine's pace
START_S = 90.0
"""First start on a machine compiles every kernel."""


def chromium() -> str | None:
    """Path of an installed Chromium."""
    named = os.environ.get("NECKTRACE_TEST_CHROMIUM")
    if named:
        return named
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


@dataclass
class Demo:
    """A running demonstration."""

    process: "subprocess.Popen[str]"
    url: str
    data_dir: Path

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        _end(self.process)

    def json(self, path: str) -> dict[str, object]:
        """The answer of an address of the API."""
        with urllib.request.urlopen(self.url.rstrip("/") + path, timeout=10) as answer:
            found: dict[str, object] = json.loads(answer.read())
            return found


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def start_demo(data_dir: Path, wait_s: float = START_S) -> Demo:
    """Start a demonstration and wait until sensors stream."""
    return _start("demo", data_dir, wait_s, "Live")


def start_up(data_dir: Path, wait_s: float = START_S) -> Demo:
    """Start a recording on an empty folder and wait until its page is there."""
    return _start("up", data_dir, wait_s, "No head sensor is paired yet")


def _start(command: str, data_dir: Path, wait_s: float, ready: str) -> Demo:
    process = subprocess.Popen(
        [
            sys.executable, "-c", "from api.cli import main; main()", command, "--no-browser",
            "--port", "0", "--data-dir", str(data_dir),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=data_dir.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "TZ": "Europe/Berlin"},
    )  # fmt: skip
    lines: list[str] = []
    assert process.stdout is not None
    out = process.stdout

    def gather() -> None:
        # reading ends when the pipe is closed, by either side
        with contextlib.suppress(ValueError):
            lines.extend(out)

    threading.Thread(target=gather, daemon=True).start()
    until = time.monotonic() + wait_s
    while time.monotonic() < until and process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+/", "".join(list(lines)))
        if found and any(line.startswith(ready) for line in list(lines)):
            return Demo(process, found.group(), data_dir)
        time.sleep(0.1)
    _end(process)
    raise AssertionError(f"necktrace {command} did not start:\n" + "".join(lines))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip("no Chromium is installed; set NECKTRACE_TEST_CHROMIUM to one")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = start_demo(tmp_path_factory.mktemp("demo") / "data")
    yield running
    running.stop()


@dataclass
class Watched:
    """A page, and everything about it that must not happen."""

    page: Page
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = Watched(context.new_page())

    def only_here(route: Route) -> None:
        if not route.request.url.startswith("http://127.0.0.1:"):
            found.outside.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    context.route("**/*", only_here)
    found.page.on("pageerror", lambda error: found.errors.append(str(error)))
    found.page.on(
        "console",
        lambda message: found.errors.append(message.text) if message.type == "error" else None,
    )
    yield found
    context.close()
