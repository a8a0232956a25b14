"""Random tools as entries of a tool file, valid or with one rule broken, and calls of them."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from loki.messages.value import ScriptValue
from tests.generator.host import host_calls
from tests.generator.program import program

Table: TypeAlias = dict[str, object]

VALUES: dict[str, tuple[ScriptValue, ...]] = {
    "string": ("", "a", "grün €", "x" * 2000, "\0"),
    "integer": (0, -1, 7, 2**63 - 1, -(2**63)),
    "number": (0.0, -0.5, 1e308, 3.0),
    "boolean": (True, False),
    "object": ({}, {"a": [1, {"b": None}]}, {"": 0}),
    "array": ([], [1, "a", [None]], [[[]]]),
}
MISFITS: dict[str, tuple[ScriptValue, ...]] = {
    "string": (1, False, ["a"]),
    "integer": ("1", 0.5, True, {}),
    "number": ("1.5", True, [1.0]),
    "boolean": (0, "true"),
    "object": ([], "{}"),
    "array": ({}, "[]", 3),
}
RETURNS = (*VALUES, "bytes", "void")
LIMITS = {
    "max_execution_time_ms": (200, 500),
    "max_cpu_time_ms": (0, 100, 300),
    "max_memory_mb": (1, 4, 10),
    "max_output_kb": (0, 1, 64),
    "max_calls_in_flight": (0, 1, 16),
}
PERMISSIONS = {
    "gpio": ([4], [17, "led"], ["*"], []),
    "sensors": (["*"], ["one"]),
    "files": ("r", "rw"),
    "storage": (True, False),
    "http": (["http://127.0.0.1:1/"], []),
}
REFUSED_LINES = ("= =", "end end end end", "goto nowhere_at_all", "local 1", "x = 'open", "\0", "}")


@dataclass(frozen=True, slots=True)
class GeneratedTool:
    """An entry of a tool file with one call of it."""

    name: str  # Without the damage.
    table: Table
    broken: str  # The key that breaks a rule; empty where the tool is valid.
    arguments: dict[str, ScriptValue]
    misfit: str  # The argument that is not as declared; empty where the call is valid.


def tool(seed: int) -> GeneratedTool:
    """The tool that belongs to a seed: one in four breaks a rule, one call in six does."""
    random = Random(seed)
    parameters = [_parameter(random, n) for n in range(random.randrange(4))]
    name = f"generated_{seed}"
    table: Table = {
        "name": name,
        "description": random.choice(("", "Does something", "grün\n\t€")),
        "parameters": parameters,
        "return_type": random.choice(RETURNS),
        "script": {"inline": host_calls(random) + program(seed)},
        "limits": {key: random.choice(LIMITS[key]) for key in _some(random, list(LIMITS))},
        "permissions": {
            key: random.choice(PERMISSIONS[key]) for key in _some(random, list(PERMISSIONS))
        },
    }
    broken = random.choice(DAMAGES)(random, table) if random.random() < 0.25 else ""
    arguments, misfit = _arguments(random, parameters)
    return GeneratedTool(name, table, broken, arguments, misfit)


def _some(random: Random, keys: list[str]) -> list[str]:
    return random.sample(keys, random.randint(0, len(keys)))


def _parameter(random: Random, number: int) -> Table:
    kind = random.choice(list(VALUES))
    parameter: Table = {"name": f"p{number}", "type": kind}
    match random.randrange(4):
        case 0:
            parameter["required"] = random.random() < 0.5
        case 1:
            parameter["default"] = random.choice(VALUES[kind])
        case 2 if kind in ("integer", "number"):
            parameter |= {"minimum": -(2**63), "maximum": 1e308}
    return parameter


def _arguments(random: Random, parameters: list[Table]) -> tuple[dict[str, ScriptValue], str]:
    given: dict[str, ScriptValue] = {}
    for parameter in parameters:
        needed = "default" not in parameter and parameter.get("required") is not False
        if needed or random.random() < 0.5:
            given[str(parameter["name"])] = random.choice(VALUES[str(parameter["type"])])
    if random.random() > 0.17:
        return given, ""
    if not parameters or random.random() < 0.3:
        return given | {"stranger": 1}, "stranger"
    wrong = random.choice(parameters)
    name, kind = str(wrong["name"]), str(wrong["type"])
    return given | {name: random.choice(MISFITS[kind])}, name


# One rule each; gives the key that breaks it. ---------------------------------------------------


def _name(random: Random, table: Table) -> str:
    table["name"] = random.choice(("9lives", "", "a-b", "x" * 65, "ü", "_1", 5))
    return "name"


def _return_type(random: Random, table: Table) -> str:
    table["return_type"] = random.choice(("nil", "", "Integer", 1, ["string"]))
    return "return_type"


def _no_return_type(_random: Random, table: Table) -> str:
    del table["return_type"]
    return "return_type"


def _parameters(random: Random, table: Table) -> str:
    key, wrong = random.choice(
        (
            ("type", {"name": "q", "type": "float"}),
            ("name", {"name": "q q", "type": "string"}),
            ("default", {"name": "q", "type": "integer", "default": "one"}),
            ("default", {"name": "q", "type": "integer", "required": True, "default": 1}),
            ("maximum", {"name": "q", "type": "number", "minimum": 2, "maximum": 1}),
            ("minimum", {"name": "q", "type": "string", "minimum": 1}),
            ("unit", {"name": "q", "type": "string", "unit": "s"}),
        )
    )
    table["parameters"] = [wrong]
    return f"parameters[1].{key}"


def _limits(random: Random, table: Table) -> str:
    key, value = random.choice(
        (
            ("max_memory_mb", 0),
            ("max_execution_time_ms", -1),
            ("max_execution_time_ms", "500"),
            ("max_cpu_percent", 101),
            ("max_output_kb", 0.5),
            ("max_patience", 3),
        )
    )
    table["limits"] = {key: value}
    return f"limits.{key}"


def _permissions(random: Random, table: Table) -> str:
    key, value = random.choice(
        (("teleport", True), ("gpio", 4), ("gpio", [True]), ("files", "x"), ("storage", "rw"))
    )
    table["permissions"] = {key: value}
    return f"permissions.{key}"


def _script(random: Random, table: Table) -> str:
    table["script"] = random.choice(
        ({}, {"inline": "  "}, {"inline": "return", "path": "a.lua"}, {"path": "../../etc/passwd"})
    )
    return "script"


def _source(random: Random, table: Table) -> str:
    lines = program(random.randrange(1000)).splitlines()
    lines.insert(random.randrange(len(lines)), random.choice(REFUSED_LINES))
    table["script"] = {"inline": "\n".join(lines)}
    return "script"


def _unknown_key(random: Random, table: Table) -> str:
    key = random.choice(("returntype", "parameter", "permission", "version"))
    table[key] = 1
    return key


def _language(_random: Random, table: Table) -> str:
    table["language"] = "python"
    return "language"


def _description(random: Random, table: Table) -> str:
    table["description"] = random.choice(("x" * 5000, 5, ["text"]))
    return "description"


DAMAGES: tuple[Callable[[Random, Table], str], ...] = (
    _name, _return_type, _no_return_type, _parameters, _limits, _permissions, _script, _source,
    _source, _unknown_key, _language, _description,
)  # fmt: skip
