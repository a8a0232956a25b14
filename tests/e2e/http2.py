"""HTTP/2 by hand, right and wrong. Source: RFC 9113, 4.1 and 6; RFC 7541, 6.2.2."""

import socket
import struct

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0,
    1,
    3,
    4,
    6,
    7,
    8,
    9,
)
END_STREAM, END_HEADERS = 0x1, 0x4
LONGEST = 16384  # Of a frame's payload, unless settings say otherwise.
MAGIC = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


PREFACE = MAGIC + frame(SETTINGS, 0, 0)


def number(value: int) -> bytes:
    """A length as HPACK writes it, with a prefix of 7 bits."""
    if value < 127:
        return bytes((value,))
    value, text = value - 127, b"\x7f"
    while value >= 128:
        text += bytes((value & 127 | 128,))
        value >>= 7
    return text + bytes((value,))


def literal(name: str, value: str) -> bytes:
    """A header that is in no table and not compressed."""
    return b"\0" + b"".join(number(len(raw)) + raw for raw in (name.encode(), value.encode()))


def headers(path: str, **changes: str) -> bytes:
    """Of a gRPC call; "" leaves one out."""
    named = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return b"".join(literal(name, value) for name, value in named.items() if value)


def call(path: str, message: bytes, stream: int = 1, flag: int = 0, **changes: str) -> bytes:
    """A whole unary call: headers and one message; `flag` 1 says that it is compressed."""
    body = struct.pack(">BI", flag, len(message)) + message
    pieces = [body[start : start + LONGEST] for start in range(0, len(body), LONGEST)]
    frames = [frame(DATA, 0, stream, piece) for piece in pieces[:-1]]
    frames.append(frame(DATA, END_STREAM, stream, pieces[-1]))
    return frame(HEADERS, END_HEADERS, stream, headers(path, **changes)) + b"".join(frames)


def said(address: str, data: bytes, until: bytes = b"", timeout_s: float = 60.0) -> bytes:
    """What a server answers to those bytes, up to its end or to what comes with `until`."""
    host, port = address.split(":")
    answer = b""
    with socket.create_connection((host, int(port)), timeout_s) as connection:
        try:
            connection.sendall(data)
            while not (until and until in answer):
                piece = connection.recv(65536)
                if not piece:
                    break
                answer += piece
        except ConnectionError:
            pass  # It did not want to hear more.
    return answer
