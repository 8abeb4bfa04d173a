"""The files of `necktrace process`: columns as documented, nulls where unknown, no half files."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from processing.types import Episode
from storage.outputs import (
    ANGLE_COLUMNS,
    EPISODE_COLUMNS,
    AngleRows,
    AnglesWriter,
    write_episodes,
    write_summary,
)

COLUMNS_PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "columns.md"


def rows(n: int, *, head_only: bool = False) -> AngleRows:
    angles = np.tile([1.0, 2.0, 3.0, 4.0, 5.0], (n, 1))
    angles[:, 4] = np.linspace(3.0, 12.0, n)
    if head_only:
        angles[:] = np.nan
    return AngleRows(
        t_s=np.arange(n) / 100.0,
        q_rel=np.tile([1.0, 0.0, 0.0, 0.0], (n, 1)) * (np.nan if head_only else 1.0),
        angles_deg=angles,
        valid=np.ones(n, dtype=np.bool_),
        gated=np.zeros(n, dtype=np.bool_),
        inclination_deg=np.tile([7.0, 8.0], (n, 1)) if head_only else None,
    )


def test_columns_are_the_documented_ones(tmp_path: Path) -> None:
    with AnglesWriter(tmp_path / "angles.parquet", {"algorithm": "1"}) as writer:
        writer.write(rows(10))
        writer.write(rows(5))
    table = pq.read_table(tmp_path / "angles.parquet")
    assert table.num_rows == 15
    assert table.column_names == list(ANGLE_COLUMNS)
    assert table.schema.metadata[b"necktrace.algorithm"] == b"1"
    page = COLUMNS_PAGE.read_text()
    for name in (*ANGLE_COLUMNS, *EPISODE_COLUMNS):
        assert f"`{name}`" in page, name


def test_quality_follows_sigma(tmp_path: Path) -> None:
    with AnglesWriter(tmp_path / "a.parquet", {}) as writer:
        writer.write(rows(10))
    table = pq.read_table(tmp_path / "a.parquet").to_pydict()
    for sigma, quality in zip(table["heading_sigma_deg"], table["heading_quality"], strict=True):
        assert quality == ("good" if sigma <= 5 else "fair" if sigma <= 10 else "poor")
    assert table["head_pitch_deg"] == [None] * 10


def test_head_alone_has_null_neck_angles(tmp_path: Path) -> None:
    with AnglesWriter(tmp_path / "a.parquet", {}) as writer:
        writer.write(rows(3, head_only=True))
    table = pq.read_table(tmp_path / "a.parquet").to_pydict()
    for name in ("flexion_deg", "rotation_right_deg", "deviation_deg", "qw", "heading_quality"):
        assert table[name] == [None] * 3
    assert table["head_pitch_deg"] == [7.0] * 3


def test_a_broken_run_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), AnglesWriter(tmp_path / "a.parquet", {}) as writer:
        writer.write(rows(3))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_episodes_in_order_with_features_as_columns(tmp_path: Path) -> None:
    found = [
        Episode(
            "tremor",
            "regular",
            5_000_000_000,
            9_000_000_000,
            6_000_000_000,
            2.0,
            0.9,
            "t/1",
            {"frequency_hz": 4.2},
        ),
        Episode(
            "jerk",
            "jerk",
            2_000_000_000,
            2_200_000_000,
            2_100_000_000,
            6.0,
            0.8,
            "j/1",
            {"fwhm_s": 0.08, "cos_d": float("nan")},
        ),
    ]
    write_episodes(tmp_path / "e.parquet", found, t0_ns=1_000_000_000, provenance={})
    table = pq.read_table(tmp_path / "e.parquet").to_pydict()
    assert table["kind"] == ["jerk", "tremor"]
    assert table["start_s"] == [1.0, 4.0]
    assert table["frequency_hz"] == [None, 4.2]
    assert table["cos_d"] == [None, None]


def test_no_episode_still_gives_the_table(tmp_path: Path) -> None:
    write_episodes(tmp_path / "e.parquet", [], t0_ns=0, provenance={})
    table = pq.read_table(tmp_path / "e.parquet")
    assert table.num_rows == 0
    assert table.column_names == list(EPISODE_COLUMNS)


def test_summary_refuses_numbers_that_are_none(tmp_path: Path) -> None:
    write_summary(tmp_path / "s.json", {"worn_s": 1.5, "near_neutral_fraction": None})
    assert json.loads((tmp_path / "s.json").read_text())["near_neutral_fraction"] is None
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_summary(tmp_path / "s.json", {"worn_s": float("nan")})
