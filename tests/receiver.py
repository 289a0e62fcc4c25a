"""A receiver of webhooks: listens on loopback and keeps what is posted to it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Receiver(ThreadingHTTPServer):
    """Keeps what is posted to it."""

    posts: list[dict[str, Any]]


class Handler(BaseHTTPRequestHandler):
    """Keeps a post's JSON and answers 200."""

    server: Receiver

    def do_POST(self) -> None:
        self.server.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiver(address: str = "127.0.0.1") -> Iterator[Receiver]:
    """Listen for posts."""
    server = Receiver((address, 0), Handler)
    server.posts = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
