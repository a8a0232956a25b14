import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from loki.v1 import device_pb2 as _device_pb2
from loki.v1 import script_pb2 as _script_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_CHILD_CHANGED: _ClassVar[EventKind]
    EVENT_KIND_SCRIPT_CHANGED: _ClassVar[EventKind]
    EVENT_KIND_CONFIG_REJECTED: _ClassVar[EventKind]
    EVENT_KIND_BUDGET_WARNED: _ClassVar[EventKind]
    EVENT_KIND_SETTINGS_CHANGED: _ClassVar[EventKind]

class ScriptChange(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCRIPT_CHANGE_UNSPECIFIED: _ClassVar[ScriptChange]
    SCRIPT_CHANGE_ADDED: _ClassVar[ScriptChange]
    SCRIPT_CHANGE_CHANGED: _ClassVar[ScriptChange]
    SCRIPT_CHANGE_REMOVED: _ClassVar[ScriptChange]
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_CHILD_CHANGED: EventKind
EVENT_KIND_SCRIPT_CHANGED: EventKind
EVENT_KIND_CONFIG_REJECTED: EventKind
EVENT_KIND_BUDGET_WARNED: EventKind
EVENT_KIND_SETTINGS_CHANGED: EventKind
SCRIPT_CHANGE_UNSPECIFIED: ScriptChange
SCRIPT_CHANGE_ADDED: ScriptChange
SCRIPT_CHANGE_CHANGED: ScriptChange
SCRIPT_CHANGE_REMOVED: ScriptChange

class ChildChanged(_message.Message):
    __slots__ = ("child", "state", "pid", "incarnation", "restarts", "reason")
    CHILD_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    child: str
    state: _device_pb2.ChildState
    pid: int
    incarnation: int
    restarts: int
    reason: str
    def __init__(self, child: _Optional[str] = ..., state: _Optional[_Union[_device_pb2.ChildState, str]] = ..., pid: _Optional[int] = ..., incarnation: _Optional[int] = ..., restarts: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class ScriptChanged(_message.Message):
    __slots__ = ("name", "revision", "change", "origin")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: str
    change: ScriptChange
    origin: _script_pb2.ScriptOrigin
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[str] = ..., change: _Optional[_Union[ScriptChange, str]] = ..., origin: _Optional[_Union[_script_pb2.ScriptOrigin, str]] = ...) -> None: ...

class ConfigRejected(_message.Message):
    __slots__ = ("file", "problem")
    FILE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    file: str
    problem: str
    def __init__(self, file: _Optional[str] = ..., problem: _Optional[str] = ...) -> None: ...

class BudgetWarned(_message.Message):
    __slots__ = ("execution_id", "script", "limit", "used", "allowed", "left_out")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    SCRIPT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    script: str
    limit: str
    used: float
    allowed: float
    left_out: int
    def __init__(self, execution_id: _Optional[str] = ..., script: _Optional[str] = ..., limit: _Optional[str] = ..., used: _Optional[float] = ..., allowed: _Optional[float] = ..., left_out: _Optional[int] = ...) -> None: ...

class SettingsChanged(_message.Message):
    __slots__ = ("changed", "waiting", "restarted", "version")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    RESTARTED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    changed: _containers.RepeatedScalarFieldContainer[str]
    waiting: _containers.RepeatedScalarFieldContainer[str]
    restarted: _containers.RepeatedScalarFieldContainer[str]
    version: int
    def __init__(self, changed: _Optional[_Iterable[str]] = ..., waiting: _Optional[_Iterable[str]] = ..., restarted: _Optional[_Iterable[str]] = ..., version: _Optional[int] = ...) -> None: ...

class SystemEvent(_message.Message):
    __slots__ = ("sequence", "time", "child_changed", "script_changed", "config_rejected", "budget_warned", "settings_changed")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    CHILD_CHANGED_FIELD_NUMBER: _ClassVar[int]
    SCRIPT_CHANGED_FIELD_NUMBER: _ClassVar[int]
    CONFIG_REJECTED_FIELD_NUMBER: _ClassVar[int]
    BUDGET_WARNED_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    time: _timestamp_pb2.Timestamp
    child_changed: ChildChanged
    script_changed: ScriptChanged
    config_rejected: ConfigRejected
    budget_warned: BudgetWarned
    settings_changed: SettingsChanged
    def __init__(self, sequence: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., child_changed: _Optional[_Union[ChildChanged, _Mapping]] = ..., script_changed: _Optional[_Union[ScriptChanged, _Mapping]] = ..., config_rejected: _Optional[_Union[ConfigRejected, _Mapping]] = ..., budget_warned: _Optional[_Union[BudgetWarned, _Mapping]] = ..., settings_changed: _Optional[_Union[SettingsChanged, _Mapping]] = ...) -> None: ...

class WatchStarted(_message.Message):
    __slots__ = ("sequence", "log_id", "recent", "incomplete")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LOG_ID_FIELD_NUMBER: _ClassVar[int]
    RECENT_FIELD_NUMBER: _ClassVar[int]
    INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    log_id: str
    recent: int
    incomplete: bool
    def __init__(self, sequence: _Optional[int] = ..., log_id: _Optional[str] = ..., recent: _Optional[int] = ..., incomplete: _Optional[bool] = ...) -> None: ...
