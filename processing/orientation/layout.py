"""Where each number of one sensor's running state lies in its flat float64 vector.

Kernels take a sensor's state as one vector, because a vector can be copied, saved and compared bit
for bit, and because numba reads constants of this module at compile time.
"""

from typing import Final

N_ERROR: Final = 25
"""Error states of one sensor."""

REFERENCE: Final = 2 * N_ERROR
"""Index of the error that all later reference poses share, behind those of two sensors, rad."""
ARMS: Final = REFERENCE + 1
"""Errors of the arms from the neck joint to head and trunk sensor, in their axes (6), m."""
MISFIT_ERROR: Final = ARMS + 6
"""Index of the error in heading that all walking shares, rad; see `joint`."""
WARM: Final = MISFIT_ERROR + 1
"""Errors of what warming up adds to the biases of head and trunk sensor (6), rad/s."""
N_PAIR: Final = WARM + 6
"""Error states of two sensors."""
FIELD_ERROR: Final = N_PAIR
"""Index of the error in the heading that the magnetic field always shows, rad; only where both
sensors have a magnetometer."""
PLACE_ERROR: Final = FIELD_ERROR + 1
"""The same of what it shows at this place."""
N_WITH_FIELD: Final = PLACE_ERROR + 1

BATCH: Final = 21
"""Most scalar measurements of a window: for each of two sensors motion 3, rest 3, field 1, and 7 of
the joint between them."""
WIDTH: Final = 72
"""Length of a row of the covariance, of measurements and of their gains inside kernels: room for
all error states there can be; a multiple of eight, because the processor takes eight at a time; and
always the same, because the compiler must know how far apart rows lie. Columns behind the error
states are zero."""

TH: Final = 0
"""Attitude error, rotation vector in earth axes, rad: R_true = exp([TH]) R."""
BI: Final = 3
"""Gyroscope bias error in sensor axes, rad/s."""
MG: Final = 6
"""Gyroscope scale and misalignment error, 3 x 3 row major: rate_true = (I + MG) (rate - BI)."""
AO: Final = 15
"""Accelerometer offset error in sensor axes, m/s²."""
LE: Final = 18
"""Error of the accelerometer's lead over the gyroscope, s."""
VE: Final = 19
"""Velocity error of the sensor's bounded motion in earth axes, m/s."""
PO: Final = 22
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
"""Integral over the window of the sensor-to-earth matrix, row major, s."""
SUM_RW: Final = 37
"""Integral over the window of R[i, j] ω[k], at 9 i + 3 j + k, rad."""
SUM_L: Final = 64
"""Integral over the window of ω × f in earth axes: what a second of lead adds to `SUM_F`."""
SUM_F: Final = 67
"""Integral over the window of the specific force in earth axes, m/s."""
SUM_P: Final = 70
"""Integral over the window of the running `SUM_F`, m."""
SUM_W: Final = 73
"""Sum over the window of the measured rate, about `REF_W`."""
SUM_W2: Final = 76
"""Sum over the window and the axes of the squared rate, about `REF_W`."""
SUM_A: Final = 77
"""Sum over the window of the specific force in sensor axes, about `REF_A`."""
SUM_A2: Final = 80
"""As `SUM_W2`, for the specific force."""
SUM_BLOW: Final = 81
"""Sum over the window and the axes of the squared second difference of the specific force."""
SUM_M: Final = 82
"""Sum over the window of the magnetic field in earth axes."""
COUNT: Final = 85
"""Valid samples in the window."""
MISSING: Final = 86
"""Missing samples in the window."""
REF_W: Final = 87
"""Measured rate at the first sample of the window."""
REF_A: Final = 90
"""Specific force at the first sample of the window."""
POWER: Final = 93
"""Spectral density of the motion acceleration along a horizontal axis, (m/s²)² s."""
POWER_UP: Final = 94
"""The same along the vertical."""
STILL_S: Final = 95
"""Seconds at the noise floor without interruption."""
QUIET_W: Final = 96
"""Variance of the rate inside windows, mean of the last 2 s, (rad/s)²."""
QUIET_A: Final = 97
"""As `QUIET_W`, specific force, (m/s²)²."""
AGE_S: Final = 98
"""Seconds that `QUIET_W` has averaged over."""
FLOOR_W: Final = 99
"""Gyroscope noise floor in use, rad/s."""
FLOOR_A: Final = 100
"""Accelerometer noise floor in use, m/s²."""
FIELD: Final = 101
"""Reference of the magnetic field: norm, dip (rad), seconds of trust."""
STARTED: Final = 104
"""1 once the first valid sample has set the attitude."""
LEAD: Final = 105
"""Lead of the accelerometer over the gyroscope, s."""
SLOW: Final = 106
"""Mean over the last `FilterParams.coherence_s` of what `SUM_R` to `SUM_L` gather per second."""
SLOW_AGE: Final = 145
"""Seconds that `SLOW` has averaged over."""
BLOCK_W: Final = 146
"""Rotation vectors of the block under way, summed."""
BLOCK_N: Final = 149
"""Samples of the block under way."""
STILL_W: Final = 150
"""Mean measured rate since the sensor lies still."""
LAST_A: Final = 153
"""Specific force of the last sample and, behind it, its change from the one before."""
LAST_N: Final = 159
"""Samples before the next without a gap, at most 2."""
BLOCK_L: Final = 160
"""ω × f of the block under way, summed."""
COMMON: Final = 163
"""How much further than the first reference pose all later ones are turned, rad, in the head's
vector; in the trunk's the same of poses that have a value of their own, see `repetition`."""
ARM: Final = 164
"""From the neck joint to the sensor, m."""
MISFIT: Final = 167
"""By how much walking shows the heading of the head too far, rad; held as `COMMON` is."""
WARMING: Final = 168
"""What warming up adds to the bias in all, rad/s; see `warming`."""
LAST_W: Final = 171
"""Measured rate of the last sample of the window."""
SUM_STEP2: Final = 174
"""Sum over the window and the axes of the squared step of the rate from sample to sample; cleared
when the next window begins."""
QUIET_STEP: Final = 175
"""Half the mean square step of the rate, mean of the last 2 s, (rad/s)²: `QUIET_W` of white noise.
"""
FLOOR_KNOWN: Final = 176
"""1 once `FLOOR_W` was measured."""
N_STATE: Final = 177

WINDOW_START: Final = SUM_R
WINDOW_STOP: Final = REF_W
"""[WINDOW_START, WINDOW_STOP) is cleared at the end of a window."""

N_TRANSITION: Final = SUM_F - SUM_R
"""Numbers from SUM_R on that the transition of a window depends on."""
