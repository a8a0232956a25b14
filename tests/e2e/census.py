"""What a Loki holds of its machine: processes, zombies, descriptors, memory, sockets."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from loki.actors.door.peer import parent_of
from loki.actors.door.run_directory import RunDirectory
from loki.testing import LokiServer

PARTS = ("hel", "fenrir", "jormungandr", "library", "dispatcher", "gateway")
COMM_BYTES = 15  # Source: proc(5), /proc/pid/comm.


def name_of(pid: int) -> str:
    """Of an actor, such as "hel"; "" for what is gone or is no actor."""
    with suppress(OSError):
        comm = Path(f"/proc/{pid}/comm").read_text().strip()
        if comm.startswith("loki:"):
            return full_name(comm.removeprefix("loki:"))
    return ""


def full_name(short: str) -> str:
    """The kernel cuts names."""
    cut = COMM_BYTES - len("loki:")
    return next((part for part in PARTS if part[:cut] == short), short)


def pids_of(server: LokiServer, target: str) -> list[int]:
    """Its live processes, the youngest last; "runner" is every runner."""
    named = {pid: own_name_of(pid) for pid in server.pids()}
    return sorted(p for p, name in named.items() if target in (name, name.partition("-")[0]))


def pid_of(server: LokiServer, part: str) -> int:
    """Of the one process of that part."""
    (pid,) = pids_of(server, part)
    return pid


def own_name_of(pid: int) -> str:
    """Empty for one that was forked just now, and is still called like its parent."""
    name = name_of(pid)
    return "" if name == name_of(parent_of(pid)) else name


def send(pid: int, target: str, sent: signal.Signals) -> bool:
    """A signal to that very process; False when it is gone, or is no longer what it was."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if target not in (name := own_name_of(pid), name.partition("-")[0]):
            return False
        signal.pidfd_send_signal(pidfd, sent)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


def below(ancestor: int) -> dict[int, tuple[str, int]]:
    """pid -> (state, parent) of every process below one, zombies too. Source: proc(5), stat."""
    known: dict[int, tuple[str, int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_bytes().rpartition(b")")[2].split()[:2]
            known[int(stat.parent.name)] = state.decode(), int(parent)
    found: dict[int, tuple[str, int]] = {}
    frontier = {ancestor}
    while frontier:
        frontier = {pid for pid, (_, parent) in known.items() if parent in frontier} - found.keys()
        found |= {pid: known[pid] for pid in frontier}
    return found


def zombies(ancestor: int) -> set[int]:
    """Processes below one that nobody has waited for."""
    return {pid for pid, (state, _) in below(ancestor).items() if state == "Z"}


def reap_orphans() -> None:
    """Those whose parents died before them, and which are left to us as the subreaper."""
    for pid, (state, parent) in below(os.getpid()).items():
        if state == "Z" and parent == os.getpid() and name_of(pid):
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def pss_kib(pid: int) -> int:
    """Its share of memory. Source: proc(5), /proc/pid/smaps_rollup."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))


def stale_sockets(server: LokiServer) -> set[str]:
    """Sockets where no living actor of this Loki listens."""
    folder = server.state_dir / "run"
    directory = RunDirectory(folder)
    alive = server.pids()
    lanes = {path.stem for path in folder.glob("*.lane")}
    try:
        return {lane for lane in lanes if directory.listener_pid(lane) not in alive}
    finally:
        directory.close()
