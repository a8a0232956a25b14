"""What a door reads in bytes: envelopes, and the bodies whose type is not known beforehand."""

from collections.abc import Callable
from functools import cache
from typing import Any, Union

import msgspec

from loki.messages.envelope import Envelope, Failure, Message, Request, reply_type

envelopes = msgspec.msgpack.Decoder(Envelope)
_encode = msgspec.msgpack.Encoder().encode
_failures = msgspec.msgpack.Decoder(Failure)


class _AnyTagged(msgspec.Struct):
    type: str


_tags = msgspec.msgpack.Decoder(_AnyTagged)


def tag_of(body: msgspec.Raw) -> str:
    """The class name of a message. Raises: msgspec.DecodeError for what is no message."""
    return _tags.decode(body).type


def aged(payload: bytes, waited_s: float) -> bytes:
    """An envelope that lay about so long, with what is left of its budget."""
    envelope = envelopes.decode(payload)
    if envelope.remaining_s is None:
        return payload
    left_s = max(0.0, envelope.remaining_s - waited_s)
    return _encode(msgspec.structs.replace(envelope, remaining_s=left_s))


@cache
def reply_opener(request: type[Request[Any]]) -> Callable[[msgspec.Raw], Message]:
    """Decodes what may be answered to a request: its reply, or a Failure."""
    return msgspec.msgpack.Decoder(Union[reply_type(request), Failure]).decode  # noqa: UP007


def failure_or_raw(body: msgspec.Raw) -> msgspec.Raw | Failure:
    """A Failure decoded, anything else as it is."""
    if tag_of(body) == Failure.__name__:
        return _failures.decode(body)
    return body
