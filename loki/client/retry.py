"""When a call is sent once more, and until when."""

import random
import time

from loki.client.error import LokiClientError

RETRY_PATIENCE_S = 5.0
REFUSED = "refused"
"""The cause of an execution that was never begun."""


def may_repeat(error: LokiClientError) -> bool:
    """Whether the server asks for it, and nothing of the call was done.

    An execution that began may have had effects, whatever became of it.
    """
    began = error.script_error is not None and error.script_error.cause != REFUSED
    return error.retry_after_s is not None and not began


class Retries:
    """The tries of one call."""

    def __init__(self, patience_s: float, timeout_s: float | None) -> None:
        """No try begins after `patience_s` seconds; all of them together take `timeout_s`."""
        now_s = time.monotonic()
        self._last_s = now_s + patience_s
        self._end_s = None if timeout_s is None else now_s + timeout_s

    def left_s(self) -> float | None:
        """For the next try; None is no bound."""
        return None if self._end_s is None else max(0.0, self._end_s - time.monotonic())

    def pause_s(self, error: LokiClientError, unasked_s: float | None = None) -> float:
        """How long to wait before the next try. Raises: `error`, where there is to be none.

        `unasked_s` is for calls that change nothing, and errors that say no time themselves.
        """
        if may_repeat(error):
            unasked_s = error.retry_after_s
        if unasked_s is None:
            raise error from None
        pause_s = unasked_s * random.uniform(1, 1.25)  # noqa: S311  # No secret.
        next_s = time.monotonic() + pause_s
        if next_s > self._last_s or (self._end_s is not None and next_s > self._end_s):
            raise error from None
        return pause_s
