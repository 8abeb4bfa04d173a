"""A virtual sensor of protocol v1: what firmware does, without radio and clock."""

from firmware_protocol.device.model import Outgoing, SensorModel, SensorSettings
from firmware_protocol.device.sensor import VirtualSensor

__all__ = ["Outgoing", "SensorModel", "SensorSettings", "VirtualSensor"]
