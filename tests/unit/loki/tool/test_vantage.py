"""Where to look: each link on the way, what is missing, and the scripts of a folder."""

import os
from pathlib import Path

import pytest

from loki.tool.vantage import COARSE_NS, SCRIPTS, changed_since, concerns, marks, vantages


def seen_from(folder: Path, *paths: Path, scripts: Path | None = None) -> dict[str, set[str]]:
    """Only what lies in `folder`, relative to it."""
    found = vantages(paths, scripts or folder / "none" / "at" / "all")
    return {
        os.path.relpath(at, folder): set(names)
        for at, names in found.items()
        if Path(at).is_relative_to(folder)
    }


def test_a_file_is_seen_from_its_folder_and_the_folder_from_its_own(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    seen = seen_from(tmp_path, tmp_path / "tools" / "tools.toml")
    assert seen == {".": {"tools", "none"}, "tools": {"tools.toml"}}


def test_the_scripts_of_a_folder_are_all_seen(tmp_path: Path) -> None:
    assert seen_from(tmp_path, scripts=tmp_path) == {".": {SCRIPTS}}


def test_where_a_folder_is_missing_its_coming_is_seen(tmp_path: Path) -> None:
    assert seen_from(tmp_path, tmp_path / "not" / "yet" / "t.toml") == {".": {"not", "none"}}


def test_every_link_on_the_way_is_seen(tmp_path: Path) -> None:
    """As Kubernetes lays out a volume: one link is set anew for all files at once."""
    mounted = tmp_path / "mounted"
    (mounted / "..1").mkdir(parents=True)
    (mounted / "..1" / "t.toml").touch()
    (mounted / "..data").symlink_to("..1")
    (mounted / "t.toml").symlink_to("..data/t.toml")
    (tmp_path / "link").symlink_to(mounted)
    seen = seen_from(tmp_path, tmp_path / "link" / "t.toml")
    assert seen["."] == {"link", "mounted", "none"}
    assert seen["mounted"] == {"t.toml", "..data"}
    assert seen["mounted/..1"] == {"t.toml"}


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert seen_from(tmp_path, tmp_path / "a")["."] == {"a", "b", "none"}
    assert seen_from(tmp_path, tmp_path / "a" / "t.toml")["."] == {"a", "b", "none"}


def test_a_link_that_leads_up_is_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "t.toml").symlink_to("../real.toml")
    seen = seen_from(tmp_path, tmp_path / "in" / "t.toml")
    assert seen == {".": {"in", "real.toml", "none"}, "in": {"t.toml"}}


@pytest.mark.parametrize(
    ("names", "name", "matters"),
    [
        ({"t.toml"}, "t.toml", True),
        ({"t.toml"}, "t.toml~", False),
        ({"t.toml"}, "x.lua", False),
        ({SCRIPTS}, "x.lua", True),
        ({SCRIPTS}, ".x.swp", False),
        ({"t.toml"}, "", True),
    ],
)
def test_which_entries_matter(names: set[str], name: str, matters: bool) -> None:
    assert concerns(names, name) is matters


def test_marks_tell_a_change_from_none(tmp_path: Path) -> None:
    places = {str(tmp_path): frozenset({"t.toml", SCRIPTS})}
    file, script = tmp_path / "t.toml", tmp_path / "a.lua"
    nothing = marks(places)
    file.write_text("1")
    one = marks(places)
    assert one != nothing
    script.write_text("1")
    two = marks(places)
    assert two != one
    (tmp_path / "other").write_text("1")
    assert marks(places) == two
    (tmp_path / "new").write_text("2")
    (tmp_path / "new").rename(file)
    assert marks(places) != two
    assert marks({str(tmp_path / "gone"): frozenset({SCRIPTS})}) == {}


def test_what_changed_since_a_time(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text("1")
    places = {str(tmp_path): frozenset({"t.toml"}), str(tmp_path / "gone"): frozenset({"x"})}
    written_ns = (tmp_path / "t.toml").stat().st_ctime_ns
    assert changed_since(places, written_ns)
    assert not changed_since(places, written_ns + 1_000_000_000)
    assert not changed_since({}, 0)


def test_what_went_since_a_time_is_told_and_what_does_not_matter_is_not(tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    file.write_text("1")
    os.utime(file)
    places = {str(tmp_path): frozenset({"t.toml", SCRIPTS})}
    later_ns = file.stat().st_ctime_ns + COARSE_NS
    while tmp_path.stat().st_ctime_ns <= later_ns:
        (tmp_path / "state").mkdir(exist_ok=True)
        (tmp_path / "state").rmdir()
    assert not changed_since(places, later_ns)
    file.unlink()
    assert changed_since(places, later_ns)
