"""Real receivers of alerts on the loopback address: an HTTP server and a mail server."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Posted:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpReceiver:
    """Keeps what is posted; answers `status`."""

    url: str = ""
    status: int = 200
    posted: list[Posted] = field(default_factory=list)


@dataclass
class MailReceiver:
    """Keeps messages; answers DATA with `answer`."""

    port: int = 0
    answer: str = "250 taken"
    messages: list[Message] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield int(server.socket.getsockname()[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    """Listen for posts."""
    kept = HttpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # its name
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept.posted.append(Posted(self.path, dict(self.headers), body))
            self.send_response(kept.status)
            self.end_headers()

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        kept.url = f"http://127.0.0.1:{port}/hook"
        yield kept


@contextmanager
def mail_receiver() -> Iterator[MailReceiver]:
    """Listen for mail: as much of RFC 5321 as a client needs, without TLS."""
    kept = MailReceiver()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 loopback")
            while line := self.rfile.readline().decode().strip():
                verb = line.split(" ")[0].split(":")[0].upper()
                if verb == "DATA":
                    self.say("354 go on")
                    lines = list(iter(self.rfile.readline, b".\r\n"))
                    self.say(kept.answer)
                    if kept.answer.startswith("250"):
                        kept.messages.append(message_from_bytes(b"".join(lines)))
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    if verb == "RCPT":
                        kept.recipients.append(line)
                    self.say("250 ok")

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        kept.port = port
        yield kept
