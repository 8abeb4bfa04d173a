"""How sensors were mounted, where a person declares it instead of moving for a calibration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from processing import quaternion
from processing.errors import InputError
from processing.types import FloatArray

_AXES: Final = {
    sign + name: factor * np.eye(3)[i]
    for i, name in enumerate("xyz")
    for sign, factor in (("+", 1.0), ("-", -1.0), ("", 1.0))
}
POINTS: Final = ("head", "trunk")


@dataclass(frozen=True, slots=True)
class SensorMounting:
    """Which axis of one sensor points where."""

    anterior: str
    """Sensor axis that points forward, such as `-z`."""
    up: str
    """Sensor axis that points up."""

    @property
    def q_segment_sensor(self) -> FloatArray:
        """(4,) sensor to segment: X anterior, Y up, Z right."""
        x, y = _AXES[self.anterior], _AXES[self.up]
        return quaternion.from_matrix(np.stack((x, y, np.cross(x, y))))


@dataclass(frozen=True, slots=True)
class Mounting:
    """The declared mounting of the tracked points."""

    head: SensorMounting | None = None
    trunk: SensorMounting | None = None


def parse_mounting(declared: object) -> Mounting:
    """Return the mounting declared as ``{"head": {"anterior": "-z", "up": "+x"}, "trunk": ...}``.

    Parameters
    ----------
    declared : object
        The parsed JSON. Points may be left out; each present one names two different axes out of
        `+x`, `-x`, `+y`, `-y`, `+z`, `-z`.

    Raises
    ------
    InputError
        Anything else; the message names the entry and what is allowed.
    """
    if not isinstance(declared, Mapping) or not declared:
        raise InputError(
            'the mounting must be an object such as {"head": {"anterior": "-z", "up": "+x"}}'
        )
    unknown = sorted(str(key) for key in declared if key not in POINTS)
    if unknown:
        raise InputError(
            f"the mounting names {', '.join(unknown)}; tracked points are head and trunk"
        )
    return Mounting(
        head=_sensor("head", declared["head"]) if "head" in declared else None,
        trunk=_sensor("trunk", declared["trunk"]) if "trunk" in declared else None,
    )


def _sensor(point: str, entry: object) -> SensorMounting:
    if not isinstance(entry, Mapping) or set(entry) != {"anterior", "up"}:
        raise InputError(
            f'the mounting of {point} must give "anterior" and "up" and nothing else, '
            'such as {"anterior": "-z", "up": "+x"}'
        )
    names: dict[str, str] = {}
    for role in ("anterior", "up"):
        name = entry[role]
        if not isinstance(name, str) or name.lower() not in _AXES:
            raise InputError(
                f"the mounting of {point} has {role} {name!r}; use one of +x, -x, +y, -y, +z, -z"
            )
        names[role] = name.lower()
    if names["anterior"][-1] == names["up"][-1]:
        raise InputError(
            f"the mounting of {point} has the same axis {names['up'][-1]} pointing anterior and "
            "up; name two different axes"
        )
    return SensorMounting(anterior=names["anterior"], up=names["up"])
