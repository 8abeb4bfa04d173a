"""Where each number of one sensor's running state lies in its flat float64 vector.

Kernels take a sensor's state as one vector, because a vector can be copied, saved and compared bit
for bit, and because numba reads constants of this module at compile time.
"""

from typing import Final

N_ERROR: Final = 24
"""Error states of one sensor."""

TH: Final = 0
"""Attitude error, rotation vector in earth axes, rad: R_true = exp([TH]) R."""
BI: Final = 3
"""Gyroscope bias error in sensor axes, rad/s."""
MG: Final = 6
"""Gyroscope scale and misalignment error, 3 x 3 row major: rate_true = (I + MG) (rate - BI)."""
AO: Final = 15
"""Accelerometer offset error in sensor axes, m/s²."""
VE: Final = 18
"""Velocity error of the sensor's bounded motion in earth axes, m/s."""
PO: Final = 21
"""Position error of the sensor's bounded motion in earth axes, m."""

Q: Final = 0
"""Quaternion sensor to earth (w, x, y, z)."""
BIAS: Final = 4
"""Gyroscope bias, rad/s."""
GAIN: Final = 7
"""Gyroscope scale and misalignment MG, row major."""
OFFSET: Final = 16
"""Accelerometer offset, m/s²."""
VEL: Final = 19
"""Velocity of the bounded motion, m/s."""
POS: Final = 22
"""Position of the bounded motion, m."""
PHI: Final = 25
"""Rotation vector of the last sample, for the coning term."""
SUM_R: Final = 28
"""Sum over the window of the sensor-to-earth matrix, row major."""
SUM_RW: Final = 37
"""Sum over the window of R[i, j] times rotation vector [k], at 9 i + 3 j + k."""
SUM_F: Final = 64
"""Sum over the window of the specific force in earth axes."""
SUM_P: Final = 67
"""Sum over the window of the running `SUM_F`: the position it leads to."""
SUM_W: Final = 70
"""Sum over the window of the measured rate, about `REF_W`."""
SUM_W2: Final = 73
"""Sum over the window and the axes of the squared rate, about `REF_W`."""
SUM_A: Final = 74
"""Sum over the window of the specific force in sensor axes, about `REF_A`."""
SUM_A2: Final = 77
"""As `SUM_W2`, for the specific force."""
COUNT: Final = 78
"""Valid samples in the window."""
MISSING: Final = 79
"""Missing samples in the window."""
REF_W: Final = 80
"""Measured rate at the first sample of the window."""
REF_A: Final = 83
"""Specific force at the first sample of the window."""
POWER: Final = 86
"""Power of the motion acceleration, (m/s²)² s."""
STILL_S: Final = 87
"""Seconds at the noise floor without interruption."""
FLOOR: Final = 88
"""Gyroscope noise floor in use, rad/s."""
STARTED: Final = 89
"""1 once the first valid sample has set the attitude."""
N_STATE: Final = 90

WINDOW_START: Final = SUM_R
WINDOW_STOP: Final = REF_W
"""[WINDOW_START, WINDOW_STOP) is cleared at the end of a window."""
