"""Sealed frames: what crosses Thespian's sockets proves that its sender holds the boot key.

Theory of operation. A frame is a head of fixed size and a body. The head carries the length and
the digest of the body, and an HMAC covers the head. So the first bytes of a connection already
prove the key: until they do, nothing more is read or kept, however long the frame claims to be.
The head also names the receiver's port and the time, and carries a nonce: a frame is good for one
receiver, in the life of one process, once.

Thespian sends the same bytes again when an acknowledgement got lost. A replay is therefore no
error: it is acknowledged and dropped. Acknowledgements are constant and never delivered, so they
carry no time and no nonce.
"""

import hashlib
import hmac
import os
import struct
from enum import Enum
from typing import Final, NamedTuple

KEY_BYTES: Final = 32
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
NONCE_BYTES: Final = 16
REMEMBERED_NONCES: Final = 32_768  # At most about 6 MB per process, and only after that many.

_MAGIC: Final = b"LOK1"
_HEAD: Final = struct.Struct("<?HQ16sL32s")  # The fields of Head, in their order.
_TAG: Final = slice(len(_MAGIC), len(_MAGIC) + hashlib.sha256().digest_size)
HEAD_BYTES: Final = _TAG.stop + _HEAD.size
_FIRST_READ_BYTES: Final = 4096  # A whole control message; what is beyond the frame is `extra`.


class FrameRefused(Exception):
    """The bytes are no frame of ours: another key, altered, or too long."""


class Head(NamedTuple):
    """What a frame says of itself; trusted once the tag over it is checked."""

    control: bool  # An acknowledgement of the transport itself, not a message.
    port: int  # Of the process that it is meant for; 0 in control frames.
    sealed_ns: int  # On the monotonic clock that all processes of a host share.
    nonce: bytes
    size_bytes: int  # Of the body.
    digest: bytes  # SHA-256 of the body.


class Seal:
    """Closes and opens frames with one key."""

    def __init__(self, key: bytes) -> None:
        """Raises: ValueError for a key under 32 bytes."""
        if len(key) < KEY_BYTES:
            raise ValueError(f"the key has {len(key)} bytes, at least {KEY_BYTES} are needed")
        self._key = bytearray(key)

    def forget(self) -> None:
        """Overwrite the key: from now on this opens nothing, and nobody opens what it closes."""
        self._key[:] = os.urandom(len(self._key))

    def message(self, body: bytes, *, port: int, now_ns: int) -> bytes:
        """A frame for the process that listens on `port`.

        Raises: FrameRefused for a body above MAX_BODY_BYTES.
        """
        return self._close(False, port, now_ns, os.urandom(NONCE_BYTES), body)

    def control(self, word: bytes) -> bytes:
        """A constant frame: the same word always gives the same bytes."""
        return self._close(True, 0, 0, bytes(NONCE_BYTES), word)

    def _close(self, control: bool, port: int, now_ns: int, nonce: bytes, body: bytes) -> bytes:
        if len(body) > MAX_BODY_BYTES:
            raise FrameRefused(f"a message of {len(body)} bytes is above {MAX_BODY_BYTES}")
        digest = hashlib.sha256(body).digest()
        head = _HEAD.pack(control, port, now_ns, nonce, len(body), digest)
        return b"".join((_MAGIC, self._tag(head), head, body))

    def _tag(self, head: bytes) -> bytes:
        return hmac.digest(self._key, head, "sha256")

    def open_head(self, frame: bytes) -> Head:
        """The head that `frame` starts with; `frame` must have HEAD_BYTES or more.

        Raises: FrameRefused when the tag is wrong, or the body longer than MAX_BODY_BYTES.
        """
        packed = frame[_TAG.stop : HEAD_BYTES]
        if not hmac.compare_digest(frame[_TAG], self._tag(packed)):
            raise FrameRefused("the seal is broken, or made with another key")
        head = Head(*_HEAD.unpack(packed))
        if head.size_bytes > MAX_BODY_BYTES:
            raise FrameRefused(f"a frame of {head.size_bytes} bytes is above {MAX_BODY_BYTES}")
        return head


class FrameBuffer:
    """Collects one frame as it arrives. Never raises: bytes that are no frame make it `broken`."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._bytes = bytearray()
        self.head: Head | None = None  # Set when its tag was found good.
        self.broken = False
        self.extra = b""  # What arrived behind the frame.

    @property
    def complete(self) -> bool:
        return self.head is not None and not self.missing_bytes

    @property
    def missing_bytes(self) -> int:
        """How much to read next."""
        if self.head is None:
            return _FIRST_READ_BYTES - len(self._bytes)
        return HEAD_BYTES + self.head.size_bytes - len(self._bytes)

    @property
    def body(self) -> bytes:
        """The body of a complete frame."""
        return bytes(memoryview(self._bytes)[HEAD_BYTES:])

    def add(self, data: bytes) -> None:
        if self.broken:
            return
        self._bytes += data
        try:
            self._check()
        except FrameRefused:
            self.broken = True
            self._bytes.clear()

    def _check(self) -> None:
        if self._bytes[: len(_MAGIC)] != _MAGIC[: len(self._bytes)]:
            raise FrameRefused("the first bytes are not those of a frame")
        if self.head is None:
            if len(self._bytes) < HEAD_BYTES:
                return
            self.head = self._seal.open_head(bytes(self._bytes[:HEAD_BYTES]))
        end = HEAD_BYTES + self.head.size_bytes
        if len(self._bytes) < end:
            return
        self.extra += bytes(self._bytes[end:])
        del self._bytes[end:]
        digest = hashlib.sha256(memoryview(self._bytes)[HEAD_BYTES:]).digest()
        if not hmac.compare_digest(digest, self.head.digest):
            raise FrameRefused("the body was altered")


class Verdict(Enum):
    FRESH = "fresh"
    REPLAYED = "replayed"
    REFUSED = "refused"


class ReplayGuard:
    """Tells the first arrival of a frame from all others, in bounded memory.

    A nonce is remembered until its frame is older than `window_ns`, and refused by age from then
    on. When more nonces arrive than fit, the oldest are forgotten and the age limit rises to
    theirs: a forgotten frame is refused, never delivered again.
    """

    def __init__(self, *, born_ns: int, window_ns: int, capacity: int = REMEMBERED_NONCES) -> None:
        """Frames from before `born_ns` were meant for an earlier process on this port."""
        self._oldest_ns = born_ns
        self._window_ns = window_ns
        self._capacity = capacity
        self._seen: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def judge(self, head: Head, *, port: int, now_ns: int) -> Verdict:
        """What to do with a frame that arrived at `port`; remembers it."""
        self._forget(now_ns)
        if head.port != port or head.sealed_ns <= self._oldest_ns or head.sealed_ns > now_ns:
            return Verdict.REFUSED
        if head.nonce in self._seen:
            return Verdict.REPLAYED
        self._seen[head.nonce] = head.sealed_ns
        return Verdict.FRESH

    def _forget(self, now_ns: int) -> None:
        self._oldest_ns = max(self._oldest_ns, now_ns - self._window_ns)
        while self._seen:
            nonce, sealed_ns = next(iter(self._seen.items()))
            if sealed_ns > self._oldest_ns and len(self._seen) < self._capacity:
                return
            self._oldest_ns = max(self._oldest_ns, sealed_ns)
            del self._seen[nonce]
