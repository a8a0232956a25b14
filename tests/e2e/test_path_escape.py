"""Paths out of a script's own files, asked for in Lua by a script that may read and write."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from loki.client import LokiClient
from loki.testing import LokiServer

TOOLS = """
[[tools]]
name = "try"
return_type = "array"
parameters = [{ name = "path", type = "string" }]
script = { inline = \"\"\"
local said = {}
for _, call in ipairs{
  {"fs_read"}, {"fs_stat"}, {"fs_list_dir"}, {"fs_delete"}, {"fs_delete", {recursive = true}},
  {"fs_write", "gotcha"}, {"fs_append", "gotcha"}, {"fs_create_dir"},
} do
  local ok, e = pcall(hel[call[1]], hel, params.path, table.unpack(call, 2))
  said[#said + 1] = call[1] .. ": " .. (ok and "did it" or e.code)
end
return said\"\"\" }
permissions = { files = "rw" }
"""
SECRET = "secret.txt"


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS) as running:
        with running.client() as client:
            client.execute("try", {"path": "."})  # So that the script's own folder is there.
        outside, home = running.state_dir / SECRET, running.state_dir / "files" / "try"
        outside.write_text("for nobody")
        (running.state_dir / "files" / "other").mkdir()
        (running.state_dir / "files" / "other" / SECRET).write_text("for the other")
        (home / "link").symlink_to("../../" + SECRET)
        (home / "door").symlink_to("../other", target_is_directory=True)
        os.link(outside, home / "twin")
        os.mkfifo(home / "pipe")
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def contents(state: Path) -> dict[str, str]:
    """What scripts must neither see nor change."""
    files = (state / SECRET, state / "files" / "other" / SECRET)
    return {str(file): file.read_text() for file in files}


@pytest.mark.parametrize(
    "path",
    [
        f"../other/{SECRET}",
        f"../../{SECRET}",
        f"a/../../other/{SECRET}",
        f"./../other/{SECRET}",
        f"../try/../other/{SECRET}",
        "..",
        "../..",
        "/etc/passwd",
        "/proc/self/environ",
        "//etc/passwd",
        f"door/{SECRET}",
        "door",
        "link",
        "pipe",
        f"\0../other/{SECRET}",
        "x" * 300,
        "a/" * 150 + "b",
    ],
)
def test_s_14_3_2_no_path_leads_out_of_a_scripts_files(
    server: LokiServer, client: LokiClient, path: str
) -> None:
    before = contents(server.state_dir)
    said = client.execute("try", {"path": path}).value
    assert {each.partition(": ")[2] for each in said} <= {"IO", "NOT_FOUND"}
    assert contents(server.state_dir) == before


def test_s_14_3_2_a_second_name_of_a_file_outside_reads_and_changes_nothing(
    server: LokiServer, client: LokiClient
) -> None:
    before = contents(server.state_dir)
    said = client.execute("try", {"path": "twin"}).value
    assert "fs_read: IO" in said
    assert contents(server.state_dir) == before
