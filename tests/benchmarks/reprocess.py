"""A wear session from the record to results, as `necktrace reprocess` does it on one core."""

import cProfile
import pstats
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ingest.assemble import layout_of
from ingest.reprocess_session import process_wear
from ingest.reprocess_wear import END_NS, Wear
from processing import grid, session
from processing.pipeline import PipelineParams
from processing.synthesis import PatientSpec, SimulatedRecording, simulate
from storage.embedded import EmbeddedStore
from storage.record import Anchors, Channel, DirectWriter, StreamInfo

DURATION_S = 7200.0
START_NS = 1_790_000_000_000_000_000
PER_PACKET = 10
WORN_H = 16.0
"""Hours that a day is worn: simulated patients of the benchmark neither sleep nor rest."""
TARGET_MIN = 25.0
LINES = 14


def measure(echo: Callable[[str], None], rounds: int = 3) -> None:
    """Print the time of a day and of a year of one patient, and where it goes."""
    recording = simulate(PatientSpec(), 1, DURATION_S)
    params = PipelineParams()
    with tempfile.TemporaryDirectory(prefix="necktrace-") as folder:
        data = Path(folder)
        _record(recording, data)
        wear = _wear(recording, params)

        def once() -> int:
            result = process_wear(data, "p", "UTC", params, wear, "bench")
            store = EmbeddedStore(data)
            for batch in result.batches:
                store.put(batch)
            store.close()
            return result.samples

        samples = once()  # kernels are compiled or loaded now
        seconds = []
        for _ in range(rounds):
            begin = time.process_time()
            once()
            seconds.append(time.process_time() - begin)
        profile = cProfile.Profile()
        profile.runcall(once)
    best = min(seconds)
    day_s = best * WORN_H * 3600.0 / DURATION_S
    year_min = day_s * 365.0 / 60.0
    echo(f"reprocess, record to stored results, {DURATION_S / 3600:.0f} h of two sensors at 104 Hz")
    echo(
        f"  {best:5.2f} s of one core, {samples / best * 1e-6:.2f} M samples/s: a day of "
        f"{WORN_H:.0f} h {day_s:.1f} s, a patient-year {year_min:.1f} min "
        f"(at most {TARGET_MIN:.0f})"
    )
    _profile(echo, profile)


def _profile(echo: Callable[[str], None], profile: cProfile.Profile) -> None:
    stats = pstats.Stats(profile)
    rows = sorted(stats.get_stats_profile().func_profiles.items(), key=lambda r: -r[1].tottime)
    whole = sum(row.tottime for _, row in rows)
    echo("  where the time goes (share of the function's own time, calls)")
    for name, row in rows[:LINES]:
        place = f"{Path(row.file_name).name}:{row.line_number} {name}"
        echo(f"    {row.tottime / whole:5.1%}  {row.ncalls:>7}  {place}")


def _wear(recording: SimulatedRecording, params: PipelineParams) -> Wear:
    head, trunk = recording.blocks()
    state = grid.start(params.grid, has_trunk=True)
    _, pair = grid.step(params.grid, state, head, trunk, final=True)
    plan = session.plan(params, pair, recording.spans)
    return Wear(0, END_NS, plan.setup, plan.resets)


def _record(recording: SimulatedRecording, folder: Path) -> None:
    """Write the samples as the collector would have sealed them."""
    with DirectWriter(folder) as writer:
        for role, truth, counts in (
            ("head", recording.head, recording.head_counts),
            ("trunk", recording.trunk, recording.trunk_counts),
        ):
            info = StreamInfo(
                patient="p",
                device_id=role,
                boot=1,
                role=role,
                kind="imu",
                channels=_channels(truth.acc_per_count, truth.gyr_per_count),
                rate_hz=recording.rate_hz,
                device_clock_hz=1e6,
            )
            assert layout_of(info.channels, "int16", info.rate_hz) is not None
            stream = writer.open_stream(info)
            step = round(300.0 * recording.rate_hz) // PER_PACKET * PER_PACKET
            for first in range(0, len(counts), step):
                part = counts[first : first + step]
                at = np.arange(first, first + len(part), PER_PACKET, dtype=np.int64)
                took_ns = np.round(at * (1e9 / recording.rate_hz)).astype(np.int64)
                anchors = Anchors(at, took_ns // 1000, START_NS + took_ns // 1000 * 1000)
                writer.seal_direct(stream, part, first_index=first, anchors=anchors)


def _channels(acc: float, gyr: float) -> tuple[Channel, ...]:
    return tuple(
        [Channel(f"acc_{a}", "m/s^2", "int16", acc) for a in "xyz"]
        + [Channel(f"gyr_{a}", "rad/s", "int16", gyr) for a in "xyz"]
    )
