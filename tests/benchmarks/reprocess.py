"""A wear session from the record to results, as `necktrace reprocess` does it on one core."""

import cProfile
import itertools
import pstats
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from vqf import VQF

from ingest.reprocess_session import process_wear
from ingest.reprocess_wear import END_NS, Wear
from processing.pipeline import PipelineParams
from processing.synthesis import PatientSpec, simulate
from storage.embedded import EmbeddedStore
from tests.support.worn_record import PATIENT, settle, write_samples

DURATION_S = 7200.0
WORN_H = 16.0
"""Hours that a day is worn: simulated patients of the benchmark neither sleep nor rest."""
TARGET_MIN = 25.0
AIM_MIN = 15.0
LINES = 14


def measure(echo: Callable[[str], None], rounds: int = 3) -> None:
    """Print the time of a day and of a year of one patient, and where it goes."""
    recording = simulate(PatientSpec(), 1, DURATION_S)
    params = PipelineParams()
    with tempfile.TemporaryDirectory(prefix="necktrace-") as folder:
        data = Path(folder)
        write_samples(data, recording)
        plan = settle(recording)
        wear = Wear(0, END_NS, plan.setup, plan.resets)

        versions = itertools.count()

        def once() -> int:
            # every run makes a version of its own, as a command would
            result = process_wear(data, PATIENT, "UTC", params, wear, f"bench{next(versions)}")
            store = EmbeddedStore(data)
            for batch in result.batches:
                store.put(batch)
            store.close()
            return result.samples

        samples = once()  # kernels are compiled or loaded now
        blocks = recording.blocks()
        seconds, yardstick = [], []
        for _ in range(rounds):
            begin = time.process_time()
            once()
            between = time.process_time()
            for block in blocks:
                VQF(1.0 / recording.rate_hz).updateBatch(block.gyr, block.acc)
            seconds.append(between - begin)
            yardstick.append(time.process_time() - between)
        profile = cProfile.Profile()
        profile.runcall(once)
    best = min(seconds)
    day_s = best * WORN_H * 3600.0 / DURATION_S
    year_min = day_s * 365.0 / 60.0
    echo(f"reprocess, record to stored results, {DURATION_S / 3600:.0f} h of two sensors at 104 Hz")
    echo(
        f"  {best:5.2f} s of one core, {samples / best * 1e-6:.2f} M samples/s: a day of "
        f"{WORN_H:.0f} h {day_s:.1f} s, a patient-year {year_min:.1f} min "
        f"(target at most {TARGET_MIN:.0f}, aim {AIM_MIN:.0f})"
    )
    echo(
        f"  vqf, two orientations of the same samples alone: {min(yardstick):.2f} s, "
        f"ratio {min(yardstick) / best:.2f}"
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
