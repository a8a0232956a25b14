"""A restore as the gateway asks for it: nothing changes before it is confirmed, all of it after."""

from pathlib import Path
from typing import Any

import pytest
from hel_actor.backup.restore import Receiver
from hel_actor.backup.swap import ASIDE, DECIDED, UNDECIDED
from hel_actor.messages import WriteFile

from loki.clock import FakeClock
from loki.errors import ErrorCode, IoError, LokiError, ResourceLimitExceeded
from loki.messages.envelope import Done
from loki.messages.restore import (
    BeginRestore,
    CheckRestore,
    ConfirmRestore,
    DescribeRestore,
    EndRestore,
    WriteRestore,
)
from tests.unit.children.hel_actor.calling import Start, text
from tests.unit.children.hel_actor.restoring import (
    SMALL,
    WHO,
    ask,
    backup_of,
    change,
    files,
    fill,
    require_new,
    require_old,
    send,
)


def ends(bench: Any) -> list[str]:
    """Let timers fire until the process ends by itself; the reasons that it gave."""
    given: list[str] = []
    bench.shell.end = given.append
    while not given:
        for timer in [bench.shell.timers.pop() for _ in range(len(bench.shell.timers))]:
            timer.action()
    return given


def test_what_was_confirmed_is_there_after_a_restart_and_the_old_is_aside(start: Start) -> None:
    bench = start(**SMALL)
    fill(bench)
    archive = backup_of(bench)
    change(bench)
    send(bench, archive)
    contents = ask(bench, CheckRestore(id="r1")).contents
    assert (contents.version, contents.entries > 10) == ("9.9", True)
    require_new(bench)
    assert ask(bench, ConfirmRestore(id="r1")) == Done()
    with pytest.raises(LokiError, match="not done"):
        ask(bench, DescribeRestore(id="r1"))
    assert ends(bench) == ["shutdown: a restored backup takes the place of its data"]
    again = start(**SMALL)
    require_old(again)
    aside = ask(again, DescribeRestore(id="r1")).kept_aside
    assert aside.startswith(ASIDE)
    again.close()
    assert files(bench.state_dir / aside)["files/tool/b"] == b"new"
    for name in ("hel.sqlite", "files", "series"):
        (bench.state_dir / name).rename(bench.state_dir / f"{name}.restored")
        (bench.state_dir / aside / name).rename(bench.state_dir / name)
    require_new(start(**SMALL))


def test_two_restores_at_one_time_of_the_clock_keep_both_states_aside(start: Start) -> None:
    bench = start(**SMALL)
    fill(bench)
    archive = backup_of(bench)
    for content in ("one", "two"):
        bench.call(WriteFile(path="a", content=text(content)), WHO)
        send(bench, archive)
        ask(bench, CheckRestore(id="r1"))
        ask(bench, ConfirmRestore(id="r1"))
        bench.close()
        bench = start(**SMALL)
    require_old(bench)
    asides = sorted(bench.state_dir.glob(f"{ASIDE}*"))
    assert [(each / "files/tool/a").read_bytes() for each in asides] == [b"one", b"two"]


def test_a_kill_after_the_decision_changes_nothing_about_it(start: Start) -> None:
    bench = start(**SMALL)
    fill(bench)
    archive = backup_of(bench)
    change(bench)
    send(bench, archive)
    ask(bench, CheckRestore(id="r1"))
    ask(bench, ConfirmRestore(id="r1"))
    with pytest.raises(ResourceLimitExceeded):
        ask(bench, BeginRestore(id="r2", writer="gateway"))
    require_old(start(**SMALL))  # While the old process still has everything open.


@pytest.mark.parametrize("confirm", [False, True])
def test_what_is_not_checked_changes_nothing(start: Start, confirm: bool) -> None:
    bench = start(**SMALL)
    fill(bench)
    archive = backup_of(bench)
    change(bench)
    send(bench, archive)
    if confirm:
        with pytest.raises(LokiError, match="was not checked"):
            ask(bench, ConfirmRestore(id="r1"))
    bench.close()
    assert not (bench.state_dir / UNDECIDED).exists()
    require_new(start(**SMALL))


@pytest.mark.parametrize("damage", [b"", b"no archive", b"\x1f\x8b\x08\x00half"])
def test_what_is_not_sound_changes_nothing(start: Start, damage: bytes) -> None:
    bench = start(**SMALL)
    fill(bench)
    send(bench, damage)
    with pytest.raises(LokiError, match=r"no backup that can be restored: .*; nothing was changed"):
        ask(bench, CheckRestore(id="r1"))
    with pytest.raises(LokiError, match="was not checked"):
        ask(bench, ConfirmRestore(id="r1"))
    ask(bench, EndRestore(id="r1"))
    require_old(bench)
    assert not (bench.state_dir / DECIDED).exists()


def test_pieces_come_in_order(start: Start) -> None:
    bench = start()
    ask(bench, BeginRestore(id="r1", writer="gateway"))
    with pytest.raises(LokiError, match="at byte 0"):
        ask(bench, WriteRestore(id="r1", offset=5, data=b"x"))
    with pytest.raises(IoError, match="is over") as raised:
        ask(bench, WriteRestore(id="r2", offset=0, data=b"x"))
    assert raised.value.code is ErrorCode.NOT_FOUND


def test_there_is_one_at_a_time_and_it_ends_with_its_writer(start: Start) -> None:
    bench = start()
    ask(bench, BeginRestore(id="r1", writer="gateway"))
    with pytest.raises(ResourceLimitExceeded, match="already"):
        ask(bench, BeginRestore(id="r2", writer="gateway"))
    bench.hel.lost("dispatcher", 4)
    ask(bench, WriteRestore(id="r1", offset=0, data=b"x"))
    bench.hel.lost("gateway", 4)
    bench.shell.workers["restore"].submit(lambda: None).result(20)
    assert not (bench.state_dir / UNDECIDED).exists()
    assert ask(bench, BeginRestore(id="r2", writer="gateway")) == Done()


def test_without_room_nothing_is_taken(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path, FakeClock(), lambda _: 17_000_000)
    receiver.require_room(100_000)
    with pytest.raises(IoError, match="does not fit on the device, where 17 MB are free"):
        receiver.require_room(1_000_000)


def test_a_folder_on_another_disk_is_refused_before_anything(start: Start) -> None:
    bench = start(**SMALL)
    fill(bench)
    archive = backup_of(bench)
    bench.close()
    series = bench.state_dir / "series"
    series.rename(bench.state_dir / "elsewhere")
    series.symlink_to("/proc")  # A file system of its own.
    receiver = Receiver(bench.state_dir, FakeClock())
    with receiver.begin() as file:
        file.write(archive)
    with pytest.raises(IoError, match="series/ of the state directory is a file system of its own"):
        receiver.check(lambda: None)
