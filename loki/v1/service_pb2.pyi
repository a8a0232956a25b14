import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from loki.v1 import device_pb2 as _device_pb2
from loki.v1 import event_pb2 as _event_pb2
from loki.v1 import execution_pb2 as _execution_pb2
from loki.v1 import log_pb2 as _log_pb2
from loki.v1 import script_pb2 as _script_pb2
from loki.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetCapabilitiesRequest(_message.Message):
    __slots__ = ("without_scripts",)
    WITHOUT_SCRIPTS_FIELD_NUMBER: _ClassVar[int]
    without_scripts: bool
    def __init__(self, without_scripts: _Optional[bool] = ...) -> None: ...

class GetCapabilitiesResponse(_message.Message):
    __slots__ = ("service", "version", "device", "scripts", "children", "engines", "value_cache", "scripts_truncated", "script_count")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    SCRIPTS_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    VALUE_CACHE_FIELD_NUMBER: _ClassVar[int]
    SCRIPTS_TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    SCRIPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    service: str
    version: str
    device: _device_pb2.DeviceInfo
    scripts: _containers.RepeatedCompositeFieldContainer[_script_pb2.ScriptCapability]
    children: _containers.RepeatedCompositeFieldContainer[_device_pb2.ChildServiceInfo]
    engines: _containers.RepeatedCompositeFieldContainer[_device_pb2.EngineInfo]
    value_cache: _device_pb2.ValueCacheStatistics
    scripts_truncated: bool
    script_count: int
    def __init__(self, service: _Optional[str] = ..., version: _Optional[str] = ..., device: _Optional[_Union[_device_pb2.DeviceInfo, _Mapping]] = ..., scripts: _Optional[_Iterable[_Union[_script_pb2.ScriptCapability, _Mapping]]] = ..., children: _Optional[_Iterable[_Union[_device_pb2.ChildServiceInfo, _Mapping]]] = ..., engines: _Optional[_Iterable[_Union[_device_pb2.EngineInfo, _Mapping]]] = ..., value_cache: _Optional[_Union[_device_pb2.ValueCacheStatistics, _Mapping]] = ..., scripts_truncated: _Optional[bool] = ..., script_count: _Optional[int] = ...) -> None: ...

class GetChildrenStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetChildrenStatusResponse(_message.Message):
    __slots__ = ("children", "time")
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    children: _containers.RepeatedCompositeFieldContainer[_device_pb2.ChildServiceInfo]
    time: _timestamp_pb2.Timestamp
    def __init__(self, children: _Optional[_Iterable[_Union[_device_pb2.ChildServiceInfo, _Mapping]]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ResetChildRequest(_message.Message):
    __slots__ = ("child",)
    CHILD_FIELD_NUMBER: _ClassVar[int]
    child: str
    def __init__(self, child: _Optional[str] = ...) -> None: ...

class ResetChildResponse(_message.Message):
    __slots__ = ("pid",)
    PID_FIELD_NUMBER: _ClassVar[int]
    pid: int
    def __init__(self, pid: _Optional[int] = ...) -> None: ...

class ListScriptsRequest(_message.Message):
    __slots__ = ("pattern", "language", "page_size", "page_token")
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    pattern: str
    language: str
    page_size: int
    page_token: str
    def __init__(self, pattern: _Optional[str] = ..., language: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListScriptsResponse(_message.Message):
    __slots__ = ("scripts", "next_page_token")
    SCRIPTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    scripts: _containers.RepeatedCompositeFieldContainer[_script_pb2.ScriptCapability]
    next_page_token: str
    def __init__(self, scripts: _Optional[_Iterable[_Union[_script_pb2.ScriptCapability, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetScriptRequest(_message.Message):
    __slots__ = ("name", "revision")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: str
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[str] = ...) -> None: ...

class GetScriptResponse(_message.Message):
    __slots__ = ("script",)
    SCRIPT_FIELD_NUMBER: _ClassVar[int]
    script: _script_pb2.Script
    def __init__(self, script: _Optional[_Union[_script_pb2.Script, _Mapping]] = ...) -> None: ...

class ListScriptRevisionsRequest(_message.Message):
    __slots__ = ("name", "page_size", "page_token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    page_size: int
    page_token: str
    def __init__(self, name: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListScriptRevisionsResponse(_message.Message):
    __slots__ = ("revisions", "next_page_token")
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    revisions: _containers.RepeatedCompositeFieldContainer[_script_pb2.ScriptRevision]
    next_page_token: str
    def __init__(self, revisions: _Optional[_Iterable[_Union[_script_pb2.ScriptRevision, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RegisterScriptRequest(_message.Message):
    __slots__ = ("definition", "expected_revision", "validate_only")
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    definition: _script_pb2.ScriptDefinition
    expected_revision: str
    validate_only: bool
    def __init__(self, definition: _Optional[_Union[_script_pb2.ScriptDefinition, _Mapping]] = ..., expected_revision: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class RegisterScriptResponse(_message.Message):
    __slots__ = ("script",)
    SCRIPT_FIELD_NUMBER: _ClassVar[int]
    script: _script_pb2.Script
    def __init__(self, script: _Optional[_Union[_script_pb2.Script, _Mapping]] = ...) -> None: ...

class RollbackScriptRequest(_message.Message):
    __slots__ = ("name", "revision", "expected_revision")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: str
    expected_revision: str
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[str] = ..., expected_revision: _Optional[str] = ...) -> None: ...

class RollbackScriptResponse(_message.Message):
    __slots__ = ("script",)
    SCRIPT_FIELD_NUMBER: _ClassVar[int]
    script: _script_pb2.Script
    def __init__(self, script: _Optional[_Union[_script_pb2.Script, _Mapping]] = ...) -> None: ...

class UnregisterScriptRequest(_message.Message):
    __slots__ = ("name", "expected_revision")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    expected_revision: str
    def __init__(self, name: _Optional[str] = ..., expected_revision: _Optional[str] = ...) -> None: ...

class UnregisterScriptResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExecuteScriptRequest(_message.Message):
    __slots__ = ("input",)
    INPUT_FIELD_NUMBER: _ClassVar[int]
    input: _execution_pb2.ScriptInput
    def __init__(self, input: _Optional[_Union[_execution_pb2.ScriptInput, _Mapping]] = ...) -> None: ...

class ExecuteScriptResponse(_message.Message):
    __slots__ = ("execution_id", "result")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    result: _execution_pb2.ScriptResult
    def __init__(self, execution_id: _Optional[str] = ..., result: _Optional[_Union[_execution_pb2.ScriptResult, _Mapping]] = ...) -> None: ...

class StreamScriptExecutionRequest(_message.Message):
    __slots__ = ("input",)
    INPUT_FIELD_NUMBER: _ClassVar[int]
    input: _execution_pb2.ScriptInput
    def __init__(self, input: _Optional[_Union[_execution_pb2.ScriptInput, _Mapping]] = ...) -> None: ...

class StreamScriptExecutionResponse(_message.Message):
    __slots__ = ("output", "progress", "value", "result", "sequence", "time", "execution_id")
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    output: _execution_pb2.ScriptChunk
    progress: _execution_pb2.ScriptProgress
    value: _value_pb2.ScriptValue
    result: _execution_pb2.ScriptResult
    sequence: int
    time: _timestamp_pb2.Timestamp
    execution_id: str
    def __init__(self, output: _Optional[_Union[_execution_pb2.ScriptChunk, _Mapping]] = ..., progress: _Optional[_Union[_execution_pb2.ScriptProgress, _Mapping]] = ..., value: _Optional[_Union[_value_pb2.ScriptValue, _Mapping]] = ..., result: _Optional[_Union[_execution_pb2.ScriptResult, _Mapping]] = ..., sequence: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., execution_id: _Optional[str] = ...) -> None: ...

class CancelExecutionRequest(_message.Message):
    __slots__ = ("execution_id",)
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    def __init__(self, execution_id: _Optional[str] = ...) -> None: ...

class CancelExecutionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ("kinds", "after_sequence", "log_id", "include_recent")
    KINDS_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LOG_ID_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_RECENT_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedScalarFieldContainer[_event_pb2.EventKind]
    after_sequence: int
    log_id: str
    include_recent: bool
    def __init__(self, kinds: _Optional[_Iterable[_Union[_event_pb2.EventKind, str]]] = ..., after_sequence: _Optional[int] = ..., log_id: _Optional[str] = ..., include_recent: _Optional[bool] = ...) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("started", "event", "left_out")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    started: _event_pb2.WatchStarted
    event: _event_pb2.SystemEvent
    left_out: int
    def __init__(self, started: _Optional[_Union[_event_pb2.WatchStarted, _Mapping]] = ..., event: _Optional[_Union[_event_pb2.SystemEvent, _Mapping]] = ..., left_out: _Optional[int] = ...) -> None: ...

class GetExecutionRequest(_message.Message):
    __slots__ = ("execution_id",)
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    def __init__(self, execution_id: _Optional[str] = ...) -> None: ...

class GetExecutionResponse(_message.Message):
    __slots__ = ("execution",)
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    execution: _execution_pb2.ExecutionRecord
    def __init__(self, execution: _Optional[_Union[_execution_pb2.ExecutionRecord, _Mapping]] = ...) -> None: ...

class ListExecutionsRequest(_message.Message):
    __slots__ = ("script", "state", "page_size", "page_token")
    SCRIPT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    script: str
    state: _execution_pb2.ExecutionState
    page_size: int
    page_token: str
    def __init__(self, script: _Optional[str] = ..., state: _Optional[_Union[_execution_pb2.ExecutionState, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListExecutionsResponse(_message.Message):
    __slots__ = ("executions", "next_page_token")
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    executions: _containers.RepeatedCompositeFieldContainer[_execution_pb2.ExecutionRecord]
    next_page_token: str
    def __init__(self, executions: _Optional[_Iterable[_Union[_execution_pb2.ExecutionRecord, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchLogsRequest(_message.Message):
    __slots__ = ("minimum_level", "actor", "execution_id", "incident_id", "lines", "follow", "after")
    MINIMUM_LEVEL_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    minimum_level: _log_pb2.LogLevel
    actor: str
    execution_id: str
    incident_id: str
    lines: int
    follow: bool
    after: _timestamp_pb2.Timestamp
    def __init__(self, minimum_level: _Optional[_Union[_log_pb2.LogLevel, str]] = ..., actor: _Optional[str] = ..., execution_id: _Optional[str] = ..., incident_id: _Optional[str] = ..., lines: _Optional[int] = ..., follow: _Optional[bool] = ..., after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WatchLogsResponse(_message.Message):
    __slots__ = ("record",)
    RECORD_FIELD_NUMBER: _ClassVar[int]
    record: _log_pb2.LogRecord
    def __init__(self, record: _Optional[_Union[_log_pb2.LogRecord, _Mapping]] = ...) -> None: ...
