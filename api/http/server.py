"""Serving the application on the loopback address, or behind a trusted proxy."""

import asyncio
import contextlib
import signal
import socket
import warnings
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from fastapi import FastAPI
from pydantic.warnings import UnsupportedFieldAttributeWarning

from api.access.exposure import check_exposure
from api.errors import AddressError
from api.http.app import create_app
from api.hub.lan import Lan, open_lan, renewing
from api.runtime import Runtime
from api.settings import Settings

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_S = 3
"""Open answers (live streams) are cut this long after the server was told to stop."""


def bind(settings: Settings) -> socket.socket:
    """Return a listening socket on the address that is set.

    Raises
    ------
    AddressError
        The port is taken or may not be used.
    """
    family = socket.AF_INET6 if settings.host == "::1" else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise AddressError(
            f"port {settings.port} on {settings.host} cannot be used ({error.strerror}); stop what "
            "uses it, or give another with --port (0 takes any free one)."
        ) from None
    listener.listen(128)
    return listener


def address(settings: Settings, listener: socket.socket) -> str:
    """Return the address to open in a browser."""
    if settings.public_name:
        return f"https://{settings.public_name}/"
    port = listener.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}/"


@contextlib.asynccontextmanager
async def serving(
    runtime: Runtime, listener: socket.socket, *, lan: bool = False
) -> AsyncIterator[None]:
    """Serve inside the running event loop until the context ends.

    Live streams end with `runtime.stopping`, which is set first, so that the server is down
    within `GRACE_S`.

    Parameters
    ----------
    lan : bool
        Let other devices in the house in too, over TLS on a listener of its own; `runtime.lan`
        then says how.

    Raises
    ------
    AddressError
        Other computers could reach it, and a trusted proxy, TLS or a user is missing.
    """
    # FastAPI hides this one itself, by a filter that a thread that compiles kernels may take away
    warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)
    check_exposure(runtime.settings, runtime.catalog)
    runtime.port = int(listener.getsockname()[1])
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(runtime.stopping.set)
        if lan:
            await stack.enter_async_context(_served_on_lan(runtime))
        await stack.enter_async_context(_served(_config(create_app(runtime)), listener, runtime))
        yield


@contextlib.asynccontextmanager
async def _served_on_lan(runtime: Runtime) -> AsyncIterator[None]:
    runtime.lan, listener = open_lan(runtime.settings, runtime.catalog)
    certificate = runtime.lan.certificate
    config = _config(
        create_app(runtime, lan_hosts=runtime.lan.hosts),
        ssl_certfile=str(certificate.cert_file),
        ssl_keyfile=str(certificate.key_file),
    )
    config.load()
    assert config.ssl is not None

    def renewed(latest: Lan) -> None:
        runtime.lan = latest

    async with (
        renewing(runtime.settings, runtime.lan, config.ssl, renewed),
        _served(config, listener, runtime),
    ):
        yield


def _config(app: FastAPI, **tls: str) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        **tls,  # type: ignore[arg-type]  # names of files
    )


@contextlib.asynccontextmanager
async def _served(
    config: uvicorn.Config, listener: socket.socket, runtime: Runtime
) -> AsyncIterator[None]:
    server = uvicorn.Server(config)
    # uvicorn would take the signals away from the command that runs it.
    server.capture_signals = contextlib.nullcontext  # type: ignore[assignment,method-assign]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110  uvicorn offers no event
            await asyncio.sleep(0.005)
        if task.done():
            await task
        yield
    finally:
        runtime.stopping.set()
        server.should_exit = True
        await task


async def until_stopped(seconds: float | None, stop: asyncio.Event) -> None:
    """Wait for Ctrl-C, SIGTERM, `stop`, or the time to be up."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


@contextlib.contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on Ctrl-C and SIGTERM inside the running event loop."""
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
