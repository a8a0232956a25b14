"""What scripts are told of files."""

import errno

import pytest
from hel_actor.file.complaint import MissingFolder, naming, unserved
from hel_actor.file.resolver import Refusal

from loki.errors import ErrorCode, IoError


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            FileNotFoundError(errno.ENOENT, "x"),
            ErrorCode.NOT_FOUND,
            "cannot read 'a': it does not exist",
        ),
        (OSError(errno.ELOOP, "x"), ErrorCode.IO, "it leads through a symbolic link"),
        (OSError(errno.EIO, "Input/output error", "/host/a"), ErrorCode.IO, "it failed: Input/"),
        (Refusal("is empty"), ErrorCode.IO, "cannot read 'a': it is empty"),
        (MissingFolder("d"), ErrorCode.NOT_FOUND, "lies in 'd', which does not exist"),
    ],
)
def test_errors_name_the_path_as_it_was_written(
    error: Exception, code: ErrorCode, text: str
) -> None:
    with pytest.raises(IoError) as told, naming("read", "a"):
        raise error
    assert told.value.code is code
    assert text in told.value.message
    assert "/host" not in told.value.message
    assert told.value.details == {"path": "a"}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/host/files"), "denied (files)"),
        (OSError(errno.ENOTDIR, "Not a directory", b".unfinished"), "directory (.unfinished)"),
        (OSError(errno.EIO, "Input/output error"), "files: Input/output error"),
    ],
)
def test_why_nobody_has_files_is_told_without_the_hosts_paths(error: OSError, text: str) -> None:
    assert unserved(error).startswith("scripts have no files: ")
    assert unserved(error).endswith(text)
    assert "/host" not in unserved(error)


def test_long_and_odd_paths_are_shown_short_and_readable() -> None:
    with pytest.raises(IoError) as told, naming("read", "\udcff" + "a" * 5000):
        raise Refusal("is odd")
    assert len(told.value.message) < 300
    assert "\\udcff" in told.value.message
