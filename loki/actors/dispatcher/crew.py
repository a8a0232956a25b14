"""The runners as processes: forked, known by their pids, and what each says of its walls."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from loki.actors.base.lifeline import kill
from loki.actors.base.shell import ParentRole
from loki.actors.dispatcher.runner_watch import RunnerWatch
from loki.actors.door.role import Context, Handler
from loki.actors.log.runner_log import RunnerLog
from loki.actors.runner import flight_recorder
from loki.actors.runner.runner import Runner
from loki.core.runner import wall
from loki.core.runner.pool import RUNNER_PREFIX
from loki.messages.dispatch import DispatcherConfig, RunnerConfig
from loki.messages.engine import ChunkCacheStatistics, EngineStarted, EngineStatus
from loki.messages.envelope import Message
from loki.messages.lifecycle import Boot, Ended, Ready

START_TIMEOUT_S = 10.0  # Of a runner, from its fork to its Ready.


class Crew:
    """All runners of the Dispatcher. Which there are to be, `loki.core.runner.pool` decides."""

    def __init__(
        self, parent: ParentRole, config: DispatcherConfig, *, failed: Callable[[str], None]
    ) -> None:
        """`failed(name)` is told of a runner that did not get ready in time, and was killed."""
        self._parent = parent
        self._shell = parent.shell
        self._run_dir = config.run_dir
        self._failed = failed
        self.forked: dict[str, int] = {}  # Runner -> pid, from its fork on.
        self._pids: dict[str, int] = {}  # The same, from its Ready on.
        self._engines: dict[str, EngineStarted] = {}  # Runner -> what it said of itself.
        self._watch = RunnerWatch(parent.shell, self._pids, config.heartbeat_s)
        self._log = RunnerLog(parent.shell, self.forked.get)
        runner_config = RunnerConfig(
            modules=config.modules,
            disabled=config.disabled,
            script_cache_size=config.script_cache_size,
            walled=True,
            ceiling=config.ceiling,
        )
        self._runner_config = msgspec.Raw(msgspec.msgpack.encode(runner_config))

    def handlers(self) -> Mapping[type[Message], Handler]:
        own: dict[type[Message], Handler] = {
            EngineStarted: self._engine_started,
            Ended: self._said_why,
        }
        return {**own, **self._log.handlers()}

    def begin(self) -> None:
        """From now on, those that hang are killed.

        An earlier Dispatcher that was killed took its runners along, and nobody cleared up.
        """
        for lane in Path(self._run_dir).glob(f"{RUNNER_PREFIX}*.lane"):
            lane.unlink(missing_ok=True)
        self._watch.begin()

    def start(self, name: str) -> None:
        flight_recorder.recorder_for(name)
        boot = Boot(
            name=name,
            parent=self._shell.name,
            role=f"{Runner.__module__}:{Runner.__name__}",
            incarnation=1,
            run_dir=self._run_dir,
            config=self._runner_config,
        )
        self.forked[name] = self._parent.family.spawn(boot)
        patience_s = START_TIMEOUT_S if self.forked[name] else 0.0
        self._shell.later(patience_s, lambda: self._started_in_time(name))

    def _started_in_time(self, name: str) -> None:
        """A runner that failed to fork, or hangs before it is ready, makes room for another."""
        if name in self.forked and name not in self._pids:
            kill(self.forked[name])
            self._failed(name)

    def ready(self, ready: Ready, context: Context) -> bool:
        """Whether this word is of one of ours; from now on that runner has its pid."""
        if self.forked.get(ready.name) != context.peer_pid:
            return False
        self._pids[ready.name] = context.peer_pid
        return True

    def pid_of(self, name: str) -> int:
        """Of a runner that is ready; 0 of any other."""
        return self._pids.get(name, 0)

    def forget(self, name: str) -> None:
        """It has ended, and its page has been read."""
        self._pids.pop(name, None)
        self._log.ended(name, self.forked.pop(name, 0))
        self._engines.pop(name, None)
        flight_recorder.discard(name)

    def _engine_started(self, message: EngineStarted, context: Context) -> None:
        """Only its first word counts: it was said before any script could speak for it."""
        if self._pids.get(context.peer) == context.peer_pid:
            self._engines.setdefault(context.peer, message)

    def engines(self, cache: ChunkCacheStatistics) -> tuple[EngineStatus, ...]:
        """What runs scripts here; `cache` is of their compiled ones."""
        return wall.engines(self._engines.values(), cache)

    def _said_why(self, message: Ended, _context: Context) -> None:
        if message.reason != "shutdown":
            self._shell.log.error("%s ended: %s", message.name, message.reason)
