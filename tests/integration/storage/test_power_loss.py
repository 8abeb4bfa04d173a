"""Power loss: only what reached the block device survives. Acknowledged samples must.

The record lies on a file system of its own inside an image file. At a random moment the image is
copied as it is: pages that nobody synced are in the kernel's memory and not in the copy. The copy
is mounted (the file system replays its journal), and must hold all that was acknowledged.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.record import RecordWriter, verify
from tests.support.records import expected, held

ROOT = Path(__file__).parents[3]


def run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    # A long commit interval: the file system's own timer must not do the record's work.
    if not run("mount", "-o", "loop,commit=300", str(image), str(folder)):
        pytest.skip("mounting an image needs root and loop devices")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(48 << 20)
    if os.geteuid() != 0 or not run("mkfs.ext4", "-q", "-F", str(path)):
        pytest.skip("a file system of its own needs root and mkfs.ext4")
    return path


@pytest.mark.parametrize(
    "losses", [2, pytest.param(12, marks=pytest.mark.soak)], ids=["short", "long"]
)
def test_what_was_acknowledged_survives_power_loss(
    tmp_path: Path, image: Path, losses: int
) -> None:
    rng = random.Random(losses)
    disk, after, copy = tmp_path / "disk", tmp_path / "after", tmp_path / "copy.img"
    acknowledged = [0, 0]
    with mounted(image, disk):
        for loss in range(losses):
            process = subprocess.Popen(
                [
                    sys.executable,
                    str(ROOT / "tests/support/crashing_writer.py"),
                    str(disk / "data"),
                    "forever",
                ],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            lines: list[str] = []
            reader = threading.Thread(target=lines.extend, args=(process.stdout,))
            for _ in range(rng.randint(10, 60)):
                line = process.stdout.readline()
                acknowledged = [int(word) for word in line.split()]
            # Proof that the copy forgets: this file is written, and never synced.
            unsynced = disk / f"unsynced-{loss}"
            unsynced.write_bytes(b"x" * 100_000)
            process.send_signal(signal.SIGSTOP)
            shutil.copyfile(image, copy)
            process.send_signal(signal.SIGKILL)
            reader.start()
            process.wait()
            reader.join()
            process.stdout.close()
            with mounted(copy, after):
                lost = after / f"unsynced-{loss}"
                assert not lost.exists() or lost.read_bytes() != b"x" * 100_000
                RecordWriter(after / "data", background=False).close()
                report = verify(after / "data")
                assert report["ok"], report["errors"]
                for stream, end in zip(report["streams"], acknowledged, strict=True):
                    assert stream["gaps"] == []
                    assert stream["samples"] >= end
                    found = held(after / "data", stream["id"])
                    assert found == expected(set(range(stream["samples"])))
