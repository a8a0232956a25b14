"""Settings and tool files that cannot be used: one clear answer of the command line."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Run

TOOLS = """
[[tools]]
name = "gone"
return_type = "void"
script = { path = "gone.lua" }

[[tools]]
name = "twice"
return_type = "void"
script = { inline = "return" }

[[tools]]
name = "twice"
return_type = "void"
script = { inline = "return" }
"""


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("grpc_prot = 50070", "loki.toml:1: grpc_prot"),
        ("[resource_limits]\nmax_memory = 3", "loki.toml:2: resource_limits.max_memory"),
        ('grpc_port = "many"', 'loki.toml:1: grpc_port = "many": must be a whole number'),
        ("children = 3", "loki.toml:1: children = 3"),
        ("[children_config.fenrir]\nenabled = 'no'", "children_config.fenrir.enabled"),
        ("[children_config.hel]\ncolour = 'red'", "children_config.hel.colour"),
        ("grpc_port 50070", "is no valid TOML"),
        (b"# \xff", "loki.toml"),
        (None, "loki.toml"),
    ],
)
def test_s_1_3_7_bad_settings_are_named(
    loki: Run, tmp_path: Path, command: str, text: str | bytes | None, complaint: str
) -> None:
    file = tmp_path / "loki.toml"
    if text is None:
        file.mkdir()
    else:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = loki(command)
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "check"])
def test_s_1_3_7_settings_that_were_named_must_be_there(loki: Run, command: str) -> None:
    done = loki(command, "--config", "none.toml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "none.toml: no such file" in done.stderr
    assert done.stderr.count("\n") == 1


def test_s_2_3_1_a_missing_script_file_and_a_second_tool_of_a_name(
    loki: Run, tmp_path: Path
) -> None:
    (tmp_path / "tools.toml").write_text(TOOLS)
    done = loki("check", "tools.toml")
    assert done.returncode == 1
    assert "gone.lua" in done.stderr
    assert "no such file" in done.stderr
    assert "twice" in done.stderr
    assert "2 errors" in done.stderr
