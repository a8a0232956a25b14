"""How soon the next call is good after an actor was killed, hung or met a bug, for each kind of it.

Beside it, in the same run, an Erlang/OTP supervisor over an OS process.
"""

import http.server
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import grpc

from benchmarks import otp
from benchmarks.buggy import BuggyServer
from benchmarks.footprint import name_of
from benchmarks.result import Figure, percentile
from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer

KILLS = 10
HANGS = 2
BUGS = 5
IDLE_KILLS = 30
ROUND_S = 1.8  # Of three deaths within 5 s nobody is put out of service.
CALL_S = 5.0
PATIENCE_S = 15.0
PARTS = ("hel", "fenrir", "jormungandr", "library", "dispatcher", "gateway")
KINDS = ("runners", *PARTS)
TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }

[[tools]]
name = "hel"
return_type = "integer"
permissions = { storage = true }
script = { inline = "hel:cache_get('k') return 1" }

[[tools]]
name = "fenrir"
return_type = "integer"
permissions = { sensors = ["*"] }
script = { inline = "fenrir:sensor_read('greenhouse_temperature') return 1" }

[[tools]]
name = "jormungandr"
return_type = "integer"
parameters = [{ name = "url", type = "string" }]
permissions = { http = ["http://127.0.0.1:*/"] }
script = { inline = "jormungandr:http_get(params.url) return 1" }

[[tools]]
name = "upset"
return_type = "void"
parameters = [{ name = "actor", type = "string" }]
script = { inline = "upsetting:upset(params.actor)" }
"""
CONFIG = """
children = ["fenrir_actor", "jormungandr_actor", "hel_actor", "benchmarks.upsetting_actor"]
[supervision]
intensity = 1000000
"""


def run() -> list[Figure]:
    path = {"PYTHONPATH": str(Path(__file__).parents[1])}
    with BuggyServer(config=CONFIG, tools=TOOLS, environment=path) as loki, page() as url:
        with loki.client() as client:
            client.execute("one")
            single = next_call_after_an_idle_runner(client, loki)
        kills = rounds(loki, url, signalled(signal.SIGKILL), KILLS)
        bugs = rounds(loki, url, upset, BUGS)
        hangs = rounds(loki, url, signalled(signal.SIGSTOP), HANGS)
    return [
        single,
        *(recovered(f"SIGKILL of {kind}", times) for kind, times in kills.items()),
        *otp.run(),
        *(recovered(f"an exception in {kind}", times) for kind, times in bugs.items()),
        *(recovered(f"SIGSTOP of {kind}", times) for kind, times in hangs.items()),
    ]  # fmt: skip


def recovered(what: str, times_ms: list[float]) -> Figure:
    note = f"p99 {percentile(times_ms, 99):.1f} ms of {len(times_ms)}"
    return Figure(f"{what} to the next good call, p50", median(times_ms), "ms", note=note)


Hit = Callable[[LokiServer, LokiClient, str], None]
"""What is done to all processes of a kind."""


def signalled(sent: signal.Signals) -> Hit:
    def hit(loki: LokiServer, _client: LokiClient, kind: str) -> None:
        for pid in pids_of(loki, kind):
            os.kill(pid, sent)

    return hit


def upset(_loki: LokiServer, client: LokiClient, kind: str) -> None:
    """What asks for it may itself be lost by it."""
    actors = [
        child.name
        for child in client.get_children_status()
        if child.name == kind or (kind == "runners" and child.supervisor == "dispatcher")
    ]
    for actor in actors:
        try:
            client.execute("upset", {"actor": actor})
        except LokiClientError as error:
            if error.code is not grpc.StatusCode.UNAVAILABLE:
                raise


def rounds(loki: LokiServer, url: str, hit: Hit, count: int) -> dict[str, list[float]]:
    """One of each kind after the other, so that none dies too often."""
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(count):
        end = time.monotonic() + ROUND_S
        for kind in KINDS:
            times[kind].append(outage_ms(loki, url, kind, hit))
        time.sleep(max(0.0, end - time.monotonic()))
    return times


def outage_ms(loki: LokiServer, url: str, kind: str, hit: Hit) -> float:
    """From the blow to the end of the first call that is good without its victims.

    Each kind is called by what needs it. Of runners all are hit, since the next call would else
    just take another one. After the gateway each try is a connection of its own: how long a
    client waits before it connects again is the client's affair.
    """
    call = call_for(kind, url)
    until_good(lambda: in_a_new_connection(loki, call))
    victims = pids_of(loki, kind)
    with loki.client() as client:
        if kind != "gateway":
            call(client)
        begin = time.perf_counter()
        hit(loki, client, kind)
        until_good(lambda: in_a_new_connection(loki, call) if kind == "gateway" else call(client))
        took_ms = (time.perf_counter() - begin) * 1000
    while set(victims) & loki.pids():  # Those that no call had to wait for.
        time.sleep(0.01)
    return took_ms


def call_for(kind: str, url: str) -> Callable[[LokiClient], object]:
    match kind:
        case "library":
            return lambda client: client.get_script("one")
        case "jormungandr":
            return lambda client: client.execute(kind, {"url": url}, timeout_s=CALL_S)
        case "hel" | "fenrir":
            return lambda client: client.execute(kind, timeout_s=CALL_S)
        case _:
            return lambda client: client.execute("one", timeout_s=CALL_S)


def in_a_new_connection(loki: LokiServer, call: Callable[[LokiClient], object]) -> None:
    with loki.client() as client:
        call(client)


def until_good(call: Callable[[], object]) -> None:
    """Raises: LokiClientError for any error but that somebody is away."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            call()
        except LokiClientError as error:
            if error.code is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > end:
                raise
            time.sleep(0.001)
        else:
            return


def next_call_after_an_idle_runner(client: LokiClient, loki: LokiServer) -> Figure:
    """The next call comes at once, finds the spare runner, and must be good."""
    times_ms, failed = [], 0
    for _ in range(IDLE_KILLS):
        os.kill(max(pids_of(loki, "runners")), signal.SIGKILL)
        begin = time.perf_counter()
        try:
            client.execute("one")
        except LokiClientError:
            failed += 1
        times_ms.append((time.perf_counter() - begin) * 1000)
        time.sleep(0.05)
    p50 = median(times_ms)
    note = f"max {max(times_ms):.2f} ms, {failed} of {IDLE_KILLS} calls failed"
    met = p50 <= 15 and not failed
    return Figure("SIGKILL of a runner to the next good call, p50", p50, "ms", "at most 15", met, note)  # fmt: skip  # noqa: E501


def pids_of(loki: LokiServer, kind: str) -> list[int]:
    start = "loki:runner" if kind == "runners" else f"loki:{kind}"[:15]
    return [pid for pid in loki.pids() if is_called(pid, start)]


def is_called(pid: int, start: str) -> bool:
    try:
        return name_of(pid).startswith(start)
    except OSError:
        return False


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def page() -> Iterator[str]:
    """The address of a web server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
