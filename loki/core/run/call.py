"""Scripts that call scripts: which they may call, how deep, and what a failure says."""

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from loki.core.run.argument import bind
from loki.core.run.engine import Failed
from loki.core.run.execution import Admission
from loki.core.run.limit import clamp
from loki.core.run.manifest import place_of
from loki.errors import ErrorCode, LokiError, PermissionRefused, ResourceLimitExceeded
from loki.messages.envelope import Failure
from loki.messages.lua_module import PermissionKey, PermissionShape
from loki.messages.script import Limits, Script
from loki.messages.value import Packed, pack, unpack

MAX_DEPTH = 8  # Calls within calls.
MAX_CALLS = 16  # Of one run at a time: each has a state of its own.
TOOLS = PermissionKey(
    name="tools", shape=PermissionShape.LIST, doc="Other tools that it may call, by name"
)


def require(caller: Script, tool: str) -> None:
    """Raises: PermissionRefused that shows the line which would allow it."""
    if any(fnmatchcase(tool, pattern) for pattern in caller.permissions.get(TOOLS.name, ())):
        return
    where = place_of(caller.name, caller.declared_in)
    line = f"{TOOLS.name} = {json.dumps([tool])}"
    raise PermissionRefused(
        f"'{caller.name}' may not call '{tool}'; to allow it, put this under {where}: {line}",
        details={"permission": TOOLS.name, "wanted": tool, "allow_with": line},
    )


def check_room(chain: Sequence[str], under_way: int) -> None:
    """`chain` names who called whom, the new one last; `under_way` counts the run's calls.

    Raises: LokiError that shows the chain; ResourceLimitExceeded.
    """
    if len(chain) - 1 > MAX_DEPTH:
        raise LokiError(
            f"loki.call goes at most {MAX_DEPTH} deep: {' > '.join(chain)}",
            code=ErrorCode.QUOTA,
        )
    if under_way >= MAX_CALLS:
        raise ResourceLimitExceeded(
            f"{MAX_CALLS} called tools are under way in this run, and no more may be",
            code=ErrorCode.QUOTA,
        )


def admit(script: Script, arguments: Mapping[str, Packed], ceiling: Limits) -> Admission:
    """Raises: InvalidArgument that names the argument."""
    bound = bind(script, {name: unpack(value) for name, value in arguments.items()})
    packed = {name: pack(value) for name, value in bound.items()}
    return Admission(script, packed, clamp(script.limits, ceiling))


def failure_of(tool: str, failed: Failed) -> Failure:
    """What the caller is told of a called script that failed; it may catch that."""
    details = {**dict(failed.details), "tool": tool}
    if failed.line:
        details["line"] = str(failed.line)
    if failed.traceback:
        details["traceback"] = failed.traceback
    return Failure(code=failed.code, message=failed.message, details=details)
