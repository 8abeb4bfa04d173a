"""BROAD trials in: the published MATLAB files, or npz files with the same arrays.

BROAD: Laidig, Caruso, Cereatti, Seel 2021, Data 6(7), 72, CC BY 4.0.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from processing.orientation.evaluation import Trial
from storage.importers.errors import ImportFormatError

_KEYS = ("imu_gyr", "imu_acc", "imu_mag", "opt_quat", "movement")
_RATE_KEYS = ("sampling_rate_hz", "sampling_rate")
_PUBLISHED_RATE_HZ = 2000.0 / 7.0


def broad_files(folder: Path) -> list[Path]:
    """Return the trial files of a folder, in order.

    Raises
    ------
    ImportFormatError
        There is none.
    """
    found = sorted([*folder.rglob("*.npz"), *folder.rglob("*.mat")]) if folder.is_dir() else []
    if not found:
        raise ImportFormatError(
            f"{folder}: no BROAD trial (*.mat as published, or *.npz) inside; give the folder that "
            "holds them"
        )
    return found


def read_broad(path: Path) -> Trial:
    """Return one trial.

    Raises
    ------
    ImportFormatError
        The file is no BROAD trial; the missing array is named.
    """
    arrays = _load(path)
    missing = [key for key in _KEYS if key not in arrays]
    if missing:
        raise ImportFormatError(f"{path.name} is no BROAD trial: {', '.join(missing)} missing")
    gyr, acc, mag, truth = (np.asarray(arrays[key], dtype=np.float64) for key in _KEYS[:4])
    n = gyr.shape[0]
    if gyr.shape != (n, 3) or acc.shape != (n, 3) or mag.shape != (n, 3) or truth.shape != (n, 4):
        raise ImportFormatError(f"{path.name}: arrays do not have one row per sample")
    rate = next((float(np.squeeze(arrays[k])) for k in _RATE_KEYS if k in arrays), None)
    return Trial(
        name=path.stem,
        gyr=gyr,
        acc=acc,
        mag=mag,
        q_true=truth,
        movement=np.asarray(arrays["movement"]).reshape(n).astype(np.bool_),
        rate_hz=_PUBLISHED_RATE_HZ if rate is None else rate,
    )


def _load(path: Path) -> Mapping[str, Any]:
    try:
        if path.suffix == ".npz":
            with np.load(path) as file:
                return {key: file[key] for key in file.files}
        from scipy.io import loadmat  # only here: scipy.io is slow to import

        loaded: dict[str, Any] = loadmat(path)
        return loaded
    # scipy answers files of MATLAB 7.3, which are HDF5, with NotImplementedError
    except (OSError, ValueError, NotImplementedError) as error:
        raise ImportFormatError(f"{path.name} cannot be read as a BROAD trial: {error}") from error
