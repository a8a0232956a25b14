"""A script as the system holds it, after its tool file or its registration was validated."""

from enum import Enum
from typing import TypeAlias

import msgspec

from loki.messages.value import NIL, Packed

Permissions: TypeAlias = dict[str, tuple[str, ...]]
"""Permission key -> what it allows: names, "*" for a flag that is set, "r"/"rw" for a mode."""


class ValueType(Enum):
    """A parameter's or a result's declared type."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    OBJECT = "object"
    ARRAY = "array"
    BYTES = "bytes"
    VOID = "void"  # Results only.
    ANY = "any"  # Results of ad-hoc scripts only.


class Origin(Enum):
    """Where a script comes from."""

    FILE = "file"  # A tool file on the device.
    REGISTERED = "registered"  # RegisterScript.
    ADHOC = "adhoc"  # Source sent along with one execution; never stored.


ADHOC_NAME = "adhoc"
"""Stands for the script of an execution whose source was sent along."""


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    type: ValueType
    required: bool = True
    description: str = ""
    default: Packed = NIL  # Null is no default.
    minimum: float | int | None = None
    maximum: float | int | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Budgets of one run. 0 is no limit, except for time and memory, which always have one."""

    max_execution_time_ms: int = 5000
    max_cpu_time_ms: int = 0
    max_cpu_percent: int = 50  # Of the whole device.
    max_memory_mb: int = 10  # The Lua heap, MiB.
    max_disk_mb: int = 0
    max_output_kb: int = 256
    max_calls_in_flight: int = 16  # Of children and other tools, at once.


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable revision of a script."""

    name: str
    source: str
    chunk: str  # What error messages call the source: a path, or the tool's name.
    description: str = ""
    language: str = "lua"
    parameters: tuple[Parameter, ...] = ()
    return_type: ValueType = ValueType.ANY
    limits: Limits = Limits()
    permissions: Permissions = {}
    wait_for_child_ms: int = 0  # For a child that is down when it is called.
    idempotent: bool = False  # Running it twice does no more than running it once.
    origin: Origin = Origin.FILE
    declared_in: str = ""  # File that holds its entry; refusals point there.
    revision: str = ""  # Hash of everything above that changes what a run does.
