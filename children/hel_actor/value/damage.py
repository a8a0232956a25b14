"""What is said of stored values and keys that are not what was written, and what to do about it."""

import re
from itertools import chain
from typing import Annotated, Any

import msgspec

from loki.errors import ErrorCode, IoError, LokiError
from loki.messages.value import NESTED, Packed, ScriptValue, pick, sound, unpack

SHOWN = 256  # Letters of a key.
_BYTE = re.compile(r"\\x([89a-f][0-9a-f])")

# Most values are no deeper and have no bytes; msgspec looks at such a one in a tenth of the time.
_PLAIN = bool | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | float | str | None
_FLAT = _PLAIN | list[_PLAIN] | dict[str, _PLAIN]
_SHALLOW = msgspec.msgpack.Decoder(_PLAIN | list[_FLAT] | dict[str, _FLAT])


def reason(stored: object) -> str:
    """Why what is stored is no value that scripts can hold; "" where it is one."""
    if not isinstance(stored, bytes):
        return "it is no packed value"
    if _is_shallow(stored):
        return ""
    try:
        value = unpack(Packed(stored))
    except (LokiError, ValueError, RecursionError) as error:
        return str(error)
    return "" if sound(value) and _has_text_keys(value) else "it is no value of a script"


def _is_shallow(stored: bytes) -> bool:
    try:
        _SHALLOW.decode(stored)
    except (msgspec.MsgspecError, ValueError):
        return False
    return True


def _has_text_keys(value: ScriptValue) -> bool:
    """Level by level, each at once, as `sound` does it: values may be long."""
    level: list[Any] = [value]
    while not NESTED.isdisjoint(map(type, level)):
        maps = pick(level, dict)
        if not {str}.issuperset(map(type, chain.from_iterable(maps))):
            return False
        level = list(chain.from_iterable([*pick(level, list), *map(dict.values, maps)]))
    return True


def told_value(namespace: str, key: str, why: str) -> IoError:
    """For whoever needs it."""
    return IoError(
        f"the value of '{key[:SHOWN]}', stored by '{namespace}', is damaged and cannot be read "
        f"({why}); hel:storage_set and hel:storage_remove replace it, or put a backup back "
        "(`loki restore`)",
        code=ErrorCode.DATA_LOSS,
        details={"script": namespace, "key": key},
    )


def told_key(namespace: str, key: bytes) -> IoError:
    """For whoever lists it."""
    text = shown(key)
    return IoError(
        f"a key stored by '{namespace}' is damaged, and is no text any more: "
        f"'{text[:SHOWN]}'; hel:storage_remove removes it when it is called with just these "
        "letters, or put a backup back (`loki restore`); keys before and after it can be listed",
        code=ErrorCode.DATA_LOSS,
        details={"script": namespace, "key": text},
    )


def shown(key: bytes) -> str:
    r"""A key as people see it: bytes that are no text as \xff."""
    return key.decode(errors="backslashreplace")


def meant(text: str) -> bytes | None:
    """The damaged key that is shown so; None where all keys that may be are sound."""
    key = b"".join(
        bytes.fromhex(part) if number % 2 else part.encode()
        for number, part in enumerate(_BYTE.split(text))
    )
    return None if text_of(key) is not None else key


def text_of(key: object) -> str | None:
    """A stored key as scripts know it; None for a damaged one."""
    try:
        return key.decode() if isinstance(key, bytes) else None
    except UnicodeDecodeError:
        return None
