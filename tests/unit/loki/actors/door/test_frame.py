"""Any message survives its way through frames; anything else is refused, never more than that."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loki.actors.door.frame import (
    FRAME_BYTES,
    HELLO,
    LAST,
    MAX_MESSAGE_BYTES,
    MORE,
    Assembler,
    FrameError,
    hello,
    name_in,
    split,
)

BODY = FRAME_BYTES - 1
PATTERN = bytes(range(251)) * (MAX_MESSAGE_BYTES // 251 + 2)

sizes = st.one_of(
    st.integers(0, 3 * FRAME_BYTES),
    st.builds(
        lambda frames, off: max(0, min(frames * BODY + off, MAX_MESSAGE_BYTES)),
        st.integers(0, MAX_MESSAGE_BYTES // BODY + 1),
        st.integers(-2, 2),
    ),
)


@given(sizes)
@example(0)
@example(BODY)
@example(BODY + 1)
@example(8 * 1024 * 1024)
@example(MAX_MESSAGE_BYTES)
def test_a_message_comes_out_as_it_went_in(size: int) -> None:
    message = PATTERN[:size]
    assembler = Assembler()
    *before, whole = [assembler.feed(memoryview(frame)) for frame in split(message)]
    assert before == [None] * len(before)
    assert whole == message


@given(sizes)
def test_frames_fit_and_are_no_more_than_needed(size: int) -> None:
    frames = list(split(PATTERN[:size]))
    assert all(1 <= len(frame) <= FRAME_BYTES for frame in frames)
    assert len(frames) == max(1, -(-size // BODY))


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_frames_of_many_messages_do_not_mix(messages: list[bytes]) -> None:
    assembler = Assembler()
    got = [
        message
        for sent in messages
        for frame in split(sent * 3000)
        if (message := assembler.feed(memoryview(frame))) is not None
    ]
    assert got == [sent * 3000 for sent in messages]


def test_a_message_above_the_limit_is_not_split() -> None:
    with pytest.raises(FrameError, match=str(MAX_MESSAGE_BYTES)):
        list(split(bytes(MAX_MESSAGE_BYTES + 1)))


def test_a_message_that_never_ends_is_refused_at_the_limit() -> None:
    assembler = Assembler()
    frame = memoryview(bytes((MORE,)) + bytes(BODY))
    for _ in range(MAX_MESSAGE_BYTES // BODY):
        assert assembler.feed(frame) is None
    with pytest.raises(FrameError, match=str(MAX_MESSAGE_BYTES)):
        assembler.feed(frame)


@given(st.lists(st.binary(max_size=100), max_size=20))
@example([b""])
@example([bytes(FRAME_BYTES + 1)])
@example([bytes((HELLO,)) + b"x"])
@example([bytes((MORE,)), bytes((LAST,))])
def test_garbage_raises_frame_error_only(frames: list[bytes]) -> None:
    assembler = Assembler()
    for frame in frames:
        try:
            message = assembler.feed(memoryview(frame))
        except FrameError:
            return
        assert frame[0] in (MORE, LAST)
        assert (message is None) == (frame[0] == MORE)


@given(st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True))
def test_hello_carries_the_name(name: str) -> None:
    assert name_in(memoryview(hello(name))) == name


@pytest.mark.parametrize(
    "frame",
    [b"", b"\x02", b"\x00hel", b"\x02../hel", b"\x02a b", b"\x02\xff", b"\x02" + b"n" * 65],
)
def test_what_is_no_hello_is_refused(frame: bytes) -> None:
    with pytest.raises(FrameError):
        name_in(memoryview(frame))


@given(st.binary(max_size=80))
def test_any_first_frame_is_a_name_or_a_frame_error(frame: bytes) -> None:
    try:
        name = name_in(memoryview(frame))
    except FrameError:
        return
    assert hello(name) == frame
