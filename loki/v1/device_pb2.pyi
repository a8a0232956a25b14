from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChildState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHILD_STATE_UNSPECIFIED: _ClassVar[ChildState]
    CHILD_STATE_STARTING: _ClassVar[ChildState]
    CHILD_STATE_UP: _ClassVar[ChildState]
    CHILD_STATE_DEGRADED: _ClassVar[ChildState]
    CHILD_STATE_RESTARTING: _ClassVar[ChildState]
    CHILD_STATE_DOWN: _ClassVar[ChildState]
    CHILD_STATE_DISABLED: _ClassVar[ChildState]
CHILD_STATE_UNSPECIFIED: ChildState
CHILD_STATE_STARTING: ChildState
CHILD_STATE_UP: ChildState
CHILD_STATE_DEGRADED: ChildState
CHILD_STATE_RESTARTING: ChildState
CHILD_STATE_DOWN: ChildState
CHILD_STATE_DISABLED: ChildState

class ChildServiceInfo(_message.Message):
    __slots__ = ("name", "service", "enabled", "state", "node", "pid", "restarts", "last_error", "uptime_s", "heartbeat_age_s", "supervisor")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_AGE_S_FIELD_NUMBER: _ClassVar[int]
    SUPERVISOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    service: bool
    enabled: bool
    state: ChildState
    node: str
    pid: int
    restarts: int
    last_error: str
    uptime_s: float
    heartbeat_age_s: float
    supervisor: str
    def __init__(self, name: _Optional[str] = ..., service: _Optional[bool] = ..., enabled: _Optional[bool] = ..., state: _Optional[_Union[ChildState, str]] = ..., node: _Optional[str] = ..., pid: _Optional[int] = ..., restarts: _Optional[int] = ..., last_error: _Optional[str] = ..., uptime_s: _Optional[float] = ..., heartbeat_age_s: _Optional[float] = ..., supervisor: _Optional[str] = ...) -> None: ...

class DeviceInfo(_message.Message):
    __slots__ = ("cores", "memory_bytes", "architecture", "python_version", "back_ends", "model", "buses")
    class BackEndsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CORES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    PYTHON_VERSION_FIELD_NUMBER: _ClassVar[int]
    BACK_ENDS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    BUSES_FIELD_NUMBER: _ClassVar[int]
    cores: int
    memory_bytes: int
    architecture: str
    python_version: str
    back_ends: _containers.ScalarMap[str, str]
    model: str
    buses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cores: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., architecture: _Optional[str] = ..., python_version: _Optional[str] = ..., back_ends: _Optional[_Mapping[str, str]] = ..., model: _Optional[str] = ..., buses: _Optional[_Iterable[str]] = ...) -> None: ...

class Wall(_message.Message):
    __slots__ = ("name", "active", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    active: bool
    detail: str
    def __init__(self, name: _Optional[str] = ..., active: _Optional[bool] = ..., detail: _Optional[str] = ...) -> None: ...

class ChunkCacheStatistics(_message.Message):
    __slots__ = ("entries", "capacity", "hits", "misses", "evictions", "compiles")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    MISSES_FIELD_NUMBER: _ClassVar[int]
    EVICTIONS_FIELD_NUMBER: _ClassVar[int]
    COMPILES_FIELD_NUMBER: _ClassVar[int]
    entries: int
    capacity: int
    hits: int
    misses: int
    evictions: int
    compiles: int
    def __init__(self, entries: _Optional[int] = ..., capacity: _Optional[int] = ..., hits: _Optional[int] = ..., misses: _Optional[int] = ..., evictions: _Optional[int] = ..., compiles: _Optional[int] = ...) -> None: ...

class ValueCacheStatistics(_message.Message):
    __slots__ = ("entries", "capacity", "size_bytes", "capacity_bytes", "hits", "misses", "evictions")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_BYTES_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    MISSES_FIELD_NUMBER: _ClassVar[int]
    EVICTIONS_FIELD_NUMBER: _ClassVar[int]
    entries: int
    capacity: int
    size_bytes: int
    capacity_bytes: int
    hits: int
    misses: int
    evictions: int
    def __init__(self, entries: _Optional[int] = ..., capacity: _Optional[int] = ..., size_bytes: _Optional[int] = ..., capacity_bytes: _Optional[int] = ..., hits: _Optional[int] = ..., misses: _Optional[int] = ..., evictions: _Optional[int] = ...) -> None: ...

class EngineInfo(_message.Message):
    __slots__ = ("language", "version", "walls", "chunk_cache", "module_cache")
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WALLS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_CACHE_FIELD_NUMBER: _ClassVar[int]
    MODULE_CACHE_FIELD_NUMBER: _ClassVar[int]
    language: str
    version: str
    walls: _containers.RepeatedCompositeFieldContainer[Wall]
    chunk_cache: ChunkCacheStatistics
    module_cache: ChunkCacheStatistics
    def __init__(self, language: _Optional[str] = ..., version: _Optional[str] = ..., walls: _Optional[_Iterable[_Union[Wall, _Mapping]]] = ..., chunk_cache: _Optional[_Union[ChunkCacheStatistics, _Mapping]] = ..., module_cache: _Optional[_Union[ChunkCacheStatistics, _Mapping]] = ...) -> None: ...
