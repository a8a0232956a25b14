"""A whole Hel on a disk whose n-th call fails, for every n until none does; a program of its own.

The disk fails below the process (tests/faulty_disk.c), so that this is what SQLite, Zarr and the
kernel make of it. What was acknowledged must be there, then and after another start; what was not
is as before or as it was to be.
"""

import itertools
import logging
import os
import random
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hel_actor.messages import (
    AddToStored,
    AppendOptions,
    AppendSamples,
    AppendToFile,
    CreateDirectory,
    DeleteEntry,
    GetStored,
    ListDirectory,
    ListStored,
    ReadFile,
    ReadSeries,
    RemoveStored,
    SetStored,
    SwapStored,
    WriteFile,
)

from loki.errors import ErrorCode, IoError
from loki.messages.envelope import Failure, Message
from loki.messages.registry import KeepScript, ReadScripts, StoredScript
from loki.messages.value import unpack
from tests.faulty_disk import FaultyDisk, How, Kind
from tests.unit.children.hel_actor.calling import run, text
from tests.unit.children.hel_actor.conftest import Bench

RUN = run(files=("rw",), storage=("*",), series=("*",))
SETTINGS = {"series_chunk_rows": 16, "series_late_s": 1}
TRIES = 3
START_S = 1_700_000_000
BIG = "0123456789" * 1500


@dataclass
class Tree:
    """All that there is to be seen."""

    files: dict[str, str] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)
    scripts: dict[str, bytes] = field(default_factory=dict)
    rows: int = 0


def brief(value: object) -> object:
    """A long text by its checksum."""
    return value if len(str(value)) < 20 else f"{zlib.crc32(str(value).encode()):08x}"


def rows(first: int) -> AppendSamples:
    numbers = range(first, first + 20)
    return AppendSamples(
        name="s",
        values=tuple(map(float, numbers)),
        times=tuple(float(START_S + number) for number in numbers),
        options=AppendOptions(sequence=first + 1),
    )


def script(revision: str, expected: str) -> KeepScript:
    stored = StoredScript(name="mine", revision=revision, content=revision.encode())
    return KeepScript(script=stored, expected=expected, principal="ann", time_ns=7)


def keeps(revision: str) -> Callable[[Tree], None]:
    return lambda tree: tree.scripts.update(mine=revision.encode())


STEPS: list[tuple[Message, Callable[[Tree], object]]] = [
    (CreateDirectory(path="d"), lambda tree: tree.files.update({".": ""})),
    (WriteFile(path="d/f", content=text(BIG)), lambda tree: tree.files.update(f=brief(BIG))),
    (rows(0), lambda tree: setattr(tree, "rows", 20)),
    (SetStored(key="k", value=text("one")), lambda tree: tree.values.update(k="one")),
    (AddToStored(key="n"), lambda tree: tree.values.update(n=1)),
    (
        AppendToFile(path="d/f", content=text("+")),
        lambda tree: tree.files.update(f=brief(BIG + "+")),
    ),
    (script("r1", ""), keeps("r1")),
    (rows(20), lambda tree: setattr(tree, "rows", 40)),
    (AddToStored(key="n"), lambda tree: tree.values.update(n=2)),
    (
        SwapStored(key="k", expected=text("one"), value=text(BIG)),
        lambda tree: tree.values.update(k=brief(BIG)),
    ),
    (script("r2", "r1"), keeps("r2")),
    (WriteFile(path="d/g", content=text("")), lambda tree: tree.files.update(g="")),
    (RemoveStored(key="k"), lambda tree: tree.values.pop("k")),
    (DeleteEntry(path="d/g"), lambda tree: tree.files.pop("g")),
    (rows(40), lambda tree: setattr(tree, "rows", 60)),
]


class World:
    """One Hel, and what it should hold."""

    def __init__(self, state: Path) -> None:
        self.tree = Tree()
        self.bench = Bench(state, **SETTINGS)

    def ask(self, request: Message) -> Any:
        if type(request) in self.bench.hel.services():
            return self.bench.serve(request)
        return self.bench.call(request, RUN)

    def take(
        self, request: Message, made: Callable[[Tree], object], fired: Callable[[], int]
    ) -> None:
        """A step, until it is done: the disk fails once, and the database is mended then."""
        after = Tree(dict(self.tree.files), dict(self.tree.values), dict(self.tree.scripts))
        after.rows = self.tree.rows
        made(after)
        for _ in range(TRIES):
            try:
                reply = self.ask(request)
            except IoError:
                assert fired(), "nobody failed"
                self.mend()
                if self.found() == after:
                    break
                assert self.found() == self.tree, (self.found(), self.tree)
            else:
                assert not isinstance(reply, Failure), reply
                break
        else:
            raise AssertionError(f"{type(request).__name__} is not done")
        self.settle()
        self.tree = after
        assert self.found() == after, (request, self.found(), after)

    def mend(self) -> None:
        """Whoever asks for trouble has what failed tried again, and then there is none."""
        for _ in range(TRIES):
            self.settle()
            if not self.bench.hel.trouble:
                break
        self.settle()
        assert self.bench.hel.trouble == ""

    def settle(self) -> None:
        for name in ("files", "series", "database"):
            self.bench.shell.workers[name].submit(lambda: None).result(20)
        self.bench.shell.clock.advance(100.0)

    def found(self) -> Tree:
        tree = Tree(files=self.files())
        for key in self.ask(ListStored()).keys:
            tree.values[key] = brief(unpack(self.ask(GetStored(key=key)).value))
        tree.scripts = {each.name: each.content for each in self.ask(ReadScripts()).scripts}
        tree.rows = self.rows()
        return tree

    def files(self) -> dict[str, str]:
        try:
            names = self.ask(ListDirectory(path="d")).names
        except IoError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
            return {}
        contents = {n: unpack(self.ask(ReadFile(path=f"d/{n}")).content) for n in names}
        return {".": ""} | {name: str(brief(content)) for name, content in contents.items()}

    def rows(self) -> int:
        try:
            samples = self.ask(ReadSeries(name="s")).samples
        except IoError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
            return 0
        numbers = [each.value for each in samples]
        assert numbers == [float(n) for n in range(len(samples))], numbers
        return len(samples)


def play(disk: FaultyDisk, state: Path) -> None:
    world = World(state)
    for request, made in STEPS:
        world.take(request, made, lambda: disk.fired)
    world.bench.close()
    disk.heal()
    again = World(state)
    assert again.found() == world.tree
    assert again.bench.hel.trouble == ""
    again.bench.close()
    left = [
        str(path)
        for path in state.rglob("*")
        if "partial" in path.name or ".unf" in str(path.parent)
    ]
    assert not left, left
    assert sorted(path.name for path in state.iterdir()) == ["files", "hel.sqlite", "series"]


def main(kinds: Kind, how: How, code: int, step: int) -> None:
    """Every `step`-th call, and how many there were."""
    logging.disable(logging.CRITICAL)
    disk = FaultyDisk(Path(os.environ["FAULTY_DISK"]))
    for n in itertools.count(random.randint(1, step), step):
        with TemporaryDirectory(dir="/dev/shm", prefix="state-") as folder:
            disk.fail(kinds, code, folder, skip=n - 1, times=1, how=how)
            try:
                play(disk, Path(folder))
            except BaseException:
                print(f"call {n} of {kinds!r} failed with {code}, {how!r}", file=sys.stderr)
                raise
        if not disk.fired:
            print(n)
            return


if __name__ == "__main__":
    main(Kind(int(sys.argv[1])), How(int(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4]))
