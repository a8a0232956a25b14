"""Changes of the settings' file, from the sign of one until all have heard of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from loki.actors.settings.watch import Reread, SettingsWatch
from loki.core.settings.change import MOST_TOLD
from loki.errors import ConfigurationError, ErrorCode, LokiError
from loki.messages.event import ConfigRejected, EventHappened, Fact, SettingsChanged
from loki.messages.lifecycle import ROOT
from loki.messages.supervision import ChangePlan, PlanChanged
from loki.messages.tree import SupervisorConfig
from tests.unit.loki.conftest import FakeShell

PLAN = SupervisorConfig(actors=(), spec=msgspec.Raw(b""), run_dir="")


class Settings:
    """A file of which a test says what it says."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "loki.toml"
        self.says: Reread | ConfigurationError = self.reading()
        self.held: list[tuple[str, ...]] = []
        self.problem = ""
        self.news = 0

    def reading(self, *changed: str, waiting: tuple[str, ...] = ()) -> Reread:
        return Reread(PLAN, changed, waiting, lambda: self.held.append(changed))

    def reread(self) -> Reread:
        if isinstance(self.says, ConfigurationError):
            raise self.says
        return self.says

    def refuse(self, problem: str) -> None:
        self.problem = problem

    async def keep(self) -> int:
        self.news += 1
        return self.news


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path)


def play(shell: FakeShell, settings: Settings, act: Callable[[SettingsWatch], Awaitable[None]]):
    async def run() -> None:
        watch = SettingsWatch(shell, settings, settings.keep)
        try:
            await watch.begin()
            await act(watch)
        finally:
            watch.close()

    asyncio.run(run())


def told(shell: FakeShell) -> list[Fact]:
    return [message.fact for _, message, _ in shell.sent(EventHappened)]


def test_s_1_3_9_a_change_holds_when_the_root_has_it(shell: FakeShell, settings: Settings) -> None:
    shell.answers[ChangePlan] = lambda _: PlanChanged(restarted=("hel",))

    async def act(watch: SettingsWatch) -> None:
        settings.says = settings.reading("queue.max_length", waiting=("grpc_port",))
        await watch.again()

    play(shell, settings, act)
    ((peer, asked, _),) = shell.sent(ChangePlan)
    assert (peer, asked.plan) == (ROOT, PLAN)
    assert settings.held == [(), ("queue.max_length",)]
    assert settings.news == 1
    assert told(shell) == [
        SettingsChanged(
            changed=("queue.max_length",), waiting=("grpc_port",), restarted=("hel",), version=1
        )
    ]


def test_a_change_before_the_first_look_is_seen(shell: FakeShell, settings: Settings) -> None:
    shell.answers[ChangePlan] = lambda _: PlanChanged(restarted=())
    settings.says = settings.reading("queue.max_length")

    async def act(_watch: SettingsWatch) -> None: ...

    play(shell, settings, act)
    assert settings.held == [("queue.max_length",)]


def test_s_1_3_9_what_is_refused_is_told_once_and_by_line(
    shell: FakeShell, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(watch: SettingsWatch) -> None:
        settings.says = ConfigurationError("loki.toml:3: a: must be 1\nloki.toml:9: b: is no key")
        await watch.again()
        await watch.again()

    with caplog.at_level(logging.WARNING):
        play(shell, settings, act)
    assert told(shell) == [
        ConfigRejected(file="loki.toml:3", problem="a: must be 1"),
        ConfigRejected(file="loki.toml:9", problem="b: is no key"),
    ]
    assert settings.problem.startswith("loki.toml:3")
    assert shell.sent(ChangePlan) == []
    assert len(caplog.messages) == 1


def test_what_only_waits_is_told_once(shell: FakeShell, settings: Settings) -> None:
    async def act(watch: SettingsWatch) -> None:
        settings.says = settings.reading(waiting=("grpc_port",))
        await watch.again()
        await watch.again()
        settings.says = settings.reading()
        await watch.again()

    play(shell, settings, act)
    assert told(shell) == [
        SettingsChanged(changed=(), waiting=("grpc_port",), version=1),
        SettingsChanged(changed=(), version=2),
    ]
    assert shell.sent(ChangePlan) == []


def test_a_root_that_does_not_take_them_is_logged(
    shell: FakeShell, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_request: ChangePlan) -> PlanChanged:
        raise LokiError("it is ending", code=ErrorCode.DRAINING)

    shell.answers[ChangePlan] = refuse

    async def act(watch: SettingsWatch) -> None:
        settings.says = settings.reading("queue.max_length")
        await watch.again()

    with caplog.at_level(logging.ERROR):
        play(shell, settings, act)
    assert caplog.messages == ["the new settings do not hold everywhere: it is ending"]
    assert settings.held == [()]


def test_of_many_mistakes_the_first_are_told(
    shell: FakeShell, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(watch: SettingsWatch) -> None:
        settings.says = ConfigurationError("\n".join(f"f:{n}: bad" for n in range(5000)))
        await watch.again()

    with caplog.at_level(logging.WARNING):
        play(shell, settings, act)
    assert len(told(shell)) == MOST_TOLD
    assert settings.problem.splitlines()[-2:] == ["f:18: bad", "and 4981 more"]
    (line,) = caplog.messages
    assert len(line.splitlines()) == MOST_TOLD


def test_a_file_that_is_mended_is_told_of(shell: FakeShell, settings: Settings) -> None:
    async def act(watch: SettingsWatch) -> None:
        settings.says = ConfigurationError("f:1: bad")
        await watch.again()
        settings.says = settings.reading()
        await watch.again()

    play(shell, settings, act)
    assert told(shell)[-1] == SettingsChanged(changed=(), version=1)
