"""Sealed frames: only the key opens them, whole, for one receiver, once."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.actors.base.seal import (
    HEAD_BYTES,
    KEY_BYTES,
    MAX_BODY_BYTES,
    FrameBuffer,
    FrameRefused,
    Head,
    ReplayGuard,
    Seal,
    Verdict,
)

KEY = bytes(range(KEY_BYTES))
SEAL = Seal(KEY)
PORT = 4711
bodies = st.binary(max_size=6000)


def sealed(body: bytes, now_ns: int = 1) -> bytes:
    return SEAL.message(body, port=PORT, now_ns=now_ns)


def received(*chunks: bytes, seal: Seal = SEAL) -> FrameBuffer:
    buffer = FrameBuffer(seal)
    for chunk in chunks:
        buffer.add(chunk)
    return buffer


def head(nonce: int, sealed_ns: int, port: int = PORT) -> Head:
    return Head(False, port, sealed_ns, struct.pack(">QQ", 0, nonce), 0, bytes(32))


@pytest.mark.parametrize("size", [0, 1, KEY_BYTES - 1])
def test_a_short_key_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes"):
        Seal(bytes(size))


@given(body=bodies, extra=st.binary(max_size=50), cuts=st.lists(st.integers(0, 6200), max_size=6))
def test_a_frame_arrives_whole_however_it_is_cut(
    body: bytes, extra: bytes, cuts: list[int]
) -> None:
    data = sealed(body) + extra
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    buffer = received(*(data[a:b] for a, b in pairwise(edges)))
    assert buffer.complete
    assert not buffer.broken
    assert buffer.body == body
    assert buffer.extra == extra
    assert buffer.head is not None
    assert (buffer.head.port, buffer.head.sealed_ns, buffer.head.control) == (PORT, 1, False)


@given(body=bodies, data=st.data())
def test_any_flipped_bit_breaks_it(body: bytes, data: st.DataObject) -> None:
    frame = bytearray(sealed(body))
    bit = data.draw(st.integers(0, len(frame) * 8 - 1))
    frame[bit // 8] ^= 1 << bit % 8
    buffer = received(bytes(frame))
    assert buffer.broken
    assert not buffer.complete


@given(body=bodies, key=st.binary(min_size=KEY_BYTES, max_size=64).filter(lambda k: k != KEY))
def test_another_key_does_not_open_it(body: bytes, key: bytes) -> None:
    assert received(sealed(body), seal=Seal(key)).broken


@given(body=bodies, data=st.data())
def test_a_cut_frame_is_never_complete(body: bytes, data: st.DataObject) -> None:
    frame = sealed(body)
    buffer = received(frame[: data.draw(st.integers(0, len(frame) - 1))])
    assert not buffer.complete
    assert not buffer.broken
    assert buffer.missing_bytes > 0


@given(chunks=st.lists(st.binary(min_size=1, max_size=3000), max_size=8))
def test_strangers_cannot_fill_memory(chunks: list[bytes]) -> None:
    buffer = received(*chunks)
    assert not buffer.complete
    assert buffer.broken or sum(map(len, chunks)) < HEAD_BYTES
    assert len(buffer._bytes) < HEAD_BYTES


def test_a_frame_with_the_stock_header_is_broken_at_its_first_byte() -> None:
    assert received(b"9").broken


def test_an_unsealed_length_is_not_believed() -> None:
    frame = bytearray(sealed(b"body"))
    frame[HEAD_BYTES - 36 : HEAD_BYTES - 32] = struct.pack("<L", 2**32 - 1)
    assert received(bytes(frame)).broken


def test_a_sealed_length_above_the_limit_is_refused_before_the_body() -> None:
    long_head = struct.pack("<?HQ16sL32s", False, PORT, 1, bytes(16), MAX_BODY_BYTES + 1, bytes(32))
    assert received(b"LOK1" + SEAL._tag(long_head) + long_head).broken


def test_a_body_above_the_limit_is_not_sealed() -> None:
    with pytest.raises(FrameRefused, match="above"):
        sealed(bytes(MAX_BODY_BYTES + 1))
    assert received(sealed(bytes(MAX_BODY_BYTES))).complete


def test_control_frames_are_constant_and_no_two_messages_alike() -> None:
    assert SEAL.control(b"ACK") == SEAL.control(b"ACK")
    assert sealed(b"same") != sealed(b"same")
    ack = received(SEAL.control(b"ACK"))
    assert ack.body == b"ACK"
    assert ack.head is not None
    assert ack.head.control


def test_a_forgotten_key_neither_opens_nor_closes() -> None:
    seal = Seal(KEY)
    seal.forget()
    assert received(sealed(b"to it"), seal=seal).broken
    assert received(seal.message(b"from it", port=PORT, now_ns=1)).broken


def test_a_message_cannot_be_passed_off_as_control() -> None:
    frame = bytearray(sealed(b"ACK"))
    frame[HEAD_BYTES - struct.calcsize("<?HQ16sL32s")] = 1
    assert received(bytes(frame)).broken


def guard(capacity: int = 8, window_ns: int = 100, born_ns: int = 0) -> ReplayGuard:
    return ReplayGuard(born_ns=born_ns, window_ns=window_ns, capacity=capacity)


@pytest.mark.parametrize(
    ("frame", "now_ns", "verdict"),
    [
        (head(1, 1000), 1000, Verdict.FRESH),
        (head(1, 901), 1000, Verdict.FRESH),
        (head(1, 900), 1000, Verdict.REFUSED),  # As old as the window.
        (head(1, 1001), 1000, Verdict.REFUSED),  # From the future.
        (head(1, 1000, PORT + 1), 1000, Verdict.REFUSED),  # For another process.
        (head(1, 500), 550, Verdict.REFUSED),  # For an earlier process on this port.
    ],
)
def test_a_frame_is_good_for_one_receiver_and_time(
    frame: Head, now_ns: int, verdict: Verdict
) -> None:
    assert guard(born_ns=500).judge(frame, port=PORT, now_ns=now_ns) is verdict


def test_a_repeated_transmit_is_a_replay_for_as_long_as_it_is_accepted() -> None:
    replays = guard()
    assert replays.judge(head(1, 1000), port=PORT, now_ns=1000) is Verdict.FRESH
    assert replays.judge(head(1, 1000), port=PORT, now_ns=1099) is Verdict.REPLAYED
    assert replays.judge(head(1, 1000), port=PORT, now_ns=1100) is Verdict.REFUSED
    assert len(replays) == 0


@given(
    arrivals=st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 60), st.integers(0, 20)), max_size=120
    ),
    capacity=st.integers(1, 10),
)
def test_nothing_is_delivered_twice_and_memory_is_bounded(
    arrivals: list[tuple[int, int, int]], capacity: int
) -> None:
    """Whatever arrives late, repeated and in whatever order, and however few nonces fit."""
    replays = guard(capacity=capacity)
    sealed_at: dict[int, int] = {}
    delivered: list[int] = []
    now_ns = 1000
    for nonce, age_ns, step_ns in arrivals:
        now_ns += step_ns
        frame = head(nonce, sealed_at.setdefault(nonce, now_ns - age_ns))
        if replays.judge(frame, port=PORT, now_ns=now_ns) is Verdict.FRESH:
            delivered.append(nonce)
        assert len(replays) <= capacity
    assert len(delivered) == len(set(delivered))
