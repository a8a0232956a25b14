"""How a runner's records reach the log, which it cannot write: the Dispatcher writes them.

Theory of operation. A walled runner has no path to the log's file, and its stderr is shut: else a
script that broke out of Lua could fill the disk with it, or write lines that look like another's.
So its records go as messages to the Dispatcher. That knows the runner by the kernel's word, puts
its name and pid there itself, and takes only so many records a second from each.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeAlias

from loki.actors.base import transport
from loki.actors.door.role import Context, Handler, Shell
from loki.actors.log.log_file import text_of
from loki.core.allowance import Allowance
from loki.core.log_record import MOST_TEXT_CHARACTERS
from loki.errors import LokiError
from loki.messages.envelope import Message
from loki.messages.log import RunnerLogged

REMEMBERED_DEATHS = 64
AT_ONCE, PER_S = 200, 50  # Records of one runner; a run has an allowance of its own within.

Runner: TypeAlias = tuple[str, int]
"""Name and pid."""


class Relay(logging.Handler):
    """The runner's side: the only handler it has from now on."""

    def __init__(self, shell: Shell, to: str) -> None:
        super().__init__()
        self._shell = shell
        self._to = to
        self._relaying = False

    def emit(self, record: logging.LogRecord) -> None:
        """What a failing send logs is not sent: that would not end."""
        if self._relaying:
            return
        self._relaying = True
        try:
            self._shell.send(self._to, message_of(record))
        except LokiError:
            return  # The Dispatcher reads nothing any more, and is about to be replaced.
        finally:
            self._relaying = False


def message_of(record: logging.LogRecord) -> RunnerLogged:
    text = text_of(record).encode("utf-8", "backslashreplace").decode()
    return RunnerLogged(
        level=record.levelno,
        text=text[:MOST_TEXT_CHARACTERS],
        execution=str(getattr(record, "execution", "")),
        incident=str(getattr(record, "incident", "")),
    )


def relay_records(shell: Shell, to: str) -> None:
    """From now on all records of this process go to that peer, and nowhere else."""
    transport.log_only_to(Relay(shell, to))


class RunnerLog:
    """The Dispatcher's side."""

    def __init__(self, shell: Shell, pid_of: Callable[[str], int | None]) -> None:
        """`pid_of` knows the runners by name."""
        self._shell = shell
        self._pid_of = pid_of
        self._allowances: dict[Runner, Allowance] = {}
        self._overflowed: set[Runner] = set()
        self._dead: deque[Runner] = deque()

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {RunnerLogged: self._logged}

    def _logged(self, message: RunnerLogged, context: Context) -> None:
        runner = context.peer, context.peer_pid
        if self._pid_of(context.peer) != context.peer_pid and runner not in self._dead:
            return
        if self._allowance(runner).take(self._shell.clock.monotonic_s()):
            self._overflowed.discard(runner)
            self._log(message.level, message.text, context, message)
        elif runner not in self._overflowed:
            self._overflowed.add(runner)
            many = f"more than {PER_S} lines a second; what is beyond is left out"
            self._log(logging.WARNING, many, context, message)

    def _allowance(self, runner: Runner) -> Allowance:
        return self._allowances.setdefault(
            runner, Allowance(AT_ONCE, PER_S, self._shell.clock.monotonic_s())
        )

    def ended(self, name: str, pid: int) -> None:
        """Its last words may still be on their way: of a bug, they are the ones that count."""
        self._dead.append((name, pid))
        if len(self._dead) > REMEMBERED_DEATHS:
            forgotten = self._dead.popleft()
            self._allowances.pop(forgotten, None)
            self._overflowed.discard(forgotten)

    @staticmethod
    def _log(level: int, text: str, context: Context, message: RunnerLogged) -> None:
        extra = {
            "actor": context.peer,
            "actor_pid": context.peer_pid,
            "execution": message.execution,
            "trace": context.trace,
            "incident": message.incident,
        }
        logging.getLogger(f"loki.{context.peer}").log(level, "%s", text, extra=extra)
