"""Framing of lanes: messages of up to 8 MiB in frames that a socket buffer can hold."""

import re
from collections.abc import Iterable, Iterator

FRAME_BYTES = 64 * 1024
MAX_MESSAGE_BYTES = 8 * 1024 * 1024 + 64 * 1024  # 8 MiB of payload, and its envelope.

LAST = 0
MORE = 1
HELLO = 2

_HEAD = {flag: bytes((flag,)) for flag in (LAST, MORE, HELLO)}
_NAME = re.compile(rb"[A-Za-z0-9_.-]{1,64}")


class FrameError(Exception):
    """The peer does not speak our framing; its lane cannot go on."""


def hello(name: str) -> bytes:
    """The first frame on a lane: who connects."""
    return _HEAD[HELLO] + name.encode()


def name_in(frame: memoryview) -> str:
    """Who says hello. Raises: FrameError where the frame is no hello, or the name no name."""
    if frame[:1] != _HEAD[HELLO] or not _NAME.fullmatch(frame[1:]):
        raise FrameError("does not say who it is")
    return bytes(frame[1:]).decode()


def require_room(size: int) -> None:
    """Raises: FrameError where no message may be that long."""
    if size > MAX_MESSAGE_BYTES:
        raise FrameError(f"a message of {size} bytes is above {MAX_MESSAGE_BYTES}")


def split(message: bytes) -> Iterable[bytes]:
    """The frames of one message, each at most FRAME_BYTES long.

    Raises: FrameError for a message above MAX_MESSAGE_BYTES.
    """
    if len(message) < FRAME_BYTES:
        return (_HEAD[LAST] + message,)
    require_room(len(message))
    return _pieces(message)


def _pieces(message: bytes) -> Iterator[bytes]:
    body = FRAME_BYTES - 1
    last = (len(message) - 1) // body * body
    for start in range(0, last, body):
        yield _HEAD[MORE] + message[start : start + body]
    yield _HEAD[LAST] + message[last:]


class Assembler:
    """Puts the frames of one lane together again."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, frame: memoryview) -> bytes | None:
        """The message that this frame completes, or None.

        Raises: FrameError for an unknown frame, or a message above MAX_MESSAGE_BYTES.
        """
        if not 0 < len(frame) <= FRAME_BYTES:
            raise FrameError(f"a frame of {len(frame)} bytes")
        flag = frame[0]
        if flag == LAST and not self._parts:
            return bytes(frame[1:])
        if flag not in (LAST, MORE):
            raise FrameError(f"unknown frame {flag}")
        self._parts.append(bytes(frame[1:]))
        self._size += len(frame) - 1
        if self._size > MAX_MESSAGE_BYTES:
            raise FrameError(f"a message above {MAX_MESSAGE_BYTES} bytes")
        if flag == MORE:
            return None
        message = b"".join(self._parts)
        self._parts, self._size = [], 0
        return message
