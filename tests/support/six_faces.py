"""A sensor laid on its faces by hand, with known errors."""

from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from processing.types import FloatArray

RATE_HZ = 104.0
G = 9.80665
ACC_OFFSET = np.array([0.15, -0.2, 0.1])
ACC_SCALE = np.array([1.01, 0.995, 1.004])
GYR_OFFSET = np.radians([0.6, -0.9, 0.3])
GYR_ERROR = np.array([[0.006, 0.002, -0.003], [-0.002, -0.005, 0.001], [0.003, 0.002, 0.004]])


def recording(
    faces: int = 6, *, extra_tilts: int = 6, seed: int = 5, rate_hz: float = RATE_HZ
) -> tuple[FloatArray, FloatArray]:
    """Lay a sensor on its faces, turning it by hand in between (about 2 s a turn)."""
    rng = np.random.default_rng(seed)
    poses = [
        Rotation.from_euler("xyz", angles, degrees=True)
        for angles in (
            (0, 0, 0), (0, 90, 10), (180, 0, 40), (0, -90, 80), (90, 0, 120), (-90, 0, 20)
        )[:faces]
    ]  # fmt: skip
    poses += [Rotation.random(random_state=rng) for _ in range(extra_tilts if faces == 6 else 0)]
    n_still, n_turn = round(4 * rate_hz), round(2 * rate_hz)
    attitude = [poses[0]] * n_still
    for before, after in pairwise(poses):
        ease = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, n_turn))
        attitude += list(Slerp([0, 1], Rotation.concatenate([before, after]))(ease))
        attitude += [after] * n_still
    r = Rotation.concatenate(attitude)
    step = (r[:-1].inv() * r[1:]).as_rotvec() * rate_hz
    true_gyr = np.vstack([np.zeros(3), step])
    true_acc = r.inv().apply([0.0, 0.0, G])
    gyr = true_gyr @ np.linalg.inv(np.eye(3) + GYR_ERROR).T + GYR_OFFSET
    acc = true_acc / ACC_SCALE + ACC_OFFSET
    gyr += rng.normal(0, np.radians(0.05), gyr.shape)
    acc += rng.normal(0, 0.015, acc.shape)
    return acc, gyr
