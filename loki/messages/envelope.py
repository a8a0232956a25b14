"""The base of all messages, the envelope that carries one, and the error reply."""

from enum import IntEnum
from functools import cache
from typing import Any, Generic, TypeVar, dataclass_transform, get_args

import msgspec

from loki.errors import ErrorCode, LokiError, error_of


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class KeywordOnly(msgspec.StructMeta):
    """msgspec does not pass `kw_only` on to subclasses; messages want it everywhere."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> "KeywordOnly":
        options.setdefault("kw_only", True)
        return super().__new__(mcls, name, bases, namespace, **options)


class Message(msgspec.Struct, metaclass=KeywordOnly, frozen=True, tag=True):
    """Plain data that one actor sends to another; its class name is its tag on the wire."""

    def __str__(self) -> str:
        """Short on purpose: Thespian formats every message it moves."""
        return type(self).__name__


Reply = TypeVar("Reply", bound=Message)


class Request(Message, Generic[Reply]):
    """A message that is answered exactly once, by its `Reply` or by a `Failure`."""

    @property
    def once(self) -> bool:
        """Whether it is to be done once: where no answer comes, nobody repeats it blindly."""
        return False


class Change(Request[Reply]):
    """A request that is to be done once."""

    @property
    def once(self) -> bool:
        return True


class Done(Message):
    """The reply of a request that has nothing to tell but its success."""


class Failure(Message):
    """The reply of a request that could not be served."""

    code: ErrorCode
    message: str
    details: dict[str, str] = {}
    retry_after_s: float | None = None

    @classmethod
    def of(cls, error: LokiError, retry_after_s: float | None = None) -> "Failure":
        return cls(
            code=error.code,
            message=error.message,
            details=error.details,
            retry_after_s=retry_after_s,
        )

    def error(self) -> LokiError:
        """The exception that this failure stands for."""
        return error_of(self.code, self.message, self.details)


class Kind(IntEnum):
    """What the receiver owes the sender of an envelope."""

    TELL = 0
    REQUEST = 1
    REPLY = 2


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """One message on its way, with what the door (`loki.actors.base.shell`) needs to know of it."""

    kind: Kind
    correlation: int  # Of the request, unique per sender; 0 for a tell.
    remaining_s: float | None  # Budget left when it was sent; None is no deadline.
    trace: str
    run: str  # The run on whose behalf this is sent, or "".
    body: msgspec.Raw  # The message as msgpack.


@cache
def reply_type(request: type[Request[Reply]]) -> type[Reply]:
    """The reply class that a request class declares as `Request[...]`."""
    (base,) = (b for b in request.__orig_bases__ if get_args(b))  # type: ignore[attr-defined]  # typing keeps it there
    reply: type[Reply] = get_args(base)[0]
    return reply
