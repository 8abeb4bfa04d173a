"""Kill -9 in the middle: at most the last uncommitted second is gone, the next start goes on."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from storage.embedded import EmbeddedStore
from storage.record import RecordReader, lock_holder

ROOT = Path(__file__).resolve().parents[3]
BESIDE_SAMPLES = 40
"""Committed rows that are no samples: status and time sync."""


def run_and_kill(folder: Path, *, committed_at_least: int) -> tuple[int, int]:
    """Run a collector until so much is committed, kill it; return (committed, received)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.collect_forever", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    committed = received = 0
    try:
        assert process.stdout is not None
        for line in process.stdout:
            committed, received = (int(word) for word in line.split())
            if committed >= committed_at_least:
                holder = lock_holder(folder)
                assert holder is not None
                assert holder.pid == process.pid
                break
        else:
            raise AssertionError(process.communicate()[1])
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return committed, received


def samples_by_boot(folder: Path) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    with RecordReader(folder) as reader:
        for stream in reader.streams(kind="imu"):
            index = np.concatenate([chunk.index for chunk in reader.samples(stream.id)])
            assert index[0] == 0
            assert (np.diff(index) == 1).all(), "nothing inside is missing"
            found[stream.info.role, stream.info.boot] = index.size
        assert not reader.damaged
    return found


@pytest.mark.slow
def test_what_was_committed_survives_and_the_next_start_goes_on(tmp_path: Path) -> None:
    committed, received = run_and_kill(tmp_path, committed_at_least=600)
    held = samples_by_boot(tmp_path)
    assert set(held) == {("head", 1), ("trunk", 1)}
    assert sum(held.values()) >= committed - BESIDE_SAMPLES
    assert lock_holder(tmp_path) is None, "no stale lock"
    lost = received - sum(held.values())
    assert lost < 2 * 2 * 104, "about a second of two sensors at most, with room for a slow machine"

    run_and_kill(tmp_path, committed_at_least=300)
    again = samples_by_boot(tmp_path)
    assert {key: n for key, n in again.items() if key[1] == 1} == held, "the old is untouched"
    assert {key for key in again if key[1] == 2} == {("head", 2), ("trunk", 2)}
    store = EmbeddedStore(tmp_path)
    seconds = store.angles("p1", 0, 2**62).t_ns
    store.close()
    assert seconds.size >= 2
    assert (np.diff(seconds) > 0).all()
