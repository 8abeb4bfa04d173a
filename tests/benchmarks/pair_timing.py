"""Relative timing of two sensors of different make and rate, by the program's own clock mapping.

Each simulated sensor has a true rate that is off by up to 1.5 %, a clock that is off by up to
50 ppm, and the stamps, packets and time sync of its model. Notifications leave at connection
events (30 ms apart, every tenth lost and sent again) and stall for 0.8 s once a minute. The error
of a pair is the difference of both errors of sample time, after the first minute.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from firmware_protocol.devices.samples import SampleBlock, axes
from ingest.assemble import layout_of as layout
from ingest.assemble import live_anchors, round_trip
from ingest.drivers.driver import PacketKind, SensorPacket, TimeSyncReport
from ingest.drivers.inbox import Notification
from ingest.drivers.numbering import HostNumbering, channels_of
from ingest.drivers.sync_times import sync_interval_s
from ingest.timeline import ARRIVAL_CLOCK, Timeline

EPOCH_NS = 1_790_000_000_000_000_000
INTERVAL_S = 0.03
SPAN_S = 600.0
SETTLED_S = 60.0
SEEDS = 6
AIM_MS = 5.0


@dataclass(frozen=True, slots=True)
class Model:
    """How a model packs and stamps."""

    name: str
    rate_hz: float
    n: int
    stamp_us: int = 1
    """Resolution of its stamps; 0: none."""
    stamps_last: bool = False
    counts: bool = False
    """Whether it numbers its samples itself."""
    syncs: bool = False


MODELS = {
    model.name: model
    for model in (
        Model("v1 104 Hz", 104.0, 18, counts=True, syncs=True),
        Model("Capture2Go 100 Hz", 100.0, 8, syncs=True),
        Model("Movesense 104 Hz", 104.0, 8, stamp_us=1000),
        Model("Movesense 52 Hz", 52.0, 4, stamp_us=1000),
        Model("Polar 52 Hz", 52.0, 36, stamps_last=True),
        Model("DOT 60 Hz", 60.0, 1),
        Model("WitMotion 100 Hz", 100.0, 1, stamp_us=0),
    )
}
PAIRS = (
    ("v1 104 Hz", "v1 104 Hz"),
    ("v1 104 Hz", "Movesense 52 Hz"),
    ("Movesense 104 Hz", "Movesense 104 Hz"),
    ("Movesense 104 Hz", "Movesense 52 Hz"),
    ("Capture2Go 100 Hz", "Polar 52 Hz"),
    ("Capture2Go 100 Hz", "DOT 60 Hz"),
    ("Polar 52 Hz", "Movesense 52 Hz"),
    ("v1 104 Hz", "WitMotion 100 Hz"),
)
Radio = Callable[[np.random.Generator, np.ndarray], np.ndarray]
"""When packets arrive that were ready at these times, s; NaN for lost ones."""
_COLUMNS = (*axes("acc", 1.0), *axes("gyr", 1.0))


def errors_s(model: Model, seed: int, *, span_s: float = SPAN_S) -> tuple[np.ndarray, np.ndarray]:
    """Return true times, s, and errors of the times that the program gives the samples, s."""
    rng = np.random.default_rng(seed)
    true_s, t_ns = placed(timeline_of(model), model, rng, radio, span_s=span_s)
    return true_s, (t_ns - EPOCH_NS) * 1e-9 - true_s


def timeline_of(model: Model) -> Timeline:
    """Return the clock that the collector has for a model."""
    made = layout(channels_of(_COLUMNS), "int16", model.rate_hz, None)
    assert made is not None
    return Timeline(made, None if model.stamp_us else ARRIVAL_CLOCK)


def placed(
    timeline: Timeline,
    model: Model,
    rng: np.random.Generator,
    link: Radio,
    *,
    span_s: float,
    boot: int = 1,
    begin_s: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return true times of one connection's samples, s, and the program's, UTC ns."""
    rate_hz = model.rate_hz * (1 + rng.uniform(-0.015, 0.015))
    ppm, offset_s = rng.uniform(-50e-6, 50e-6), rng.uniform(10, 1000)
    n_packets = int(span_s * rate_hz / model.n)
    since_s = np.arange(n_packets * model.n) / rate_hz
    device_s = offset_s + since_s * (1 + ppm)
    arrivals_s = link(rng, since_s[model.n - 1 :: model.n])
    epoch_ns = EPOCH_NS + round(begin_s * 1e9)
    number = _numbered(model)
    trips = _trips(rng, offset_s, ppm, span_s) if model.syncs else iter(())
    trip = next(trips, None)
    given: list[np.ndarray] = []
    came = np.isfinite(arrivals_s)
    for k in np.flatnonzero(came).tolist():
        at_ns = round(arrivals_s[k] * 1e9)
        while trip is not None and trip.host_mono_ns < at_ns:
            timeline.observe(boot, round_trip(trip, epoch_ns))
            trip = next(trips, None)
        stamped = device_s[k * model.n + (model.n - 1 if model.stamps_last else 0)]
        packet = number(k, stamped, at_ns)
        anchors = live_anchors(packet, 0, model.rate_hz, epoch_ns)
        given += [p.block.t_ns for p in timeline.place_rows(boot, anchors, packet.samples)]
    given += [piece.block.t_ns for piece in timeline.rest()]
    return begin_s + since_s[np.repeat(came, model.n)], np.concatenate(given)


def _numbered(model: Model) -> Callable[[int, float, int], SensorPacket]:
    """Return how this model's packets become packets of the collector."""
    samples = np.zeros((model.n, 6), np.int16)
    numbering = HostNumbering("x", 1)
    numbering.begin("imu", model.rate_hz)

    def make(k: int, stamped_s: float, at_ns: int) -> SensorPacket:
        step = model.stamp_us
        stamp_us = None if step == 0 else int(stamped_s * 1e6) // step * step
        if model.counts:
            return SensorPacket(
                "x", 1, "imu", PacketKind.LIVE, k * model.n, stamp_us, at_ns, samples
            )
        stamp_ns = None if stamp_us is None else stamp_us * 1000
        block = SampleBlock(
            "imu",
            _COLUMNS,
            samples,
            first_ns=None if model.stamps_last else stamp_ns,
            last_ns=stamp_ns if model.stamps_last else None,
        )
        packet = numbering.packet(block, Notification(at_ns, 0, b""))
        assert packet is not None
        return packet

    return make


def radio(rng: np.random.Generator, ready_s: np.ndarray) -> np.ndarray:
    """Return when packets arrive that were ready at these times: in order, never early."""
    phase_s, drift = rng.uniform(0, INTERVAL_S), rng.uniform(-40e-6, 40e-6)
    events = np.ceil((ready_s - phase_s) / (INTERVAL_S * (1 + drift)))
    again = rng.geometric(0.9, ready_s.size) - 1
    sent_s = phase_s + (events + again) * INTERVAL_S * (1 + drift)
    sent_s += rng.exponential(0.001, ready_s.size)
    stall_s = rng.uniform(0, 60) + 60.0 * np.floor(ready_s / 60.0)
    stalled = (sent_s > stall_s) & (sent_s < stall_s + 0.8)
    sent_s[stalled] = stall_s[stalled] + 0.8
    return np.maximum.accumulate(sent_s)


def _trips(
    rng: np.random.Generator, offset_s: float, ppm: float, span_s: float
) -> Iterator[TimeSyncReport]:
    """Yield round trips as drivers make them."""
    at_s = 0.5
    while at_s < span_s:
        there_s, back_s = rng.uniform(0.002, INTERVAL_S, 2) + rng.exponential(0.001, 2)
        device_us = round((offset_s + (at_s + there_s) * (1 + ppm)) * 1e6)
        end_s = at_s + there_s + 0.0002 + back_s
        yield TimeSyncReport(
            "x",
            1,
            round(end_s * 1e9),
            round(at_s * 1e6),
            device_us,
            device_us + 200,
            round(end_s * 1e6),
        )
        at_s += sync_interval_s(at_s)


def pair_error_ms(one: Model, other: Model, seed: int) -> np.ndarray:
    """Return |error of one - error of the other| after the first minute, ms."""
    t_one, e_one = errors_s(one, 2 * seed)
    t_other, e_other = errors_s(other, 2 * seed + 1)
    grid_s = np.arange(SETTLED_S, SPAN_S - 1.0, 0.1)
    between_s = np.interp(grid_s, t_one, e_one) - np.interp(grid_s, t_other, e_other)
    return np.asarray(np.abs(between_s) * 1e3)


def measure(say: Callable[[str], None]) -> None:
    """Print the relative timing error of pairs."""
    say(f"|relative error| from {SETTLED_S:.0f} s to {SPAN_S:.0f} s, {SEEDS} pairs each, ms")
    say(f"{'head':18} {'trunk':18} {'median':>7} {'p95':>7} {'worst':>7}  aim < {AIM_MS:.0f}")
    for one, other in PAIRS:
        values = np.concatenate(
            [pair_error_ms(MODELS[one], MODELS[other], seed) for seed in range(SEEDS)]
        )
        p50, p95, worst = np.percentile(values, (50, 95, 100))
        verdict = "met" if p95 < AIM_MS else "missed"
        say(f"{one:18} {other:18} {p50:7.1f} {p95:7.1f} {worst:7.1f}  {verdict} at p95")
