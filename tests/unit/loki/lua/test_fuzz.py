"""Random hostile programs against the sandbox, many in one process that the real watchdog guards.

A thousand by default. LOKI_FUZZ_S=600 goes on for that long from a random seed, and
LOKI_FUZZ_SEED=N starts at that one; `make fuzz` does so.
"""

import ctypes
import mmap
import os
import random
import resource
import select
import signal
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from loki.actors.runner.watchdog import Watchdog
from loki.core.run.engine import Call, Failed, Finished, Flush, Session
from loki.errors import CompilationError, ErrorCode
from loki.lua.engine import LuaEngine
from loki.lua.sandbox import Sandbox
from loki.messages.script import Limits, Script
from loki.messages.value import ScriptValue
from tests.generator.attack import attack, mutilated

COUNT = 1000
DURATION_S = float(os.environ.get("LOKI_FUZZ_S", "0"))
FIRST = int(os.environ.get("LOKI_FUZZ_SEED", "0" if not DURATION_S else random.getrandbits(40)))
BUDGET_S = 0.1
HANG_S = 10.0  # Past the budget: the watchdog could not run.
OVERTIME, BAD = 75, 76  # Exit codes.
MOST_STEPS = 400
OUTPUT_KB = 16
MEMORY_KB = (8, 100, 1000, 4000)
GROWTH_KB = 150_000  # Of one process, ever.
ANSWERS: tuple[ScriptValue, ...] = (
    None, True, 0, -(2**63), 1e308, "", "x" * 5000, b"\xff", [], {}, [1, None, [2]], {"k": {}},
    ["y" * 100] * 50,
)  # fmt: skip
HARMLESS = frozenset(ErrorCode) - {ErrorCode.BUG}


Sources = Callable[[int], str]


@dataclass
class Page:
    """Shared with the process that plays: which seed it is at, and how many it has ended."""

    memory: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, mmap.PAGESIZE))

    @property
    def seed(self) -> int:
        (seed,) = struct.unpack_from("q", self.memory)
        return int(seed)

    def begin(self, seed: int) -> None:
        struct.pack_into("q", self.memory, 0, seed)


def source_of(seed: int) -> str:
    text = attack(seed)
    return mutilated(seed, text) if seed % 5 == 0 else text


def answered(session: Session, chance: random.Random) -> object:
    if chance.random() < 0.2:
        details = {"status": "404", "text": chance.choice(("", "x" * 500, "-0", "9" * 30))}
        return session.fail(chance.choice(list(HARMLESS)), "y" * chance.randrange(3000), details)
    return session.resume(chance.choice(ANSWERS))


def judged(engine: LuaEngine, seed: int, source: str) -> str:
    """Play one program to its end; what is wrong about it, or ""."""
    chance = random.Random(seed)
    limits = Limits(max_output_kb=OUTPUT_KB)
    script = Script(name="fuzz", source=source, chunk="fuzz", limits=limits)
    memory = chance.choice(MEMORY_KB) * 1024
    try:
        bytecode = engine.compile(script) if seed % 2 else b""
    except CompilationError:
        return ""
    session = engine.prepare()
    assert isinstance(session._sandbox, Bounded)
    session._sandbox.bound = memory
    output, steps = "", 0
    step: object = session.start(script, {"k": chance.choice(ANSWERS)}, bytecode)
    while not isinstance(step, Finished | Failed) and steps < MOST_STEPS:
        output += session.take_output()
        if session.memory_bytes > memory + 1024 * 1024:
            return f"holds {session.memory_bytes} bytes of {memory}"
        if isinstance(step, Call) and step.module not in ("board", "loki"):
            return f"calls {step}"
        step = session.resume(None) if isinstance(step, Flush) else answered(session, chance)
        steps += 1
    output += session.take_output()
    session.close()
    if isinstance(step, Failed) and step.code not in HARMLESS | {ErrorCode.SCRIPT_INVALID}:
        return repr(step)
    if "ESCAPED:userdata" in output:  # Mutilation may print the word, but not have the type.
        return "reached a host object"
    if len(output.encode()) > OUTPUT_KB * 1024 + 3 * output.count("\ufffd"):
        return f"printed {len(output)} characters"
    return ""


class Bounded(Sandbox):
    """With a memory limit below what settings allow."""

    bound = 0

    def begin(self, *arguments: bytes, **named: int) -> None:  # type: ignore[override]  # Passes all on.
        super().begin(*arguments, **(named | {"memory": self.bound}))  # type: ignore[arg-type]  # The same.


def play_from(
    engine: LuaEngine, sources: Sources, first: int, last: int, page: Page, report: int
) -> int:
    """In the forked process: the exit code."""
    watchdog = Watchdog(lambda: os._exit(OVERTIME))
    signal.signal(signal.SIGALRM, signal.SIG_IGN)  # What is tested is the thread.
    limit_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + GROWTH_KB
    for seed in range(first, last):
        page.begin(seed)
        end = time.monotonic() + BUDGET_S
        watchdog.arm(end, end + HANG_S)
        wrong = judged(engine, seed, sources(seed))
        watchdog.disarm()
        if not wrong and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > limit_kb:
            wrong = "the process grew"
        if wrong:
            os.write(report, f"{wrong}\n".encode())
            return BAD
    return 0


def batch(
    engine: LuaEngine, first: int, last: int, sources: Sources = source_of
) -> tuple[int, str]:
    """Play these seeds, unless one of them ends the process.

    The seed to go on with, and what was wrong with the one before it, if anything."""
    page = Page()
    page.begin(first)  # A process may take its time before it begins.
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = play_from(engine, sources, first, last, page, writer)
        except BaseException as error:  # noqa: BLE001  # It goes to the parent.
            os.write(writer, repr(error).encode())
        finally:
            os._exit(code)
    os.close(writer)
    hung = not _ended(pid, page)
    if hung:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return last, ""
    if hung:
        said = "the watchdog could not run"
    elif code == OVERTIME:
        said = ""
    return page.seed + 1, said or f"exit code {code}" if code != OVERTIME else ""


def _ended(pid: int, page: Page) -> bool:
    """Whether the process ends while it gets on with its seeds."""
    pidfd = os.pidfd_open(pid)
    try:
        seed = -1
        while seed != page.seed:
            seed = page.seed
            if select.select([pidfd], [], [], BUDGET_S + HANG_S)[0]:
                return True
        return False
    finally:
        os.close(pidfd)


@pytest.fixture(autouse=True)
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loki.lua.engine.Sandbox", Bounded)


@pytest.mark.timeout(DURATION_S + 300)
def test_s_4_2_1_no_random_attack_crashes_hangs_or_spies(engine: LuaEngine) -> None:
    end = time.monotonic() + DURATION_S
    seed, wrong = FIRST, {}
    while seed < FIRST + COUNT or time.monotonic() < end:
        seed, said = batch(engine, seed, seed + 200 if DURATION_S else FIRST + COUNT)
        if said:
            wrong[seed - 1] = said
    assert wrong == {}, "LOKI_FUZZ_SEED=N begins with that one"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("return 1", ""),
        ("while true do end", ""),
        ("print('ESCAPED:userdata')", "reached a host object"),
        ("crash", "exit code -9"),
        ("hang", "the watchdog could not run"),
        ("raise", "RuntimeError"),
    ],
)
def test_the_judge_sees_what_goes_wrong(
    engine: LuaEngine, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    """What no script can do, the test does in its place."""
    if source == "hang":
        monkeypatch.setitem(globals(), "HANG_S", 0.3)

    def sources(_seed: int) -> str:
        match source:
            case "crash":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                ctypes.PyDLL(None).sleep(5)  # Keeps Python's lock.
            case "raise":
                raise RuntimeError
        return source

    seed, wrong = batch(engine, 3, 4, sources)
    assert seed == 4
    assert said in wrong
    assert bool(said) == bool(wrong)
