"""A simulated person with two virtual sensors, advanced in real or scaled time.

Motion comes from `processing.synthesis`, every byte on the air from the firmware's own model
(`firmware_protocol.device`). Here they meet a clock: what has been sampled by now, in each sensor's
own device time.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.definition import FrameFlag, RateCode
from firmware_protocol.device.model import SensorModel, SensorSettings
from firmware_protocol.device.sensor import VirtualSensor
from processing import quaternion, synthesis
from processing.synthesis import PatientSpec
from processing.types import Span
from storage.catalog import Catalog

Role = Literal["head", "trunk"]
MonotonicNs = Callable[[], int]

ROLES: tuple[Role, Role] = ("head", "trunk")

_CHUNK_S = 2.0
_BATTERY_FULL_MV = 4150
_BATTERY_MV_PER_H = 25


class ScaledClock:
    """A monotonic clock that runs faster than the computer's, for tests and history.

    Parameters
    ----------
    speed : float
        Seconds of this clock per second.
    """

    def __init__(
        self, speed: float = 1.0, *, monotonic_ns: MonotonicNs = time.monotonic_ns
    ) -> None:
        self.speed = speed
        self._real = monotonic_ns
        self._start = monotonic_ns()

    def __call__(self) -> int:
        """Return the scaled time, ns."""
        return self._start + round((self._real() - self._start) * self.speed)


@dataclass(frozen=True, slots=True)
class BodySpec:
    """Who is simulated, and how good the two sensors' clocks are."""

    patient: PatientSpec = field(default_factory=PatientSpec)
    seed: int = 1
    n_per_frame: int = 10
    """Samples per live frame. More waits longer for a frame to fill, fewer costs radio time."""
    clock_ppm: tuple[float, float] = (18.0, -27.0)
    """How much faster than true time the clocks of head and trunk run."""
    uptime_s: tuple[float, float] = (83.0, 411.0)
    """How long ago head and trunk were switched on when they are first started."""
    flash_samples: int = 720_000


class WornSensor:
    """One virtual sensor with its own clock; samples what the body does."""

    def __init__(self, role: Role, sensor: VirtualSensor, ppm: float, booted_ns: int) -> None:
        self.role = role
        self.sensor = sensor
        self.taken = 0
        """Samples of the body taken so far, in all boots."""
        self.flags = FrameFlag(0)
        """Of the next sample taken."""
        self._rate = 1.0 + ppm * 1e-6
        self._booted_ns = booted_ns

    def device_us(self, mono_ns: int) -> int:
        """Return the sensor's own time."""
        return max(0, int((mono_ns - self._booted_ns) * self._rate) // 1000)

    def sample_times_us(self, mono_ns: NDArray[np.floating]) -> NDArray[np.uint64]:
        """Return the sensor's own times of sampling instants."""
        device_us = np.floor((mono_ns - self._booted_ns) * self._rate / 1000.0)
        return np.asarray(device_us, dtype=np.uint64)

    def step(self, by_us: int) -> None:
        """Step the clock; the next frame says so."""
        self._booted_ns -= by_us * 1000
        self.flags = FrameFlag.CLOCK_STEPPED

    def reboot(self, mono_ns: int) -> None:
        """Reset: the link ends, the clock starts at 0, the boot counter rises."""
        self.sensor.reboot()
        self._booted_ns = mono_ns


class VirtualBody:
    """A person who begins to move when the sensors worn are started.

    Until both sensors were told to stream (or `wait_s` after the first), nothing is sampled, so
    that the calibration at the beginning of the motion is never missed.

    Parameters
    ----------
    spec : BodySpec
    boots : (int, int)
        Boot counters of head and trunk; see `next_boots`.
    monotonic_ns : callable
        The collector's clock.
    keep : bool
        Keep every sample taken, for tests that compare it with the record.
    wait_s : float
        Longest wait of the first sensor for the second.
    speed : float
        That of the clock, so that the radio's real waits keep pace.
    """

    def __init__(
        self,
        spec: BodySpec,
        *,
        boots: tuple[int, int] = (1, 1),
        monotonic_ns: MonotonicNs = time.monotonic_ns,
        keep: bool = False,
        wait_s: float = 3.0,
        speed: float = 1.0,
    ) -> None:
        self.spec = spec
        self.speed = speed
        self._now = monotonic_ns
        self._wait_ns = int(wait_s * 1e9)
        self._state = synthesis.start(spec.patient, spec.seed)
        self.began_ns: int | None = None
        """When the motion began, on the given clock."""
        self._first_start_ns: int | None = None
        self._spans: list[Span] = []
        self._first = 0
        self._counts: dict[Role, NDArray[np.int16]] = {
            "head": np.empty((0, 6), dtype=np.int16),
            "trunk": np.empty((0, 6), dtype=np.int16),
        }
        self.kept: dict[tuple[Role, int], list[NDArray[np.int16]]] | None = {} if keep else None
        now = monotonic_ns()
        truths = (self._state.head, self._state.trunk)
        self.worn: dict[Role, WornSensor] = {}
        for i, role in enumerate(ROLES):
            made = VirtualSensor(
                _model(role, spec),
                boot_counter=boots[i],
                settings=SensorSettings(
                    rate=RateCode.HZ_104,
                    acc_range_g=round(truths[i].acc_per_count * 32768 / 9.80665),
                    gyr_range_dps=round(np.degrees(truths[i].gyr_per_count) * 32768),
                    n_per_frame=spec.n_per_frame,
                ),
            )
            made.battery_mv = _BATTERY_FULL_MV
            booted_ns = now - int(spec.uptime_s[i] * 1e9)
            self.worn[role] = WornSensor(role, made, spec.clock_ppm[i], booted_ns)
        self._grow()

    def spans(self, utc_offset_ns: int = 0) -> list[Span]:
        """Return the poses and movements asked for so far, on clock + offset."""
        if self.began_ns is None:
            return []
        at = self.began_ns + utc_offset_ns
        return [Span(s.kind, at + s.start_ns, at + s.end_ns, s.sigma_deg) for s in self._spans]

    def started(self) -> None:
        """Note that a sensor was told to stream."""
        now = self._now()
        if self._first_start_ns is None:
            self._first_start_ns = now
        if self.began_ns is None and all(w.sensor.live is not None for w in self.worn.values()):
            self.began_ns = now

    def device_us(self, role: Role) -> int:
        """Return a sensor's own time now."""
        return self.worn[role].device_us(self._now())

    def advance(self, role: Role) -> None:
        """Let a sensor take everything that was to be sampled by now."""
        now = self._now()
        if self.began_ns is None:
            if self._first_start_ns is None or now - self._first_start_ns < self._wait_ns:
                return
            self.began_ns = now
        worn = self.worn[role]
        rate_hz = self.spec.patient.rate_hz
        due = int((now - self.began_ns) * 1e-9 * rate_hz) + 1
        if due <= worn.taken:
            return
        while self._first + self._counts[role].shape[0] < due:
            self._grow()
        counts = self._counts[role][worn.taken - self._first : due - self._first]
        numbers = np.arange(worn.taken, due, dtype=np.float64)
        instants = self.began_ns + numbers * (1e9 / rate_hz)
        worn.sensor.push_samples(counts, worn.sample_times_us(instants), flags=int(worn.flags))
        worn.flags = FrameFlag(0)
        hours = (now - self.began_ns) / 3.6e12
        worn.sensor.battery_mv = max(3300, round(_BATTERY_FULL_MV - hours * _BATTERY_MV_PER_H))
        if self.kept is not None:
            key = (role, worn.sensor.boot_counter)
            self.kept.setdefault(key, []).append(counts)
        worn.taken = due
        self._drop_taken()

    def ask(self, kind: str, start_ns: int, length_s: float, *, times: int = 0) -> None:
        """Have the person take a pose or make a movement, at a time of the given clock.

        A real person hears a prompt; this one is told. Does nothing before the motion has begun.
        """
        if self.began_ns is not None:
            start_s = (start_ns - self.began_ns) * 1e-9
            synthesis.ask(self._state, kind, start_s, length_s, times=times)

    def reboot(self, role: Role) -> None:
        """Reset a sensor in the middle of everything."""
        self.advance(role)
        self.worn[role].reboot(self._now())

    def slip(self, role: Role, rotation: NDArray[np.float64]) -> None:
        """Turn a sensor where it is worn by a rotation (4,) of segment axes, from what is made on.

        Parameters
        ----------
        role : {"head", "trunk"}
        rotation : (4,) float64
        """
        worn = self._state.head if role == "head" else self._state.trunk
        turned = quaternion.multiply(rotation, worn.q_segment_sensor)
        setattr(self._state, role, replace(worn, q_segment_sensor=turned))

    def step_clock(self, role: Role, by_us: int) -> None:
        """Step a sensor's clock, flagged as the protocol wants it."""
        self.advance(role)
        self.worn[role].step(by_us)

    def _grow(self) -> None:
        self._state, chunk = synthesis.step(self._state, _CHUNK_S)
        self._spans.extend(chunk.spans)
        for role, new in zip(ROLES, (chunk.head_counts, chunk.trunk_counts), strict=True):
            self._counts[role] = np.concatenate((self._counts[role], new))

    def _drop_taken(self) -> None:
        done = min(worn.taken for worn in self.worn.values()) - self._first
        if done > 4096:
            self._counts = {role: counts[done:] for role, counts in self._counts.items()}
            self._first += done


def next_boots(catalog: Catalog, seed: int = 1) -> tuple[int, int]:
    """Return boot counters for head and trunk that no earlier start on this folder had.

    A boot counter names an index axis of the record, so it must rise with every start, also after
    a crash: the catalogue has it on disk before it is used.
    """
    head, trunk = (catalog.next_boot(f"v1-{device_id(role, seed).hex()}") for role in ROLES)
    return head, trunk


def device_id(role: str, seed: int) -> bytes:
    """Return the constant id of a virtual sensor."""
    return b"VS" + role[0].encode() + seed.to_bytes(5, "big")


def _model(role: str, spec: BodySpec) -> SensorModel:
    return SensorModel(
        device_id=device_id(role, spec.seed),
        serial=f"VIRTUAL-{role.upper()}-{spec.seed}",
        rates=(RateCode.HZ_104,),
        flash_samples=spec.flash_samples,
    )
