"""kill -9 at random moments and at every step of sealing: nothing is lost, nothing doubled."""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from storage.record import RecordReader, RecordWriter, verify
from tests.support.records import expected, held, imu, packet

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "tests/support/crashing_writer.py"
STEPS = (
    "tmp_opened",
    "tmp_written",
    "tmp_synced",
    "renamed",
    "folder_synced",
    "entered",
    "committed",
)


def start(folder: Path, mode: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), mode],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("step", STEPS)
def test_death_at_any_step_of_sealing_loses_and_doubles_nothing(tmp_path: Path, step: str) -> None:
    process = start(tmp_path, step)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert out.split() == ["committed"]
    # A reader that comes before any recovery already sees all of it, once.
    assert held(tmp_path, 1) == expected(set(range(4000)))
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(imu())
        assert writer.append(stream, [packet(3990, 30)]) == 20
        writer.commit()
        writer.seal(stream)
    assert held(tmp_path, stream) == expected(set(range(4020)))
    report = verify(tmp_path)
    assert report["ok"], report["errors"]
    listed = {p.relative_to(tmp_path) for p in tmp_path.glob("raw/**/*") if p.is_file()}
    assert len(listed) == report["segments"], "recovery left files that the manifest does not name"


@pytest.mark.parametrize(
    "kills", [3, pytest.param(20, marks=pytest.mark.soak)], ids=["short", "long"]
)
def test_killed_again_and_again_with_a_reader_beside(tmp_path: Path, kills: int) -> None:
    rng = random.Random(kills)
    acknowledged = [0, 0]
    problems: list[str] = []
    reads = 0
    stop = threading.Event()

    def read() -> None:
        nonlocal reads
        seen: dict[int, int] = {}
        while not stop.wait(0.05):
            if not (tmp_path / "posture.db").exists():
                continue
            try:
                with RecordReader(tmp_path) as reader:
                    for stream in reader.streams():
                        end = 0
                        low = max(seen.get(stream.id, 0) - 3000, 0)
                        for chunk in reader.samples(stream.id, low):
                            if chunk.index[0] != (end or low):
                                problems.append(f"a hole before {chunk.index[0]}")
                            end = int(chunk.index[-1]) + 1
                            if len(chunk.index) != end - int(chunk.index[0]):
                                problems.append(f"inconsistent near {end}")
                        if end < seen.get(stream.id, 0):
                            problems.append(f"went back from {seen[stream.id]} to {end}")
                        seen[stream.id] = end
                        reads += 1
            except Exception as error:  # every failure of a reader is a finding
                problems.append(repr(error))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for _ in range(kills):
            process = start(tmp_path, "forever")
            assert process.stdout is not None
            for _ in range(rng.randint(5, 40)):
                line = process.stdout.readline()
                acknowledged = [int(word) for word in line.split()]
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().splitlines()
            process.stdout.close()
            process.wait()
            whole = [line for line in rest if len(line.split()) == 2]
            # The last line may be cut short by the kill.
            for line in whole[:-1]:
                acknowledged = [int(word) for word in line.split()]
    finally:
        stop.set()
        thread.join()
    assert not problems, problems[:3]
    assert reads > 0
    assert not any((tmp_path / "quarantine").glob("**/*.parquet"))
    RecordWriter(tmp_path, background=False).close()
    report = verify(tmp_path)
    assert report["ok"], report["errors"]
    for stream, end in zip(report["streams"], acknowledged, strict=True):
        assert stream["gaps"] == []
        assert stream["samples"] >= end > 0
        assert held(tmp_path, stream["id"]) == expected(set(range(stream["samples"])))
