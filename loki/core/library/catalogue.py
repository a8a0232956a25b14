"""The scripts that are served, so that one among ten thousand is found, changed and paged fast."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

import msgspec

from loki.messages.access import EVERY_SCRIPT
from loki.messages.script import Script
from loki.v1_name import camel_case

MAX_PAGE = 1000
PAGE_BYTES = 2 * 1024 * 1024  # Clients of gRPC take 4 MiB.
_pack = msgspec.msgpack.Encoder().encode


class Catalogue:
    """Scripts by name; no two have one CamelCase form, which is what typed methods are called."""

    def __init__(self, scripts: Iterable[Script] = ()) -> None:
        self._scripts: dict[str, Script] = {}
        self._methods: dict[str, str] = {}
        self._names: list[str] = []
        self.replace(scripts)

    @property
    def scripts(self) -> Mapping[str, Script]:
        """By name. Not to be changed, and another one after `replace`."""
        return self._scripts

    def replace(self, scripts: Iterable[Script]) -> None:
        """All that there are from now on."""
        self._scripts = {script.name: script for script in scripts}
        self._methods = {camel_case(name): name for name in self._scripts}
        self._names = sorted(self._scripts)

    def put(self, script: Script) -> None:
        """Add one, or take it for the one of its name."""
        if script.name not in self._scripts:
            self._names.insert(bisect_left(self._names, script.name), script.name)
            self._methods[camel_case(script.name)] = script.name
        self._scripts[script.name] = script

    def drop(self, name: str) -> None:
        """Without one; nothing happens where there is none."""
        if self._scripts.pop(name, None) is not None:
            del self._names[bisect_left(self._names, name)]
            del self._methods[camel_case(name)]

    def named_like(self, name: str) -> str:
        """Which one would have the same typed method; "" for none."""
        return self._methods.get(camel_case(name), "")

    def page(
        self,
        pattern: str,
        language: str,
        size: int,
        after: str,
        among: tuple[str, ...] = EVERY_SCRIPT,
    ) -> tuple[tuple[Script, ...], str]:
        """Up to `size` (1 to 1000) matching scripts by name, and where the next page begins.

        Only those whose names one of the globs `among` matches too; no other is told of.

        Fewer where more would not fit into a message.
        """
        page: list[Script] = []
        size_bytes = 0
        for script in self._matching(pattern, language, after):
            if not any(fnmatchcase(script.name, glob) for glob in among):
                continue
            size_bytes += len(_pack(script))
            if page and (len(page) >= min(max(size, 1), MAX_PAGE) or size_bytes > PAGE_BYTES):
                return tuple(page), page[-1].name
            page.append(script)
        return tuple(page), ""

    def count(self, among: tuple[str, ...] = EVERY_SCRIPT) -> int:
        """How many there are whose names one of these globs matches."""
        if among == EVERY_SCRIPT:
            return len(self._names)
        return sum(any(fnmatchcase(name, glob) for glob in among) for name in self._names)

    def _matching(self, pattern: str, language: str, after: str) -> Iterator[Script]:
        for place in range(bisect_right(self._names, after), len(self._names)):
            script = self._scripts[self._names[place]]
            if fnmatchcase(script.name, pattern) and language in ("", script.language):
                yield script
