"""Between settings of `loki.v1` and those of the actors; no decisions."""

import json
from collections.abc import Iterator

from loki.messages.configuration import (
    ChangeSettings,
    Setting,
    SettingEdit,
    SettingEffect,
    SettingsDescribed,
    SettingsEdited,
    SettingSource,
)
from loki.messages.settings import SettingsListed
from loki.v1 import settings_pb2

NAME_OF_SOURCE = {source: f"SETTING_SOURCE_{source.name}" for source in SettingSource}
NAME_OF_EFFECT = {effect: f"SETTING_EFFECT_{effect.name}" for effect in SettingEffect}


def described(found: SettingsDescribed) -> settings_pb2.GetSettingsResponse:
    return settings_pb2.GetSettingsResponse(
        version=found.version,
        settings=map(setting_to_proto, found.settings),
        file=found.file,
        problem=found.problem,
    )


def change_of(request: settings_pb2.UpdateSettingsRequest, principal: str) -> ChangeSettings:
    return ChangeSettings(
        edits=tuple(
            SettingEdit(
                key=edit.key, value=edit.value_json if edit.HasField("value_json") else None
            )
            for edit in request.edits
        ),
        principal=principal,
        expected_version=request.expected_version,
        validate_only=request.validate_only,
    )


def changed(found: SettingsEdited) -> settings_pb2.UpdateSettingsResponse:
    return settings_pb2.UpdateSettingsResponse(
        version=found.version, changed=map(setting_to_proto, found.changed)
    )


def setting_to_proto(setting: Setting) -> settings_pb2.Setting:
    return settings_pb2.Setting(
        key=setting.key,
        value_json=setting.value,
        source=NAME_OF_SOURCE[setting.source],
        origin=setting.origin,
        effect=NAME_OF_EFFECT[setting.effect],
        running_json=setting.running,
    )


def setting_of(key: str, value: object) -> settings_pb2.Setting:
    """Of an earlier version, of which only that is known."""
    return settings_pb2.Setting(key=key, value_json=json.dumps(value, ensure_ascii=False))


def versions(listed: SettingsListed) -> settings_pb2.ListSettingsVersionsResponse:
    return settings_pb2.ListSettingsVersionsResponse(versions=_versions(listed))


def _versions(listed: SettingsListed) -> Iterator[settings_pb2.SettingsVersion]:
    for each in listed.versions:
        version = settings_pb2.SettingsVersion(version=each.number)
        version.time.FromNanoseconds(each.time_ns)
        yield version
