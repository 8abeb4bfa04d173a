"""Which store holds the results: the data folder, or InfluxDB where one is set."""

from api.settings import Settings
from storage.embedded import EmbeddedStore
from storage.results import ResultStore


def open_results(settings: Settings, *, sending: bool) -> ResultStore:
    """Open the configured store; nothing above knows which it is.

    Parameters
    ----------
    sending : bool
        This process empties the outbox: true for the one that records or serves, once per folder.

    Raises
    ------
    SettingsError
        InfluxDB is set without a usable token.
    ServerSetupError, ServerRefusedError
        The server answers and cannot be used as it is; the message says what to do. A server that
        does not answer is no error: results wait in the outbox.
    """
    if not settings.influx_url:
        return EmbeddedStore(settings.data_dir)
    from storage.errors import ServerUnreachableError
    from storage.influx import InfluxSettings
    from storage.influx_store import InfluxStore

    store = InfluxStore(
        settings.data_dir,
        InfluxSettings(
            url=settings.influx_url,
            token=settings.influx_secret,
            org=settings.influx_org,
            bucket_prefix=settings.influx_bucket_prefix,
        ),
        sending=sending,
    )
    try:
        store.prepare()
    except ServerUnreachableError:
        pass  # the outbox keeps what is written; health says that delivery waits
    except Exception:
        store.close()
        raise
    return store
