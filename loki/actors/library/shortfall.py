"""Why scripts lack the typed methods that they should have, in words for people.

A keeper that starts again is no news. What waits for longer is, and so is a script that can have no
typed method at all: the log has it once, and the heartbeat takes it to `loki status` and to events
for as long as it lasts.
"""

from collections.abc import Container, Mapping
from logging import Logger

from loki.errors import LokiError

PATIENCE = 5
"""So many attempts in a row may fail until people are told: about 6 s of the Publisher's pauses."""


class Shortfall:
    """What the Publisher reports, for people."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._delay = ""  # Why what is owed stays owed.
        self._without: dict[str, str] = {}  # Script -> why it has no typed method.

    @property
    def text(self) -> str:
        """One line; "" where nothing is missing."""
        if self._delay or not self._without:
            return self._delay
        first, *more = self._without.values()
        return f"{first} (and {len(more)} more)" if more else first

    def failed(self, attempt: int, why: LokiError) -> None:
        """What is owed was not published, for the `attempt`-th time in a row."""
        if attempt < PATIENCE:
            return
        told, self._delay = self._delay, f"typed methods wait to be published: {why}"
        if not told:
            self._log.warning("%s; this is tried until it succeeds", self._delay)

    def settled(self) -> None:
        """Nothing is owed."""
        if self._delay:
            self._delay = ""
            self._log.warning("typed methods were published that had to wait")

    def renew(self, refused: Mapping[str, LokiError], among: Container[str] | None = None) -> None:
        """Of these scripts only those have no typed method; `among` None means of all."""
        texts = {name: f"no typed method: {why}" for name, why in refused.items()}
        for name, text in texts.items():
            if self._without.get(name) != text:
                self._log.warning("%s", text)
        others = {} if among is None else {n: t for n, t in self._without.items() if n not in among}
        self._without = others | texts
