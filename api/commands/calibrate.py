"""`necktrace calibrate`: the errors of one sensor unit, measured off the body and kept with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.options import data_dir_option, json_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processing.temperature_line import TemperatureLine


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
    from api.units import save_calibration
    from ingest.unit_calibration import calibrate_device
    from storage.catalog import Catalog
    from storage.record import RecordReader

    folder = load_settings(data_dir=data_dir).data_dir
    with RecordReader(folder) as reader:
        found = calibrate_device(reader, serial, last_s=60.0 * minutes)
    calibration = found.record(at_ns=time.time_ns())
    if not dry_run:
        with Catalog(folder) as catalog:
            save_calibration(catalog, serial, calibration)
            catalog.audit("owner", "calibrate", serial, {"residual_mg": calibration["residual_mg"]})
    emit(
        {"device": serial, "kept": not dry_run, **calibration},
        as_json=as_json,
        text=_sentences(serial, found.seconds, calibration, kept=not dry_run),
    )


@command.command("temperature")
@click.argument("serial")
@click.option("--hours", default=48.0, show_default=True, help="How far back to look.")
@click.option("--dry-run", is_flag=True, help="Only report; keep nothing.")
@data_dir_option
@json_option
def temperature(
    serial: str, *, hours: float, dry_run: bool, data_dir: Path | None, as_json: bool
) -> None:
    """Learn how a unit's gyroscope bias follows its temperature.

    From what it sent while it lay still off the body and cooled down or warmed up by 3 K or more:
    take it off after wearing, and let it stream on a table for half an hour. `necktrace up` does
    the same by itself once a day. It holds from the next calibration of the posture on.
    """
    import time

    from api.settings import load_settings
    from api.terminal import emit
    from api.units import line_of, save_line
    from ingest.temperature_lines import learn_line, record_of
    from storage.catalog import Catalog
    from storage.record import RecordReader

    folder = load_settings(data_dir=data_dir).data_dir
    now_ns = time.time_ns()
    with RecordReader(folder) as reader:
        pairs, line = learn_line(reader, serial, since_ns=now_ns - round(hours * 3600e9))
    with Catalog(folder) as catalog:
        kept = False
        if line is not None and line.worth_using and not dry_run:
            kept = save_line(catalog, serial, line, at_ns=now_ns, actor="owner")
        in_use = line_of(catalog, serial)
    found = {} if line is None else record_of(line, at_ns=now_ns)
    span_k = float(pairs.degc.max() - pairs.degc.min()) if pairs.degc.size else 0.0
    emit(
        {
            "device": serial,
            "kept": kept,
            "minutes_at_rest": int(pairs.degc.size),
            **found,
            "in_use": in_use,
        },
        as_json=as_json,
        text=_line_sentences(serial, int(pairs.degc.size), span_k, line, kept=kept)
        + ("" if kept else _in_use(in_use)),
    )


def _line_sentences(
    serial: str, minutes: int, span_k: float, line: "TemperatureLine | None", *, kept: bool
) -> str:
    rest = f"{serial}: {minutes} minutes at rest off the body, over {span_k:.1f} K."
    if line is None:
        return f"{rest}\nThat is too little for a line: 10 minutes over 3 K are needed."
    slopes = _slopes(line.slope_rads_k, line.slope_sigma_rads_k)
    said = f"{rest}\nbias over temperature  {slopes} °/s per kelvin, about {line.at_degc:.1f} °C"
    if not line.worth_using:
        return f"{said}\nKnown too badly to be used; let it lie longer."
    return f"{said}\n" + (
        "Kept with the unit; it holds from the next calibration of the posture on."
        if kept
        else "Nothing was kept."
    )


def _in_use(line: "Mapping[str, Any] | None") -> str:
    from datetime import UTC, datetime

    if line is None:
        return "\nNo line is kept with the unit."
    since = datetime.fromtimestamp(line["at_ns"] * 1e-9, UTC).date().isoformat()
    slopes = _slopes(line["slope_rads_k"], line["slope_sigma_rads_k"])
    return f"\nKept since {since}       {slopes} °/s per kelvin, about {line['at_degc']:.1f} °C"


def _slopes(slopes_rads_k: Any, sigmas_rads_k: Any) -> str:
    import numpy as np

    both = zip(np.degrees(slopes_rads_k), np.degrees(sigmas_rads_k), strict=True)
    return ", ".join(f"{slope:+.4f} ± {sigma:.4f}" for slope, sigma in both)


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
