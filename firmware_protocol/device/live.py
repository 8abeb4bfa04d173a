"""Live frames: collects samples until a frame is full, and queues frames for the radio."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.definition import FrameFlag, FrameType
from firmware_protocol.frames import INDEX_MODULUS, SEQ_MODULUS, encode_frame

IMU6_COLUMNS = 6
_CLIP_HIGH = 32767
_CLIP_LOW = -32768


def clip_flag(samples: NDArray[np.int16]) -> int:
    """Return the clip flag if acceleration or angular rate reach the end of the range."""
    inertial = samples[:, :IMU6_COLUMNS]
    clipped = bool(((inertial == _CLIP_HIGH) | (inertial == _CLIP_LOW)).any())
    return int(FrameFlag.CLIP) if clipped else 0


def sample_frame(
    samples: NDArray[np.int16],
    *,
    frame_type: FrameType,
    flags: int,
    seq: int,
    index0: int,
    device_us: int,
    rate_code: int,
) -> bytes:
    """Return a frame of what `frame_type` takes of the columns, with its clip flag."""
    columns = samples[:, :IMU6_COLUMNS] if frame_type is FrameType.IMU6 else samples
    return encode_frame(
        columns,
        frame_type=frame_type,
        flags=flags | clip_flag(samples),
        seq=seq,
        index0=index0,
        device_us=device_us,
        rate_code=rate_code,
    )


@dataclass(slots=True)
class LiveStream:
    """The stream of one START, until STOP or the end of the connection."""

    frame_type: FrameType
    rate_code: int
    n_per_frame: int
    queue_limit: int
    seq: int = 0
    """Of the next frame."""
    dropped: int = 0
    """Frames for which the queue had no room."""
    _queue: deque[bytes] = field(default_factory=deque)
    _rows: list[NDArray[np.int16]] = field(default_factory=list)
    _first: tuple[int, int, int] | None = None
    """Index, device time and flags of the first sample that waits."""
    _waiting: int = 0

    def push(
        self,
        first: int,
        device_us: NDArray[np.uint64],
        samples: NDArray[np.int16],
        flags: int = 0,
    ) -> None:
        """Take consecutive samples; flags belong to the first one and begin a new frame."""
        if flags:
            self.flush()
        done = 0
        while done < samples.shape[0]:
            if self._first is None:
                index = (first + done) % INDEX_MODULUS
                self._first = (index, int(device_us[done]), flags if done == 0 else 0)
            take = min(self.n_per_frame - self._waiting, samples.shape[0] - done)
            self._rows.append(samples[done : done + take])
            self._waiting += take
            done += take
            if self._waiting == self.n_per_frame:
                self.flush()

    def flush(self) -> None:
        """Queue what waits as a frame of its own, short as it may be."""
        if self._first is None:
            return
        index0, device_us, flags = self._first
        self.queue(
            sample_frame(
                np.concatenate(self._rows),
                frame_type=self.frame_type,
                flags=flags,
                seq=self.seq,
                index0=index0,
                device_us=device_us,
                rate_code=self.rate_code,
            )
        )
        self._first, self._waiting = None, 0
        self._rows.clear()

    def queue(self, frame: bytes) -> None:
        """Queue a frame that carries `seq`; a full queue drops it, which shows in the sequence."""
        self.seq = (self.seq + 1) % SEQ_MODULUS
        if len(self._queue) >= self.queue_limit:
            self.dropped += 1
        else:
            self._queue.append(frame)

    def take(self) -> list[bytes]:
        """Return the queued frames, oldest first, and empty the queue."""
        frames = list(self._queue)
        self._queue.clear()
        return frames
