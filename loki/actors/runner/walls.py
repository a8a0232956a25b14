"""What a runner gives up, for good, before it says that it is ready for strangers' scripts.

Theory of operation. A script is held by its Lua state; these walls stand behind it, should it ever
break out into the process. Some bind one thread and those it starts later, so they are raised while
there is one thread only; the others bind the process, and must not keep the watchdog's thread from
starting. No wall depends on another. One that this kernel lacks, or that this user may not raise,
is told as missing and is no error. What stays: memory, time, own lanes, and connecting new ones.
"""

import ctypes
import os
import resource
import stat
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from loki.actors.base import lifeline, transport
from loki.actors.base.selector import LOOP
from loki.actors.door.door import Door
from loki.actors.door.lane import Exchange
from loki.actors.door.role import Shell
from loki.actors.runner import kernel
from loki.core.runner import rlimit
from loki.messages.dispatch import RunnerConfig
from loki.messages.engine import Wall

Raise: TypeAlias = Callable[[], str]
"""Raises one wall and says what it keeps out. Raises: OSError where it cannot stand."""

STDIN, STDOUT, STDERR = 0, 1, 2
KEPT_VARIABLES = ("TZ",)  # No secret; without it local time would change.


@contextmanager
def around(shell: Shell, settings: RunnerConfig) -> Iterator[list[Wall]]:
    """Raise all; in the block the process starts its last threads.

    What the list tells of each is complete behind the block.
    """
    raised: list[Wall] = []
    if not settings.walled or not isinstance(shell, Door):
        yield raised
        return
    data_bytes = rlimit.data_bytes(private_bytes(), settings.ceiling.max_memory_mb)
    load_what_loads_late()
    raised += map(raise_wall, binding_the_thread(shell.exchange).items())
    yield raised
    raised += map(raise_wall, binding_the_process(data_bytes).items())


def binding_the_thread(exchange: Exchange) -> dict[str, Raise]:
    """This thread, and those that it starts. In this order."""
    return {
        "secrets": forget_secrets,
        "descriptors": lambda: close_inherited(exchange.descriptors()),
        "root directory": lambda: change_root(exchange),
        "capabilities": drop_capabilities,
        "privileges": refuse_privileges,
        "landlock": landlock,
    }


def binding_the_process(data_bytes: int) -> dict[str, Raise]:
    """Whatever its threads; afterwards it can start no more. In this order."""
    return {
        "limits": lambda: limit_resources(data_bytes),
        "system calls": filter_system_calls,
    }


def raise_wall(named: tuple[str, Raise]) -> Wall:
    name, raise_it = named
    try:
        return Wall(name=name, active=True, detail=raise_it())
    except OSError as error:
        return Wall(name=name, active=False, detail=error.strerror or str(error))


def shut_stderr() -> None:
    """Whoever reads it takes each line for one of Loki's own: there is another way for records."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(nothing, STDERR)
    os.close(nothing)


def private_bytes() -> int:
    """Private writable memory of this process. Source: proc(5), VmData in /proc/pid/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData"))


def load_what_loads_late() -> None:
    """What Python reads from disk at its first use, and a bug's traceback needs."""
    time.localtime()
    try:
        raise LookupError
    except LookupError:
        traceback.format_exc()


def forget_secrets() -> str:
    """The environment, also where the kernel put it at the start; and the actors' key."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    os.environ.clear()
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    start, end = int(fields[47]), int(fields[48])  # Source: proc(5), fields 50 and 51.
    if start:
        ctypes.memset(start, 0, end - start)
    os.environ.update(kept)
    transport.forget_key()
    return "environment emptied, actors' key forgotten"


def close_inherited(lanes: set[int]) -> str:
    """Everything that is open but our own sockets; nothing to read. A stderr stays, if one is."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(nothing, STDIN)
    os.dup2(nothing, STDOUT)
    own = lanes | lifeline.descriptors() | set(LOOP.readers) | set(LOOP.writers)
    kept = own | set(LOOP.thespian) | {STDIN, STDOUT, STDERR}
    inherited = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd not in kept]
    for descriptor in inherited:
        try:
            os.close(descriptor)
        except OSError:
            continue  # The one that listed them.
    return f"{len(kept)} left: lanes, lifeline"


def change_root(exchange: Exchange) -> str:
    """With root's rights, else in a user namespace, where every user has them."""
    try:
        exchange.directory.shut_in()
    except PermissionError:
        kernel.enter_user_namespace()
        exchange.directory.shut_in()
    return "only the lanes' directory"


def drop_capabilities() -> str:
    kernel.drop_capabilities()
    return "none left"


def refuse_privileges() -> str:
    kernel.refuse_new_privileges()
    return "no program gets more"


def landlock() -> str:
    version = kernel.landlock()
    also = [
        name for since, name in ((4, "TCP"), (6, "abstract sockets, signals")) if version >= since
    ]
    return f"no {', '.join(('files', *also))} (ABI {version})"


def limit_resources(data_bytes: int) -> str:
    """Root is exempt from the limit of processes; the filter of system calls is not."""
    limits = {
        resource.RLIMIT_DATA: data_bytes,
        resource.RLIMIT_NOFILE: rlimit.DESCRIPTORS,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    to_file = stat.S_ISREG(os.fstat(STDERR).st_mode)
    if not to_file:
        limits[resource.RLIMIT_FSIZE] = 0
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (value, value))
    files = "stderr is the only file" if to_file else "0 bytes of file"
    return f"{data_bytes // rlimit.MIB} MiB, {rlimit.DESCRIPTORS} descriptors, 0 processes, {files}"


def filter_system_calls() -> str:
    return f"{kernel.filter_system_calls()} allowed"
