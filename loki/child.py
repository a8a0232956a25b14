"""The whole surface a child may use: its declaration, its runs, and what they may do."""

from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import IO, Any, ClassVar, Protocol, TypeAlias

from loki.actors.door.promise import keep
from loki.actors.door.role import Answer, Context, Handler, Role, Shell, Timer
from loki.clock import Clock
from loki.core.run.manifest import limit_place, place_of
from loki.errors import ErrorCode, LokiError, PermissionRefused, ServiceUnavailable
from loki.messages.backup import BackupContents, BackupCounts
from loki.messages.envelope import Failure, Message
from loki.messages.execution import DescribeRun, RunClosed, RunOpened
from loki.messages.finding import Finding, Need
from loki.messages.lua_module import (
    LuaFunction,
    LuaModule,
    LuaParameter,
    LuaType,
    PermissionKey,
    PermissionShape,
)

__all__ = [
    "BackupContents",
    "BackupCounts",
    "Child",
    "ChildRole",
    "Clock",
    "Examine",
    "Finding",
    "LuaFunction",
    "LuaModule",
    "LuaParameter",
    "LuaType",
    "Need",
    "PermissionKey",
    "PermissionShape",
    "Restore",
    "Run",
    "RunHandler",
    "ServiceHandler",
    "Shell",
    "Tell",
    "Timer",
    "run_over",
]

DESCRIBE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Child:
    """A service behind Lua functions, declared as data. Its package exports one as `CHILD`."""

    module: LuaModule
    role: str  # "package.module:Class", imported only in the child's own process.
    config: str  # "package.module:Model", a pydantic model of its section of the settings.
    vital: bool = False
    """Whether Loki is of no use without it. Else, where it keeps failing, the rest runs on."""
    keeps: bool = False
    """Whether it keeps what Loki itself must not forget; one child at most does."""
    restore: str = ""
    """Of one that keeps: "package.module:function", a `Restore` for when no Loki runs."""
    doctor: str = ""
    """Of one with data: "package.module:function", an `Examine` of them."""
    missed_heartbeats: int = 3
    """So many heartbeats in a row without an answer, and it counts as hung; 0 never does."""

    @property
    def name(self) -> str:
        return self.module.name


Tell: TypeAlias = Callable[[str], None]
"""Is told how far long work is, for people."""


class Examine(Protocol):
    """Says how a child's data fares, whether it runs or not, and changes nothing."""

    def __call__(self, config: bytes, deep: bool, tell: Tell, /) -> tuple[Finding, ...]:
        """`config` is what its process would get. Raises: OSError for what it may not read."""


class Restore(Protocol):
    """Lets a backup take the place of what a child keeps, while that does not run."""

    def __call__(
        self,
        config: bytes,
        archive: IO[bytes],
        agreed: Callable[[BackupContents], None],
        clock: Clock,
        /,
    ) -> str:
        """Where the old data is now, beneath the state directory.

        `config` is what its process would get; `agreed` is told of a sound archive, and raises
        where nothing is to be changed. Raises: LokiError; nothing was changed then.
        """


@dataclass(frozen=True, slots=True)
class Run:
    """One run that a child serves, as the Dispatcher vouches for it."""

    id: str
    script: str
    principal: str
    runner_pid: int
    declared_in: str
    permissions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dispatcher_pid: int = 0
    max_disk_mb: int = 0  # MiB that it may keep; 0 is no limit of its own.

    def allowed(self, key: str) -> tuple[str, ...]:
        """What the manifest says under `key`; empty when it says nothing."""
        return self.permissions.get(key, ())

    def require(self, key: str, wanted: str, toml: str) -> None:
        """Let pass what a pattern under `key` matches.

        Raises: PermissionRefused that shows `toml`, the line that would allow it.
        """
        if not any(fnmatchcase(wanted, pattern) for pattern in self.allowed(key)):
            raise self.refusal(key, wanted, toml)

    def refusal(self, key: str, wanted: str, toml: str) -> PermissionRefused:
        where = place_of(self.script, self.declared_in)
        return PermissionRefused(
            f"'{self.script}' may not use {wanted}; to allow it, put this under {where}: {toml}",
            details={"permission": key, "wanted": wanted, "allow_with": toml},
        )

    def place_of_limit(self, limit: str) -> str:
        """Where people set one of its limits, for messages."""
        return limit_place(self.declared_in, limit)


ServiceHandler: TypeAlias = "Callable[[Any], Message | Future[Any] | Coroutine[Any, Any, Message]]"
RunHandler: TypeAlias = Callable[[Any, Run], "Message | Future[Any] | Coroutine[Any, Any, Message]"]


def run_over() -> LokiError:
    """For a call whose run has ended.

    Its script hears this only where the Dispatcher died, an instant before its runner does too; so
    the caller is told to try again, not that the script failed.
    """
    return ServiceUnavailable(
        "the run is over, for its dispatcher died", details={"child": "dispatcher"}
    )


class ChildRole(Role):
    """Serves calls of runs: each only over the lane of the runner that the run was given to."""

    dispatcher: ClassVar[str] = "dispatcher"

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self._runs: dict[str, Run] = {}
        self._parked: dict[str, list[tuple[Message, Context, Future[Any]]]] = {}

    def calls(self) -> Mapping[type[Message], RunHandler]:
        """Request type -> handler of one Lua function's calls."""
        return {}

    def services(self) -> Mapping[type[Message], ServiceHandler]:
        """Request type -> handler of what Loki's own parts ask, and no script."""
        return {}

    def release(self, run: Run) -> None:
        """The run is over: give back what it holds, before a later run asks for it."""

    def when_over(self, holder: str, run: Run, then: Callable[[], Answer]) -> Future[Any]:
        """What `then` answers `run` once it is settled whether the run `holder` still runs.

        For what is taken: the Dispatcher may know already that its holder is no more, while its
        word has yet to be read here. Then the holder is released first.
        """
        answer: Future[Any] = Future()

        def settled(reply: RunOpened | Failure) -> None:
            if isinstance(reply, Failure) and reply.code is ErrorCode.EXECUTION_NOT_FOUND:
                self._end(holder)
            keep(answer, lambda: self._still(run, then))

        self.shell.request(
            self.dispatcher,
            DescribeRun(run=holder, holds=True),
            settled,
            timeout_s=DESCRIBE_TIMEOUT_S,
        )
        return answer

    def _still(self, run: Run, then: Callable[[], Answer]) -> Answer:
        """Nobody would ever take back what a run gets that has ended meanwhile."""
        if self._runs.get(run.id) is not run:
            raise run_over()
        return then()

    def lost(self, peer: str, pid: int) -> None:
        """Runs end with their Dispatcher; no other one can tell us so."""
        if peer == self.dispatcher:
            for run in [run for run in self._runs.values() if run.dispatcher_pid == pid]:
                self._end(run.id)

    def handlers(self) -> Mapping[type[Message], Handler]:
        served: dict[type[Message], Handler] = {
            request: self._guarded(handler) for request, handler in self.calls().items()
        }
        owned = {request: _for_kin(handler) for request, handler in self.services().items()}
        return served | owned | {RunOpened: self._opened, RunClosed: self._closed}

    def _guarded(self, handler: RunHandler) -> Handler:
        def guarded(request: Message, context: Context) -> Answer:
            run = self._runs.get(context.run)
            if run is None or run.runner_pid != context.peer_pid:
                return self._park(request, context)
            return handler(request, run)

        return guarded

    def _park(self, request: Message, context: Context) -> Future[Any]:
        """Ask the Dispatcher about an unknown run; the call waits for the answer.

        So does that of another process than we know: where the first one died, the run was given to
        a second one, whose call may be here before the Dispatcher's word.
        """
        answer: Future[Any] = Future()
        waiting = self._parked.setdefault(context.run, [])
        waiting.append((request, context, answer))
        if len(waiting) == 1:
            self.shell.request(
                self.dispatcher,
                DescribeRun(run=context.run),
                lambda reply: self._described(context.run, reply),
                timeout_s=DESCRIBE_TIMEOUT_S,
            )
        return answer

    def _described(self, run_id: str, reply: RunOpened | Failure) -> None:
        parked = self._parked.pop(run_id, [])
        if isinstance(reply, RunOpened):
            self._remember(reply)
        else:
            for _, _, answer in parked:
                answer.set_exception(reply.error())
            return
        for request, context, answer in parked:
            self._serve_parked(request, context, answer)

    def _serve_parked(self, request: Message, context: Context, answer: Future[Any]) -> None:
        """A parked call is answered through its future, whatever form its handler's answer has."""
        keep(answer, lambda: self._described_call(request, context))

    def _described_call(self, request: Message, context: Context) -> Answer:
        run = self._runs[context.run]
        if run.runner_pid != context.peer_pid:
            raise PermissionRefused(f"run {run.id} belongs to another process")
        return self.calls()[type(request)](request, run)

    def _opened(self, opened: RunOpened, context: Context) -> None:
        if not context.kin:
            raise PermissionRefused("only the Dispatcher opens runs", code=ErrorCode.ROLE)
        self._remember(opened)

    def _remember(self, opened: RunOpened) -> None:
        self._runs[opened.run] = Run(
            id=opened.run,
            script=opened.script,
            principal=opened.principal,
            runner_pid=opened.runner_pid,
            declared_in=opened.declared_in,
            permissions=opened.permissions,
            dispatcher_pid=opened.dispatcher_pid,
            max_disk_mb=opened.max_disk_mb,
        )

    def _closed(self, closed: RunClosed, context: Context) -> None:
        if not context.kin:
            raise PermissionRefused("only the Dispatcher closes runs", code=ErrorCode.ROLE)
        self._end(closed.run)

    def _end(self, run_id: str) -> None:
        run = self._runs.pop(run_id, None)
        if run is not None:
            self.release(run)


def _for_kin(handler: ServiceHandler) -> Handler:
    """A runner may not ask for what belongs to everybody, whatever runs in it."""

    def guarded(request: Message, context: Context) -> Answer:
        if not context.kin:
            raise PermissionRefused("only Loki's own parts may ask this", code=ErrorCode.ROLE)
        return handler(request)

    return guarded
