"""Drives the C library and the Python twin with the same calls."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from firmware_protocol import control
from firmware_protocol.control import Request
from firmware_protocol.definition import (
    Feature,
    FrameFlag,
    FrameType,
    Op,
    RateCode,
    StatusFlag,
    TimeSyncOp,
    TlvType,
)
from firmware_protocol.device import Outgoing, SensorModel, SensorSettings, VirtualSensor
from firmware_protocol.device.flash import PAGE_SAMPLES
from firmware_protocol.errors import AttRejectedError
from firmware_protocol.gatt import CHARACTERISTIC_BY_UUID
from firmware_protocol.timesync import TimeSync
from firmware_protocol.tlv import SampleRange, Tlv, encode_tlv

REFERENCE = Path(__file__).resolve().parents[4] / "firmware_protocol" / "reference"
WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
UUID_OF = {c.short: uuid for uuid, c in CHARACTERISTIC_BY_UUID.items()}
DEVICE_ID = bytes(range(1, 9))
PAGES = 8


def compile_c(sources: list[Path], program: Path, *flags: str) -> Path:
    """Compile the library with other sources; warnings are errors."""
    done = subprocess.run(
        [
            "gcc",
            *WARNINGS,
            *flags,
            *map(str, sorted(REFERENCE.glob("nt_*.c"))),
            *map(str, sources),
            "-o",
            str(program),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return program


@dataclass
class Scenario:
    """Random calls: a line for C, and what the Python twin did at the same call."""

    rng: np.random.Generator
    features: Feature
    backfill_frames_per_s: int = 40
    lines: list[str] = field(default_factory=list)
    expected: list[list[str]] = field(default_factory=list)
    now_us: int = 0
    sampled_us: int = 0
    token: int = 1

    def __post_init__(self) -> None:
        model = SensorModel(
            DEVICE_ID,
            name="twin",
            features=self.features,
            flash_samples=PAGES * PAGE_SAMPLES,
            live_queue_frames=8,
            backfill_frames_per_s=self.backfill_frames_per_s,
        )
        self.sensor = VirtualSensor(
            model, boot_counter=3, settings=SensorSettings(rate=RateCode.HZ_100)
        )

    @property
    def arguments(self) -> list[str]:
        """Command line of nt_host for the same sensor."""
        numbers = (PAGES, int(self.features), 3, int(RateCode.HZ_100), self.backfill_frames_per_s)
        return [*map(str, numbers), DEVICE_ID.hex(), "twin"]

    def _note(self, line: str, out: list[Outgoing], att: int = 0, value: bytes = b"") -> None:
        self.lines.append(line)
        sent = [f"> {CHARACTERISTIC_BY_UUID[o.uuid].short} {o.data.hex()}" for o in out]
        self.expected.append([*sent, f"= {att} {value.hex()}".strip()])

    def _pick(self, *values: int) -> int:
        return int(self.rng.choice(values))

    def step(self) -> None:
        """Make one random call."""
        kinds = ("request", "push", "due", "sync", "read", "write", "set", "event", "link", "sub")
        weights = np.array([30, 25, 25, 3, 3, 3, 4, 3, 1, 3], dtype=float)
        kind = self.rng.choice(kinds, p=weights / weights.sum())
        getattr(self, f"do_{kind}")()

    def do_link(self) -> None:
        """Connect, lose the link, reset."""
        which = self.rng.random()
        if which < 0.3:
            self.sensor.disconnect()
            self._note("disconnect", [])
        elif which < 0.5:
            self.sensor.reboot()
            self.now_us = self.sampled_us = 0
            self._note(f"boot {self.sensor.boot_counter}", [])
        self.do_connect()

    def do_connect(self) -> None:
        """Connect and switch most CCCDs on."""
        mtu = self._pick(23, 32, 33, 50, 100, 185, 247, 247, 247, 517)
        self.sensor.connect(att_mtu=mtu, interval_1250us=12)
        self._note(f"connect {mtu} 12", [])
        for short in (2, 3, 4, 5, 1):
            if self.rng.random() < 0.97:
                self.do_sub(short, on=True)

    def do_sub(self, short: int | None = None, on: bool | None = None) -> None:
        """Write a CCCD, also of characteristics that have none."""
        short = self._pick(1, 2, 3, 4, 5, 6) if short is None else short
        on = self.rng.random() < 0.8 if on is None else on
        line = f"sub {short} {int(on)} {self.now_us}"
        try:
            out = self.sensor.set_subscribed(UUID_OF[short], on=on, now_us=self.now_us)
        except AttRejectedError as error:
            self._note(line, [], error.code)
        else:
            self._note(line, out)

    def do_read(self) -> None:
        """Read a characteristic."""
        short = self._pick(1, 2, 3, 3, 4, 5, 6)
        try:
            value = self.sensor.read(UUID_OF[short], self.now_us)
        except AttRejectedError as error:
            self._note(f"read {short}", [], error.code)
        else:
            self._note(f"read {short}", [], 0, value)

    def write(self, short: int, data: bytes) -> None:
        """Write a characteristic."""
        line = f"write {short} {self.now_us} {data.hex() or '-'}"
        try:
            out = self.sensor.write(UUID_OF[short], data, self.now_us)
        except AttRejectedError as error:
            self._note(line, [], error.code)
        else:
            self._note(line, out)

    def do_write(self) -> None:
        """Write bytes without sense."""
        data = self.rng.bytes(int(self.rng.integers(0, 40)))
        if self.rng.random() < 0.5:
            data = bytes((self._pick(*Op), 200)) + data
        if self.rng.random() < 0.05:
            data += bytes(250)
        self.write(self._pick(1, 2, 2, 2, 3, 4, 5, 6), data)

    def do_sync(self) -> None:
        """Ask for a round trip."""
        op = TimeSyncOp(self._pick(1, 1, 1, 2))
        sync = TimeSync(op, int(self.rng.integers(0, 65536)), self.now_us + 7)
        data = bytes(sync)
        self.write(4, data[: self._pick(28, 28, 28, 27)])

    def do_request(self) -> None:
        """Send a request that may make sense; sometimes the same again."""
        if self.rng.random() < 0.9:
            self.token = self.token % 255 + 1
        self.write(2, bytes(self._request(self.token)))

    def _request(self, token: int) -> Request:
        newest = self.sensor.next_index
        index = sorted(int(x) for x in self.rng.integers(0, newest + 50, 2))
        boot = self._pick(self.sensor.boot_counter, self.sensor.boot_counter, 3, 4, 99)
        operator = self._pick(0, 1, 2, 3, 4, 4, 4, 4, 5, 6, 7)
        wanted = SampleRange(operator, boot, index[0], index[1])
        if self.rng.random() < 0.05:
            wanted = SampleRange(operator, boot, index[1], index[0])
        requests = (
            control.get_config(token),
            control.set_config(
                token,
                rate=RateCode(self._pick(1, 3, 3, 5, 7)),
                acc_range_g=self._pick(2, 16, 16, 3),
                gyr_range_dps=2000,
                n_per_frame=self._pick(0, 5, 10, 255),
            ),
            control.start_stream(
                token,
                frame_type=FrameType(self._pick(1, 1, 1, 2, 3)),
                rate=RateCode(self._pick(3, 3, 3, 7, 5)),
            ),
            control.start_stream(token),
            control.stop_stream(token),
            control.set_wall_time(token, utc_us=-17),
            control.record(token, on=self.rng.random() < 0.8),
            control.identify(token, duration_s=3),
            control.report(token, wanted),
            control.report(token, wanted),
            control.report(token, wanted),
            control.count(token, wanted),
            control.count(token, wanted),
            control.abort(token),
            control.delete(token, boot_counter=boot, up_to=index[0] // 4),
            Request(Op.FACTORY_RESET, token),
            Request(self._pick(0x55, *Op), token, (Tlv(self._pick(1, 2, 14, 77), b"\x01"),)),
            Request(
                Op.START_STREAM,
                token,
                (encode_tlv(TlvType.RATE, 3), encode_tlv(TlvType.RATE, 99), Tlv(0xF0, b"new")),
            ),
        )
        weights = np.ones(len(requests))
        weights[[3, 6, 8, 9, 10]] = 3
        weights[15] = 0.2
        return requests[int(self.rng.choice(len(requests), p=weights / weights.sum()))]

    def do_push(self) -> None:
        """Take samples, some at the end of the range, some after a loss."""
        n = int(self.rng.integers(0, 120))
        columns = self.sensor.model.columns
        counts = self.rng.integers(-32768, 32768, (n, columns)).astype(np.int16)
        if self.rng.random() < 0.1:
            counts[: n // 2, 3] = self._pick(-32768, 32767)
        flags = self._pick(0, 0, 0, 0, 0, 4, 8, 12)
        steps = self.rng.integers(9_000, 11_000, n)
        times = self.sampled_us + np.cumsum(steps)
        self.sampled_us = int(times[-1]) if n else self.sampled_us
        self.now_us = max(self.now_us, self.sampled_us)
        self.sensor.push_samples(counts, times.astype(np.uint64), flags=FrameFlag(flags))
        words = " ".join(map(str, times.tolist()))
        self._note(f"push {flags} {n} {words} {counts.tobytes().hex() or '-'}", [])

    def do_due(self) -> None:
        """Let time pass."""
        self.now_us += self._pick(0, 1_000, 50_000, 300_000, 3_000_000)
        self._note(f"due {self.now_us}", self.sensor.due(self.now_us))

    def do_set(self) -> None:
        """Change what the board changes."""
        value = int(self.rng.integers(0, 2))
        which = self.rng.choice(["fault", "flags", "battery_mv", "temperature"])
        if which == "fault":
            value = int(self.rng.random() < 0.2)
            self.sensor.fault = bool(value)
        elif which == "flags":
            self.sensor.flags = StatusFlag(value)
        elif which == "battery_mv":
            self.sensor.battery_mv = value
        else:
            self.sensor.temperature_half_degc = value
        self._note(f"set {which} {value}", [])

    def do_event(self) -> None:
        """Press the button."""
        self.sensor.press_button(self.now_us)
        self._note(f"button {self.now_us}", [])
