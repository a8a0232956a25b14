"""The port behind which a script language lives, and the steps in which a script runs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from loki.errors import ErrorCode
from loki.messages.lua_module import LuaModule
from loki.messages.module import CompiledModule
from loki.messages.script import Script
from loki.messages.value import ScriptValue


@dataclass(frozen=True, slots=True)
class Call:
    """The script waits for a child: `module:function(...)`, arguments by parameter name."""

    module: str
    function: str
    arguments: dict[str, ScriptValue]


@dataclass(frozen=True, slots=True)
class CallTool:
    """The script waits for another tool: `loki.call(tool, params)`."""

    tool: str
    arguments: dict[str, ScriptValue]


@dataclass(frozen=True, slots=True)
class Sleep:
    duration_s: float


@dataclass(frozen=True, slots=True)
class AskBudget:
    """The script asks what is left of its budgets: `loki.budget()`."""


@dataclass(frozen=True, slots=True)
class Emit:
    value: ScriptValue


@dataclass(frozen=True, slots=True)
class Progress:
    fraction: float  # 0 to 1
    text: str


@dataclass(frozen=True, slots=True)
class Log:
    level: str  # "debug", "info", "warning", "error"
    text: str


@dataclass(frozen=True, slots=True)
class Require:
    """The script waits for a module: `require(name)`, where `name` may be anything."""

    name: str


@dataclass(frozen=True, slots=True)
class Flush:
    """Nothing to do but to hand out what was printed so far."""


@dataclass(frozen=True, slots=True)
class Finished:
    value: ScriptValue


@dataclass(frozen=True, slots=True)
class Failed:
    """The end of a script by its own error or by a budget that the engine itself enforces.

    `code` is SCRIPT_ERROR (or the code of an uncaught failed call), MEMORY_BUDGET,
    OUTPUT_BUDGET or RETURN_TYPE_MISMATCH.
    """

    code: ErrorCode
    message: str
    line: int = 0  # 0 where it is not known.
    traceback: str = ""
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """One function of `loki.all` waits for `step`. Resume the script at once, for the others.

    The answer to `step` comes with its ticket, once the script `Waits`.
    """

    ticket: int  # Not 0, which is the script itself.
    step: "Step"


@dataclass(frozen=True, slots=True)
class Waits:
    """All functions of `loki.all` wait: resume the script with the first answer that comes."""


Step: TypeAlias = (
    Call
    | CallTool
    | Require
    | Sleep
    | AskBudget
    | Emit
    | Progress
    | Log
    | Flush
    | Started
    | Waits
    | Finished
    | Failed
)


class Session(Protocol):
    """One run of one script in its own fresh state. Used by one thread; never reused."""

    def start(
        self, script: Script, arguments: dict[str, ScriptValue], bytecode: bytes = b""
    ) -> Step:
        """Run until the first step. Arguments are valid already. Never raises for the script.

        `bytecode` is what `Engine.compile` made of this script on this host, and of no other
        origin; without it the source is compiled.
        """

    def confine(self, heap_bytes: int) -> None:
        """From now on the heap may grow to this, where that is less than the script's limit."""

    def resume(self, value: ScriptValue, ticket: int = 0) -> Step:
        """Answer the last step, or that of a ticket, with None where nothing was asked; run on."""

    def fail(self, code: ErrorCode, message: str, details: dict[str, str], ticket: int = 0) -> Step:
        """Answer a Call, CallTool or Require with an error that the script may catch."""

    def provide(self, module: CompiledModule, ticket: int = 0) -> Step:
        """Answer a Require; run on."""

    def take_output(self) -> str:
        """What was printed since the last time."""

    @property
    def memory_bytes(self) -> int:
        """Heap in use now."""

    def close(self) -> None:
        """Free the state."""


class Engine(Protocol):
    """One language."""

    language: str
    version: str

    def validate(self, script: Script) -> None:
        """Compile, never execute. Raises: CompilationError with `details["line"]`."""

    def compiling(self) -> AbstractContextManager[Callable[[Script], bytes]]:
        """`compile` for many scripts; for one thread, until it is left."""

    def compile(self, script: Script) -> bytes:
        """As `validate`; gives what a session can start without compiling again."""

    def prepare(self) -> Session:
        """A fresh state, built ahead of the run that will use it."""


class EngineFactory(Protocol):
    """How a runner or the library gets an engine for the modules its children offer."""

    def __call__(self, modules: tuple[LuaModule, ...]) -> Engine: ...
