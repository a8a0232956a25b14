"""Lets a command that is told to end clean up first."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

TOLD = (signal.SIGTERM, signal.SIGHUP)
"""Of an operator, a service manager or a time limit; of a connection that is gone."""


@contextmanager
def in_order() -> Iterator[None]:
    """Within the block such a signal raises SystemExit, with the code that a shell would show.

    One that is ignored, as by nohup, stays so. For the main thread.
    """
    before = {each: signal.getsignal(each) for each in TOLD}
    taken = [each for each, handler in before.items() if handler is signal.SIG_DFL]
    for each in taken:
        signal.signal(each, _end)
    try:
        yield
    finally:
        for each in taken:
            signal.signal(each, signal.SIG_DFL)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
