"""`necktrace up` on emulated sensors as a person uses it: by its pages, and faster than life.

Runs in the test's own event loop, so that its clock can keep pace with the sensors'; everything
else is what the command runs: real bleak, the pages, the collector, the store.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.guided.guide import Guide
from api.hub.up import run_up
from api.settings import load_settings
from ingest.host_clock import steady_offset_ns
from ingest.service import Collector
from ingest.sources.ble import BleTransport
from ingest.sources.virtual_body import ScaledClock
from tests.support.bluez.bus import EmulatedBluez


@dataclass
class Home:
    """The page that a person has open."""

    client: httpx.AsyncClient
    daemon: EmulatedBluez
    now_ns: Callable[[], int]
    """UTC as the collector has it."""
    frame: dict[str, Any] = field(default_factory=dict)
    """The newest live frame."""
    guide: dict[str, Any] = field(default_factory=dict)
    """The newest picture of the guide."""
    said: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def press(self, path: str, **fields: Any) -> str:
        """Send a form of the page; return the page that follows."""
        answer = await self.client.post(path, data=fields, follow_redirects=True, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def pair(self, **addresses: str) -> None:
        """Pair sensors by role and begin to record."""
        for role, address in addresses.items():
            assert address in await self.press("/setup/scan")
            await self.press("/setup/pair", address=address, role=role)
        await self.press("/setup/begin")

    async def pass_time(self, seconds: float) -> None:
        """Let so many of the collector's seconds pass."""
        until_ns = self.now_ns() + seconds * 1e9
        await self.until(lambda: self.now_ns() >= until_ns)

    async def until(self, wanted: Callable[[], bool], within_s: float = 60.0) -> None:
        """Watch the page until something is so."""
        async with asyncio.timeout(within_s):
            while not wanted():
                self.changed.clear()
                await self.changed.wait()

    async def until_frame(
        self, wanted: Callable[[dict[str, Any]], bool], within_s: float = 60.0
    ) -> dict[str, Any]:
        """Watch the page until a live frame is so, and return it."""
        await self.until(lambda: bool(self.frame) and wanted(self.frame), within_s)
        return self.frame

    async def calibrate(self) -> dict[str, Any]:
        """Start the guide and do what it says until it is over; return its last picture."""
        await self.press("/setup/guide", task="calibration", assisted="yes")
        asked: set[tuple[int, int]] = set()

        def over() -> bool:
            view = self.guide
            if not view or view["current"] is None:
                return bool(view) and view["state"] in {"done", "failed"}
            step = view["steps"][view["current"]]
            key = view["current"], view["ends_utc_ms"]
            if step["state"] == "ready" and key not in asked:
                asked.add(key)
                in_s = view["ends_utc_ms"] / 1e3 - self.now_ns() * 1e-9
                self.daemon.command(
                    "ask", kind=step["kind"], in_s=in_s, length_s=step["seconds"],
                    times=step["times"],
                )  # fmt: skip
            return view["state"] in {"done", "failed", "waiting"}

        await self.until(over, within_s=120.0)
        return self.guide

    async def watch(self) -> None:
        """Take in what the page is told, from one recording process to its end."""
        while True:
            async with self.client.stream("GET", "/api/v1/live", timeout=60) as events:
                name = ""
                async for line in events.aiter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        setattr(self, name, json.loads(line.removeprefix("data: ")))
                        self.changed.set()
            await asyncio.sleep(0.05)


@asynccontextmanager
async def at_home(
    folder: Path, daemon: EmulatedBluez, monkeypatch: pytest.MonkeyPatch, *, speed: float
) -> AsyncIterator[Home]:
    """Run `up` with time `speed` times as fast as the wall's; it must end by itself when asked."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / speed)

    clock = ScaledClock(speed)
    offset_ns = steady_offset_ns(clock)
    running = partial(Collector, monotonic_ns=clock, utc_offset_ns=offset_ns)
    monkeypatch.setattr("api.hub.collecting.Collector", running)
    monkeypatch.setattr("api.hub.up.Guide", partial(Guide, sleep=sleep))
    monkeypatch.setattr("api.guided.pairing.SCAN_S", 1.0)
    daemon.command("speed", factor=speed)
    said: list[str] = []
    task = asyncio.create_task(
        run_up(
            load_settings(data_dir=folder, port=0),
            BleTransport(),
            said.append,
            calibrate=False,
            browser=False,
        )
    )
    async with asyncio.timeout(60):
        while not any("http://" in line for line in said):
            assert not task.done(), task.exception()
            await asyncio.sleep(0.02)
    page = next(line for line in said if "http://" in line).split()[-1]
    async with httpx.AsyncClient(base_url=page) as client:
        home = Home(client, daemon, lambda: clock() + offset_ns, said=said)
        watching = asyncio.create_task(home.watch())
        try:
            yield home
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            if not task.done():
                os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(task, 60)
