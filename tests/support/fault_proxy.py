"""An HTTP proxy in front of a real server that loses, doubles and refuses requests."""

import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

FAULTS = ("before", "after", "503", "429")


class FaultProxy:
    """Passes requests on; of the POSTs a fraction fails.

    ``before``: the connection is dropped before the server saw the request; ``after``: when it had
    stored it already; ``503`` and ``429``: answered so, without the server.
    """

    def __init__(self, upstream: str, *, fraction: float, seed: int) -> None:
        self.fraction = fraction
        self.counts = dict.fromkeys((*FAULTS, "passed"), 0)
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self._client = httpx.Client(base_url=upstream, timeout=30.0)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # its name
                del format, args

            def do_GET(self) -> None:  # http.server's name
                self._answer()

            def do_POST(self) -> None:  # http.server's name
                self._answer()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = proxy._next_fault(self.command)
                if fault == "before":
                    self.close_connection = True
                    self.connection.close()
                    return
                if fault in ("503", "429"):
                    self._reply(int(fault), b"{}", {"Retry-After": "0.02"})
                    return
                try:
                    answer = proxy._client.request(
                        self.command,
                        self.path,
                        content=body,
                        headers={
                            k: v
                            for k, v in self.headers.items()
                            if k.lower() not in ("host", "content-length", "connection")
                        },
                    )
                except httpx.HTTPError:
                    self.close_connection = True
                    self.connection.close()
                    return
                if fault == "after":
                    self.close_connection = True
                    self.connection.close()
                    return
                passed = {
                    k: v
                    for k, v in answer.headers.items()
                    if k.lower().startswith(("content-type", "x-influxdb"))
                }
                self._reply(answer.status_code, answer.content, passed)

            def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._client.close()

    def _next_fault(self, command: str) -> str:
        with self._lock:
            fault = "passed"
            if command == "POST" and self._rng.random() < self.fraction:
                fault = self._rng.choice(FAULTS)
            self.counts[fault] += 1
            return fault
