"""`necktrace pair`: make a sensor known as the one on the head or on the trunk."""

from pathlib import Path

import click

from api.options import data_dir_option, json_option


@click.command("pair")
@click.argument("address")
@click.option(
    "--role", type=click.Choice(["head", "trunk"]), required=True, help="Where it is worn."
)
@data_dir_option
@json_option
def command(address: str, role: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Pair the sensor at ADDRESS (see `necktrace scan`) as the one on the head or the trunk.

    Press the sensor's button first if it has one for pairing.
    """
    import asyncio

    from api.pairing import pair_as
    from api.settings import load_settings
    from api.terminal import Progress, emit

    settings = load_settings(data_dir=data_dir)
    with Progress(f"Pairing {address}"):
        device = asyncio.run(pair_as(settings, address, role))
    emit(
        {"id": device.id, "role": device.role, "model": device.model, "address": device.address},
        as_json=as_json,
        text=f"{device.model or device.id} is now the {role} sensor.",
    )
