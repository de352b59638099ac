"""A schema registry in the test's own process that asks for a login and can be told what it takes.

The real one behind a login would need an identity provider; what `streamer` sees of it is the same:
401 until the login is right.
"""

import base64
import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any


class GuardedRegistry:
    """Knows schemas by id, and one login. Use it as a context manager."""

    def __init__(self, schemas: Mapping[int, Mapping[str, Any]], user: str, password: str) -> None:
        self._schemas = schemas
        self._login = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        self._answers = Event()
        self._answers.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answers.wait(60)
                status, body = outer._answer(self.path, self.headers.get("Authorization"))
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def suspend(self) -> None:
        """Connections are taken and nothing is answered."""
        self._answers.clear()

    def resume(self) -> None:
        self._answers.set()

    def _answer(self, path: str, login: str | None) -> tuple[int, Any]:
        if login != self._login:
            return 401, {"error_code": 401, "message": "Unauthorized"}
        if path == "/schemas/types":
            return 200, ["AVRO"]
        number = path.removeprefix("/schemas/ids/")
        if number.isdigit() and int(number) in self._schemas:
            return 200, {"schema": json.dumps(self._schemas[int(number)])}
        return 404, {"error_code": 40403, "message": "Schema not found"}

    def __enter__(self) -> "GuardedRegistry":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.resume()
        self._server.shutdown()
        self._server.server_close()
