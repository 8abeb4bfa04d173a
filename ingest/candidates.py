"""Which of the devices that a scan heard a link should try."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest.drivers.registry import DriverEntry, Registry
from ingest.transport import Advertisement


@dataclass(frozen=True, slots=True)
class SensorWish:
    """Which sensor a link is for, as far as it is known."""

    rate_hz: float = 100.0
    device_id: str = ""
    """Identity the sensor must have; empty accepts any recognised sensor nobody else uses."""
    address: str = ""
    """Address it was last seen with: tried first, never proof of identity."""
    name: str = ""
    """Advertised name it was last seen with."""
    driver: str = ""
    """Short name of its driver; empty for any."""


class Candidates:
    """Judges advertisements for one link and remembers strangers.

    Parameters
    ----------
    registry
        Kinds of sensors that may be used.
    is_taken
        Whether another link uses an address.
    """

    def __init__(self, registry: Registry, is_taken: Callable[[str], bool]) -> None:
        self._registry = registry
        self._is_taken = is_taken
        self.strangers: set[str] = set()
        """Addresses that turned out to belong to other sensors."""

    def is_known(self, wish: SensorWish, advertisement: Advertisement) -> bool:
        """Return whether a scan can end with this advertisement."""
        if not self.is_eligible(wish, advertisement):
            return False
        if wish.address or wish.name:
            return advertisement.address == wish.address or (
                bool(wish.name) and advertisement.name == wish.name
            )
        return True

    def is_eligible(self, wish: SensorWish, advertisement: Advertisement) -> bool:
        """Return whether an advertisement can be the sensor at all."""
        entry = self._registry.recognise(advertisement)
        if entry is None or advertisement.address in self.strangers:
            return False
        if wish.driver and entry.name != wish.driver:
            return False
        return not self._is_taken(advertisement.address)

    def choose(
        self, wish: SensorWish, heard: Sequence[Advertisement]
    ) -> tuple[Advertisement, DriverEntry] | None:
        """Return the best candidate: the known address or name, else the strongest.

        Another address is tried only where the identity is known and will be checked, because
        addresses change while identities do not.
        """
        known = [a for a in heard if self.is_known(wish, a)]
        pool = known or [a for a in heard if wish.device_id and self.is_eligible(wish, a)]
        if not pool:
            return None
        best = max(pool, key=lambda a: -127 if a.rssi_dbm is None else a.rssi_dbm)
        entry = self._registry.recognise(best)
        return None if entry is None else (best, entry)
