"""Budgets of a tool under the ceiling that the settings put over all tools."""

from functools import lru_cache

import msgspec

from loki.messages.script import Limits

NAMES: tuple[str, ...] = Limits.__struct_fields__


def exceeds(asked: int, ceiling: int) -> bool:
    """Whether a limit is above its ceiling; one that equals it is not.

    A ceiling of 0 bounds nothing. A limit of 0 asks for as much as there may be, never for more.
    """
    return 0 < ceiling < asked


@lru_cache(maxsize=1024)
def clamp(limits: Limits, ceiling: Limits) -> Limits:
    """The limits that hold: each the smaller of what is asked and its ceiling, 0 being endless."""
    return Limits(
        **{name: _smaller(getattr(limits, name), getattr(ceiling, name)) for name in NAMES}
    )


def override(limits: Limits, own: dict[str, int]) -> Limits:
    """`limits` with those replaced that a tool sets itself."""
    return msgspec.structs.replace(limits, **own)


def _smaller(one: int, other: int) -> int:
    return min(one, other) if one and other else one or other
