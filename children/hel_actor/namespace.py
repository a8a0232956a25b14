"""Whose data a run works on."""

import re
from importlib.util import find_spec

from hel_actor.lua_api import SHARE, STORAGE
from hel_actor.series.series import checked_name
from hel_actor.series_api import SERIES
from hel_actor.value.keyvalue import checked_key
from loki.child import Run
from loki.errors import ErrorCode, InvalidArgument, ServiceUnavailable, pip_install

# Names of tools begin with a letter or _, so that none of them can be one of these.
ADHOC = "-adhoc"
SHARED = "+"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def shared_name(run: Run) -> str:
    """What the run's tool shares with all others that declare the same; "" where it does not.

    Raises: InvalidArgument for what is no name: a directory is called after it.
    """
    name = next(iter(run.allowed(SHARE)), "")
    if name and not _NAME.fullmatch(name):
        raise InvalidArgument(f"'{name[:80]}' cannot be shared: it is no name")
    return name


def space(run: Run) -> str:
    """The namespace of a run: what it shares, else that of its tool.

    All ad-hoc scripts, declared nowhere, have one together.
    """
    if name := shared_name(run):
        return SHARED + name
    return run.script if run.declared_in else ADHOC


def may_store(run: Run) -> str:
    """The namespace whose values a run may use. Raises: PermissionRefused."""
    run.require(STORAGE, "storage", "storage = true")
    return space(run)


def key_place(run: Run, key: str) -> tuple[str, str]:
    """Namespace and key. Raises: PermissionRefused; InvalidArgument."""
    return may_store(run), checked_key(key)


def may_record(run: Run) -> str:
    """The namespace whose series a run may use.

    Raises: PermissionRefused; ServiceUnavailable without zarr.
    """
    run.require(SERIES, "time series", "series = true")
    require_zarr()
    return space(run)


def series_place(run: Run, name: str) -> tuple[str, str]:
    """Namespace and name. Raises: PermissionRefused; ServiceUnavailable; InvalidArgument."""
    return may_record(run), checked_name(name)


def require_zarr() -> None:
    """Raises: ServiceUnavailable where it is not installed."""
    if find_spec("zarr") is None:
        raise ServiceUnavailable(
            f"time series need zarr, which is not installed: {pip_install('loki[series]')}",
            code=ErrorCode.UNSUPPORTED,
        )
