"""Axes, signs and constants: the one place that says what a direction means.

Frames
------
earth (e)
    East-north-up, right-handed, z up. Heading is arbitrary without a magnetometer.
segment: head (H), thorax (T)
    X anterior, Y superior, Z to the person's right, right-handed (Wu et al. 2005; qmt).
sensor (s)
    The axes printed on the housing; related to its segment by the alignment.

``q_es`` turns sensor coordinates into earth coordinates. The head relative to the thorax is
``R_rel = R_T^-1 R_H`` (head segment to thorax segment coordinates). Angles are those of
``R_rel N^-1`` with the neutral reference N, decomposed Z-X'-Y'' (see `processing.angles`).

Signs
-----
====================  =================================  ==============================
angle                 positive means                     rotation about the thorax axis
====================  =================================  ==============================
`flexion_deg`         chin to chest                      negative about Z
`lateral_right_deg`   right ear to right shoulder        positive about X
`rotation_right_deg`  face to the person's right         negative about Y
====================  =================================  ==============================

Right and left are always the person's own.
"""

from typing import Final

import numpy as np

from processing.types import FloatArray

STANDARD_GRAVITY_MS2: Final = 9.80665
"""Standard acceleration of free fall (ISO 80000-3), m/s²."""

ANTERIOR: Final[FloatArray] = np.array([1.0, 0.0, 0.0])
SUPERIOR: Final[FloatArray] = np.array([0.0, 1.0, 0.0])
RIGHT: Final[FloatArray] = np.array([0.0, 0.0, 1.0])
EARTH_UP: Final[FloatArray] = np.array([0.0, 0.0, 1.0])

for _axis in (ANTERIOR, SUPERIOR, RIGHT, EARTH_UP):
    _axis.flags.writeable = False

FLEXION_SIGN: Final = -1.0
"""`flexion_deg` is this times the rotation about segment Z."""
LATERAL_RIGHT_SIGN: Final = 1.0
"""`lateral_right_deg` is this times the rotation about segment X."""
ROTATION_RIGHT_SIGN: Final = -1.0
"""`rotation_right_deg` is this times the rotation about segment Y."""

UPRIGHT_FACING_EAST: Final[FloatArray] = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])
"""Segment to earth, (4,): X east, Y up, Z south, so an upright person who looks east."""
UPRIGHT_FACING_EAST.flags.writeable = False

ANGLE_CONVENTION: Final = "ISB_ZXY"
"""Name of the decomposition, written with every export."""
