"""A page on this machine, for scripts that fetch one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GREETING = "greetings from the network"


class Page(BaseHTTPRequestHandler):
    """Answers every GET with a greeting."""

    def do_GET(self) -> None:  # http.server's name.
        self.send_response(200)
        self.send_header("Content-Length", str(len(GREETING)))
        self.end_headers()
        self.wfile.write(GREETING.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@contextmanager
def local_page() -> Iterator[str]:
    """The URL of a page that this process serves meanwhile."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/greeting"
        finally:
            server.shutdown()
            thread.join()
