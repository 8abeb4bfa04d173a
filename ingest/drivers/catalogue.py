"""Every kind of sensor this program can use."""

from ingest.drivers.registry import Registry
from ingest.drivers.v1 import V1

SUPPORTED = Registry((V1,))
"""Our own sensor first, then other makers' in the order of the documentation."""
