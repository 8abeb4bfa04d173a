"""A private bus, an emulated daemon, and links on it with shortened times."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.candidates import SensorWish
from ingest.drivers import PacketKind, SensorPacket
from ingest.drivers.capture2go import CAPTURE2GO, Capture2GoDriver
from ingest.drivers.catalogue import SUPPORTED
from ingest.drivers.movesense import MOVESENSE, MovesenseDriver
from ingest.drivers.polar import POLAR, PolarDriver
from ingest.drivers.registry import DriverEntry, DriverFactory, Registry
from ingest.drivers.v1 import V1, V1Driver
from ingest.drivers.v1_control import ControlLimits
from ingest.ledger import SampleLedger
from ingest.link import SensorLink
from ingest.link_intake import LinkOutput
from ingest.link_state import LinkEvent, LinkLimits, LinkState
from ingest.radio import Radio
from ingest.sources.ble import BleTransport
from tests.support.bluez.bus import EmulatedBluez, PrivateBus, available, private_bus
from tests.support.bluez.sensors.v1 import counts_of

HEAD, TRUNK = "C0:00:00:00:00:01", "C0:00:00:00:00:02"
FAST = LinkLimits(
    adapter_recheck_s=0.1,
    scan_s=1.0,
    connect_s=5.0,
    connect_pause_s=0.05,
    watchdog_s=1.6,
    watchdog_tick_s=0.1,
    late_loop_s=0.4,
    disconnect_s=1.0,
    stop_s=3.0,
    backoff_s=(0.1, 0.2, 0.4),
    report_s=1.0,
    backfill_recheck_s=0.2,
    backfill_retry_s=0.3,
)

IMPATIENT: dict[DriverEntry, DriverFactory] = {
    V1: partial(V1Driver, control_limits=ControlLimits(answer_s=0.6)),
    MOVESENSE: partial(MovesenseDriver, answer_s=0.6),
    CAPTURE2GO: partial(Capture2GoDriver, answer_s=0.6),
    POLAR: partial(PolarDriver, answer_s=0.6),
}
REGISTRY = Registry(
    tuple(replace(e, make=IMPATIENT[e]) if e in IMPATIENT else e for e in SUPPORTED.entries)
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.ble)


@pytest.fixture(scope="session")
def _shared_bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateBus]:
    if not available():
        pytest.skip("dbus-daemon is not installed; it carries the emulated Bluetooth daemon")
    with private_bus(tmp_path_factory.mktemp("bus")) as private:
        yield private


@pytest.fixture(scope="session")
def _shared_daemon(_shared_bus: PrivateBus) -> Iterator[EmulatedBluez]:
    daemon = EmulatedBluez({**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": _shared_bus.address})
    yield daemon
    daemon.kill()


@pytest.fixture
def bus(
    _shared_bus: PrivateBus, _shared_daemon: EmulatedBluez, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PrivateBus]:
    """The private bus without a Bluetooth daemon; a test may kill it."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", _shared_bus.address)
    yield _shared_bus
    if not _shared_bus.running:
        _shared_daemon.kill()
        _shared_bus.start()


Bluez = Callable[..., EmulatedBluez]


@pytest.fixture
def bluez(bus: PrivateBus, _shared_daemon: EmulatedBluez) -> Bluez:
    """Start the emulated daemon with the devices given; one process serves many tests."""

    def start(*devices: dict[str, Any]) -> EmulatedBluez:
        _shared_daemon.populate(list(devices))
        return _shared_daemon

    return start


def v1(address: str, device_id: str = "", **more: Any) -> dict[str, Any]:
    """Describe one of our sensors to the emulated daemon."""
    return {
        "kind": "v1",
        "address": address,
        "device_id": device_id or "00" * 7 + address[-2:],
        **more,
    }


@dataclass
class Listener:
    """Keeps what links emit and lets tests wait for it."""

    outputs: list[LinkOutput] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, outputs: Sequence[LinkOutput]) -> None:
        self.outputs.extend(outputs)
        self.changed.set()

    def of(self, kind: type) -> list[Any]:
        return [each for each in self.outputs if isinstance(each, kind)]

    def states(self, role: str = "head") -> list[tuple[str, str]]:
        return [(e.state.value, e.reason.value) for e in self.of(LinkEvent) if e.role == role]

    def packets(self, device_id: str = "", kind: PacketKind | None = None) -> list[SensorPacket]:
        return [
            p
            for p in self.of(SensorPacket)
            if (not device_id or p.device_id == device_id) and (kind is None or p.kind is kind)
        ]

    async def until(self, condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Rig:
    """Links with everything they share."""

    listener: Listener
    transport: BleTransport
    radio: Radio
    ledger: SampleLedger
    tasks: dict[str, tuple[SensorLink, asyncio.Task[None]]] = field(default_factory=dict)

    def link(
        self, role: str, wish: SensorWish, *, limits: LinkLimits = FAST, backfill: bool = False
    ) -> SensorLink:
        link = SensorLink(
            role,
            self.radio,
            registry=REGISTRY,
            wish=wish,
            emit=self.listener,
            ledger=self.ledger if backfill else None,
            limits=limits,
        )
        self.tasks[role] = (link, asyncio.create_task(link.run()))
        return link

    async def streaming(self, role: str = "head", *, packets: int = 1) -> None:
        link, _ = self.tasks[role]

        def done() -> bool:
            if link.state is not LinkState.STREAMING or not link.wish.device_id:
                return False
            return len(self.listener.packets(link.wish.device_id)) >= packets

        await self.listener.until(done)

    async def stop(self) -> None:
        for link, _ in self.tasks.values():
            link.stop()
        for _, task in self.tasks.values():
            await asyncio.wait_for(task, 8)


@pytest.fixture
async def rig() -> Any:
    transport = BleTransport()
    made = Rig(Listener(), transport, Radio(transport, limits=FAST), SampleLedger())
    yield made
    await made.stop()


def assert_recorded(packets: Sequence[SensorPacket], boot: int, first: int, stop: int) -> None:
    """Every sample of the range came exactly as the emulated sensor measured it."""
    held = {}
    for packet in packets:
        if packet.boot == boot:
            for row in range(packet.n):
                held[packet.first_index + row] = packet.samples[row]
    missing = [i for i in range(first, stop) if i not in held]
    assert not missing, f"{len(missing)} samples missing, the first is {missing[0]}"
    got = np.stack([held[i] for i in range(first, stop)])
    np.testing.assert_array_equal(got, counts_of(boot, first, stop - first))
