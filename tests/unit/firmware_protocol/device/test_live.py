"""Live frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.definition import FrameFlag, FrameType
from firmware_protocol.device.live import LiveStream, clip_flag
from firmware_protocol.frames import decode_frames
from tests.unit.firmware_protocol.device.bench import counts_of


def stream(n_per_frame: int = 18, queue_limit: int = 1000, seq: int = 0) -> LiveStream:
    return LiveStream(FrameType.IMU6, 3, n_per_frame, queue_limit, seq)


def push(live: LiveStream, first: int, n: int, flags: int = 0) -> None:
    index = first + np.arange(n)
    live.push(first, (index * 10_000).astype(np.uint64), counts_of(index, 1), flags)


@given(st.lists(st.integers(1, 60), max_size=12), st.integers(1, 41))
def test_any_chunking_gives_the_same_frames(chunks: list[int], n_per_frame: int) -> None:
    whole, pieces = stream(n_per_frame), stream(n_per_frame)
    push(whole, 0, sum(chunks)) if chunks else None
    at = 0
    for n in chunks:
        push(pieces, at, n)
        at += n
    sent = whole.take()
    assert pieces.take() == sent
    frames = decode_frames(sent).imu
    assert set(frames.n.tolist()) <= {n_per_frame}
    assert np.array_equal(frames.samples, counts_of(np.arange(len(frames.samples)), 1))
    assert frames.device_us.tolist() == [10_000 * i for i in frames.index0.tolist()]
    assert at - len(frames.samples) < n_per_frame


def test_flags_begin_a_new_frame() -> None:
    live = stream()
    push(live, 0, 5)
    push(live, 9, 18, FrameFlag.OVERRUN)
    frames = decode_frames(live.take()).imu
    assert frames.n.tolist() == [5, 18]
    assert frames.flags.tolist() == [0, FrameFlag.OVERRUN]
    assert frames.index0.tolist() == [0, 9]


def test_a_full_queue_shows_as_a_sequence_gap() -> None:
    live = stream(n_per_frame=10, queue_limit=3, seq=65534)
    push(live, 0, 50)
    frames = decode_frames(live.take()).imu
    assert frames.seq.tolist() == [65534, 65535, 0]
    assert live.dropped == 2
    push(live, 50, 10)
    assert decode_frames(live.take()).imu.seq.tolist() == [3]


@pytest.mark.parametrize(("value", "flag"), [(32767, 2), (-32768, 2), (32766, 0)])
def test_clipping_is_marked(value: int, flag: int) -> None:
    rows = np.zeros((3, 9), dtype=np.int16)
    rows[1, 4] = value
    assert clip_flag(rows) == flag
    missing_mag = np.full((1, 9), -32768, dtype=np.int16)
    missing_mag[:, :6] = 0
    assert clip_flag(missing_mag) == 0
