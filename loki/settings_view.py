"""The settings as people are shown them: by key, each with what gave it its value."""

import json
from collections.abc import Iterator, Mapping

from loki.config import LoadedSettings, Settings
from loki.core.settings.change import MISSING, Keys, effect_of, found_at, key_text, leaves
from loki.messages.configuration import Setting, SettingSource
from loki.tool.redaction import redacted


def shown(settings: Settings) -> dict[str, object]:
    """As plain data, without secrets."""
    return hidden(settings.model_dump(mode="json"))


def hidden(data: Mapping[str, object]) -> dict[str, object]:
    """Without secrets."""
    return {key: redacted(value, key) for key, value in data.items()}


def view(
    loaded: LoadedSettings, wanted: Mapping[str, object], held: Mapping[str, object]
) -> tuple[Setting, ...]:
    """Every key that there is, in order: what `loaded` comes to, and what holds now."""
    return tuple(sorted(_entries(loaded, wanted, held), key=lambda setting: setting.key))


def _entries(
    loaded: LoadedSettings, wanted: Mapping[str, object], held: Mapping[str, object]
) -> Iterator[Setting]:
    visible, visibly_held = hidden(wanted), hidden(held)
    for at, value in leaves(visible):
        source, origin = source_of(loaded, at)
        differs = found_at(wanted, at) != found_at(held, at)
        yield Setting(
            key=key_text(at),
            value=as_json(value),
            source=source,
            origin=origin,
            effect=effect_of(at),
            running=as_json(found_at(visibly_held, at)) if differs else "",
        )
    for at, value in leaves(visibly_held):
        if found_at(wanted, at) is MISSING:
            yield Setting(
                key=key_text(at),
                value="null",
                source=SettingSource.DEFAULT,
                effect=effect_of(at),
                running=as_json(value),
            )


def source_of(loaded: LoadedSettings, at: Keys) -> tuple[SettingSource, str]:
    """What gave that key its value, and where that is."""
    if at == ("tools",) and loaded.tools_named_by:
        option = loaded.tools_named_by.startswith("--")
        source = SettingSource.OPTION if option else SettingSource.ENVIRONMENT
        return source, loaded.tools_named_by
    if variable := _around(loaded.variables, at):
        if option_name := loaded.options.get(variable):
            return SettingSource.OPTION, option_name
        return SettingSource.ENVIRONMENT, variable
    if found_at(loaded.in_file, at) is not MISSING:
        return SettingSource.FILE, loaded.where(at)
    return SettingSource.DEFAULT, ""


def _around(variables: Mapping[tuple[str | int, ...], str], at: Keys) -> str:
    """The variable that sets that key, or a table around it; "" where none does."""
    starts = (at[:end] for end in range(len(at), 0, -1))
    return next((variables[start] for start in starts if start in variables), "")


def as_json(value: object) -> str:
    """What is not there is null."""
    return json.dumps(None if value is MISSING else value, ensure_ascii=False)
