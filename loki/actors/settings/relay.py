"""The root's part in the settings: what the starter asks of those whom only the root may ask."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future

from loki.actors.door.role import Context, Handler, Shell
from loki.errors import ErrorCode, PermissionRefused
from loki.messages.configuration import RecordSettings
from loki.messages.envelope import Failure, Message
from loki.messages.settings import KeepSettings, SettingsKept

KEEP_TIMEOUT_S = 1.5


class SettingsRelay:
    """Asks the root's children on the starter's behalf."""

    def __init__(self, shell: Shell, starter_pid: Callable[[], int]) -> None:
        """`starter_pid` is 0 where nobody started the root."""
        self._shell = shell
        self._starter_pid = starter_pid

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {RecordSettings: self._record}

    def _record(self, request: RecordSettings, context: Context) -> "Future[SettingsKept]":
        self._require_starter(context)
        kept: Future[SettingsKept] = Future()

        def settle(reply: SettingsKept | Failure) -> None:
            if isinstance(reply, Failure):
                kept.set_exception(reply.error())
            else:
                kept.set_result(reply)

        keep = KeepSettings(text=request.text, time_ns=self._shell.clock.now_ns())
        self._shell.request(request.keeper, keep, settle, timeout_s=KEEP_TIMEOUT_S)
        return kept

    def _require_starter(self, context: Context) -> None:
        if context.peer_pid == 0 or context.peer_pid != self._starter_pid():
            raise PermissionRefused(
                f"{context.peer} is not the starter, whose settings these are",
                code=ErrorCode.ROLE,
            )
