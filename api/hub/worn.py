"""Which units a person wears, and what is known of each."""

from api.errors import ApiError
from api.guided.pairing import VIRTUAL
from firmware_protocol.devices.descriptions import describe
from ingest.candidates import SensorWish
from ingest.live import Role
from ingest.priors import declared_by, unit_params
from ingest.unit_calibration import is_due
from processing.orientation import SensorParams
from storage.catalog import Catalog, Patient
from storage.record import RecordReader

RATE_HZ = 100.0
ROLES: tuple[Role, Role] = ("head", "trunk")


def paired_wishes(catalog: Catalog, patient: Patient) -> dict[Role, SensorWish]:
    """Return which sensors to look for.

    Raises
    ------
    ApiError
        No sensor is paired as the one on the head.
    """
    wishes: dict[Role, SensorWish] = {}
    for device in catalog.devices(patient=patient.id):
        for role in ROLES:
            if device.role == role:
                wishes[role] = SensorWish(
                    rate_hz=RATE_HZ, device_id=device.id, address=device.address
                )
    if "head" not in wishes:
        raise ApiError(
            "no head sensor is paired yet: put both sensors on and run `necktrace pair`, or let "
            "the page of `necktrace up` lead through it."
        )
    return wishes


def has_angles_of_trunk(catalog: Catalog, patient: Patient) -> bool:
    """Return whether a trunk sensor is paired that can give the head something to turn against."""
    for device in catalog.devices(patient=patient.id):
        if device.role == "trunk":
            model = describe(device.id, device.model)
            return model is None or model.has_gyr
    return False


def worn_units(
    catalog: Catalog, record: RecordReader, patient: Patient
) -> dict[Role, SensorParams]:
    """Return what is known of the errors of the units that are paired, by role."""
    found: dict[Role, SensorParams] = {}
    for device in catalog.devices(patient=patient.id):
        streams = record.streams(device_id=device.id, kind="imu")
        declared = declared_by(streams[-1].info) if streams else {}
        known = unit_params(device.id, device.model, device.calibration, declared)
        for role in ROLES:
            if device.role == role and known is not None:
                found[role] = known
    return found


def units_to_calibrate(catalog: Catalog, patient: Patient, now_ns: int) -> list[str]:
    """Return a sentence for each worn unit whose own calibration is due."""
    found = []
    for device in catalog.devices(patient=patient.id):
        made = device.model == VIRTUAL
        if device.role in ROLES and not made and is_due(device.calibration, now_ns=now_ns):
            when = "was never calibrated" if "at_ns" not in device.calibration else "is due again"
            found.append(
                f"The unit on the {device.role} {when}: `necktrace calibrate device {device.id}` "
                "(see its help) makes its angles better."
            )
    return found
