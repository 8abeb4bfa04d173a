import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import CorruptSegmentError
from storage.record import Anchors, Channel, Chunk, StreamInfo
from storage.record.segments import (
    decode,
    discard,
    encode,
    path_part,
    publish,
    read_footer,
    remove_leftovers,
    write_synced,
)
from storage.record.types import ChannelDtype


def chunk_of(index: list[int], dtype: ChannelDtype, columns: int) -> tuple[StreamInfo, Chunk]:
    rng = np.random.default_rng(len(index) * columns)
    info = StreamInfo(
        patient="p",
        device_id="d",
        boot=0,
        role="trunk",
        kind="imu",
        channels=tuple(Channel(f"mag_{k}", "uT", dtype, 0.25) for k in range(columns)),
        rate_hz=50.0,
    )
    data = rng.normal(0, 1000, (len(index), columns)).astype(info.dtype)
    rows = np.array(index, dtype=np.int64)
    at = rows[:: max(len(rows) // 3, 1)]
    return info, Chunk(
        rows,
        data,
        Anchors(at, np.where(at % 2 == 0, at * 10, -1), at * 1000 + 5_000_000),
    )


@settings(max_examples=30, deadline=None)
@given(
    st.sets(st.integers(0, 2**40), min_size=1, max_size=60),
    st.sampled_from(("int16", "int32", "float32")),
    st.integers(1, 9),
)
def test_what_is_sealed_is_read_back_bit_for_bit(
    indices: set[int], dtype: ChannelDtype, columns: int
) -> None:
    info, chunk = chunk_of(sorted(indices), dtype, columns)
    again = decode(encode(info, chunk), info)
    np.testing.assert_array_equal(again.index, chunk.index)
    np.testing.assert_array_equal(again.data, chunk.data)
    assert again.data.dtype == info.dtype
    np.testing.assert_array_equal(again.anchors.index, chunk.anchors.index)
    np.testing.assert_array_equal(again.anchors.device_ticks, chunk.anchors.device_ticks)
    np.testing.assert_array_equal(again.anchors.host_ns, chunk.anchors.host_ns)


def test_the_footer_describes_the_sensor_to_any_parquet_reader(tmp_path: Path) -> None:
    info, chunk = chunk_of([3, 4, 8], "int16", 2)
    body = encode(info, chunk)
    (tmp_path / "s.parquet").write_bytes(body)
    table = pq.read_table(tmp_path / "s.parquet")
    assert table.column_names == ["index", "mag_0", "mag_1", "device_ticks", "host_us"]
    footer = read_footer(body)
    assert StreamInfo.from_json(json.dumps(footer["stream"])) == info
    assert (footer["i0"], footer["i1"], footer["samples"]) == (3, 9, 3)
    with pytest.raises(CorruptSegmentError):
        read_footer(body[:-20])


def test_patient_names_become_safe_and_distinct_folders() -> None:
    hostile = ["a/b", "a_b", "..", ".", "a b", "ä", "A:B", "x" * 200, "x" * 201, "a\nb"]
    parts = [path_part(text) for text in hostile]
    assert len(set(parts)) == len(hostile)
    assert all("/" not in part and not part.startswith(".") for part in parts)
    assert all(part.isascii() and part.isprintable() and " " not in part for part in parts)


def test_publishing_never_replaces_a_file(tmp_path: Path) -> None:
    first = write_synced(tmp_path, "raw/a/1.parquet", b"first")
    publish(first, tmp_path / "raw/a/1.parquet")
    second = write_synced(tmp_path, "raw/a/2.parquet", b"second")
    with pytest.raises(FileExistsError):
        publish(second, tmp_path / "raw/a/1.parquet")
    discard(second)
    assert (tmp_path / "raw/a/1.parquet").read_bytes() == b"first"
    assert not list(tmp_path.glob("**/*.tmp"))


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    alive = write_synced(tmp_path, "raw/a/1.parquet", b"alive")
    dead = tmp_path / "raw/a/2.parquet.99999.tmp"
    dead.write_bytes(b"dead")
    assert remove_leftovers(tmp_path) == 1
    assert alive.path.exists()
    assert not dead.exists()
    discard(alive)
