"""Order in which kernels read one sensor's constants; `params.constants` fills them."""

from typing import Final

BIAS_WALK: Final = 0
OFFSET_WALK: Final = 1
GYRO_DENSITY: Final = 2
GYRO_SHARE: Final = 3
ACC_DENSITY: Final = 4
ACC_SHARE: Final = 5
POLE_1: Final = 6
POLE_2: Final = 7
POWER_FLOOR: Final = 8
POWER_MEMORY: Final = 9
GAP_RATE: Final = 10
REST_RATIO: Final = 11
REST_TIME: Final = 12
POSITION_0: Final = 13
VELOCITY_0: Final = 14
LEARN_FLOOR: Final = 15
MAG_SIGMA: Final = 16
MAG_TIME: Final = 17
MAG_STILL: Final = 18
MAG_NORM: Final = 19
MAG_DIP: Final = 20
MAG_MEMORY: Final = 21
N_TUNING: Final = 22
