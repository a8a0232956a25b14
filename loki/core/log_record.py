"""One event of the log: as the one line that holds it, and whether somebody asked for it.

Theory of operation. A line is JSON in plain ASCII: whatever a text brings along, line ends, what a
terminal would obey, half a character, is escaped. So one event is one line, and nobody can write a
second one. Who reads passes over what is no such line: a disk that was full may have cut one short.
"""

import json
from dataclasses import dataclass
from datetime import datetime

import msgspec

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MOST_TEXT_CHARACTERS = 16_384  # Of a message; a traceback is a tenth of it.
CUT = " … (cut)"


class LogRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened, and to whom. Ids are "" where nobody knows them."""

    time: datetime
    level: str  # One of LEVELS.
    actor: str
    pid: int
    execution: str = ""
    trace: str = ""
    incident: str = ""
    message: str


_decoder = msgspec.json.Decoder(LogRecord)


def to_line(record: LogRecord) -> bytes:
    """Ends with the only line end in it."""
    plain = msgspec.to_builtins(record)
    text = plain["message"]
    if len(text) > MOST_TEXT_CHARACTERS:
        text = text[:MOST_TEXT_CHARACTERS] + CUT
    plain["message"] = text.encode("utf-8", "backslashreplace").decode()
    # Not msgspec's encoder: it leaves DEL and the control characters above it as they are.
    return json.dumps(plain).replace("\x7f", "\\u007f").encode() + b"\n"


def from_line(line: bytes) -> LogRecord | None:
    """None for what is no whole line of ours."""
    try:
        record = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return record if record.level in LEVELS else None


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which records somebody wants; "" is any."""

    level: str = "DEBUG"  # That, and what is worse.
    actor: str = ""
    execution: str = ""
    incident: str = ""
    after: datetime | None = None

    def admits(self, record: LogRecord) -> bool:
        return (
            LEVELS.index(record.level) >= LEVELS.index(self.level)
            and self.actor in ("", record.actor)
            and self.execution in ("", record.execution, record.trace)
            and self.incident in ("", record.incident)
            and (self.after is None or record.time > self.after)
        )
