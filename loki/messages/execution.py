"""Gateway, Dispatcher, Runner and children about one run."""

from enum import Enum

import msgspec

from loki.messages.envelope import Done, Failure, Message, Request
from loki.messages.script import Limits, Permissions, Script
from loki.messages.value import NIL, Packed


class Cause(Enum):
    """Why a run ended."""

    FINISHED = "finished"
    SCRIPT_ERROR = "script_error"
    TIME = "time"
    CPU = "cpu"
    MEMORY = "memory"
    OUTPUT = "output"
    DISK = "disk"
    CANCELLED = "cancelled"
    CRASHED = "crashed"
    KILLED = "killed"
    REFUSED = "refused"  # It never started.
    INTERRUPTED = "interrupted"  # Its dispatcher died: nobody saw its end.


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a run used, beside what it was allowed."""

    wall_ms: float = 0.0
    cpu_ms: float = 0.0
    peak_memory_bytes: int = 0
    api_calls: int = 0
    queue_ms: float = 0.0
    overshoot_ms: float = 0.0  # Past the CPU budget where that ended it, else the wall budget.
    budgets: Limits = Limits()
    warnings: tuple[str, ...] = ()  # Limits of which 80 % were used, in the order of reaching it.


class SubmitRun(Message):
    """Gateway -> Dispatcher: run this. Answered by exactly one RunFinished for `run`.

    The envelope's deadline is the client's; the script's own limit may be shorter.
    """

    run: str  # Chosen by the gateway, unguessable.
    principal: str
    script: str = ""  # Name of a known script, or "" where `adhoc` is given.
    revision: str = ""  # "" is the newest.
    former: bool = False  # Whether a revision that was replaced a moment ago will do.
    adhoc: Script | None = None
    declared: bool = False  # Whether the Library read parameters and limits of `adhoc`.
    arguments: dict[str, Packed] = {}
    stream: bool = False


class CancelRun(Request[Done]):
    """Gateway -> Dispatcher -> Runner: end this run now; its RunFinished says CANCELLED."""

    run: str


class CompiledScript(msgspec.Struct, frozen=True, kw_only=True):
    """A script as runners keep it."""

    script: Script
    bytecode: bytes = b""  # Made by the Library; without it the runner compiles the source.


class StartRun(Message):
    """Dispatcher -> Runner."""

    run: str
    revision: str  # "" for a script that is not kept.
    script: msgspec.Raw  # A packed CompiledScript; null where the runner holds this revision.
    arguments: dict[str, Packed]  # Validated, defaults filled in.
    limits: Limits
    budget_s: float  # Wall time left of the budget or of the client's deadline.
    deadline_is_clients: bool
    queue_ms: float
    stream: bool
    gateway: str  # Who gets output and result.


class RunFinished(Message):
    """Runner or Dispatcher -> Gateway: the one end of a run. A second one changes nothing."""

    run: str
    script: str
    cause: Cause
    value: Packed = NIL
    failure: Failure | None = None  # Set whenever the cause is not FINISHED.
    output: str = ""  # Empty for a streamed run: its chunks carried it.
    output_truncated: bool = False
    usage: Usage = Usage()


class RunEnded(Message):
    """Runner -> Dispatcher: the run is over, and its gateway has been told.

    It carries what the gateway was told, for the history of executions.
    """

    run: str
    cause: Cause
    end: msgspec.Raw  # A packed RunFinished.
    complete: bool = True  # Whether that has the value and the output; long ones are left out.
    dying: bool = False  # The runner ends with it; else it is free for the next run.


class RunnerReady(Message):
    """Runner -> Dispatcher, first on its lane: I can take runs."""

    runner: str
    pid: int


class BudgetWarned(Message):
    """Runner -> Dispatcher: a run used 80 % of a budget, or more. Once for each limit and run.

    `used` and `allowed` are in the unit of the limit.
    """

    run: str
    limit: str  # Its name, such as "max_memory_mb".
    used: float
    allowed: float


class OutputWritten(Message):
    """Runner -> Gateway: the script printed."""

    run: str
    sequence: int
    text: str


class ProgressMade(Message):
    """Runner -> Gateway: the script called loki.progress. `fraction` is 0 to 1."""

    run: str
    sequence: int
    fraction: float
    text: str


class ValueEmitted(Message):
    """Runner -> Gateway: the script called loki.emit."""

    run: str
    sequence: int
    value: Packed


class ChunkTaken(Message):
    """Gateway -> Runner: the client has everything up to `sequence`. Opens the window again."""

    run: str
    sequence: int


class RunOpened(Message):
    """Dispatcher -> child: who runs what, where, and what it may do."""

    run: str
    script: str
    principal: str
    permissions: Permissions
    declared_in: str
    runner_pid: int
    dispatcher_pid: int  # Its runs end with it.
    max_disk_mb: int = 0  # MiB that it may keep; 0 is no limit of its own.


class DescribeRun(Request[RunOpened]):
    """Child -> Dispatcher: a call came for a run that you have not told me of.

    Or for what such a run holds: then see first whether news of its end have come.
    """

    run: str
    holds: bool = False


class RunOver(Message):
    """Runner -> Dispatcher, before its result leaves: what the run holds can be let go of.

    Sent by runs that called others only. Whoever has the result may ask for the same things.
    """

    run: str


class RunClosed(Message):
    """Dispatcher -> child: release what the run held before you serve a later one."""

    run: str
