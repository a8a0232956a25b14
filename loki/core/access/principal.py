"""Who calls, and what that allows: roles, and the scripts that the roles reach.

A caller is never told of a script that it may not see: asking for it fails as for one that is not
there. For one that it sees and may not use, the refusal names what is missing.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from loki.errors import ErrorCode, LokiError, PermissionRefused, ScriptNotFound
from loki.messages.access import EVERY_SCRIPT, NO_QUOTA, ClientRole, Quota
from loki.messages.envelope import Failure
from loki.messages.event import (
    BudgetWarned,
    ChildChanged,
    ConfigRejected,
    Fact,
    ScriptChanged,
    SettingsChanged,
)
from loki.messages.history import Execution
from loki.messages.script import ADHOC_NAME


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who calls."""

    name: str
    roles: frozenset[ClientRole]
    scripts: tuple[str, ...] = EVERY_SCRIPT  # Globs over names.
    quota: Quota = NO_QUOTA

    def require(self, role: ClientRole) -> None:
        """Raises: PermissionRefused (ROLE)."""
        if role not in self.roles:
            raise PermissionRefused(
                f"'{self.name}' needs the role '{role.value}' for this",
                code=ErrorCode.ROLE,
                details={"principal": self.name, "role": role.value},
            )

    @property
    def unbounded(self) -> bool:
        """Whether its roles reach every script, whatever its name."""
        return "*" in self.scripts

    def reaches(self, script: str) -> bool:
        """Whether its roles hold for scripts of that name."""
        return self.unbounded or any(fnmatchcase(script, glob) for glob in self.scripts)


LOCAL = Principal("local", frozenset(ClientRole) - {ClientRole.FAULT})
"""Whoever calls from this device without credentials; nothing bounds it."""


NOBODY = Principal("", frozenset(), ())
"""Who was not let in."""


def may_see(principal: Principal, script: str) -> bool:
    """Whether it may know that there is such a script; what it does not see is not there."""
    return ClientRole.VIEW in principal.roles and principal.reaches(script)


def may_follow(principal: Principal, execution: Execution) -> bool:
    """Whether it may know of that execution.

    Source that came along is of no script, and no globs but that of all reach it.
    """
    if execution.script == ADHOC_NAME and not execution.revision:
        return ClientRole.VIEW in principal.roles and principal.unbounded
    return may_see(principal, execution.script)


def may_run(principal: Principal, script: str) -> bool:
    """Whether it may run such a script, also through its typed method."""
    return ClientRole.EXECUTE in principal.roles and principal.reaches(script)


def may_hear(principal: Principal, fact: Fact) -> bool:
    """Whether it may be told of that event; rejected files may name any script."""
    match fact:
        case ScriptChanged(name=script) | BudgetWarned(script=script):
            return may_see(principal, script)
        case ConfigRejected():
            return principal.unbounded
        case SettingsChanged():
            return ClientRole.ADMIN in principal.roles
        case ChildChanged():
            return True


class OutOfReach(LokiError):
    """A script that somebody asked for is none of its own.

    Its code, text and details are those for a script that is not there, and nothing else reaches
    the caller. Who asked and for what is here for the device's own log.
    """

    def __init__(self, told: LokiError, principal: Principal, script: str) -> None:
        super().__init__(told.message, code=told.code, details=told.details)
        self.principal = principal.name
        self.script = script


def require_seen(principal: Principal, script: str) -> None:
    """Raises: OutOfReach for what it may not see, in the words for what is not there."""
    if not may_see(principal, script):
        raise OutOfReach(unseen(script), principal, script)


def unseen(script: str) -> ScriptNotFound:
    """As for a script that is not there, without a guess which one was meant."""
    return ScriptNotFound(f"there is no script '{script}'", details={"script": script})


def require_overview(principal: Principal) -> None:
    """Whether it may be told of what all scripts keep, by the names of those scripts.

    Raises: PermissionRefused (ROLE).
    """
    if not principal.unbounded:
        principal.require(ClientRole.DATA)


def without_guess(principal: Principal, failure: Failure) -> Failure:
    """As it is told to somebody who may not see every script: it names none of those."""
    script = failure.details.get("script", "")
    match failure.code:
        case _ if principal.unbounded:
            return failure
        case ErrorCode.SCRIPT_EXISTS if not principal.reaches(failure.details.get("other", script)):
            return Failure.of(_taken(script))
        case ErrorCode.SCRIPT_NOT_FOUND if "revision" not in failure.details:
            return Failure.of(unseen(script))
    return failure  # One with a revision is of a script that the caller named rightly.


def _taken(script: str) -> LokiError:
    """Without the name of the script whose typed method it would have."""
    return LokiError(
        f"another script has the typed method that '{script}' would have; choose another name",
        code=ErrorCode.SCRIPT_EXISTS,
        details={"script": script},
    )


def require_name(principal: Principal, script: str) -> None:
    """Whether it may register under that name, be it taken or not.

    Raises: PermissionRefused (ROLE).
    """
    if not principal.reaches(script):
        globs = ", ".join(f"'{glob}'" for glob in principal.scripts)
        raise PermissionRefused(
            f"'{principal.name}' may register scripts named {globs} only, and not '{script}'",
            code=ErrorCode.ROLE,
            details={"principal": principal.name, "role": ClientRole.REGISTER.value},
        )
