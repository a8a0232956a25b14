"""Backups as the gateway asks for them: one at a time, piece by piece, and nothing left behind."""

import io
import os
import tarfile
from concurrent.futures import Future
from typing import Any

import pytest
from hel_actor.backup.snapshot import STAGING
from hel_actor.messages import SetStored

from loki.errors import InvalidArgument, IoError, LokiError, ResourceLimitExceeded
from loki.messages.backup import BackupBegun, BeginBackup, EndBackup, ReadBackup
from loki.messages.envelope import Done, Message
from loki.messages.value import pack
from tests.unit.children.hel_actor.calling import Start, run


def ask(bench: Any, request: Message) -> Any:
    answer = bench.hel.services()[type(request)](request)
    return answer.result(timeout=20) if isinstance(answer, Future) else answer


def begin(bench: Any, id_: str = "b1") -> BackupBegun:
    begun: BackupBegun = ask(bench, BeginBackup(id=id_, reader="gateway", version="9.9"))
    return begun


def settled(bench: Any) -> None:
    bench.shell.workers["backup"].submit(lambda: None).result(20)


def test_the_pieces_are_an_archive_of_what_was_told(start: Start) -> None:
    bench = start()
    bench.call(SetStored(key="k", value=pack(b"x" * 50_000)), run())
    contents = begin(bench).contents
    assert (contents.version, contents.entries, contents.schema >= 1) == ("9.9", 1, True)
    whole, last = b"", False
    while not last:
        piece = ask(bench, ReadBackup(id="b1", offset=len(whole)))
        whole, last = whole + piece.data, piece.last
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        assert archive.getnames() == ["manifest.json", "hel.sqlite"]
        assert archive.getmember("hel.sqlite").size == contents.size_bytes
    assert ask(bench, EndBackup(id="b1")) == Done()
    settled(bench)
    assert not (bench.state_dir / STAGING).exists()


def test_a_piece_whose_answer_was_lost_can_be_asked_for_again(start: Start) -> None:
    bench = start()
    begin(bench)
    first = ask(bench, ReadBackup(id="b1", offset=0))
    assert ask(bench, ReadBackup(id="b1", offset=0)) == first
    end = ask(bench, ReadBackup(id="b1", offset=len(first.data)))
    assert (end.data, end.last) == (b"", True)
    assert ask(bench, ReadBackup(id="b1", offset=len(first.data))) == end
    with pytest.raises(InvalidArgument, match="is at byte"):
        ask(bench, ReadBackup(id="b1", offset=1))


def test_there_is_one_at_a_time(start: Start) -> None:
    bench = start()
    begin(bench)
    with pytest.raises(ResourceLimitExceeded, match="already"):
        begin(bench, "b2")
    ask(bench, EndBackup(id="b2"))  # Not its own.
    assert ask(bench, ReadBackup(id="b1", offset=0)).data
    ask(bench, EndBackup(id="b1"))
    assert begin(bench, "b2").contents.entries == 1
    with pytest.raises(IoError, match="is over"):
        ask(bench, ReadBackup(id="b1", offset=0))


def test_it_ends_with_who_reads_it(start: Start) -> None:
    bench = start()
    begin(bench)
    bench.hel.lost("runner-1", 5)
    assert ask(bench, ReadBackup(id="b1", offset=0)).data
    bench.hel.lost("gateway", 5)
    settled(bench)
    assert not (bench.state_dir / STAGING).exists()
    assert begin(bench, "b2").contents.entries == 1


def test_a_stop_in_the_middle_leaves_nothing(start: Start) -> None:
    bench = start()
    begin(bench)
    assert (bench.state_dir / STAGING).exists()
    bench.close()
    assert not (bench.state_dir / STAGING).exists()


def test_a_start_removes_what_a_kill_left(start: Start) -> None:
    bench = start()
    begin(bench)
    bench.close()
    (bench.state_dir / STAGING).mkdir()
    settled(start())
    assert not (bench.state_dir / STAGING).exists()


def test_a_picture_that_failed_makes_room_for_the_next(start: Start) -> None:
    bench = start()
    begin(bench)
    ask(bench, EndBackup(id="b1"))
    settled(bench)
    files = bench.state_dir / "files"
    files.rename(bench.state_dir / "elsewhere")
    files.write_bytes(b"in the way")
    with pytest.raises(LokiError, match="files of scripts would be missing"):
        begin(bench, "b2")
    ask(bench, EndBackup(id="b2"))
    files.unlink()
    os.mkfifo(bench.state_dir / STAGING)  # Nobody knows why; it is ours by its name.
    assert begin(bench, "b3").contents.entries == 1
