"""A slow TCP link between two processes that can be cut in the middle of a request."""

import contextlib
import socket
import threading
import time
from typing import Self

PIECE = 8192


def free_port() -> int:
    """Return a loopback port of five digits that nobody uses at the moment."""
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = int(listener.getsockname()[1])
        if port >= 10_000:
            return port


class CuttableLink:
    """Passes bytes to a port of this computer; the Host header is made to fit.

    Parameters
    ----------
    target : int
        Port of the server.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", free_port()))
        self._listener.listen(32)
        self.port = int(self._listener.getsockname()[1])
        self.budget: int | None = None
        """Bytes towards the server after which every connection is cut; None: no end."""
        self.pause_s = 0.0
        """Pause before each piece towards the server."""
        self.passed = 0
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5.0)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]  # our own methods
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._spent():
                near.close()
                continue
            far = socket.socket()
            try:
                far.connect(("127.0.0.1", self._target))
            except OSError:
                near.close()
                far.close()
                continue
            self._start(self._up, near, far)
            self._start(self._down, near, far)

    def _spent(self) -> bool:
        return self.budget is not None and self.passed >= self.budget

    def _up(self, near: socket.socket, far: socket.socket) -> None:
        ours, theirs = f"127.0.0.1:{self.port}".encode(), f"127.0.0.1:{self._target}".encode()
        with contextlib.suppress(OSError):
            while piece := near.recv(PIECE):
                if self.pause_s:
                    time.sleep(self.pause_s)
                with self._lock:
                    if self.budget is not None:
                        piece = piece[: self.budget - self.passed]
                    self.passed += len(piece)
                far.sendall(piece.replace(ours, theirs))
                if self._spent():
                    break
        _end(near, far)

    def _down(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := far.recv(PIECE):
                near.sendall(piece)
        _end(near, far)
        near.close()
        far.close()


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
