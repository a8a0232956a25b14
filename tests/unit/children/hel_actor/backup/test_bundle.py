"""The format of a backup, read by the tar that everybody has."""

import hashlib
import io
import tarfile
from pathlib import Path

import msgspec
import pytest
from hel_actor.backup.bundle import BLOCK_BYTES, CHECKSUM, Entry, Ledger, Manifest, pack

LARGE = b"".join(n.to_bytes(4, "big") * 7 for n in range(200_000))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "files/tool/empty").mkdir(parents=True)
    (tmp_path / "files/tool/a").write_bytes(b"abc")
    (tmp_path / "files/tool/void").write_bytes(b"")
    (tmp_path / f"files/tool/{'ü' * 120}").write_bytes(LARGE)
    return tmp_path


def ledger_of(folder: Path) -> Ledger:
    ledger = Ledger.beside(folder)
    for path in sorted((folder / "files").rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir():
            ledger.add(Entry(name))
        else:
            ledger.add(
                Entry(
                    name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest(), 12.25
                )
            )
    return ledger


def manifest_of(ledger: Ledger) -> Manifest:
    return Manifest(
        format=1,
        version="9.9",
        schema=3,
        time_ns=1_700_000_000_000_000_000,
        device="lab",
        entries=ledger.entries,
        size_bytes=ledger.size_bytes,
        sha256=ledger.sha256,
    )


def test_any_tar_reads_it_and_the_manifest_comes_first(folder: Path) -> None:
    ledger = ledger_of(folder)
    manifest = manifest_of(ledger)
    pieces = list(pack(manifest, ledger.read(), folder))
    with tarfile.open(fileobj=io.BytesIO(b"".join(piece.data for piece in pieces))) as archive:
        first, *others = archive.getmembers()
        document = archive.extractfile(first)
        assert document is not None
        assert msgspec.json.decode(document.read(), type=Manifest) == manifest
        assert {each.name for each in others if each.isdir()} == {"files/tool", "files/tool/empty"}
        found = {each.name: each for each in others if each.isfile()}
        assert set(found) == {"files/tool/a", "files/tool/void", f"files/tool/{'ü' * 120}"}
        for name, member in found.items():
            content = archive.extractfile(member)
            assert content is not None
            read = content.read()
            assert read == (folder / name).read_bytes()
            assert member.pax_headers[CHECKSUM] == hashlib.sha256(read).hexdigest()
            assert (member.mode, member.mtime) == (0o600, 12.25)
    ledger.close()


def test_pieces_are_small_and_tell_how_far_they_are(folder: Path) -> None:
    ledger = ledger_of(folder)
    sent = [piece.sent_bytes for piece in pack(manifest_of(ledger), ledger.read(), folder)]
    sizes = [len(piece.data) for piece in pack(manifest_of(ledger), ledger.read(), folder)]
    assert max(sizes) < 3 * BLOCK_BYTES
    assert min(sizes) > 0
    assert sent == sorted(sent)
    assert sent[-1] == ledger.size_bytes == len(LARGE) + 3
    ledger.close()


def test_the_sum_of_a_ledger_tells_every_change(tmp_path: Path) -> None:
    entries = [Entry("a", 1, "00", 1.0), Entry("b"), Entry("c", 2, "01", 1.0)]
    others = [
        entries[:2],
        [entries[1], entries[0], entries[2]],
        [Entry("a", 1, "02", 1.0), *entries[1:]],
        [Entry("a\nb", 1, "00", 1.0), *entries[1:]],
        [Entry("a", 3, "00", 1.0), *entries[1:]],
    ]
    sums = set()
    for each in (entries, *others):
        ledger = Ledger.beside(tmp_path)
        for entry in each:
            ledger.add(entry)
        assert list(ledger.read()) == each
        sums.add(ledger.sha256)
        ledger.close()
    assert len(sums) == 1 + len(others)
