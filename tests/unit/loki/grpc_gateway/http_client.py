"""A client that knows nothing but HTTP."""

import http.client
import json
from typing import Any

from tests.unit.loki.conftest import TIMEOUT_S


class Answer:
    """What came back."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self) -> Any:
        assert self.headers["content-type"].startswith("application/json")
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.json["code"]

    @property
    def reason(self) -> str:
        reason: str = self.json["details"][0]["debug"]["reason"]
        return reason


class Client:
    """One connection to the HTTP port."""

    def __init__(self, address: str) -> None:
        self.address = address.removeprefix("http://")
        self.connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_S)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, named)
        return Answer(self.connection.getresponse())

    def post(self, path: str, message: object, **headers: str) -> Answer:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.ask("POST", path, body, **{"Content_Type": "application/json"} | headers)

    def at_once(self, path: str, message: object, **headers: str) -> Answer:
        """As `post`, but the body comes in the same packet as the headers."""
        body = json.dumps(message)
        named = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self.connection.connect()
        raw = self.connection.sock
        raw.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n{body}".encode())
        response = http.client.HTTPResponse(raw, method="POST")
        response.begin()
        return Answer(response)
