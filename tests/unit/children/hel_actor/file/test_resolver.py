"""Opening paths beneath a directory: what is refused, by the kernel's resolver and by the walk."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hel_actor.file import resolver
from hel_actor.file.resolver import Refusal, Resolver, best_resolver, open_beneath, parse, walk
from hypothesis import given
from hypothesis import strategies as st

HAS_OPENAT2 = best_resolver() is open_beneath
RESOLVERS = [
    pytest.param(
        open_beneath,
        id="openat2",
        marks=pytest.mark.skipif(not HAS_OPENAT2, reason="needs openat2: Linux 5.6 or newer"),
    ),
    pytest.param(walk, id="walk"),
]


@pytest.mark.parametrize(
    ("path", "parsed"),
    [
        ("a", b"a"),
        ("a/b.txt", b"a/b.txt"),
        ("./a//b/", b"a/b"),
        (".", b"."),
        ("a..b", b"a..b"),
        ("..a/b..", b"..a/b.."),
        ("...", b"..."),
        ("grün/Ω", "grün/Ω".encode()),
        ("n" * 255, b"n" * 255),
    ],
)
def test_s_8_2_3_paths_that_stay_inside_are_served(path: str, parsed: bytes) -> None:
    assert parse(path) == parsed


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "empty"),
        ("/", "begin with '/'"),
        ("/etc/passwd", "begin with '/'"),
        ("//etc", "begin with '/'"),
        ("..", "'..'"),
        ("../x", "'..'"),
        ("a/../../x", "'..'"),
        ("a/../b", "'..'"),
        ("a/..", "'..'"),
        ("./..", "'..'"),
        ("a\0b", "zero byte"),
        ("\0", "zero byte"),
        ("bad\udcff", "UTF-8"),
        ("n" * 256, "name longer than 255"),
        ("ü" * 128, "name longer than 255"),
        ("a/" * 2048 + "b", "longer than 4096"),
        ("a/" * 100 + "b", "deeper than 100 folders"),
    ],
)
def test_s_8_2_3_paths_that_could_lead_out_are_refused(path: str, why: str) -> None:
    with pytest.raises(Refusal, match=why):
        parse(path)


@given(st.text(alphabet=st.sampled_from("a./\0é"), max_size=12))
def test_s_8_2_3_no_parsed_path_has_a_way_up(path: str) -> None:
    try:
        parsed = parse(path)
    except Refusal:
        return
    names = parsed.split(b"/")
    assert b".." not in names
    assert parsed == b"." or all(name not in (b"", b".") for name in names)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "secret").write_text("outside")
    inside = tmp_path / "inside"
    (inside / "d").mkdir(parents=True)
    (inside / "d" / "f").write_text("inside")
    (inside / "up").symlink_to("..")
    (inside / "away").symlink_to(tmp_path / "secret")
    (inside / "near").symlink_to("d")
    (inside / "magic").symlink_to("/proc/self/cwd")
    descriptor = os.open(inside, os.O_PATH)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("resolve", RESOLVERS)
def test_s_8_2_3_opens_what_is_inside(resolve: Resolver, root: int) -> None:
    descriptor = resolve(root, b"d/f", os.O_RDONLY)
    assert not os.get_inheritable(descriptor)
    assert os.read(descriptor, 100) == b"inside"
    os.close(descriptor)
    os.close(resolve(root, b".", os.O_RDONLY | os.O_DIRECTORY))


@pytest.mark.parametrize("resolve", RESOLVERS)
@pytest.mark.parametrize("path", [b"away", b"near", b"near/f", b"up/secret", b"up", b"magic/x"])
def test_s_8_2_3_follows_no_symbolic_link(resolve: Resolver, root: int, path: bytes) -> None:
    with pytest.raises(OSError, match=r".") as refused:
        resolve(root, path, os.O_RDONLY)
    assert refused.value.errno in (errno.ELOOP, errno.ENOTDIR)


@pytest.mark.parametrize("resolve", RESOLVERS)
def test_s_8_2_3_crosses_into_no_other_file_system(resolve: Resolver) -> None:
    top = os.open("/", os.O_PATH | os.O_DIRECTORY)
    try:
        if os.stat("/proc").st_dev == os.fstat(top).st_dev:
            pytest.skip("needs procfs: /proc is no file system of its own here")
        for path in (b"proc", b"proc/self/status"):
            with pytest.raises(OSError, match=r".") as refused:
                resolve(top, path, os.O_RDONLY)
            assert refused.value.errno == errno.EXDEV
    finally:
        os.close(top)


@pytest.mark.parametrize("resolve", RESOLVERS)
def test_refusals_leave_no_descriptor_open(resolve: Resolver, root: int) -> None:
    before = set(os.listdir("/proc/self/fd"))
    for path in (b"near/f", b"d/none", b"d/f/x", b"none/x/y"):
        with pytest.raises(OSError, match=r"."):
            resolve(root, path, os.O_RDONLY)
    assert set(os.listdir("/proc/self/fd")) <= before


def test_without_openat2_the_walk_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "SYS_OPENAT2", 100_000)  # No kernel has that many.
    assert best_resolver() is walk
