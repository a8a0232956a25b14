"""A revision of a script, as plain Python."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from loki.v1 import script_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRevision:
    """Who registered it first, and when by the device's clock, in UTC."""

    revision: str
    principal: str  # "" where that is not known, and of a file.
    registered: datetime | None  # As well.
    current: bool
    current_by: str = ""  # Who made it the current one; "" for others, and where it is not known.
    current_since: datetime | None = None  # As well.


def revision_of(message: script_pb2.ScriptRevision) -> ScriptRevision:
    return ScriptRevision(
        revision=message.revision,
        principal=message.principal,
        registered=_time(message, "register_time"),
        current=message.current,
        current_by=message.current_principal,
        current_since=_time(message, "current_time"),
    )


def _time(
    message: script_pb2.ScriptRevision, field: Literal["register_time", "current_time"]
) -> datetime | None:
    time = message.register_time if field == "register_time" else message.current_time
    return time.ToDatetime(UTC) if message.HasField(field) else None
