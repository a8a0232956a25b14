"""Whose data a run works on."""

from hel_actor.keyvalue import checked_key
from hel_actor.lua_api import STORAGE
from loki.child import Run

ADHOC = "-adhoc"  # No tool can have this name.


def space(run: Run) -> str:
    """The namespace of a run: its tool's name. All ad-hoc scripts, declared nowhere, share one."""
    return run.script if run.declared_in else ADHOC


def may_store(run: Run) -> str:
    """The namespace whose values a run may use. Raises: PermissionRefused."""
    run.require(STORAGE, "storage", "storage = true")
    return space(run)


def key_place(run: Run, key: str) -> tuple[str, str]:
    """Namespace and key. Raises: PermissionRefused; InvalidArgument."""
    return may_store(run), checked_key(key)
