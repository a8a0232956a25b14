"""An engine without a language: plays steps that a test lays out, and keeps what it was told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from loki.core.run.engine import Failed, Step
from loki.errors import CompilationError, ErrorCode
from loki.messages.module import CompiledModule
from loki.messages.script import Script
from loki.messages.value import ScriptValue


@dataclass(frozen=True, slots=True)
class Raised:
    """A failed call as the session was told of it."""

    code: ErrorCode
    message: str
    details: dict[str, str]


@dataclass
class FakeSession:
    """Plays the steps of its script's source; `answers` is what the host said in between."""

    plays: dict[str, tuple[Step, ...]]
    output: dict[str, str]
    arguments: dict[str, ScriptValue] = field(default_factory=dict)
    answers: "list[ScriptValue | CompiledModule | Raised]" = field(default_factory=list)
    tickets: list[int] = field(default_factory=list)  # Of the answers.
    bytecode: bytes = b""
    confined_bytes: int | None = None
    closed: bool = False
    memory_bytes: int = 0
    _left: list[Step] = field(default_factory=list)
    _unread: str = ""

    def start(
        self, script: Script, arguments: dict[str, ScriptValue], bytecode: bytes = b""
    ) -> Step:
        """The first step."""
        self.bytecode = bytecode
        self.arguments = arguments
        self._left = list(self.plays[script.source])
        self._unread = self.output.get(script.source, "")
        return self._left.pop(0)

    def confine(self, heap_bytes: int) -> None:
        """Keep it."""
        self.confined_bytes = heap_bytes

    def resume(self, value: ScriptValue, ticket: int = 0) -> Step:
        """Keep the answer; the next step."""
        self.tickets.append(ticket)
        self.answers.append(value)
        return self._next()

    def fail(self, code: ErrorCode, message: str, details: dict[str, str], ticket: int = 0) -> Step:
        """Keep the error; the next step, or the end by this error where none is left."""
        self.tickets.append(ticket)
        self.answers.append(Raised(code, message, details))
        if not self._left:
            return Failed(code, message, details=tuple(details.items()))
        return self._next()

    def provide(self, module: CompiledModule, ticket: int = 0) -> Step:
        """Keep the module; the next step."""
        self.tickets.append(ticket)
        self.answers.append(module)
        return self._next()

    def take_output(self) -> str:
        """All that the script prints, at once."""
        text, self._unread = self._unread, ""
        return text

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _next(self) -> Step:
        if not self._left:
            raise RuntimeError("the run is over")
        return self._left.pop(0)


class FakeEngine:
    """Source of a script -> the steps of its run. Any other source does not compile."""

    language = "fake"
    version = "1"

    def __init__(
        self, plays: dict[str, tuple[Step, ...]], output: dict[str, str] | None = None
    ) -> None:
        """`output` is what a source prints before its first step."""
        self._plays = plays
        self._output = output or {}
        self.sessions: list[FakeSession] = []

    def validate(self, script: Script) -> None:
        """Raises: CompilationError for a source without steps."""
        if script.source not in self._plays:
            raise CompilationError(f"{script.chunk}:1: no steps", details={"line": "1"})

    @contextmanager
    def compiling(self) -> Iterator[Callable[[Script], bytes]]:
        yield self.compile

    def compile(self, script: Script) -> bytes:
        """The source itself."""
        self.validate(script)
        return script.source.encode()

    def prepare(self) -> FakeSession:
        """A session, also kept in `sessions`."""
        session = FakeSession(self._plays, self._output)
        self.sessions.append(session)
        return session
