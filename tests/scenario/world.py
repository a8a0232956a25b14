"""A world in which a pure supervisor lives: processes that start, die, hang, and a clock."""

import heapq
from collections import Counter, deque
from dataclasses import dataclass

from loki.core.supervisor.state import (
    Agreed,
    Answer,
    Answered,
    AskChildren,
    AskCount,
    AskDelete,
    AskLimits,
    AskReset,
    AskRestart,
    AskSpec,
    AskStart,
    AskStop,
    Begin,
    Command,
    Counts,
    Dying,
    End,
    Event,
    Exited,
    KillChild,
    Life,
    PingChild,
    Refused,
    Reply,
    ReportUp,
    Request,
    Spawned,
    StartChild,
    Started,
    StopAll,
    StopChild,
    Tick,
    WakeAt,
)
from loki.core.supervisor.supervision import ChildSpec, Supervisor, SupervisorSpec, step

GRACE_S = 60.0
LAST_WORDS = {"crash": "ValueError: broken", "normal": "normal", "shutdown": "shutdown", "kill": ""}


@dataclass
class Process:
    incarnation: int
    pid: int
    hangs: bool = False
    asked_to_stop: bool = False


def shown(answer: Answer) -> str:
    """As the trace has it."""
    match answer:
        case Agreed():
            return "=agreed"
        case Refused(refusal, _):
            return f"=refused:{refusal.value}"
        case Counts(specs, active, supervisors, workers):
            return f"={specs}/{active}/{supervisors}/{workers}"
        case ChildSpec():
            return f"=spec:{answer.name}"
        case _:
            return "=" + ",".join(f"{child.spec.name}:{child.phase.value}" for child in answer)


def request_of(words: list[str], asker: int) -> Request:
    match words:
        case ["start", name]:
            return AskStart(asker, ChildSpec(name))
        case ["stop", name]:
            return AskStop(asker, name)
        case ["restart", name]:
            return AskRestart(asker, name)
        case ["reset", name]:
            return AskReset(asker, name)
        case ["delete", name]:
            return AskDelete(asker, name)
        case ["limits", intensity, period_s]:
            return AskLimits(asker, int(intensity), float(period_s))
        case ["count"]:
            return AskCount(asker)
        case ["children"]:
            return AskChildren(asker)
        case ["spec", name]:
            return AskSpec(asker, name)
        case _:
            raise ValueError(f"nobody asks {words}")


class World:
    """Performs what the supervisor decides, at once, and notes the trace."""

    def __init__(self, spec: SupervisorSpec) -> None:
        self.supervisor = Supervisor.of(spec)
        self.now_s = 1000.0
        self.processes: dict[str, Process] = {}
        self.trace: list[str] = []
        self.ends: list[End] = []
        self.asked = 0
        self.answers: Counter[int] = Counter()
        self.steps = 0
        self._broken: Counter[str] = Counter()
        self._stubborn: set[str] = set()
        self._mute: set[str] = set()
        self._wakes: list[float] = []
        self._events: deque[Event] = deque()
        self._pids = 0

    # What happens.

    def play(self, what: str) -> list[str]:
        """All of a step's happenings; what the trace has got since."""
        self.trace = []
        for happening in what.split(";"):
            self.happen(happening.split())
        self.settle()
        return self.trace

    def happen(self, words: list[str]) -> None:
        match words:
            case ["begin"]:
                self._events.append(Begin())
            case ["stop"]:
                self._events.append(StopAll(GRACE_S))
            case ["ask", *request]:
                self.asked += 1
                self._events.append(request_of(request, self.asked))
            case ["hang", name]:
                self.processes[name].hangs = True
            case ["break", name, times]:
                self._broken[name] = int(times)
            case ["stubborn", name]:
                self._stubborn.add(name)
            case ["wait", seconds]:
                self.wait(float(seconds))
            case [how, name]:
                self.die(name, LAST_WORDS[how])
            case _:
                raise ValueError(f"what is {words}?")

    def mute(self, name: str) -> None:
        """From now on it starts, and does not say so."""
        self._mute.add(name)

    def resume(self, name: str) -> None:
        """One that hung goes on, with what it has not read yet."""
        process = self.processes[name]
        process.hangs = False
        self.tell(Answered(name, process.incarnation))

    def die(self, name: str, last_word: str, exit_reason: str = "killed") -> None:
        process = self.processes.pop(name)
        if last_word:
            self._events.append(Dying(name, process.incarnation, last_word))
        self._events.append(Exited(name, process.incarnation, exit_reason))

    def tell(self, event: Event) -> None:
        """Something that nobody here has done, such as a notice of long ago."""
        self._events.append(event)
        self.settle()

    def wait(self, seconds: float) -> None:
        self.settle()
        end_s = self.now_s + seconds
        while self._wakes and self._wakes[0] <= end_s:
            self.now_s = max(self.now_s, heapq.heappop(self._wakes))
            self._events.append(Tick())
            self.settle()
        self.now_s = end_s

    def settle(self) -> None:
        """Until nothing follows any more without time passing."""
        while self._events:
            event = self._events.popleft()
            self.supervisor, commands = step(self.supervisor, event, self.now_s)
            self.steps += 1
            for command in commands:
                self._perform(command)

    # What the supervisor does about it.

    def _perform(self, command: Command) -> None:
        match command:
            case StartChild(name, incarnation):
                self._start(name, incarnation)
            case StopChild(name):
                self._stop(name)
            case KillChild(name, pid):
                self._kill(name, pid)
            case PingChild(name, incarnation):
                if not self.processes[name].hangs:
                    self._events.append(Answered(name, incarnation))
            case WakeAt(when_s):
                heapq.heappush(self._wakes, when_s)
            case Reply(asker, answer):
                self.answers[asker] += 1
                self.trace.append(shown(answer))
            case ReportUp():
                self.trace.append("up")
            case End(reason):
                self.ends.append(command)
                brief = reason.partition(" within ")[0].replace(" ", "_")
                self.trace.append(f"end:{brief}")

    def _start(self, name: str, incarnation: int) -> None:
        assert name not in self.processes, f"two incarnations of {name}"
        assert self.supervisor.life in (Life.BOOTING, Life.RUNNING)
        self._pids += 1
        self._events.append(Spawned(name, incarnation, self._pids))
        self.processes[name] = Process(incarnation, self._pids)
        if self._broken[name]:
            self._broken[name] -= 1
            self.trace.append(f"fail:{name}")
            self.die(name, "broken")
            return
        if name in self._mute:
            return
        self.trace.append(f"start:{name}")
        self._events.append(Started(name, incarnation, self._pids))

    def _kill(self, name: str, pid: int) -> None:
        """One that died at the same moment is told of already."""
        process = self.processes.get(name)
        if process is not None and process.pid == pid:
            self.die(name, "")

    def _stop(self, name: str) -> None:
        process = self.processes.get(name)
        if process is None or process.hangs:
            return
        if not process.asked_to_stop:
            self.trace.append(f"stop:{name}")
        process.asked_to_stop = True
        if name not in self._stubborn:
            self.die(name, "shutdown")
