"""`necktrace user` and `necktrace token`."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.access.principals import identify
from api.cli import group
from storage.catalog import Catalog, Patient
from storage.errors import CatalogError

PASSWORD = "correct horse battery"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "record"
    with Catalog(path) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "Europe/Berlin"))
    return path


def run(folder: Path, *arguments: str, typed: str = "") -> Any:
    result = CliRunner().invoke(
        group,
        [*arguments, "--data-dir", str(folder), "--json"],
        input=typed,
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def add_ada(folder: Path) -> Any:
    arguments = ("user", "add", "Ada", "--role", "clinician", "--patient", "p1", "--days", "30")
    return run(folder, *arguments, "--password-file", "-", typed=PASSWORD + "\n")


def test_the_first_user_makes_the_folder(tmp_path: Path) -> None:
    """As in a container that was never started before."""
    added = run(
        tmp_path / "new", "user", "add", "root", "--role", "admin", "--password-file", "-",
        typed=PASSWORD + "\n",
    )  # fmt: skip
    assert added == {"name": "root", "role": "admin", "patients": []}


def test_user_from_beginning_to_end(folder: Path) -> None:
    assert run(folder, "user", "list") == {"users": []}
    assert add_ada(folder)["name"] == "ada"
    (ada,) = run(folder, "user", "list")["users"]
    assert (ada["role"], ada["disabled"], len(ada["grants"])) == ("clinician", False, 1)
    assert ada["grants"][0]["expires_utc"] is not None
    run(folder, "user", "withdraw", "ada", "--patient", "p1")
    assert run(folder, "user", "list")["users"][0]["grants"] == []
    run(folder, "user", "grant", "ada", "--patient", "p1", "--identified")
    grants = run(folder, "user", "list")["users"][0]["grants"]
    assert grants == [{"patient": "p1", "identified": True, "expires_utc": None}]
    run(folder, "user", "disable", "ada")
    assert run(folder, "user", "list")["users"][0]["disabled"]
    run(folder, "user", "enable", "ada")
    assert not run(folder, "user", "list")["users"][0]["disabled"]
    run(folder, "user", "password", "ada", "--password-file", "-", typed="another long one\n")
    with Catalog(folder) as catalog:
        actions = [entry[2] for entry in catalog.audit_log()]
    assert actions == [
        "user.add", "grant.add", "grant.withdraw", "grant.add", "user.disable", "user.enable",
        "user.password",
    ]  # fmt: skip


def test_token_from_beginning_to_end(folder: Path) -> None:
    made = run(
        folder, "token", "add", "notebook", "--scope", "read:summary", "--patient", "p1",
        "--days", "7",
    )  # fmt: skip
    with Catalog(folder) as catalog:
        bearer = f"Bearer {made['token']}"
        who = identify(catalog, authorization=bearer, cookie=None, local=True)
        assert who.may("read:summary", "p1")
        assert not who.may("read:raw", "p1")
    (listed,) = run(folder, "token", "list")["tokens"]
    assert listed["in_force"]
    assert made["token"] not in json.dumps(listed)
    run(folder, "token", "revoke", made["id"])
    assert not run(folder, "token", "list")["tokens"][0]["in_force"]
    with Catalog(folder) as catalog:
        who = identify(catalog, authorization=bearer, cookie=None, local=True)
        assert who.kind == "nobody"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["user", "add", "ada", "--role", "clinician", "--patient", "p9"], "p9"),
        (["user", "disable", "nobody"], "user list"),
        (["user", "grant", "nobody", "--patient", "p1"], "user list"),
        (["token", "add", "x", "--scope", "read:raw", "--patient", "p9"], "p9"),
        (["token", "revoke", "nothing"], "token list"),
    ],
)
def test_mistakes_are_named(folder: Path, arguments: list[str], said: str) -> None:
    more = ["--password-file", "-"] if arguments[1] == "add" and arguments[0] == "user" else []
    with pytest.raises(CatalogError, match=said):
        CliRunner().invoke(
            group,
            [*arguments, *more, "--data-dir", str(folder)],
            input=PASSWORD + "\n",
            catch_exceptions=False,
        )
    with Catalog(folder) as catalog:
        assert catalog.audit_log() == [], "nothing was half done"


def test_a_name_is_taken_once_and_a_password_is_long(folder: Path) -> None:
    add_ada(folder)
    with pytest.raises(CatalogError, match="already"):
        add_ada(folder)
    for name, password in (("bob", "short"), ("b b", PASSWORD)):
        result = CliRunner().invoke(
            group,
            [
                "user", "add", name, "--role", "carer", "--password-file", "-",
                "--data-dir", str(folder),
            ],
            input=password + "\n",
        )  # fmt: skip
        assert result.exit_code != 0
    assert len(run(folder, "user", "list")["users"]) == 1
