"""Order in which kernels read one sensor's constants; `params.constants` fills them."""

from typing import Final

BIAS_WALK: Final = 0
OFFSET_WALK: Final = 1
GYRO_DENSITY: Final = 2
GYRO_SHARE: Final = 3
ACC_DENSITY: Final = 4
ACC_SHARE: Final = 5
POLE: Final = 6
POWER_FLOOR: Final = 7
POWER_MEMORY: Final = 8
GAP_RATE: Final = 9
REST_RATIO: Final = 10
REST_TIME: Final = 11
POSITION_0: Final = 12
VELOCITY_0: Final = 13
LEARN_FLOOR: Final = 14
MAG_SIGMA: Final = 15
MAG_TIME: Final = 16
MAG_NORM: Final = 17
MAG_DIP: Final = 18
MAG_MEMORY: Final = 19
COHERENCE: Final = 20
BIAS_SHARE: Final = 21
GYRO_SHAKE: Final = 22
BLOW: Final = 23
JOINT_NOISE: Final = 24
WARM_TAU: Final = 25
FLOOR_MOST: Final = 26
N_TUNING: Final = 27
