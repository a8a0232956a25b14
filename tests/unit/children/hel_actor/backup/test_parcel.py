"""An archive from anywhere: a sound one is unpacked, any other is refused and harms nobody."""

import gzip
import hashlib
import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hel_actor.backup.bundle import CHECKSUM, Entry, Ledger, Manifest, pack
from hel_actor.backup.parcel import BadParcel, checked_path, unpack
from hel_actor.backup.path import DEEPEST, LONGEST_BYTES

CONTENT = {"hel.sqlite": b"data" * 9000, "files/tool/ä": b"abc", "series/tool/t/zarr.json": b"{}"}
FOLDERS = ("files/tool", "files/tool/empty", "series/tool", "series/tool/t")
ROOM = 10**7
Change = Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]


def nothing() -> None:
    """Nobody gives up."""


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    source = tmp_path / "source"
    for name in FOLDERS:
        (source / name).mkdir(parents=True)
    for name, content in CONTENT.items():
        (source / name).write_bytes(content)
    ledger = Ledger.beside(tmp_path)
    for name in sorted((*FOLDERS, *CONTENT)):
        path = source / name
        sum_ = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        ledger.add(Entry(name, path.stat().st_size, sum_, 12.5) if sum_ else Entry(name))
    manifest = Manifest(
        format=1,
        version="9.9",
        schema=1,
        time_ns=0,
        device="lab",
        entries=ledger.entries,
        size_bytes=ledger.size_bytes,
        sha256=ledger.sha256,
    )
    packed = b"".join(piece.data for piece in pack(manifest, ledger.read(), source))
    ledger.close()
    return packed


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.mkdir()
    return path


def members(archive: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return [(each, file.read() if (file := tar.extractfile(each)) else b"") for each in tar]


def rebuilt(found: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for information, content in found:
            tar.addfile(information, io.BytesIO(content) if content else None)
    return out.getvalue()


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_a_sound_one_is_there_as_it_was(archive: bytes, target: Path) -> None:
    manifest = unpack(io.BytesIO(archive), target, ROOM, nothing)
    assert (manifest.version, manifest.entries) == ("9.9", 7)
    there = tree(target)
    assert there == {**dict.fromkeys(FOLDERS), "files": None, "series": None, **CONTENT}
    assert (target / "files/tool/ä").stat().st_mtime == 12.5
    assert (target / "files/tool/ä").stat().st_mode & 0o777 == 0o600


def test_one_that_another_tar_wrote_again_is_fine(archive: bytes, target: Path) -> None:
    unpack(io.BytesIO(rebuilt(members(archive))), target, ROOM, nothing)
    assert tree(target)["files/tool/ä"] == b"abc"


def of_type(type_: bytes, name: str = "files/tool/x") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = type_, "/etc/passwd"
    return made


def first(name: str, found: list[tuple[tarfile.TarInfo, bytes]]) -> int:
    return next(index for index, (each, _) in enumerate(found) if each.name == name)


def add(information: tarfile.TarInfo) -> Change:
    return lambda found: found.append((information, b""))


def insert(information: tarfile.TarInfo) -> Change:
    return lambda found: found.insert(3, (information, b""))


def drop(name: str) -> Change:
    return lambda found: found.__delitem__(first(name, found))


def rename(old: str, new: str) -> Change:
    def change(found: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        information = found[first(old, found)][0]
        information.name = new
        information.pax_headers.pop("path", None)

    return change


def edit(name: str, content: bytes, *, sum_too: bool = False) -> Change:
    def change(found: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        index = first(name, found)
        information = found[index][0]
        information.size = len(content)
        if sum_too:
            information.pax_headers[CHECKSUM] = hashlib.sha256(content).hexdigest()
        found[index] = information, content

    return change


def manifest(**changes: object) -> Change:
    def change(found: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        document = msgspec.json.decode(found[0][1]) | changes
        edit("manifest.json", msgspec.json.encode(document))(found)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (insert(of_type(tarfile.SYMTYPE)), "neither a file nor a folder"),
        (insert(of_type(tarfile.LNKTYPE)), "neither a file nor a folder"),
        (insert(of_type(tarfile.CHRTYPE)), "neither a file nor a folder"),
        (insert(of_type(tarfile.FIFOTYPE)), "neither a file nor a folder"),
        (insert(of_type(tarfile.GNUTYPE_SPARSE)), "neither a file nor a folder"),
        (rename("files/tool/ä", "/etc/cron.d/x"), "called '/etc/cron.d/x'"),
        (rename("files/tool/ä", "files/../../x"), r"called 'files/\.\./\.\./x'"),
        (rename("files/tool/ä", "files/./x"), "called"),
        (rename("files/tool/ä", "run/x"), "where none belongs: 'run/x'"),
        (rename("files/tool/ä", "hel.sqlite-wal"), "where none belongs"),
        (rename("files/tool/ä", "files/.unfinished/x"), "where none belongs"),
        (rename("files/tool/ä", "hel.sqlite"), "twice"),
        (rename("files/tool/ä", "hel.sqlite/x"), "twice|where none"),
        (rename("files/tool/ä", "files/tool/b"), "not those that its manifest speaks of"),
        (drop("files/tool/ä"), "not those that its manifest speaks of"),
        (drop("files/tool/empty"), "not those that its manifest speaks of"),
        (drop("manifest.json"), "does not begin with a manifest"),
        (add(of_type(tarfile.DIRTYPE)), "more files than it announces"),
        (edit("files/tool/ä", b"abd"), "the checksum of 'files/tool/ä' is wrong"),
        (edit("files/tool/ä", b"abd", sum_too=True), "not those that its manifest"),
        (edit("files/tool/ä", b"abcd", sum_too=True), "larger than it announces"),
        (edit("files/tool/ä", b"ab", sum_too=True), "not those that its manifest"),
        (edit("manifest.json", b"{}"), "its manifest cannot be read"),
        (edit("manifest.json", b" " * 70_000), "does not begin with a manifest"),
        (manifest(format=2, version="10.1"), "format 2, made by Loki '10.1'"),
        (manifest(size_bytes=10**9), "it has 1000 MB of files, and 10 MB of disk are free"),
        (manifest(size_bytes=0), "larger than it announces"),
        (manifest(entries=2), "more files than it announces"),
        (manifest(sha256="00"), "not those that its manifest"),
    ],
)
def test_what_was_tampered_with_is_refused(
    archive: bytes, target: Path, change: Change, reason: str
) -> None:
    found = members(archive)
    change(found)
    with pytest.raises(BadParcel, match=reason):
        unpack(io.BytesIO(rebuilt(found)), target, ROOM, nothing)
    beside = {path.name for path in target.parent.iterdir()}
    assert beside <= {"source", "target"}
    assert not any(path.is_symlink() for path in target.rglob("*"))


@pytest.mark.parametrize("keep", [0, 10, 600, 0.3, 0.9, -9, -1])
def test_one_that_broke_off_is_refused(archive: bytes, target: Path, keep: float) -> None:
    end = int(keep) if isinstance(keep, int) else int(len(archive) * keep)
    with pytest.raises(BadParcel):
        unpack(io.BytesIO(archive[:end]), target, ROOM, nothing)


def test_no_flipped_bit_passes(archive: bytes, target: Path) -> None:
    """Of those that matter: a header of gzip has bits that say nothing, such as its time."""
    dice = random.Random(7)
    plain = gzip.decompress(archive)
    for turn in range(150):
        damaged = bytearray(plain)
        at = dice.randrange(len(damaged))
        damaged[at] ^= 1 << dice.randrange(8)
        folder = target / str(turn)
        folder.mkdir()
        try:
            unpack(io.BytesIO(gzip.compress(damaged, 1)), folder, ROOM, nothing)
        except BadParcel:
            continue
        there = {name: content for name, content in tree(folder).items() if content is not None}
        assert there == CONTENT, at  # A padding, an owner, a time or a mode.


def test_bombs_are_small(target: Path) -> None:
    """Headers that announce gigabytes, and a gigabyte of zeros behind a sound beginning."""
    long = tarfile.TarInfo("x")
    long.type, long.size = tarfile.XHDTYPE, 10**9
    for head in (long.tobuf(), b"\0" * 512):
        bomb = gzip.compress(head + bytes(5_000_000))
        with pytest.raises(BadParcel):
            unpack(io.BytesIO(bomb), target, ROOM, nothing)


@pytest.mark.parametrize(
    "record",
    [b"99999999999 a=b\n", b"x a=b\n", b"3 a=b\n", b"1 \n", b"-5 a=b\n", b"\xc2\xb2 a=\n"],
)
def test_damaged_records_are_refused(target: Path, record: bytes) -> None:
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.XHDTYPE, len(record)
    damaged = head.tobuf() + record.ljust(512, b"\0")
    with pytest.raises(BadParcel):
        unpack(io.BytesIO(gzip.compress(damaged)), target, ROOM, nothing)


def test_whoever_gives_up_is_heard(archive: bytes, target: Path) -> None:
    def give_up() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        unpack(io.BytesIO(archive), target, ROOM, give_up)


@pytest.mark.parametrize(
    "path",
    [
        "hel.sqlite",
        "files/a",
        "files/a/.hidden",
        "series/a/b c/\n",
        "files/" + "ü" * 127,
        "files/" + "a/" * (DEEPEST - 2) + "a",
    ],
)
def test_paths_that_a_backup_may_have(path: str) -> None:
    assert checked_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "files",
        "series",
        "files/",
        "files//a",
        "files/..",
        "../files/a",
        "hel.sqlite/",
        "./hel.sqlite",
        "hel.sqlite.damaged",
        "lock",
        "log/loki.jsonl",
        "files/a\0b",
        "files/\udcff",
        "files/" + "ü" * 128,
        "files/" + "a/" * (DEEPEST - 1) + "a",
        "files/" + "/".join(["a" * 250] * (1 + LONGEST_BYTES // 251)),
    ],
)
def test_paths_that_none_has(path: str) -> None:
    with pytest.raises(BadParcel):
        checked_path(path)
