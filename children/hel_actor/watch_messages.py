"""Scripts and Hel about changes of stored values that are waited for."""

import msgspec

from loki.messages.envelope import Message, Request


class WatchOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last table of a call that waits for changes."""

    since: int | None = None  # A revision; None is that of now.
    timeout_ms: int | None = None  # 0 or more; None is as long as the run lasts.


class StoredChanged(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a stored value; the value itself may have changed again."""

    key: str
    removed: bool
    revision: int


class StoredWatched(Message):
    """What changed, in order; nothing where nothing did in time."""

    revision: int  # To ask since the next time.
    changes: tuple[StoredChanged, ...]
    reset: bool  # Whether changes are not known any more that far back: read anew.


class WatchStored(Request[StoredWatched]):
    """Script -> Hel: wait for changes of keys that begin with `prefix`. Reply: StoredWatched."""

    prefix: str | None = None  # None and "" are all of them.
    options: WatchOptions | None = None
