"""The settings of a device, as plain Python: what they are, and what they were."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc

from loki.v1 import settings_pb2, settings_pb2_grpc


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting."""

    key: str  # As in TOML: "queue.max_length".
    value: Any  # As JSON has it; "(hidden)" is a secret.
    source: str  # "default", "file", "environment" or "option"; "" of an earlier version.
    origin: str  # File and line, the variable, or the option; "" of a default.
    effect: str  # When a change holds: "now", "next_run" or "restart"; "" of an earlier version.
    waits: bool  # Whether it holds after a restart only; `running` does until then.
    running: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of one version."""

    version: int  # 0 where none is kept.
    settings: tuple[Setting, ...]  # By key.
    file: str  # "" where there is none, and of an earlier version.
    problem: str  # Why the file as it is now is not used; "" where it is.
    time: datetime | None  # UTC; since when an earlier version held.

    def __getitem__(self, key: str) -> Any:
        """The value of that key. Raises: KeyError."""
        return next_of(self.settings, key).value


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsVersion:
    """One version that is kept."""

    version: int
    time: datetime  # UTC.


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsUpdate:
    """What an update did, or would do."""

    version: int  # As in Settings.
    changed: tuple[Setting, ...]  # What differs from before.


class SettingsClient:
    """The calls of `loki.v1.SettingsService`; a `LokiClient` has one."""

    def __init__(self, channel: grpc.Channel, call: Callable[[Any, Any], Any]) -> None:
        """`call` makes a call with a request, and raises LokiClientError."""
        stub = settings_pb2_grpc.SettingsServiceStub
        self._stub: Any = stub(channel)  # type: ignore[no-untyped-call]  # Generated so.
        self._call = call

    def get(self, version: int = 0) -> Settings:
        """The settings as they are, or an earlier version. Raises: LokiClientError, as all here."""
        request = settings_pb2.GetSettingsRequest(version=version)
        return settings_of(self._call(self._stub.GetSettings, request))

    def update(
        self,
        values: Mapping[str, Any],
        *,
        remove: Iterable[str] = (),
        expected_version: int = 0,
        validate_only: bool = False,
    ) -> SettingsUpdate:
        """Change keys of the settings' file, all or none; those in `remove` get their defaults.

        `values` are plain data, by key: `{"queue.max_length": 50}`. With an `expected_version`,
        only if the settings are of that version still.

        Raises: also ValueError for a value that is none in JSON.
        """
        request = update_request(values, remove, expected_version, validate_only)
        return update_of(self._call(self._stub.UpdateSettings, request))

    def versions(self) -> list[SettingsVersion]:
        """Those that are kept, the newest first."""
        request = settings_pb2.ListSettingsVersionsRequest()
        return [
            SettingsVersion(version=each.version, time=each.time.ToDatetime(UTC))
            for each in self._call(self._stub.ListSettingsVersions, request).versions
        ]


def update_request(
    values: Mapping[str, Any], remove: Iterable[str], expected_version: int, validate_only: bool
) -> settings_pb2.UpdateSettingsRequest:
    """Raises: ValueError for a value that is none in JSON."""
    request = settings_pb2.UpdateSettingsRequest(
        expected_version=expected_version, validate_only=validate_only
    )
    for key, value in values.items():
        try:
            request.edits.add(key=key, value_json=json.dumps(value, allow_nan=False))
        except TypeError as error:
            raise ValueError(f"{key}: {error}") from error
    for key in remove:
        request.edits.add(key=key)
    return request


def update_of(response: settings_pb2.UpdateSettingsResponse) -> SettingsUpdate:
    return SettingsUpdate(
        version=response.version, changed=tuple(map(_setting_of, response.changed))
    )


def next_of(settings: tuple[Setting, ...], key: str) -> Setting:
    """The one with that key. Raises: KeyError."""
    for setting in settings:
        if setting.key == key:
            return setting
    raise KeyError(key)


def settings_of(response: settings_pb2.GetSettingsResponse) -> Settings:
    return Settings(
        version=response.version,
        settings=tuple(map(_setting_of, response.settings)),
        file=response.file,
        problem=response.problem,
        time=response.time.ToDatetime(UTC) if response.HasField("time") else None,
    )


def _setting_of(setting: settings_pb2.Setting) -> Setting:
    return Setting(
        key=setting.key,
        value=json.loads(setting.value_json),
        source=_word(settings_pb2.SettingSource, "SETTING_SOURCE_", setting.source),
        origin=setting.origin,
        effect=_word(settings_pb2.SettingEffect, "SETTING_EFFECT_", setting.effect),
        waits=bool(setting.running_json),
        running=json.loads(setting.running_json or setting.value_json),
    )


def _word(enum: Any, prefix: str, number: int) -> str:
    """Such as "next_run"; "" where nothing is said, the number where a newer server says more."""
    known: dict[int, str] = {value: name for name, value in enum.items()}
    word = known.get(number, str(number)).removeprefix(prefix).lower()
    return "" if word == "unspecified" else word
