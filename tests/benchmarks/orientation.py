"""Orientation of one sensor and of the pair, against the C++ package vqf in the same run."""

from collections.abc import Callable

import numpy as np
from vqf import VQF

from processing import orientation
from processing.types import FloatArray, PairBlock
from tests.benchmarks.rounds import interleaved

RATE_HZ = 100.0
ROWS = 56_940
"""As many as a trial of BROAD."""


def motion(seed: int) -> tuple[FloatArray, FloatArray]:
    """Return (gyr, acc) of a slowly wandering sensor; the cost does not depend on the motion."""
    rng = np.random.default_rng(seed)
    t = np.arange(ROWS) / RATE_HZ
    gyr = np.stack([0.4 * np.sin(2 * np.pi * f * t) for f in (0.31, 0.23, 0.17)], axis=1)
    acc = np.tile([0.0, 0.0, 9.81], (ROWS, 1)) + 0.3 * np.sin(t)[:, None]
    return gyr + rng.normal(0, 0.001, gyr.shape), acc + rng.normal(0, 0.02, acc.shape)


def pair() -> PairBlock:
    """Return two such sensors on one grid."""
    (head_gyr, head_acc), (trunk_gyr, trunk_acc) = motion(1), motion(2)
    valid = np.ones(ROWS, dtype=np.bool_)
    return PairBlock(0, 0, RATE_HZ, head_gyr, head_acc, valid, trunk_gyr, trunk_acc, valid.copy())


def measure(echo: Callable[[str], None], rounds: int = 15) -> None:
    """Print samples a second and the ratio to vqf."""
    gyr, acc = motion(1)
    both = pair()
    params = orientation.PairParams()

    def vqf_one() -> object:
        return VQF(1.0 / RATE_HZ).updateBatch(gyr, acc)

    def vqf_two() -> object:
        return (
            VQF(1.0 / RATE_HZ).updateBatch(both.head_gyr, both.head_acc),
            VQF(1.0 / RATE_HZ).updateBatch(both.trunk_gyr, both.trunk_acc),
        )

    def ours_one() -> object:
        return orientation.estimate(gyr, acc, rate_hz=RATE_HZ)

    def ours_pair() -> object:
        return orientation.step(params, orientation.start(params, RATE_HZ), both)

    times = interleaved(
        {"vqf one": vqf_one, "ours one": ours_one, "vqf two": vqf_two, "ours pair": ours_pair},
        rounds,
    )
    echo("orientation, 6D, one thread (medians of interleaved rounds)")
    for name, peer, sensors, target, aim in (
        ("ours one", "vqf one", 1, 2, 4),
        ("ours pair", "vqf two", 2, 3, 6),
    ):
        rate = sensors * ROWS / times[name] * 1e-6
        peer_rate = sensors * ROWS / times[peer] * 1e-6
        ratio = times[peer] / times[name]
        echo(
            f"  {name:10} {rate:6.2f} M samples/s   {peer:8} {peer_rate:6.2f} M   "
            f"ratio {ratio:.2f}, target at least {target}, aim {aim}"
        )
