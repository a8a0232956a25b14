"""The scripts that the Dispatcher knows, ready to be sent to a runner that does not hold them."""

from dataclasses import dataclass

import msgspec

from loki.core.library import library
from loki.core.run.execution import mentioned
from loki.core.runner.chunk_cache import RunnerCaches
from loki.messages.engine import ChunkCacheStatistics
from loki.messages.execution import CompiledScript, SubmitRun
from loki.messages.library import PublishScripts
from loki.messages.lua_module import LuaModule
from loki.messages.script import Origin, Script
from loki.messages.value import NIL, Packed

MOST_FORMER = 256
FORMER_CHARACTERS = 4 * 1024 * 1024
"""Of the sources of revisions that were replaced, and that calls under way may still name."""


@dataclass(frozen=True, slots=True)
class KnownScript:
    """One revision, and what is worked out once for all of its runs."""

    script: Script
    revision: str  # "" for what runners do not keep.
    packed: Packed  # A CompiledScript.
    compiled: bool
    children: tuple[str, ...]  # That its text mentions.


class ScriptTable:
    """What the Library published, and what each runner holds of it."""

    def __init__(self, modules: tuple[LuaModule, ...], cache_size: int) -> None:
        self.scripts: dict[str, Script] = {}
        self._whole = False  # Whether a Library has sent all that it has.
        self._modules = modules
        self._bytecode: dict[str, bytes] = {}  # By revision.
        self._known: dict[str, KnownScript] = {}
        self._former: dict[str, Script] = {}  # By revision; the one replaced first comes first.
        self._caches = RunnerCaches(cache_size)

    def published(self, news: PublishScripts) -> None:
        """The next run of a script that changed or went is a run of what is here now."""
        self._remember_former(news)
        self._whole = self._whole or news.complete
        self._caches.compiles += sum(r not in self._bytecode for r in news.bytecode)
        for name in library.gone(self.scripts, news):
            self._forget(name)
        for script in news.changed:
            self._forget(script.name, unless=script.revision)
            self.scripts[script.name] = script
            self._known.pop(script.revision, None)
            if script.revision in news.bytecode:
                self._bytecode[script.revision] = news.bytecode[script.revision]

    def _forget(self, name: str, unless: str = "") -> None:
        """A script, and what its revision compiles to; a revision is one script's only."""
        old = self.scripts.pop(name, None)
        if old is not None and old.revision != unless:
            self._bytecode.pop(old.revision, None)
            self._known.pop(old.revision, None)

    def find(self, name: str, revision: str = "") -> Script:
        """The script of that name.

        Raises: ScriptNotFound; ServiceUnavailable for one that the Library may still send.
        """
        return library.look_up(self.scripts, name, revision, whole=self._whole)

    def _remember_former(self, news: PublishScripts) -> None:
        for script in news.changed:
            old = self.scripts.get(script.name)
            if old is not None and old.revision != script.revision:
                self._former[old.revision] = old
        size = sum(len(script.source) for script in self._former.values())
        while len(self._former) > MOST_FORMER or size > FORMER_CHARACTERS:
            size -= len(self._former.pop(next(iter(self._former))).source)

    def find_for(self, submitted: SubmitRun) -> Script:
        """The script of that run, also a former revision where that will do.

        Raises: ScriptNotFound; ServiceUnavailable.
        """
        name, revision = submitted.script, submitted.revision
        current = self.scripts.get(name)
        if submitted.former and current is not None and current.revision != revision:
            former = self._former.get(revision)
            if former is not None and former.name == name:
                return former
        return self.find(name, revision)

    def know(self, script: Script) -> KnownScript:
        """Also for one that is not, or not any more, in the table."""
        known = self._known.get(script.revision)
        if known is None:
            revision = "" if script.origin is Origin.ADHOC else script.revision
            bytecode = self._bytecode.get(revision, b"")
            packed = msgspec.msgpack.encode(CompiledScript(script=script, bytecode=bytecode))
            known = KnownScript(
                script=script,
                revision=revision,
                packed=msgspec.Raw(packed),
                compiled=bool(bytecode),
                children=tuple(m.child for m in mentioned(script.source, self._modules)),
            )
            if self._is_current(script):
                self._known[script.revision] = known
        return known

    def _is_current(self, script: Script) -> bool:
        current = self.scripts.get(script.name)
        return current is not None and current.revision == script.revision

    def packed_for(self, runner: str, known: KnownScript) -> Packed:
        """What a run of it brings along: null where the runner holds it. Counts as its use."""
        lacks = self._caches.lacks(
            runner, known.revision, len(known.packed), compiled=known.compiled
        )
        return known.packed if lacks else NIL

    def runner_ended(self, runner: str) -> None:
        """What it held went with it."""
        self._caches.ended(runner)

    def statistics(self) -> ChunkCacheStatistics:
        """Of all runners, since the start."""
        return self._caches.statistics()
