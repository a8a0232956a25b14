"""The Connect protocol's unary calls: its words for headers, codes and errors.

Source: https://connectrpc.com/docs/protocol.
"""

import json
import math
import re
import struct
from collections.abc import Mapping
from enum import Enum
from typing import Any

from google.protobuf import json_format
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # Ships no marker.

from loki.errors import ErrorCode, InvalidArgument, LokiError
from loki.grpc_gateway.http.json_problem import problem

CODES: Mapping[int, tuple[str, int]] = {
    1: ("canceled", 499),
    2: ("unknown", 500),
    3: ("invalid_argument", 400),
    4: ("deadline_exceeded", 504),
    5: ("not_found", 404),
    6: ("already_exists", 409),
    7: ("permission_denied", 403),
    8: ("resource_exhausted", 429),
    9: ("failed_precondition", 400),
    10: ("aborted", 409),
    11: ("out_of_range", 400),
    12: ("unimplemented", 501),
    13: ("internal", 500),
    14: ("unavailable", 503),
    15: ("data_loss", 500),
    16: ("unauthenticated", 401),
}
"""By google.rpc.Code, its name here and its HTTP status."""
UNKNOWN, UNIMPLEMENTED = 2, 12
NOT_THERE = 404
TIMEOUT = re.compile(r"[0-9]{1,10}")
VERSION = "1"
END_OF_STREAM = 0x02


class Codec(Enum):
    """What a body is written in, by its content type."""

    JSON = "application/json"
    PROTO = "application/proto"


STREAMED = frozenset({"application/connect+json", "application/connect+proto"})


def media_type(content_type: str) -> str:
    """Without its parameters; JSON is always UTF-8, whatever they say."""
    return content_type.partition(";")[0].strip().lower()


def timeout_s(header: str | None) -> float | None:
    """Of `Connect-Timeout-Ms`; None for no deadline. Raises: InvalidArgument."""
    if header is None:
        return None
    if not TIMEOUT.fullmatch(header):
        raise InvalidArgument(f"Connect-Timeout-Ms: '{header[:40]}' is not 1 to 10 digits")
    return int(header) / 1000


def require_version(header: str | None) -> None:
    """Programs without a client library leave it out. Raises: InvalidArgument."""
    if header not in (None, VERSION):
        raise InvalidArgument(f"Connect-Protocol-Version: '{header[:40]}' is not '{VERSION}'")


def http_status(status: Any, *, there: bool) -> int:
    """Of a google.rpc.Status; `there` is whether the caller may know of the method."""
    if status.code == UNIMPLEMENTED and not there:
        return NOT_THERE
    return CODES.get(status.code, CODES[UNKNOWN])[1]


def retry_after(status: Any) -> dict[str, str]:
    """The header that says when to try again, where the error does.

    Source: RFC 9110, 10.2.3: whole seconds.
    """
    retry = error_details_pb2.RetryInfo()
    if not any(each.Unpack(retry) for each in status.details):
        return {}
    return {"Retry-After": str(math.ceil(retry.retry_delay.ToNanoseconds() / 1e9))}


def end_of_stream(told: dict[str, object]) -> bytes:
    """The only message of a stream that fails at once."""
    text = json.dumps({"error": told}, ensure_ascii=False).encode()
    return struct.pack(">BI", END_OF_STREAM, len(text)) + text


def parse_json(text: bytes, message: Any) -> bytes:
    """The bytes of a message that is given in JSON. Raises: InvalidArgument."""
    if not text.lstrip().startswith(b"{"):
        raise InvalidArgument("not a request of this method: it is no JSON object, such as {}")
    try:
        json_format.Parse(text, message)
    except (json_format.ParseError, ValueError) as error:
        found = problem(text, message.DESCRIPTOR)
        details = {"field": found.field} if found.field else {}
        raise InvalidArgument(f"not a request of this method: {found}", details=details) from error
    parsed: bytes = message.SerializeToString()
    return parsed


def to_json(message: Any) -> bytes:
    return json_format.MessageToJson(message, indent=None, ensure_ascii=False).encode()


def streaming_refusal(method: str, address: str) -> LokiError:
    """What is said to whoever calls a stream over HTTP."""
    return LokiError(
        f"'{method}' is a stream, which HTTP does not serve: call it by gRPC at {address}",
        code=ErrorCode.UNSUPPORTED,
    )
