"""`necktrace calibrate`: the errors of one sensor unit, measured off the body and kept with it."""

from pathlib import Path
from typing import Any

import click

from api.options import data_dir_option, json_option


@click.group("calibrate")
def command() -> None:
    """Measure a sensor unit's own errors and keep them with it.

    How the sensors sit on the body is another calibration: `necktrace up` guides through it.
    """


@command.command("device")
@click.argument("serial")
@click.option(
    "--minutes", default=10.0, show_default=True, help="How far back the six faces were shown."
)
@click.option("--dry-run", is_flag=True, help="Only report; keep nothing.")
@data_dir_option
@json_option
def device(
    serial: str, *, minutes: float, dry_run: bool, data_dir: Path | None, as_json: bool
) -> None:
    """Calibrate one unit from the last minutes that it sent.

    While `necktrace up` records, lay the sensor on a table on each of its six faces in turn, three
    seconds each, turning it over by hand in between; a few more oblique positions make it better.
    Then run this command. It holds from the next calibration of the posture on.
    """
    import time

    from api.settings import load_settings
    from api.terminal import emit
    from ingest.unit_calibration import calibrate_device
    from storage.catalog import Catalog, Device
    from storage.record import RecordReader

    folder = load_settings(data_dir=data_dir).data_dir
    with RecordReader(folder) as reader:
        found = calibrate_device(reader, serial, last_s=60.0 * minutes)
    calibration = found.record(at_ns=time.time_ns())
    if not dry_run:
        with Catalog(folder) as catalog:
            known = {device.id: device for device in catalog.devices()}
            before = known.get(serial) or Device(serial, None, None)
            catalog.save_device(
                Device(
                    before.id,
                    before.patient,
                    before.role,
                    address=before.address,
                    model=before.model,
                    calibration=calibration,
                    boots=before.boots,
                )
            )
            catalog.audit("owner", "calibrate", serial, {"residual_mg": calibration["residual_mg"]})
    emit(
        {"device": serial, "kept": not dry_run, **calibration},
        as_json=as_json,
        text=_sentences(serial, found.seconds, calibration, kept=not dry_run),
    )


def _sentences(serial: str, seconds: float, calibration: dict[str, Any], *, kept: bool) -> str:
    import numpy as np

    offset = np.array(calibration["acc_offset_ms2"]) / 9.80665e-3
    offset_sigma = np.array(calibration["acc_offset_sigma_ms2"]) / 9.80665e-3

    def three(values: Any, sigmas: Any, digits: int) -> str:
        return ", ".join(
            f"{v:+.{digits}f} ± {s:.{digits}f}" for v, s in zip(values, sigmas, strict=True)
        )

    kept_line = "Kept with the unit; due again in half a year." if kept else "Nothing was kept."
    lines = [
        f"{serial}: all six faces found in {seconds:.0f} s.",
        f"accelerometer offset  {three(offset, offset_sigma, 1)} mg",
    ]
    if "gyr_matrix" not in calibration:
        return "\n".join(
            [
                *lines,
                "gyroscope             this sensor has none: only its inclination gets better",
                f"left over             {calibration['residual_mg']:.1f} mg on the faces",
                kept_line,
            ]
        )
    bias = np.degrees(calibration["gyr_offset_rads"])
    bias_sigma = np.degrees(calibration["gyr_offset_sigma_rads"])
    gain = (np.array(calibration["gyr_matrix"]) - np.eye(3)) * 100.0
    return "\n".join(
        [
            *lines,
            f"gyroscope offset      {three(bias, bias_sigma, 3)} °/s",
            f"gyroscope matrix      at most {np.abs(gain).max():.2f} % from ideal, "
            f"known to {100 * calibration['gyr_gain_sigma']:.2f} %",
            f"left over             {calibration['residual_mg']:.1f} mg on the faces, "
            f"{calibration['closure_deg']:.2f}° over the turns",
            kept_line,
        ]
    )
