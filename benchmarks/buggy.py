"""`loki`, but every actor has a bug that a message calls up: production code has no such trigger.

The roles are changed in the starter, from which all actors are forked.
"""

import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.upsetting_actor import MeetBug
from loki.__main__ import main
from loki.actors.base import shell
from loki.actors.door.role import Context, Handler, Role
from loki.messages.envelope import Message
from loki.testing import LokiServer


class BuggyServer(LokiServer):
    """One whose actors meet their bugs when told to."""

    def _command(self) -> list[str]:
        python, module, _, *rest = super()._command()
        return [python, module, "benchmarks.buggy", *rest]


def with_bug(role: type[Role]) -> type[Role]:
    """That role, and its bug: no LokiError, so its shell ends the actor."""

    def handlers(self: Role) -> Mapping[type[Message], Handler]:
        return {**role.handlers(self), MeetBug: _meet}

    changed: Any = type(role.__name__, (role,), {"handlers": handlers})
    return changed  # type: ignore[no-any-return]  # What `type` makes is a class.


def _meet(_message: MeetBug, _context: Context) -> None:
    raise ZeroDivisionError("a bug, on purpose")


if __name__ == "__main__":
    as_written = shell.import_role
    shell.import_role = lambda path: with_bug(as_written(path))
    sys.argv[0] = "loki"
    main()
