"""A revision of a script, as plain Python."""

from dataclasses import dataclass
from datetime import UTC, datetime

from loki.v1 import script_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRevision:
    """Who registered it first, and when by the device's clock, in UTC."""

    revision: str
    principal: str  # "" where that is not known, and of a file.
    registered: datetime | None  # As well.
    current: bool


def revision_of(message: script_pb2.ScriptRevision) -> ScriptRevision:
    known = message.HasField("register_time")
    return ScriptRevision(
        revision=message.revision,
        principal=message.principal,
        registered=message.register_time.ToDatetime(UTC) if known else None,
        current=message.current,
    )
