"""The body of an HTTP answer, piece by piece, within a bound that also holds after unpacking."""

import zlib

from loki.errors import IoError, ResourceLimitExceeded

GZIP = 16 + zlib.MAX_WBITS


class Body:
    """Collects one body. Each method raises LokiError for what cannot or must not be read."""

    def __init__(self, origin: str, encoding: str, limit_bytes: int) -> None:
        self._origin = origin
        self._limit_bytes = limit_bytes
        self._received_bytes = 0
        self._size_bytes = 0
        self._parts: list[bytes] = []
        self._unpacker = None if encoding in ("", "identity") else self._unpacker_of(encoding)

    def _unpacker_of(self, encoding: str) -> "zlib._Decompress":
        if encoding in ("gzip", "x-gzip"):
            return zlib.decompressobj(GZIP)
        raise IoError(f"{self._origin} answered in an encoding nobody asked for: {encoding[:40]}")

    def expect(self, length_bytes: int | None) -> None:
        """What the answer says of itself. Raises: ResourceLimitExceeded when that is too much."""
        if length_bytes is not None and length_bytes > self._limit_bytes:
            raise self._too_big()

    def feed(self, chunk: bytes) -> None:
        """Take what came. Raises: ResourceLimitExceeded above the limit, IoError for bad gzip."""
        self._received_bytes += len(chunk)
        if self._received_bytes > self._limit_bytes:
            raise self._too_big()
        part = chunk if self._unpacker is None else self._unpack(self._unpacker, chunk)
        self._size_bytes += len(part)
        if self._size_bytes > self._limit_bytes:
            raise self._too_big()
        self._parts.append(part)

    def whole(self) -> bytes:
        """All of it. Raises: IoError when it broke off inside gzip."""
        if self._unpacker is not None and self._received_bytes and not self._unpacker.eof:
            raise IoError(f"the answer of {self._origin} breaks off")
        return b"".join(self._parts)

    def _unpack(self, unpacker: "zlib._Decompress", chunk: bytes) -> bytes:
        """At most one byte above the limit: a bomb never unfolds."""
        try:
            part = unpacker.decompress(chunk, self._limit_bytes - self._size_bytes + 1)
        except zlib.error as error:
            raise IoError(f"{self._origin} sent bad gzip: {error}") from error
        if unpacker.unused_data:
            raise IoError(f"{self._origin} sent something behind the end of gzip")
        return part

    def _too_big(self) -> ResourceLimitExceeded:
        return ResourceLimitExceeded(
            f"the answer of {self._origin} is above {self._limit_bytes} bytes; ask for less, or "
            "raise max_response_mb under [children_config.jormungandr] of the settings",
            details={"limit_bytes": str(self._limit_bytes)},
        )
