"""What a paired sensor is found again by."""

from ingest.drivers import SensorIdentity
from ingest.pairing import PairedSensor


def test_a_paired_sensor_is_wished_for_exactly() -> None:
    sensor = PairedSensor(SensorIdentity("v1-00", "m", "v1"), "A", "necktrace 00")
    wish = sensor.wish(104.0)
    assert (wish.device_id, wish.address, wish.name, wish.driver, wish.rate_hz) == (
        "v1-00",
        "A",
        "necktrace 00",
        "v1",
        104.0,
    )
