"""Removing trees: all of what is in them, and nothing else."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from hel_actor.file import removal, resolver
from hel_actor.file.syscall import Kernel


@pytest.fixture(params=[resolver.open_beneath, resolver.walk])
def way(request: pytest.FixtureRequest) -> resolver.Resolver:
    chosen: resolver.Resolver = request.param
    return chosen


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def test_files_folders_and_links_go_and_what_links_lead_to_stays(
    way: resolver.Resolver, tmp_path: Path, parent: int
) -> None:
    (tmp_path / "tree" / "a" / "b").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").touch()
    for name in ("f", "a/f", "a/b/f", os.fsdecode(b"a/\xff")):
        (tmp_path / "tree" / name).touch()
    (tmp_path / "tree" / "a" / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "tree" / "fifo")
    removal.remove(way, Kernel(), parent, b"tree")
    assert [each.name for each in tmp_path.iterdir()] == ["outside"]
    assert (tmp_path / "outside" / "kept").exists()


def test_files_and_links_of_that_name_go_as_well(
    way: resolver.Resolver, tmp_path: Path, parent: int
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "file").touch()
    for name in (b"link", b"file"):
        removal.remove(way, Kernel(), parent, name)
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]


def test_depth_needs_no_descriptors(way: resolver.Resolver, tmp_path: Path, parent: int) -> None:
    at = os.dup(parent)
    for _ in range(150):
        os.mkdir("d", dir_fd=at)
        deeper = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = deeper
    os.close(at)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (120, hard))
    try:
        removal.remove(way, Kernel(), parent, b"d")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
