"""The seams in Thespian: a key or nothing, and receive buffers that never raise."""

import importlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from thespian.actors import ActorAddress
from thespian.system.messages.admin import QueryExists
from thespian.system.transport import TCPTransport
from thespian.system.transport.IPBase import TCPv4ActorAddress

from loki.actors.base import transport
from loki.actors.base.seal import Seal
from loki.actors.base.wire import Wire
from loki.errors import ConfigurationError

KEY = os.urandom(32)


@pytest.fixture(autouse=True)
def _installed() -> None:
    transport.install(KEY)


def sealed_query() -> bytes:
    sender = ActorAddress(TCPv4ActorAddress("127.0.0.1", 4000))
    body = Wire("127.0.0.1", ()).encode(sender, QueryExists())
    return Seal(KEY).message(body, port=1, now_ns=1)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="31 bytes"):
        transport.install(bytes(31))


def test_thespian_finds_the_base_by_its_name() -> None:
    module = importlib.import_module("thespian.system." + transport.install(KEY))
    assert module.ActorSystemBase.transportType is transport.SealedTransport


@pytest.mark.parametrize("external", [False, True, ("", 1900)])
def test_every_address_binds_to_loopback(external: object) -> None:
    (bound,) = TCPv4ActorAddress(None, 1900, external=external).bindArgs
    assert bound == ("127.0.0.1", 1900)


def test_a_frame_is_decoded_once_however_often_it_is_asked_for() -> None:
    """Thespian asks twice on the acknowledgement path and compares nothing."""
    buffer = TCPTransport.ReceiveBuffer()
    buffer.addMore(sealed_query() + b"behind")
    first, second = buffer.completed(), buffer.completed()
    assert first is not None
    assert second is not None
    assert first[0] is second[0]
    assert first[1] == b"behind"
    buffer.removeExtra()
    assert buffer.completed()[1] == b""


@pytest.mark.parametrize("word", ["ACK", "ACK+DATAERR"])
def test_acknowledgements_are_control_messages(word: str) -> None:
    buffer = TCPTransport.ReceiveBuffer()
    buffer.addMore({"ACK": TCPTransport.ackMsg, "ACK+DATAERR": TCPTransport.ackDataErrMsg}[word])
    assert buffer.completed() == (word, b"")
    assert TCPTransport.isControlMessage(buffer.completed()[0])


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_a_receive_buffer_never_raises(noise: list[bytes]) -> None:
    """An exception there would make Thespian forget a send without telling the sender."""
    buffer = TCPTransport.ReceiveBuffer()
    for data in noise:
        buffer.addMore(data)
    assert buffer.completed() is None
    assert buffer.isDone() or buffer.remainingAmount() > 0


def test_pickle_is_out_of_reach() -> None:
    assert not hasattr(TCPTransport.serializer, "dumps")
    assert not callable(TCPTransport.serializer.loads)
