"""What is known of one unit's errors, and samples without them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from processing.types import FloatArray, ImuBlock


@dataclass(frozen=True, slots=True)
class UnitCalibration:
    """What is known about one unit's errors: true = matrix (measured - offset)."""

    acc_matrix: FloatArray = field(default_factory=lambda: np.eye(3))
    acc_offset_ms2: FloatArray = field(default_factory=lambda: np.zeros(3))
    gyr_matrix: FloatArray = field(default_factory=lambda: np.eye(3))
    gyr_offset_rads: FloatArray = field(default_factory=lambda: np.zeros(3))
    gyr_slope_rads_k: FloatArray | None = None
    """How its bias follows temperature, rad/s per kelvin; None where that was not learnt."""
    at_degc: float = 0.0
    """Temperature at which nothing is taken out for it."""

    @classmethod
    def from_record(cls, values: Mapping[str, Any]) -> "UnitCalibration | None":
        """Return the calibration of a stream's description; None where it has none."""
        names = ("acc_matrix", "acc_offset_ms2", "gyr_matrix", "gyr_offset_rads")
        given: dict[str, Any] = {
            name: np.array(values[name], dtype=np.float64) for name in names if name in values
        }
        line = values.get("temperature")
        if line:
            given["gyr_slope_rads_k"] = np.array(line["slope_rads_k"], dtype=np.float64)
            given["at_degc"] = float(line["at_degc"])
        return cls(**given) if given else None


def corrected(block: ImuBlock, unit: UnitCalibration | None, degc: float | None = None) -> ImuBlock:
    """Return a block without the errors that are known of its unit, at a temperature if known."""
    if unit is None:
        return block
    offset = unit.gyr_offset_rads
    if unit.gyr_slope_rads_k is not None and degc is not None:
        offset = offset + unit.gyr_slope_rads_k * (degc - unit.at_degc)
    return replace(
        block,
        acc=(block.acc - unit.acc_offset_ms2) @ unit.acc_matrix.T,
        gyr=(block.gyr - offset) @ unit.gyr_matrix.T,
    )
