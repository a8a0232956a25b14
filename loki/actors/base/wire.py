"""What may cross Thespian's sockets: an exact list of its messages and our envelope, as msgpack.

Stock Thespian pickles whatever it sends. Nothing here can build anything but the classes below,
each from fields of fixed types, even for a sender that holds the boot key. What Loki has no use
for is left out on purpose: loading sources, capabilities, status, log records, conventions.
"""

import socket
from collections.abc import Collection
from types import NoneType
from typing import Any, Final, Union

import msgspec
from thespian.actors import (
    ActorAddress,
    ActorExitRequest,
    ChildActorExited,
    DeadEnvelope,
    PoisonMessage,
)
from thespian.system.addressManager import ActorLocalAddress, CannotPickleAddress
from thespian.system.logdirector import LoggerExitRequest
from thespian.system.messages.admin import (
    PendingActor,
    PendingActorResponse,
    QueryAck,
    QueryExists,
    SystemShutdown,
    SystemShutdownCompleted,
)
from thespian.system.messages.multiproc import EndpointConnected, LoggerConnected
from thespian.system.transport.IPBase import TCPv4ActorAddress


class WireError(Exception):
    """Not one of the messages that may be sent, or not shaped as it must be."""


class Packet:
    """The one thing that Loki sends through Thespian: a message as msgpack."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __str__(self) -> str:
        """Never looks at the data: Thespian formats every message it moves."""
        return f"Packet of {len(self.data)} bytes"


class Address(msgspec.Struct, frozen=True, array_like=True):
    """Where an actor listens."""

    host: str
    port: int


_Fields = dict[str, Any]

# Class -> its attributes and their types. Source: thespian 4.0.1, the constructors of each.
_PLAIN: Final[dict[type, _Fields]] = {
    Packet: {"data": bytes},
    QueryExists: {},
    QueryAck: {"systemName": str, "systemVersion": int, "inShutdown": bool},
    SystemShutdown: {},
    SystemShutdownCompleted: {},
    EndpointConnected: {"childInstance": int},
    LoggerConnected: {},
    LoggerExitRequest: {},
    ActorExitRequest: {"_recursive": bool},
    ChildActorExited: {"_childAddr": Address},
    PendingActor: {
        "actorClassName": str,
        "forActor": Address | None,
        "instanceNum": int,
        "targetActorReq": NoneType,
        "globalName": NoneType,
        "sourceHash": NoneType,
        "alreadyTried": tuple[()],
    },
    PendingActorResponse: {
        "forActor": Address | None,
        "instanceNum": int,
        "errorCode": int | None,
        "actualAddress": Address | None,
        "globalName": NoneType,
        "errorStr": str | None,
    },
}


def _form(message: type, fields: _Fields) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        message.__name__, list(fields.items()), tag=True, array_like=True, frozen=True
    )


_FORMS: Final = {message: _form(message, fields) for message, fields in _PLAIN.items()}
_Inner: Any = Union[tuple(_FORMS.values())]  # noqa: UP007  # Built from the table.
_WRAPPERS: Final[dict[type, _Fields]] = {
    DeadEnvelope: {"deadMessage": _Inner, "deadAddress": Address},
    PoisonMessage: {"_poison": _Inner, "_details": str | None},
}
_FORMS.update({message: _form(message, fields) for message, fields in _WRAPPERS.items()})
_MESSAGES: Final = {form: message for message, form in _FORMS.items()}

_Letter = msgspec.defstruct(
    "_Letter",
    [("sender", Address), ("message", Union[tuple(_FORMS.values())])],  # noqa: UP007
    array_like=True,
    frozen=True,
)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Letter).decode


class Wire:
    """Turns (sender, message) into bytes and back."""

    def __init__(self, host: str, creatable: Collection[str]) -> None:
        """Only addresses on `host` are believed.

        `creatable` are the dotted names of the actor classes that one may ask the Admin for.
        """
        self._host = host
        self._creatable = frozenset(creatable)

    def encode(self, sender: ActorAddress, message: object) -> bytes:
        """Raises: WireError for what may not be sent, CannotPickleAddress to try again later."""
        if type(message) not in _FORMS:
            raise WireError(
                f"{type(message).__qualname__} cannot be sent through Thespian; "
                "put a message into a Packet"
            )
        return _encode(_Letter(self._to_wire(sender), self._to_wire(message)))

    def _to_wire(self, value: Any) -> Any:
        if isinstance(value, ActorAddress):
            return _exported(value)
        form = _FORMS.get(type(value))
        if form is None:
            return value
        return form(*(self._to_wire(getattr(value, name)) for name in form.__struct_fields__))

    def decode(self, body: bytes) -> tuple[ActorAddress, object]:
        """Raises: WireError for anything but a message of the list, well formed."""
        try:
            letter: Any = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(str(error)) from error
        return self._from_wire(letter.sender), self._from_wire(letter.message)

    def _from_wire(self, value: Any) -> Any:
        if isinstance(value, Address):
            return self._imported(value)
        kind = _MESSAGES.get(type(value))
        if kind is None:
            return list(value) if isinstance(value, tuple) else value
        message: Any = object.__new__(kind)
        for name in value.__struct_fields__:
            setattr(message, name, self._from_wire(getattr(value, name)))
        if kind is PendingActor and message.actorClassName not in self._creatable:
            raise WireError(f"{message.actorClassName} may not be created from outside")
        return message

    def _imported(self, address: Address) -> ActorAddress:
        """Without TCPv4ActorAddress's constructor, which would ask the resolver for the host."""
        if address.host != self._host or not 0 < address.port < 65_536:
            raise WireError(f"{address.host}:{address.port} is no address of this system")
        details = TCPv4ActorAddress.__new__(TCPv4ActorAddress)
        details.af, details.socktype = socket.AF_INET, socket.SOCK_STREAM
        details.proto = socket.IPPROTO_TCP
        details.sockname = details.bindname = (address.host, address.port)
        return ActorAddress(details)


def _exported(address: ActorAddress) -> Address:
    details = address.addressDetails
    if isinstance(details, ActorLocalAddress):
        known = details.addressManager.exportAddr(address)
        if not known:  # The child has not said yet where it listens: Thespian sends later.
            raise CannotPickleAddress(address)
        details = known.addressDetails
    host, port = details.sockname
    return Address(host, port)
