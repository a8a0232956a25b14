"""The root of the tree: a supervisor whose own supervisor is the starter; it keeps the events."""

from collections.abc import Mapping

from loki.actors.base import lifeline
from loki.actors.door.role import Context, Handler, Shell
from loki.actors.settings.relay import SettingsRelay
from loki.actors.tree.event_log import EventKeeper
from loki.actors.tree.supervisor import Supervisor
from loki.messages.envelope import Message
from loki.messages.lifecycle import STARTER, SystemFailed, SystemUp


class Root(Supervisor):
    """LokiActor."""

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self._keeper = EventKeeper(shell, self._may_tell)
        self._relay = SettingsRelay(shell, lifeline.starter_pid)

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {**super().handlers(), **self._keeper.handlers(), **self._relay.handlers()}

    def _may_tell(self, context: Context) -> bool:
        """Of what everybody may know: its children, and whoever started it."""
        starter = context.peer_pid == lifeline.starter_pid() != 0
        return starter or self.is_child(context.peer, context)

    def started(self) -> None:
        self.shell.ready()
        super().started()

    def lost(self, peer: str, pid: int) -> None:
        self._keeper.lost(peer, pid)
        super().lost(peer, pid)

    def stepped(self) -> None:
        self._keeper.children_are(self.statuses())

    def came_up(self) -> None:
        self.shell.send(STARTER, SystemUp(details=self.details))

    def failed(self, name: str, reason: str) -> None:
        self.shell.send(STARTER, SystemFailed(name=name, reason=reason))
        super().failed(name, reason)
