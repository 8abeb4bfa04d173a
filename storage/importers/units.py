"""Units of foreign recordings, to SI.

BIDS asks for SI units with optional prefixes (BIDS specification, appendix "Units"); people also
write g and deg/s. Anything else is refused by name, because a guessed unit is a wrong angle.
"""

import math

from storage.importers.errors import ImportFormatError

STANDARD_GRAVITY_MS2 = 9.80665

_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "n": 1e-9}

_ACC = {"m/s^2": 1.0, "m/s²": 1.0, "m/s2": 1.0, "m s^-2": 1.0, "m*s^-2": 1.0}
_ACC |= {prefix + "g": scale * STANDARD_GRAVITY_MS2 for prefix, scale in _PREFIXES.items()}
_ACC |= {"g0": STANDARD_GRAVITY_MS2, "mm/s^2": 1e-3}
_GYR = {"rad/s": 1.0, "mrad/s": 1e-3}
_GYR |= dict.fromkeys(("deg/s", "°/s", "dps", "degree/s"), math.pi / 180.0)
_GYR |= {"mdeg/s": math.pi / 180e3, "mdps": math.pi / 180e3}
# a magnetometer's unit never matters to the estimator; only its direction and constancy do
_MAG = {prefix + unit: 1.0 for prefix in _PREFIXES for unit in ("T", "G", "Gauss")} | {"a.u.": 1.0}

_BY_TYPE = {"ACCEL": _ACC, "GYRO": _GYR, "MAGN": _MAG}


def to_si(channel_type: str, unit: str, *, where: str) -> float:
    """Return the factor from `unit` to SI (m/s², rad/s; magnetic field unscaled).

    Parameters
    ----------
    channel_type : {"ACCEL", "GYRO", "MAGN"}
    unit : str
        As written in the file.
    where : str
        Named in the error: file and channel.

    Raises
    ------
    ImportFormatError
        The unit is none that this program knows for this kind of channel.
    """
    known = _BY_TYPE[channel_type]
    factor = known.get(unit.strip())
    if factor is None:
        raise ImportFormatError(
            f"{where}: unit {unit!r} is not one for {channel_type}; "
            f"write one of {', '.join(sorted(known))}"
        )
    return factor
