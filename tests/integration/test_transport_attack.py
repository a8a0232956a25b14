"""A real actor system on the sealed base, under attack on the Admin's port and on an actor's."""

import ctypes
import logging
import os
import pickle
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import transport_actor
from thespian.actors import ActorAddress, ActorSystem, ActorSystemFailure, PoisonMessage
from thespian.system.messages.admin import QueryExists
from thespian.system.transport.IPBase import TCPv4ActorAddress

from loki.actors import transport
from loki.actors.seal import HEAD_BYTES, MAX_BODY_BYTES, Seal
from loki.actors.transport import MAX_STRANGERS, Packet
from loki.actors.wire import Wire, WireError

KEY = os.urandom(32)
HOST = "127.0.0.1"
TIMEOUT_S = 10
PR_SET_CHILD_SUBREAPER = 36  # Source: prctl(2)
encode = msgspec.msgpack.encode


def descendants() -> set[int]:
    """Every living process below this one; orphans are ours too, see `adopting`."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_bytes().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state not in b"ZX":
            parents[int(stat.parent.name)] = int(parent)
    found: set[int] = set()
    while (
        new := {pid for pid, parent in parents.items() if parent in {os.getpid(), *found}} - found
    ):
        found |= new
    return found


def ended(pid: int, timeout_s: float = TIMEOUT_S) -> bool:
    """Whether the process is gone by then."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], timeout_s)[0])
    finally:
        os.close(fd)


@pytest.fixture
def _adopting() -> Iterator[None]:
    """What Thespian detaches stays below us, and whatever a test leaves behind is ended."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    before = descendants()
    yield
    left = [pid for pid in descendants() - before if not ended(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
        ended(pid)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 0)
    assert not left, f"processes left over: {left}"


@dataclass
class Running:
    """A system with one actor, and how to reach both from outside."""

    system: Any
    admin_port: int
    actor: ActorAddress

    @property
    def actor_port(self) -> int:
        port: int = self.actor.addressDetails.sockname[1]
        return port

    def ask(self, data: bytes) -> Any:
        return self.system.ask(self.actor, Packet(data), TIMEOUT_S)

    def assert_answers(self) -> None:
        """The actor answers, and the Admin still creates."""
        assert self.ask(b"echo hello").data == b"hello"
        another = self.system.createActor(transport_actor.Probe)
        assert self.system.ask(another, Packet(b"echo new"), TIMEOUT_S).data == b"new"


@contextmanager
def booted() -> Iterator[Running]:
    base = transport.install(KEY, creatable=[transport_actor.NAME])
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        admin_port: int = probe.getsockname()[1]
    system = ActorSystem(base, {"Admin Port": admin_port}, transientUnique=True)
    try:
        actor = system.createActor(transport_actor.Probe)
        yield Running(system, admin_port, actor)
    finally:
        system.shutdown()


@pytest.fixture
def running(_adopting: None) -> Iterator[Running]:
    with booted() as system:
        yield system


Port = Callable[[Running], int]
each_port = pytest.mark.parametrize(
    "port_of", [lambda r: r.admin_port, lambda r: r.actor_port], ids=["admin", "actor"]
)


def connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), TIMEOUT_S)


def answer(connection: socket.socket, size: int = HEAD_BYTES + 3) -> bytes:
    """What comes back, up to `size` bytes or until the other side closes."""
    data = b""
    try:
        while len(data) < size and (more := connection.recv(size - len(data))):
            data += more
    except ConnectionResetError:
        pass
    return data


def sent(port: int, frame: bytes) -> bytes:
    with connected(port) as connection:
        connection.sendall(frame)
        return answer(connection)


def body(message: object) -> bytes:
    sender = ActorAddress(TCPv4ActorAddress(HOST, 9))
    return Wire(HOST, ()).encode(sender, message)


def frame(port: int, content: bytes, key: bytes = KEY) -> bytes:
    return Seal(key).message(content, port=port, now_ns=time.monotonic_ns())


ACK = Seal(KEY).control(b"ACK")
DATA_ERROR_START = Seal(KEY).control(b"ACK+DATAERR")[: HEAD_BYTES + 3]


class Exploit:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


def stock_frame(marker: Path) -> bytes:
    pickled = pickle.dumps((Exploit(marker), QueryExists()))
    return b"%d>%s" % (len(pickled), pickled)


@each_port
def test_a_stock_frame_runs_nothing(running: Running, port_of: Port, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    assert sent(port_of(running), stock_frame(marker)) == b""
    running.assert_answers()
    assert not marker.exists()


@each_port
def test_a_sealed_pickle_runs_nothing(running: Running, port_of: Port, tmp_path: Path) -> None:
    """Not even for a peer that holds the key."""
    marker = tmp_path / "marker"
    port = port_of(running)
    for pickled in (
        pickle.dumps((Exploit(marker), QueryExists())),
        pickle.dumps(Exploit(marker), 0),
        stock_frame(marker),
    ):
        assert sent(port, frame(port, pickled)) == DATA_ERROR_START
    running.assert_answers()
    assert not marker.exists()


@each_port
def test_another_key_and_any_flipped_byte_are_refused(running: Running, port_of: Port) -> None:
    port = port_of(running)
    good = frame(port, body(Packet(b"count")))
    assert sent(port, frame(port, body(Packet(b"count")), os.urandom(32))) == b""
    for position in range(0, len(good), 7):
        flipped = bytearray(good)
        flipped[position] ^= 0x40
        assert sent(port, bytes(flipped)) in (b"", DATA_ERROR_START)
    running.assert_answers()
    assert running.ask(b"total").data == b"0"


def test_a_replay_is_acknowledged_and_applied_once(running: Running) -> None:
    captured = frame(running.actor_port, body(Packet(b"count")))
    assert sent(running.actor_port, captured) == ACK
    assert sent(running.actor_port, captured) == ACK
    with connected(running.actor_port) as connection:
        for _ in range(3):
            connection.sendall(captured)
            assert answer(connection) == ACK
    assert running.ask(b"total").data == b"1"


def test_a_frame_for_one_process_is_refused_by_all_others(running: Running) -> None:
    other = running.system.createActor(transport_actor.Probe)
    captured = frame(running.actor_port, body(Packet(b"count")))
    assert sent(other.addressDetails.sockname[1], captured) == DATA_ERROR_START
    assert sent(running.admin_port, captured) == DATA_ERROR_START
    assert running.system.ask(other, Packet(b"total"), TIMEOUT_S).data == b"0"
    assert sent(running.actor_port, captured) == ACK


def test_a_frame_from_before_the_process_is_refused(running: Running) -> None:
    """Ports are used again: what was captured for the last process must not reach the next."""
    old = Seal(KEY).message(body(Packet(b"count")), port=running.actor_port, now_ns=1)
    assert sent(running.actor_port, old) == DATA_ERROR_START
    assert running.ask(b"total").data == b"0"


@each_port
def test_an_absurd_length_is_closed_at_once(running: Running, port_of: Port) -> None:
    """Before a byte of the body is there; the connection is not waited on."""
    port = port_of(running)
    assert sent(port, b"999999999999>") == b""
    unsealed = bytearray(frame(port, b"x"))[:HEAD_BYTES]
    unsealed[HEAD_BYTES - 36 : HEAD_BYTES - 32] = (MAX_BODY_BYTES - 1).to_bytes(4, "little")
    assert sent(port, bytes(unsealed)) == b""
    running.assert_answers()


@each_port
def test_acknowledgements_out_of_place_are_refused(running: Running, port_of: Port) -> None:
    port = port_of(running)
    assert sent(port, ACK) == DATA_ERROR_START
    unusual = Seal(KEY)._close(True, port, time.monotonic_ns(), os.urandom(16), b"AB")
    assert sent(port, unusual) == DATA_ERROR_START
    running.assert_answers()


@each_port
@pytest.mark.parametrize(
    "content",
    [
        ["PendingActor", "os.system", None, 1, None, None, None, []],
        ["PendingActor", "subprocess.Popen", None, 1, None, None, None, []],
        ["PendingActor", "transport_actor.Stillborn", None, 1, None, None, None, []],
        ["PendingActor", transport_actor.NAME, None, 1, None, None, "a source", []],
        ["LoggerFileDup", "/tmp/never"],
        ["ValidateSource", "hash", b"zip"],
        ["ChildActorExited", ["192.0.2.1", 80]],
        ["EndpointConnected", "zero"],
        ["ActorExitRequest", {}],
    ],
    ids=lambda c: f"{c[0]}-{c[1]}",
)
def test_a_peer_with_the_key_cannot_abuse_what_is_admitted(
    running: Running, port_of: Port, content: list[Any]
) -> None:
    before = descendants()
    port = port_of(running)
    assert sent(port, frame(port, encode([[HOST, 9], content]))) == DATA_ERROR_START
    assert descendants() == before
    running.assert_answers()


def test_silent_connections_are_few(running: Running) -> None:
    """The oldest strangers make room; who holds the key is served meanwhile."""
    strangers = [connected(running.admin_port) for _ in range(MAX_STRANGERS + 20)]
    try:
        running.assert_answers()
        for closed in strangers[:20]:
            assert answer(closed) == b""
        strangers[-1].setblocking(False)
        with pytest.raises(BlockingIOError):
            strangers[-1].recv(1)
    finally:
        for connection in strangers:
            connection.close()


def test_a_frame_that_drips_in_is_served(running: Running) -> None:
    whole = frame(running.actor_port, body(Packet(b"count")))
    with connected(running.actor_port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in whole:
            connection.sendall(bytes((byte,)))
        assert answer(connection) == ACK
    assert running.ask(b"total").data == b"1"


def test_a_second_frame_behind_the_first_is_not_lost_silently(running: Running) -> None:
    """Out of step: the first is served, the second gets no acknowledgement."""
    port = running.actor_port
    two = frame(port, body(Packet(b"count"))) + frame(port, body(Packet(b"count")))
    with connected(port) as connection:
        connection.sendall(two)
        assert answer(connection, 2 * len(ACK)) == ACK
    assert running.ask(b"total").data == b"1"


def listening_inodes(pid: int) -> set[str]:
    inodes = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes


def test_every_port_is_bound_to_loopback(running: Running) -> None:
    """Source: proc(5), /proc/net/tcp; state 0A is LISTEN, 0100007F is 127.0.0.1."""
    inodes = set().union(*(listening_inodes(pid) for pid in descendants()))
    bound = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                bound.add(fields[1])
    ports = {f"0100007F:{port:04X}" for port in (running.admin_port, running.actor_port)}
    assert ports <= bound
    assert all(address.startswith("0100007F:") for address in bound), bound


def test_the_death_of_a_child_is_told(running: Running) -> None:
    pid = int(running.ask(b"spawn").data)
    os.kill(pid, signal.SIGKILL)
    assert running.system.listen(TIMEOUT_S).data == b"exited"
    assert ended(pid)
    running.assert_answers()


def test_the_death_of_a_child_that_never_spoke_is_told(running: Running) -> None:
    assert running.ask(b"stillborn").data == b"exited"


def test_the_death_of_a_child_that_forgot_the_key_is_told(running: Running) -> None:
    """It is the kernel that tells."""
    pid = int(running.ask(b"forgetful").data)
    os.kill(pid, signal.SIGKILL)
    assert running.system.listen(TIMEOUT_S).data == b"exited"
    running.assert_answers()


@pytest.mark.parametrize(
    "reply",
    [lambda f: f, lambda _: b"3>ACK", lambda f: f[:-1] + b"!", lambda _: b""],
    ids=["echo", "stock", "flipped", "close"],
)
def test_who_takes_over_a_dead_actors_port_gets_no_further(
    running: Running, reply: Callable[[bytes], bytes]
) -> None:
    before = descendants()
    dead = running.system.createActor(transport_actor.Probe)
    (pid,) = descendants() - before
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    with socket.socket() as thief, ThreadPoolExecutor(1) as thread:
        thief.settimeout(TIMEOUT_S)
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind((HOST, dead.addressDetails.sockname[1]))
        thief.listen()
        stolen = thread.submit(reply_once, thief, reply)
        assert running.system.ask(dead, Packet(b"echo x"), 0.3) is None
        assert b"echo x" in stolen.result()
        running.assert_answers()


def reply_once(thief: socket.socket, reply: Callable[[bytes], bytes]) -> bytes:
    connection, _ = thief.accept()
    with connection:
        received = connection.recv(65536)
        connection.sendall(reply(received))
        return received


def test_both_directions_at_once_lose_nothing_and_keep_order(running: Running) -> None:
    first = running.ask(b"storm")
    second = running.system.listen(TIMEOUT_S)
    assert {first.data, second.data} == {b"storm_over", b"child has all"}


@pytest.mark.parametrize("size", [0, 1, 4096, 1_000_000, 10_000_000])
def test_messages_of_any_size_up_to_the_limit_arrive(running: Running, size: int) -> None:
    data = os.urandom(size)
    assert running.ask(b"echo " + data).data == data


def test_what_is_not_on_the_list_is_refused_where_it_is_sent(running: Running) -> None:
    assert running.ask(b"bytes").data == b"poison"
    with pytest.raises(WireError, match="put a message into a Packet"):
        running.system.tell(running.actor, "text")
    with pytest.raises(ActorSystemFailure):
        running.system.createActor("os.system")
    running.assert_answers()


def test_an_exception_in_an_actor_comes_back_as_poison(running: Running) -> None:
    poison = running.ask(b"raise")
    assert isinstance(poison, PoisonMessage)
    assert "as asked" in poison.details
    running.assert_answers()


@pytest.mark.usefixtures("_adopting")
def test_a_log_record_is_written_by_the_process_that_made_it(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    handler = logging.FileHandler(log)
    handler.setFormatter(logging.Formatter("%(process)d %(name)s %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        with booted() as system:
            pid = system.ask(b"pid").data.decode()
            assert system.ask(b"log of a probe").data == b"logged"
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    assert f"{pid} probe of a probe" in log.read_text()
