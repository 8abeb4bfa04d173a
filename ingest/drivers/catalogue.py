"""Every kind of sensor this program can use."""

from ingest.drivers.capture2go import CAPTURE2GO
from ingest.drivers.movella_dot import DOT
from ingest.drivers.movesense import MOVESENSE
from ingest.drivers.polar import POLAR
from ingest.drivers.registry import Registry
from ingest.drivers.v1 import V1
from ingest.drivers.witmotion import WITMOTION

SUPPORTED = Registry((V1, CAPTURE2GO, MOVESENSE, POLAR, WITMOTION, DOT))
"""Our own sensor first, then other makers' in the order of the documentation."""
