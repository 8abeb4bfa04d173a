"""Frames: round trip, mixed batches, counted discards."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from firmware_protocol.definition import (
    EVENT,
    MAG_MISSING,
    RATE_HZ,
    SAMPLE_LAYOUTS,
    EventCode,
    FrameFlag,
    FrameType,
    RateCode,
)
from firmware_protocol.errors import FieldError
from firmware_protocol.frames import DiscardReason, decode_frames, encode_frame

GOLDEN = bytes.fromhex(
    "11000700a08c00007b2a7515000000000203000000000008a4005cff00000100ffffff070080ff7f0000"
)
COLUMNS = {FrameType.IMU6: 6, FrameType.IMU9: 9, FrameType.QUATERNION: 4}


@st.composite
def frames(draw: st.DrawFn) -> tuple[FrameType, np.ndarray, dict[str, int]]:
    kind = draw(st.sampled_from(sorted(COLUMNS)))
    rows = draw(st.integers(1, 494 // (2 * COLUMNS[kind])))
    samples = draw(hnp.arrays(np.int16, (rows, COLUMNS[kind])))
    header = {
        "flags": draw(st.integers(0, 255)),
        "seq": draw(st.integers(0, 2**16 - 1)),
        "index0": draw(st.integers(0, 2**32 - 1)),
        "device_us": draw(st.integers(0, 2**64 - 1)),
        "rate_code": draw(st.integers(0, 255)),
    }
    return kind, samples, header


def test_the_golden_frame() -> None:
    batch = decode_frames([GOLDEN])
    imu = batch.imu
    assert imu.samples.tolist() == [[0, 0, 2048, 164, -164, 0], [1, -1, 2047, -32768, 32767, 0]]
    assert (imu.seq[0], imu.index0[0], imu.device_us[0]) == (7, 36000, 360_000_123)
    assert (imu.n[0], imu.rate_hz[0], imu.flags[0], imu.frame_type[0]) == (2, 100.0, 0, 1)
    assert imu.sample_index.tolist() == [36000, 36001]
    assert batch.discarded == {}
    again = encode_frame(
        imu.samples, seq=7, index0=36000, device_us=360_000_123, rate_code=RateCode.HZ_100
    )
    assert again == GOLDEN


@given(st.lists(frames(), max_size=8))
def test_a_mixed_batch_returns_what_was_encoded(
    sent: list[tuple[FrameType, np.ndarray, dict[str, int]]],
) -> None:
    batch = decode_frames([encode_frame(s, frame_type=k, **h) for k, s, h in sent])
    assert batch.discarded == {}
    assert batch.unknown == ()
    imu = [(i, *f) for i, f in enumerate(sent) if f[0] is not FrameType.QUATERNION]
    quaternions = [(i, *f) for i, f in enumerate(sent) if f[0] is FrameType.QUATERNION]
    for found, expected in ((batch.imu, imu), (batch.quaternions, quaternions)):
        assert found.source.tolist() == [i for i, *_ in expected]
        assert found.offsets[-1] == found.samples.shape[0]
        assert found.samples.flags.c_contiguous
        for j, (_, kind, samples, header) in enumerate(expected):
            rows = found.samples[found.offsets[j] : found.offsets[j + 1]]
            assert np.array_equal(rows[:, : samples.shape[1]], samples)
            assert np.all(rows[:, samples.shape[1] :] == MAG_MISSING)
            assert found.frame_type[j] == kind
            assert {name: getattr(found, name)[j] for name in header} == header
            inside = found.sample_frame == j
            expected_index = (header["index0"] + np.arange(len(samples))) % 2**32
            assert found.sample_index[inside].tolist() == expected_index.tolist()


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    noise = draw(st.binary(max_size=60) | st.binary(min_size=500, max_size=600))
    head = draw(st.sampled_from([b"", b"\x11", b"\x12", b"\x13", b"\x1f", GOLDEN[:17], GOLDEN]))
    return head + noise


@given(st.lists(hostile(), max_size=20))
def test_arbitrary_bytes_are_decoded_or_counted(notifications: list[bytes]) -> None:
    batch = decode_frames(notifications)
    events = len({row.tobytes() for row in batch.event_headers})
    frames_found = batch.imu.source.size + batch.quaternions.source.size
    lost = sum(batch.discarded.values()) + len(batch.unknown)
    assert frames_found + lost <= len(notifications)
    assert frames_found + lost + batch.events.size >= len(notifications)
    assert events <= batch.events.size


@given(frames(), st.data())
def test_truncation_and_padding_are_counted(
    frame: tuple[FrameType, np.ndarray, dict[str, int]], data: st.DataObject
) -> None:
    kind, samples, header = frame
    whole = encode_frame(samples, frame_type=kind, **header)
    cut = data.draw(st.integers(0, len(whole) - 1))
    batch = decode_frames([whole[:cut], whole + b"\x00", whole])
    assert batch.discarded[DiscardReason.LENGTH_MISMATCH] >= 1
    assert sum(batch.discarded.values()) == 2
    found = batch.quaternions if kind is FrameType.QUATERNION else batch.imu
    assert found.source.tolist() == [2]


def test_each_reason_is_counted_once() -> None:
    no_samples = GOLDEN[:16] + b"\x00" + GOLDEN[17:18]
    too_many = GOLDEN[:16] + b"\xff" + GOLDEN[17:]
    batch = decode_frames(
        [b"", GOLDEN[:17], bytes(513), b"\x21" + GOLDEN[1:], no_samples, too_many, GOLDEN]
    )
    assert batch.discarded == {
        DiscardReason.TOO_SHORT: 2,
        DiscardReason.OVERSIZE: 1,
        DiscardReason.WRONG_MAJOR: 1,
        DiscardReason.NO_SAMPLES: 1,
        DiscardReason.LENGTH_MISMATCH: 1,
    }
    assert batch.imu.source.tolist() == [6]


def test_an_unknown_type_is_returned_raw() -> None:
    new = b"\x17" + GOLDEN[1:]
    batch = decode_frames([new, GOLDEN, b"\x14"])
    assert batch.unknown == (new, b"\x14")
    assert batch.imu.source.tolist() == [1]
    assert batch.discarded == {}


def test_a_huge_value_is_not_copied() -> None:
    huge = memoryview(bytes(10_000_000))
    assert decode_frames([huge] * 200).discarded == {DiscardReason.OVERSIZE: 200}


def test_an_empty_batch_is_empty() -> None:
    batch = decode_frames([])
    assert batch.imu.samples.shape == (0, 6)
    assert batch.events.size == batch.quaternions.source.size == 0


def test_events_keep_their_header() -> None:
    rows = np.zeros(2, dtype=EVENT.dtype)
    rows["code"] = EventCode.TAP, EventCode.WORN
    rows["index"] = 5000, 5003
    sent = encode_frame(
        rows, frame_type=FrameType.EVENT, seq=3, index0=5010, device_us=99, rate_code=6
    )
    batch = decode_frames([GOLDEN, sent])
    assert np.array_equal(batch.events, rows)
    assert batch.event_headers["seq"].tolist() == [3, 3]
    assert batch.imu.source.tolist() == [0]


def test_an_unknown_rate_code_has_no_nominal_rate() -> None:
    sent = encode_frame(np.zeros((1, 6), int), seq=0, index0=0, device_us=0, rate_code=200)
    assert np.isnan(decode_frames([sent]).imu.rate_hz[0])


def test_the_rate_codes_of_the_table() -> None:
    assert RATE_HZ == {1: 25, 2: 50, 3: 100, 4: 200, 5: 400, 6: 52, 7: 104}


def test_unknown_flags_are_kept() -> None:
    sent = encode_frame(
        np.zeros((1, 6), int),
        flags=0x40 | FrameFlag.CLIP,
        seq=0,
        index0=0,
        device_us=0,
        rate_code=1,
    )
    assert decode_frames([sent]).imu.flags[0] == 0x42


@pytest.mark.parametrize(
    ("samples", "kind"),
    [
        (np.zeros((0, 6), int), FrameType.IMU6),
        (np.zeros((50, 6), int), FrameType.IMU6),
        (np.zeros((2, 9), int), FrameType.IMU6),
        (np.full((1, 6), 32768), FrameType.IMU6),
        (np.full((1, 6), -32769), FrameType.IMU6),
        (np.zeros((1, 6)), FrameType.IMU6),
        (np.zeros((1, 16), int), FrameType.EVENT),
        (bytes(13), FrameType.IMU6),
    ],
)
def test_samples_that_do_not_fit_are_refused(samples: Any, kind: FrameType) -> None:
    with pytest.raises(FieldError, match=r"frame"):
        encode_frame(samples, frame_type=kind, seq=0, index0=0, device_us=0, rate_code=1)


def test_a_header_field_out_of_range_is_refused() -> None:
    with pytest.raises(FieldError, match=r"frame_header\.seq"):
        encode_frame(np.zeros((1, 6), int), seq=65536, index0=0, device_us=0, rate_code=1)


def test_every_frame_type_has_a_sample_layout() -> None:
    assert set(SAMPLE_LAYOUTS) == set(FrameType)
