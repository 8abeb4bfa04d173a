"""`necktrace patient`: whose data a folder holds, for a clinic that takes data from homes."""

from pathlib import Path
from typing import Any

import click

from api.options import data_dir_option, json_option


@click.group("patient")
def command() -> None:
    """Enter and list patients. At home `necktrace pair` does it; a clinic enters them here."""


def _catalog(data_dir: Path | None) -> tuple[Any, str]:
    from api.settings import load_settings
    from storage.catalog import Catalog

    settings = load_settings(data_dir=data_dir)
    return Catalog(settings.data_dir), settings.zone_name


@command.command("add")
@click.argument("patient")
@click.option("--label", default="", help="What pages show; need not be a name.")
@click.option("--zone", default="", help="IANA time zone of the days, such as Europe/Berlin.")
@data_dir_option
@json_option
def add(patient: str, label: str, zone: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Enter a patient under a pseudonym, which stays for good."""
    from api.errors import ApiError
    from api.terminal import emit
    from storage.catalog import Patient

    catalog, zone_here = _catalog(data_dir)
    with catalog:
        if any(known.id == patient for known in catalog.patients()):
            raise ApiError(f"there is a patient {patient!r} already; choose another pseudonym.")
        catalog.save_patient(Patient(patient, label, zone or zone_here))
        catalog.audit("command line", "patient.add", patient, {})
    made = {"id": patient, "label": label, "zone": zone or zone_here}
    emit(made, as_json=as_json, text=f"Patient {patient} is entered.")


@command.command("list")
@data_dir_option
@json_option
def list_(data_dir: Path | None, *, as_json: bool) -> None:
    """List all patients."""
    from api.terminal import emit

    catalog, _ = _catalog(data_dir)
    with catalog:
        found = [{"id": p.id, "label": p.label, "zone": p.zone} for p in catalog.patients()]
    lines = [f"{p['id']}  {p['label']}  {p['zone']}" for p in found] or ["There is nobody yet."]
    emit({"patients": found}, as_json=as_json, text="\n".join(lines))
