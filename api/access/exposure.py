"""What must hold before this server is reachable from other computers."""

from api.errors import AddressError
from api.settings import LOOPBACK_NAMES, Settings
from storage.access import has_accounts
from storage.catalog import Catalog


def check_exposure(settings: Settings, catalog: Catalog) -> None:
    """Refuse to serve beyond this computer without a trusted proxy and a user.

    Raises
    ------
    AddressError
        One of the two is missing; the message says how to set it.
    """
    if settings.host in LOOPBACK_NAMES:
        return
    if not settings.trusted_proxy:
        raise AddressError(
            f"{settings.host} can be reached by other computers: set trusted_proxy and public_name "
            "to a proxy that ends TLS, or use 127.0.0.1."
        )
    if not has_accounts(catalog):
        raise AddressError(
            f"{settings.host} can be reached by other computers and nobody is set up to log in: "
            "run `necktrace user add NAME --role admin` first (in a container: `docker compose run "
            "--rm api necktrace user add NAME --role admin`)."
        )
