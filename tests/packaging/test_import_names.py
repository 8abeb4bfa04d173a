"""The five import names are ours alone in this environment."""

from importlib.metadata import packages_distributions

import pytest


@pytest.mark.parametrize("name", ["firmware_protocol", "ingest", "processing", "storage", "api"])
def test_no_stranger_owns_our_import_name(name: str) -> None:
    owners = set(packages_distributions().get(name, []))
    assert owners <= {"necktrace"}, f"{owners - {'necktrace'}} replaces our package {name}"
