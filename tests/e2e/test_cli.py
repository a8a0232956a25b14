"""The command line as people use it: real processes against a real server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loki import __version__, bootstrap
from loki.actors.library.toolbox import tools_of
from loki.testing import LokiServer, start_of

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_S = 30.0
Run = Callable[..., subprocess.CompletedProcess[str]]


def test_call_prints_the_value_and_usage_apart(loki: Run) -> None:
    done = loki("call", "hello", "name=Ada")
    assert (done.returncode, done.stdout) == (0, "hello, Ada\n")
    assert " ms wall · " in done.stderr


def test_call_without_arguments_uses_defaults(loki: Run) -> None:
    assert loki("call", "hello").stdout == "hello, world\n"


def test_s_2_1_2_values_keep_their_declared_types(loki: Run) -> None:
    done = loki("call", "average", "sensor=greenhouse_temperature", "n=3", "--json")
    assert isinstance(json.loads(done.stdout)["value"], float)
    assert loki("call", "hello", "name=5").stdout == "hello, 5\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("average",), "argument 'sensor'"),
        (("average", "sensor=x", "n=101"), "argument 'n'"),
        (("average", "sensor=x", "n=many"), "argument 'n'"),
        (("hello", "nmae=Ada"), "did you mean 'name'?"),
    ],
)
def test_s_2_1_2_a_wrong_argument_is_named(
    loki: Run, words: tuple[str, ...], complaint: str
) -> None:
    done = loki("call", *words)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("ARGUMENT_INVALID: ")
    assert complaint in done.stderr.splitlines()[0]


def test_an_object_is_shown_as_json(loki: Run) -> None:
    done = loki("call", "climate", "threshold=-40")
    assert json.loads(done.stdout)["led"] is True


def test_a_stream_shows_events_while_they_come(loki: Run) -> None:
    done = loki("call", "countdown", "from=2", "interval_ms=1", "--stream")
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["2 to go", "2", "1 to go", "1", "lift-off"]
    assert "50% 1 to go" in done.stderr


def test_a_stream_as_json_ends_with_its_result(loki: Run) -> None:
    done = loki("call", "countdown", "from=1", "interval_ms=0", "--stream", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    sequence = [event["sequence"] for event in events]
    assert sequence == list(range(sequence[0], sequence[0] + len(events)))
    assert events[-1]["result"]["value"] == "lift-off"
    assert {"output", "value", "progress"} <= {key for event in events for key in event}


def test_a_mistyped_name_gets_a_suggestion(loki: Run) -> None:
    done = loki("call", "helo")
    assert done.returncode == 1
    assert done.stderr.startswith("SCRIPT_NOT_FOUND: ")
    assert "did you mean 'hello'?" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_runaway_ends_with_its_budget(loki: Run) -> None:
    done = loki("call", "runaway")
    assert done.returncode == 1
    assert done.stderr.startswith("TIME_BUDGET: ")


def test_a_script_error_shows_line_and_traceback(loki: Run) -> None:
    script = "print('before')\nlocal function inner()\n  error('no such thing')\nend\ninner()\n"
    done = loki("run", "-", stdin=script)
    assert done.returncode == 1
    assert done.stdout == "before\n"
    first, *rest = done.stderr.splitlines()
    assert first.startswith("SCRIPT_ERROR: ")
    assert "no such thing" in first
    assert "3" in first
    assert rest[0] == "    error('no such thing')"
    assert [line.split(":", 2)[1:] for line in rest[1:3]] == [
        ["3", " in function 'inner'"],
        ["5", " in main chunk"],
    ]
    assert "/loki/" not in done.stderr


def test_a_beginners_mistake_gets_a_hint(loki: Run) -> None:
    done = loki("run", "-", stdin="x = 1\nx += 1")
    first, line, *_ = done.stderr.splitlines()
    assert first.startswith("SCRIPT_INVALID: ")
    assert "Lua has no +=; write x = x + ..." in first
    assert line == "    x += 1"


def test_an_error_as_json_says_code_and_reason(loki: Run) -> None:
    done = loki("run", "-", "--json", stdin="error('oh')")
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, done.stdout) == (1, "")
    assert (error["code"], error["reason"]) == ("UNKNOWN", "SCRIPT_ERROR")


def test_run_takes_arguments_by_their_look(loki: Run, tmp_path: Path) -> None:
    (tmp_path / "once.lua").write_text("return { params.n + 1, params.list[2], params.who }")
    done = loki("run", "once.lua", "n=9007199254740992", "list=[1,2]", "who=Ada", "--json")
    assert json.loads(done.stdout)["value"] == [9007199254740993, 2, "Ada"]


def test_a_source_that_does_not_compile_names_its_line(loki: Run) -> None:
    done = loki("run", "-", stdin="return 1\nreturn 2")
    assert done.returncode == 1
    assert done.stderr.startswith("SCRIPT_INVALID: ")
    assert "2" in done.stderr.splitlines()[0]


def test_list_describe_and_status(loki: Run, server: LokiServer) -> None:
    listed = json.loads(loki("list", "--json").stdout)
    assert [script["name"] for script in listed] == list(server.tools)
    assert [s["name"] for s in json.loads(loki("list", "c*", "--json").stdout)] == [
        name for name in server.tools if name.startswith("c")
    ]
    assert "average" in loki("list").stdout
    described = json.loads(loki("describe", "average", "--json").stdout)
    assert described["parameters"][1] == {
        "name": "n",
        "type": "integer",
        "required": False,
        "description": "",
        "default": 5,
        "minimum": 1,
        "maximum": 100,
    }
    assert described["source"] == (EXAMPLES / "scripts" / "average.lua").read_text()
    assert "AverageService/Call" in loki("describe", "average").stdout
    end_s = time.monotonic() + PATIENCE_S
    while True:  # The spare runner may have begun just now.
        children = json.loads(loki("status", "--json").stdout)["children"]
        states = {child["state"] for child in children if child["enabled"]}
        if states == {"up"}:
            break
        assert time.monotonic() < end_s, children
    assert {child["pid"] for child in children if child["pid"]} <= server.pids()


def test_register_call_update_remove(loki: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    (tmp_path / "double.lua").write_text("return params.n * 2")
    file.write_text(
        """
        [[tools]]
        name = "double"
        parameters = [{ name = "n", type = "integer" }]
        return_type = "integer"
        script = { path = "double.lua" }
        """
    )
    assert loki("register", str(file)).stdout.startswith("registered double, revision ")
    assert loki("call", "double", "n=21").stdout == "42\n"
    assert loki("register", str(file)).stderr.startswith("SCRIPT_EXISTS: ")
    (tmp_path / "double.lua").write_text("return params.n + params.n + 1")
    assert loki("register", str(file), "--update").stdout.startswith("updated double, revision ")
    assert loki("call", "double", "n=21").stdout == "43\n"
    assert loki("remove", "double").stdout == "removed double\n"
    assert loki("call", "double", "n=1").stderr.startswith("SCRIPT_NOT_FOUND: ")


def test_no_server_says_how_to_start_one(loki: Run) -> None:
    done = loki("list", "--server", "127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith("no Loki answers at 127.0.0.1:1; start one with `loki serve`")
    assert done.stderr.count("\n") == 1


def test_version(loki: Run) -> None:
    assert loki("version").stdout == f"loki {__version__}\n"


def test_s_2_3_1_check_prints_every_problem_at_once(loki: Run, tmp_path: Path) -> None:
    assert loki("check", "--config", str(EXAMPLES / "loki.toml")).stdout == "no problems\n"
    tools = tmp_path / "bad.toml"
    tools.write_text(
        """
        [[tools]]
        name = "9lives"
        return_type = "void"
        script = { inline = "return" }
        [[tools]]
        name = "broken"
        return_type = "text"
        script = { inline = "return" }
        [[tools]]
        name = "uncompiled"
        return_type = "void"
        script = { inline = "retrun 1" }
        """
    )
    done = loki("check", str(tools))
    assert done.returncode == 1
    for part in ("9lives", "broken", "bad.toml:13:37: error: syntax error near", "3 errors"):
        assert part in done.stderr


def test_s_1_3_7_serve_with_bad_settings_says_which(loki: Run, tmp_path: Path) -> None:
    bad = tmp_path / "loki.toml"
    bad.write_text("grpc_port = 70000\n")
    done = loki("serve")
    assert done.returncode == 1
    assert "grpc_port = 70000" in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`loki serve` for people, killed at the end if it is still there."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOKI_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "loki", "serve", *words],
        cwd=folder,
        env=environment | {"LOKI_STATE_DIR": str(folder / "state")},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def suggested(process: subprocess.Popen[str]) -> list[str]:
    """Reads what serve says when it is up; the commands that it suggests."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Try in another terminal"):
            return [process.stdout.readline().strip() for _ in range(3)]
    raise AssertionError("serve ended without a word")


@pytest.mark.parametrize("config", [(), ("--config", str(EXAMPLES / "loki.toml"))])
def test_what_serve_suggests_works(tmp_path: Path, config: tuple[str, ...]) -> None:
    with serving(tmp_path, "--port", "0", *config) as process:
        for command in suggested(process):
            words = command.replace("loki", f"{sys.executable} -m loki", 1)
            done = subprocess.run(words, shell=True, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (command, done.stderr)
            assert done.stdout.strip()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
        assert not (tmp_path / "state" / "run").exists()


def test_a_second_ctrl_c_ends_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, "--port", "0") as process:
        suggested(process)
        ledger = json.loads((tmp_path / "state" / "run" / "processes.json").read_text())
        recorded = ledger["alive"]
        process.send_signal(signal.SIGSTOP)  # So that both arrive before the first is handled.
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        assert process.wait(PATIENCE_S) == 130
    pidfds = [pidfd for pid in recorded if (pidfd := pidfd_of(int(pid))) is not None]
    for pidfd in pidfds:
        wait_for_end(pidfd)
    assert not any(start_of(int(pid)) == start for pid, start in recorded.items())


def pidfd_of(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def wait_for_end(pidfd: int) -> None:
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.poll(PATIENCE_S * 1000)
    os.close(pidfd)


def test_ctrl_c_ends_a_call_quietly(server: LokiServer, loki: Run, tmp_path: Path) -> None:
    words = ("countdown", "from=100", "interval_ms=1000", "--stream")
    process = subprocess.Popen(
        [sys.executable, "-m", "loki", "call", *words, "--server", server.address],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    with process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=PATIENCE_S)
        assert (first, process.returncode) == ("100 to go\n", 130), complaint
        assert "Traceback" not in complaint


def test_ctrl_c_while_a_command_is_loading_ends_it_quietly(loki: Run, tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    done = loki("list", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_demo_calls_every_example(loki: Run) -> None:
    done = loki("demo", "--config", str(EXAMPLES / "loki.toml"))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {line.split()[1]: line for line in done.stdout.splitlines() if "✓" in line}
    tools = tools_of(bootstrap.load(EXAMPLES / "loki.toml", None).library)
    assert lines.keys() == {script.name for script in tools.scripts}
    assert "TIME_BUDGET" in lines["runaway"]
    assert "5 4 3 2 1 lift-off" in lines["countdown"]
    assert "greetings from the network" in lines["fetch"]
