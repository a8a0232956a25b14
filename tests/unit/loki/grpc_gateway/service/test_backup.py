"""Backups through a real gateway and its client: order, back-pressure's end, and every refusal."""

import io
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import grpc
import msgspec
import pytest

from loki.client import LokiClient, LokiClientError
from loki.errors import ErrorCode, InvalidArgument, ResourceLimitExceeded, ServiceUnavailable
from loki.grpc_gateway.server import BACKUPS
from loki.grpc_gateway.service.backup import BackupServicer
from loki.messages.access import ClientRole
from loki.messages.backup import (
    BackupBegun,
    BackupContents,
    BackupCounts,
    BackupPiece,
    BeginBackup,
    EndBackup,
    ReadBackup,
)
from loki.messages.envelope import Done, Message
from loki.messages.restore import (
    BeginRestore,
    CheckRestore,
    ConfirmRestore,
    DescribeRestore,
    EndRestore,
    RestoreChecked,
    RestoreDone,
    WriteRestore,
)
from loki.v1 import backup_pb2, backup_pb2_grpc

COUNTS = BackupCounts(
    scripts=1,
    revisions=2,
    values=3,
    executions=4,
    files=5,
    series=6,
    rows=7,
    strange_series=8,
    missing_series=9,
)
CONTENTS = BackupContents(
    entries=3,
    size_bytes=10,
    version="9.9",
    schema=4,
    time_ns=1_500_000_000,
    device="lab",
    counts=COUNTS,
)
PIECES = {0: b"abc", 3: b"defg", 7: b""}


def answer(shell: Any) -> None:
    shell.answers[BeginBackup] = lambda _: BackupBegun(contents=CONTENTS)
    shell.answers[ReadBackup] = lambda asked: BackupPiece(
        data=PIECES[asked.offset], sent_bytes=asked.offset, last=not PIECES[asked.offset]
    )
    shell.answers[EndBackup] = lambda _: Done()


@pytest.fixture
def client(shell: Any, host: Callable[..., Any]) -> Any:
    answer(shell)
    with LokiClient(host(shell, keeper="hel").address, patience_s=0) as client:
        yield client


def whole(client: LokiClient) -> bytes:
    with client.create_backup() as stream:
        stream.contents()
        return b"".join(stream)


def test_contents_come_first_then_all_bytes_in_order(shell: Any, client: LokiClient) -> None:
    with client.create_backup() as stream:
        contents = stream.contents()
        assert (contents.entries, contents.schema, contents.device) == (3, 4, "lab")
        assert contents.time.timestamp() == 1.5
        assert contents.counts is not None
        assert asdict(contents.counts) == msgspec.structs.asdict(COUNTS)
        assert list(stream) == [b"abc", b"defg"]
        assert stream.sent_bytes == 3
    ended = shell.wait_for(EndBackup)
    ((peer, begun, _),) = shell.sent(BeginBackup)
    assert (peer, begun.reader, begun.version) == ("hel", "gateway", "9.9")
    assert {each.id for _, each, _ in shell.sent(ReadBackup)} == {begun.id} == {ended.id}


def test_a_client_that_leaves_ends_its_backup(shell: Any, client: LokiClient) -> None:
    endless = BackupPiece(data=bytes(100_000), sent_bytes=1, last=False)
    shell.answers[ReadBackup] = lambda _: endless
    with client.create_backup() as stream:
        stream.contents()
        assert len(next(stream)) == 100_000
    assert shell.wait_for(EndBackup).id == shell.sent(BeginBackup)[0][1].id


@pytest.mark.parametrize("at", [BeginBackup, ReadBackup])
def test_an_error_of_the_keeper_reaches_the_client(
    shell: Any, client: LokiClient, at: type[Message]
) -> None:
    def refuse(_: Message) -> Message:
        raise ResourceLimitExceeded("somebody makes one already")

    shell.answers[at] = refuse
    with pytest.raises(LokiClientError) as raised:
        whole(client)
    assert (raised.value.reason, raised.value.message) == ("QUOTA", "somebody makes one already")
    assert shell.wait_for(EndBackup)


def test_a_keeper_that_is_away_is_no_bug_at_the_end_either(shell: Any, client: LokiClient) -> None:
    def away(_: Message) -> Message:
        raise ServiceUnavailable("hel is not there")

    shell.answers[ReadBackup] = shell.answers[EndBackup] = away
    with pytest.raises(LokiClientError) as raised:
        whole(client)
    assert raised.value.reason == ErrorCode.CHILD_DOWN.value


def test_without_a_keeper_there_is_none(shell: Any, hosted: Any) -> None:
    with (
        LokiClient(hosted.address, patience_s=0) as client,
        pytest.raises(LokiClientError) as raised,
    ):
        whole(client)
    assert raised.value.reason == ErrorCode.CHILD_DISABLED.value
    assert shell.sent(BeginBackup) == []


def test_every_method_needs_the_role_of_an_administrator() -> None:
    roles = {method.name: getattr(BackupServicer, method.name).role for method in BACKUPS.methods}
    assert set(roles.values()) == {ClientRole.ADMIN}


# Restoring.


class Keeper:
    """Answers as a child does: it is away for a moment after a restore was confirmed."""

    def __init__(self, shell: Any, *, away: int = 2) -> None:
        self.archive = b""
        self.asked: list[str] = []
        self._away = away
        for kind in (BeginRestore, WriteRestore, CheckRestore, ConfirmRestore, EndRestore):
            shell.answers[kind] = self._answer
        shell.answers[DescribeRestore] = self._describe

    def _answer(self, request: Any) -> Message:
        self.asked.append(type(request).__name__)
        if isinstance(request, WriteRestore):
            assert request.offset == len(self.archive)
            self.archive += request.data
        return RestoreChecked(contents=CONTENTS) if isinstance(request, CheckRestore) else Done()

    def _describe(self, _: DescribeRestore) -> Message:
        self._away -= 1
        if self._away >= 0:
            raise ServiceUnavailable("hel is not there")
        return RestoreDone(kept_aside="before-restore-1")


ARCHIVE = bytes(range(256)) * 4000


def test_all_bytes_arrive_and_it_is_done_when_the_keeper_is_back(
    shell: Any, client: LokiClient
) -> None:
    keeper = Keeper(shell)
    with client.restore_backup(io.BytesIO(ARCHIVE)) as stream:
        assert stream.checked().device == "lab"
        assert "ConfirmRestore" not in keeper.asked
        assert stream.restore() == "before-restore-1"
    assert keeper.archive == ARCHIVE
    assert stream.sent_bytes == len(ARCHIVE)
    assert shell.sent(BeginRestore)[0][1].writer == "gateway"
    assert len({each.id for _, each, _ in shell.sent(WriteRestore)}) == 1


def test_a_client_that_leaves_before_it_confirms_changes_nothing(
    shell: Any, client: LokiClient
) -> None:
    keeper = Keeper(shell)
    with client.restore_backup(io.BytesIO(ARCHIVE)) as stream:
        stream.checked()
    shell.wait_for(EndRestore)
    assert "ConfirmRestore" not in keeper.asked


def test_what_the_keeper_refuses_reaches_the_client(shell: Any, client: LokiClient) -> None:
    Keeper(shell)

    def refuse(_: CheckRestore) -> Message:
        raise InvalidArgument("this is no backup")

    shell.answers[CheckRestore] = refuse
    with (
        client.restore_backup(io.BytesIO(ARCHIVE)) as stream,
        pytest.raises(LokiClientError, match="this is no backup"),
    ):
        stream.checked()
    assert shell.wait_for(EndRestore)


def test_an_archive_that_cannot_be_read_is_the_clients_own_error(
    shell: Any, client: LokiClient
) -> None:
    keeper = Keeper(shell)
    with (
        open("/proc/self/mem", "rb") as archive,
        client.restore_backup(archive) as stream,
        pytest.raises(OSError, match="Input/output"),
    ):
        stream.checked()
    assert "CheckRestore" not in keeper.asked


def kinds(*names: str) -> Iterator[backup_pb2.RestoreBackupRequest]:
    made = {
        "begin": backup_pb2.RestoreBackupRequest(begin=backup_pb2.RestoreBegin()),
        "data": backup_pb2.RestoreBackupRequest(data=b"x"),
        "much": backup_pb2.RestoreBackupRequest(data=bytes(1024 * 1024 + 1)),
        "check": backup_pb2.RestoreBackupRequest(check=backup_pb2.RestoreCheck()),
        "confirm": backup_pb2.RestoreBackupRequest(confirm=backup_pb2.RestoreConfirm()),
        "nothing": backup_pb2.RestoreBackupRequest(),
    }
    return iter([made[name] for name in names])


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), "the requests ended before begin"),
        (("data",), "begin is due, and not data"),
        (("begin", "confirm"), "data or check is due, and not confirm"),
        (("begin", "data", "nothing"), "data or check is due, and not nothing"),
        (("begin", "much"), "data or check is due"),
        (("begin", "data"), "the requests ended before data or check"),
        (("begin", "check"), "the requests ended before confirm"),
        (("begin", "check", "check"), "confirm is due, and not check"),
    ],
)
def test_requests_in_another_order_are_refused(
    shell: Any, host: Callable[..., Any], names: tuple[str, ...], reason: str
) -> None:
    keeper = Keeper(shell)
    with grpc.insecure_channel(host(shell, keeper="hel").address) as channel:
        stub = backup_pb2_grpc.BackupServiceStub(channel)
        with pytest.raises(grpc.RpcError) as raised:
            list(stub.RestoreBackup(kinds(*names)))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason in raised.value.details()
    assert "ConfirmRestore" not in keeper.asked


def test_bytes_that_are_no_request_are_refused(shell: Any, host: Callable[..., Any]) -> None:
    keeper = Keeper(shell)
    with grpc.insecure_channel(host(shell, keeper="hel").address) as channel:
        call = channel.stream_stream("/loki.v1.BackupService/RestoreBackup")
        with pytest.raises(grpc.RpcError) as raised:
            list(call(iter([b"\xff\xff"])))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert keeper.asked in ([], ["EndRestore"])


def test_a_keeper_that_does_not_come_back_is_told_of(
    shell: Any, client: LokiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loki.grpc_gateway.service.backup.LOOKS", 2)
    Keeper(shell, away=99)
    with client.restore_backup(io.BytesIO(ARCHIVE)) as stream:
        stream.checked()
        with pytest.raises(LokiClientError, match="will be in place when 'hel' starts"):
            stream.restore()
