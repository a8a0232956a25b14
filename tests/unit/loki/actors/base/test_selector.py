"""The loop inside Thespian's select: lanes, timers and other threads' calls, and who waits."""

import errno
import math
import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from loki.actors.base import selector
from loki.actors.base.selector import LOOP, InlineLoop, LaneSelector

EVENT_READ = 1
EVENT_WRITE = 2
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(autouse=True)
def clean_loop() -> Iterator[None]:
    LOOP.forget()
    yield
    LOOP.forget()


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def thespian_stops() -> None:
    """What a handler does that wants Thespian to go on."""
    LOOP.used_thespian = True


def select_for(*sockets: socket.socket, timeout: float | None = 10.0) -> list[int]:
    thespian = LaneSelector()
    for each in sockets:
        thespian.register(each.fileno(), EVENT_READ)
    return [key.fd for key, _ in thespian.select(timeout)]


def test_a_cancelled_timer_does_not_run() -> None:
    ran: list[str] = []
    LOOP.call_later(0, lambda: ran.append("cancelled")).cancel()
    LOOP.call_later(0.001, thespian_stops)
    select_for()
    assert ran == []


def test_a_timer_may_cancel_itself_and_its_neighbour() -> None:
    ran: list[str] = []

    def first() -> None:
        ran.append("first")
        mine.cancel()
        other.cancel()

    mine = LOOP.call_later(0, first)
    other = LOOP.call_later(0, lambda: ran.append("other"))
    LOOP.call_later(0.001, thespian_stops)
    select_for()
    assert ran == ["first"]


def test_a_timer_beyond_what_poll_can_wait_is_only_far_away(pair: Pair) -> None:
    LOOP.call_later(1e9, thespian_stops)
    ours, theirs = pair
    theirs.send(b"x")
    assert select_for(ours, timeout=None) == [ours.fileno()]


def test_a_chain_of_immediate_timers_starves_nobody(pair: Pair) -> None:
    ours, theirs = pair
    turns = 0

    def again() -> None:
        nonlocal turns
        turns += 1
        LOOP.call_later(0, again)

    def read() -> None:
        ours.recv(10)
        thespian_stops()

    again()
    LOOP.add_reader(ours.fileno(), read)
    theirs.send(b"x")
    select_for()
    assert turns < 10


def test_timers_that_use_thespian_each_time_starve_neither_lanes_nor_thespian(pair: Pair) -> None:
    ours, theirs = pair
    read: list[bytes] = []

    def again() -> None:
        thespian_stops()
        LOOP.call_later(0, again)

    again()
    LOOP.add_reader(ours.fileno(), lambda: read.append(ours.recv(10)))
    theirs.send(b"x")
    ready_pair = socket.socketpair()
    with ready_pair[0], ready_pair[1]:
        ready_pair[1].send(b"y")
        assert select_for(ready_pair[0]) == [ready_pair[0].fileno()]
    assert read == [b"x"]


def test_a_flood_on_one_lane_starves_neither_the_other_nor_thespian(pair: Pair) -> None:
    flooded, flooder = pair
    quiet = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    order: list[str] = []

    def flood() -> None:
        order.append("flooded")
        flooded.recv(10)
        flooder.send(b"x")  # There is always one more.

    def speak() -> None:
        order.append("quiet")
        quiet[0].recv(10)
        thespian_stops()

    with quiet[0], quiet[1]:
        LOOP.add_reader(flooded.fileno(), flood)
        LOOP.add_reader(quiet[0].fileno(), speak)
        flooder.send(b"x")
        quiet[1].send(b"x")
        select_for()
        assert order.count("flooded") <= 1
        assert select_for(flooded, timeout=0) == [flooded.fileno()]


def test_other_threads_calls_run_in_the_loops_thread() -> None:
    LOOP.listen_to_threads()
    where: list[threading.Thread] = []

    def here() -> None:
        where.append(threading.current_thread())
        thespian_stops()

    caller = threading.Thread(target=lambda: LOOP.call_soon_threadsafe(here))
    caller.start()
    select_for()
    caller.join()
    assert where == [threading.current_thread()]


def test_no_call_of_another_thread_is_lost() -> None:
    LOOP.listen_to_threads()
    count = 4 * 500
    ran: list[int] = []

    def done(n: int) -> None:
        ran.append(n)
        if len(ran) == count:
            thespian_stops()

    def call_many() -> None:
        for n in range(500):
            LOOP.call_soon_threadsafe(lambda n=n: done(n))

    callers = [threading.Thread(target=call_many) for _ in range(4)]
    for caller in callers:
        caller.start()
    select_for()
    for caller in callers:
        caller.join()
    assert len(ran) == count


def test_a_call_that_calls_again_starves_no_lane(pair: Pair) -> None:
    LOOP.listen_to_threads()
    ours, theirs = pair

    def again() -> None:
        LOOP.call_soon_threadsafe(again)

    def read() -> None:
        ours.recv(10)
        thespian_stops()

    again()
    LOOP.add_reader(ours.fileno(), read)
    theirs.send(b"x")
    select_for()


def test_a_descriptor_of_thespians_that_is_closed_is_named_bad() -> None:
    thespian = LaneSelector()
    gone = socket.socket()
    thespian.register(gone.fileno(), EVENT_READ)
    gone.close()
    with pytest.raises(OSError, match="Bad file") as refused:
        thespian.select(1)
    assert refused.value.errno == errno.EBADF
    assert not LOOP.serving


def test_a_negative_descriptor_is_refused_as_the_real_one_does() -> None:
    with pytest.raises(ValueError, match="-1"):
        LaneSelector().register(-1, EVENT_READ)


def test_reading_and_writing_one_descriptor_are_told_apart(pair: Pair) -> None:
    ours, theirs = pair
    thespian = LaneSelector()
    thespian.register(ours.fileno(), EVENT_READ)
    thespian.register(ours.fileno(), EVENT_WRITE)
    assert [mask for _, mask in thespian.select(1)] == [EVENT_WRITE]
    theirs.send(b"x")
    assert [mask for _, mask in thespian.select(1)] == [EVENT_READ | EVENT_WRITE]


def test_a_closed_peer_counts_as_readable(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    assert select_for(ours) == [ours.fileno()]


def test_a_nested_select_serves_no_lanes(pair: Pair) -> None:
    ours, theirs = pair
    calls = 0

    def nested() -> None:
        nonlocal calls
        calls += 1
        assert select_for(timeout=0) == []
        other = socket.socketpair()
        with other[0], other[1]:
            other[1].send(b"y")
            assert select_for(other[0]) == [other[0].fileno()]
        assert calls == 1
        ours.recv(10)
        thespian_stops()

    LOOP.add_reader(ours.fileno(), nested)
    theirs.send(b"x")
    select_for()
    assert calls == 1


def test_a_handler_may_end_the_watch_of_another(pair: Pair) -> None:
    first, second = pair
    first.send(b"x")
    second.send(b"x")
    served: list[int] = []

    def only_one(mine: socket.socket, other: socket.socket) -> None:
        served.append(mine.fileno())
        LOOP.remove_reader(other.fileno())
        mine.recv(10)
        thespian_stops()

    LOOP.add_reader(first.fileno(), lambda: only_one(first, second))
    LOOP.add_reader(second.fileno(), lambda: only_one(second, first))
    select_for()
    assert len(served) == 1


def test_a_descriptor_number_that_is_used_again_belongs_to_its_new_owner() -> None:
    served: list[str] = []

    def watch(name: str) -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def read() -> None:
            served.append(name + ours.recv(10).decode())
            thespian_stops()

        LOOP.add_reader(ours.fileno(), read)
        return ours, theirs

    old = watch("old")
    number = old[0].fileno()
    LOOP.remove_reader(number)
    old[0].close()
    old[1].close()
    new = watch("new")
    with new[0], new[1]:
        assert number in (new[0].fileno(), new[1].fileno())
        new[1].send(b"!")
        select_for()
    assert served == ["new!"]


def test_a_writer_is_called_while_there_is_room_and_only_while_it_watches(pair: Pair) -> None:
    ours, _ = pair
    calls = 0

    def write() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            LOOP.remove_writer(ours.fileno())
            thespian_stops()

    LOOP.add_writer(ours.fileno(), write)
    select_for()
    assert calls == 3
    assert select_for(timeout=0) == []


def test_the_time_of_thespian_passes_while_lanes_are_busy(pair: Pair) -> None:
    ours, theirs = pair

    def again() -> None:
        ours.recv(10)
        theirs.send(b"x")

    LOOP.add_reader(ours.fileno(), again)
    theirs.send(b"x")
    assert select_for(timeout=0.01) == []


def in_a_fork(check: Callable[[], bool]) -> bool:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_forked_child_starts_with_an_empty_loop_of_its_own(pair: Pair) -> None:
    LOOP.listen_to_threads()
    LOOP.call_later(60, thespian_stops)
    LOOP.add_reader(pair[0].fileno(), thespian_stops)
    parents_wake_fd = LOOP._wake_fd

    def child() -> bool:
        empty = not LOOP.readers and not LOOP.writers and not LOOP._timers and not LOOP.serving
        LOOP.listen_to_threads()
        LOOP.call_soon_threadsafe(thespian_stops)
        return empty and select_for(timeout=5) == [] and LOOP.used_thespian

    def fork_inside_a_handler() -> None:
        assert in_a_fork(child)
        thespian_stops()

    LOOP.call_later(0, fork_inside_a_handler)
    select_for()
    assert LOOP._wake_fd == parents_wake_fd
    assert len(LOOP.readers) == 2
    assert select_for(timeout=0) == []  # The child's call did not wake us.


def test_a_fresh_loop_waits_for_ever_with_nothing_to_do() -> None:
    assert InlineLoop().run_due_timers() is None
    LOOP.call_later(math.inf, thespian_stops)
    assert LOOP.run_due_timers() == selector.LONGEST_WAIT_S


def test_install_puts_the_selector_where_thespian_looks() -> None:
    from thespian.system.transport import TCPTransport

    original = TCPTransport.selectors
    try:
        selector.install()
        assert TCPTransport.selectors.DefaultSelector is LaneSelector
        assert TCPTransport.selectors.EVENT_READ == original.EVENT_READ
    finally:
        TCPTransport.selectors = original
