"""Cut stretches of grid rows out of longer ones, and join them."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from processing.types import PairBlock, PairOrientation


def pair_rows(pair: PairBlock, start: int, stop: int) -> PairBlock:
    """Return rows start..stop (counted from the block's first row) of a `PairBlock`."""
    return dataclasses.replace(
        pair,
        k0=pair.k0 + start,
        head_gyr=pair.head_gyr[start:stop],
        head_acc=pair.head_acc[start:stop],
        head_valid=pair.head_valid[start:stop],
        trunk_gyr=pair.trunk_gyr[start:stop],
        trunk_acc=pair.trunk_acc[start:stop],
        trunk_valid=pair.trunk_valid[start:stop],
        head_mag=None if pair.head_mag is None else pair.head_mag[start:stop],
        trunk_mag=None if pair.trunk_mag is None else pair.trunk_mag[start:stop],
    )


def orientation_rows(oriented: PairOrientation, start: int, stop: int) -> PairOrientation:
    """Return rows start..stop (counted from the block's first row) of a `PairOrientation`."""
    return dataclasses.replace(
        oriented,
        k0=oriented.k0 + start,
        q_es_head=oriented.q_es_head[start:stop],
        q_es_trunk=oriented.q_es_trunk[start:stop],
        heading_sigma_deg=oriented.heading_sigma_deg[start:stop],
    )


def join_orientations(parts: Sequence[PairOrientation]) -> PairOrientation:
    """Return consecutive blocks (at least one) as one; biases are those of the last."""
    return dataclasses.replace(
        parts[-1],
        k0=parts[0].k0,
        q_es_head=np.concatenate([part.q_es_head for part in parts]),
        q_es_trunk=np.concatenate([part.q_es_trunk for part in parts]),
        heading_sigma_deg=np.concatenate([part.heading_sigma_deg for part in parts]),
    )
