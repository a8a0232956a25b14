"""Every error that Loki names: one code, one hierarchy, the same on both sides of a message."""

import shlex
import sys
from collections.abc import Mapping
from enum import Enum
from typing import ClassVar


class ErrorCode(Enum):
    """What went wrong, in the words of the public API (`ErrorInfo.reason`)."""

    ARGUMENT_INVALID = "ARGUMENT_INVALID"
    SCRIPT_INVALID = "SCRIPT_INVALID"
    SCRIPT_NOT_FOUND = "SCRIPT_NOT_FOUND"
    EXECUTION_NOT_FOUND = "EXECUTION_NOT_FOUND"
    SCRIPT_EXISTS = "SCRIPT_EXISTS"
    REVISION_CONFLICT = "REVISION_CONFLICT"
    STALE_SCHEMA = "STALE_SCHEMA"
    CHILD_DISABLED = "CHILD_DISABLED"
    SCRIPT_ERROR = "SCRIPT_ERROR"
    RETURN_TYPE_MISMATCH = "RETURN_TYPE_MISMATCH"
    TIME_BUDGET = "TIME_BUDGET"
    CLIENT_DEADLINE = "CLIENT_DEADLINE"
    MEMORY_BUDGET = "MEMORY_BUDGET"
    CPU_BUDGET = "CPU_BUDGET"
    DISK_BUDGET = "DISK_BUDGET"
    OUTPUT_BUDGET = "OUTPUT_BUDGET"
    QUEUE_FULL = "QUEUE_FULL"
    QUOTA = "QUOTA"
    CANCELLED = "CANCELLED"
    CHILD_DOWN = "CHILD_DOWN"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    RUNNER_CRASHED = "RUNNER_CRASHED"
    DRAINING = "DRAINING"
    NO_CREDENTIALS = "NO_CREDENTIALS"
    ROLE = "ROLE"
    ORIGIN = "ORIGIN"
    SCRIPT_PERMISSION = "SCRIPT_PERMISSION"
    IO = "IO"
    DATA_LOSS = "DATA_LOSS"
    NOT_FOUND = "NOT_FOUND"
    UNSUPPORTED = "UNSUPPORTED"
    CONFIGURATION = "CONFIGURATION"
    BUG = "BUG"


RETRIABLE = frozenset(
    {
        ErrorCode.CHILD_DOWN,
        ErrorCode.RUNNER_CRASHED,
        ErrorCode.DRAINING,
        ErrorCode.QUEUE_FULL,
    }
)
"""Whose cause passes by itself: trying again may help. `docs/reference/errors.md` tells when."""


class LokiError(Exception):
    """Something that Loki can name. `details` are plain words for machines: field, line, limit."""

    default: ClassVar[ErrorCode] = ErrorCode.BUG

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default
        self.details = dict(details or {})


class ExecutionError(LokiError):
    """A script raised, or gave back something else than it declares."""

    default = ErrorCode.SCRIPT_ERROR


class ScriptNotFound(LokiError):
    """No script of that name."""

    default = ErrorCode.SCRIPT_NOT_FOUND


class CompilationError(LokiError):
    """Lua refuses the source; `details["line"]` says where."""

    default = ErrorCode.SCRIPT_INVALID


class InvalidScript(LokiError):
    """A script's definition breaks a rule; `details["field"]` says which."""

    default = ErrorCode.SCRIPT_INVALID


class InvalidArgument(LokiError):
    """A request has a missing, extra or mistyped part; `details["field"]` names it."""

    default = ErrorCode.ARGUMENT_INVALID


class ResourceLimitExceeded(LokiError):
    """A budget, a quota or a queue is used up."""

    default = ErrorCode.QUOTA


class PermissionRefused(LokiError):
    """Not allowed; the text names the line of TOML that would allow it."""

    default = ErrorCode.SCRIPT_PERMISSION


class IoError(LokiError):
    """The outside world refused: a file, a socket, a bus."""

    default = ErrorCode.IO


class ServiceUnavailable(LokiError):
    """Somebody who is needed is not there now; trying again may help."""

    default = ErrorCode.CHILD_DOWN


class ConfigurationError(LokiError):
    """Settings or a tool file cannot be used; the text names file, key and value."""

    default = ErrorCode.CONFIGURATION


CLASS_OF_CODE: dict[ErrorCode, type[LokiError]] = {
    cls.default: cls for cls in LokiError.__subclasses__() if cls is not CompilationError
}


def error_of(code: ErrorCode, message: str, details: Mapping[str, str]) -> LokiError:
    """The exception that a `Failure` stands for, of the class that raises this code."""
    return CLASS_OF_CODE.get(code, LokiError)(message, code=code, details=details)


def pip_install(*packages: str) -> str:
    """The command that installs these for the Python that runs; `pip` alone may be another's."""
    return shlex.join((sys.executable, "-m", "pip", "install", *packages))
