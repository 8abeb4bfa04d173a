"""The record gives samples the times they had live, whatever came late at first."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from ingest.assemble import Layout, layout_of
from ingest.sources.replay import blocks
from ingest.timeline import ARRIVAL_CLOCK, Piece, Run, Timeline
from processing.types import IntArray
from storage.record import Anchors, Channel, DirectWriter, RecordReader, StreamInfo

T0_NS = 1_790_000_000_000_000_000
RATE_HZ = 100.0
PER_PACKET = 5
CHANNELS = tuple(
    Channel(f"{kind}_{a}", unit, "int16", 1e-3)
    for kind, unit in (("acc", "m/s^2"), ("gyr", "rad/s"))
    for a in "xyz"
)


def arrivals_ns(begin_s: float, count: int, late_until_s: float) -> IntArray:
    """Packets of a boot; the link brings none of them before it is ready."""
    ready_s = begin_s + (np.arange(count) * PER_PACKET + PER_PACKET - 1) / RATE_HZ
    came_s = np.maximum(ready_s + 0.004, begin_s + late_until_s + np.arange(count) * 1e-4)
    return np.asarray(T0_NS + np.round(came_s * 1e6).astype(np.int64) * 1000)


BOOTS = {
    1: arrivals_ns(0.0, 240, 3.0),
    2: arrivals_ns(20.0, 6, 0.0),  # over before its clock is known
    3: arrivals_ns(30.0, 200, 1.5),
}


@pytest.fixture(params=[True, False], ids=["clock", "no clock"])
def stamped(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@contextmanager
def recorded(folder: Path, *, stamped: bool) -> Iterator[RecordReader]:
    with DirectWriter(folder) as writer:
        for boot, host_ns in BOOTS.items():
            index = np.arange(host_ns.size, dtype=np.int64) * PER_PACKET
            info = StreamInfo(
                patient="p",
                device_id="d",
                boot=boot,
                role="head",
                kind="imu",
                channels=CHANNELS,
                rate_hz=RATE_HZ,
                device_clock_hz=1e6 if stamped else None,
            )
            writer.seal_direct(
                writer.open_stream(info),
                np.zeros((host_ns.size * PER_PACKET, 6), np.int16),
                first_index=0,
                anchors=Anchors(index=index, device_ticks=index * 10_000, host_ns=host_ns),
            )
    with RecordReader(folder) as reader:
        yield reader


def live(timeline: Timeline, from_ns: int = 0, until_ns: int = 2**62) -> list[Piece]:
    """Return what a collector gives out, packet by packet."""
    pieces = []
    for boot, host_ns in BOOTS.items():
        for k, at_ns in enumerate(host_ns.tolist()):
            if from_ns <= at_ns < until_ns:
                first = k * PER_PACKET
                samples = np.zeros((PER_PACKET, 6), np.int16)
                run = Run(first, first * 10_000, at_ns, samples, live=True)
                pieces += timeline.place(boot, [run])
    return pieces


def timeline_of(*, stamped: bool) -> Timeline:
    return Timeline(_layout(), None if stamped else ARRIVAL_CLOCK)


def _layout() -> Layout:
    found = layout_of(CHANNELS, "int16", RATE_HZ)
    assert found is not None
    return found


def times(pieces: list[Piece]) -> IntArray:
    return np.concatenate([np.empty(0, np.int64), *(piece.block.t_ns for piece in pieces)])


def test_replay_gives_the_times_of_live(tmp_path: Path, *, stamped: bool) -> None:
    with recorded(tmp_path, stamped=stamped) as reader:
        replayed = list(blocks(reader, patient="p", role="head"))
    given = live(timeline_of(stamped=stamped))
    assert np.array_equal(times(replayed), times(given))
    assert times(given).size == sum(host_ns.size for host_ns in BOOTS.values()) * PER_PACKET
    assert not any(piece.new_axis for piece in replayed)


@pytest.mark.parametrize("until_s", [0.5, 3.0005, 3.5, 9.0, 20.1, 25.0, 30.5, 32.0])
def test_a_restart_goes_on_where_first_packets_still_wait(
    tmp_path: Path, until_s: float, *, stamped: bool
) -> None:
    until_ns = T0_NS + round(until_s * 1e9)
    whole = live(timeline_of(stamped=stamped))
    reached: list[Timeline] = []
    with recorded(tmp_path, stamped=stamped) as reader:
        before = list(
            blocks(
                reader,
                patient="p",
                role="head",
                as_of_ns=until_ns,
                on_reached=lambda _, timeline: reached.append(timeline),
            )
        )
    assert np.array_equal(
        times(before), times(live(timeline_of(stamped=stamped), until_ns=until_ns))
    )
    timeline = reached[-1] if reached else timeline_of(stamped=stamped)
    after = live(timeline, until_ns)
    assert np.array_equal(np.concatenate((times(before), times(after))), times(whole))
