"""What an execution tells its caller, as plain Python."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from loki.v1 import execution_pb2, service_pb2
from loki.v1_value import Plain, from_proto


@dataclass(frozen=True, slots=True)
class Usage:
    """What an execution used, beside what it was allowed."""

    wall_ms: float = 0.0
    cpu_ms: float = 0.0
    peak_memory_bytes: int = 0
    api_calls: int = 0
    queue_ms: float = 0.0
    overshoot_ms: float = 0.0
    budgets: dict[str, int] = field(default_factory=dict)  # Such as "max_memory_mb".
    warnings: tuple[str, ...] = ()  # Limits of which 80 % were used.


@dataclass(frozen=True, slots=True)
class Execution:
    """A finished execution and its result."""

    id: str
    value: Plain
    output: str  # What the script printed.
    output_truncated: bool
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """Any event of a stream."""

    sequence: int
    time: datetime  # The device's clock, UTC.


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Stamped):
    """The script printed."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Stamped):
    """The script called loki.progress."""

    fraction: float  # 0 to 1
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Value(Stamped):
    """The script called loki.emit."""

    value: Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Stamped):
    """The script ended well; the last event."""

    execution: Execution


Event: TypeAlias = Output | Progress | Value | Result


def execution_of(execution_id: str, result: execution_pb2.ScriptResult) -> Execution:
    return Execution(
        id=execution_id,
        value=from_proto(result.value),
        output=result.output.text,
        output_truncated=result.output.truncated,
        usage=usage_of(result.usage),
    )


def usage_of(usage: execution_pb2.Usage) -> Usage:
    return Usage(
        wall_ms=usage.wall_ms,
        cpu_ms=usage.cpu_ms,
        peak_memory_bytes=usage.peak_memory_bytes,
        api_calls=usage.api_calls,
        queue_ms=usage.queue_ms,
        overshoot_ms=usage.overshoot_ms,
        budgets={limit.name: value for limit, value in usage.budgets.ListFields()},
        warnings=tuple(usage.warnings),
    )


def event_of(response: service_pb2.StreamScriptExecutionResponse) -> Event | None:
    """None for a kind of event that a newer server knows and we do not."""
    sequence = response.sequence
    time = response.time.ToDatetime(UTC)
    match response.WhichOneof("chunk"):
        case "output":
            return Output(sequence=sequence, time=time, text=response.output.text)
        case "progress":
            said = response.progress
            return Progress(sequence=sequence, time=time, fraction=said.fraction, text=said.text)
        case "value":
            return Value(sequence=sequence, time=time, value=from_proto(response.value))
        case "result":
            execution = execution_of(response.execution_id, response.result)
            return Result(sequence=sequence, time=time, execution=execution)
        case _:
            return None
