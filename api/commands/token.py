"""`necktrace token`: tokens for programs."""

from pathlib import Path
from typing import Any

import click

from api.access.rights import MEANINGS, RIGHTS
from api.options import data_dir_option, json_option

ACTOR = "command line"
_SCOPES = "; ".join(f"{right}: {meaning}" for right, meaning in MEANINGS.items())


@click.group("token")
def command() -> None:
    """Make, list and revoke tokens for programs.

    A program presents one as `Authorization: Bearer TOKEN`.
    """


def _catalog(data_dir: Path | None) -> Any:
    from api.settings import load_settings
    from storage.catalog import Catalog

    return Catalog(load_settings(data_dir=data_dir).data_dir)


@command.command("add")
@click.argument("label")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(RIGHTS),
    multiple=True,
    required=True,
    help=f"What it may do; may be given repeatedly. {_SCOPES}.",
)
@click.option("--patient", "patients", multiple=True, metavar="ID", help="Whose data; repeatable.")
@click.option(
    "--days",
    type=click.FloatRange(0, 3650, min_open=True),
    default=90.0,
    show_default=True,
    help="It ends after so long.",
)
@click.option("--user", metavar="NAME", help="Whose token it is: it never can more than they can.")
@click.option("--pseudonymous", is_flag=True, help="Pseudonyms and shifted dates only.")
@data_dir_option
@json_option
def add(
    label: str,
    scopes: tuple[str, ...],
    patients: tuple[str, ...],
    days: float,
    user: str | None,
    data_dir: Path | None,
    *,
    pseudonymous: bool,
    as_json: bool,
) -> None:
    """Make a token and print it, this once: only a hash of it is kept."""
    from api.access.principals import expires_in
    from api.terminal import emit
    from api.web.texts import iso
    from storage.access import account_named
    from storage.credentials import add_token

    with _catalog(data_dir) as catalog:
        account = None if user is None else account_named(catalog, user.strip().lower())
        token, secret = add_token(
            catalog,
            label,
            scopes=scopes,
            patients=patients,
            expires_ns=expires_in(days),
            account=None if account is None else account.id,
            blind=pseudonymous,
            actor=ACTOR,
        )
    emit(
        {
            "id": token.id,
            "token": secret,
            "scopes": sorted(token.scopes),
            "patients": sorted(token.patients),
            "expires_utc": iso(token.expires_ns),
        },
        as_json=as_json,
        text=f"{secret}\nCopy it now; it cannot be shown again. Token {token.id}, until "
        f"{iso(token.expires_ns)}.",
    )


@command.command("list")
@data_dir_option
@json_option
def list_(data_dir: Path | None, *, as_json: bool) -> None:
    """List all tokens, without what they are made of."""
    import time

    from api.terminal import emit
    from api.web.texts import iso
    from storage.access import accounts
    from storage.credentials import tokens

    with _catalog(data_dir) as catalog:
        names = {account.id: account.name for account in accounts(catalog)}
        held = tokens(catalog)
    now = time.time_ns()
    found = [
        {
            "id": token.id,
            "label": token.label,
            "user": names.get(token.account or ""),
            "scopes": sorted(token.scopes),
            "patients": sorted(token.patients),
            "pseudonymous": token.blind,
            "expires_utc": iso(token.expires_ns),
            "used_utc": token.used_ns and iso(token.used_ns),
            "in_force": token.holds(now),
        }
        for token in held
    ]
    lines = [
        f"{each['id']}  {'in force' if each['in_force'] else 'ended   '}  until "
        f"{each['expires_utc']}  {each['label']}: {', '.join(token.scopes)}"
        for each, token in zip(found, held, strict=True)
    ]
    emit({"tokens": found}, as_json=as_json, text="\n".join(lines) or "No tokens.")


@command.command("revoke")
@click.argument("token_id", metavar="ID")
@data_dir_option
@json_option
def revoke(token_id: str, data_dir: Path | None, *, as_json: bool) -> None:
    """End a token for good."""
    from api.terminal import emit
    from storage.credentials import revoke_token

    with _catalog(data_dir) as catalog:
        revoke_token(catalog, token_id, actor=ACTOR)
    emit({"id": token_id, "action": "revoke"}, as_json=as_json, text=f"Token {token_id} ended.")
