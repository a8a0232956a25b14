"""The scripts folder: modules in it are read, and nothing outside of it."""

from pathlib import Path

import pytest

from loki.errors import ErrorCode, IoError, LokiError
from loki.tool.module import MAX_SOURCE_BYTES, ModuleFolder, ModuleSource


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    (folder / "lib").mkdir(parents=True)
    (folder / "state" / "files").mkdir(parents=True)
    return folder


@pytest.fixture
def modules(scripts: Path) -> ModuleFolder:
    tools = scripts.parent / "tools.toml"
    return ModuleFolder(scripts, tools=tools, closed=scripts / "state")


def test_a_file_before_a_folder_and_edits_at_once(scripts: Path, modules: ModuleFolder) -> None:
    (scripts / "lib" / "init.lua").write_text("return 1")
    assert modules.read("lib") == ModuleSource("scripts/lib/init.lua", "return 1")
    (scripts / "lib.lua").write_bytes(b"\xef\xbb\xbfreturn 2\r\n")
    assert modules.read("lib") == ModuleSource("scripts/lib.lua", "return 2\n")
    (scripts / "lib.lua").write_text("return 3")
    assert modules.read("lib").text == "return 3"


def test_files_elsewhere_are_called_by_their_folder(scripts: Path, tmp_path: Path) -> None:
    (scripts / "a.lua").write_text("")
    elsewhere = ModuleFolder(scripts, tools=tmp_path / "etc" / "tools.toml", closed=tmp_path / "s")
    assert elsewhere.read("a").file == "scripts/a.lua"


def test_a_missing_one_gets_the_nearest(scripts: Path, modules: ModuleFolder) -> None:
    (scripts / "lib" / "util.lua").write_text("")
    with pytest.raises(LokiError, match=r"did you mean 'lib\.util'\?") as caught:
        modules.read("lib.utli")
    assert caught.value.code is ErrorCode.NOT_FOUND
    assert str(scripts.parent) not in caught.value.message


def test_links_stay_inside(scripts: Path, modules: ModuleFolder, tmp_path: Path) -> None:
    (tmp_path / "secret.lua").write_text("return 'secret'")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "m.lua").write_text("return 'secret'")
    (scripts / "out.lua").symlink_to(tmp_path / "secret.lua")
    (scripts / "folder").symlink_to(tmp_path / "outside")
    (scripts / "lib" / "real.lua").write_text("return 'mine'")
    (scripts / "alias.lua").symlink_to("lib/real.lua")
    for name in ("out", "folder.m"):
        with pytest.raises(LokiError, match="leads out of the scripts folder") as caught:
            modules.read(name)
        assert caught.value.code is ErrorCode.SCRIPT_PERMISSION
        assert str(tmp_path) not in caught.value.message
    assert modules.read("alias").text == "return 'mine'"


def test_what_scripts_may_write_is_no_module(scripts: Path, modules: ModuleFolder) -> None:
    (scripts / "state" / "files" / "m.lua").write_text("return 1")
    with pytest.raises(LokiError, match="leads out"):
        modules.read("state.files.m")


def test_a_file_that_is_no_text_is_told_without_its_path(
    scripts: Path, modules: ModuleFolder
) -> None:
    (scripts / "big.lua").write_bytes(b"-" * (MAX_SOURCE_BYTES + 1))
    (scripts / "raw.lua").write_bytes(b"\xff\xfe")
    for name, what in (("big", "larger than 1024 KiB"), ("raw", "is not UTF-8 at byte 0")):
        with pytest.raises(IoError, match=rf"^scripts/{name}\.lua: {what}"):
            modules.read(name)


def test_what_it_holds(scripts: Path, modules: ModuleFolder, tmp_path: Path) -> None:
    assert modules.holds(scripts / "deep" / "a.lua")
    assert not modules.holds(tmp_path / "other" / "a.lua")
    assert not modules.holds(scripts / ".." / "a.lua")
