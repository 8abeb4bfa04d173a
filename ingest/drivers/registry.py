"""Which driver takes which advertisement."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ingest.drivers.driver import Driver
from ingest.drivers.inbox import Inbox, MonotonicNs
from ingest.transport import Advertisement, Connection

DriverFactory = Callable[[Connection, Inbox, MonotonicNs], Driver]


@dataclass(frozen=True, slots=True)
class DriverEntry:
    """One kind of sensor."""

    name: str
    """Short name in settings and in the record: `v1`, `movesense`, ..."""
    model: str
    """Name for people."""
    service_uuids: frozenset[str]
    """Advertised services, one of which identifies the kind."""
    make: DriverFactory
    name_prefixes: tuple[str, ...] = ()
    """Advertised names that identify it where the service is not in the advertisement."""
    may_pair: bool = False
    """Whether the first encrypted read may open a pairing dialog of the system."""

    def matches(self, advertisement: Advertisement) -> bool:
        """Return whether an advertisement is of this kind."""
        if self.service_uuids & advertisement.service_uuids:
            return True
        name = advertisement.name or ""
        return any(name.startswith(prefix) for prefix in self.name_prefixes)


@dataclass(frozen=True, slots=True)
class Registry:
    """The kinds of sensors a collector accepts, best first."""

    entries: tuple[DriverEntry, ...]

    def recognise(self, advertisement: Advertisement) -> DriverEntry | None:
        """Return the kind of an advertised device, None for a stranger."""
        return next((entry for entry in self.entries if entry.matches(advertisement)), None)

    def named(self, name: str) -> DriverEntry:
        """Return a kind by its short name; KeyError lists what there is."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise KeyError(f"no driver {name!r}; there are {', '.join(e.name for e in self.entries)}")

    def kind_of(self, device_id: str) -> str:
        """Return the kind that an identity belongs to, empty where none of ours.

        Identities begin with the name of their driver: `v1-0011223344556677`.
        """
        return next((e.name for e in self.entries if device_id.startswith(f"{e.name}-")), "")

    def service_uuids(self, names: Collection[str] = ()) -> frozenset[str]:
        """Return what to scan for: the services of all kinds, or of those named.

        Empty when one of them can only be told by its name, so that the scan must hear everybody.
        """
        chosen = [e for e in self.entries if not names or e.name in names]
        if any(e.name_prefixes for e in chosen):
            return frozenset()
        return frozenset().union(*(e.service_uuids for e in chosen))
