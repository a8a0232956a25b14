"""A storm of SIGKILLs and SIGSTOPs on everything that Loki is made of, under steady load.

LOKI_STORM_S=30 is how long it lasts, in seconds; it has two parts. In the first every process is
hit but the starter, the Admin and the root; in the second these two as well, three times in 65 s at
most, since the starter boots no fourth system within 60 s. The seed is printed;
LOKI_STORM_SEED=N brings the same plan again. `make storm SECONDS=3600` is the long one.

LOKI_SUPERVISION__INTENSITY is raised to a million restarts: else so many deaths would rightly
make the root give up. Fenrir and Jörmungandr are out of service for a while after four deaths
within 5 s, as ever; their callers are told so.
"""

import os
import random
import re
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.result import percentile
from loki.client import ChildChanged, LokiClient, LokiClientError
from loki.testing import LokiServer
from loki.v1 import device_pb2
from tests.e2e.census import (
    PARTS,
    below,
    descriptors,
    name_of,
    pids_of,
    pss_kib,
    reap_orphans,
    send,
    stale_sockets,
    zombies,
)
from tests.e2e.follower import Follower
from tests.e2e.load import DEADLINE_S, EXCUSES, GRACE_S, TOOLS, UNKNOWN, Failed, Load, Tally, pages
from tests.generator.storm import Hit, Storm, plan

DURATION_S = float(os.environ.get("LOKI_STORM_S", "30"))
SEED = int(os.environ.get("LOKI_STORM_SEED", random.getrandbits(32)))
CALLS_PER_S = 50.0
WEIGHTS = {"runner": 6.0} | dict.fromkeys(PARTS, 1.0)
BLOWS = (("loki", signal.SIGKILL), ("admin", signal.SIGKILL), ("loki", signal.SIGSTOP))
SETTINGS = {"LOKI_SUPERVISION__INTENSITY": "1000000", "LOKI_SUPERVISION__PERIOD_S": "5"}
SETTLED_WITHIN_S = 60.0  # The longest back-off is 30 s, and half as much at random.
AWAY_S = 6.0  # For how long after a hit a gateway may be away: a hang, a start, a reconnection.
MOST_GROWTH = 1.05
FEW_KIB = 2048  # Pages that were shared with the dead, and first writes after a start.

pytestmark = pytest.mark.timeout(DURATION_S * 1.5 + 240)


@dataclass(frozen=True)
class Struck:
    """A hit that found its victim."""

    hit: Hit
    pid: int
    at_s: float  # On the monotonic clock.
    time_s: float  # Since 1970, as events tell it.


@dataclass
class Toll:
    """Whom the storm hit."""

    begun_s: float  # On the monotonic clock.
    struck: list["Struck"] = field(default_factory=list)
    missed: int = 0  # Hits for whom there was nobody.

    def victims(self, target: str) -> set[int]:
        return {each.pid for each in self.struck if each.hit.target == target}

    def deaths(self) -> list[Struck]:
        """By one hit: those that were stopped and then killed are left out."""
        hits = Counter(each.pid for each in self.struck)
        return [each for each in self.struck if hits[each.pid] == 1]

    def took_gateway(self, failed: Failed) -> bool:
        """Whether its gateway, or all of Loki, was hit before this call failed."""
        return any(
            failed.begun_s - AWAY_S <= each.at_s <= failed.at_s
            for each in self.struck
            if each.hit.target == "gateway" or each.hit.is_blow
        )

    def took_history(self, failed: Failed) -> bool:
        """Whether the dispatcher, or all of Loki, may have died before this was on the disk."""
        return any(
            abs(failed.begun_s - each.at_s) <= AWAY_S
            for each in self.struck
            if each.hit.target == "dispatcher" or each.hit.is_blow
        )


def rage(server: LokiServer, hits: tuple[Hit, ...]) -> Toll:
    """Strike as planned."""
    toll, pause = Toll(time.monotonic()), Event()
    for hit in hits:
        pause.wait(max(0.0, toll.begun_s + hit.at_s - time.monotonic()))
        if not pids_of(server, hit.target):  # Just then it is away: the blow falls elsewhere.
            hit = replace(hit, target="runner", is_blow=False)
        victims = pids_of(server, hit.target)
        pid = victims[int(hit.pick * len(victims))] if victims else 0
        struck = Struck(hit, pid, time.monotonic(), time.time())  # Before anybody can feel it.
        if pid and send(pid, hit.target, hit.signal):
            toll.struck.append(struck)
        else:
            toll.missed += 1
    pause.wait(max(0.0, toll.begun_s + DURATION_S / 2 - time.monotonic()))
    return toll


def until(reached: Callable[[], bool], why: Callable[[], object]) -> None:
    pause, end_s = Event(), time.monotonic() + SETTLED_WITHIN_S
    while not reached():
        assert time.monotonic() < end_s, why()
        pause.wait(0.1)


def states(client: LokiClient) -> dict[str, tuple[bool, int, int]]:
    """part or runner -> (is it up, pid, restarts); empty while nobody can be asked."""
    try:
        told = client.get_children_status()
    except LokiClientError as error:
        if error.code_name != "UNAVAILABLE":
            raise
        return {}
    up = device_pb2.CHILD_STATE_UP
    return {each.name: (each.state == up, each.pid, each.restarts) for each in told}


def of_parts(told: dict[str, tuple[bool, int, int]]) -> dict[str, tuple[bool, int, int]]:
    return {name: state for name, state in told.items() if name in PARTS}


def all_up(client: LokiClient) -> bool:
    found = states(client)
    return found.keys() >= set(PARTS) and all(is_up for is_up, _, _ in found.values())


@contextmanager
def loaded(server: LokiServer) -> Iterator[Load]:
    with pages() as address:
        load = Load(server.address, address, CALLS_PER_S)
        load.start()
        try:
            yield load
        finally:
            load.stop()


@dataclass
class Holdings:
    """Of those that live through the storm, by pid."""

    names: dict[int, str]
    descriptors: dict[int, int]
    pss_kib: dict[int, int]

    @classmethod
    def of(cls, server: LokiServer, names: tuple[str, ...]) -> "Holdings":
        pids = {pid: name_of(pid) for pid in server.pids()} | {server.pid: "starter"}
        named = {pid: name for pid, name in pids.items() if name in names}
        files = {pid: descriptors(pid) for pid in named}
        files[server.pid] -= len(pids)  # The starter holds one for each process.
        return cls(named, files, {pid: pss_kib(pid) for pid in named})

    def table(self) -> str:
        return ", ".join(
            f"{name} {self.pss_kib[pid] / 1024:.1f} MiB in {self.descriptors[pid]} files"
            for pid, name in self.names.items()
        )


def is_flat(before: Holdings, after: Holdings) -> bool:
    return after.names == before.names and all(
        after.descriptors[pid] <= before.descriptors[pid]
        and after.pss_kib[pid] <= before.pss_kib[pid] * MOST_GROWTH + FEW_KIB
        for pid in before.names
    )


def assert_answers(tally: Tally, toll: Toll) -> None:
    assert tally.wrong == []
    assert tally.slowest_s < DEADLINE_S + GRACE_S
    untold = [f for f in tally.failed if not f.is_lost and f.error.reason not in EXCUSES]
    assert untold == []
    assert [f for f in tally.failed if f.is_lost and not toll.took_gateway(f)] == []
    assert [f.found for f in tally.failed if f.found.startswith("!")] == []
    assert [f for f in tally.failed if f.found == UNKNOWN and not toll.took_history(f)] == []


def assert_nothing_left(server: LokiServer, strangers: set[int]) -> None:
    """No orphan, no zombie, no socket of the dead."""
    ours = os.getpid()

    def orphans() -> set[int]:
        processes = {pid for pid, (state, _) in below(ours).items() if state != "Z"}
        return processes - strangers - server.pids()

    until(lambda: not orphans(), orphans)
    reap_orphans()
    until(lambda: not zombies(ours) - strangers, lambda: zombies(ours))
    until(lambda: not stale_sockets(server), lambda: stale_sockets(server))

    def each_is_there_once() -> bool:
        """But a runner that was just forked is still called like its parent."""
        names = Counter(map(name_of, server.pids() - {server.pid}))
        parts = {name: n for name, n in names.items() if not name.startswith("runner-")}
        wanted = dict.fromkeys((*PARTS, "loki", "admin"), 1)
        return parts == wanted and set(names.values()) == {1}

    until(each_is_there_once, lambda: sorted(map(name_of, server.pids())))


def agree(server: LokiServer, client: LokiClient) -> bool:
    """Whether status, events and processes tell the same, which they do when nothing happens."""
    all_told = states(client)
    told = of_parts(all_told)
    with client.watch_events(["child"], include_recent=True) as watch:
        last = {e.child: e for e in watch.recent() if isinstance(e, ChildChanged)}
    runners = {pid for name, (_, pid, _) in all_told.items() if name not in PARTS}
    return (
        {n: (e.state == "up", e.pid, e.restarts) for n, e in last.items()} == told
        and {n: [pid] for n, (_, pid, _) in told.items()} == {n: pids_of(server, n) for n in PARTS}
        and runners == set(pids_of(server, "runner"))
    )


def hung(server: LokiServer, part: str) -> set[int]:
    """Whom its supervisor killed: those that we stopped, and those that a busy machine did."""
    return set(map(int, re.findall(rf" {part} \(pid (\d+)\) ended: hung", server.log)))


def assert_agreement(server: LokiServer, client: LokiClient, toll: Toll, fresh: bool) -> None:
    """Status, health, events and the number of the dead tell the same."""
    until(lambda: agree(server, client), lambda: (states(client), server.pids()))
    if not fresh:
        told = of_parts(states(client))
        deaths = {name: len(toll.victims(name) | hung(server, name)) for name in PARTS}
        assert {name: restarts for name, (_, _, restarts) in told.items()} == deaths
    with grpc.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        def is_serving(name: str) -> bool:
            request = health_pb2.HealthCheckRequest(service=name)
            answer = stub.Check(request, timeout=DEADLINE_S)
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

        until(lambda: all(map(is_serving, ("", *PARTS))), lambda: "health")


def assert_kept(client: LokiClient, tally: Tally) -> None:
    """What was acknowledged is there: the tool answers 0, or the first number that is not."""
    for first in range(0, len(tally.kept), 100):
        told = tally.kept[first : first + 100]
        assert client.execute("keep", {"nonce": 0, "told": told}).value == 0


def storm(server: LokiServer, *, blows: bool) -> None:
    """One part, from a quiet system to a quiet system."""
    strangers = set(below(os.getpid())) - server.pids()
    lasting = ("starter",) if blows else ("starter", "loki", "admin")
    hits = plan(
        Storm(duration_s=DURATION_S / 2, weights=WEIGHTS, blows=BLOWS if blows else ()), SEED
    )
    with server.client() as client, Follower(server) as follower:
        with loaded(server) as load:
            until(lambda: load.tally.good.total() >= CALLS_PER_S, lambda: load.tally)
            before = Holdings.of(server, lasting)
            toll = rage(server, hits)
        until(lambda: all_up(client), lambda: states(client))
        until(lambda: not list(client.list_executions(state="running")), lambda: "still running")
        after = Holdings.of(server, lasting)
        report(load.tally, toll, follower, before, after)
        assert_answers(load.tally, toll)
        assert_nothing_left(server, strangers)
        assert_agreement(server, client, toll, fresh=blows)
        assert_kept(client, load.tally)
        until(  # A file that is open for a moment, or a runner that comes or goes, is no leak.
            lambda: is_flat(before, Holdings.of(server, lasting)),
            lambda: (before.table(), Holdings.of(server, lasting).table()),
        )


def report(tally: Tally, toll: Toll, follower: Follower, before: Holdings, after: Holdings) -> None:
    """The figures, for whoever runs pytest with -s."""
    signals = Counter(each.hit.signal.name for each in toll.struck)
    print(f"\nseed {SEED}: {tally.calls} calls, {tally.good.total()} good, "
          f"slowest {tally.slowest_s:.2f} s")  # fmt: skip
    print("  failed:", dict(Counter(each.code for each in tally.failed)))
    print("  lost:", dict(Counter(each.found or "unary" for each in tally.failed if each.is_lost)))
    victims = Counter(each.hit.target for each in toll.struck)
    print(f"  hits: {dict(signals)}, {toll.missed} on nobody;", dict(victims))
    for sent in ("SIGKILL", "SIGSTOP"):
        print(f"  {sent} to up again:", recoveries(toll, follower, sent))
    print("  before:", before.table())
    print("  after: ", after.table())


def recoveries(toll: Toll, follower: Follower, sent: str) -> str:
    """p50 and p99 in milliseconds, by part."""
    times: dict[str, list[float]] = defaultdict(list)
    for each in toll.deaths():
        if each.hit.target in PARTS and each.hit.signal.name == sent:
            took_s = follower.recovery_s(each.hit.target, each.pid, each.time_s)
            if took_s is not None:
                times[each.hit.target].append(took_s * 1000)
    return ", ".join(
        f"{part} {percentile(ms, 50):.0f}/{percentile(ms, 99):.0f}" for part, ms in times.items()
    )


@pytest.mark.parametrize("blows", [False, True], ids=["parts", "root and Admin"])
def test_a_storm_leaves_every_call_answered_and_nothing_behind(blows: bool) -> None:
    with LokiServer(tools=TOOLS, environment=SETTINGS) as server:
        storm(server, blows=blows)
