"""What a run hands out: its output, the chunks of a stream in order, and its end."""

import logging
import time
from collections.abc import Callable

import msgspec

from loki.actors.door.role import Shell
from loki.core.allowance import Allowance
from loki.core.history import remembered
from loki.core.run import engine, execution
from loki.errors import ResourceLimitExceeded
from loki.messages.envelope import Message
from loki.messages.execution import (
    OutputWritten,
    ProgressMade,
    RunEnded,
    RunFinished,
    StartRun,
    ValueEmitted,
)
from loki.messages.value import NIL, pack

DISPATCHER = "dispatcher"
WINDOW = 16  # Chunks that may be on their way to the client.
LOGGED_AT_ONCE, LOGGED_PER_S = 100, 20  # Lines of one run: logs outlive their scripts.
LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class Outlet:
    """A client that reads slowly slows its script; it does not fill memory."""

    def __init__(self, start: StartRun, shell: Shell, shown: Callable[[], None]) -> None:
        """`shown` is called before the first chunk leaves."""
        self.written_bytes = 0
        self.truncated = False
        self._run = start.run
        self._gateway = start.gateway
        self._streams = start.stream
        self._left_bytes = start.limits.max_output_kb * 1024 or None  # None is no limit.
        self._shell = shell
        self._shown = shown
        self._log_allowance = Allowance(LOGGED_AT_ONCE, LOGGED_PER_S, time.monotonic())
        self._log_overflows = False
        self._kept: list[str] = []
        self._sequence = 0
        self._taken = 0
        self._held: list[Callable[[], None]] = []  # What goes on when the client has read.

    @property
    def kept(self) -> str:
        """Output that no chunk carried."""
        return "".join(self._kept)

    def write(self, text: str) -> int:
        """Hand out what was printed, as far as the limit allows. Gives the bytes of that."""
        size = len(text.encode())
        if self._left_bytes is not None and size > self._left_bytes:
            text = text.encode()[: self._left_bytes].decode(errors="ignore")
            size, self.truncated = self._left_bytes, True
        if self._left_bytes is not None:
            self._left_bytes -= size
        self.written_bytes += size
        if not self._streams:
            self._kept.append(text)
        elif text:
            self.chunk(lambda n: OutputWritten(run=self._run, sequence=n, text=text))
        return size

    def show(self, script: str, step: engine.Step) -> None:
        """What a script lets people know."""
        run = self._run
        match step:
            case engine.Emit(value):
                packed = pack(value)
                self.chunk(lambda n: ValueEmitted(run=run, sequence=n, value=packed))
            case engine.Progress(fraction, text):
                self.chunk(
                    lambda n: ProgressMade(run=run, sequence=n, fraction=fraction, text=text)
                )
            case engine.Log(level, text):
                self._log(LEVELS[level], script, text)

    def _log(self, level: int, script: str, text: str) -> None:
        """Of lines beyond the allowance only the first shows, as one that says so."""
        log, run, about = self._shell.log, self._run, {"execution": self._run}
        if self._log_allowance.take(time.monotonic()):
            log.log(level, "%s run=%s %s", script, run, text, extra=about)
            return
        if not self._log_overflows:
            many = f"more than {LOGGED_PER_S} lines a second; what is beyond is left out"
            log.warning("%s run=%s logs %s", script, run, many, extra=about)
        self._log_overflows = True

    def chunk(self, message: Callable[[int], Message]) -> None:
        """Send the message of the next number, if this is a stream that somebody reads."""
        if self._streams:
            if not self._sequence:
                self._shown()
            self._sequence += 1
            self._shell.send(self._gateway, message(self._sequence), run=self._run)

    def when_read(self, action: Callable[[], None]) -> None:
        """Do it soon, or when the client has read enough of what it got."""
        if self._open():
            self._shell.later(0, action)
        else:
            self._held.append(action)

    def _open(self) -> bool:
        return not self._streams or self._sequence - self._taken < WINDOW

    def taken(self, sequence: int) -> None:
        """The client has everything up to that one."""
        self._taken = max(self._taken, sequence)
        if self._open():
            self._release()

    def desert(self) -> None:
        """Nobody takes chunks any more; there is nobody to wait for."""
        self._streams = False
        self._release()

    def end(self, finished: RunFinished, *, dying: bool = False) -> None:
        """Tell the gateway first, then the Dispatcher, which is told whether we end too.

        What both get is packed once.
        """
        end, complete = remembered.packed(finished)
        packed = msgspec.Raw(end)
        try:
            self._shell.send(self._gateway, packed if complete else finished, run=self._run)
        except ResourceLimitExceeded as error:
            if finished.value == NIL and not finished.output:
                raise  # Nothing can be left out.
            self.end(execution.without_result(finished, error), dying=dying)
            return
        ended = RunEnded(
            run=self._run,
            cause=finished.cause,
            end=packed,
            complete=complete,
            dying=dying,
        )
        self._shell.send(DISPATCHER, ended, run=self._run)

    def _release(self) -> None:
        held, self._held = self._held, []
        for action in held:
            action()
