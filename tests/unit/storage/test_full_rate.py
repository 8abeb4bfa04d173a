from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from storage.angle_grid import FullRate
from storage.full_rate import FULL_RATE_COLUMNS, HOUR_NS, FullRateStore
from tests.support.results import T0_NS

START = T0_NS // HOUR_NS * HOUR_NS + HOUR_NS - 5_000_000_000  # 5 s before an hour


def rows(a: int, b: int, *, offset_deg: float = 0.0) -> FullRate:
    k = np.arange(a, b)
    angles = np.column_stack([np.sin(k / (20.0 + c)) * 60 + offset_deg for c in range(4)])
    angles[k % 17 == 0, 2] = np.nan
    half = k / 1000.0
    q = np.column_stack((np.cos(half), np.sin(half), np.zeros(len(k)), np.zeros(len(k))))
    return FullRate(
        START + k * 10_000_000, angles, 2.0 + (k % 3).astype(np.float64), q, k % 11 != 0
    )


def read(store: FullRateStore, a: int, b: int) -> FullRate | None:
    found = list(store.read("p", START + a * 10_000_000, START + b * 10_000_000, algo="1-a"))
    if not found:
        return None
    return FullRate(
        *(
            np.concatenate([getattr(f, name) for f in found])
            for name in ("t_ns", "angles_deg", "heading_sigma_deg", "q_rel", "valid")
        )
    )


def assert_same(found: FullRate | None, expected: FullRate) -> None:
    assert found is not None
    np.testing.assert_array_equal(found.t_ns, expected.t_ns)
    np.testing.assert_allclose(
        found.angles_deg, expected.angles_deg, atol=0.00501, rtol=0, equal_nan=True
    )
    np.testing.assert_allclose(found.heading_sigma_deg, expected.heading_sigma_deg, atol=0.00501)
    np.testing.assert_allclose(found.q_rel, expected.q_rel, atol=1.6e-5)
    np.testing.assert_array_equal(found.valid, expected.valid)


def test_rows_are_read_before_between_and_after_sealing(tmp_path: Path) -> None:
    store = FullRateStore(tmp_path)
    for a in range(0, 1200, 100):
        store.append("p", "1-a", rows(a, a + 100))
    assert_same(read(store, 0, 1200), rows(0, 1200))
    assert_same(read(store, 333, 777), rows(333, 777))
    # Only the hour that is over.
    assert store.seal("p", "1-a", until_ns=START + 1200 * 10_000_000) == 1
    assert_same(read(store, 0, 1200), rows(0, 1200))
    assert store.seal("p", "1-a") == 1
    assert_same(read(store, 0, 1200), rows(0, 1200))
    assert store.seal("p", "1-a") == 0
    files = sorted(tmp_path.glob("derived/1-a/angles/patient=p/date=*/*.parquet"))
    assert len(files) == 2
    assert tuple(pq.read_table(files[0]).column_names) == FULL_RATE_COLUMNS
    store.close()


def test_newer_rows_replace_older_ones_also_in_a_sealed_hour(tmp_path: Path) -> None:
    store = FullRateStore(tmp_path)
    store.append("p", "1-a", rows(0, 400))
    store.seal("p", "1-a")
    store.append("p", "1-a", rows(100, 200, offset_deg=5.0))
    expected = rows(0, 400)
    expected.angles_deg[100:200] = rows(100, 200, offset_deg=5.0).angles_deg
    assert_same(read(store, 0, 400), expected)
    store.seal("p", "1-a")
    assert_same(read(store, 0, 400), expected)
    assert len(list(tmp_path.glob("derived/**/*.parquet"))) == 1
    store.close()


def test_a_range_is_replaced_across_files_and_waiting_rows(tmp_path: Path) -> None:
    store = FullRateStore(tmp_path)
    store.append("p", "1-a", rows(0, 800))
    store.seal("p", "1-a")
    store.append("p", "1-a", rows(800, 1200))
    store.append("q", "1-a", rows(0, 10))
    store.replace("p", "1-a", START + 300 * 10_000_000, START + 1000 * 10_000_000, [rows(300, 600)])
    assert_same(read(store, 0, 600), rows(0, 600))
    assert read(store, 600, 1000) is None
    assert_same(read(store, 1000, 1200), rows(1000, 1200))
    assert len(list(store.read("q", 0, 2**62, algo="1-a"))) == 1
    store.close()
