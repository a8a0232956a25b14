"""Files that change under a gateway: what it takes, what it keeps, what it tells."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from loki.certificate import PairFiles, make_authority, make_server, now_utc, read_authority
from loki.clock import FakeClock
from loki.errors import PermissionRefused
from loki.grpc_gateway.security.access import Access
from loki.grpc_gateway.security.renewal import LOOK_S, Renewal
from loki.messages.access import AccessConfig, ClientRole, PrincipalEntry, TlsFiles
from loki.messages.event import ConfigRejected, EventHappened

OLD, NEW = "an-old-token-0123", "a-new-token-01234"


class FakeShell:
    """As much of a shell as a renewal uses; the test lets time pass."""

    log = logging.getLogger("loki.gateway")

    def __init__(self) -> None:
        self.clock = FakeClock(now_ns=time.time_ns())
        self.events: list[ConfigRejected] = []
        self._due: list[Callable[[], None]] = []
        self._tasks: list[Any] = []

    def send(self, _peer: str, message: Any, **_options: Any) -> None:
        assert isinstance(message, EventHappened)
        assert isinstance(message.fact, ConfigRejected)
        self.events.append(message.fact)

    def worker(self, _name: str) -> Executor:
        return ThreadPoolExecutor(max_workers=1)

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        assert delay_s == LOOK_S
        self._due.append(action)

    def mind(self, task: Any) -> None:
        self._tasks.append(task)

    async def look(self) -> None:
        """Let the next look begin, and wait for its end."""
        self._due.pop()()
        await self._tasks.pop()


class FakeConnection:
    """A caller from elsewhere, with a token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def peer(self) -> str:
        return "ipv4:192.0.2.7:1"

    def invocation_metadata(self) -> Any:
        return (("authorization", f"Bearer {self._token}"),)

    def auth_context(self) -> Any:
        return {}


class Scene:
    """A gateway's security in a folder."""

    def __init__(self, folder: Path) -> None:
        self.token = folder / "token"
        self.put(OLD)
        ca = PairFiles.of(folder, "ca")
        self.authority = make_authority(ca, "Test", now_utc())
        self.server = PairFiles.of(folder, "server")
        make_server(self.server, read_authority(ca), ("localhost",), 5, now_utc())
        entry = PrincipalEntry(name="panel", roles=(ClientRole.VIEW,), token_file=str(self.token))
        files = TlsFiles(certificate=str(self.server.certificate), key=str(self.server.key))
        self.shell: Any = FakeShell()
        self.certificate = self.server.certificate.read_bytes()
        self.access = Access(self.shell.log, self.shell.later)
        self.renewal = Renewal(
            self.shell, AccessConfig(principals=(entry,), tls=files), self.access
        )

    def put(self, token: str) -> None:
        self.token.write_text(token)
        self.token.chmod(0o600)

    def renew(self, begin: timedelta, days: int) -> None:
        """Put another pair in the place of the first, made `begin` from now."""
        self.server.certificate.unlink()
        self.server.key.unlink()
        make_server(self.server, self.authority, ("localhost",), days, now_utc() + begin)

    def keeps_the_first(self) -> bool:
        assert self.renewal.tls is not None
        return self.renewal.tls.shown == self.certificate

    def lets_in(self, token: str) -> bool:
        try:
            return self.access.identify(FakeConnection(token)).name == "panel"
        except PermissionRefused:
            return False


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def play(scene: Scene, act: Callable[[], Any], looks: int = 1) -> None:
    async def run() -> None:
        scene.renewal.begin()
        await scene.shell.look()
        act()
        for _ in range(looks):
            await scene.shell.look()

    asyncio.run(run())


def test_s_r_2_a_new_token_takes_the_place_of_the_old_one(scene: Scene) -> None:
    assert scene.lets_in(OLD)
    play(scene, lambda: scene.put(NEW))
    assert (scene.lets_in(OLD), scene.lets_in(NEW)) == (False, True)
    assert scene.shell.events == []


def test_s_1_3_9_other_callers_are_let_in_by_other_settings(tmp_path: Path) -> None:
    """Their files are looked at from then on, also where there were none before."""
    scene = Scene(tmp_path)
    entry = PrincipalEntry(name="panel", roles=(ClientRole.VIEW,), token_file=str(scene.token))
    renewal = Renewal(scene.shell, AccessConfig(), scene.access)

    async def run() -> None:
        renewal.begin()
        assert not scene.lets_in(OLD)
        await renewal.change(AccessConfig(principals=(entry,)))
        assert scene.lets_in(OLD)
        scene.put(NEW)
        for _ in range(2):
            await scene.shell.look()
        assert (scene.lets_in(OLD), scene.lets_in(NEW)) == (False, True)
        await renewal.change(AccessConfig())
        assert not scene.lets_in(NEW)

    asyncio.run(run())
    assert scene.shell.events == []


def test_a_token_that_is_taken_away_lets_nobody_in_and_is_told_of_once(scene: Scene) -> None:
    play(scene, scene.token.unlink, looks=4)
    assert not scene.lets_in(OLD)
    (event,) = scene.shell.events
    assert (event.file, event.problem) == (
        str(scene.token),
        "cannot be read: No such file or directory",
    )


def test_half_of_a_new_pair_is_not_told_of(scene: Scene) -> None:
    tls = scene.renewal.tls
    assert tls is not None

    def half() -> None:
        scene.server.key.write_text("half-written")

    play(scene, half)
    assert scene.shell.events == []


def test_a_broken_pair_keeps_the_old_one_and_is_told_of_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    play(scene, lambda: scene.server.certificate.write_text("broken"), looks=4)
    (event,) = scene.shell.events
    assert event.file == str(scene.server.certificate)
    assert "no certificate that" in event.problem
    assert len(caplog.messages) == 1
    assert scene.lets_in(OLD)


def test_a_new_pair_is_taken(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    play(scene, lambda: scene.renew(timedelta(), 5))
    assert not scene.keeps_the_first()
    assert caplog.messages == ["a new TLS certificate is shown from now on"]
    assert scene.shell.events == []


def test_an_expired_pair_does_not_take_the_place_of_one_that_holds(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    play(scene, lambda: scene.renew(timedelta(days=-9), 5), looks=4)
    assert scene.keeps_the_first()
    (event,) = scene.shell.events
    assert event.file == str(scene.server.certificate)
    assert "has expired" in event.problem
    assert "loki init-tls" in event.problem
    assert caplog.messages == [f"{event.file}: {event.problem}"]


def test_a_pair_that_does_not_hold_yet_is_taken_when_it_does(scene: Scene) -> None:
    early = timedelta(days=1, hours=1)  # Certificates begin a day before they are made.
    play(scene, lambda: scene.renew(early, 5), looks=4)
    assert scene.keeps_the_first()
    assert ["holds from" in event.problem for event in scene.shell.events] == [True]
    scene.shell.clock.advance(3600.0)
    asyncio.run(scene.shell.look())
    assert not scene.keeps_the_first()
    assert len(scene.shell.events) == 1


def test_of_two_that_have_expired_the_newer_is_shown_and_told_of(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.shell.clock.advance(timedelta(days=30).total_seconds())
    play(scene, lambda: scene.renew(timedelta(), 6), looks=4)
    assert not scene.keeps_the_first()
    (event,) = scene.shell.events
    assert "it is shown all the same" in event.problem
    assert caplog.messages == [
        "a new TLS certificate is shown from now on",
        f"{event.file}: {event.problem}",
    ]


def test_without_files_nothing_is_looked_at() -> None:
    shell: Any = FakeShell()
    Renewal(shell, AccessConfig(), Access(shell.log, shell.later)).begin()
    assert shell._due == []


def test_a_token_that_is_not_there_at_the_start_is_told(tmp_path: Path) -> None:
    shell: Any = FakeShell()
    entry = PrincipalEntry(name="p", roles=(), token_file=str(tmp_path / "none"))
    Renewal(shell, AccessConfig(principals=(entry,)), Access(shell.log, shell.later))
    assert [event.file for event in shell.events] == [str(tmp_path / "none")]
