"""The sealed transport at its usual work: deaths, sizes, order, loopback."""

import logging
import os
import signal
from pathlib import Path

import pytest
from sealed_system import TIMEOUT_S, Running, booted
from thespian.actors import ActorSystemFailure, PoisonMessage

from loki.actors.base.wire import WireError
from tests.conftest import descendants, ended


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
    inodes = set().union(*(listening_inodes(pid) for pid in descendants(os.getpid())))
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
    assert ended(pid, TIMEOUT_S)
    running.assert_answers()


def test_the_death_of_a_child_that_never_spoke_is_told(running: Running) -> None:
    assert running.ask(b"stillborn").data == b"exited"


def test_the_death_of_a_child_that_forgot_the_key_is_told(running: Running) -> None:
    """It is the kernel that tells."""
    pid = int(running.ask(b"forgetful").data)
    os.kill(pid, signal.SIGKILL)
    assert running.system.listen(TIMEOUT_S).data == b"exited"
    running.assert_answers()


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
