"""The settings: from TOML or JSON and the environment, validated, every problem at once."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Generic, Literal, Self, TypeVar

import tomlkit
from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from loki.core.name import suggest
from loki.core.run.limit import NAMES, exceeds
from loki.environment import from_environment, overlaid
from loki.errors import ConfigurationError
from loki.grpc_setting import GrpcSettings
from loki.http_setting import HttpSettings
from loki.messages.lua_module import LuaModule
from loki.messages.script import Limits, Permissions
from loki.security_setting import SecuritySettings, exposed
from loki.tool.document import Document, parse_document, read_text, whole_path
from loki.tool.permission import read_permissions
from loki.tool.problem import (
    Breach,
    Place,
    Problem,
    Table,
    broken,
    key_of,
    problems_of,
    show,
)

DEFAULT_CHILDREN = ("fenrir_actor", "jormungandr_actor", "hel_actor")
DEFAULT_FILE = "loki.toml"
DEFAULT_STATE_DIR = "~/.local/state/loki"
DEFAULT_TOOLS = "tools.toml"
MOST_BYTES = 256 * 1024
"""Of a file with settings: all mistakes of such a one are found within a second."""
MOST_MISSED = 1000  # Heartbeats.

Whole = Annotated[int, Field(ge=0, le=2**31 - 1)]
Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]
Percent = Annotated[int, Field(ge=1, le=100)]
ChildModel = TypeVar("ChildModel", bound=BaseModel)


class CeilingSettings(Table):
    """What no tool may exceed; 0 is no ceiling where 0 is allowed."""

    max_execution_time_ms: Positive = 600_000  # Wall time of a run, waiting included.
    max_cpu_time_ms: Whole = 0  # CPU time of a run.
    max_cpu_percent: Percent = 100  # Percent of the whole device, all its cores; throttles.
    max_memory_mb: Positive = 256  # MiB of Lua heap.
    max_disk_mb: Whole = 0  # MiB that it keeps.
    max_output_kb: Whole = 8192  # KiB that it prints.
    max_calls_in_flight: Whole = 256  # Calls of a run that wait for answers at once.


class ResourceLimitSettings(Table):
    """What a tool gets that asks for nothing; 0 is no limit where 0 is allowed."""

    max_execution_time_ms: Positive = 5000  # Wall time of a run, waiting included.
    max_cpu_time_ms: Whole = 0  # CPU time of a run.
    max_cpu_percent: Percent = 50  # Percent of the whole device, all its cores; throttles.
    max_memory_mb: Positive = 10  # MiB of Lua heap.
    max_disk_mb: Whole = 0  # MiB that it keeps; 0 leaves it to the quota of the device.
    max_output_kb: Whole = 256  # KiB that it prints.
    max_calls_in_flight: Whole = 16  # Calls of a run that wait for answers at once.
    ceiling: CeilingSettings = CeilingSettings()

    @model_validator(mode="after")
    def _under_ceiling(self) -> Self:
        breaches = [
            Breach((name,), asked, f"is more than its ceiling, ceiling.{name} = {top}")
            for name in NAMES
            if exceeds(asked := getattr(self, name), top := getattr(self.ceiling, name))
        ]
        if breaches:
            raise broken(*breaches)
        return self


class QueueSettings(Table):
    max_length: Positive = 1000  # Runs that may wait for a runner.
    max_runners: Annotated[int, Field(ge=1, le=256)] = 16  # Processes that run scripts.
    runners: Whole = 0  # Of them, kept warm; 0 is one for each core.

    @field_validator("runners")
    @classmethod
    def _at_most_max(cls, runners: int, info: ValidationInfo) -> int:
        most = info.data.get("max_runners", runners)
        if runners > most:
            raise ValueError(f"must be at most queue.max_runners = {most}")
        return runners


class SupervisionSettings(Table):
    """How many restarts are too many, and how soon a hang is noticed."""

    intensity: Whole = 3  # Restarts of Loki's parts within period_s; one more and all starts anew.
    period_s: Annotated[float, Field(gt=0, le=3600)] = 5.0  # See intensity.
    heartbeat_ms: Annotated[int, Field(ge=0, le=60_000)] = 500  # Three missed is a hang; 0 is off.


class LoggingSettings(Table):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"
    """This and worse is logged."""
    max_file_mb: Annotated[int, Field(ge=1, le=1024)] = 5  # MiB of each file.
    files: Annotated[int, Field(ge=1, le=100)] = 2  # So many are kept; the newest counts.


class Settings(Table):
    """All settings of one device."""

    grpc_port: Annotated[int, Field(ge=0, le=65535)] = 50070  # TCP; 0 is any free one.
    grpc_host: str = "127.0.0.1"  # An IP address, or "unix:PATH", a socket.
    children: tuple[str, ...] = DEFAULT_CHILDREN  # Modules of the parts that scripts can call.
    script_storage_path: str = ""  # Folder of scripts; "" is that of the tool file.
    script_cache_size: Annotated[int, Field(ge=0, le=10_000)] = 100
    """Compiled scripts that each runner keeps, within 8 MiB; 0 keeps none."""
    state_dir: str = DEFAULT_STATE_DIR  # Folder of all that Loki keeps.
    tools: str = DEFAULT_TOOLS  # The tool file.
    resource_limits: ResourceLimitSettings = ResourceLimitSettings()
    queue: QueueSettings = QueueSettings()
    supervision: SupervisionSettings = SupervisionSettings()
    children_config: dict[str, dict[str, object]] = {}
    security: SecuritySettings = SecuritySettings()
    grpc: GrpcSettings = GrpcSettings()
    http: HttpSettings = HttpSettings()
    logging: LoggingSettings = LoggingSettings()

    @field_validator("children", mode="before")
    @classmethod
    def _list_of_names(cls, names: object) -> object:
        return tuple(names) if isinstance(names, list) else names

    @field_validator("children")
    @classmethod
    def _distinct(cls, modules: tuple[str, ...]) -> tuple[str, ...]:
        names = [short_name(module) for module in modules]
        if doubles := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"must not name '{doubles[0]}' twice")
        return modules

    @field_validator("children_config")
    @classmethod
    def _of_children(
        cls, sections: dict[str, dict[str, object]], info: ValidationInfo
    ) -> dict[str, dict[str, object]]:
        known = [short_name(module) for module in info.data.get("children", sections)]
        text = f" (children: {', '.join(known) or 'none'})"
        strangers = [
            Breach((name,), section, f"is no child{suggest(name, known)}{text}")
            for name, section in sections.items()
            if name not in known
        ]
        if strangers:
            raise broken(*strangers)
        return sections

    @model_validator(mode="after")
    def _safely_reachable(self) -> Self:
        if text := exposed(self.grpc_host, self.security):
            raise broken(Breach(("grpc_host",), self.grpc_host, text))
        return self

    def limits(self) -> Limits:
        return Limits(**self.resource_limits.model_dump(exclude={"ceiling"}))

    def ceiling(self) -> Limits:
        return Limits(**self.resource_limits.ceiling.model_dump())

    def to_json(self) -> str:
        return self.model_dump_json(indent=2)

    def to_toml(self) -> str:
        return tomlkit.dumps(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, text: str, file: Path = Path("settings.json")) -> "Settings":
        """`file` is what errors call the text.

        Raises: ConfigurationError with a line for each problem.
        """
        document = parse_document(text, file)
        return validated(document.data, document.where)

    @classmethod
    def from_toml(cls, text: str, file: Path = Path("settings.toml")) -> "Settings":
        """As `from_json`."""
        return cls.from_json(text, file)


@dataclass(frozen=True, slots=True)
class ChildSection(Generic[ChildModel]):
    """`[children_config.<child>]`: what Loki makes of it, and the child's own settings."""

    enabled: bool
    missed_heartbeats: int | None  # None leaves it to the child.
    own: ChildModel


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and what they are relative to."""

    settings: Settings
    folder: Path
    path: Path | None  # None where no file was there and the defaults hold.
    warnings: tuple[str, ...] = ()
    where: Callable[[Place], str] = field(default=lambda _place: "settings", repr=False)
    """File and line of a key, or the environment variable that sets it."""

    tools_named_by: str = ""  # The option or variable that names the tool file, where one does.
    in_file: Mapping[str, object] = field(default_factory=dict, repr=False)
    variables: Mapping[Place, str] = field(default_factory=dict)  # That set a key, by its place.
    options: Mapping[str, str] = field(default_factory=dict)  # That set such a variable.

    def resolve(self, path: str) -> Path:
        """Relative paths start at the settings' file; `~` is the user's home.

        Raises: ConfigurationError for what is no path.
        """
        return whole_path(self.folder, path, self.path or "settings")

    @property
    def file(self) -> Path:
        """Where the settings' file is, or would be."""
        return (self.path or self.folder / DEFAULT_FILE).absolute()

    @property
    def state_dir(self) -> Path:
        return self.resolve(self.settings.state_dir)

    @property
    def tools(self) -> Path:
        return self.resolve(self.settings.tools)

    def require_tools(self) -> None:
        """Raises: ConfigurationError where the tool file that was named for now is missing.

        One that the settings name may come later: it is a problem that is shown until then.
        """
        if self.tools_named_by and not self.tools.is_file():
            what = "is no regular file" if self.tools.exists() else "no such file"
            raise ConfigurationError(f"{self.tools}: {what} ({self.tools_named_by} names it)")

    def storage(self) -> Path:
        """The folder of script files, made if it is missing. Raises: ConfigurationError."""
        if not self.settings.script_storage_path:
            return self.tools.parent
        path = self.resolve(self.settings.script_storage_path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            text = f"cannot be created: {error.strerror}; name a folder that Loki may write"
            raise self._refusal((), Breach(("script_storage_path",), str(path), text)) from error
        return path

    def permissions(self, table: str, modules: tuple[LuaModule, ...]) -> Permissions:
        """`default_permissions` or `adhoc_permissions`. Raises: ConfigurationError."""
        allowed, breaches = read_permissions(getattr(self.settings.security, table), modules)
        if breaches:
            raise self._refusal(("security", table), *breaches)
        return allowed

    def child(self, name: str, model: type[ChildModel]) -> "ChildSection[ChildModel]":
        """What the settings say of a child.

        Raises: ConfigurationError with a line for each problem.
        """
        table = dict(self.settings.children_config.get(name, {}))
        enabled, address = table.pop("enabled", True), table.pop("address", "")
        missed = table.pop("missed_heartbeats", None)
        at: Place = ("children_config", name)
        if not isinstance(enabled, bool):
            raise self._refusal(at, Breach(("enabled",), enabled, "must be true or false"))
        if missed is not None and (type(missed) is not int or not 0 <= missed <= MOST_MISSED):
            text = f"must be a whole number from 0 to {MOST_MISSED}"
            raise self._refusal(at, Breach(("missed_heartbeats",), missed, text))
        if address != "":
            text = "children on other devices need a cluster, which this version does not offer"
            raise self._refusal(at, Breach(("address",), address, text))
        try:
            return ChildSection(enabled, missed, model.model_validate(table))
        except ValidationError as error:
            raise _error(problems_of(error, model, self.where, at=at)) from error

    def _refusal(self, at: Place, *breaches: Breach) -> ConfigurationError:
        places = [((*at, *breach.at), breach) for breach in breaches]
        return _error(
            Problem(self.where(place), "", key_of(place), show(breach), breach.text)
            for place, breach in places
        )


def short_name(module: str) -> str:
    """`hel_actor` -> `hel`: what a child is called everywhere but in `children`."""
    return module.rpartition(".")[2].removesuffix("_actor")


def load_settings(
    path: Path | None,
    tools: Path | None,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, str] = MappingProxyType({}),
    text: str | None = None,
) -> LoadedSettings:
    """Settings from the file at `path`, then the environment, then `tools` from the command line.

    A `path` of None is `loki.toml` here, if it is there. `options` tells which variables stand for
    an option. A `text` counts as the file's. Raises: ConfigurationError, a line for each problem.
    """
    variables = os.environ if environment is None else environment
    file = path or Path(DEFAULT_FILE)
    absent = text is None and path is None and not file.exists()
    warnings = (f"{file.absolute()} is not there; the defaults hold",) if absent else ()
    if text is None and not absent:
        text = read_text(file, MOST_BYTES)
    document = Document(file, {}) if text is None else parse_document(text, file)
    overlay = from_environment(variables)
    data = overlaid(document.data, {place: value for place, (_, value) in overlay.items()})
    names = {place: name for place, (name, _) in overlay.items()}

    def where(place: Place) -> str:
        around = (names[place[:end]] for end in range(len(place), 0, -1) if place[:end] in names)
        return next(around, "") or document.where(place)

    named_by, named = _tools_named(tools, variables)
    settings = validated(data, where).model_copy(update=named)
    folder, path = file.absolute().parent, None if absent else file
    return LoadedSettings(
        settings, folder, path, warnings, where, named_by, document.data, names, options
    )


def _tools_named(tools: Path | None, variables: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """What names the tool file for now, "" where nothing does; and the setting that it makes."""
    if tools is not None:
        return "--tools", {"tools": str(tools.absolute())}
    if "LOKI_TOOLS" in variables:
        return "LOKI_TOOLS", {"tools": str(Path(variables["LOKI_TOOLS"]).absolute())}
    return "", {}


def validated(data: object, where: Callable[[Place], str]) -> Settings:
    """Raises: ConfigurationError with a line for each problem; `where` says where it is."""
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise _error(problems_of(error, Settings, where)) from error


def _error(problems: Iterable[Problem]) -> ConfigurationError:
    return ConfigurationError("\n".join(map(str, problems)))
