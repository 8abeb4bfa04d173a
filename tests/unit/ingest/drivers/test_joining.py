"""Acceleration and angular rate sent apart: every sample once, each with its neighbour in time."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.drivers import PacketKind, SensorPacket
from ingest.drivers.joining import PATIENCE_S, PairJoiner

RATE_HZ = 52.0
PERIOD_US = 1e6 / RATE_HZ


def packet(stream: str, first: int, n: int, begin_us: float, at: int = 0) -> SensorPacket:
    """Every number tells its stream and index."""
    index = np.arange(first, first + n)
    sign = 1 if stream == "gyr" else -1
    samples = np.repeat(sign * (1 + index)[:, None], 3, axis=1).astype(np.int32)
    return SensorPacket(
        "polar-1",
        7,
        stream,
        PacketKind.LIVE,
        first,
        round(begin_us + first * PERIOD_US),
        at,
        samples,
    )


def rows_of(packets: list[SensorPacket]) -> dict[int, tuple[float, float]]:
    """Return (acceleration, angular rate) by index; an index given twice fails."""
    held: dict[int, tuple[float, float]] = {}
    for each in packets:
        assert each.stream == "imu"
        assert each.samples.dtype == np.float32
        for k in range(each.n):
            assert each.first_index + k not in held
            held[each.first_index + k] = (float(each.samples[k, 0]), float(each.samples[k, 3]))
    assert list(held) == sorted(held)
    return held


@settings(max_examples=200)
@given(data=st.data(), ahead_us=st.floats(-400_000, 400_000))
def test_every_sample_comes_once_beside_its_neighbour(data: st.DataObject, ahead_us: float) -> None:
    """Packets of any size, each stream losing some, merged in any order of arrival."""
    streams: dict[str, list[SensorPacket]] = {}
    for stream, begin_us in (("acc", 5e6 + ahead_us), ("gyr", 5e6)):
        first, made = 0, []
        for n in data.draw(st.lists(st.integers(1, 40), min_size=3, max_size=8)):
            if data.draw(st.integers(0, 4)):
                made.append(packet(stream, first, n, begin_us))
            first += n
        streams[stream] = made
    joiner = PairJoiner(RATE_HZ)
    out: list[SensorPacket] = []
    acc, gyr = list(streams["acc"]), list(streams["gyr"])
    while acc or gyr:
        # as on air: by the time of the last sample
        ends = [(s[0].device_us or 0) + s[0].n * PERIOD_US if s else np.inf for s in (acc, gyr)]
        out += joiner.add((acc if ends[0] <= ends[1] else gyr).pop(0))
    out += joiner.flush()
    held = rows_of(out)
    assert joiner.late == 0
    sent = {
        s: [-v if s == "acc" else v for p in streams[s] for v in p.samples[:, 0]] for s in streams
    }
    assert [-a for a, _ in held.values() if not np.isnan(a)] == sent["acc"]
    assert [g for _, g in held.values() if not np.isnan(g)] == sent["gyr"]
    if not (streams["acc"] and streams["gyr"]):
        return
    for a, g in held.values():
        if not (np.isnan(a) or np.isnan(g)):
            apart_us = ahead_us + (-a - 1) * PERIOD_US - (g - 1) * PERIOD_US
            assert abs(apart_us) <= 0.51 * PERIOD_US + 2


def test_a_joined_packet_keeps_stamp_and_arrival_of_angular_rate() -> None:
    joiner = PairJoiner(RATE_HZ)
    assert joiner.add(packet("acc", 0, 36, 1e6, at=1)) == []
    (first,) = joiner.add(packet("gyr", 0, 30, 1e6 + 3000, at=2))
    assert (first.first_index, first.n, first.host_mono_ns) == (0, 30, 2)
    assert first.device_us == 1_003_000
    assert np.isfinite(first.samples).all()


def test_a_stream_that_stops_does_not_hold_the_other_up() -> None:
    joiner = PairJoiner(RATE_HZ)
    joiner.add(packet("acc", 0, 36, 1e6))
    out = joiner.add(packet("gyr", 0, 36, 1e6))
    for k in range(1, 12):
        out += joiner.add(packet("gyr", 36 * k, 36, 1e6))
    held = rows_of(out)
    assert len(held) >= 12 * 36 - PATIENCE_S * RATE_HZ - 36
    assert np.isnan([a for a, _ in held.values()]).sum() == len(held) - 36
    other = PairJoiner(RATE_HZ)
    out = other.add(packet("gyr", 0, 36, 1e6))
    for k in range(12):
        out += other.add(packet("acc", 36 * k, 36, 1e6))
    assert len(rows_of(out)) >= 12 * 36 - PATIENCE_S * RATE_HZ - 1


def test_a_stepped_clock_is_aligned_anew() -> None:
    joiner = PairJoiner(RATE_HZ)
    out = joiner.add(packet("acc", 0, 10, 1e6)) + joiner.add(packet("gyr", 0, 10, 1e6))
    gyr = replace(packet("gyr", 10, 10, 9e6), clock_stepped=True)
    acc = replace(packet("acc", 10, 10, 9e6), clock_stepped=True)
    out += joiner.add(gyr) + joiner.add(acc)
    held = rows_of(out)
    assert len(held) == 20
    assert all(a == -g for a, g in held.values())
