"""A failed call as the Connect protocol's error, within the same 4 KB as gRPC's status.

Theory of operation. In JSON the details of a status are a third longer, and stand there twice: for
programs in base64, and to read as `debug`. What is too long then gives way in this order, as far as
needed: what is there to be read, the reason last; the texts of a script that failed; characters
that JSON spells out; details that only repeat the message.

Source: https://connectrpc.com/docs/protocol.
"""

import base64
import json
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # Ships no marker.

from loki.grpc_gateway.call.status import MAX_BYTES, MAX_MESSAGE_BYTES, trim
from loki.grpc_gateway.http.connect import CODES, UNKNOWN
from loki.v1 import execution_pb2

FRAME_BYTES = 32
"""Of the 4 KB, for what a stream that fails at once has around its error."""
TYPE_OF_REASON = error_details_pb2.ErrorInfo.DESCRIPTOR.full_name
REPEATING = frozenset(
    kind.DESCRIPTOR.full_name
    for kind in (
        error_details_pb2.BadRequest,
        error_details_pb2.ResourceInfo,
        error_details_pb2.QuotaFailure,
    )
)


@dataclass(frozen=True, slots=True)
class Detail:
    """One of a status."""

    packed: AnyMessage
    readable: bool = True

    @property
    def kind(self) -> str:
        return self.packed.TypeName()

    def shown(self) -> dict[str, object]:
        value = base64.b64encode(self.packed.value).decode().rstrip("=")
        shown: dict[str, object] = {"type": self.kind, "value": value}
        if self.readable:
            readable = json_format.MessageToDict(self.packed)
            readable.pop("@type", None)
            shown["debug"] = readable
        return shown


@dataclass(frozen=True, slots=True)
class Problem:
    """What is told of a failed call."""

    code: str
    message: str
    details: tuple[Detail, ...]

    def shown(self) -> dict[str, object]:
        shown: dict[str, object] = {"code": self.code, "message": self.message}
        if self.details:
            shown["details"] = [each.shown() for each in self.details]
        return shown

    @property
    def excess_bytes(self) -> int:
        """How much it is too long; 0 or less for one that fits."""
        return len(text_of(self.shown())) + FRAME_BYTES - MAX_BYTES


def error(status: Any) -> dict[str, object]:
    """A google.rpc.Status as the protocol's error: at most 4 KB of JSON."""
    code, _ = CODES.get(status.code, CODES[UNKNOWN])
    problem = Problem(code, status.message, tuple(map(Detail, status.details)))
    for shorter in SHORTER:
        if problem.excess_bytes <= 0:
            break
        problem = shorter(problem)
    return problem.shown()


def text_of(shown: dict[str, object]) -> bytes:
    """The JSON that is sent."""
    return json.dumps(shown, ensure_ascii=False).encode()


def less_to_read(problem: Problem) -> Problem:
    """Without what is the longest to read, and the next, until it fits; but with the reason."""
    by_size = sorted(problem.details, key=lambda each: len(each.packed.value), reverse=True)
    for longest in by_size:
        if problem.excess_bytes > 0 and longest.kind != TYPE_OF_REASON:
            details = (
                replace(d, readable=d.readable and d is not longest) for d in problem.details
            )
            problem = replace(problem, details=tuple(details))
    return problem


def shorter_texts(problem: Problem) -> Problem:
    """With as much of the script's own texts as there is room for."""
    excess_bytes = problem.excess_bytes * 3 // 4 + 3  # Of what is base64 there.
    return replace(problem, details=tuple(trimmed(each, excess_bytes) for each in problem.details))


def trimmed(detail: Detail, excess_bytes: int) -> Detail:
    failed = execution_pb2.ScriptError()
    if not detail.packed.Unpack(failed):
        return detail
    trim(failed, max(0, failed.ByteSize() - excess_bytes))
    packed = AnyMessage()
    packed.Pack(failed)
    return replace(detail, packed=packed)


def nothing_to_read(problem: Problem) -> Problem:
    return replace(
        problem, details=tuple(replace(each, readable=False) for each in problem.details)
    )


def shorter_message(problem: Problem) -> Problem:
    """One that has as many bytes in JSON as a message may have else."""
    return replace(problem, message=cut_spelled(problem.message, MAX_MESSAGE_BYTES))


def cut_spelled(text: str, size_bytes: int) -> str:
    """At most that many bytes as JSON spells it, with a mark where something is missing."""
    left_bytes = size_bytes - len("…".encode())
    for place, char in enumerate(text):
        left_bytes -= len(json.dumps(char, ensure_ascii=False).encode()) - 2
        if left_bytes < 0:
            return text[:place] + "…"
    return text


def no_repetition(problem: Problem) -> Problem:
    kept = (each for each in problem.details if each.kind not in REPEATING)
    return replace(problem, details=tuple(kept))


SHORTER = (less_to_read, shorter_texts, nothing_to_read, shorter_message, no_repetition)
