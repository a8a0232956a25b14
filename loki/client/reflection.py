"""Server reflection as this client asks for it."""

from typing import Any, TypeAlias

import grpc
from grpc_reflection.v1alpha import reflection_pb2

from loki.client.tool import ToolSchema, UnknownToolError

METHODS = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
"""The newer first; their messages are the same on the wire."""

Request: TypeAlias = reflection_pb2.ServerReflectionRequest
Response: TypeAlias = reflection_pb2.ServerReflectionResponse


def one_answer(channel: Any, path: str) -> Any:
    """The method for one question, of a channel of either kind.

    On the wire a stream of one message is a message. Streams of grpc.aio that are refused end with
    INTERNAL at times, whatever the server says.
    """
    return channel.unary_unary(path, Request.SerializeToString, Response.FromString)


def conversation(channel: grpc.Channel, path: str) -> Any:
    """The method for a stream of questions."""
    return channel.stream_stream(path, Request.SerializeToString, Response.FromString)


def older(path: str, code: grpc.StatusCode) -> str | None:
    """Where to ask next if asking there ended so; None if that would not help."""
    following = METHODS[METHODS.index(path) + 1 :]
    return following[0] if following and code is grpc.StatusCode.UNIMPLEMENTED else None


def listing() -> Request:
    """Which services are there?"""
    return Request(list_services="*")


def question(symbol: str) -> Request:
    """Which files define that, and what they import?"""
    return Request(file_containing_symbol=symbol)


def found(tool: str, answer: Response) -> ToolSchema:
    """Raises: UnknownToolError."""
    files = answer.file_descriptor_response.file_descriptor_proto  # The one with the symbol first.
    if not files:
        raise UnknownToolError(tool)
    return ToolSchema(tool, files)


def services_of(answer: Response) -> list[str]:
    """Full names."""
    return [service.name for service in answer.list_services_response.service]
