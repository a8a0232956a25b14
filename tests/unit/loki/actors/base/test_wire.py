"""The list of what may cross Thespian's sockets is exact, whoever sends."""

import os
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thespian.actors import (
    ActorAddress,
    ActorExitRequest,
    ChildActorExited,
    DeadEnvelope,
    PoisonMessage,
    ValidateSource,
    WakeupMessage,
)
from thespian.system.addressManager import ActorAddressManager, CannotPickleAddress
from thespian.system.logdirector import LoggerExitRequest, LoggerFileDup
from thespian.system.messages.admin import (
    CapabilityUpdate,
    PendingActor,
    PendingActorResponse,
    QueryAck,
    QueryExists,
    SystemShutdown,
    SystemShutdownCompleted,
)
from thespian.system.messages.logcontrol import SetLogging
from thespian.system.messages.multiproc import EndpointConnected, LoggerConnected
from thespian.system.transport.IPBase import TCPv4ActorAddress

from loki.actors.base.wire import Packet, Wire, WireError

HOST = "127.0.0.1"
MAY_BE_CREATED = "loki.actors.base.shell.ShellActor"
WIRE = Wire(HOST, [MAY_BE_CREATED])
SENDER = ["127.0.0.1", 4000]
encode = msgspec.msgpack.encode


def address(port: int) -> ActorAddress:
    return ActorAddress(TCPv4ActorAddress(HOST, port))


def plain(value: Any) -> Any:
    """A message as comparable data: class names, fields, ports."""
    if isinstance(value, ActorAddress):
        return value.addressDetails.sockname
    if isinstance(value, Packet):
        return ("Packet", value.data)
    if hasattr(value, "__dict__"):
        return (type(value).__name__, {k: plain(v) for k, v in vars(value).items()})
    return value


ADMITTED = [
    Packet(b"\x81\xa1x\x01"),
    QueryExists(),
    QueryAck("lokiSealedTCPBase", 1, False),
    SystemShutdown(),
    SystemShutdownCompleted(),
    EndpointConnected(3),
    LoggerConnected(),
    LoggerExitRequest(),
    ActorExitRequest(recursive=False),
    ChildActorExited(address(4001)),
    PendingActor(MAY_BE_CREATED, None, 1, None, None),
    PendingActor(MAY_BE_CREATED, address(4001), 1, None, None),
    PendingActorResponse(None, 1, None, errorCode=None, actualAddress=address(4001)),
    PendingActorResponse(None, 1, None, errorCode=0xE03, errorStr="no"),
    DeadEnvelope(address(4002), Packet(b"late")),
    PoisonMessage(Packet(b"bad"), "Traceback ..."),
]


@pytest.mark.parametrize("message", ADMITTED, ids=lambda m: type(m).__name__)
def test_what_is_on_the_list_arrives_as_it_was_sent(message: object) -> None:
    sender, arrived = WIRE.decode(WIRE.encode(address(4000), message))
    assert plain(arrived) == plain(message)
    assert type(arrived) is type(message)
    assert sender == address(4000)
    assert hash(sender.addressDetails) == hash(address(4000).addressDetails)
    assert str(sender) == str(address(4000))


@pytest.mark.parametrize(
    "message",
    [
        "text",
        b"bytes",
        {"a": 1},
        WakeupMessage(1),
        ValidateSource("hash", b"zip"),
        LoggerFileDup(),
        SetLogging(0, True, "/tmp/x"),
        CapabilityUpdate("a", "b"),
        DeadEnvelope(address(1), PoisonMessage(Packet(b""))),
    ],
    ids=lambda m: type(m).__name__,
)
def test_what_is_not_on_the_list_is_not_sent(message: object) -> None:
    with pytest.raises(WireError):
        WIRE.decode(WIRE.encode(address(4000), message))


class Exploit:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        pickle.dumps(Exploit()),
        pickle.dumps((None, QueryExists())),
        encode([SENDER, ["LoggerFileDup", "/tmp/x"]]),
        encode([SENDER, ["ValidateSource", "hash", b"zip"]]),
        encode([SENDER, ["__class__"]]),
        encode([SENDER, {"type": "QueryExists"}]),
        encode([SENDER, ["Packet", "text"]]),
        encode([SENDER, ["Packet", 1]]),
        encode([SENDER, ["Packet"]]),
        encode([SENDER, ["EndpointConnected", "3"]]),
        encode([SENDER, ["ChildActorExited", "me"]]),
        encode([SENDER, ["ChildActorExited", None]]),
        encode([SENDER, ["ChildActorExited", ["attacker.example", 80]]]),
        encode([SENDER, ["ChildActorExited", ["10.0.0.1", 80]]]),
        encode([["10.0.0.1", 80], ["QueryExists"]]),
        encode([["127.0.0.1", 0], ["QueryExists"]]),
        encode([["127.0.0.1", 65536], ["QueryExists"]]),
        encode([None, ["QueryExists"]]),
        encode([SENDER, ["PendingActor", "os.system", None, 1, None, None, None, []]]),
        encode([SENDER, ["PendingActor", "subprocess.Popen", None, 1, ["id"], None, None, []]]),
        encode([SENDER, ["PendingActor", MAY_BE_CREATED, None, 1, None, "global", None, []]]),
        encode([SENDER, ["PendingActor", MAY_BE_CREATED, None, 1, None, None, "hash", []]]),
        encode([SENDER, ["PendingActor", MAY_BE_CREATED, None, 1, None, None, None, [1]]]),
        encode([SENDER, ["QueryExists"]]) + b"\xc0",
        b"\x92" + encode(SENDER) + b"\x94" * 100_000,
        b"\x92\x92\xa1\x80",
    ],
)
def test_nothing_else_is_built_from_what_arrives(body: bytes) -> None:
    with pytest.raises(WireError):
        WIRE.decode(body)


@given(st.binary(max_size=200))
def test_noise_is_refused_or_a_message_of_the_list(body: bytes) -> None:
    try:
        _, message = WIRE.decode(body)
    except WireError:
        return
    assert type(message) in {type(admitted) for admitted in ADMITTED}


def test_a_child_that_has_not_said_where_it_listens_is_sent_later() -> None:
    manager = ActorAddressManager(address(1900), address(4000))
    child = manager.createLocalAddress()
    with pytest.raises(CannotPickleAddress):
        WIRE.encode(address(4000), ChildActorExited(child))
    manager.associateUseableAddress(address(4000), 0, address(4005))
    _, message = WIRE.decode(WIRE.encode(address(4000), ChildActorExited(child)))
    assert plain(message.childAddress) == (HOST, 4005)


def test_a_packet_is_named_by_its_size_alone() -> None:
    assert str(Packet(b"secret")) == "Packet of 6 bytes"
