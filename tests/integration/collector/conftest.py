"""Tests of the running collector must not wait for a compiler."""

import pytest

from ingest.warm_up import compile_chain
from processing.pipeline import PipelineParams
from tests.support.collecting import plain_setup


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Compile the chain once, for this process and for those it starts."""
    for head_only in (False, True):
        compile_chain(PipelineParams(), plain_setup(head_only=head_only))
