"""Files as scripts call for them."""

from typing import Any

import pytest
from hel_actor.file import files
from hel_actor.messages import (
    AppendToFile,
    CreateDirectory,
    DeleteEntry,
    DeleteOptions,
    DescribeEntry,
    ListDirectory,
    ListOptions,
    ReadFile,
    SetStored,
    WriteFile,
)

from loki.errors import (
    ErrorCode,
    InvalidArgument,
    IoError,
    PermissionRefused,
    ResourceLimitExceeded,
)
from loki.messages.envelope import Done
from loki.messages.value import ScriptValue, pack, unpack
from tests.unit.children.hel_actor.calling import Start, run, text


def test_s_8_2_1_text_comes_back_as_text_and_bytes_as_bytes(start: Start) -> None:
    bench = start()
    for content in ("", "grün\n", b"\xff\x00"):
        assert bench.call(WriteFile(path="f", content=text(content)), run()) == Done()
        assert unpack(bench.call(ReadFile(path="f"), run()).content) == content
    assert bench.call(DeleteEntry(path="f"), run()) == Done()
    with pytest.raises(IoError) as missing:
        bench.call(ReadFile(path="f"), run())
    assert missing.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("content", [None, 5, 0.5, True, ["a"], {"a": "b"}])
def test_only_strings_can_be_written(start: Start, content: ScriptValue) -> None:
    bench = start()
    with pytest.raises(InvalidArgument, match="string"):
        bench.call(WriteFile(path="f", content=pack(content)), run())
    assert bench.call(ListDirectory(path="."), run()).names == ()


def test_s_8_2_2_directories(start: Start) -> None:
    bench = start()
    bench.call(CreateDirectory(path="notes/deep"), run())
    bench.call(WriteFile(path="notes/b", content=text("")), run())
    assert bench.call(ListDirectory(path="notes"), run()).names == ("b", "deep")


def test_s_8_2_2_names_by_pages(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = start()
    for name in "cab":
        bench.call(WriteFile(path=name, content=text("")), run())
    options = ListOptions(limit=2)
    assert bench.call(ListDirectory(path=".", options=options), run()).names == ("a", "b")
    options = ListOptions(limit=2, after="b")
    assert bench.call(ListDirectory(path=".", options=options), run()).names == ("c",)
    monkeypatch.setattr(files, "MAX_NAMES", 2)
    with pytest.raises(ResourceLimitExceeded, match="more than 2 names; ask for pages"):
        bench.call(ListDirectory(path="."), run())


def test_s_8_2_1_a_whole_folder_is_deleted_and_its_room_is_free(start: Start) -> None:
    bench = start(quota_mb=1)
    bench.call(CreateDirectory(path="d/e"), run())
    for name in ("d/a", "d/e/b"):
        bench.call(WriteFile(path=name, content=text("x" * 500_000)), run())
    with pytest.raises(IoError, match="not empty"):
        bench.call(DeleteEntry(path="d"), run())
    with pytest.raises(ResourceLimitExceeded):
        bench.call(WriteFile(path="f", content=text("x" * 1_000_000)), run())
    recursive = DeleteOptions(recursive=True)
    with pytest.raises(PermissionRefused):
        bench.call(DeleteEntry(path="d", options=recursive), run(files=("r",)))
    bench.call(DeleteEntry(path="d", options=recursive), run())
    assert bench.hel.ledger.used_bytes("tool") == 0
    bench.call(WriteFile(path="f", content=text("x" * 1_000_000)), run())


def test_max_file_kb_is_in_kib(start: Start) -> None:
    bench = start(max_file_kb=1)
    bench.call(WriteFile(path="f", content=text("x" * 1024)), run())
    with pytest.raises(ResourceLimitExceeded, match="max_file_kb"):
        bench.call(WriteFile(path="f", content=text("x" * 1025)), run())


def test_files_that_cannot_be_had_are_logged_and_the_rest_serves(
    start: Start, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "files").write_bytes(b"in the way")
    bench = start()
    with pytest.raises(IoError):
        bench.call(ReadFile(path="f"), run())
    assert "scripts have no files" in caplog.text
    assert bench.call(SetStored(key="k", value=pack(1)), run()) == Done()


def test_s_8_2_1_appending_and_describing(start: Start) -> None:
    bench = start()
    for line in ("one\n", "two\n"):
        assert bench.call(AppendToFile(path="log", content=text(line)), run()) == Done()
    entry = unpack(bench.call(DescribeEntry(path="log"), run()).entry)
    assert isinstance(entry, dict)
    assert (entry["type"], entry["size_bytes"]) == ("file", 8)
    folder = unpack(bench.call(DescribeEntry(path="."), run()).entry)
    assert isinstance(folder, dict)
    assert (folder["type"], folder["size_bytes"]) == ("directory", 0)
    with pytest.raises(PermissionRefused):
        bench.call(AppendToFile(path="log", content=text("")), run(files=("r",)))
