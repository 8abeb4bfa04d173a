"""Cervical angles by rotation matrices, written from the definition and nothing else."""

import numpy as np

from processing import quaternion
from processing.types import FloatArray


def rot_x(angle_deg: float) -> FloatArray:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rot_y(angle_deg: float) -> FloatArray:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rot_z(angle_deg: float) -> FloatArray:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def zxy_matrix(flexion: float, lateral: float, rotation: float) -> FloatArray:
    return rot_z(-flexion) @ rot_x(lateral) @ rot_y(-rotation)


def yaw_first(flexion: float, lateral: float, rotation: float) -> FloatArray:
    """Turn first, then tilt the face plane, then nod: Y-X'-Z''."""
    return quaternion.from_matrix(rot_y(-rotation) @ rot_x(lateral) @ rot_z(-flexion))


def cervical(
    q_head: FloatArray,
    q_trunk: FloatArray,
    q_head_segment_sensor: FloatArray,
    q_trunk_segment_sensor: FloatArray,
    neutral: FloatArray,
) -> tuple[float, float, float, float]:
    """Return flexion, lateral right, rotation right and deviation, degrees, of one row."""
    head = quaternion.to_matrix(q_head) @ quaternion.to_matrix(q_head_segment_sensor).T
    trunk = quaternion.to_matrix(q_trunk) @ quaternion.to_matrix(q_trunk_segment_sensor).T
    R = trunk.T @ head @ quaternion.to_matrix(neutral).T
    alpha = np.degrees(np.arctan2(-R[0, 1], R[1, 1]))
    beta = np.degrees(np.arcsin(R[2, 1]))
    gamma = np.degrees(np.arctan2(-R[2, 0], R[2, 2]))
    deviation = np.degrees(np.arccos(np.clip((np.trace(R) - 1.0) / 2.0, -1.0, 1.0)))
    return -alpha, beta, -gamma, deviation
