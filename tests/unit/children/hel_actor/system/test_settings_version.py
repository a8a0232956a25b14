"""Versions of the settings in the real table."""

import sqlite3

import pytest
from hel_actor.system import settings_version

from loki.messages.envelope import Failure
from loki.messages.settings import SettingsRead


def text_of(db: sqlite3.Connection, number: int) -> str:
    read = settings_version.read(db, number)
    assert isinstance(read, SettingsRead)
    return read.text


@pytest.mark.parametrize(
    ("texts", "numbers"), [("a", [1]), ("a a", [1, 1]), ("a b b a", [1, 2, 2, 3])]
)
def test_other_settings_than_the_newest_are_a_new_version(
    db: sqlite3.Connection, texts: str, numbers: list[int]
) -> None:
    kept = [settings_version.keep(db, text, time_ns) for time_ns, text in enumerate(texts.split())]
    assert [version.number for version in kept] == numbers
    assert text_of(db, 0) == texts[-1]
    versions = settings_version.listed(db).versions
    assert [version.number for version in versions] == sorted({*numbers}, reverse=True)
    assert versions[0] == kept[-1]


def test_the_newest_hundred_are_kept(db: sqlite3.Connection) -> None:
    for number in range(1, 104):
        settings_version.keep(db, f"text {number}", number)
    versions = settings_version.listed(db).versions
    assert [version.number for version in versions] == list(range(103, 3, -1))
    assert text_of(db, 4) == "text 4"
    missing = settings_version.read(db, 3)
    assert isinstance(missing, Failure)
    assert missing.message == "version 3 of the settings is not kept"


def test_of_none_there_is_no_newest(db: sqlite3.Connection) -> None:
    missing = settings_version.read(db, 0)
    assert isinstance(missing, Failure)
    assert missing.message == "no settings are kept yet"
