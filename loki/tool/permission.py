"""Permission manifests, checked against the keys that the children declare."""

from collections.abc import Iterable, Mapping

from loki.core.name import NAME, suggest
from loki.core.run.call import TOOLS
from loki.messages.lua_module import LuaModule, PermissionKey, PermissionShape
from loki.messages.script import Permissions
from loki.tool.problem import Breach

ALLOWED = {
    PermissionShape.LIST: 'must be a list of names, patterns or numbers, such as [17, "led"]',
    PermissionShape.FLAG: "must be true or false",
    PermissionShape.MODE: 'must be "r" or "rw"',
    PermissionShape.NAME: "must be a name: 1 to 64 of a-z, A-Z, 0-9 and _, no digit first",
}


def read_permissions(
    table: Mapping[str, object], modules: Iterable[LuaModule]
) -> tuple[Permissions, tuple[Breach, ...]]:
    """The manifest in its normal form, and every rule it breaks.

    A key that allows nothing (`storage = false`, `gpio = []`) is left out. The normal form is
    accepted as well as people's: a flag as ["*"], a mode as ["r"] or ["rw"], a name as [name].
    """
    keys = known_keys(modules)
    allowed: Permissions = {}
    breaches = []
    for name, value in table.items():
        entries = _entries(keys[name], value) if name in keys else None
        if entries is None:
            breaches.append(Breach((name,), value, _refusal(name, keys)))
        elif entries:
            allowed[name] = entries
    return allowed, tuple(breaches)


def known_keys(modules: Iterable[LuaModule]) -> dict[str, PermissionKey]:
    """By name: those of the modules, and Loki's own."""
    keys = {key.name: key for module in modules for key in module.permissions}
    return {**keys, TOOLS.name: TOOLS}


def _refusal(name: str, keys: Mapping[str, PermissionKey]) -> str:
    if name in keys:
        return ALLOWED[keys[name].shape]
    known = f" (known: {', '.join(sorted(keys))})" if keys else ""
    return f"no child has such a permission{suggest(name, keys)}{known}"


def _entries(key: PermissionKey, value: object) -> tuple[str, ...] | None:
    """None where the value has the wrong shape."""
    match key.shape, value:
        case PermissionShape.LIST, list() | tuple():
            return tuple(str(item) for item in value) if all(map(_is_entry, value)) else None
        case PermissionShape.FLAG, bool():
            return ("*",) if value else ()
        case PermissionShape.FLAG, ["*"]:
            return ("*",)
        case PermissionShape.MODE, ("r" | "rw") as mode:
            return (mode,)
        case PermissionShape.MODE, [("r" | "rw") as mode]:
            return (mode,)
        case PermissionShape.NAME, (str() as name) | [str() as name]:
            return (name,) if NAME.fullmatch(name) else None
    return None


def _is_entry(item: object) -> bool:
    return bool(item) if isinstance(item, str) else type(item) is int
