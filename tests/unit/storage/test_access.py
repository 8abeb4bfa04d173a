"""People and grants in the database: from version 1, and after a patient is erased."""

import time
from pathlib import Path

from storage.access import add_account, add_grant, all_grants, grants_of, has_accounts
from storage.catalog import Catalog, Patient
from storage.credentials import add_token, tokens
from storage.embedded import EmbeddedStore
from storage.erasure import erase_patient
from storage.schema import SCHEMA_VERSION

ADDED = ("token_patient", "token", "failed_login", "login", "patient_grant", "account")


def test_a_folder_of_version_1_is_brought_up_to_date(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "Europe/Berlin"))
        catalog.audit("owner", "look", "p1", {})
        for table in ADDED:
            catalog.connection.execute(f"DROP TABLE {table}")
        for trigger in ("audit_is_not_changed", "audit_is_not_deleted"):
            catalog.connection.execute(f"DROP TRIGGER {trigger}")
        catalog.connection.execute("PRAGMA user_version=1")
    with Catalog(tmp_path) as catalog:
        assert not has_accounts(catalog)
        ada = add_account(catalog, "ada", "carer", "", actor="test")
        add_grant(catalog, ada, "p1", identified=False, expires_ns=None, actor="test")
        assert [entry[2] for entry in catalog.audit_log()] == ["look", "user.add", "grant.add"]
    assert (tmp_path / f"posture.db.before-v{SCHEMA_VERSION}").exists()


def test_erasing_a_patient_takes_grants_tokens_and_names_along(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        for patient in ("secret-pseudonym", "p2"):
            catalog.save_patient(Patient(patient, patient, "Europe/Berlin"))
        ada = add_account(catalog, "ada", "carer", "", actor="test")
        for patient in ("secret-pseudonym", "p2"):
            add_grant(catalog, ada, patient, identified=True, expires_ns=None, actor="test")
        add_token(
            catalog, "t", scopes=["read:raw"], patients=["secret-pseudonym", "p2"],
            expires_ns=time.time_ns() + 10**12, account=ada.id, blind=False, actor="test",
        )  # fmt: skip
        store = EmbeddedStore(tmp_path)
        erase_patient(tmp_path, "secret-pseudonym", actor="test", results=store)
        store.close()
        assert [grant.patient for grant in all_grants(catalog)] == ["p2"]
        assert tokens(catalog)[0].patients == {"p2"}
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("posture.db*"))
    assert b"secret-pseudonym" not in kept


def test_a_new_grant_replaces_the_old_one(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "Europe/Berlin"))
        ada = add_account(catalog, "ada", "researcher", "", actor="test")
        soon = time.time_ns() + 10**12
        add_grant(catalog, ada, "p1", identified=True, expires_ns=None, actor="test")
        add_grant(catalog, ada, "p1", identified=False, expires_ns=soon, actor="test")
        (held,) = grants_of(catalog, ada.id)
        assert not held.identified
        assert grants_of(catalog, ada.id, now_ns=soon) == []
        assert len(all_grants(catalog)) == 2, "what was given before stays on record"
