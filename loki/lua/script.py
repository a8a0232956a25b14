"""One run of a script as a session: its requests become steps, the host's answers its values."""

import re
import time
from collections.abc import Callable
from typing import ClassVar

from loki.core.run.engine import Call, Failed, Finished, Flush, Require, Started, Step, Waits
from loki.core.run.manifest import limit_place
from loki.errors import ErrorCode, ExecutionError, InvalidArgument
from loki.lua.bindings import Bindings
from loki.lua.builtin import LOKI, step_of
from loki.lua.convert import arguments_from_lua, as_declared, from_lua, mismatch, to_lua
from loki.lua.hint import Explained, Names, compile_hint, explained, line_of, run_hint
from loki.lua.place import Place, Sources
from loki.lua.sandbox import LuaFailure, LuaOutOfMemory, Sandbox
from loki.messages.module import CompiledModule
from loki.messages.script import Origin, Script, ValueType
from loki.messages.value import INT64, ScriptValue

KEPT_CODES = frozenset(
    {
        ErrorCode.SCRIPT_PERMISSION,
        ErrorCode.CHILD_DOWN,
        ErrorCode.CHILD_DISABLED,
        ErrorCode.DISK_BUDGET,
        ErrorCode.BUG,
    }
)
"""Codes of failed calls that stay the run's code when the script does not catch them."""

CHUNK_BYTES = 59  # More would be cut by Lua itself, in the middle of a character.

NIL = to_lua(None)


def chunk_name(chunk: str) -> str:
    """A name of a source as Lua's messages show it."""
    clean = re.sub(r"[\x00-\x1f\x7f]", " ", chunk)
    if len(clean.encode()) <= CHUNK_BYTES:
        return clean
    return "..." + clean.encode()[3 - CHUNK_BYTES :].decode(errors="ignore")


KEEP_FRAME = "local _keep_frame <close> = nil; "
"""Begins every script: with it, `return f()` is no tail call, so that errors know its line."""


def source_of(script: Script) -> bytes:
    """A script's text as Lua takes it. A byte order mark is no part of it."""
    return (KEEP_FRAME + script.source.removeprefix("\ufeff")).encode()


class LuaSession:
    """One run of one script in its own fresh state."""

    def __init__(self, sandbox: Sandbox, bindings: Bindings) -> None:
        self._sandbox = sandbox
        self._bindings = bindings
        self._script: Script
        self._sources: Sources
        self._names = Names()
        self._last: Step | None = None
        self._ticket = 0  # Of the request that the next `go` answers.
        self._waiting_bytes = 0

    def start(
        self, script: Script, arguments: dict[str, ScriptValue], bytecode: bytes = b""
    ) -> Step:
        """Run until the first step. Arguments are valid already; bytecode is the Library's."""
        self._script = script
        chunk = chunk_name(script.chunk)
        self._sources = Sources(chunk, script.source)
        self._names = Names(
            modules=self._bindings.module_names,
            parameters=_parameters(script),
            given=tuple(name for name, value in arguments.items() if value is not None),
        )
        self._sandbox.begin(
            bytecode or source_of(script),
            b"@" + chunk.encode(),
            to_lua(arguments),
            compiled=bool(bytecode),
            output=script.limits.max_output_kb * 1024,
            binary=script.return_type is ValueType.BYTES,
            memory=script.limits.max_memory_mb * 1024 * 1024,
        )
        return self._advance()

    def confine(self, heap_bytes: int) -> None:
        """From now on the heap may grow to this, where that is less than the script's limit."""
        self._sandbox.confine(heap_bytes)

    def resume(self, value: ScriptValue, ticket: int = 0) -> Step:
        """Answer the last step, or that of a ticket, and run on."""
        if not isinstance(self._last, Flush | Started):
            self._stage(value)
        self._ticket = ticket
        return self._advance()

    def fail(self, code: ErrorCode, message: str, details: dict[str, str], ticket: int = 0) -> Step:
        """Answer a call with an error that the script may catch.

        A detail that is a whole number in decimal, such as a status, is an integer in Lua.
        """
        self._stage_error(code, message, details)
        self._ticket = ticket
        return self._advance()

    def provide(self, module: CompiledModule, ticket: int = 0) -> Step:
        """Answer a Require; run on."""
        file = chunk_name(module.file)
        self._sources.add(file, module.source)
        self._stage({"file": file, "code": module.bytecode})
        self._ticket = ticket
        return self._advance()

    def take_output(self) -> str:
        """What was printed since the last time; what is not UTF-8 shows as U+FFFD."""
        if not self._waiting_bytes:
            return ""
        self._waiting_bytes = 0
        return self._sandbox.drain().decode(errors="replace")

    @property
    def memory_bytes(self) -> int:
        """Heap in use now. Any thread may ask."""
        return self._sandbox.memory_bytes

    def close(self) -> None:
        """Free the state; nothing else may be called afterwards."""
        self._sandbox.close()

    def _stage(self, value: ScriptValue) -> None:
        try:
            packed = NIL if value is None else to_lua(value)
        except InvalidArgument as error:
            self._stage_error(error.code, f"the answer is no value: {error.message}", {})
            return
        self._sandbox.stage(packed, False)

    def _stage_error(self, code: ErrorCode, message: str, details: dict[str, str]) -> None:
        shown: ScriptValue = {
            "code": code.value,
            "message": message,
            "details": {key: _number_or_text(value) for key, value in details.items()},
        }
        self._sandbox.stage(to_lua(shown), True)

    def _advance(self) -> Step:
        if isinstance(self._last, Finished | Failed):
            raise RuntimeError("the run is over")
        step: Step | None = None
        while step is None:
            step = self._go()
        self._last = step
        return step

    def _go(self) -> Step | None:
        """The next step, or None for a request that is answered here and now."""
        ticket, self._ticket = self._ticket, 0
        try:
            waiting, kind, *parts = self._sandbox.go(ticket)
        except (LuaOutOfMemory, MemoryError):
            self._waiting_bytes = 1  # Nobody knows; the sandbox does.
            return self._stopped(b"memory")
        except LuaFailure as error:
            return Failed(ErrorCode.BUG, f"the sandbox failed: {error}")
        self._waiting_bytes = waiting
        return self._READ[kind](self, *parts)

    def _called(self, raw_module: bytes, raw_function: bytes, packed: bytes) -> Step | None:
        module, function = raw_module.decode(), raw_function.decode(errors="replace")
        try:
            given = arguments_from_lua(packed)
            arguments = self._bindings.arguments(module, function, given)
            if module != LOKI.name:
                return Call(module, function, arguments)
            if function != "now":
                return step_of(function, arguments)
            self._stage(time.time())
        except InvalidArgument as error:
            self._stage_error(error.code, error.message, error.details)
        return None

    def _module(self, name: bytes) -> Step:
        return Require(name.decode(errors="replace"))

    def _flush(self) -> Step:
        return Flush()

    def _started(self, ticket: int, kind: bytes, *parts: bytes) -> Step | None:
        """A request of one function of `loki.all`."""
        step = self._READ[kind](self, *parts)
        if step is None:
            self._ticket = ticket
            return None
        return Started(ticket, step)

    def _waits(self) -> Step:
        return Waits()

    def _done(self, packed: bytes) -> Step:
        try:
            return Finished(as_declared(from_lua(packed), self._script.return_type))
        except ExecutionError as error:
            return _failed_by(error)

    def _unsendable(self, raw_type: bytes) -> Step:
        type_name = raw_type.decode()
        if self._script.return_type is not ValueType.ANY:
            return _failed_by(mismatch(self._script.return_type, type_name))
        return Failed(ErrorCode.SCRIPT_ERROR, f"result: a {type_name} cannot leave a script")

    def _stopped(self, why: bytes) -> Step:
        limits, declared_in = self._script.limits, self._script.declared_in
        if why == b"output":
            return Failed(
                ErrorCode.OUTPUT_BUDGET,
                f"the script printed more than {limits.max_output_kb} KiB; "
                f"{limit_place(declared_in, 'max_output_kb')} sets how much it may",
            )
        if self._sandbox.confined is not None:
            return Failed(
                ErrorCode.MEMORY_BUDGET,
                "the tools that call each other in this run need more memory than the first of "
                "them may use; its max_memory_mb sets how much that is",
            )
        return Failed(
            ErrorCode.MEMORY_BUDGET,
            f"the script needs more than {limits.max_memory_mb} MiB of memory"
            f"{self._too_much_at_once()}; "
            f"{limit_place(declared_in, 'max_memory_mb')} sets how much that is",
        )

    def _too_much_at_once(self) -> str:
        """Why there was not enough although most of it was free; "" where it was full.

        Lua collects all garbage before it refuses, and grows a stack by doubling it.
        """
        held = self.memory_bytes
        if held * 2 >= self._script.limits.max_memory_mb * 1024 * 1024:
            return ""
        return (
            f": it held {held // 1024} KiB and asked for too much at once, as a function that "
            "calls itself without end does"
        )

    def _invalid(self, raw: bytes) -> Step:
        message = raw.decode(errors="replace")
        place = self._sources.place_in(message)
        told = _explained(message, place, compile_hint(message, place.source, place.line))
        details = tuple(told.details.items())
        return Failed(ErrorCode.SCRIPT_INVALID, told.message, place.line, "", details)

    def _failed(self, raw: bytes, trace: bytes, code: bytes | None, details: bytes | None) -> Step:
        """An error that the script did not catch; `code` and `details` are a failed call's."""
        message, traceback = raw.decode(errors="replace"), trace.decode(errors="replace")
        place = self._sources.place_of(message, traceback)
        hint = run_hint(message, place.source, place.line, self._names)
        if code is None or details is None:
            told = _explained(message, place, hint)
            kept, extra = ErrorCode.SCRIPT_ERROR, told.details
        else:
            kept, extra = _of_call(ErrorCode(code.decode()), from_lua(details))
            if extra.get("code") == ErrorCode.SCRIPT_INVALID.value and "file" in extra:
                # A module that does not compile: the Library says where.
                line = int(extra.get("line", 0))
                return Failed(kept, message, line, traceback, tuple(extra.items()))
            if place.line and self._sources.place_in(message) != place:
                message = f"{place.file}:{place.line}: {message}"
            told = _explained(message, place, hint)
            extra = {**extra, **told.details}
        return Failed(kept, told.message, place.line, traceback, tuple(extra.items()))

    def _broken(self, message: bytes) -> Step:
        return Failed(ErrorCode.BUG, f"the sandbox failed: {message.decode(errors='replace')}")

    _READ: ClassVar[dict[bytes, Callable[..., Step | None]]] = {
        b"call": _called,
        b"module": _module,
        b"flush": _flush,
        b"started": _started,
        b"waits": _waits,
        b"done": _done,
        b"unsendable": _unsendable,
        b"stopped": _stopped,
        b"invalid": _invalid,
        b"failed": _failed,
        b"broken": _broken,
    }


def _parameters(script: Script) -> tuple[str, ...] | None:
    """None for ad-hoc source without a header, which gets whatever its sender gives."""
    if script.origin is Origin.ADHOC and script.return_type is ValueType.ANY:
        return None
    return tuple(parameter.name for parameter in script.parameters)


def _explained(message: str, place: Place, hint: str) -> Explained:
    return explained(message, hint, line_of(place.source, place.line), place.file)


def _of_call(code: ErrorCode, details: ScriptValue) -> tuple[ErrorCode, dict[str, str]]:
    """The run's code and details after a failed call that it did not catch."""
    told = details if isinstance(details, dict) else {}
    if code is not ErrorCode.SCRIPT_ERROR:
        told = {"code": code.value, **told}
    kept = code if code in KEPT_CODES else ErrorCode.SCRIPT_ERROR
    return kept, {key: str(value) for key, value in told.items()}


def _failed_by(error: ExecutionError) -> Failed:
    return Failed(error.code, error.message, details=tuple(error.details.items()))


def _number_or_text(text: str) -> ScriptValue:
    """A detail as scripts see it."""
    if text.removeprefix("-").isdecimal() and str(number := int(text[:20])) == text:
        return number if number in INT64 else text
    return text
