"""A collector that dies: run as ``python crashing_writer.py FOLDER STEP`` (or ``forever``).

With a step of sealing it kills itself there, without any clean-up. With ``forever`` it records as
fast as it can and prints ``<acknowledged end index>`` per commit until it is killed.
"""

import os
import signal
import sys

from storage.record import RecordReader, RecordWriter
from tests.support.records import imu, packet


def die_in_sealing(folder: str, step: str) -> None:
    """Commit 4000 samples, and die in the named step of sealing them."""

    def fault(at: str) -> None:
        if at == step:
            os.kill(os.getpid(), signal.SIGKILL)

    writer = RecordWriter(folder, background=False, fault=fault)
    stream = writer.open_stream(imu())
    writer.append(stream, [packet(k, 20) for k in range(0, 4000, 20)])
    writer.commit()
    print("committed", flush=True)
    writer.seal(stream)
    print("sealed", flush=True)


def record_forever(folder: str) -> None:
    """Record two streams, sealing often, and print what is acknowledged."""
    writer = RecordWriter(folder, background=False)
    infos = imu("one"), imu("two")
    streams = [writer.open_stream(info) for info in infos]
    ends = dict.fromkeys(streams, 0)
    with RecordReader(folder) as reader:
        for found in reader.streams():
            ends[found.id] = found.end_index or 0
    turn = 0
    while True:
        turn += 1
        for stream in streams:
            start = ends[stream]
            # Now and then a repeat of what is committed or sealed already.
            if turn % 5 == 0:
                writer.append(stream, [packet(max(start - 3000, 0), 40)])
            writer.append(stream, [packet(k, 20) for k in range(start, start + 200, 20)])
            ends[stream] = start + 200
        writer.commit()
        print(*ends.values(), flush=True)
        if turn % 7 == 0:
            for stream in streams:
                writer.seal(stream)


if __name__ == "__main__":
    if sys.argv[2] == "forever":
        record_forever(sys.argv[1])
    else:
        die_in_sealing(sys.argv[1], sys.argv[2])
