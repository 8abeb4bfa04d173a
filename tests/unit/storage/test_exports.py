import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from processing.types import ImuBlock, Span
from storage.embedded import EmbeddedStore
from storage.errors import StorageError
from storage.exports import (
    BidsDerived,
    BidsSubject,
    BidsSystem,
    bids_zip,
    block_batches,
    episode_batches,
    full_rate_batches,
    raw_batches,
    second_batches,
    stream,
    summary_batches,
    write_bids,
)
from storage.exports.encode import FormatName
from storage.importers.bids import open_bids
from storage.record import RecordReader, RecordWriter
from storage.result_rows import FullRate, ResultBatch, StoredSummary
from tests.support.records import imu, packet, values
from tests.support.results import ALGO, T0_NS, episode, seconds

FORMS: tuple[FormatName, ...] = ("parquet", "arrow", "csv")


def read(body: bytes, form: FormatName) -> pa.Table:
    if form == "parquet":
        return pq.read_table(io.BytesIO(body))
    if form == "arrow":
        return pa.ipc.open_stream(body).read_all()
    return pcsv.read_csv(io.BytesIO(body))


@pytest.mark.parametrize("form", FORMS)
def test_the_record_comes_out_as_it_went_in(tmp_path: Path, form: FormatName) -> None:
    with RecordWriter(tmp_path, background=False) as writer:
        stream_id = writer.open_stream(imu())
        writer.append(stream_id, [packet(k, 20) for k in range(0, 2000, 20) if k != 400])
        writer.commit()
        writer.seal(stream_id)
    index = np.array([k for k in range(2000) if not 400 <= k < 420])
    with RecordReader(tmp_path) as reader:
        schema, batches = raw_batches(reader, stream_id)
        table = read(b"".join(stream(batches, schema, form)), form)
        assert table.column("index").to_pylist() == index.tolist()
        np.testing.assert_array_equal(table.column("gyr_y").to_numpy(), values(index)[:, 4] * 0.5)
        assert table.column("host_ns").null_count == len(index) - 99
        assert table.column("device_ticks").to_pylist()[0] == 0
        schema, batches = raw_batches(reader, stream_id, 100, 160, physical=False)
        table = read(b"".join(stream(batches, schema, form)), form)
        np.testing.assert_array_equal(
            table.column("acc_x").to_numpy(), values(np.arange(100, 160))[:, 0]
        )
        if form != "csv":
            assert table.schema.field("acc_x").type == pa.int16()
            assert schema.field("acc_x").metadata == {b"unit": b"1", b"scale": b"0.5"}


@pytest.mark.parametrize("form", FORMS)
def test_nothing_to_export_is_a_valid_empty_file(tmp_path: Path, form: FormatName) -> None:
    store = EmbeddedStore(tmp_path)
    schema, batches = second_batches(store, "p", T0_NS, T0_NS + 10**9)
    table = read(b"".join(stream(batches, schema, form)), form)
    assert table.num_rows == 0
    assert table.column_names == schema.names
    store.close()


def test_a_long_export_is_made_piece_by_piece() -> None:
    made = 0

    def blocks() -> Iterator[ImuBlock]:
        nonlocal made
        for k in range(50):
            made += 1
            t = (k * 1000 + np.arange(1000)) * 10_000_000
            yield ImuBlock.checked(t, np.full((1000, 3), 0.1), np.ones((1000, 3)), rate_hz=100.0)

    schema, batches = block_batches(blocks())
    pieces = stream(batches, schema, "csv")
    next(pieces)
    assert made <= 2
    assert sum(1 for _ in pieces) >= 49


@pytest.mark.parametrize("form", FORMS)
def test_results_come_out_with_units_and_nulls(tmp_path: Path, form: FormatName) -> None:
    store = EmbeddedStore(tmp_path)
    store.put(ResultBatch("p1", ALGO, angles=seconds(0, 90)))
    schema, batches = second_batches(store, "p1", T0_NS, T0_NS + 90 * 10**9)
    table = read(b"".join(stream(batches, schema, form)), form)
    assert table.num_rows == 90
    assert table.column("head_pitch_deg").null_count == 90
    np.testing.assert_allclose(
        table.column("flexion_max_deg").to_numpy(), seconds(0, 90).values[:, 2], atol=0.006
    )
    store.close()
    schema, batches = episode_batches([episode(5.0), episode(9.0, "tremor")])
    table = read(b"".join(stream(batches, schema, form)), form)
    assert table.column("kind").to_pylist() == ["jerk", "tremor"]
    assert '"peak_rate_dps": 321.125' in table.column("features").to_pylist()[0]
    rows = [
        StoredSummary(5, {"worn_s": 60.0, "sd_deg": None}, {"reasons": ["a", "b"], "date": "d"})
    ]
    schema, batches = summary_batches(rows)
    table = read(b"".join(stream(batches, schema, form)), form)
    assert table.column("worn_s").to_pylist() == [60.0]
    assert table.column("reasons").to_pylist() == ['["a", "b"]']
    assert table.column("sd_deg").null_count == 1


def test_full_rate_angles_come_out(tmp_path: Path) -> None:
    n = 300
    store = EmbeddedStore(tmp_path)
    angles = np.linspace(-90, 90, 4 * n).reshape(n, 4)
    q = np.tile([1.0, 0.0, 0.0, 0.0], (n, 1))
    times = T0_NS + np.arange(n) * 10_000_000
    rows = FullRate(times, angles, np.full(n, 2.0), q, np.ones(n, np.bool_))
    store.put(ResultBatch("p", "a", full_rate=rows))
    schema, batches = full_rate_batches(store.full_rate, "p", T0_NS, T0_NS + 2 * 10**9)
    table = read(b"".join(stream(batches, schema, "parquet")), "parquet")
    assert table.column("t_ns").to_pylist() == times[:200].tolist()
    np.testing.assert_allclose(table.column("flexion_deg").to_numpy(), angles[:200, 0], atol=0.006)
    assert table.column("head_roll_deg").null_count == 200
    store.close()


def subject(*, with_mag: bool = False) -> tuple[BidsSubject, dict[str, ImuBlock]]:
    rng = np.random.default_rng(4)
    blocks = {}
    for point, rate in (("head", 104.0), ("trunk", 52.0)):
        t = T0_NS + np.rint(np.arange(500) * 1e9 / rate).astype(np.int64)
        t[200:] += 3_000_000_000  # a hole
        acc, gyr = (
            rng.normal(0, 1, (500, 3)) + np.array([0.0, 9.5, 0.0]),
            rng.normal(0, 1, (500, 3)),
        )
        mag = rng.normal(0, 40, (500, 3)) if with_mag else None
        acc[7, 1] = np.nan
        blocks[point] = ImuBlock.checked(t, acc, gyr, rate_hz=rate, mag=mag)
    systems = tuple(
        BidsSystem(point, block.rate_hz, [block], with_mag=with_mag)
        for point, block in blocks.items()
    )
    spans = (Span("neutral_pose", T0_NS + 10**9, T0_NS + 2 * 10**9, 2.0), Span("nod", T0_NS, T0_NS))
    k = np.arange(300)
    angles = FullRate(
        T0_NS + k * 10**7, np.tile([1.0, -2.0, 25.5, np.nan], (300, 1)), np.full(300, 2.0),
        np.tile([1.0, 0.0, 0.0, 0.0], (300, 1)), k % 2 == 0,
    )  # fmt: skip
    made_of = {"algo": "1-00000000", "params_hash": "00000000", "alignment_ids": "a1 a2"}
    derived = BidsDerived([angles], 100.0, "1.2.3", made_of)
    return BidsSubject("p-1_ä", systems, T0_NS, spans, derived=derived, dated=True), blocks


@pytest.mark.parametrize("with_mag", [False, True])
def test_motion_bids_comes_back_through_our_own_importer(tmp_path: Path, with_mag: bool) -> None:
    made, blocks = subject(with_mag=with_mag)
    write_bids(tmp_path / "bids", made)
    opened = open_bids(tmp_path / "bids")
    assert opened.points == ("head", "trunk")
    assert opened.rate_hz == {"head": 104.0, "trunk": 52.0}
    assert opened.began_ns == T0_NS
    found: dict[str, list[ImuBlock]] = {"head": [], "trunk": []}
    for part in opened.read():
        for point, block in part.items():
            found[point].append(block)
    for point, block in blocks.items():
        t = np.concatenate([b.t_ns for b in found[point]])
        np.testing.assert_allclose(t, block.t_ns - T0_NS, atol=500)
        acc = np.concatenate([b.acc for b in found[point]])
        np.testing.assert_allclose(acc, block.acc, rtol=1e-8, equal_nan=True)
        gyr = np.concatenate([b.gyr for b in found[point]])
        np.testing.assert_allclose(gyr, block.gyr, rtol=1e-8)
        assert (found[point][0].mag is not None) == with_mag
    assert [(s.kind, s.start_ns, s.end_ns, s.sigma_deg) for s in opened.spans] == [
        ("nod", 0, 0, None),
        ("neutral_pose", 10**9, 2 * 10**9, 2.0),
    ]
    with pytest.raises(StorageError, match="not empty"):
        write_bids(tmp_path / "bids", made)


@pytest.mark.parametrize(
    ("told", "began_ns"),
    [
        ("2026-03-01T09:00:00Z", 1_772_355_600_000_000_000),
        ("2026-03-01T09:00:00.000001+01:00", 1_772_352_000_000_001_000),
        ("2026-03-01T09:00:00", None),  # of which zone?
        ("n/a", None),
    ],
)
def test_when_a_data_set_was_recorded_is_read(
    tmp_path: Path, told: str, began_ns: int | None
) -> None:
    made, _ = subject()
    write_bids(tmp_path / "bids", made)
    (scans,) = (tmp_path / "bids").rglob("*_scans.tsv")
    head, *rows = scans.read_text().splitlines()
    moved = [f"{row.split(chr(9))[0]}\t{told}" for row in rows]
    scans.write_text("\n".join([head, *moved]))
    assert open_bids(tmp_path / "bids").began_ns == began_ns


def test_the_zip_holds_the_same_files(tmp_path: Path) -> None:
    made, _ = subject()
    write_bids(tmp_path / "bids", made)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(bids_zip(made))))
    written = {
        p.relative_to(tmp_path / "bids").as_posix(): p.read_bytes()
        for p in (tmp_path / "bids").rglob("*")
        if p.is_file()
    }
    assert {name: archive.read(name) for name in archive.namelist()} == written
    assert "sub-p1/motion/sub-p1_task-freeliving_tracksys-headimu_motion.tsv" in written
