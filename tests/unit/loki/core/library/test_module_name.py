"""Names of modules: the files that they mean, and the refusal of all others."""

from pathlib import PurePosixPath

import pytest

from loki.core.library.module_name import files_of, missing, name_of
from loki.errors import ErrorCode, InvalidArgument


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("util", ("util.lua", "util/init.lua")),
        ("lib.util", ("lib/util.lua", "lib/util/init.lua")),
        ("my-lib._x2", ("my-lib/_x2.lua", "my-lib/_x2/init.lua")),
    ],
)
def test_a_name_means_two_files(name: str, files: tuple[str, str]) -> None:
    assert tuple(map(str, files_of(name))) == files
    assert {name_of(PurePosixPath(file)) for file in files} == {name}


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("util.lua", 'write require "util"'),
        ("./util", 'write require "util"'),
        ("lib/util", 'write require "lib.util"'),
        ("lib\\util.lua", 'write require "lib.util"'),
        ("../util", "leads out of the scripts folder"),
        ("a..b", "leads out of the scripts folder"),
        ("a.../x", "leads out of the scripts folder"),
        ("/etc/passwd", "leads out of the scripts folder"),
        ("~/x", "leads out of the scripts folder"),
        ("", "is no module name"),
        (".", "is no module name"),
        ("util.", "is no module name"),
        (".hidden", "is no module name"),
        ("a b", "is no module name"),
        ("a\0b", "is no module name"),
        ("a\nb", "is no module name"),
        ("util\n", "is no module name"),
        ("übung", "is no module name"),
        ("a" * 201, "is no module name"),
    ],
)
def test_what_is_no_name_is_refused(name: str, complaint: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^require: ") as caught:
        files_of(name)
    assert complaint in caught.value.message


def test_files_that_no_name_leads_to() -> None:
    for file in ("util.txt", "a b.lua", ".hidden.lua", "lib/9.lua", "init.lua"):
        assert name_of(PurePosixPath(file)) == ""


def test_a_missing_module_says_where_it_would_be_and_what_is_near() -> None:
    error = missing("utli", ["util", "other"])
    assert error.code is ErrorCode.NOT_FOUND
    assert error.message == (
        "there is no module 'utli': neither utli.lua nor utli/init.lua is in the scripts folder"
        "; did you mean 'util'?"
    )
    assert missing("x", []).message.endswith("is in the scripts folder")
