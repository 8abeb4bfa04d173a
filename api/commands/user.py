"""`necktrace user`: who may log in, and whose data each of them sees."""

import sys
from pathlib import Path
from typing import Any

import click

from api.access.rights import ROLES
from api.options import data_dir_option, json_option

ACTOR = "command line"

_patients = click.option(
    "--patient", "patients", multiple=True, metavar="ID", help="Patient; may be given repeatedly."
)
_days = click.option(
    "--days", type=click.FloatRange(0, 36_500, min_open=True), help="The grant ends after so long."
)
_identified = click.option(
    "--identified", is_flag=True, help="Show a researcher identities and true dates."
)
_password_file = click.option(
    "--password-file",
    type=click.File(encoding="utf-8"),
    help="File whose first line is the password; `-` reads it from standard input.",
)


@click.group("user")
def command() -> None:
    """Set up who may log in, and whose data each of them sees.

    As soon as there is a user, everybody logs in, on this computer too.
    """


def _catalog(data_dir: Path | None) -> Any:
    from api.settings import load_settings
    from storage.catalog import Catalog

    return Catalog(load_settings(data_dir=data_dir).data_dir)


def _ask_password(file: Any) -> str:
    if file is not None:
        return str(file.readline()).rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("give --password-file FILE, or run it on a terminal to be asked.")
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return asked


def _name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    name = value.strip().lower()
    if not 1 <= len(name) <= 64 or not all(c.isalnum() or c in "._-@" for c in name):
        raise click.BadParameter("letters, digits and . _ - @ only, at most 64.")
    return name


def _grant(catalog: Any, account: Any, patient: str, days: float | None, identified: bool) -> None:
    from api.access.principals import expires_in
    from storage.access import add_grant

    add_grant(
        catalog,
        account,
        patient,
        identified=identified,
        expires_ns=None if days is None else expires_in(days),
        actor=ACTOR,
    )


@command.command("add")
@click.argument("name", callback=_name)
@click.option("--role", type=click.Choice(ROLES), required=True, help="What they are.")
@_patients
@_days
@_identified
@_password_file
@data_dir_option
@json_option
def add(
    name: str,
    role: str,
    patients: tuple[str, ...],
    days: float | None,
    password_file: Any,
    data_dir: Path | None,
    *,
    identified: bool,
    as_json: bool,
) -> None:
    """Set up a person; the password is asked for, never given as an option."""
    from api.access.passwords import hash_password
    from api.terminal import emit
    from storage.access import add_account

    password = hash_password(_ask_password(password_file))
    with _catalog(data_dir) as catalog:
        for patient in patients:
            catalog.patient(patient)
        account = add_account(catalog, name, role, password, actor=ACTOR)
        for patient in patients:
            _grant(catalog, account, patient, days, identified)
    emit(
        {"name": name, "role": role, "patients": list(patients)},
        as_json=as_json,
        text=f"{name} can log in as {role}"
        + (f" and sees {', '.join(patients)}." if patients else "; no patient is granted yet."),
    )


@command.command("list")
@data_dir_option
@json_option
def list_(data_dir: Path | None, *, as_json: bool) -> None:
    """List everybody with their grants in force."""
    from api.terminal import emit
    from api.web.texts import iso
    from storage.access import accounts, grants_of

    with _catalog(data_dir) as catalog:
        found: list[dict[str, Any]] = [
            {
                "name": account.name,
                "role": account.role,
                "disabled": account.disabled_ns is not None,
                "grants": [
                    {
                        "patient": grant.patient,
                        "identified": grant.identified,
                        "expires_utc": grant.expires_ns and iso(grant.expires_ns),
                    }
                    for grant in grants_of(catalog, account.id)
                ],
            }
            for account in accounts(catalog)
        ]
    lines = [
        f"{user['name']:20} {user['role']:11} {'disabled  ' if user['disabled'] else ''}"
        + ", ".join(str(grant["patient"]) for grant in user["grants"])
        for user in found
    ]
    none = "No users: whoever uses this computer is the owner and needs no password."
    emit({"users": found}, as_json=as_json, text="\n".join(lines) or none)


def _say(action: str, name: str, text: str, *, as_json: bool) -> None:
    from api.terminal import emit

    emit({"name": name, "action": action}, as_json=as_json, text=text)


@command.command("disable")
@click.argument("name", callback=_name)
@data_dir_option
@json_option
def disable(name: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Close an account: logins end, tokens are suspended."""
    import time

    from storage.access import account_named, set_disabled

    with _catalog(data_dir) as catalog:
        set_disabled(catalog, account_named(catalog, name), time.time_ns(), actor=ACTOR)
    _say("disable", name, f"{name} can no longer log in.", as_json=as_json)


@command.command("enable")
@click.argument("name", callback=_name)
@data_dir_option
@json_option
def enable(name: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Open a closed account again."""
    from storage.access import account_named, set_disabled

    with _catalog(data_dir) as catalog:
        set_disabled(catalog, account_named(catalog, name), None, actor=ACTOR)
    _say("enable", name, f"{name} can log in again.", as_json=as_json)


@command.command("password")
@click.argument("name", callback=_name)
@_password_file
@data_dir_option
@json_option
def password(name: str, password_file: Any, data_dir: Path | None, *, as_json: bool) -> None:
    """Set a new password, which ends every login of that person."""
    from api.access.passwords import hash_password
    from storage.access import account_named, set_password

    with _catalog(data_dir) as catalog:
        account = account_named(catalog, name)
        set_password(catalog, account, hash_password(_ask_password(password_file)), actor=ACTOR)
    _say("password", name, f"{name} has a new password.", as_json=as_json)


@command.command("grant")
@click.argument("name", callback=_name)
@click.option("--patient", required=True, metavar="ID", help="Whose data.")
@_days
@_identified
@data_dir_option
@json_option
def grant(
    name: str,
    patient: str,
    days: float | None,
    data_dir: Path | None,
    *,
    identified: bool,
    as_json: bool,
) -> None:
    """Let a person see a patient, within what their role may; replaces an earlier grant."""
    from storage.access import account_named

    with _catalog(data_dir) as catalog:
        _grant(catalog, account_named(catalog, name), patient, days, identified)
    _say("grant", name, f"{name} sees {patient}.", as_json=as_json)


@command.command("withdraw")
@click.argument("name", callback=_name)
@click.option("--patient", required=True, metavar="ID", help="Whose data.")
@data_dir_option
@json_option
def withdraw(name: str, patient: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Take a patient back from a person."""
    from storage.access import account_named, withdraw_grants

    with _catalog(data_dir) as catalog:
        held = withdraw_grants(catalog, account_named(catalog, name), patient, actor=ACTOR)
    text = f"{name} no longer sees {patient}." if held else f"{name} did not see {patient} anyway."
    _say("withdraw", name, text, as_json=as_json)
