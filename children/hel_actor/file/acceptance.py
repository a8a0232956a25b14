"""Whether scripts' files can be used, as far as calls about them tell."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hel_actor.file.jail import Jail
from hel_actor.refusal import FULL, ROOM_BYTES, Watch, is_full, is_of_disk
from loki.child import Clock
from loki.errors import IoError


class Acceptance:
    """Told by the files' thread; any thread may ask for the trouble.

    It goes by the script whose call failed last: the folders of others may well be sound.
    """

    def __init__(self, jail: Jail, clock: Clock, log: logging.Logger) -> None:
        self._jail = jail
        self._watch = Watch(clock, log)
        self._namespace = ""  # The one that failed last.

    @property
    def trouble(self) -> str:
        """Why calls fail that nothing is wrong with; "" while none does."""
        return self._watch.trouble

    @contextmanager
    def reading(self, namespace: str) -> Iterator[None]:
        """Around a call that changes nothing: that it succeeds proves nothing."""
        try:
            yield
        except IoError as error:
            if is_of_disk(error.__cause__):
                self._failed(namespace, error.__cause__)
            raise

    @contextmanager
    def changing(self, namespace: str) -> Iterator[None]:
        """Around a call that changes something."""
        with self.reading(namespace):
            yield
        if not self._watch.is_well and namespace == self._namespace:
            self._succeeded()

    def look(self) -> None:
        """Find out by a probe, if it is time for one."""
        if self._watch.is_due:
            with suppress(IoError), self.changing(self._namespace):  # Noted, for all who ask.
                self._jail.probe(self._namespace)

    def _failed(self, namespace: str, error: BaseException | None) -> None:
        assert error is not None  # noqa: S101
        self._namespace = namespace
        what = f"files of {namespace} fail"
        if not is_full(error):
            self._watch.failed(what, error)
        elif self._jail.free_bytes() < ROOM_BYTES:
            self._watch.failed(what, FULL)
        else:
            self._watch.failed(what, error, alone=True)

    def _succeeded(self) -> None:
        """On a full disk, what needs no room succeeds all the while."""
        if self._jail.free_bytes() < ROOM_BYTES:
            self._watch.failed(f"files of {self._namespace} fail", FULL)
        else:
            self._watch.succeeded()
