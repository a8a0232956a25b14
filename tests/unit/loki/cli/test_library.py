"""list, describe, register and remove."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from loki.cli.option import DEFAULT_SERVER
from loki.client import LokiClientError, ScriptRevision

TOOLS = """
[[tools]]
name = "one"
return_type = "void"
script = { inline = "return" }
[[tools]]
name = "two"
return_type = "void"
script = { inline = "return" }
"""


@pytest.fixture
def tool_file(tmp_path: Path) -> str:
    path = tmp_path / "tools.toml"
    path.write_text(TOOLS)
    return str(path)


def test_list_shows_each_script_on_a_line(
    client: Any, loki: Callable[..., Any], make: Callable[..., Any]
) -> None:
    client.scripts = {"hello": make("hello", name=1), "zed": make("zed")}
    result = loki("list", "*e*")
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if "hello" in line)
    assert "name: string" in line
    assert "Does hello" in line
    assert ("list", "*e*") in client.calls
    assert client.address == DEFAULT_SERVER


def test_list_as_json_is_one_line(
    client: Any, loki: Callable[..., Any], make: Callable[..., Any]
) -> None:
    client.scripts = {"hello": make("hello", n=2)}
    client.methods = {"hello": "loki.tools.v1.HelloService/Call"}
    result = loki("list", "--json")
    (script,) = json.loads(result.stdout)
    assert script["method"] == "loki.tools.v1.HelloService/Call"
    assert script["name"] == "hello"
    assert script["parameters"][0]["type"] == "integer"
    assert result.stdout.count("\n") == 1


def test_list_of_nothing_says_so(client: Any, loki: Callable[..., Any]) -> None:
    assert loki("list").stdout == "no scripts\n"
    assert loki("list", "x*").stdout == "no script's name matches x*\n"


def test_describe_shows_source_and_method(
    client: Any, loki: Callable[..., Any], make: Callable[..., Any]
) -> None:
    client.scripts = {"read_sensor": make("read_sensor", id=1)}
    assert "method" not in loki("describe", "read_sensor").stdout
    client.methods = {"read_sensor": "loki.tools.v1.ReadSensorService/Call"}
    result = loki("describe", "read_sensor")
    for part in ("read_sensor(id: string)", "ReadSensorService/Call", "r1", "return 1"):
        assert part in result.stdout
    assert json.loads(loki("describe", "read_sensor", "--json").stdout)["source"] == "return 1"


def test_describe_shows_what_a_script_was(
    client: Any, loki: Callable[..., Any], make: Callable[..., Any]
) -> None:
    when = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    client.scripts = {"mine": make("mine")}
    client.revisions = [
        ScriptRevision(
            revision="r2",
            principal="ann",
            registered=when,
            current=True,
            current_by="ann",
            current_since=when,
        ),
        ScriptRevision(revision="r1", principal="", registered=None, current=False),
    ]
    two, one = (
        line.split()
        for line in loki("describe", "mine", "--revisions").stdout.split("\n")
        if line.strip().startswith("r") and "registered" not in line
    )
    here = when.astimezone()
    assert two == ["r2", f"{here:%Y-%m-%d}", f"{here:%H:%M:%S}", "ann", "current"]
    assert one == ["r1"]
    assert ("revisions", "mine") in client.calls
    assert json.loads(loki("describe", "mine", "--revisions", "--json").stdout) == [
        {
            "revision": "r2",
            "registered": "2026-05-04T03:02:01+00:00",
            "principal": "ann",
            "current": True,
            "current_by": "ann",
            "current_since": "2026-05-04T03:02:01+00:00",
        },
        {
            "revision": "r1",
            "registered": None,
            "principal": "",
            "current": False,
            "current_by": "",
            "current_since": None,
        },
    ]
    assert loki("describe", "mine", "--revision", "r1").exit_code == 0
    assert ("get", "mine", "r1") in client.calls


def test_describe_shows_who_rolled_back(client: Any, loki: Callable[..., Any]) -> None:
    when = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    client.revisions = [
        ScriptRevision(
            revision="r1",
            principal="ann",
            registered=datetime(2026, 5, 4, tzinfo=UTC),
            current=True,
            current_by="bob",
            current_since=when,
        ),
    ]
    shown = " ".join(loki("describe", "mine", "--revisions").stdout.split())
    assert f"current since {when.astimezone():%Y-%m-%d %H:%M:%S} by bob" in shown


def test_describe_shows_what_else_is_declared(
    client: Any, loki: Callable[..., Any], make: Callable[..., Any]
) -> None:
    client.scripts = {"plain": make("plain"), "again": make("again")}
    client.scripts["again"].idempotent = True
    client.scripts["again"].wait_for_child_ms = 250
    assert "idempotent" in loki("describe", "again").stdout
    assert "up to 250 ms for a child" in loki("describe", "again").stdout
    for word in ("idempotent", "waits"):
        assert word not in loki("describe", "plain").stdout
    assert json.loads(loki("describe", "again", "--json").stdout)["idempotent"] is True


def test_describe_says_which_limits_there_are_not(
    client: Any, loki: Callable[..., Any], make: Callable[..., Any]
) -> None:
    client.scripts = {"plain": make("plain")}
    limits = client.scripts["plain"].limits
    limits.max_memory_mb, limits.max_cpu_time_ms, limits.max_disk_mb = 8, 0, 0
    shown = loki("describe", "plain").stdout
    assert "max_memory_mb = 8" in shown
    assert "max_cpu_time_ms = no limit" in shown
    assert "max_disk_mb = the device's quota" in shown
    assert json.loads(loki("describe", "plain", "--json").stdout)["limits"]["max_disk_mb"] == 0


def test_describe_shows_permissions_as_people_write_them(
    client: Any, loki: Callable[..., Any], make: Callable[..., Any]
) -> None:
    client.scripts = {"plain": make("plain")}
    assert "permissions  none\n" in loki("describe", "plain").stdout
    keys = client.scripts["plain"].permissions.keys
    keys["storage"].patterns.append("*")
    keys["sensors"].patterns.append("*")
    shown = loki("describe", "plain").stdout
    assert "permissions  sensors = *; storage = true\n" in shown


def test_an_unknown_name_is_one_line_on_stderr(client: Any, loki: Callable[..., Any]) -> None:
    result = loki("describe", "helo")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "SCRIPT_NOT_FOUND: there is no script 'helo'; did you mean 'hello'?\n"


def test_register_a_tool_file(client: Any, loki: Callable[..., Any], tool_file: str) -> None:
    result = loki("register", tool_file)
    assert result.exit_code == 0
    assert result.stdout == "registered one, revision r2\nregistered two, revision r2\n"
    assert [call for call in client.calls if call[0] == "register"] == [
        ("register", "one", ""),
        ("register", "two", ""),
    ]


def test_register_update_expects_the_present_revision(
    client: Any, loki: Callable[..., Any], make: Callable[..., Any], tool_file: str
) -> None:
    client.scripts = {"one": make("one")}
    result = loki("register", tool_file, "--update")
    assert result.stdout == "updated one, revision r2\nregistered two, revision r2\n"
    assert ("register", "one", "r1") in client.calls
    assert ("register", "two", "") in client.calls


def test_register_update_tells_what_did_not_change(
    client: Any, loki: Callable[..., Any], make: Callable[..., Any], tool_file: str
) -> None:
    client.scripts = {"one": make("one")}
    client.registered_as = "r1"
    result = loki("register", tool_file, "--update")
    assert result.stdout == "unchanged: one, revision r1\nregistered two, revision r1\n"


def test_one_refused_script_does_not_stop_the_others(
    client: Any, loki: Callable[..., Any], tool_file: str, errors: Any
) -> None:
    client.refused = {"one": errors.not_found("one")}
    result = loki("register", tool_file)
    assert result.exit_code == 1
    assert result.stdout == "registered two, revision r2\n"
    assert result.stderr.startswith("SCRIPT_NOT_FOUND: ")


def test_register_a_lua_file(client: Any, loki: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "blink.lua"
    file.write_text("return 1")
    bare = loki("register", str(file))
    assert "no `--- loki:` header: it takes no arguments and returns nothing" in bare.stderr
    assert bare.exit_code == 0
    flash = loki("register", str(file), "--name", "flash", "--returns", "integer")
    assert "it takes no arguments and returns integer" in flash.stderr
    assert [call[1] for call in client.calls if call[0] == "register"] == ["blink", "flash"]
    assert loki("register", str(file), "--json").stderr == ""
    file.write_text("--- loki: return_type = 'integer'\nreturn 1")
    assert loki("register", str(file)).stderr == ""


def test_a_header_that_is_no_toml_is_not_registered(
    client: Any, loki: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "blink.lua"
    file.write_text("--- loki:\n--- description = hello\nreturn 1")
    result = loki("register", str(file))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{file}:2: its header is no valid TOML: ")
    assert client.calls == []


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("missing.toml", None, "no such file"),
        ("missing.lua", None, "no such file"),
        ("broken.toml", "[[tools", "is no valid TOML"),
        ("empty.toml", "", "has no [[tools]] entries"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(
    client: Any,
    loki: Callable[..., Any],
    tmp_path: Path,
    name: str,
    content: str | None,
    complaint: str,
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_text(content)
    result = loki("register", str(file))
    assert result.exit_code == 1
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1
    assert client.calls == []


BAD = """
[[tools]]
name = "9"
return_type = "any"
script = { inline = "retrun 1" }
[[tools]]
name = "two"
return_type = "void"
script = { inline = "return" }
limits = { max_memory_mb = 100000 }
permissions = { balconies = true, gpio = true }
[[tools]]
name = "three"
return_type = "void"
script = { inline = "retrun 1" }
"""


def test_every_problem_is_told_with_its_line_before_anything_is_sent(
    client: Any, loki: Callable[..., Any], tmp_path: Path
) -> None:
    """What only the device can know is left to it: its ceilings, and its other children."""
    file = tmp_path / "bad.toml"
    file.write_text(BAD)
    result = loki("register", str(file))
    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if line.startswith(str(file))]
    assert [line.partition(": ")[0] for line in told] == [f"{file}:{n}" for n in (3, 4, 11, 15)]
    assert "gpio = true" in told[2]
    assert client.calls == []


def test_the_header_of_a_lua_file_is_judged_with_what_is_given(
    client: Any, loki: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "9.lua"
    file.write_text("--- loki: description = 5\nreturn 1")
    result = loki("register", str(file))
    assert [line.partition(": ")[0] for line in result.stderr.splitlines()] == [f"{file}:1"] * 2
    file.write_text("--- loki: description = 'five'\nreturn 1")
    assert loki("register", str(file), "--name", "five").exit_code == 0
    file.write_text("--- loki: return_type = 'any'\nreturn 1")
    assert loki("register", str(file), "--name", "five").exit_code == 1
    assert loki("register", str(file), "--name", "five", "--returns", "void").exit_code == 0
    assert [call[1] for call in client.calls if call[0] == "register"] == ["five", "five"]


def test_what_exists_is_replaced_by_an_option(
    client: Any, loki: Callable[..., Any], tool_file: str
) -> None:
    client.refused = {
        "one": LokiClientError(
            "give its revision r1 as expected_revision",
            code=grpc.StatusCode.ALREADY_EXISTS,
            reason="SCRIPT_EXISTS",
            details={"script": "one", "revision": "r1"},
        )
    }
    result = loki("register", tool_file)
    assert result.stderr == "SCRIPT_EXISTS: script 'one' exists; --update replaces it\n"


def test_help_shows_what_a_tool_file_has(loki: Callable[..., Any]) -> None:
    assert "[[tools]]" in loki("register", "--help").stdout


def test_rollback(client: Any, loki: Callable[..., Any]) -> None:
    assert loki("rollback", "hello", "r1").stdout == "rolled back hello, revision r1\n"
    told = json.loads(loki("rollback", "hello", "r1", "--expected", "r2", "--json").stdout)
    assert told["revision"] == "r1"
    assert [call for call in client.calls if call[0] == "rollback"] == [
        ("rollback", "hello", "r1", ""),
        ("rollback", "hello", "r1", "r2"),
    ]


def test_rollback_to_what_is_current(
    client: Any, loki: Callable[..., Any], make: Callable[..., Any]
) -> None:
    client.scripts = {"hello": make("hello")}
    assert loki("rollback", "hello", "r1").stdout == "unchanged: hello, revision r1\n"
    assert loki("rollback", "hello", "r0").stdout == "rolled back hello, revision r0\n"


def test_remove(client: Any, loki: Callable[..., Any]) -> None:
    assert loki("remove", "hello").stdout == "removed hello\n"
    assert ("unregister", "hello") in client.calls
