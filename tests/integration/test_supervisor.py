"""The table of what supervisors must do, played on real actors: each case a supervisor of its own.

What the actors note has to come in the order of the table, and so have the answers; how the two
interleave is for the pure core to prove.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lane_system import gone, soon
from supervised import supervised
from supervised_actor import AskToStop, Die

from loki.actors.door.door import Door
from loki.actors.start.system import Instance, System
from loki.core.supervisor.spec import ChildSpec, Restart
from loki.errors import LokiError
from loki.messages.envelope import Done, Message
from loki.messages.lifecycle import ChildrenListed, ChildState, ChildStatus, DescribeChildren, Stop
from loki.messages.supervision import (
    ActorRuns,
    ActorsCounted,
    ActorSpecFound,
    CountActors,
    DeleteActor,
    GetActorSpec,
    LimitRestarts,
    ResetActor,
    RestartActor,
    StartActor,
    StopActor,
)
from loki.messages.tree import ActorPlan, SupervisorConfig
from tests.scenario import outage, request, restart
from tests.scenario.case import Case, case, tree

CASES = [case for case in [*restart.CASES, *outage.CASES, *request.CASES] if case.real]
WITHIN_S = 30.0
BY_NAME = {
    "stop": StopActor,
    "restart": RestartActor,
    "reset": ResetActor,
    "delete": DeleteActor,
    "spec": GetActorSpec,
}


def packed(thing: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(thing))


def shown(answer: Message | LokiError) -> str:
    match answer:
        case Done() | ActorRuns():
            return "=agreed"
        case LokiError():
            return f"=refused:{answer.details['refusal']}"
        case ActorsCounted():
            a = answer
            return f"={a.specs}/{a.active}/{a.supervisors}/{a.workers}"
        case ActorSpecFound():
            return f"=spec:{msgspec.msgpack.decode(answer.spec, type=ChildSpec).name}"
        case ChildrenListed():
            return "=" + ",".join(f"{c.name}:{c.state.value}" for c in answer.children)
        case _:
            raise TypeError(answer)


@dataclass
class Nodes:
    """A booted system with an empty root, and the loop of its starter."""

    runner: asyncio.Runner
    door: Door
    run_dir: str
    cases: int = 0


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    instance = Instance(tmp_path_factory.mktemp("state"))
    run_dir = str(instance.run_dir)
    system = System(instance, supervised((), run_dir))
    system.boot()
    with asyncio.Runner() as runner:

        async def up() -> None:
            system.connect()
            await system.up()

        runner.run(up())
        assert system._door is not None
        yield Nodes(runner, system._door, run_dir)
        pids = instance.ledger.pids
        runner.run(system.stop(2.0))
    assert gone(pids)


@dataclass
class Stage:
    """One case on its way."""

    nodes: Nodes
    case: Case
    folder: Path
    answers: list[str] = field(default_factory=list)
    expected_notes: list[str] = field(default_factory=list)
    expected_answers: list[str] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.nodes.cases += 1
        self.name = f"case-{self.nodes.cases}"

    async def play(self) -> None:
        for what, expected in self.case.steps:
            tokens = expected.split()
            notes = [token for token in tokens if token.startswith(("start", "stop", "fail"))]
            self.expected_notes += notes
            self.expected_answers += [token for token in tokens if token not in notes]
            for happening in what.split(";"):
                await self.happen(happening.split(), expected)
            await self.follows(what)
            if "end:" not in expected:
                await self.up({token.partition(":")[2]: token for token in notes})
        assert (self.notes(), self.answers) == (self.expected_notes, self.expected_answers)
        await self.clear()

    async def happen(self, words: list[str], expected: str) -> None:
        match words:
            case ["begin"]:
                self.answer_later(self.begin())
            case ["stop"]:
                self.nodes.door.send(self.name, Stop(grace_s=60.0))
            case ["ask", *asked]:
                self.answer_later(self.ask(asked))
                await asyncio.sleep(0)  # It is sent before what comes next.
            case ["hang", name]:
                os.kill(await self.pid(name), signal.SIGSTOP)
            case ["break", name, times]:
                (self.folder / f"break-{name}").write_text(times)
            case ["stubborn", name]:
                (self.folder / f"stubborn-{name}").touch()
            case ["wait", seconds]:
                if not expected:
                    await asyncio.sleep(float(seconds))
            case [how, name]:
                await self.die(name, how)

    def answer_later(self, answer: Any) -> None:
        async def note() -> None:
            self.answers.append(await answer)

        task = asyncio.create_task(note())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def begin(self) -> str:
        actors = tuple(
            ActorPlan(
                name=child.name,
                role="supervised_actor:Worker",
                config=packed(str(self.folder)),
            )
            for child in self.case.spec.children
        )
        config = SupervisorConfig(
            actors=actors, spec=packed(self.case.spec), run_dir=self.nodes.run_dir
        )
        actor = ActorPlan(
            name=self.name, role="loki.actors.tree.supervisor:Supervisor", config=packed(config)
        )
        spec = ChildSpec(self.name, Restart.TRANSIENT, supervisor=True)
        start = StartActor(actor=actor, spec=packed(spec))
        try:
            await self.nodes.door.ask("loki", start, timeout_s=WITHIN_S)
        except LokiError as error:
            return f"end:{error.message.rpartition('cannot start: ')[2]}"
        return "up"

    async def ask(self, words: list[str]) -> str:
        message: Any
        match words:
            case ["start", name]:
                plan = ActorPlan(
                    name=name, role="supervised_actor:Worker", config=packed(str(self.folder))
                )
                message = StartActor(actor=plan, spec=packed(ChildSpec(name)))
            case ["count"]:
                message = CountActors()
            case ["children"]:
                message = DescribeChildren()
            case ["limits", intensity, period_s]:
                message = LimitRestarts(intensity=int(intensity), period_s=float(period_s))
            case [what, name]:
                message = BY_NAME[what](name=name)
        try:
            return shown(await self.nodes.door.ask(self.name, message, timeout_s=WITHIN_S))
        except LokiError as error:
            return shown(error)

    async def children(self, supervisor: str) -> dict[str, ChildStatus]:
        listed = await self.nodes.door.ask(supervisor, DescribeChildren(), timeout_s=WITHIN_S)
        return {child.name: child for child in listed.children}

    async def pid(self, name: str) -> int:
        return (await self.children(self.name))[name].pid

    async def die(self, name: str, how: str) -> None:
        """Until its supervisor knows, or is gone itself."""
        pid = await self.pid(name)
        if how == "kill":
            os.kill(pid, signal.SIGKILL)
        else:
            self.nodes.door.send(name, Die(how=how))
        with contextlib.suppress(LokiError):
            while pid in [child.pid for child in (await self.children(self.name)).values()]:
                await asyncio.sleep(0.001)

    def notes(self) -> list[str]:
        trace = self.folder / "trace"
        return trace.read_text().split() if trace.exists() else []

    async def follows(self, what: str) -> None:
        """Wait for as much as is expected, then compare; what a timer brings may be there too."""
        end_s = time.monotonic() + WITHIN_S
        while time.monotonic() < end_s:
            await self.look_for_the_end()
            many = len(self.notes()) >= len(self.expected_notes)
            if many and len(self.answers) >= len(self.expected_answers):
                break
            await asyncio.sleep(0.002)
        assert self.notes()[: len(self.expected_notes)] == self.expected_notes, what
        assert self.answers[: len(self.expected_answers)] == self.expected_answers, what

    async def up(self, last_notes: dict[str, str]) -> None:
        """Until their supervisor knows of those that noted their start: else what comes next meets
        one that still starts."""
        names = {name for name, note in last_notes.items() if note.startswith("start:")}

        async def known() -> bool:
            if not names:
                return True
            children = await self.children(self.name)
            return all(children[name].state is ChildState.UP for name in names)

        await soon(known, WITHIN_S)

    async def look_for_the_end(self) -> None:
        if self.expected_answers[-1:] == self.answers[-1:]:
            return
        supervisor = (await self.children("loki")).get(self.name)
        ended = supervisor is not None and supervisor.state is ChildState.DOWN
        if ended and not any(answer.startswith("end:") for answer in self.answers):
            assert supervisor is not None
            brief = supervisor.last_error.partition(" within ")[0]
            self.answers.append(f"end:{brief.replace(' ', '_')}")

    async def clear(self) -> None:
        for stubborn in self.folder.glob("stubborn-*"):
            stubborn.unlink()
        with contextlib.suppress(LokiError):  # One that never came up is forgotten already.
            await self.nodes.door.ask("loki", StopActor(name=self.name), timeout_s=WITHIN_S)
            await self.nodes.door.ask("loki", DeleteActor(name=self.name), timeout_s=WITHIN_S)
        assert self.name not in await self.children("loki")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
def test_case(case: Case, nodes: Nodes, tmp_path: Path) -> None:
    nodes.runner.run(Stage(nodes, case, tmp_path).play())


def test_a_killed_supervisor_takes_its_children_along_and_all_come_back(
    nodes: Nodes, tmp_path: Path
) -> None:
    """None of the old ones lives beside its successor."""
    stage = Stage(nodes, case("a tree of its own", tree("a b")), tmp_path)

    async def play() -> None:
        assert await stage.begin() == "up"
        before = [child.pid for child in (await stage.children(stage.name)).values()]
        supervisor = (await stage.children("loki"))[stage.name].pid
        os.kill(supervisor, signal.SIGKILL)
        assert gone([supervisor, *before])
        stage.expected_notes = ["start:a", "start:b"] * 2
        await stage.follows("the end of the supervisor")

        async def back() -> bool:
            return (await stage.children("loki"))[stage.name].state is ChildState.UP

        await soon(back)
        assert (await stage.children("loki"))[stage.name].restarts == 1
        await stage.clear()

    nodes.runner.run(play())


def test_only_the_family_administers(nodes: Nodes, tmp_path: Path) -> None:
    """A child of a child, as runners are, is refused."""
    stage = Stage(nodes, case("strangers", tree("a")), tmp_path)

    async def play() -> None:
        assert await stage.begin() == "up"
        asked = AskToStop(supervisor="loki", name=stage.name)
        refusal = await nodes.door.ask("a", asked, timeout_s=WITHIN_S)
        assert refusal.text == "only Loki itself administers it"
        await stage.clear()

    nodes.runner.run(play())
