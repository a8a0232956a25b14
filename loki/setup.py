"""What a system is made from: the settings, and what follows from them for each of its actors."""

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from loki import __version__
from loki.child import Child
from loki.config import LoadedSettings, load_settings
from loki.core.address import UNIX, is_socket, path_of
from loki.errors import ConfigurationError
from loki.messages.dispatch import DispatcherConfig
from loki.messages.gateway import GatewayConfig
from loki.messages.library import LibraryConfig
from loki.messages.log import LogConfig
from loki.security_setting import access_config


@dataclass(frozen=True, slots=True)
class Part:
    """A child as this device runs it."""

    child: Child
    enabled: bool
    config: msgspec.Raw
    back_end: str


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that the system is made from."""

    loaded: LoadedSettings
    parts: tuple[Part, ...]
    library: LibraryConfig
    dispatcher: DispatcherConfig
    gateway: GatewayConfig

    @property
    def instance_dir(self) -> Path:
        return self.loaded.state_dir


def load(
    config: Path | None, tools: Path | None, options: Mapping[str, str] = MappingProxyType({})
) -> Setup:
    """`options` tells which variables stand for an option of the command line.

    Raises: ConfigurationError with a line for each problem of the settings.
    """
    return setup_of(load_settings(config, tools, options=options))


def setup_of(loaded: LoadedSettings) -> Setup:
    """What a Loki with these settings is made from; the folder of scripts is made too.

    Raises: ConfigurationError.
    """
    parts = tuple(_part(loaded, name) for name in loaded.settings.children)
    modules = tuple(part.child.module for part in parts)
    disabled = tuple(part.child.name for part in parts if not part.enabled)
    keeper = _keeper(loaded, parts)
    library = LibraryConfig(
        tools=str(loaded.tools),
        tools_named=loaded.tools_named_by == "--tools" or loaded.tools.name != "tools.toml",
        script_storage_path=str(loaded.storage()),
        state_dir=str(loaded.state_dir),
        modules=modules,
        watch=True,
        keeper=keeper,
        default_permissions=loaded.permissions("default_permissions", modules),
        default_limits=loaded.settings.limits(),
        ceiling=loaded.settings.ceiling(),
    )
    queue = loaded.settings.queue
    dispatcher = DispatcherConfig(
        modules=modules,
        keeper=keeper,
        disabled=disabled,
        default_limits=library.default_limits,
        ceiling=library.ceiling,
        adhoc_permissions=loaded.permissions("adhoc_permissions", modules),
        warm_runners=queue.runners or os.cpu_count() or 1,
        most_runners=queue.max_runners,
        longest_queue=queue.max_length,
        script_cache_size=loaded.settings.script_cache_size,
        heartbeat_s=loaded.settings.supervision.heartbeat_ms / 1000,
        run_dir=str(loaded.state_dir / "run"),
    )
    gateway = _gateway(loaded, parts, keeper)
    return Setup(loaded, parts, library, dispatcher, gateway)


def require_sound(loaded: LoadedSettings) -> None:
    """What `setup_of` would refuse; nothing is made. Raises: ConfigurationError."""
    parts = tuple(_part(loaded, name) for name in loaded.settings.children)
    modules = tuple(part.child.module for part in parts)
    for table in ("default_permissions", "adhoc_permissions"):
        loaded.permissions(table, modules)
    _gateway(loaded, parts, _keeper(loaded, parts))


def complete(loaded: LoadedSettings) -> dict[str, object]:
    """All settings as plain data, those of children that nothing sets too. They must be sound."""
    data: dict[str, Any] = loaded.settings.model_dump(mode="json")
    sections = dict(data["children_config"])
    for name in loaded.settings.children:
        child = child_of(name)
        own = loaded.child(child.name, named(child.config)).own.model_dump(mode="json")
        given = sections.get(child.name, {})
        sections[child.name] = {"enabled": True, **given, **_without_none(own)}
    return data | {"children_config": sections}


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    """TOML has no word for what is not there."""
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if value is not None
    }


def _gateway(loaded: LoadedSettings, parts: Sequence[Part], keeper: str) -> GatewayConfig:
    return GatewayConfig(
        host=_host(loaded),
        port=loaded.settings.grpc_port,
        version=__version__,
        keeper=keeper,
        back_ends={part.child.name: part.back_end for part in parts if part.back_end},
        log=_log(loaded),
        access=access_config(
            loaded.settings.security, lambda path: str(loaded.resolve(path)), os.environ
        ),
        grpc=loaded.settings.grpc.config(),
        http=loaded.settings.http.config(),
    )


def _host(loaded: LoadedSettings) -> str:
    host = loaded.settings.grpc_host
    return f"{UNIX}{loaded.resolve(path_of(host))}" if is_socket(host) else host


def _keeper(loaded: LoadedSettings, parts: Sequence[Part]) -> str:
    keepers = [part.child.module.child for part in parts if part.child.keeps and part.enabled]
    if len(keepers) > 1:
        raise ConfigurationError(
            f"{loaded.path or 'settings'}: children: {' and '.join(keepers)} both keep Loki's own "
            "data; switch one of them off"
        )
    return keepers[0] if keepers else ""


def _log(loaded: LoadedSettings) -> LogConfig:
    return LogConfig(
        folder=str(loaded.state_dir / "log"),
        max_bytes=loaded.settings.logging.max_file_mb * 1024 * 1024,
        files=loaded.settings.logging.files,
    )


def _part(loaded: LoadedSettings, name: str) -> Part:
    try:
        child = child_of(name)
    except (ImportError, AttributeError, ValueError, TypeError, SyntaxError) as error:
        raise ConfigurationError(
            f"{loaded.path or 'settings'}: children: '{name}' is no child: {error}"
        ) from error
    section = loaded.child(child.name, named(child.config))
    if section.missed_heartbeats is not None:
        child = replace(child, missed_heartbeats=section.missed_heartbeats)
    values = section.own.model_dump(mode="json") | {"state_dir": str(loaded.state_dir)}
    config = msgspec.Raw(msgspec.msgpack.encode(values))
    return Part(child, section.enabled, config, str(values.get("backend", "")))


def named(path: str) -> Any:
    """What "module:attribute" names."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def child_of(name: str) -> Child:
    """Raises: ImportError, AttributeError."""
    child: Child = importlib.import_module(name).CHILD
    return child
