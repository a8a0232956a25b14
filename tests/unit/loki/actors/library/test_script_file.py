"""The file in which earlier versions kept registered scripts."""

from pathlib import Path

import msgspec
import pytest

from loki.actors.library.script_file import ScriptFile
from loki.errors import IoError
from loki.messages.script import Origin, Script


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scripts.msgpack"


def test_it_is_read_with_its_time_and_put_away(path: Path) -> None:
    script = Script(name="a", source="", chunk="a", origin=Origin.REGISTERED, revision="r")
    path.write_bytes(msgspec.msgpack.encode((script,)))
    written_ns = path.stat().st_mtime_ns
    file = ScriptFile(path)
    assert file.exists()
    assert file.read() == ((script,), written_ns)
    file.retire()
    assert not file.exists()
    (imported,) = path.parent.iterdir()
    assert imported.name == "scripts.msgpack.imported"


@pytest.mark.parametrize("content", [b"", b"garbled", b"\x91\x80"])
def test_what_is_no_such_file_is_named_and_can_be_set_aside(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    file = ScriptFile(path)
    with pytest.raises(IoError, match=f"{path} cannot be read"):
        file.read()
    file.set_aside()
    (aside,) = path.parent.iterdir()
    assert aside.name.startswith("scripts.unreadable-")
    assert aside.read_bytes() == content


def test_one_that_is_gone_is_a_named_error(path: Path) -> None:
    file = ScriptFile(path)
    assert not file.exists()
    with pytest.raises(IoError, match="cannot be read"):
        file.read()
    with pytest.raises(IoError, match="cannot be renamed"):
        file.retire()
