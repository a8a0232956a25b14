import os
from pathlib import Path

import pytest

from loki.errors import ConfigurationError
from loki.tool.document import (
    LONG,
    Document,
    lines_of,
    parse_document,
    read_document,
    read_text,
)

TOOLS = """\
# a comment
[[tools]]
name = "a"
script = { inline = '''
[[tools]]
name = "not a key"
''' }
[tools.limits] # budgets
max_memory_mb = 3

[[tools]]
"name" = "b"
script.path = "b.lua"
[[tools.parameters]]
name = "p"
[[tools.parameters]]
name = "q"
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("tools", 0), 2),
        (("tools", 0, "name"), 3),
        (("tools", 0, "script"), 4),
        (("tools", 0, "script", "inline"), 4),  # Of the nearest thing around it.
        (("tools", 0, "limits", "max_memory_mb"), 9),
        (("tools", 1), 11),
        (("tools", 1, "name"), 12),
        (("tools", 1, "script", "path"), 13),
        (("tools", 1, "parameters", 0, "name"), 15),
        (("tools", 1, "parameters", 1, "name"), 17),
    ],
)
def test_s_2_1_1_errors_point_to_the_line(place: tuple[str | int, ...], line: int) -> None:
    assert Document(Path("f.toml"), {}, lambda: lines_of(TOOLS)).where(place) == f"f.toml:{line}"


def test_a_dot_in_quotes_is_part_of_a_name() -> None:
    lines = lines_of("[principals . \"a.b\" . 'c d']\nx = 1\n")
    assert lines == {("principals", "a.b", "c d"): 1, ("principals", "a.b", "c d", "x"): 2}


def test_s_2_1_1_without_a_known_line_the_file_is_named() -> None:
    assert Document(Path("f.toml"), {}, lambda: lines_of(TOOLS)).where(("else",)) == "f.toml"


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_s_2_2_1_byte_order_mark_and_crlf_are_tolerated(
    tmp_path: Path, start: bytes, end: bytes
) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(start + b'a = "\xc3\xa5"' + end + b"b = 1" + end)
    assert read_document(file).data == {"a": "å", "b": 1}
    assert read_text(file, 100) == 'a = "å"\nb = 1\n'


@pytest.mark.parametrize(
    ("content", "text"), [(b"a = \xff", "not UTF-8 at byte 4"), (b"a" * 101, "larger than")]
)
def test_s_1_3_7_unreadable_content_is_refused(tmp_path: Path, content: bytes, text: str) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=text) as caught:
        read_text(file, 100)
    assert str(file) in caught.value.message


def test_s_1_3_7_a_file_of_exactly_the_cap_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"a" * 100)
    assert len(read_text(file, 100)) == 100


def test_s_1_3_7_missing_files_folders_and_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # Reading it would wait for ever.
    for name, text in [("none", "no such file"), ("", "no regular"), ("pipe", "no regular")]:
        with pytest.raises(ConfigurationError, match=text):
            read_text(tmp_path / name, 100)


@pytest.mark.skipif(os.geteuid() == 0, reason="needs an ordinary user: root may read everything")
def test_s_1_3_7_a_file_without_read_permission_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.touch(mode=0)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_text(file, 100)


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("a.toml", "a = \nb = 1", "no valid TOML: .*line 1"),
        ("a.toml", "a = 1\na = 2", "no valid TOML"),
        ("a.json", "{", "no valid JSON"),
        ("a.json", "[]", "no valid JSON: expected an object"),
        ("a.json", "[" * 100_000, "no valid JSON"),
    ],
)
def test_s_1_3_7_what_does_not_parse_is_refused(name: str, text: str, error: str) -> None:
    with pytest.raises(ConfigurationError, match=error):
        parse_document(text, Path(name))


def test_s_1_3_1_a_json_null_is_a_key_left_out() -> None:
    assert parse_document('{"a": null, "b": {"c": null}}', Path("a.json")).data == {"b": {}}


@pytest.mark.parametrize("text", ["a = { b = 1,\n c = 2 }\n", "a = 1\n", "a = [[[[1]]]]\n", "a = "])
def test_a_long_text_says_what_a_short_one_does(text: str) -> None:
    """Another parser reads it, which knows less."""

    def read(text: str) -> object:
        try:
            return parse_document(text, Path("f.toml")).data
        except ConfigurationError as error:
            return error.message

    assert read(f"{text}#{'x' * LONG}") == read(text + "#x")
