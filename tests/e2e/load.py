"""Calls of all kinds at a steady rate from real clients, each of which must end well or say why.

Theory of operation. Each call carries a number that no other has, through whatever it calls, and
must get it back. Calls start by the clock, whether or not earlier ones have ended. One that lost
its connection asks for its execution as soon as somebody can be asked.
"""

import http.server
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from loki.client import LokiClient, LokiClientError, Output, Result, Value

TOOLS = """
[[tools]]
name = "one"
parameters = [{ name = "nonce", type = "integer" }]
return_type = "integer"
script = { inline = "return params.nonce" }

[[tools]]
name = "keep"
parameters = [{ name = "nonce", type = "integer" }, { name = "told", type = "array", default = [] }]
return_type = "integer"
permissions = { storage = true }
script = { inline = '''
for _, nonce in ipairs(params.told) do
  if hel:storage_get('n' .. nonce) ~= nonce then return nonce end
end
hel:storage_set('n' .. params.nonce, params.nonce)
return hel:storage_get('n' .. params.nonce)''' }

[[tools]]
name = "measure"
parameters = [{ name = "nonce", type = "integer" }]
return_type = "integer"
permissions = { sensors = ["*"] }
script = { inline = "fenrir:sensor_read('greenhouse_temperature') return params.nonce" }

[[tools]]
name = "fetch"
parameters = [{ name = "nonce", type = "integer" }, { name = "url", type = "string" }]
return_type = "integer"
permissions = { http = ["http://127.0.0.1:*/"] }
script = { inline = "return math.tointeger(tonumber(jormungandr:http_get(params.url .. params.nonce)))" }

[[tools]]
name = "count"
parameters = [{ name = "nonce", type = "integer" }]
return_type = "integer"
script = { inline = "for i = 1, 5 do loki.emit(params.nonce + i) loki.sleep(40) end return params.nonce" }

[[tools]]
name = "nap"
parameters = [{ name = "nonce", type = "integer" }]
return_type = "integer"
script = { inline = "loki.sleep(150) return params.nonce" }

[[tools]]
name = "again"
parameters = [{ name = "nonce", type = "integer" }]
return_type = "integer"
idempotent = true
script = { inline = "loki.sleep(100) return params.nonce" }
"""  # noqa: E501
KINDS = ("one", "keep", "measure", "fetch", "count", "nap", "again", "one")
CLIENTS = 8
MOST_OPEN = 400
DEADLINE_S = 8.0
GRACE_S = 5.0  # What this process may lag behind.
UNKNOWN = "unknown"
LOOK_S = 30.0  # For the execution of a call that was lost.
EXCUSES = frozenset({"CHILD_DOWN", "RUNNER_CRASHED", "DRAINING", "TIME_BUDGET", "QUEUE_FULL"})
"""Reasons that a caller may be given in a storm: all of them say that trying again may help."""


@dataclass(slots=True)
class Failed:
    """A call that got no result; `at_s` on the monotonic clock."""

    kind: str
    begun_s: float
    at_s: float
    error: LokiClientError
    execution_id: str = ""
    found: str = ""  # What became of an execution whose call was lost.

    @property
    def code(self) -> str:
        return f"{self.error.code_name} {self.error.reason or '(transport)'}"

    @property
    def is_lost(self) -> bool:
        """The connection broke: no answer came from Loki."""
        return self.error.code_name == "UNAVAILABLE" and not self.error.reason


@dataclass
class Tally:
    """What came back."""

    good: Counter[str] = field(default_factory=Counter)
    failed: list[Failed] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)  # Stored for ever, as their callers were told.
    wrong: list[str] = field(default_factory=list)  # Another's reply, or half of one.
    slowest_s: float = 0.0

    @property
    def calls(self) -> int:
        return self.good.total() + len(self.failed)


class Load:
    """From `start` to `stop`, in threads of its own."""

    def __init__(self, address: str, pages: str, calls_per_s: float) -> None:
        """`pages` is where the web server is that answers with the number in its path."""
        self.tally = Tally()
        self._pages = pages
        self._interval_s = 1 / calls_per_s
        self._clients = [LokiClient(address, patience_s=0) for _ in range(CLIENTS)]
        self._pool = ThreadPoolExecutor(MOST_OPEN)
        self._calls: list[Future[None]] = []
        self._over = threading.Event()
        self._pacer = threading.Thread(target=self._pace)

    def start(self) -> None:
        self._pacer.start()

    def stop(self) -> None:
        """Waits for all that is under way. Raises: whatever a call raised that is no answer."""
        self._over.set()
        self._pacer.join()
        self._pool.shutdown()
        for client in self._clients:
            client.close()
        for call in self._calls:
            call.result()

    def _pace(self) -> None:
        begun_s = time.monotonic()
        nonce = 0
        while not self._over.wait(begun_s + nonce * self._interval_s - time.monotonic()):
            nonce += 1
            self._calls = [call for call in self._calls if not call.done() or call.exception()]
            self._calls.append(self._pool.submit(self._call, KINDS[nonce % len(KINDS)], nonce))

    def _call(self, kind: str, nonce: int) -> None:
        client = self._clients[nonce % CLIENTS]
        begun_s = time.monotonic()
        ids: list[str] = []
        try:
            value = self._value(client, kind, nonce, ids)
        except LokiClientError as error:
            failed = Failed(kind, begun_s, time.monotonic(), error, *ids)
            self._took(begun_s)
            if failed.is_lost and failed.execution_id:
                failed.found = found(client, failed, nonce)
            self.tally.failed.append(failed)
            return
        self._took(begun_s)
        if value != nonce:
            self.tally.wrong.append(f"{kind} {nonce} was answered {value}")
        elif kind == "keep":
            self.tally.kept.append(nonce)
        self.tally.good[kind] += 1

    def _took(self, begun_s: float) -> None:
        self.tally.slowest_s = max(self.tally.slowest_s, time.monotonic() - begun_s)

    def _value(self, client: LokiClient, kind: str, nonce: int, ids: list[str]) -> object:
        """Raises: LokiClientError."""
        if kind == "count":
            return self._streamed(client, nonce, ids)
        arguments: dict[str, int | str] = {"nonce": nonce}
        if kind == "fetch":
            arguments["url"] = self._pages
        return client.execute(kind, arguments, timeout_s=DEADLINE_S).value

    def _streamed(self, client: LokiClient, nonce: int, ids: list[str]) -> object:
        with client.stream("count", {"nonce": nonce}, timeout_s=DEADLINE_S) as events:
            expected = nonce
            for event in events:
                ids[:] = [events.execution_id]
                match event:
                    case Value(value=value):
                        expected += 1
                        if value != expected:
                            self.tally.wrong.append(f"{value} streamed, {expected} expected")
                    case Result(execution=execution):
                        return execution.value if expected == nonce + 5 else expected
                    case Output():
                        self.tally.wrong.append(f"output of another in the stream of {nonce}")
        return None


def found(client: LokiClient, failed: Failed, nonce: int) -> str:
    """What became of an execution whose caller lost it; what begins with "!" must not be."""
    pause = threading.Event()
    end_s = time.monotonic() + LOOK_S
    while time.monotonic() < end_s:
        try:
            record = client.get_execution(failed.execution_id)
        except LokiClientError as error:
            if error.code_name == "UNAVAILABLE":
                pause.wait(error.retry_after_s or 0.1)
                continue
            return UNKNOWN if error.reason == "EXECUTION_NOT_FOUND" else f"!{error}"
        if record.state == "failed":
            return f"failed ({record.cause})"
        if record.state == "finished":
            return "finished" if record.value == nonce else f"!finished with {record.value}"
        pause.wait(0.1)
    return "!never ended"


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers with what its path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.path.strip("/").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


class PageServer(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """That whoever asks is killed meanwhile is what a storm is."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def pages() -> Iterator[str]:
    """The address of a web server."""
    with PageServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
