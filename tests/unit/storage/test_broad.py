"""BROAD trials are read alike from npz and from the published MATLAB form."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from storage.importers import ImportFormatError
from storage.importers.broad import broad_files, read_broad


def arrays(n: int = 40) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {
        "imu_gyr": rng.normal(size=(n, 3)),
        "imu_acc": rng.normal(size=(n, 3)),
        "imu_mag": rng.normal(size=(n, 3)),
        "opt_quat": np.tile([1.0, 0.0, 0.0, 0.0], (n, 1)),
        "movement": np.arange(n) > 10,
        "sampling_rate_hz": np.float64(250.0),
    }


def test_both_forms_give_the_same_trial(tmp_path: Path) -> None:
    data = arrays()
    np.savez(tmp_path / "a.npz", **data)
    published = data | {"movement": data["movement"][:, None].astype(np.uint8)}
    published["sampling_rate"] = published.pop("sampling_rate_hz")
    savemat(tmp_path / "b.mat", published)
    a, b = (read_broad(path) for path in broad_files(tmp_path))
    assert a.rate_hz == b.rate_hz == 250.0
    np.testing.assert_array_equal(a.gyr, b.gyr)
    np.testing.assert_array_equal(a.movement, b.movement)


def test_a_stranger_is_named(tmp_path: Path) -> None:
    data = arrays()
    del data["opt_quat"]
    np.savez(tmp_path / "a.npz", **data)
    with pytest.raises(ImportFormatError, match=r"a.npz is no BROAD trial: opt_quat missing"):
        read_broad(tmp_path / "a.npz")
    (tmp_path / "b.mat").write_bytes(b"nothing of the sort, but long enough to look at" * 9)
    with pytest.raises(ImportFormatError, match=r"b.mat cannot be read"):
        read_broad(tmp_path / "b.mat")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match="no BROAD trial"):
        broad_files(tmp_path)


@pytest.mark.data
def test_the_real_trials(broad_dir: Path) -> None:
    trial = read_broad(broad_files(broad_dir)[0])
    assert trial.rate_hz == pytest.approx(2000 / 7)
    assert trial.gyr.shape[0] > 10_000
    assert trial.movement.any()
