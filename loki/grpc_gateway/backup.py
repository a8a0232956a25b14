"""Backups: what the keeping child reads out goes to the client as fast as that takes it."""

import secrets

from loki.actors.role import Shell
from loki.errors import ErrorCode, ServiceUnavailable
from loki.grpc_gateway.auth import ClientRole
from loki.grpc_gateway.guard import Call, needs
from loki.messages.backup import BackupContents, BeginBackup, EndBackup, ReadBackup
from loki.messages.envelope import Message
from loki.messages.gateway import GatewayConfig
from loki.v1 import backup_pb2

LONGEST_PICTURE_S = 3600.0
"""A child that hangs is noticed by its heartbeats, much earlier; this bounds a huge one's copy."""
PIECE_TIMEOUT_S = 30.0


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

    def _keeper(self) -> str:
        """Raises: ServiceUnavailable."""
        if not self._config.keeper:
            raise ServiceUnavailable(
                "the settings switch off the child that keeps data",
                code=ErrorCode.CHILD_DISABLED,
            )
        return self._config.keeper


def _heard(_reply: Message) -> None:
    """Where the child died, its backup is over too."""


def contents_to_proto(contents: BackupContents) -> backup_pb2.BackupContents:
    made = backup_pb2.BackupContents(
        entries=contents.entries,
        size_bytes=contents.size_bytes,
        version=contents.version,
        schema=contents.schema,
        device=contents.device,
    )
    made.time.FromNanoseconds(contents.time_ns)
    return made
