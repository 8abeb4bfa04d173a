import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import (
    DiskFullError,
    StreamConflictError,
    UnknownStreamError,
    WriterLockedError,
)
from storage.record import (
    Anchors,
    Channel,
    CommitInfo,
    DirectWriter,
    Packet,
    RecordReader,
    RecordWriter,
    StreamInfo,
    lock_holder,
    verify,
)
from storage.record import writer as writer_module
from tests.support.records import RATE_HZ, T0_NS, expected, held, imu, packet, values


def recorded(folder: Path, until: int, *, seal: bool = True) -> int:
    """Record samples 0..until in packets of 18, seal them, and return the stream's id."""
    with RecordWriter(folder, background=False) as writer:
        stream = writer.open_stream(imu())
        writer.append(stream, [packet(k, min(18, until - k)) for k in range(0, until, 18)])
        writer.commit()
        if seal:
            writer.seal(stream)
    return stream


def test_samples_are_served_as_they_came(tmp_path: Path) -> None:
    stream = recorded(tmp_path, 1000, seal=False)
    assert held(tmp_path, stream) == expected(set(range(1000)))
    with RecordReader(tmp_path) as reader:
        anchors = reader.anchors(stream)
        np.testing.assert_array_equal(anchors.index, np.arange(0, 1000, 18))
        assert anchors.device_ticks[3] == round(54 * 1e6 / RATE_HZ)
        (found,) = reader.streams()
        assert (found.first_index, found.end_index, found.samples) == (0, 1000, 1000)
        assert found.info == imu()


def test_opening_a_stream_again_gives_the_same_stream(tmp_path: Path) -> None:
    with RecordWriter(tmp_path, background=False) as writer:
        first = writer.open_stream(imu())
        assert writer.open_stream(imu()) == first
        assert writer.open_stream(replace(imu(), firmware="2.1")) == first
        assert writer.open_stream(imu(boot=2)) != first
        assert writer.open_stream(replace(imu(), kind="status")) != first
        # Another rate within one boot: other samples on the same index axis.
        slower = writer.open_stream(replace(imu(), rate_hz=52.0))
        assert slower != first
        assert writer.append(first, [packet(0, 10)]) == 10
        assert writer.append(slower, [packet(5, 10)]) == 5
    assert verify(tmp_path)["ok"]


def test_a_late_duplicate_does_not_touch_a_sealed_segment(tmp_path: Path) -> None:
    stream = recorded(tmp_path, 31_200)
    files = {p: p.read_bytes() for p in tmp_path.glob("raw/**/*.parquet")}
    assert files
    with RecordWriter(tmp_path, background=False) as writer:
        assert writer.open_stream(imu()) == stream
        assert writer.append(stream, [packet(104, 104)]) == 0
        writer.commit()
        assert writer.seal(stream) == []
    assert {p: p.read_bytes() for p in tmp_path.glob("raw/**/*.parquet")} == files
    assert held(tmp_path, stream) == expected(set(range(31_200)))


def test_late_backfill_goes_to_a_segment_of_its_own(tmp_path: Path) -> None:
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(imu())
        writer.append(stream, [packet(0, 500), packet(700, 500)])
        writer.commit()
        (first,) = writer.seal(stream)
        before = (tmp_path / first.path).read_bytes()
        # Other packet boundaries, overlapping on both sides.
        assert writer.append(stream, [packet(490, 120), packet(605, 100)]) == 200
        assert writer.append(stream, [packet(1200, 50)]) == 50
        writer.commit()
        late = writer.seal(stream)
    assert len(late) == 2
    assert "-s1.parquet" in late[0].path
    assert (late[0].i0, late[0].samples) == (500, 200)
    assert (tmp_path / first.path).read_bytes() == before
    assert held(tmp_path, stream) == expected(set(range(1250)))
    report = verify(tmp_path)
    assert report["ok"], report["errors"]
    assert report["streams"][0]["gaps"] == []


piece = st.tuples(st.integers(0, 400), st.integers(1, 60))
moves = st.lists(
    st.one_of(
        piece.map(lambda p: ("append", *p)),
        piece.map(lambda p: ("direct", *p)),
        st.just(("commit", 0, 0)),
        st.just(("seal", 0, 0)),
        st.just(("restart", 0, 0)),
    ),
    max_size=25,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moves)
def test_any_order_of_repeats_and_backfill_ends_as_a_plain_dict(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("record")
    oracle: set[int] = set()
    uncommitted: set[int] = set()
    writer = RecordWriter(folder, background=False)
    stream = writer.open_stream(imu())
    try:
        for step, index, n in steps:
            wanted = set(range(index, index + n))
            if step == "append":
                new = wanted - oracle - uncommitted
                # A direct writer may have stored some of these since this stream was opened.
                assert writer.append(stream, [packet(index, n)]) >= len(new)
                uncommitted |= new
            elif step == "direct":
                with DirectWriter(folder) as direct:
                    direct.seal_direct(
                        direct.open_stream(imu()),
                        values(np.arange(index, index + n)),
                        first_index=index,
                        anchors=Anchors(np.array([index]), np.array([0]), np.array([T0_NS])),
                    )
                oracle |= wanted
                uncommitted -= wanted
            elif step == "seal":
                writer.commit()
                writer.seal(stream)
                oracle |= uncommitted
                uncommitted.clear()
            else:
                writer.commit()
                oracle |= uncommitted
                uncommitted.clear()
                if step == "restart":
                    writer.close()
                    writer = RecordWriter(folder, background=False)
                    assert writer.open_stream(imu()) == stream
        writer.commit()
        oracle |= uncommitted
    finally:
        writer.close()
    assert held(folder, stream) == expected(oracle)
    report = verify(folder)
    assert report["ok"], report["errors"]
    assert report["streams"][0]["samples"] == len(oracle)
    runs = sorted(oracle)
    assert report["streams"][0]["missing_samples"] == (
        runs[-1] - runs[0] + 1 - len(runs) if runs else 0
    )


def test_a_host_index_recognises_repeats_by_device_time(tmp_path: Path) -> None:
    info = imu(host_index=True)
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(info)
        first, second, third = (replace(packet(k, 20), index=0) for k in (0, 20, 40))
        assert writer.append(stream, [first, third]) == 40
        assert writer.append(stream, [first]) == 0
        writer.commit()
        writer.seal(stream)
        assert writer.append(stream, [third, second]) == 20
    with RecordWriter(tmp_path, background=False) as writer:
        assert writer.open_stream(info) == stream
        assert writer.append(stream, [first, second, third]) == 0
        # Half old, half new.
        assert writer.append(stream, [replace(packet(50, 20), index=0)]) == 10
    rows = held(tmp_path, stream)
    assert sorted(rows) == list(range(70))
    assert set(rows.values()) == set(expected(set(range(70))).values())
    assert verify(tmp_path)["ok"]


@pytest.mark.parametrize("clock_hz", [1e3, 32768.0, 1e6])
def test_a_coarse_device_clock_loses_and_repeats_nothing(tmp_path: Path, clock_hz: float) -> None:
    info = replace(imu(host_index=True), device_clock_hz=clock_hz)
    true_rate_hz = RATE_HZ * 1.003
    packets = [
        replace(packet(k, 13), index=0, device_ticks=round(k * clock_hz / true_rate_hz))
        for k in range(0, 13 * 400, 13)
    ]
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(info)
        assert writer.append(stream, packets) == 13 * 400
        assert writer.append(stream, packets) == 0


def test_streams_of_other_types_and_without_rate_or_clock(tmp_path: Path) -> None:
    event = StreamInfo(
        patient="p1",
        device_id="hub",
        boot=0,
        role="none",
        kind="event",
        channels=(Channel("code", "1", "int32"),),
        rate_hz=0.0,
        index_source="host",
    )
    floats = replace(imu(), kind="temperature", channels=(Channel("t", "degC", "float32"),))
    with RecordWriter(tmp_path, background=False) as writer:
        a, b = writer.open_stream(event), writer.open_stream(floats)
        for code in (3, 3, 5):
            data = np.array([[code]], dtype=np.int32)
            assert writer.append(a, [Packet(0, None, T0_NS, data)]) == 1
        writer.append(b, [Packet(0, 0, T0_NS, np.array([[21.5], [np.nan]], np.float32))])
        writer.commit()
        writer.seal(a)
        writer.seal(b)
    assert held(tmp_path, a) == {0: (3,), 1: (3,), 2: (5,)}
    assert held(tmp_path, b)[0] == (21.5,)
    assert verify(tmp_path)["ok"]


def test_wrong_packets_are_refused_with_the_reason(tmp_path: Path) -> None:
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(imu())
        good = packet(0, 5)
        for bad, word in (
            (replace(good, data=good.data[:, :3]), "shape"),
            (replace(good, data=good.data.astype(np.float32)), "float32"),
            (replace(good, index=-1), "index"),
            (replace(good, device_ticks=-5), "counter"),
            (replace(good, host_ns=-5), "arrival"),
        ):
            with pytest.raises(StreamConflictError, match=word):
                writer.append(stream, [good, bad])
        with pytest.raises(UnknownStreamError):
            writer.append(99, [good])
        # Nothing of a refused call was taken.
        assert writer.append(stream, [good]) == 5


@pytest.mark.parametrize(
    "change",
    [
        {"channels": ()},
        {"channels": (Channel("index", "1"),)},
        {"channels": (Channel("a", "1"), Channel("a", "1"))},
        {"channels": (Channel("a", "1"), Channel("b", "1", "float32"))},
        {"channels": (Channel("a", "1", scale=float("nan")),)},
        {"rate_hz": float("inf")},
        {"patient": ""},
        {"device_clock_hz": 0.0},
    ],
)
def test_impossible_descriptions_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    with (
        RecordWriter(tmp_path, background=False) as writer,
        pytest.raises(StreamConflictError),
    ):
        writer.open_stream(replace(imu(), **change))  # type: ignore[arg-type]  # wrong on purpose


def test_a_second_writer_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(imu())
        with pytest.raises(WriterLockedError) as caught:
            RecordWriter(tmp_path)
        assert caught.value.pid == os.getpid()
        assert str(os.getpid()) in str(caught.value)
        holder = lock_holder(tmp_path)
        assert holder is not None
        assert holder.pid == os.getpid()
        assert writer.append(stream, [packet(0, 5)]) == 5
    assert lock_holder(tmp_path) is None
    RecordWriter(tmp_path, background=False).close()


def test_the_thread_commits_and_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "COMMIT_EVERY_S", 0.01)
    told: list[CommitInfo] = []
    with RecordWriter(tmp_path, on_commit=told.append) as writer:
        stream = writer.open_stream(imu())
        writer.append(stream, [packet(0, 18)])
        for _ in range(500):
            if told:
                break
            writer._stop.wait(0.01)
        assert told[0].samples == {stream: 18}
        assert told[0].end_index == {stream: 18}
        assert writer.state.committed_samples == 18
        assert writer.state.pending_samples == 0
        # On disk for everybody else, before close.
        assert held(tmp_path, stream) == expected(set(range(18)))


def test_segments_are_cut_every_five_minutes_with_a_grace(tmp_path: Path) -> None:
    sealed = []
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(imu())
        for k in range(0, int(RATE_HZ * 900), 52):
            writer.append(stream, [packet(k, 52)])
            if k % 5200 == 0:
                writer.commit()
                sealed += writer.seal_due()
        writer.commit()
    lengths_s = [file.samples / RATE_HZ for file in sealed]
    assert len(sealed) == 2
    assert all(295 < length < 360 for length in lengths_s), lengths_s
    assert sealed[0].i1 == sealed[1].i0


def test_a_quiet_stream_is_sealed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = recorded(tmp_path, 200, seal=False)
    with RecordWriter(tmp_path, background=False) as writer:
        (file,) = writer.seal_due()  # nobody opened it since the start
        assert file.samples == 200
        writer.open_stream(imu())
        writer.append(stream, [packet(200, 5)])
        writer.commit()
        assert writer.seal_due() == []
        monkeypatch.setattr(writer_module, "IDLE_SEAL_S", -1.0)
        assert [f.samples for f in writer.seal_due()] == [5]


def test_memory_is_bounded_while_the_disk_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_PENDING_BYTES", 1000)
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(imu())
        writer.append(stream, [packet(0, 100)])
        with pytest.raises(DiskFullError):
            writer.append(stream, [packet(100, 100)])
        writer.commit()
        assert writer.append(stream, [packet(100, 100)]) == 100


def test_losses_are_reported_with_their_cause(tmp_path: Path) -> None:
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(imu())
        writer.append(stream, [packet(0, 10), packet(20, 10), packet(40, 10)])
        writer.note_loss(stream, 10, 20, "overwritten on the sensor")
        with pytest.raises(UnknownStreamError):
            writer.note_loss(77, 0, 1, "nobody")
    (report,) = verify(tmp_path)["streams"]
    assert [(g["i0"], g["i1"], g["cause"]) for g in report["gaps"]] == [
        (10, 20, "overwritten on the sensor"),
        (30, 40, "never reached the host"),
    ]
    assert report["missing_samples"] == 20
    assert (report["first_index"], report["last_index"]) == (0, 49)


def test_the_indices_of_a_time_range_cover_it(tmp_path: Path) -> None:
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(imu())
        for start in range(0, 3000, 500):
            writer.append(stream, [packet(k, 20) for k in range(start, start + 500, 20)])
            writer.commit()
            if start < 2500:
                writer.seal(stream)
    with RecordReader(tmp_path) as reader:
        for a, b in ((0, 40), (300, 2200), (990, 1010), (2400, 2900)):
            t0, t1 = (T0_NS + round(k * 1e9 / RATE_HZ) for k in (a, b))
            i0, i1 = reader.index_range(stream, t0, t1)
            assert a - 40 <= i0 <= a
            assert b - 20 <= i1 <= b + 40
        assert reader.index_range(stream, 0, 5) == (0, 0)
