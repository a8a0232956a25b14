"""Starts and stops a whole Loki for tests: `with LokiServer(tools=TEXT) as server: ...`."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

from loki.errors import ServiceUnavailable

if TYPE_CHECKING:
    from loki.client import LokiClient

START_TIMEOUT_S = 60.0  # On a machine that is busy with other tests.
STOP_TIMEOUT_S = 30.0
DEATH_TIMEOUT_S = 2.0  # Nothing of Loki outlives its starter by more.


class LokiServer:
    """One `loki serve` on a free port with a state directory of its own.

    Leaving the `with` block stops it and leaves no process behind, also when the body raised. When
    this process is killed, the server stops too.
    """

    def __init__(
        self,
        *,
        config: str | Path = "",
        tools: str | Path | None = None,
        state_dir: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`config` and `tools` are a file, or the text of one in a new folder; None leaves the
        tool file to the settings. Without `state_dir` the state is gone after the stop. Of this
        process's environment the server gets all but LOKI_*, then `environment`.
        """
        self._temporary = tempfile.TemporaryDirectory(prefix="loki-")
        self.folder = Path(self._temporary.name)
        self.state_dir = state_dir or self.folder / "state"
        self.address = ""
        self.http = ""  # Where HTTP is served, if the settings switch it on.
        self.tools: tuple[str, ...] = ()
        self._config = self._file("loki.toml", config)
        self._tools = None if tools is None else self._file("tools.toml", tools)
        self._environment = environment or {}
        self._log_path = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._mourner: subprocess.Popen[bytes] | None = None  # Ends the server when we are gone.
        self._watched: dict[int, int] = {}  # pid -> pidfd

    def _file(self, name: str, content: str | Path) -> Path:
        if isinstance(content, Path):
            return content.absolute()
        path = self.folder / name
        path.write_text(content)
        return path

    @property
    def pid(self) -> int:
        """Of the process that was started; the others end with it."""
        return self._started().pid

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the server is not started")
        return self._process

    @property
    def log(self) -> str:
        """All that the server wrote to stderr so far."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def pids(self) -> frozenset[int]:
        """Every process of this Loki that is alive now."""
        self._watch()
        return frozenset(pid for pid, pidfd in self._watched.items() if not _readable(pidfd, 0.0))

    def client(self) -> "LokiClient":
        """A new connection that tells each answer as it came, for the caller to close."""
        from loki.client import LokiClient

        return LokiClient(self.address, patience_s=0)

    def start(self) -> None:
        """Raises: ServiceUnavailable with the log, if it does not serve in time."""
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._command(),
                cwd=self.folder,
                env=self._complete_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a test run is ours to pass on.
            )
        try:
            self._mourner = subprocess.Popen(  # noqa: S603
                ["/bin/sh", "-c", 'read -r _; kill "$0"', str(self.pid)],
                stdin=subprocess.PIPE,  # Its other end is ours, and closed by our death.
                start_new_session=True,
            )
            ready = json.loads(self._first_line())
            self.address, self.tools = ready["address"], tuple(ready["tools"])
            self.http = ready.get("http", "")
            self._watch()
        except BaseException:
            self._end()
            raise

    def _command(self) -> list[str]:
        tools = [] if self._tools is None else ["--tools", str(self._tools)]
        config = ["--config", str(self._config)]
        return [sys.executable, "-m", "loki", "serve", "--json", *config, *tools]

    def _complete_environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("LOKI_")}
        own = {"LOKI_STATE_DIR": str(self.state_dir), "LOKI_GRPC_PORT": "0"}
        return inherited | own | dict(self._environment)

    def _first_line(self) -> bytes:
        process, stdout = self._started(), self._stdout().fileno()
        line = b""
        end = time.monotonic() + START_TIMEOUT_S
        while not line.endswith(b"\n"):
            left_s = end - time.monotonic()
            if left_s <= 0 or not _readable(stdout, left_s):
                raise ServiceUnavailable(f"loki serve is not ready in time:\n{self.log}")
            read = os.read(stdout, 65536)
            if not read:
                code = process.wait(STOP_TIMEOUT_S)
                raise ServiceUnavailable(f"loki serve ended with {code}:\n{self.log}")
            line += read
        return line

    def _stdout(self) -> IO[bytes]:
        stdout = self._started().stdout
        assert stdout is not None  # noqa: S101  # It is a pipe.
        return stdout

    def stop(self) -> None:
        """SIGTERM, and wait for the end; does nothing when it is stopped already.

        Raises: AssertionError when it ended badly on our signal, or when a process was left,
        which is killed first.
        """
        if self._process is None:
            return
        process, asked = self._process, self._process.poll() is None
        try:
            self._watch()
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                asked = False  # It is among those that are left.
            left = self._survivors()
        finally:
            self._end()
        if left:
            raise AssertionError(f"processes outlived loki serve: {left}\n{self.log}")
        if asked and process.returncode != 0:
            raise AssertionError(f"loki serve stopped with {process.returncode}\n{self.log}")

    def _watch(self) -> None:
        """Hold on to every process there is; a pidfd means the same process for ever."""
        for pid in [pid for pid, pidfd in self._watched.items() if _readable(pidfd, 0.0)]:
            os.close(self._watched.pop(pid))
        starts = self._recorded()
        for pid in {self.pid, *starts} - self._watched.keys():
            try:
                pidfd = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            if pid == self.pid or start_of(pid) == starts[pid]:
                self._watched[pid] = pidfd
            else:
                os.close(pidfd)

    def _recorded(self) -> dict[int, int]:
        """pid -> start of the processes that the server's ledger names."""
        ledger = self.state_dir / "run" / "processes.json"
        try:
            alive = json.loads(ledger.read_text())["alive"]
        except FileNotFoundError:  # It has not started yet, or has stopped.
            return {}
        return {int(pid): start for pid, start in alive.items()}

    def _survivors(self) -> list[int]:
        end = time.monotonic() + DEATH_TIMEOUT_S
        return [
            pid
            for pid, pidfd in self._watched.items()
            if not _readable(pidfd, max(0.0, end - time.monotonic()))
        ]

    def _end(self) -> None:
        """Kill what is still alive. The starter goes first and whatever else fails: its lifeline
        ends processes that the ledger does not name.
        """
        process = self._started()
        try:
            self._watch()
        finally:
            self._dismiss_mourner()
            process.kill()
            process.wait()
            self._kill_watched()
            self._stdout().close()
            self._process = None

    def _dismiss_mourner(self) -> None:
        """While the server's pid is still its own."""
        if self._mourner is not None:
            self._mourner.kill()
            self._mourner.communicate()
            self._mourner = None

    def _kill_watched(self) -> None:
        for pidfd in self._watched.values():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        self._survivors()
        for pidfd in self._watched.values():
            os.close(pidfd)
        self._watched.clear()

    def __enter__(self) -> "LokiServer":
        try:
            self.start()
        except BaseException:
            self._temporary.cleanup()
            raise
        return self

    def __exit__(
        self,
        _class: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        finally:
            self._temporary.cleanup()


def start_of(pid: int) -> int:
    """Start of a process in clock ticks since boot; 0 when it is gone or a zombie.

    Source: proc(5), fields 3 and 22 of /proc/pid/stat.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == b"Z" else int(fields[19])


def _readable(descriptor: int, timeout_s: float) -> bool:
    """Waits for it. Source: pidfd_open(2): a pidfd is readable when its process has ended."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))
