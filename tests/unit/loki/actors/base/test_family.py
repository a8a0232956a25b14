"""How an end looks from outside, and a fork that fails."""

import errno
import os
import signal
from typing import Any, cast

import msgspec
import pytest
from thespian.actors import ActorAddress
from thespian.system.addressManager import ActorAddressManager

from loki.actors.base.family import Family, forget_address, how_it_ended
from loki.messages.lifecycle import Boot


@pytest.mark.parametrize(
    ("exit_code", "reason"),
    [
        (0, "normal"),
        (3, "ended with exit code 3"),
        (-signal.SIGKILL, "killed"),
        (-signal.SIGSEGV, "killed by SIGSEGV"),
        (None, "killed"),
    ],
)
def test_how_it_ended(exit_code: int | None, reason: str) -> None:
    assert how_it_ended(exit_code) == reason


class Barren:
    """An actor on a device that has no process left."""

    def createActor(self, _class: type) -> None:  # noqa: N802
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def test_a_fork_that_fails_is_told_by_the_pid() -> None:
    boot = Boot(
        name="a", parent="b", role="", incarnation=1, run_dir="/", config=msgspec.Raw(b"\xc0")
    )
    assert Family(cast(Any, Barren())).spawn(boot) == 0


def test_thespian_keeps_no_address_of_the_dead_and_counts_on() -> None:
    me = ActorAddress("me")
    manager = ActorAddressManager(None, me)
    dead, alive = manager.createLocalAddress(), manager.createLocalAddress()
    manager.associateUseableAddress(me, 0, ActorAddress("first"))
    manager.associateUseableAddress(me, 1, ActorAddress("second"))
    forget_address(dead)
    assert manager.exportAddr(dead) is None
    assert manager.exportAddr(alive) == ActorAddress("second")
    assert manager.createLocalAddress().addressDetails.addressInstanceNum == 2
