"""Serving a data folder without recording."""

import asyncio

import click

from api.http.server import address, bind, serving, stop_on_signals
from api.hub.lan import ensure_user, invitation
from api.hub.pairing import first_patient
from api.runtime import Runtime
from api.settings import Settings
from api.stores import open_results
from storage.access import has_accounts
from storage.catalog import Catalog
from storage.record.reader import RecordReader


async def serve_folder(settings: Settings, *, lan: bool = False, on_terminal: bool = False) -> None:
    """Serve pages and API until Ctrl-C.

    Parameters
    ----------
    settings : Settings
    lan : bool
        Let other devices in the house in too.
    on_terminal : bool
        What is said is seen by a person and kept nowhere.

    Raises
    ------
    StorageError
        There is no record in the folder, or it cannot be read.
    AddressError
        The port cannot be used.
    """
    with RecordReader(settings.data_dir) as record, Catalog(settings.data_dir) as catalog:
        if lan and not has_accounts(catalog):
            patient = first_patient(catalog, settings.zone_name)
            ensure_user(catalog, patient, click.echo, on_terminal=on_terminal)
        results = open_results(settings, sending=True)
        try:
            runtime = Runtime(settings, "serve", record, results, catalog)
            listener = bind(settings)
            stop = asyncio.Event()
            with stop_on_signals(stop.set):
                async with serving(runtime, listener, lan=lan):
                    click.echo(f"Serving {settings.data_dir} at {address(settings, listener)}")
                    if runtime.lan is not None:
                        click.echo(invitation(runtime.lan))
                    click.echo("Press Ctrl-C to stop.")
                    await stop.wait()
        finally:
            results.close()
