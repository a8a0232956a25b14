import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from loki.v1 import script_pb2 as _script_pb2
from loki.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExecutionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXECUTION_STATE_UNSPECIFIED: _ClassVar[ExecutionState]
    EXECUTION_STATE_QUEUED: _ClassVar[ExecutionState]
    EXECUTION_STATE_RUNNING: _ClassVar[ExecutionState]
    EXECUTION_STATE_FINISHED: _ClassVar[ExecutionState]
    EXECUTION_STATE_FAILED: _ClassVar[ExecutionState]
EXECUTION_STATE_UNSPECIFIED: ExecutionState
EXECUTION_STATE_QUEUED: ExecutionState
EXECUTION_STATE_RUNNING: ExecutionState
EXECUTION_STATE_FINISHED: ExecutionState
EXECUTION_STATE_FAILED: ExecutionState

class ScriptInput(_message.Message):
    __slots__ = ("name", "source", "revision", "language", "arguments", "source_name")
    class ArgumentsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.ScriptValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.ScriptValue, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    source: str
    revision: str
    language: str
    arguments: _containers.MessageMap[str, _value_pb2.ScriptValue]
    source_name: str
    def __init__(self, name: _Optional[str] = ..., source: _Optional[str] = ..., revision: _Optional[str] = ..., language: _Optional[str] = ..., arguments: _Optional[_Mapping[str, _value_pb2.ScriptValue]] = ..., source_name: _Optional[str] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("wall_ms", "cpu_ms", "peak_memory_bytes", "api_calls", "queue_ms", "overshoot_ms", "budgets", "warnings")
    WALL_MS_FIELD_NUMBER: _ClassVar[int]
    CPU_MS_FIELD_NUMBER: _ClassVar[int]
    PEAK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    API_CALLS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    OVERSHOOT_MS_FIELD_NUMBER: _ClassVar[int]
    BUDGETS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    wall_ms: float
    cpu_ms: float
    peak_memory_bytes: int
    api_calls: int
    queue_ms: float
    overshoot_ms: float
    budgets: _script_pb2.ResourceLimits
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, wall_ms: _Optional[float] = ..., cpu_ms: _Optional[float] = ..., peak_memory_bytes: _Optional[int] = ..., api_calls: _Optional[int] = ..., queue_ms: _Optional[float] = ..., overshoot_ms: _Optional[float] = ..., budgets: _Optional[_Union[_script_pb2.ResourceLimits, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class ScriptOutput(_message.Message):
    __slots__ = ("text", "truncated")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    text: str
    truncated: bool
    def __init__(self, text: _Optional[str] = ..., truncated: _Optional[bool] = ...) -> None: ...

class ScriptChunk(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class ScriptProgress(_message.Message):
    __slots__ = ("fraction", "text")
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    fraction: float
    text: str
    def __init__(self, fraction: _Optional[float] = ..., text: _Optional[str] = ...) -> None: ...

class ScriptResult(_message.Message):
    __slots__ = ("value", "output", "usage")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    value: _value_pb2.ScriptValue
    output: ScriptOutput
    usage: Usage
    def __init__(self, value: _Optional[_Union[_value_pb2.ScriptValue, _Mapping]] = ..., output: _Optional[_Union[ScriptOutput, _Mapping]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ...) -> None: ...

class ScriptError(_message.Message):
    __slots__ = ("script", "cause", "line", "traceback", "output", "usage", "execution_id")
    SCRIPT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    script: str
    cause: str
    line: int
    traceback: str
    output: ScriptOutput
    usage: Usage
    execution_id: str
    def __init__(self, script: _Optional[str] = ..., cause: _Optional[str] = ..., line: _Optional[int] = ..., traceback: _Optional[str] = ..., output: _Optional[_Union[ScriptOutput, _Mapping]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., execution_id: _Optional[str] = ...) -> None: ...

class ExecutionFailure(_message.Message):
    __slots__ = ("reason", "message", "line", "traceback")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    line: int
    traceback: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., line: _Optional[int] = ..., traceback: _Optional[str] = ...) -> None: ...

class ExecutionRecord(_message.Message):
    __slots__ = ("execution_id", "script", "revision", "principal", "state", "cause", "submit_time", "start_time", "end_time", "attempts", "runner_pid", "usage", "failure", "value", "output", "result_dropped")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    SCRIPT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    RUNNER_PID_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RESULT_DROPPED_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    script: str
    revision: str
    principal: str
    state: ExecutionState
    cause: str
    submit_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    attempts: int
    runner_pid: int
    usage: Usage
    failure: ExecutionFailure
    value: _value_pb2.ScriptValue
    output: ScriptOutput
    result_dropped: bool
    def __init__(self, execution_id: _Optional[str] = ..., script: _Optional[str] = ..., revision: _Optional[str] = ..., principal: _Optional[str] = ..., state: _Optional[_Union[ExecutionState, str]] = ..., cause: _Optional[str] = ..., submit_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempts: _Optional[int] = ..., runner_pid: _Optional[int] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., failure: _Optional[_Union[ExecutionFailure, _Mapping]] = ..., value: _Optional[_Union[_value_pb2.ScriptValue, _Mapping]] = ..., output: _Optional[_Union[ScriptOutput, _Mapping]] = ..., result_dropped: _Optional[bool] = ...) -> None: ...
