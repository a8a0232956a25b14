"""A tool's definition: its schema, its rules, and the script that it becomes."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, cast

import msgspec
from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from loki.core.name import NAME
from loki.core.run import argument
from loki.core.run.limit import clamp, exceeds, override
from loki.core.weight import too_heavy
from loki.errors import ConfigurationError, InvalidArgument
from loki.messages.script import Origin, Parameter, Permissions, Script, ValueType
from loki.messages.value import ScriptValue, pack
from loki.tool.document import read_text
from loki.tool.permission import known_keys, read_permissions
from loki.tool.problem import MISSING, Breach, Table, broken
from loki.tool.revision import revision_of
from loki.tool.rule import Rules
from loki.v1_name import camel_case

MAX_SOURCE_BYTES = 1024 * 1024
MAX_DESCRIPTION = 4096
MAX_PARAMETERS = 64
MAX_DEFAULTS_BYTES = 256 * 1024  # Of all parameters together; clients of gRPC take 4 MiB in all.
MAX_PATTERNS_BYTES = 64 * 1024
ParameterType: TypeAlias = Literal[
    "string", "integer", "number", "boolean", "object", "array", "bytes"
]
ReturnType: TypeAlias = Literal[
    "string", "integer", "number", "boolean", "object", "array", "bytes", "void"
]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a definition stands; pydantic's validation context."""

    rules: Rules
    folder: Path | None  # Of the tool file; None for an upload, which has no paths.

    @classmethod
    def of(cls, info: ValidationInfo) -> "Surroundings":
        return cast(Surroundings, info.context)


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError("must be 1 to 64 of a-z, A-Z, 0-9 and _, with no digit first")
    if not camel_case(name)[:1].isalpha():
        raise ValueError("must have one of a-z, A-Z before its first digit")
    return name


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


Name: TypeAlias = Annotated[str, AfterValidator(_name)]
Number: TypeAlias = Annotated[object, AfterValidator(_number)]
Description: TypeAlias = Annotated[str, Field(max_length=MAX_DESCRIPTION)]
AtLeastOne: TypeAlias = Annotated[int, Field(ge=1, le=2**31 - 1)]
AtLeastZero: TypeAlias = Annotated[int, Field(ge=0, le=2**31 - 1)]
Percent: TypeAlias = Annotated[int, Field(ge=1, le=100)]


class ParameterDefinition(Table):
    """One argument that callers give by name."""

    name: Name
    type: ParameterType
    required: bool | None = None
    """Without it: a parameter that has a default may be left out, any other may not."""
    description: Description = ""
    minimum: Number = None
    maximum: Number = None
    default: object = None

    @field_validator("minimum", "maximum")
    @classmethod
    def _only_for_numbers(cls, bound: object, info: ValidationInfo) -> object:
        if info.data.get("type", "number") not in ("integer", "number"):
            raise ValueError(f"only integers and numbers have a range, not {info.data['type']}")
        return bound

    @field_validator("maximum")
    @classmethod
    def _above_minimum(cls, maximum: int | float, info: ValidationInfo) -> int | float:
        minimum = info.data.get("minimum")
        if minimum is not None and maximum < minimum:
            raise ValueError(f"must be at least the minimum, {minimum}")
        return maximum

    @field_validator("default")
    @classmethod
    def _fits(cls, default: object, info: ValidationInfo) -> object:
        if info.data.get("required"):
            raise ValueError("a required parameter has no default; drop one of the two")
        if {"name", "type", "minimum", "maximum"} <= info.data.keys() and default is not None:
            try:
                argument.fit(_parameter(info.data), cast(ScriptValue, default))
            except InvalidArgument as error:
                raise ValueError(error.message.partition(": ")[2]) from error
        return default

    def parameter(self) -> Parameter:
        """What the system holds of it."""
        parameter = _parameter(self.__dict__)
        if self.default is None:
            required = self.required is not False
            return msgspec.structs.replace(parameter, required=required)
        default = pack(argument.fit(parameter, cast(ScriptValue, self.default)))
        return msgspec.structs.replace(parameter, required=False, default=default)


class SourceDefinition(Table):
    """The source, inline or in a file beside the tool file: exactly one of the two."""

    path: str | None = None
    inline: str | None = None
    _source: str = PrivateAttr("")

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> "SourceDefinition":
        if (self.path is None) == (self.inline is None):
            text = 'give exactly one of path = "FILE.lua" and inline = "SOURCE"'
            raise broken(Breach((), self.model_dump(exclude_none=True), text))
        if self.path is not None:
            self._source = _read_source(self.path, Surroundings.of(info))
        else:
            self._source = _checked_source(self.inline or "", "inline", self.inline)
        return self

    @property
    def source(self) -> str:
        """As it was when this definition was read."""
        return self._source


class LimitsDefinition(Table):
    """Budgets that differ from the settings' own; each at most its ceiling."""

    max_execution_time_ms: AtLeastOne | None = None
    max_cpu_time_ms: AtLeastZero | None = None
    max_cpu_percent: Percent | None = None
    max_memory_mb: AtLeastOne | None = None
    max_disk_mb: AtLeastZero | None = None
    max_output_kb: AtLeastZero | None = None
    max_calls_in_flight: AtLeastZero | None = None

    @field_validator("*")
    @classmethod
    def _under_ceiling(cls, asked: int | None, info: ValidationInfo) -> int | None:
        name = cast(str, info.field_name)
        ceiling: int = getattr(Surroundings.of(info).rules.ceiling, name)
        if asked is not None and exceeds(asked, ceiling):
            raise ValueError(
                f"is more than the ceiling, resource_limits.ceiling.{name} = {ceiling}"
            )
        return asked


class ToolDefinition(Table):
    """One entry of a tool file, or one upload."""

    name: Name
    description: Description = ""
    language: Literal["lua"] = "lua"
    parameters: Annotated[list[ParameterDefinition], Field(max_length=MAX_PARAMETERS)] = []
    return_type: ReturnType
    script: SourceDefinition
    idempotent: bool = False
    """Whether a run may be repeated whose process died in the middle of it."""
    wait_for_child_ms: AtLeastZero = 0
    """How long a call waits, within the run's time, for a child that is down."""
    limits: LimitsDefinition = LimitsDefinition.model_construct()
    permissions: dict[str, tuple[str, ...]] | None = None
    """None is the settings' default_permissions; an empty table allows nothing."""

    @field_validator("parameters", mode="before")
    @classmethod
    def _light(cls, tables: object) -> object:
        """Before any of it is read: every list of scripts tells of the defaults."""
        defaults = [
            table.get("default")
            for table in (tables if isinstance(tables, list) else ())
            if isinstance(table, dict)
        ]
        if too_heavy(defaults, MAX_DEFAULTS_BYTES):
            text = (
                f"have defaults of more than {MAX_DEFAULTS_BYTES // 1024} KiB together, as gRPC "
                "sends them; let the script itself hold what is longer"
            )
            raise broken(Breach((), MISSING, text))
        return tables

    @field_validator("parameters")
    @classmethod
    def _distinct(cls, parameters: list[ParameterDefinition]) -> list[ParameterDefinition]:
        seen: dict[str, str] = {}
        breaches = []
        for index, name in enumerate(parameter.name for parameter in parameters):
            if other := seen.get(camel_case(name)):
                breaches.append(Breach((index, "name"), name, collision(name, other)))
            seen.setdefault(camel_case(name), name)
        if breaches:
            raise broken(*breaches)
        return parameters

    @field_validator("permissions", mode="before")
    @classmethod
    def _known_keys(cls, table: object, info: ValidationInfo) -> object:
        if not isinstance(table, dict):
            return table
        rules = Surroundings.of(info).rules
        if rules.elsewhere:
            here = known_keys(rules.modules)
            table = {name: value for name, value in table.items() if name in here}
        allowed, breaches = read_permissions(table, rules.modules)
        if breaches:
            raise broken(*breaches)
        size_bytes = sum(len(each.encode()) for patterns in allowed.values() for each in patterns)
        if size_bytes > MAX_PATTERNS_BYTES:
            text = f"have {size_bytes} bytes, and may have {MAX_PATTERNS_BYTES} together"
            raise broken(Breach((), MISSING, text))
        return allowed

    def as_script(self, rules: Rules, origin: Origin, declared_in: str) -> Script:
        """The script, its limits under the ceiling and its revision set; not yet compiled."""
        own = self.limits.model_dump(exclude_none=True)
        manifest: Permissions | None = self.permissions
        script = Script(
            name=self.name,
            source=self.script.source,
            chunk=self.script.path or self.name,
            description=self.description,
            language=self.language,
            parameters=tuple(parameter.parameter() for parameter in self.parameters),
            return_type=ValueType(self.return_type),
            limits=clamp(override(rules.defaults, own), rules.ceiling),
            permissions=dict(rules.default_permissions if manifest is None else manifest),
            idempotent=self.idempotent,
            wait_for_child_ms=self.wait_for_child_ms,
            origin=origin,
            declared_in=declared_in,
        )
        return msgspec.structs.replace(script, revision=revision_of(script))


def collision(name: str, other: str) -> str:
    """Why two names cannot both be offered."""
    if name == other:
        return "is given twice; names must differ"
    return f"is '{camel_case(name)}' in CamelCase, as '{other}' is; names must differ there too"


def _parameter(data: dict[str, object]) -> Parameter:
    return Parameter(
        name=cast(str, data["name"]),
        type=ValueType(data["type"]),
        description=cast(str, data.get("description", "")),
        minimum=cast("int | float | None", data["minimum"]),
        maximum=cast("int | float | None", data["maximum"]),
    )


def _read_source(path: str, surroundings: Surroundings) -> str:
    """The text of a file inside the script storage."""
    folder = surroundings.folder
    if folder is None:
        raise broken(Breach(("path",), path, "an upload brings its source along: use inline"))
    try:
        storage = (surroundings.rules.script_storage_path or folder).resolve()
        file = (folder / path).resolve()
    except (RuntimeError, ValueError) as error:  # A loop of links, a NUL.
        raise broken(Breach(("path",), path, f"is no path: {error}")) from error
    if not file.is_relative_to(storage):
        text = f"leads out of the script storage {storage}; move the file there"
        raise broken(Breach(("path",), path, text))
    try:
        source = read_text(file, MAX_SOURCE_BYTES)
    except ConfigurationError as error:
        raise broken(Breach(("path",), path, error.message)) from error
    return _checked_source(source, "path", path)


def _checked_source(source: str, key: str, shown: str | None) -> str:
    if not source.strip():
        raise broken(Breach((key,), shown, "the script is empty"))
    if len(source.encode()) > MAX_SOURCE_BYTES:
        raise broken(Breach((key,), shown, f"is longer than {MAX_SOURCE_BYTES // 1024} KiB"))
    return source.replace("\r\n", "\n")
