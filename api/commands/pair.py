"""`necktrace pair`: make sensors known as the ones on the head and on the trunk."""

from pathlib import Path
from typing import Any

import click

from api.options import data_dir_option, json_option


@click.command("pair")
@click.argument("addresses", metavar="[ADDRESS [ADDRESS]]", nargs=-1)
@click.option(
    "--role",
    type=click.Choice(["head", "trunk"]),
    help="Where the one sensor given is worn; without it a nod tells the two apart.",
)
@click.option("--yes", is_flag=True, help="The two sensors that are heard are mine: do not ask.")
@click.option(
    "--seconds",
    type=click.FloatRange(1.0, 120.0),
    default=10.0,
    show_default=True,
    help="How long to listen for a sensor.",
)
@click.option(
    "--nod-seconds",
    type=click.FloatRange(1.0, 60.0),
    default=6.0,
    show_default=True,
    help="How long a nod is watched.",
)
@data_dir_option
@json_option
def command(
    addresses: tuple[str, ...],
    role: str | None,
    *,
    yes: bool,
    seconds: float,
    nod_seconds: float,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    r"""Pair the sensors of one person: by a nod, or by saying where one is worn.

    \b
    necktrace pair                       the two sensors around; a nod tells which is on the head
    necktrace pair ADDRESS ADDRESS       the same with these two (see `necktrace scan`)
    necktrace pair ADDRESS --role head   this one on the head, without a nod

    Put both sensors on first for the nod. Press a sensor's button first if it has one for pairing.
    """
    from api.settings import load_settings
    from api.terminal import emit

    settings = load_settings(data_dir=data_dir)
    if role is not None and len(addresses) != 1:
        raise click.UsageError("--role goes with one ADDRESS; leave it out to have a nod decide.")
    if role is None and len(addresses) == 1:
        raise click.UsageError(
            f"say where {addresses[0]} is worn with --role, or give both addresses."
        )
    if len(addresses) > 2 or len(set(addresses)) < len(addresses):
        raise click.UsageError("give two different addresses, one for the head, one for the trunk.")
    if role is not None:
        device = _one(settings, addresses[0], role, seconds)
        emit(
            _told(device),
            as_json=as_json,
            text=f"{device.model or device.id} is now the {role} sensor."
            + _still_missing(settings)
            + _not_yet(settings),
        )
        return
    chosen = addresses or _both_around(seconds, yes=yes)
    head, trunk = _by_nod(settings, chosen, seconds, nod_seconds)
    emit(
        {"head": _told(head), "trunk": _told(trunk)},
        as_json=as_json,
        text="\n".join(
            f"{each.role}: {each.model or each.id} ({each.address})" for each in (head, trunk)
        )
        + _not_yet(settings),
    )


def _still_missing(settings: Any) -> str:
    """Return a sentence on the role that has no sensor."""
    from storage.catalog import Catalog

    with Catalog(settings.data_dir) as catalog:
        roles = {device.role for device in catalog.devices()}
    missing = [role for role in ("head", "trunk") if role not in roles]
    return "".join(f" No {role} sensor is paired." for role in missing)


def _not_yet(settings: Any) -> str:
    """Return a sentence on a recording that goes on with the sensors before."""
    from storage.record import lock_holder

    if lock_holder(settings.data_dir) is None:
        return ""
    return " A recording is under way with the sensors before: end it and start it again."


def _told(device: Any) -> dict[str, Any]:
    return {
        "id": device.id, "role": device.role, "model": device.model, "address": device.address
    }  # fmt: skip


def _one(settings: Any, address: str, role: str, seconds: float) -> Any:
    import asyncio

    from api.hub.pairing import pair_as
    from api.terminal import Progress

    with Progress(f"Pairing {address}"):
        return asyncio.run(pair_as(settings, address, role, scan_s=seconds))


def _both_around(seconds: float, *, yes: bool) -> tuple[str, str]:
    """Return the addresses of the two sensors that are heard, once they are known to be meant."""
    import asyncio
    import sys

    from api.errors import ApiError
    from api.hub.pairing import heard_pair
    from api.terminal import Progress

    with Progress("Listening"):
        found = asyncio.run(heard_pair(seconds))
    for each in found:
        signal = "" if each.rssi_dbm is None else f"  {each.rssi_dbm} dBm"
        click.echo(f"{each.address}  {each.name:24}  {each.model}{signal}", err=True)
    # another person's sensor would take the place of the one that was not heard
    if not yes and not sys.stdin.isatty():
        raise ApiError("add --yes if both of these are yours, or give their addresses.")
    if not yes and not click.confirm("Are both of these yours?", err=True):
        raise ApiError("nothing was paired. Give the two addresses: `necktrace pair A B`.")
    return found[0].address, found[1].address


def _by_nod(settings: Any, addresses: Any, seconds: float, nod_seconds: float) -> Any:
    import asyncio

    from api.hub.pairing import pair_by_nod
    from ingest.nod import NodVerdict

    why = {
        NodVerdict.STILL: "Neither sensor saw a nod. ",
        NodVerdict.BOTH: "Both sensors moved alike; move only the head. ",
        NodVerdict.SILENT: "A sensor sent nothing. ",
    }

    async def ask(_number: int, before: NodVerdict | None) -> None:
        said = why[before] if before is not None else "Both sensors send. "
        click.echo(f"{said}Nod twice now, slowly, with the trunk still.", err=True)

    click.echo("Connecting both sensors.", err=True)
    return asyncio.run(pair_by_nod(settings, addresses, ask, watch_s=nod_seconds, scan_s=seconds))
