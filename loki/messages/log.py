"""The log: where it is, and what runners, which can open no file, ask the Dispatcher to log."""

import msgspec

from loki.messages.envelope import Message


class RunnerLogged(Message):
    """Runner -> Dispatcher: a record of mine. Who says so is known by the lane."""

    level: int  # As Python's logging counts.
    text: str
    execution: str = ""
    incident: str = ""


class LogConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where the log is kept, and how much of it."""

    folder: str
    max_bytes: int = 5 * 1024 * 1024  # Of one file.
    files: int = 2
