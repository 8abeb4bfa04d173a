"""A virtual sensor on a bench: counted samples, a device clock, and the host's side of the talk."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.control import Answer, Request
from firmware_protocol.definition import CHARACTERISTICS, Feature, RateCode
from firmware_protocol.device import Outgoing, SensorModel, SensorSettings, VirtualSensor
from firmware_protocol.frames import Frames, decode_frames
from firmware_protocol.gatt import (
    BACKFILL_UUID,
    CONTROL_UUID,
    INFO_UUID,
    STATUS_UUID,
    STREAM_UUID,
    TIME_SYNC_UUID,
)

ALL_CCCDS = (CONTROL_UUID, STATUS_UUID, TIME_SYNC_UUID, BACKFILL_UUID, STREAM_UUID)
PERIOD_US = 10_000
MODEL = SensorModel(device_id=b"\x01\x02\x03\x04\x05\x06\x07\x08", flash_samples=252 * 8)
assert {c.uuid for c in CHARACTERISTICS} == {*ALL_CCCDS, INFO_UUID}


def counts_of(indices: NDArray[np.int64], boot: int, columns: int = 6) -> NDArray[np.int16]:
    """Samples that tell their own index and boot, so that no mix-up goes unseen."""
    rows = np.empty((indices.size, columns), dtype=np.int16)
    rows[:, 0] = indices % 30000
    rows[:, 1] = boot
    rows[:, 2:] = (indices[:, None] * 7 + np.arange(2, columns)) % 20000 - 10000
    return rows


@dataclass
class Bench:
    """One sensor, its clock, and everything it sent."""

    model: SensorModel = MODEL
    recording: bool = False
    sensor: VirtualSensor = field(init=False)
    now_us: int = 0
    sent: list[Outgoing] = field(default_factory=list)
    token: int = 0

    def __post_init__(self) -> None:
        self.sensor = VirtualSensor(
            self.model,
            boot_counter=5,
            settings=SensorSettings(rate=RateCode.HZ_100),
            recording=self.recording,
        )

    def connect(self, att_mtu: int = 247, cccds: tuple[str, ...] = ALL_CCCDS) -> "Bench":
        self.sensor.connect(att_mtu=att_mtu)
        for uuid in cccds:
            self.sensor.set_subscribed(uuid, on=True, now_us=self.now_us)
        return self

    def ask(self, request: Request) -> list[Answer]:
        """Write a request and return the answers that come at once."""
        out = self.sensor.write(CONTROL_UUID, bytes(request), self.now_us)
        self.sent += out
        return answers(out)

    def sample(self, n: int, *, chunk: int = 50, flags: int = 0) -> None:
        """Let time pass and samples come, sending what is due."""
        left = n
        while left:
            take = min(chunk, left)
            index = self.sensor.next_index + np.arange(take)
            times = self.now_us + PERIOD_US * np.arange(take)
            rows = counts_of(index, self.sensor.boot_counter, self.model.columns)
            self.sensor.push_samples(rows, times.astype(np.uint64), flags=flags)
            flags = 0
            self.now_us += take * PERIOD_US
            left -= take
            self.sent += self.sensor.due(self.now_us)

    def wait(self, us: int, *, step_us: int = 100_000) -> list[Outgoing]:
        """Let time pass without samples; return what was sent."""
        before = len(self.sent)
        for _ in range(0, us, step_us):
            self.now_us += step_us
            self.sent += self.sensor.due(self.now_us)
        return self.sent[before:]

    def frames(self, uuid: str = STREAM_UUID) -> Frames:
        batch = decode_frames([out.data for out in self.sent if out.uuid == uuid])
        assert batch.discarded == {}
        return batch.imu


def answers(out: list[Outgoing]) -> list[Answer]:
    return [Answer.from_bytes(item.data) for item in out if item.uuid == CONTROL_UUID]


def with_mag() -> SensorModel:
    return SensorModel(
        device_id=MODEL.device_id,
        features=Feature.MAG | Feature.BACKFILL | Feature.TIME_SYNC,
        flash_samples=MODEL.flash_samples,
    )
