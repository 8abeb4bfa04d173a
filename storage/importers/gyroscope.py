"""A recording's gyroscopes against its accelerometers: wrong units, scale and axes are told."""

import math
from collections.abc import Mapping

from processing import plausibility
from processing.plausibility import Plausibility, PlausibilityParams, PlausibilityState
from processing.types import ImuBlock
from storage.importers.errors import ImportFormatError
from storage.importers.source import ImportedRecording

_ABOUT = 1.6
"""A slope within this factor of a conversion is taken for that conversion."""


class GyroscopeCheck:
    """Follows one pass over a recording; says afterwards what its rates are worth."""

    def __init__(self, recording: ImportedRecording) -> None:
        self._recording = recording
        self._params = PlausibilityParams()
        self._states: dict[str, PlausibilityState] = {}

    def add(self, blocks: Mapping[str, ImuBlock]) -> None:
        """Look at the next samples of the sensors at these tracked points."""
        for point, block in blocks.items():
            state = self._states.get(point) or plausibility.start(self._recording.rate_hz[point])
            self._states[point] = plausibility.step(self._params, state, block)

    def conclude(self) -> None:
        """Add what is doubtful to the recording's warnings.

        Raises
        ------
        ImportFormatError
            A sensor's rates are in another unit than declared, or its axes of the wrong hand.
        """
        for point, state in self._states.items():
            found = plausibility.judge(self._params, state)
            name = self._recording.name
            if found.finding == "units":
                raise ImportFormatError(f"{name}, {point}: {_of_units(point, found.slope)}")
            if found.finding == "hand":
                raise ImportFormatError(f"{name}, {point}: {_of_hand(point)}")
            if found.finding == "scale":
                warning = f"{point}: {_of_scale(found)}"
                if warning not in self._recording.warnings:
                    self._recording.warnings.append(warning)


def _of_units(point: str, slope: float) -> str:
    degrees = 180.0 / math.pi
    if 1.0 / _ABOUT < abs(slope) / degrees < _ABOUT:
        cause = "they look like rad/s declared as °/s: declare rad/s"
        column = f"{point}_gyr_x_rads"
    elif 1.0 / _ABOUT < abs(slope) * degrees < _ABOUT:
        cause = "they look like °/s declared as rad/s: declare deg/s"
        column = f"{point}_gyr_x_dps"
    else:
        cause = "correct their unit"
        column = f"{point}_gyr_x_dps or _rads"
    return (
        f"gravity turns {abs(slope):.3g} times as fast as the gyroscope's rates say; {cause} "
        f"(units of the GYRO channels in *_channels.tsv, or the columns' names, such as {column})"
    )


def _of_hand(point: str) -> str:
    return (
        "gravity turns the opposite way to the gyroscope's rates: the axes are left-handed, or the "
        "gyroscope's sign is reversed. Negate one axis, the same of accelerometer and gyroscope, "
        "if the axes are left-handed; all three rates if their sign is reversed (the GYRO "
        f"channels, or the columns {point}_gyr_...)"
    )


def _of_scale(found: Plausibility) -> str:
    return (
        f"gravity turns {found.slope:.2f} times as fast as the gyroscope's rates say: is its scale "
        "or unit right? Angles are wrong by as much if not; correct the GYRO channels or _gyr_ "
        "columns and process again"
    )
