"""A collector on virtual sensors, for tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from ingest.candidates import SensorWish
from ingest.collector_spec import CollectorSpec
from ingest.link_state import LinkLimits
from ingest.live import LiveFrame, LiveHub, Role
from ingest.resume import Resume
from ingest.service import Collector
from ingest.sources.simulated import RadioSpec, SimulatedTransport
from ingest.sources.virtual_body import BodySpec, ScaledClock, VirtualBody
from ingest.units_in_force import Calibration
from processing.pipeline import Setup
from processing.types import Alignment
from storage.record import RecordReader
from storage.results import ResultStore

_OTHER: dict[Role, Role] = {"head": "trunk", "trunk": "head"}
IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])
QUICK = replace(
    LinkLimits(),
    backoff_s=(0.4, 0.8),
    backfill_recheck_s=0.2,
    backfill_retry_s=0.2,
    adapter_recheck_s=0.2,
)


def plain_setup(*, head_only: bool = False) -> Setup:
    """Sensors taken as aligned with the segments: enough where angles are not judged."""
    alignment = Alignment(
        id="plain",
        n_id="plain",
        method="mounting",
        quality="low",
        q_head_segment_sensor=IDENTITY,
        q_trunk_segment_sensor=IDENTITY,
        neutral_q=IDENTITY,
        sigma_deg=10.0,
        warnings=("Not calibrated yet.",),
    )
    return Setup(alignment=alignment, head_only=head_only)


@dataclass
class Rig:
    """A running collector and what it is made of."""

    folder: Path
    body: VirtualBody
    transport: SimulatedTransport
    collector: Collector
    hub: LiveHub
    task: "asyncio.Task[None]"

    def taken(self, role: Role) -> int:
        """Samples that the sensor has taken so far."""
        return self.body.worn[role].taken

    async def until_taken(self, n: int, *, timeout_s: float = 20.0) -> None:
        """Wait until both sensors have taken n samples."""
        async with asyncio.timeout(timeout_s):
            while min(self.taken("head"), self.taken("trunk")) < n:
                self.raise_if_ended()
                await asyncio.sleep(0.02)

    async def frame_where(
        self, wanted: Callable[[LiveFrame], bool], *, timeout_s: float = 20.0
    ) -> LiveFrame:
        """Wait for a live frame that fulfils a condition."""
        with self.hub.subscribe() as subscription:
            async with asyncio.timeout(timeout_s):
                async for frame in subscription:
                    if wanted(frame):
                        return frame
        self.raise_if_ended()
        raise AssertionError("the hub closed first")

    def raise_if_ended(self) -> None:
        """Show why the collector ended, where it did."""
        if self.task.done():
            self.task.result()

    async def stop(self) -> None:
        """End the collector and wait for it."""
        self.collector.stop()
        await asyncio.wait_for(self.task, 20.0)


@asynccontextmanager
async def collecting(
    folder: Path,
    *,
    radio: RadioSpec | None = None,
    body: BodySpec | None = None,
    boots: tuple[int, int] = (1, 1),
    speed: float = 1.0,
    store: ResultStore | None = None,
    roles: tuple[Role, ...] = ("head", "trunk"),
    resume: Resume | None = None,
    calibration_of: Callable[[str], Calibration] = lambda _: {},
    exchanged: bool = False,
) -> AsyncIterator[Rig]:
    """Run a collector on virtual sensors; it is stopped at the end.

    `exchanged` sensors are each worn where the collector takes the other to be.
    """
    clock = ScaledClock(speed)
    made = VirtualBody(body or BodySpec(), boots=boots, monotonic_ns=clock, keep=True, speed=speed)
    transport = SimulatedTransport(made, radio)
    hub = LiveHub(first_event_id=1)
    spec = CollectorSpec(
        folder=folder,
        patient="p1",
        zone=ZoneInfo("Europe/Berlin"),
        setup=plain_setup(head_only=roles == ("head",)),
        wishes={
            role: SensorWish(
                name=made.worn[_OTHER[role] if exchanged else role].sensor.model.serial
            )
            for role in roles
        },
        limits=QUICK,
        resume=resume,
    )
    collector = Collector(
        spec, transport, hub, store=store, monotonic_ns=clock, calibration_of=calibration_of
    )
    rig = Rig(folder, made, transport, collector, hub, asyncio.create_task(collector.run()))
    try:
        yield rig
    finally:
        await rig.stop()


def recorded(folder: Path, role: Role) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return (index, counts) of a role as the record holds them, by boot."""
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    with RecordReader(folder) as reader:
        for stream in reader.streams(role=role, kind="imu"):
            chunks = list(reader.samples(stream.id))
            found[stream.info.boot] = (
                np.concatenate([chunk.index for chunk in chunks]),
                np.concatenate([chunk.data for chunk in chunks]),
            )
    return found
