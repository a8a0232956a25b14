"""What nobody may change from outside, although an administrator may change the settings."""

from collections.abc import Mapping

from loki.core.access.principal import LOCAL
from loki.core.settings.change import Keys, found_at, key_text
from loki.errors import ErrorCode, InvalidArgument, LokiError, ServiceUnavailable

HIDDEN = "(hidden)"
"""What a secret is shown as."""
FILE_ONLY: Mapping[str, str] = {
    "children": "names code that this device runs",
    "script_storage_path": "names the scripts that this device runs",
    "state_dir": "is where this device keeps its data",
    "tools": "names the scripts that this device runs",
}
"""Who may change these could have the device read any file, run what it finds there, or leave its
data behind."""


def require_open(at: Keys, set_by: str) -> None:
    """Whether that key may be changed in the file from outside, and to some effect.

    `set_by` is the variable or option that wins over the file, "" where none does.

    Raises: LokiError (CONFIGURATION).
    """
    key = key_text(at)
    if reason := FILE_ONLY.get(at[0]):
        raise LokiError(
            f"{key} is changed on the device only, in its settings' file: {at[0]} {reason}",
            code=ErrorCode.CONFIGURATION,
            details={"field": key},
        )
    if set_by:
        raise LokiError(
            f"{key}: {set_by} sets it, and wins over the file: change it there",
            code=ErrorCode.CONFIGURATION,
            details={"field": key},
        )


def require_told(at: Keys, value: object) -> None:
    """Whether that is a value, and not what somebody was shown of a secret.

    Raises: InvalidArgument.
    """
    if _hides(value):
        key = key_text(at)
        raise InvalidArgument(
            f"{key}: {HIDDEN} is what is shown in place of a secret; give the secret itself, or "
            "leave the key out",
            details={"field": key},
        )


def _hides(value: object) -> bool:
    match value:
        case str():
            return value == HIDDEN or f"{HIDDEN}@" in value
        case Mapping():
            return any(map(_hides, value.values()))
        case list():
            return any(map(_hides, value))
        case _:
            return False


def require_admin(principal: str, settings: Mapping[str, object]) -> None:
    """Whether who asks could still ask for the next change. `settings` are those to come.

    Raises: LokiError (CONFIGURATION).
    """
    if principal == LOCAL.name:
        stays = found_at(settings, ("security", "anonymous_loopback")) is True
    else:
        roles = found_at(settings, ("security", "principals", principal, "roles"))
        stays = isinstance(roles, list | tuple) and "admin" in roles
    if not stays:
        raise LokiError(
            f"this would take the role 'admin' from '{principal}', who asks for it: let another "
            "administrator do that, or change the file on the device",
            code=ErrorCode.CONFIGURATION,
            details={"principal": principal},
        )


def require_version(expected: int, current: int) -> None:
    """Whether who asks knows the settings as they are. `current` is 0 where nobody can tell.

    Raises: LokiError (REVISION_CONFLICT); ServiceUnavailable.
    """
    if not current:
        raise ServiceUnavailable(
            f"nobody can tell whether the settings are those of version {expected}: the child that "
            "keeps versions is not there"
        )
    if expected != current:
        raise LokiError(
            f"the settings are of version {current} by now, and not {expected}: look at them again",
            code=ErrorCode.REVISION_CONFLICT,
            details={"version": str(current)},
        )
