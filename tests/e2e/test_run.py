"""`loki run FILE.lua`: the file's own header holds, its errors name it, and Ctrl-C ends it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loki.testing import LokiServer

pytestmark = pytest.mark.e2e

CONFIG = """
queue = { runners = 1, max_runners = 1 }
resource_limits.max_execution_time_ms = 60000
security.adhoc_permissions = { http = ["http://127.0.0.1:*/"] }
"""
HEADED = """--- loki:
--- parameters = [
---   { name = "n", type = "integer", default = 3, minimum = 1, maximum = 9 },
---   { name = "text", type = "string", required = false },
--- ]
--- return_type = "string"
--- limits.max_execution_time_ms = 60000
--- permissions.gpio = [17]
if params.n == 8 then error("eight") end
if params.n == 7 then return 7 end
if params.n == 6 then fenrir:gpio_read(17) end
return math.type(params.n) .. " " .. type(params.text)
"""
ENDLESS = """--- loki:
--- return_type = 'void'
--- limits.max_execution_time_ms = 100
while true do end
"""
PATIENCE_S = 30.0
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    """With room for one run."""
    with LokiServer(config=CONFIG) as running:
        yield running


@pytest.fixture
def page() -> Iterator[socket.socket]:
    """Listens on a free port; what connects gets no answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        yield listener


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ((), "integer nil"),
        (("n=5", "text=5"), "integer string"),
        (("n=10",), "ARGUMENT_INVALID: argument 'n': expected 1 to 9, got 10"),
        (("n=x",), "ARGUMENT_INVALID: argument 'n': expected a whole number, got 'x'"),
        (("m=1",), "ARGUMENT_INVALID: argument 'm': 'adhoc' has no such parameter; it takes n,"),
        (("n=8",), "SCRIPT_ERROR: headed.lua:9: eight"),
        (("n=7",), "RETURN_TYPE_MISMATCH: declared string, got integer 7"),
        (("n=6",), "SCRIPT_PERMISSION: headed.lua:11: 'adhoc' may not use line 17 'led'; to allow"),
    ],
)
def test_the_header_of_a_file_holds(
    loki: Run, tmp_path: Path, words: tuple[str, ...], first: str
) -> None:
    (tmp_path / "headed.lua").write_text(HEADED)
    for stream in (), ("--stream",):
        done = loki("run", "headed.lua", *words, *stream)
        said = (done.stdout + done.stderr).splitlines()
        assert any(line.startswith(first) for line in said[:2]), said


@pytest.mark.parametrize("stream", [(), ("--stream",)])
def test_the_limits_of_a_header_hold(loki: Run, tmp_path: Path, stream: tuple[str, ...]) -> None:
    (tmp_path / "endless.lua").write_text(ENDLESS)
    said = loki("run", "endless.lua", *stream).stderr.splitlines()
    told = "TIME_BUDGET: 'adhoc' used up its 100 ms of wall time; [limits] max_exec"
    assert any(line.startswith(told) for line in said[:2]), said


def test_a_header_with_a_mistake_is_told_with_its_line(loki: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.lua").write_text("--- loki:\n--- return_type = 'strin'\nreturn 1")
    done = loki("run", "bad.lua")
    assert done.returncode == 1
    assert done.stderr.startswith("SCRIPT_INVALID: bad.lua:2: header 'adhoc': return_type = ")
    assert "did you mean 'string'?" in done.stderr


def test_errors_without_a_header_name_the_file_too(loki: Run, tmp_path: Path) -> None:
    (tmp_path / "plain.lua").write_text("\nreturn nothing.here")
    assert loki("run", "plain.lua").stderr.startswith("SCRIPT_ERROR: plain.lua:2: attempt to index")
    done = loki("run", "-", stdin="return = 1")
    assert done.stderr.startswith("SCRIPT_INVALID: stdin:1: unexpected symbol near '='")


@pytest.mark.parametrize("stream", [(), ("--stream",)])
def test_ctrl_c_ends_the_execution_on_the_server(
    server: LokiServer, page: socket.socket, tmp_path: Path, stream: tuple[str, ...]
) -> None:
    url = f"http://127.0.0.1:{page.getsockname()[1]}/"
    (tmp_path / "wait.lua").write_text("return jormungandr:http_get(params.url)")
    process = subprocess.Popen(
        [sys.executable, "-m", "loki", "run", "wait.lua", f"url={url}", *stream],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"LOKI_SERVER": server.address},
    )
    with process:
        connection, _ = page.accept()  # The script waits for an answer now.
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate(timeout=PATIENCE_S)
        assert (printed, told.splitlines()[-1]) == ("", "interrupted")
        assert process.returncode == 128 + signal.SIGINT
        assert "Traceback" not in told
    with connection, server.client() as client:
        connection.settimeout(PATIENCE_S)
        while connection.recv(65536):
            pass  # Its request; then the end, for nobody waits for the answer any more.
        assert client.execute(source="return 1", timeout_s=PATIENCE_S).value == 1
