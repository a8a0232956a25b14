"""One script registered over and over with other parameters: what a whole Loki keeps of that.

Through a server with its Library, keeper and gateway. Each registration brings two parameters that
there never were, and a typed call. Their field numbers are kept for ever, so memory grows, by so
much as is told here, until a script has had as many as it may.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import grpc

from benchmarks.footprint import pss_mib
from benchmarks.result import Figure
from loki.client import LokiClient
from loki.core.library.field_number import LAST
from loki.testing import LokiServer
from loki.v1 import script_pb2

WARM = 750
"""By then the gateway has all the readers, and the keeper all the revisions, that they keep."""
AGAIN = 1250
EACH = 2
BLOCK = 250


@dataclass
class Script:
    client: LokiClient
    call: "grpc.UnaryUnaryMultiCallable[bytes, bytes]"
    registered: int = 0
    revision: str = ""

    def renew(self, times: int) -> list[float]:
        """Seconds that each registration took."""
        return [self._renew() for _ in range(times)]

    def _renew(self) -> float:
        begin = time.perf_counter()
        made = self.client.register_script(
            definition(self.registered), expected_revision=self.revision
        )
        took_s = time.perf_counter() - begin
        self.revision = made.revision
        self.registered += 1
        self.call(b"")
        return took_s


def definition(number: int) -> script_pb2.ScriptDefinition:
    parameters = [
        script_pb2.ParameterDefinition(
            name=f"p{number}_{n}", type=script_pb2.VALUE_TYPE_INTEGER, required=False
        )
        for n in range(EACH)
    ]
    return script_pb2.ScriptDefinition(
        name="one",
        source=f"return {number}",
        parameters=parameters,
        return_type=script_pb2.VALUE_TYPE_INTEGER,
    )


@contextmanager
def script(server: LokiServer) -> Iterator[Script]:
    with server.client() as client, grpc.insecure_channel(server.address) as channel:
        yield Script(client, channel.unary_unary("/loki.tools.v1.OneService/Call", None, None))


def figures() -> list[Figure]:
    with LokiServer() as server, script(server) as one:
        one.renew(WARM)
        pids = server.pids()
        before = sum(map(pss_mib, pids))
        first_s = median(one.renew(BLOCK))
        one.renew(AGAIN - 2 * BLOCK)
        last_s = median(one.renew(BLOCK))
        grown_kib = (sum(map(pss_mib, pids)) - before) * 1024
    slower = last_s / first_s
    return [
        Figure(
            f"growth of all by {AGAIN} re-registrations",
            grown_kib,
            "KiB",
            "at most 5120",
            grown_kib <= 5120,
            f"with {EACH} new parameters each; a script may have had {LAST}",
        ),
        Figure(
            f"a re-registration after {WARM + AGAIN} / after {WARM}",
            slower,
            "x",
            "at most 2",
            slower <= 2,
            f"{last_s * 1e3:.1f} ms against {first_s * 1e3:.1f}",
        ),
    ]
