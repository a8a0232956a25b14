"""A settings' file is replaced wholly or not at all."""

import os
from pathlib import Path

import pytest

from loki.errors import ErrorCode, LokiError
from loki.settings_file import read_raw, replace_text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "loki.toml"
    made.write_bytes(b"a = 1\r\n")
    made.chmod(0o640)
    return made


def test_it_keeps_its_mode_and_its_line_ends(file: Path) -> None:
    replace_text(file, "a = 2\r\n", "a = 1\r\n")
    assert file.read_bytes() == b"a = 2\r\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert os.listdir(file.parent) == ["loki.toml"]


def test_a_link_goes_on_pointing_where_it_does(file: Path) -> None:
    link = file.parent / "link.toml"
    link.symlink_to("loki.toml")
    replace_text(link, "a = 3\n", "a = 1\r\n")
    assert link.is_symlink()
    assert file.read_text() == "a = 3\n"


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "loki.toml"
    replace_text(file, "a = 1\n", "")
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_somebody_else_wrote_meanwhile_stays(file: Path) -> None:
    with pytest.raises(LokiError, match="somebody else is changing it") as raised:
        replace_text(file, "a = 2\n", "a = 0\n")
    assert raised.value.code is ErrorCode.REVISION_CONFLICT
    assert file.read_bytes() == b"a = 1\r\n"
    assert os.listdir(file.parent) == ["loki.toml"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LokiError, match="cannot be written: No such file") as raised:
        replace_text(tmp_path / "none" / "loki.toml", "a = 1\n", "")
    assert raised.value.code is ErrorCode.CONFIGURATION


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"a" * 11, "larger than"), (b"\xff", "is not UTF-8 at byte 0")],
)
def test_what_cannot_be_settings_is_told(file: Path, content: bytes, text: str) -> None:
    file.write_bytes(content)
    with pytest.raises(LokiError, match=text):
        read_raw(file, 10)


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(LokiError, match="cannot be read: No such file"):
        read_raw(tmp_path / "none.toml", 10)


def test_what_is_no_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(LokiError, match="is no regular file"):
            read_raw(path, 10)
    with pytest.raises(LokiError, match=r"Is a directory|is no regular file"):
        read_raw(tmp_path, 10)


def test_a_byte_order_mark_is_passed_over(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert read_raw(file, 100) == "a = 1\n"
