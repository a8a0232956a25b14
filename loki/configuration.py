"""The settings of one `loki serve`: those that its file says, and those that hold."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from loki.actors.settings.watch import Reread
from loki.config import MOST_BYTES, LoadedSettings, load_settings, validated
from loki.core.settings.change import MISSING, changes, merged
from loki.core.settings.guard import require_admin, require_open, require_told
from loki.errors import ConfigurationError, InvalidArgument
from loki.messages.configuration import (
    ChangeSettings,
    Setting,
    SettingEdit,
    SettingsDescribed,
    SettingsEdited,
    SettingSource,
)
from loki.messages.tree import SupervisorConfig
from loki.settings_edit import Edit, edited, read_key, read_value
from loki.settings_file import read_raw, replace_text
from loki.settings_view import shown, source_of, view
from loki.setup import Setup, complete, require_sound, setup_of

WINS = (SettingSource.ENVIRONMENT, SettingSource.OPTION)
MOST_EDITS = 1000
HELD_BACK = ((), ("security",), ("children_config",), ("security", "children_config"))
"""Tables that refer to others: to TLS, and to the children that there are."""


class Configuration:
    """What `loki.actors.settings.owner` and `watch` are given."""

    def __init__(self, setup: Setup, plan: Callable[[Setup], SupervisorConfig]) -> None:
        self.setup = setup
        """What holds: what a system is made from that starts now."""
        self._plan = plan
        self._wanted = setup.loaded
        self._problem = ""

    @property
    def file(self) -> Path:
        return self._wanted.file

    @property
    def keeper(self) -> str:
        return self.setup.library.keeper

    @property
    def record(self) -> str:
        return json.dumps(shown(self._wanted.settings))

    def describe(self, version: int) -> SettingsDescribed:
        return SettingsDescribed(
            version=version,
            file=str(self.file) if self._wanted.path else "",
            settings=self._view(self._wanted),
            problem=self._problem,
        )

    def change(self, request: ChangeSettings) -> SettingsEdited:
        """May block; for one thread at a time. Raises: LokiError, and nothing has changed."""
        edits = self._edits(request.edits)
        path = self._wanted.path or self.file
        there = self._wanted.path is not None or path.exists()
        before = read_raw(path, MOST_BYTES) if there else ""
        self._as_if(path, before)  # What is wrong with it already is for its owner to mend.
        after = edited(before, edits, as_json=path.suffix == ".json")
        wanted = self._sound(path, after)
        require_admin(request.principal, plain(wanted))
        changed = self._changed(wanted)
        if not request.validate_only:
            if after != before:
                replace_text(path, after, before)
            self._wanted = wanted
        return SettingsEdited(version=0, changed=changed)

    def _edits(self, asked: tuple[SettingEdit, ...]) -> list[Edit]:
        """Raises: LokiError for what may not be changed from outside."""
        if not 0 < len(asked) <= MOST_EDITS:
            text = f"{len(asked)} edits are given; 1 to {MOST_EDITS} may be"
            raise InvalidArgument(text, details={"field": "edits"})
        edits = []
        for each in asked:
            at = read_key(each.key)
            value = MISSING if each.value is None else read_value(each.key, each.value)
            source, origin = source_of(self._wanted, at)
            require_open(at, origin if source in WINS else "")
            require_told(at, value)
            edits.append(Edit(at, value))
        return edits

    def _sound(self, path: Path, text: str) -> LoadedSettings:
        """Raises: InvalidArgument that tells every mistake with its line."""
        try:
            wanted = self._as_if(path, text)
            require_sound(wanted)
        except ConfigurationError as error:
            raise InvalidArgument(f"{error.message}; nothing has changed") from error
        return wanted

    def _as_if(self, path: Path, text: str) -> LoadedSettings:
        """The settings if the file had that text. Raises: ConfigurationError."""
        return load_settings(path, self._tools, options=self._wanted.options, text=text)

    @property
    def _tools(self) -> Path | None:
        """The tool file, where an option names it."""
        return self._wanted.tools if self._wanted.tools_named_by == "--tools" else None

    def _changed(self, wanted: LoadedSettings) -> tuple[Setting, ...]:
        """What differs from the settings before, as they would be shown."""
        before, after = complete(self._wanted), complete(wanted)
        keys = {change.key for change in changes(before, after)}
        return tuple(entry for entry in self._view(wanted) if entry.key in keys)

    def _view(self, wanted: LoadedSettings) -> tuple[Setting, ...]:
        return view(wanted, complete(wanted), complete(self.setup.loaded))

    def reread(self) -> Reread:
        """Raises: ConfigurationError. A file that was there may not be missing."""
        wanted = load_settings(self._wanted.path, self._tools, options=self._wanted.options)
        require_sound(wanted)
        setup = self._as_far_as_can_be(wanted)
        before, now, then = map(complete, (self.setup.loaded, setup.loaded, wanted))
        return Reread(
            plan=self._plan(setup),
            changed=tuple(change.key for change in changes(before, now)),
            waiting=tuple(change.key for change in changes(now, then)),
            hold=lambda: self._hold(setup, wanted),
        )

    def _as_far_as_can_be(self, wanted: LoadedSettings) -> Setup:
        """What holds without a restart: where a part cannot without what waits, it waits too."""
        held, new = plain(self.setup.loaded), plain(wanted)
        for back in HELD_BACK:
            try:
                settings = validated(merged(held, new, back), wanted.where)
                return setup_of(replace(wanted, settings=settings))
            except ConfigurationError:
                continue
        return setup_of(replace(wanted, settings=self.setup.loaded.settings))

    def _hold(self, setup: Setup, wanted: LoadedSettings) -> None:
        self.setup, self._wanted, self._problem = setup, wanted, ""

    def refuse(self, problem: str) -> None:
        self._problem = problem


def plain(loaded: LoadedSettings) -> dict[str, object]:
    return loaded.settings.model_dump(mode="json")
