"""Runner and Dispatcher about scripts that call other scripts."""

import msgspec

from loki.messages.envelope import Message, Request
from loki.messages.script import Limits
from loki.messages.value import Packed


class CallOpened(Message):
    """The called script may start, under a run of its own at the children."""

    call: str  # The id of that run.
    revision: str  # "" for a script that is not kept.
    script: msgspec.Raw  # A packed CompiledScript; null where the runner holds this revision.
    arguments: dict[str, Packed]  # Validated, defaults filled in.
    limits: Limits


class OpenCall(Request[CallOpened]):
    """Runner -> Dispatcher: a script called `loki.call`."""

    run: str  # The caller's: the run of this runner, or a call within it.
    tool: str
    arguments: dict[str, Packed]


class CloseCall(Message):
    """Runner -> Dispatcher: the called script has ended; its children may let go."""

    call: str
