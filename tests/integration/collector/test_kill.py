"""Kill -9 in the middle: at most the last uncommitted second is gone, the next start goes on."""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from storage.embedded import EmbeddedStore
from storage.record import RecordReader, RecordWriter, lock_holder, verify

ROOT = Path(__file__).resolve().parents[3]
BESIDE_SAMPLES = 40
"""Committed rows that are no samples: status and time sync."""


def run_and_kill(
    folder: Path, *, committed_at_least: int, ready: Callable[[], bool] = lambda: True
) -> tuple[int, int]:
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
            if committed >= committed_at_least and ready():
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


@pytest.mark.soak
def test_a_collector_killed_twenty_times_with_a_reader_beside(tmp_path: Path) -> None:
    """Every committed sample is there once, and no answer of the reader takes one back."""
    rng = random.Random(20)
    stop = threading.Event()
    problems: list[str] = []
    answers = 0

    def read() -> None:
        nonlocal answers
        seen: dict[int, int] = {}
        while not stop.wait(0.05):
            if not (tmp_path / "posture.db").exists():
                continue
            try:
                with RecordReader(tmp_path) as reader:
                    for stream in reader.streams(kind="imu"):
                        end = seen.get(stream.id, 0)
                        index = [c.index for c in reader.samples(stream.id, max(end - 500, 0))]
                        found = np.concatenate(index) if index else np.empty(0, np.int64)
                        if (np.diff(found) != 1).any() or (found.size and found[-1] + 1 < end):
                            problems.append(f"{stream.id}: {end} samples before, then {found[-5:]}")
                        seen[stream.id] = int(found[-1]) + 1 if found.size else end
                        answers += 1
            except Exception as error:  # every failure of a reader is a finding
                problems.append(repr(error))

    reader = threading.Thread(target=read)
    reader.start()
    committed = 0
    try:
        for _ in range(20):
            committed += run_and_kill(tmp_path, committed_at_least=rng.randint(50, 700))[0]
    finally:
        stop.set()
        reader.join()
    assert not problems, problems[:3]
    assert answers > 100
    held = samples_by_boot(tmp_path)
    assert {boot for _, boot in held} == set(range(1, 21))
    assert sum(held.values()) >= committed - 20 * BESIDE_SAMPLES
    RecordWriter(tmp_path, background=False).close()
    report = verify(tmp_path)
    assert report["ok"], report["errors"]
