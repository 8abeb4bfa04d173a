"""Full-rate rows against a plain dictionary, whatever is put, sealed, deleted or lost."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from storage.embedded import EmbeddedStore
from storage.full_rate_files import (
    FULL_RATE_COLUMNS,
    HOUR_NS,
    HourCollector,
    from_blob,
    from_parquet,
    pack,
    to_blob,
    to_parquet,
    unpack,
)
from storage.result_rows import FullRate, ResultBatch
from tests.support.results import T0_NS

STEP_NS = 10_000_000
START = T0_NS // HOUR_NS * HOUR_NS + HOUR_NS - 500 * STEP_NS  # 5 s before an hour


def rows(a: int, b: int, *, offset_deg: float = 0.0) -> FullRate:
    k = np.arange(a, b)
    angles = np.column_stack([np.sin(k / (20.0 + c)) * 60 + offset_deg for c in range(4)])
    angles[k % 17 == 0, 2] = np.nan
    half = k / 1000.0
    q = np.column_stack((np.cos(half), np.sin(half), np.zeros(len(k)), np.zeros(len(k))))
    return FullRate(START + k * STEP_NS, angles, 2.0 + (k % 3).astype(np.float64), q, k % 11 != 0)


def put(store: EmbeddedStore, given: FullRate, patient: str = "p", algo: str = "1-a") -> None:
    store.put(ResultBatch(patient, algo, full_rate=given))


def flexion(store: EmbeddedStore, a: int = 0, b: int = 10_000) -> dict[int, float]:
    """Row number to flexion, centidegrees."""
    found = list(store.full_rate.read("p", START + a * STEP_NS, START + b * STEP_NS, algo="1-a"))
    times = [int(t) for part in found for t in part.t_ns]
    assert times == sorted(set(times))
    values = [round(float(v), 2) for part in found for v in part.angles_deg[:, 0]]
    return dict(zip([(t - START) // STEP_NS for t in times], values, strict=True))


def expected(given: FullRate) -> dict[int, float]:
    numbers = (given.t_ns - START) // STEP_NS
    return dict(
        zip(numbers.tolist(), (np.rint(given.angles_deg[:, 0] * 100) / 100).tolist(), strict=True)
    )


@pytest.mark.parametrize("head", [False, True])
def test_a_blob_and_a_file_hold_the_same_to_a_centidegree(*, head: bool) -> None:
    given = rows(0, 500)
    if head:
        given = FullRate(
            given.t_ns, given.angles_deg, given.heading_sigma_deg, given.q_rel, given.valid,
            given.angles_deg[:, :2] * 2.0,
        )  # fmt: skip
    packed = pack(given)
    for found in (unpack(from_blob(to_blob(packed))), unpack(from_parquet(to_parquet(packed)))):
        np.testing.assert_array_equal(found.t_ns, given.t_ns)
        np.testing.assert_allclose(found.angles_deg, given.angles_deg, atol=0.00501, rtol=0)
        np.testing.assert_allclose(found.heading_sigma_deg, given.heading_sigma_deg, atol=0.005)
        np.testing.assert_allclose(found.q_rel, given.q_rel, atol=1.6e-5)
        np.testing.assert_array_equal(found.valid, given.valid)
        assert (found.head_deg is not None) == head
        if given.head_deg is not None and found.head_deg is not None:
            np.testing.assert_allclose(found.head_deg, given.head_deg, atol=0.00501, rtol=0)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "replace", "delete", "seal", "hours"]),
        st.integers(0, 900),
        st.integers(1, 400),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@example([("put", 101, 400), ("put", 0, 102), ("put", 102, 399)])  # one reaches over the hour
@given(ACTIONS)
def test_any_order_of_writing_sealing_and_deleting(actions: list[tuple[str, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        store = EmbeddedStore(folder)
        oracle: dict[int, float] = {}
        for number, (action, a, n) in enumerate(actions):
            given = rows(a, a + n, offset_deg=float(number))
            range_ns = (START + a * STEP_NS, START + (a + n) * STEP_NS)
            if action == "put":
                put(store, given)
            elif action == "replace":
                half = rows(a, a + n // 2, offset_deg=float(number))
                store.put(ResultBatch("p", "1-a", full_rate=half), replace_ns=range_ns)
            elif action == "hours":
                collector = HourCollector()
                collector.add(given)
                store.full_rate.put_hours("p", "1-a", collector.finish())
            elif action == "delete":
                store.delete("p", *range_ns, algo="1-a")
            else:
                store.full_rate.seal("p", "1-a", until_ns=None if n % 2 else range_ns[1])
            if action in ("replace", "delete"):
                oracle = {k: v for k, v in oracle.items() if not a <= k < a + n}
            if action in ("put", "hours", "replace"):
                oracle.update(expected(half if action == "replace" else given))
            assert flexion(store) == pytest.approx(oracle)
        held = len(list(Path(folder).glob("derived/**/*.parquet")))
        named = store.book.connection.execute("SELECT count(*) FROM full_rate_file").fetchone()[0]
        assert held == named, "no file is left behind"
        store.close()


def test_an_hour_becomes_a_file_when_the_next_one_begins(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    for a in range(0, 1200, 100):
        put(store, rows(a, a + 100))
    (file,) = tmp_path.glob("derived/1-a/angles/patient=p/date=*/*.parquet")
    table = pq.read_table(file)
    assert tuple(table.column_names) == FULL_RATE_COLUMNS
    assert table.num_rows == 500
    assert flexion(store) == pytest.approx(expected(rows(0, 1200)))
    store.close()
    store = EmbeddedStore(tmp_path)
    assert flexion(store, 333, 777) == pytest.approx(expected(rows(333, 777)))
    store.close()


def test_a_damaged_or_missing_file_leaves_a_hole_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = EmbeddedStore(tmp_path)
    put(store, rows(0, 1200))
    store.full_rate.seal("p", "1-a")
    first, second = sorted(tmp_path.glob("derived/**/*.parquet"))
    first.write_bytes(first.read_bytes()[:-9])
    assert flexion(store) == pytest.approx(expected(rows(500, 1200)))
    second.unlink()
    assert flexion(store) == {}
    assert "`necktrace reprocess` makes it again" in caplog.text
    put(store, rows(0, 1200))
    store.full_rate.seal("p", "1-a")
    assert flexion(store) == pytest.approx(expected(rows(0, 1200)))
    store.close()
