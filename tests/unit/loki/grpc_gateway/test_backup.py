"""Backups through a real gateway and its client: order, back-pressure's end, and every refusal."""

from collections.abc import Callable
from typing import Any

import pytest

from loki.client import LokiClient, LokiClientError
from loki.errors import ErrorCode, ResourceLimitExceeded, ServiceUnavailable
from loki.grpc_gateway.auth import ClientRole
from loki.grpc_gateway.backup import BackupServicer
from loki.grpc_gateway.server import BACKUPS
from loki.messages.backup import (
    BackupBegun,
    BackupContents,
    BackupPiece,
    BeginBackup,
    EndBackup,
    ReadBackup,
)
from loki.messages.envelope import Done, Message

CONTENTS = BackupContents(
    entries=3, size_bytes=10, version="9.9", schema=4, time_ns=1_500_000_000, device="lab"
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
    with LokiClient(host(shell, keeper="hel").address) as client:
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
    with LokiClient(hosted.address) as client, pytest.raises(LokiClientError) as raised:
        whole(client)
    assert raised.value.reason == ErrorCode.CHILD_DISABLED.value
    assert shell.sent(BeginBackup) == []


def test_every_method_needs_the_role_of_an_administrator() -> None:
    roles = {method.name: getattr(BackupServicer, method.name).role for method in BACKUPS.methods}
    assert set(roles.values()) == {ClientRole.ADMIN}
