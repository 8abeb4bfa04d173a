"""`necktrace scan`: which sensors are around."""

import click

from api.options import json_option


@click.command("scan")
@click.option(
    "--seconds",
    type=click.FloatRange(1.0, 120.0),
    default=8.0,
    show_default=True,
    help="How long to listen.",
)
@click.option("--all", "everybody", is_flag=True, help="Also devices without a name or service.")
@json_option
def command(seconds: float, *, everybody: bool, as_json: bool) -> None:
    """List the Bluetooth sensors around, supported ones first."""
    import asyncio
    from dataclasses import asdict

    from api.terminal import Progress, emit
    from ingest.discovery import scan_sensors
    from ingest.drivers.catalogue import SUPPORTED
    from ingest.sources.ble import BleTransport

    with Progress("Listening"):
        found = asyncio.run(scan_sensors(BleTransport(), SUPPORTED, seconds, everybody=everybody))
    lines = [
        f"{sensor.address}  {sensor.name or '(no name)':24}  "
        + (sensor.model if sensor.recognised else f"not usable: {sensor.reason}")
        + ("" if sensor.rssi_dbm is None else f"  {sensor.rssi_dbm} dBm")
        + ("" if sensor.battery_percent is None else f"  battery {sensor.battery_percent} %")
        for sensor in found
    ]
    usable = sum(sensor.recognised for sensor in found)
    lines.append(
        f"{usable} usable sensors."
        if usable
        else "No usable sensor was heard. Switch the sensors on and bring them closer."
    )
    emit(
        {"sensors": [asdict(sensor) for sensor in found], "usable": usable},
        as_json=as_json,
        text="\n".join(lines),
    )
