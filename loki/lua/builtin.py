"""What `loki` offers to every script: its functions as data, and the steps that they ask for."""

import re

from loki.core.run.engine import AskBudget, CallTool, Emit, Log, Progress, Sleep, Step
from loki.errors import InvalidArgument
from loki.messages.lua_module import LuaFunction, LuaModule, LuaParameter, LuaType
from loki.messages.value import ScriptValue

LOGGED = 2000  # Characters of a text.
LEVELS = ("debug", "info", "warning", "error")

LOKI = LuaModule(
    name="loki",
    child="",
    doc="What every script may do. Called with a dot.",
    functions=(
        LuaFunction(
            name="sleep",
            request="",
            parameters=(LuaParameter(name="ms", type=LuaType.NUMBER, unit="ms", doc="0 or more"),),
            doc="Waits. The time counts against the time budget, not against CPU time.",
        ),
        LuaFunction(
            name="emit",
            request="",
            parameters=(
                LuaParameter(name="value", type=LuaType.ANY, required=False, doc="Any value"),
            ),
            doc="Sends a value to the client of a streamed run, before the result.",
        ),
        LuaFunction(
            name="progress",
            request="",
            parameters=(
                LuaParameter(name="fraction", type=LuaType.NUMBER, doc="0 to 1"),
                LuaParameter(
                    name="text", type=LuaType.STRING, required=False, doc="What happens now"
                ),
            ),
            doc="Tells the client of a streamed run how far it is.",
        ),
        LuaFunction(
            name="log",
            request="",
            parameters=(
                LuaParameter(
                    name="level", type=LuaType.STRING, doc="debug, info, warning or error"
                ),
                LuaParameter(
                    name="text",
                    type=LuaType.STRING,
                    doc="One line; control characters become spaces, and 2000 characters count",
                ),
            ),
            doc="Writes to the log of the device. A run may write 100 lines at once and 20 a "
            "second; what is beyond is left out, and the log says so.",
        ),
        LuaFunction(
            name="call",
            request="",
            parameters=(
                LuaParameter(name="tool", type=LuaType.STRING, doc="Name of another script"),
                LuaParameter(
                    name="params", type=LuaType.OBJECT, required=False, doc="Its parameters"
                ),
            ),
            returns=LuaType.ANY,
            doc="Runs another tool with its own permissions and limits, within what is left of the "
            "caller's budgets, and gives its result. The permission `tools` names which. If it "
            "fails, this raises an error whose field `tool` says which one failed.",
        ),
        LuaFunction(
            name="all",
            request="",
            parameters=(
                LuaParameter(name="functions", type=LuaType.ARRAY, doc="Functions of no argument"),
            ),
            returns=LuaType.ARRAY,
            doc="Runs functions side by side: while one waits, such as for loki.call, a child or "
            "loki.sleep, the others go on. Waits for all and gives their results in order, "
            "loki.null for nil; or raises the error of the first in order that failed.",
        ),
        LuaFunction(
            name="budget",
            request="",
            returns=LuaType.OBJECT,
            doc="What is left of the budgets: wall_ms, cpu_ms, memory_bytes, output_bytes and "
            "calls_in_flight, and under `allowed` the same names with all of each. A budget "
            "without limit is nil.",
        ),
        LuaFunction(
            name="now",
            request="",
            returns=LuaType.NUMBER,
            doc="Seconds since 1970, UTC, with fractions.",
        ),
    ),
)
"""The functions of `loki`; the host serves all but `all`, which lives in Lua as LOCAL does."""

LOCAL = ("null", "array", "bytes")


def step_of(function: str, arguments: dict[str, ScriptValue]) -> Step:
    """The step that a call of a `loki` function is. Arguments are of the declared types.

    Raises: InvalidArgument for a value out of range.
    """
    match function, arguments:
        case "sleep", {"ms": float(ms)} if ms >= 0:
            return Sleep(ms / 1000)
        case "budget", _:
            return AskBudget()
        case "emit", _:
            return Emit(arguments.get("value"))
        case "progress", {"fraction": float(fraction), **rest}:
            return Progress(min(max(fraction, 0.0), 1.0), str(rest.get("text", "")))
        case "log", {"level": str(level), "text": str(text)} if level in LEVELS:
            return Log(level, one_line(text))
        case "call", {"tool": str(tool), "params": dict(params)}:
            return CallTool(tool, params)
        case "call", {"tool": str(tool)}:
            return CallTool(tool, {})
    raise InvalidArgument(_OUT_OF_RANGE[function])


def one_line(text: str) -> str:
    """As a log shows it: no script can begin a line of its own there, or fill the disk at once."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text[:LOGGED])


_OUT_OF_RANGE = {
    "sleep": "loki.sleep(ms): ms must be 0 or more",
    "log": f"loki.log(level, text): level must be one of {', '.join(LEVELS)}",
}
