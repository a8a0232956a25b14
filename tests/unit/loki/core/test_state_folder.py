"""What the state directory tells from outside."""

from dataclasses import replace

import pytest

from loki.core.state_folder import FolderFacts, findings, worst
from loki.messages.finding import Finding, Need

WELL = FolderFacts("/s", owner=7, user=7, mode=0o700, free_bytes=10**9)


def test_a_sound_one_says_who_serves_it() -> None:
    (alone,) = findings(WELL)
    (served,) = findings(replace(WELL, holder=42))
    assert alone == Finding(Need.NOBODY, "/s", "no Loki serves it, 1000 MB of disk free")
    assert served.text.startswith("served by process 42")
    (absent,) = findings(replace(WELL, exists=False))
    assert absent.need is Need.NOBODY


def test_the_default_one_that_is_absent_says_how_to_name_another() -> None:
    (absent,) = findings(replace(WELL, exists=False, is_named=False))
    assert (absent.need, "--config FILE" in absent.remedy) == (Need.HINT, True)
    assert "no settings were given or found" in absent.text


def test_a_full_disk_is_told_in_one_line() -> None:
    (found,) = findings(replace(WELL, free_bytes=5_000_000, holder=42))
    assert found.text == "served by process 42, only 5 MB of disk are free"


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (replace(WELL, is_folder=False), "is no folder"),
        (replace(WELL, owner=8), "belongs to user 8, and you are user 7"),
        (
            replace(WELL, is_read_only=True),
            "its file system is read-only: no change is taken, and no Loki can start",
        ),
        (replace(WELL, mode=0o750), "others may look into it (mode 0750)"),
        (replace(WELL, free_bytes=5_000_000), "no Loki serves it, only 5 MB of disk are free"),
    ],
)
def test_what_a_person_has_to_do(facts: FolderFacts, text: str) -> None:
    found = list(findings(facts))
    assert [each.text for each in found if each.need is Need.PERSON] == [text]
    assert all(each.remedy for each in found if each.need is Need.PERSON)


def test_the_exit_code_tells_whether_all_is_well() -> None:
    assert worst([]) == 0
    assert worst([Finding(Need.NOBODY, "a", "b")]) == 0
    assert worst([Finding(Need.NOBODY, "a", "b"), Finding(Need.ITSELF, "a", "b")]) == 1
    assert worst([Finding(Need.NOBODY, "a", "b"), Finding(Need.HINT, "a", "b", "c")]) == 0
    assert worst([Finding(Need.PERSON, "a", "b")]) == 1
