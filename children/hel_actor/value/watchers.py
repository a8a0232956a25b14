"""Who waits for changes of stored values, and is told of them as soon as they are on the disk.

Theory of operation: the database counts the changes of each namespace, in the same transaction. A
watcher says after which revision it wants to hear, and gets the revision up to which it has heard:
between two such calls nothing is missed, because the ring of the last changes answers the second
one. The ring begins with the first watcher after a start; who names an older revision is told to
read anew, unless nothing has happened since. Nobody polls: a commit keeps the promises.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeAlias

from hel_actor.value.ring import News, Ring

MAX_RINGS = 100
"""Of as many namespaces changes are remembered; each takes 1 MiB at most."""

Changed: TypeAlias = tuple[str, str, bool]
"""Namespace, key, whether it was removed."""


@dataclass(slots=True, eq=False)
class Watcher:
    """Waits for changes of keys with a prefix, after the revision `since`; None is now."""

    namespace: str
    prefix: str
    since: int | None
    promise: "Future[News]" = field(default_factory=Future)
    is_over: bool = False


Told: TypeAlias = tuple[Watcher, News]


class Watchers:
    """May be used by any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._first = 0
        self._revisions: dict[str, int] = {}
        self._rings: dict[str, Ring] = {}  # The one that was asked for last is the last.
        self._waiting: dict[str, list[Watcher]] = {}

    @property
    def are_there(self) -> bool:
        """Whether anybody has asked for changes; else nobody need know which there are."""
        return bool(self._rings)

    def count_from(self, first: int, revisions: Mapping[str, int]) -> None:
        """All there is in a database that was opened; what a namespace has seen, by its name.

        `first` is the revision before the first change of each namespace; see `epoch`. Where it is
        another one than before, those who wait are told to read anew.
        """
        with self._lock:
            self._first, self._revisions = first, dict(revisions)
            told = self._advance({})
        _keep(told)

    def tell(self, revisions: Mapping[str, int], changed: Sequence[Changed]) -> None:
        """Changes that are on the disk, in order, and how many their namespaces have seen."""
        keys: dict[str, list[tuple[str, bool]]] = {}
        for namespace, key, is_removed in changed:
            keys.setdefault(namespace, []).append((key, is_removed))
        with self._lock:
            self._revisions.update(revisions)
            told = self._advance(keys)
        _keep(told)

    def begin(self, watcher: Watcher) -> None:
        """Its promise is kept when something happens, or has happened already."""
        with self._lock:
            ring = self._ring(watcher.namespace)
            news = _news(watcher, ring)
            if news is None and watcher.is_over:
                news = News(ring.revision)
            if news is None:
                self._waiting.setdefault(watcher.namespace, []).append(watcher)
        if news is not None:
            watcher.promise.set_result(news)

    def end(self, watcher: Watcher) -> None:
        """It has waited long enough, and hears that nothing happened, unless something did.

        Where it has not begun yet, it hears so when it does.
        """
        with self._lock:
            watcher.is_over = True
            waited = self._forget(watcher)
        if waited:
            watcher.promise.set_result(News(watcher.since or 0))

    def _advance(self, keys: Mapping[str, Sequence[tuple[str, bool]]]) -> "list[Told]":
        """Bring each ring up to date; whom that concerns."""
        told: list[Told] = []
        for namespace, ring in self._rings.items():
            revision = self._revision(namespace)
            if ring.revision != revision:
                ring.add(keys.get(namespace, ()), revision)
                told += self._heard(namespace, ring)
        return told

    def _heard(self, namespace: str, ring: Ring) -> "list[Told]":
        """Those who need not wait any more."""
        found = [(each, _news(each, ring)) for each in self._waiting.get(namespace, ())]
        return [(each, news) for each, news in found if news is not None and self._forget(each)]

    def _ring(self, namespace: str) -> Ring:
        ring = self._rings.pop(namespace, None) or Ring(self._revision(namespace))
        self._rings[namespace] = ring
        unused = [name for name in self._rings if name not in self._waiting]
        for name in unused[: max(0, len(self._rings) - MAX_RINGS)]:
            if name != namespace:
                del self._rings[name]
        return ring

    def _revision(self, namespace: str) -> int:
        return self._first + self._revisions.get(namespace, 0)

    def _forget(self, watcher: Watcher) -> bool:
        """Whether it waited. Who takes it out keeps its promise, and nobody else."""
        waiting = self._waiting.get(watcher.namespace, [])
        if watcher not in waiting:
            return False
        waiting.remove(watcher)
        if not waiting:
            del self._waiting[watcher.namespace]
        return True


def _keep(told: Sequence[Told]) -> None:
    """Who waits may begin to do something at once, so not under the lock."""
    for watcher, news in told:
        watcher.promise.set_result(news)


def _news(watcher: Watcher, ring: Ring) -> News | None:
    """What there is to tell; where there is nothing, the watcher has heard of all up to now."""
    since = ring.revision if watcher.since is None else watcher.since
    news = ring.since(since, watcher.prefix)
    if news.changes or news.is_reset:
        return news
    watcher.since = news.revision
    return None
