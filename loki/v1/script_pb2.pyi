import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from loki.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ValueType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VALUE_TYPE_UNSPECIFIED: _ClassVar[ValueType]
    VALUE_TYPE_STRING: _ClassVar[ValueType]
    VALUE_TYPE_INTEGER: _ClassVar[ValueType]
    VALUE_TYPE_NUMBER: _ClassVar[ValueType]
    VALUE_TYPE_BOOLEAN: _ClassVar[ValueType]
    VALUE_TYPE_OBJECT: _ClassVar[ValueType]
    VALUE_TYPE_ARRAY: _ClassVar[ValueType]
    VALUE_TYPE_BYTES: _ClassVar[ValueType]
    VALUE_TYPE_VOID: _ClassVar[ValueType]
    VALUE_TYPE_ANY: _ClassVar[ValueType]

class ScriptOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCRIPT_ORIGIN_UNSPECIFIED: _ClassVar[ScriptOrigin]
    SCRIPT_ORIGIN_FILE: _ClassVar[ScriptOrigin]
    SCRIPT_ORIGIN_REGISTERED: _ClassVar[ScriptOrigin]
VALUE_TYPE_UNSPECIFIED: ValueType
VALUE_TYPE_STRING: ValueType
VALUE_TYPE_INTEGER: ValueType
VALUE_TYPE_NUMBER: ValueType
VALUE_TYPE_BOOLEAN: ValueType
VALUE_TYPE_OBJECT: ValueType
VALUE_TYPE_ARRAY: ValueType
VALUE_TYPE_BYTES: ValueType
VALUE_TYPE_VOID: ValueType
VALUE_TYPE_ANY: ValueType
SCRIPT_ORIGIN_UNSPECIFIED: ScriptOrigin
SCRIPT_ORIGIN_FILE: ScriptOrigin
SCRIPT_ORIGIN_REGISTERED: ScriptOrigin

class ParameterDefinition(_message.Message):
    __slots__ = ("name", "type", "required", "description", "default_value", "minimum", "maximum")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: ValueType
    required: bool
    description: str
    default_value: _value_pb2.ScriptValue
    minimum: _value_pb2.ScriptValue
    maximum: _value_pb2.ScriptValue
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[ValueType, str]] = ..., required: _Optional[bool] = ..., description: _Optional[str] = ..., default_value: _Optional[_Union[_value_pb2.ScriptValue, _Mapping]] = ..., minimum: _Optional[_Union[_value_pb2.ScriptValue, _Mapping]] = ..., maximum: _Optional[_Union[_value_pb2.ScriptValue, _Mapping]] = ...) -> None: ...

class ResourceLimits(_message.Message):
    __slots__ = ("max_execution_time_ms", "max_cpu_time_ms", "max_cpu_percent", "max_memory_mb", "max_disk_mb", "max_output_kb", "max_calls_in_flight")
    MAX_EXECUTION_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_CPU_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_CPU_PERCENT_FIELD_NUMBER: _ClassVar[int]
    MAX_MEMORY_MB_FIELD_NUMBER: _ClassVar[int]
    MAX_DISK_MB_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_KB_FIELD_NUMBER: _ClassVar[int]
    MAX_CALLS_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    max_execution_time_ms: int
    max_cpu_time_ms: int
    max_cpu_percent: int
    max_memory_mb: int
    max_disk_mb: int
    max_output_kb: int
    max_calls_in_flight: int
    def __init__(self, max_execution_time_ms: _Optional[int] = ..., max_cpu_time_ms: _Optional[int] = ..., max_cpu_percent: _Optional[int] = ..., max_memory_mb: _Optional[int] = ..., max_disk_mb: _Optional[int] = ..., max_output_kb: _Optional[int] = ..., max_calls_in_flight: _Optional[int] = ...) -> None: ...

class PermissionManifest(_message.Message):
    __slots__ = ("keys",)
    class KeysEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: PermissionPatterns
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[PermissionPatterns, _Mapping]] = ...) -> None: ...
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.MessageMap[str, PermissionPatterns]
    def __init__(self, keys: _Optional[_Mapping[str, PermissionPatterns]] = ...) -> None: ...

class PermissionPatterns(_message.Message):
    __slots__ = ("patterns",)
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    patterns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, patterns: _Optional[_Iterable[str]] = ...) -> None: ...

class ScriptDefinition(_message.Message):
    __slots__ = ("name", "description", "source", "language", "parameters", "return_type", "limits", "permissions", "idempotent", "wait_for_child_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    RETURN_TYPE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    PERMISSIONS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_CHILD_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    source: str
    language: str
    parameters: _containers.RepeatedCompositeFieldContainer[ParameterDefinition]
    return_type: ValueType
    limits: ResourceLimits
    permissions: PermissionManifest
    idempotent: bool
    wait_for_child_ms: int
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., source: _Optional[str] = ..., language: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[ParameterDefinition, _Mapping]]] = ..., return_type: _Optional[_Union[ValueType, str]] = ..., limits: _Optional[_Union[ResourceLimits, _Mapping]] = ..., permissions: _Optional[_Union[PermissionManifest, _Mapping]] = ..., idempotent: _Optional[bool] = ..., wait_for_child_ms: _Optional[int] = ...) -> None: ...

class Script(_message.Message):
    __slots__ = ("definition", "revision", "origin", "method")
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    definition: ScriptDefinition
    revision: str
    origin: ScriptOrigin
    method: str
    def __init__(self, definition: _Optional[_Union[ScriptDefinition, _Mapping]] = ..., revision: _Optional[str] = ..., origin: _Optional[_Union[ScriptOrigin, str]] = ..., method: _Optional[str] = ...) -> None: ...

class ScriptRevision(_message.Message):
    __slots__ = ("revision", "principal", "register_time", "current", "current_principal", "current_time")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    REGISTER_TIME_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    CURRENT_PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    CURRENT_TIME_FIELD_NUMBER: _ClassVar[int]
    revision: str
    principal: str
    register_time: _timestamp_pb2.Timestamp
    current: bool
    current_principal: str
    current_time: _timestamp_pb2.Timestamp
    def __init__(self, revision: _Optional[str] = ..., principal: _Optional[str] = ..., register_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., current: _Optional[bool] = ..., current_principal: _Optional[str] = ..., current_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ScriptCapability(_message.Message):
    __slots__ = ("name", "description", "language", "parameters", "return_type", "revision", "origin", "limits", "idempotent", "method")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    RETURN_TYPE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    language: str
    parameters: _containers.RepeatedCompositeFieldContainer[ParameterDefinition]
    return_type: ValueType
    revision: str
    origin: ScriptOrigin
    limits: ResourceLimits
    idempotent: bool
    method: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., language: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[ParameterDefinition, _Mapping]]] = ..., return_type: _Optional[_Union[ValueType, str]] = ..., revision: _Optional[str] = ..., origin: _Optional[_Union[ScriptOrigin, str]] = ..., limits: _Optional[_Union[ResourceLimits, _Mapping]] = ..., idempotent: _Optional[bool] = ..., method: _Optional[str] = ...) -> None: ...
