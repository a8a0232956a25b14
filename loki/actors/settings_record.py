"""Has the settings that this Loki runs with kept, for who asks later what had changed."""

import json

import tomlkit

from loki.actors.role import Shell
from loki.messages.envelope import Failure
from loki.messages.settings import KeepSettings, SettingsKept

TIMEOUT_S = 5.0
AFTER_S = 1.0
"""A start has more urgent things to do."""


class SettingsRecord:
    """The keeper knows whether they are new."""

    def __init__(self, shell: Shell, keeper: str, settings: str) -> None:
        """`settings` are JSON, without secrets."""
        self._shell = shell
        self._keeper = keeper
        self._settings = settings
        self._due = False

    def keep(self) -> None:
        """Soon; of several calls in a row one counts. Where that fails, the log says so."""
        if self._settings and not self._due:
            self._due = True
            self._shell.later(AFTER_S, self._tell)

    def _tell(self) -> None:
        self._due = False
        text, now_ns = as_toml(self._settings), self._shell.clock.now_ns()
        request = KeepSettings(text=text, time_ns=now_ns)
        self._shell.request(self._keeper, request, self._told, timeout_s=TIMEOUT_S)

    def _told(self, reply: SettingsKept | Failure) -> None:
        if isinstance(reply, Failure):
            self._shell.log.warning("this version of the settings is not kept: %s", reply.message)


def as_toml(settings: str) -> str:
    """As versions are kept; two that differ in nothing have one text. `settings` are JSON."""
    return tomlkit.dumps(json.loads(settings))
