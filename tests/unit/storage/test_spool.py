"""The spool gives back what it was given, and cleans up."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from processing.errors import InputError
from processing.rows import pair_rows
from processing.types import PairBlock
from storage.spool import GridSpool


def block(k0: int, n: int) -> PairBlock:
    rng = np.random.default_rng(k0)
    return PairBlock(
        k0=k0,
        t0_ns=5,
        rate_hz=100.0,
        head_gyr=rng.normal(size=(n, 3)),
        head_acc=rng.normal(size=(n, 3)),
        head_valid=rng.random(n) > 0.2,
        trunk_gyr=rng.normal(size=(n, 3)),
        trunk_acc=rng.normal(size=(n, 3)),
        trunk_valid=rng.random(n) > 0.2,
    )


def test_rows_come_back_as_one_block(tmp_path: Path) -> None:
    parts = [block(0, 0), block(0, 7), block(7, 100), block(107, 1)]
    with GridSpool(tmp_path) as spool:
        for part in parts:
            spool.append(part)
        whole = spool.pair()
        assert whole.head_gyr.shape == (108, 3)
        for part in parts[1:]:
            n = part.head_gyr.shape[0]
            cut = pair_rows(whole, part.k0, part.k0 + n)
            assert cut.k0 == part.k0
            for name in ("head_gyr", "head_acc", "head_valid", "trunk_gyr", "trunk_valid"):
                np.testing.assert_array_equal(getattr(cut, name), getattr(part, name))
    assert list(tmp_path.iterdir()) == []


def test_a_hole_in_the_rows_is_refused(tmp_path: Path) -> None:
    with GridSpool(tmp_path) as spool:
        spool.append(block(0, 7))
        with pytest.raises(InputError, match="do not continue row 7"):
            spool.append(block(8, 7))


def test_nothing_appended(tmp_path: Path) -> None:
    with GridSpool(tmp_path) as spool, pytest.raises(InputError, match="no usable head sample"):
        spool.pair()


def test_a_field_that_comes_later_is_unknown_before(tmp_path: Path) -> None:
    mag = np.random.default_rng(1).normal(size=(2, 100, 3))
    with GridSpool(tmp_path) as spool:
        spool.append(block(0, 7))
        spool.append(replace(block(7, 100), head_mag=mag[0], trunk_mag=mag[1]))
        spool.append(block(107, 3))
        whole = spool.pair()
        assert whole.head_mag is not None and whole.trunk_mag is not None
        np.testing.assert_array_equal(whole.head_mag[7:107], mag[0])
        np.testing.assert_array_equal(whole.trunk_mag[7:107], mag[1])
        for rows in (whole.head_mag, whole.trunk_mag):
            assert np.isnan(rows[:7]).all() and np.isnan(rows[107:]).all()
    assert list(tmp_path.iterdir()) == []
