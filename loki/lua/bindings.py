"""Lua functions from their declarations: which there are, and their arguments checked by name."""

from collections.abc import Iterator
from difflib import get_close_matches

from loki.errors import InvalidArgument
from loki.lua.builtin import LOCAL, LOKI
from loki.lua.convert import SHOWN, Argument, RawString, Unsendable, describe, exact_integer
from loki.messages.lua_module import LuaFunction, LuaModule, LuaParameter, LuaType
from loki.messages.value import ScriptValue

_WANTED: dict[LuaType, str] = {
    LuaType.BOOLEAN: "a boolean",
    LuaType.INTEGER: "an integer",
    LuaType.NUMBER: "a number",
    LuaType.STRING: "a string",
    LuaType.BYTES: "a string or loki.bytes",
    LuaType.PIN: "a line's number or name",
    LuaType.OBJECT: "a table with names as keys",
    LuaType.ARRAY: "an array",
    LuaType.ANY: "a value",
    LuaType.NOTHING: "nil",
}


class Bindings:
    """All functions that scripts of one engine can call."""

    def __init__(self, modules: tuple[LuaModule, ...]) -> None:
        self._modules = {
            module.name: {
                function.name: Binding(module.name, function) for function in module.functions
            }
            for module in (LOKI, *modules)
        }

    @property
    def module_names(self) -> tuple[str, ...]:
        return tuple(self._modules)

    def services(self) -> Iterator[bytes]:
        """What the prelude wants: functions of `loki`, then name and functions of each child."""
        for module, functions in self._modules.items():
            if module != LOKI.name:
                yield module.encode()
            yield "".join(f" {name} " for name in functions).encode()

    def arguments(
        self, module: str, function: str, given: list[Argument]
    ) -> dict[str, ScriptValue]:
        """What a script gave, by parameter name; parameters that it left out are absent.

        Raises: InvalidArgument that names function and parameter, what is wanted and what came.
        """
        binding = self._modules[module].get(function)
        if binding is None:
            raise InvalidArgument(self._unknown(module, function[:SHOWN]))
        return binding.arguments(given)

    def _unknown(self, module: str, function: str) -> str:
        names = [*self._modules[module], *(LOCAL if module == LOKI.name else ())]
        near = get_close_matches(function, names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(sorted(names))}"
        return f"{module} has no function '{function}'; {hint}"


class Binding:
    """One function, ready to check and convert what a script gives it."""

    def __init__(self, module: str, function: LuaFunction) -> None:
        self._parameters = function.parameters
        self._slots = tuple((p, _CONVERT[p.type]) for p in function.parameters)
        separator = "." if module == LOKI.name else ":"
        names = ", ".join(p.name if p.required else f"[{p.name}]" for p in function.parameters)
        self.signature = f"{module}{separator}{function.name}({names})"

    def arguments(self, given: list[Argument]) -> dict[str, ScriptValue]:
        if len(given) != len(self._slots):
            given = self._filled(given)
        arguments: dict[str, ScriptValue] = {}
        for (parameter, convert), value in zip(self._slots, given, strict=True):
            if value is None and not parameter.required:
                continue
            try:
                arguments[parameter.name] = convert(value)
            except _Refused:
                raise self._refusal(parameter, value) from None
        return arguments

    def complaint(self, parameter: LuaParameter, value: Argument) -> str:
        """What `arguments` would say against one value, or nothing."""
        if value is None and not parameter.required:
            return ""
        try:
            _CONVERT[parameter.type](value)
        except _Refused:
            return self._refusal(parameter, value).message
        return ""

    def _filled(self, given: list[Argument]) -> list[Argument]:
        """Nothing for each optional parameter that was left out."""
        count = len(self._parameters)
        if len(given) > count:
            plural = "" if count == 1 else "s"
            raise InvalidArgument(
                f"{self.signature}: takes {count or 'no'} argument{plural}, got {len(given)}"
            )
        left_out = self._parameters[len(given) :]
        for parameter in left_out:
            if parameter.required:
                raise self._refusal(parameter, None)
        return given + [None] * len(left_out)

    def _refusal(self, parameter: LuaParameter, value: Argument) -> InvalidArgument:
        wanted = _WANTED[parameter.type]
        hint = "; wrap binary data in loki.bytes(s)" if isinstance(value, RawString) else ""
        complaint = (
            f"is missing; it must be {wanted}"
            if value is None
            else f"must be {wanted}, got {describe(value)}{hint}"
        )
        return InvalidArgument(
            f"{self.signature}: {parameter.name} {complaint}", details={"field": parameter.name}
        )


class _Refused(Exception):
    """The value is not of the type."""


def _boolean(value: Argument) -> ScriptValue:
    if isinstance(value, bool):
        return value
    raise _Refused


def _integer(value: Argument) -> ScriptValue:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    whole = exact_integer(value) if isinstance(value, float) else None
    if whole is None:
        raise _Refused
    return whole


def _number(value: Argument) -> ScriptValue:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise _Refused


def _string(value: Argument) -> ScriptValue:
    if isinstance(value, str) and not isinstance(value, Unsendable):
        return value
    raise _Refused


def _bytes(value: Argument) -> ScriptValue:
    if isinstance(value, bytes):
        return bytes(value)
    text = _string(value)
    assert isinstance(text, str)  # noqa: S101
    return text.encode()


def _pin(value: Argument) -> ScriptValue:
    return _string(value) if isinstance(value, str) else _integer(value)


def _object(value: Argument) -> ScriptValue:
    if isinstance(value, dict):
        return value
    if value == []:
        return {}
    raise _Refused


def _array(value: Argument) -> ScriptValue:
    if isinstance(value, list):
        return value
    if value == {}:
        return []
    raise _Refused


def _any(value: Argument) -> ScriptValue:
    if isinstance(value, RawString | Unsendable):
        raise _Refused
    return value


def _nothing(value: Argument) -> ScriptValue:
    if value is not None:
        raise _Refused
    return None


_CONVERT = {
    LuaType.BOOLEAN: _boolean,
    LuaType.INTEGER: _integer,
    LuaType.NUMBER: _number,
    LuaType.STRING: _string,
    LuaType.BYTES: _bytes,
    LuaType.PIN: _pin,
    LuaType.OBJECT: _object,
    LuaType.ARRAY: _array,
    LuaType.ANY: _any,
    LuaType.NOTHING: _nothing,
}
