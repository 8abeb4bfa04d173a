"""Samples that come late make the results of their wear session due, once all of them are there."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.forwarding import rework
from api.hub.late import LateSamples, gap_began_ns
from api.runtime import Runtime
from api.settings import Settings
from ingest.drivers.driver import BackfillReport
from storage.catalog import Catalog, Patient
from storage.due import take_due
from storage.embedded import EmbeddedStore
from storage.record import RecordReader, RecordWriter
from tests.support.records import T0_NS, imu, packet

DEVICE = imu().device_id
HOUR_NS = 3_600_000_000_000


def report(first: int, *, boot: int = 1, device: str = DEVICE) -> BackfillReport:
    return BackfillReport(device, boot, first, first + 9, "complete", 10, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A record: 0..19 live, 20..39 fetched an hour later, 40..49 live before that."""
    with RecordWriter(tmp_path, background=False) as writer:
        one = writer.open_stream(imu(boot=1))
        late = [packet(k, 10, host_ns=T0_NS + HOUR_NS) for k in (20, 30)]
        writer.append(one, [packet(0, 10), packet(10, 10), packet(40, 10), *late])
        two = writer.open_stream(imu(boot=2))
        writer.append(two, [packet(0, 10, host_ns=T0_NS + 2 * HOUR_NS)])
    return tmp_path


def arrival(index: int) -> int:
    """Return when a live packet arrived, as the record keeps it: in microseconds."""
    return packet(index, 10).host_ns // 1000 * 1000


def test_a_gap_begins_with_the_last_packet_that_came_live(folder: Path) -> None:
    with RecordReader(folder) as reader:
        assert gap_began_ns(reader, report(20)) == arrival(10)
        assert gap_began_ns(reader, report(30)) == arrival(10)
        # what a boot recorded before it was ever connected lies behind the boot before
        assert gap_began_ns(reader, report(0, boot=2)) == arrival(40)
        assert gap_began_ns(reader, report(0, device="another")) == 0


class Catching:
    """A collector, as far as catching up goes."""

    catching_up = True


@pytest.fixture
def runtime(folder: Path) -> Iterator[Runtime]:
    with Catalog(folder) as catalog, RecordReader(folder) as record:
        catalog.save_patient(Patient("p1", "", "UTC"))
        store = EmbeddedStore(folder)
        yield Runtime(Settings(data_dir=folder, zone="UTC"), "up", record, store, catalog, None)
        store.close()


async def test_work_starts_when_nothing_more_is_to_come(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = asyncio.Event()
    asked: list[str] = []
    loop = asyncio.get_running_loop()

    def start(_settings: Any, _catalog: Any, patient: str) -> bool:
        asked.append(patient)
        loop.call_soon_threadsafe(started.set)
        return True

    monkeypatch.setattr(rework, "start", start)
    late = LateSamples(runtime, "p1", settle_s=0.02, at_most_every_s=3600)
    collector = Catching()
    task = asyncio.create_task(late.run(collector))  # type: ignore[arg-type]  # only what it reads
    late.take(report(30))
    late.take(report(20))
    await asyncio.sleep(0.2)
    assert not asked, "a sensor still delivers"
    collector.catching_up = False
    await asyncio.wait_for(started.wait(), 5)
    late.take(report(20))
    await asyncio.sleep(0.2)
    task.cancel()
    assert asked == ["p1"], "not again so soon"
    assert take_due(runtime.catalog, "p1") == arrival(10)
