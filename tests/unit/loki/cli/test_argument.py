"""`key=value` words as typed arguments."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.cli.argument import read_argument, read_arguments


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("5", "string", "5"),
        ("", "string", ""),
        ("a=b", "string", "a=b"),
        ("9007199254740993", "integer", 9007199254740993),
        ("-1", "integer", -1),
        ("5", "number", 5.0),
        ("1e3", "number", 1000.0),
        ("true", "boolean", True),
        ("False", "boolean", False),
        ("base64:AAE=", "bytes", b"\0\1"),
        ("base64:", "bytes", b""),
        ('{"a": [1, null]}', "object", {"a": [1, None]}),
        ("[]", "array", []),
        ("@@ada", "string", "@ada"),
    ],
)
def test_s_2_1_2_declared_types(text: str, type_: str, value: object) -> None:
    read = read_argument(text, type_)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("5.0", 5.0),
        ("true", True),
        ("null", None),
        ('"5"', "5"),
        ("[1, 2]", [1, 2]),
        ("hello there", "hello there"),
        ("", ""),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("1e400", "1e400"),
        ("01", "01"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_without_a_declared_type_json_else_a_string(text: str, value: object) -> None:
    read = read_argument(text, "any")
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "type_", "complaint"),
    [
        ("5.5", "integer", "expected a whole number, got '5.5'"),
        ("warm", "number", "expected a number, got 'warm'"),
        ("nan", "number", "expected a finite number, got 'nan'"),
        ("-inf", "number", "expected a finite number, got '-inf'"),
        ("1e400", "number", "expected a finite number, got '1e400'"),
        ("yes", "boolean", "expected true or false, got 'yes'"),
        ("AAE=", "bytes", "expected bytes as base64:... or @file"),
        ("base64:!", "bytes", "expected base64, got"),
        ("[1]", "object", "expected an object as JSON, got '[1]'"),
        ("{}", "array", "expected an array as JSON, got '{}'"),
        ("{", "object", "expected an object as JSON: "),
        ("[NaN]", "array", "NaN is no finite number"),
        ("[-1e400]", "array", "-1e400 is no finite number"),
        ("@/no/such/file", "string", "/no/such/file cannot be read: No such file"),
        ("x" * 1000, "integer", "x" * 40 + "…"),
    ],
)
def test_what_does_not_fit_names_the_parameter(text: str, type_: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^argument 'level': ") as raised:
        read_arguments([f"level={text}"], {"level": type_})
    assert complaint in str(raised.value)


@pytest.mark.parametrize("pair", ["level", "=5"])
def test_a_word_without_a_key_or_value_is_refused(pair: str) -> None:
    with pytest.raises(ValueError, match="write it as KEY=VALUE"):
        read_arguments([pair], {})


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="argument 'a': given twice"):
        read_arguments(["a=1", "a=2"], {})


def test_an_at_sign_reads_a_file(tmp_path: Path) -> None:
    text, binary = tmp_path / "list.json", tmp_path / "raw"
    text.write_text("[1, 2]\n")
    binary.write_bytes(b"\xff\0")
    pairs = [f"items=@{text}", f"raw=@{binary}", f"words=@{text}"]
    types = {"items": "array", "raw": "bytes", "words": "string"}
    assert read_arguments(pairs, types) == {
        "items": [1, 2],
        "raw": b"\xff\0",
        "words": "[1, 2]\n",
    }
    with pytest.raises(ValueError, match=r"argument 'words': .* is not UTF-8 text"):
        read_arguments([f"words=@{binary}"], types)


@given(st.binary())
def test_any_bytes_survive(content: bytes) -> None:
    assert read_argument("base64:" + base64.b64encode(content).decode(), "bytes") == content


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_survives(number: float) -> None:
    assert read_argument(repr(number), "number") == number


@given(st.text().filter(lambda text: not text.startswith("@")))
def test_any_text_survives(text: str) -> None:
    assert read_argument(text, "string") == text
    assert isinstance(read_arguments([f"x={text}"], {}), dict)
