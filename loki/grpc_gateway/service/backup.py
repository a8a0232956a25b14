"""Backups: what the keeping child reads out goes to the client as fast as that takes it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec

from loki.actors.door.role import Shell
from loki.errors import ErrorCode, InvalidArgument, LokiError, ServiceUnavailable
from loki.grpc_gateway.call.guard import Call, needs
from loki.messages.access import ClientRole
from loki.messages.backup import BackupContents, BeginBackup, EndBackup, ReadBackup
from loki.messages.envelope import Message, Request
from loki.messages.gateway import GatewayConfig
from loki.messages.restore import (
    BeginRestore,
    CheckRestore,
    ConfirmRestore,
    DescribeRestore,
    EndRestore,
    WriteRestore,
)
from loki.v1 import backup_pb2

LONGEST_PICTURE_S = 3600.0
"""A child that hangs is noticed by its heartbeats, much earlier; this bounds a huge one's copy."""
PIECE_TIMEOUT_S = 30.0
LONGEST_PIECE_BYTES = 1024 * 1024
LOOKS, LOOK_S = 300, 0.1
"""How often it is looked whether the keeper is back."""

R = TypeVar("R", bound=Message)


class BackupServicer:
    """`loki.v1.BackupService`."""

    def __init__(self, shell: Shell, config: GatewayConfig) -> None:
        self._shell = shell
        self._config = config

    @needs(ClientRole.ADMIN)
    async def CreateBackup(  # noqa: N802
        self, _request: backup_pb2.CreateBackupRequest, call: Call
    ) -> None:
        keeper, id_ = self._keeper(), secrets.token_hex(8)
        begin = BeginBackup(id=id_, reader=self._shell.name, version=self._config.version)
        try:
            begun = await self._shell.ask(
                keeper, begin, timeout_s=call.timeout_s(LONGEST_PICTURE_S)
            )
            told = backup_pb2.CreateBackupResponse(contents=contents_to_proto(begun.contents))
            await call.context.write(told)
            await self._send(keeper, id_, call)
        finally:  # Also where the client left.
            self._shell.request(keeper, EndBackup(id=id_), _heard, timeout_s=PIECE_TIMEOUT_S)

    async def _send(self, keeper: str, id_: str, call: Call) -> None:
        offset, last = 0, False
        while not last:
            read = ReadBackup(id=id_, offset=offset)
            piece = await self._shell.ask(keeper, read, timeout_s=call.timeout_s(PIECE_TIMEOUT_S))
            offset, last = offset + len(piece.data), piece.last
            sent = backup_pb2.BackupPiece(data=piece.data, sent_bytes=piece.sent_bytes)
            if piece.data:
                await call.context.write(backup_pb2.CreateBackupResponse(piece=sent))

    @needs(ClientRole.ADMIN)
    async def RestoreBackup(  # noqa: N802
        self, requests: AsyncIterator[backup_pb2.RestoreBackupRequest], call: Call
    ) -> None:
        restore = Restore(self._shell, self._keeper())
        try:
            await _next(requests, "begin")
            await restore.begin()
            while (request := await _next(requests, "data", "check")).HasField("data"):
                await restore.write(request.data)
            contents = contents_to_proto(await restore.check())
            await call.context.write(backup_pb2.RestoreBackupResponse(checked=contents))
            await _next(requests, "confirm")
            done = backup_pb2.RestoreDone(kept_aside=await restore.confirm())
            await call.context.write(backup_pb2.RestoreBackupResponse(restored=done))
        finally:
            restore.end()

    def _keeper(self) -> str:
        """Raises: ServiceUnavailable."""
        if not self._config.keeper:
            raise ServiceUnavailable(
                "the settings switch off the child that keeps data",
                code=ErrorCode.CHILD_DISABLED,
            )
        return self._config.keeper


class Restore:
    """One restore, as the keeper is asked for it."""

    def __init__(self, shell: Shell, keeper: str) -> None:
        self._shell = shell
        self._keeper = keeper
        self._id = secrets.token_hex(8)
        self._offset = 0

    async def begin(self) -> None:
        await self._ask(BeginRestore(id=self._id, writer=self._shell.name))

    async def write(self, data: bytes) -> None:
        """When it is answered there is room for more."""
        await self._ask(WriteRestore(id=self._id, offset=self._offset, data=data))
        self._offset += len(data)

    async def check(self) -> BackupContents:
        checked = await self._ask(CheckRestore(id=self._id), LONGEST_PICTURE_S)
        return checked.contents

    async def confirm(self) -> str:
        """Where the old state is kept. Raises: ServiceUnavailable where its end is not known."""
        await self._ask(ConfirmRestore(id=self._id))
        for _ in range(LOOKS):
            try:
                return (await self._ask(DescribeRestore(id=self._id))).kept_aside
            except LokiError as error:  # It ends, is away, or starts.
                last = error
            await asyncio.sleep(LOOK_S)
        raise ServiceUnavailable(
            f"the backup is decided on and will be in place when '{self._keeper}' starts, but it "
            f"does not: {last.message}"
        )

    def end(self) -> None:
        self._shell.request(
            self._keeper, EndRestore(id=self._id), _heard, timeout_s=PIECE_TIMEOUT_S
        )

    async def _ask(self, request: Request[R], timeout_s: float = PIECE_TIMEOUT_S) -> R:
        return await self._shell.ask(self._keeper, request, timeout_s=timeout_s)


async def _next(
    requests: AsyncIterator[backup_pb2.RestoreBackupRequest], *kinds: str
) -> backup_pb2.RestoreBackupRequest:
    """Raises: InvalidArgument for another one than is due, or for none."""
    async for request in requests:
        kind = request.WhichOneof("kind")
        if kind in kinds and len(request.data) <= LONGEST_PIECE_BYTES:
            return request
        raise InvalidArgument(f"{' or '.join(kinds)} is due, and not {kind or 'nothing'}")
    raise InvalidArgument(f"the requests ended before {' or '.join(kinds)}; nothing was changed")


def _heard(_reply: Message) -> None:
    """Where the child died, its backup is over too."""


def contents_to_proto(contents: BackupContents) -> backup_pb2.BackupContents:
    made = backup_pb2.BackupContents(
        entries=contents.entries,
        size_bytes=contents.size_bytes,
        version=contents.version,
        schema=contents.schema,
        device=contents.device,
        counts=backup_pb2.BackupCounts(**msgspec.structs.asdict(contents.counts)),
    )
    made.time.FromNanoseconds(contents.time_ns)
    return made
