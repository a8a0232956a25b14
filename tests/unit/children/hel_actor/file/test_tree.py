"""Walking a tree: everything once, however deep, and no link followed."""

import os
import resource
from pathlib import Path

import pytest
from hel_actor.file import resolver, tree


@pytest.fixture(params=[resolver.open_beneath, resolver.walk])
def way(request: pytest.FixtureRequest) -> resolver.Resolver:
    chosen: resolver.Resolver = request.param
    return chosen


def paths(way: resolver.Resolver, folder: Path) -> list[bytes]:
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return [entry.path for entry in tree.walk(way, root)]
    finally:
        os.close(root)


def test_everything_is_told_of_once_and_parents_first(
    way: resolver.Resolver, tmp_path: Path
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("f", "a/f", "a/b/f"):
        (tmp_path / name).touch()
    found = paths(way, tmp_path)
    assert sorted(found) == [b"a", b"a/b", b"a/b/f", b"a/f", b"f"]
    assert found.index(b"a") < found.index(b"a/b") < found.index(b"a/b/f")


def test_links_are_not_followed(way: resolver.Resolver, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
    (outside / "secret").touch()
    (inside / "link").symlink_to(outside)
    assert paths(way, inside) == [b"link"]


def test_depth_needs_no_descriptors(way: resolver.Resolver, tmp_path: Path) -> None:
    depth = 150
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=at)
        deeper = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = deeper
    os.close(at)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (120, hard))
    try:
        assert len(paths(way, tmp_path)) == depth
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_names_that_are_no_text_are_told_of(way: resolver.Resolver, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\xfe")).touch()
    assert paths(way, tmp_path) == [b"\xff\xfe"]
