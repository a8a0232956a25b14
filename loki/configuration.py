"""The settings of one `loki serve`: those that its file says, and those that hold."""

from loki.messages.configuration import SettingsDescribed
from loki.settings_view import view
from loki.setup import Setup


class Configuration:
    """What `loki.actors.settings_owner` is given."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        """What holds: what a system is made from that starts now."""
        self._wanted = setup.loaded

    @property
    def keeper(self) -> str:
        return self.setup.library.keeper

    @property
    def record(self) -> str:
        return self.setup.library.settings

    def describe(self, version: int) -> SettingsDescribed:
        return SettingsDescribed(
            version=version,
            file=str(self._wanted.path.absolute()) if self._wanted.path else "",
            settings=view(self._wanted, self.setup.loaded.settings),
        )
