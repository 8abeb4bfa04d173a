"""Our own sensor behind the emulated daemon: the protocol's virtual sensor with a clock."""

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.definition import CHARACTERISTICS, RATE_HZ, FrameFlag, Property
from firmware_protocol.device import SensorModel, SensorSettings, VirtualSensor
from firmware_protocol.errors import AttRejectedError
from firmware_protocol.gatt import (
    DEVICE_INFORMATION_UUID,
    FIRMWARE_UUID,
    INFO_UUID,
    MODEL_UUID,
    SERIAL_UUID,
    SERVICE_UUID,
)
from tests.support.bluez.motion import CLOCK, Motion
from tests.support.bluez.peripheral import Advert, AttError, Char, Notifications, Service

_FLAGS = {
    Property.READ: "read",
    Property.WRITE: "write",
    Property.WRITE_COMMAND: "write-without-response",
    Property.NOTIFY: "notify",
    Property.INDICATE: "indicate",
}


def counts_of(boot: int, first: int, n: int) -> NDArray[np.int16]:
    """Return what the emulated motion sensor measures: every sample tells boot and index."""
    index = np.arange(first, first + n)
    columns = (
        index % 30000,
        index // 30000,
        np.full(n, boot),
        -(index % 1000),
        index % 7,
        0 * index,
    )
    return np.stack(columns, axis=1).astype(np.int16)


class V1Peripheral:
    """Samples by wall time at its true rate, whether anybody is connected or not."""

    def __init__(
        self,
        device_id: str,
        *,
        boot: int = 1,
        rate_error: float = 0.0,
        major: int = 1,
        name: str = "necktrace",
        flash_samples: int = 720_000,
        index: int = 0,
        backfill_frames_per_s: int = 2000,
        n_per_frame: int | None = None,
    ) -> None:
        model = SensorModel(
            bytes.fromhex(device_id),
            serial=device_id[-4:],
            flash_samples=flash_samples,
            backfill_frames_per_s=backfill_frames_per_s,
        )
        self.sensor = VirtualSensor(
            model, boot_counter=boot, settings=SensorSettings(n_per_frame=n_per_frame)
        )
        self.sensor.next_index = index
        self._major = major
        self._rate_error = rate_error
        self._begun = CLOCK.now()
        self._flags = FrameFlag(0)
        self._sampled_us = 0
        self._first_us = 0
        self.wrong_seq: int | None = None
        self.motion: Motion | None = None
        self.advert = Advert(f"{name} {device_id[-4:]}", (SERVICE_UUID,))
        self.battery_percent: int | None = 77
        self._strings = {
            MODEL_UUID: "necktrace emulated",
            SERIAL_UUID: device_id[-4:],
            FIRMWARE_UUID: "9.9",
        }
        self.services = (
            Service(
                SERVICE_UUID,
                tuple(
                    Char(
                        c.uuid,
                        tuple(n for bit, n in _FLAGS.items() if bit in c.properties),
                        c.encrypted,
                    )
                    for c in CHARACTERISTICS
                ),
            ),
            Service(
                DEVICE_INFORMATION_UUID, tuple(Char(uuid, ("read",)) for uuid in self._strings)
            ),
        )

    def _now_us(self) -> int:
        return int((CLOCK.now() - self._begun) * 1e6)

    def _sample(self) -> int:
        """Take the samples that are due; return the device time."""
        now = self._now_us()
        period_us = 1e6 / (RATE_HZ[self.sensor.settings.rate] * (1 + self._rate_error))
        n = int((now - self._sampled_us) / period_us)
        if n > 0:
            times = self._sampled_us + (period_us * np.arange(1, n + 1)).astype(np.int64)
            counts = counts_of(self.sensor.boot_counter, self.sensor.next_index, n)
            if self.motion is not None:
                acc, gyr = self.motion.at(self._begun + times / 1e6)
                values = np.hstack((acc / 9.80665 * 2048, np.degrees(gyr) * 16.384))
                counts = np.rint(values).astype(np.int16)
            self.sensor.push_samples(counts, times.astype(np.uint64), flags=self._flags)
            self._flags = FrameFlag(0)
            self._sampled_us = int(times[-1])
        return now

    def connected(self, mtu: int) -> None:
        self._sample()
        self.sensor.connect(att_mtu=mtu)

    def disconnected(self) -> None:
        self._sample()
        self.sensor.disconnect()

    def read(self, uuid: str) -> bytes:
        if uuid in self._strings:
            return self._strings[uuid].encode()
        try:
            value = self.sensor.read(uuid, self._sample())
        except AttRejectedError as error:
            raise AttError(error.code) from error
        if uuid == INFO_UUID:
            value = bytes([self._major]) + value[1:]
        return value

    def write(self, uuid: str, data: bytes) -> Notifications:
        try:
            out = self.sensor.write(uuid, data, self._sample())
        except AttRejectedError as error:
            raise AttError(error.code) from error
        return [(each.uuid, each.data) for each in out]

    def subscribed(self, uuid: str, *, on: bool) -> Notifications:
        if not self.sensor.connected:
            return []
        out = self.sensor.set_subscribed(uuid, on=on, now_us=self._sample())
        return [(each.uuid, each.data) for each in out]

    def poll(self) -> Notifications:
        return [(each.uuid, each.data) for each in self.sensor.due(self._sample())]

    def command(self, name: str, **arguments: object) -> object:
        if name == "reboot":
            self._sample()
            self.sensor.reboot()
            self._begun = CLOCK.now()
            self._sampled_us = 0
        elif name == "pass_time":
            self._begun -= float(str(arguments["seconds"]))
            self._sample()
        elif name == "sequence":
            assert self.sensor.live is not None
            self.sensor.live.seq = int(str(arguments["value"]))
        elif name == "state":
            return {
                "boot": self.sensor.boot_counter,
                "next_index": self.sensor.next_index,
                "recording": self.sensor.recording,
                "streaming": self.sensor.live is not None,
                "stored": list(self.sensor.flash.boots),
            }
        else:
            raise ValueError(f"no command {name}")
        return None


def make(device_id: str, **arguments: object) -> V1Peripheral:
    return V1Peripheral(device_id, **arguments)  # type: ignore[arg-type]  # JSON by name
