"""`loki schema`: what it writes, and what it leaves alone."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from loki.cli.progress import Count
from tests.unit.loki.cli.conftest import FakeClient
from tests.unit.loki.client.test_schema import AVERAGE, EVERY, schema

ALL = {
    "image.binpb",
    "json-schema/average.request.json",
    "json-schema/average.response.json",
    "json-schema/every.request.json",
    "json-schema/every.response.json",
    "loki-schema.json",
    "proto/buf.yaml",
    "proto/loki/tools/v1/average.proto",
    "proto/loki/tools/v1/every.proto",
    "proto/loki/v1/execution.proto",
    "proto/loki/v1/script.proto",
    "proto/loki/v1/value.proto",
}


@pytest.fixture
def here(tmp_path: Path, client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> Path:
    client.schema = schema(AVERAGE, EVERY)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("words", [(), ("--format", "all")], ids=["", "all"])
def test_everything(here: Path, loki: Any, words: tuple[str, ...]) -> None:
    done = loki("schema", *words)
    assert (done.exit_code, done.stdout) == (0, "schema: 2 scripts in 12 files\n")
    assert names(here / "schema") == ALL
    json.loads((here / "schema/json-schema/every.request.json").read_text())
    FileDescriptorSet.FromString((here / "schema/image.binpb").read_bytes())


def test_who_waits_at_a_terminal_sees_how_far_it_is(
    here: Path, loki: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr("loki.cli.schema.Count", lambda: Count(written.append))
    monkeypatch.setattr(Count, "EVERY", 5)
    assert loki("schema").exit_code == 0
    shown = [text.strip() for text in written]
    assert shown == ["services read: 2 of 2", "", "files written: 5", "files written: 10", ""]


@pytest.mark.parametrize(
    ("form", "start"), [("proto", "proto/"), ("image", "image"), ("json-schema", "json-schema/")]
)
def test_one_format(here: Path, loki: Any, form: str, start: str) -> None:
    assert loki("schema", "--format", form, "--out", "x").exit_code == 0
    assert names(here / "x") == {
        name for name in ALL if name.startswith((start, "loki-schema.json"))
    }


def test_for_machines(here: Path, loki: Any, client: FakeClient) -> None:
    done = loki("schema", "a*", "--out", "x", "--json")
    assert json.loads(done.stdout) == {
        "folder": "x",
        "scripts": {"average": "r1", "every": "r1"},
        "files": sorted(ALL),
    }
    assert ("schema", "a*") in client.calls


def test_what_it_wrote_is_replaced(here: Path, loki: Any, client: FakeClient) -> None:
    loki("schema")
    client.schema = schema(AVERAGE)
    assert loki("schema").exit_code == 0
    assert names(here / "schema") == {name for name in ALL if "every" not in name}


def test_an_empty_folder_is_taken(here: Path, loki: Any) -> None:
    (here / "schema").mkdir()
    assert loki("schema").exit_code == 0


@pytest.mark.parametrize(
    ("out", "problem"),
    [
        ("full", "full is not empty, and `loki schema` did not write it"),
        (".", ". is the folder that you are in"),
        ("..", ".. is the folder that you are in"),
        ("file", "file is no folder"),
    ],
)
def test_what_is_somebody_elses_stays(
    here: Path, loki: Any, client: FakeClient, out: str, problem: str
) -> None:
    (here / "full").mkdir()
    (here / "full/mine").write_text("mine")
    (here / "file").write_text("mine")
    done = loki("schema", "--out", out)
    assert done.exit_code == 1
    assert problem in done.stderr
    assert names(here) == {"full/mine", "file"}
    assert client.calls == []


def test_a_folder_that_cannot_be_written(here: Path, loki: Any) -> None:
    (here / "file").write_text("mine")
    done = loki("schema", "--out", "file/x")
    assert (done.exit_code, names(here)) == (1, {"file"})
    assert done.stderr == "file/x: File exists; nothing was written\n"


def test_no_script_of_that_name(here: Path, loki: Any, client: FakeClient) -> None:
    client.schema = schema()
    done = loki("schema", "nope")
    assert (done.exit_code, done.stderr) == (1, "no script with a typed method matches nope\n")
    assert loki("schema").exit_code == 0


def test_errors_are_one_line_and_leave_nothing(
    here: Path, loki: Any, client: FakeClient, errors: SimpleNamespace
) -> None:
    loki("schema")
    client.error = errors.unreachable()
    done = loki("schema")
    assert done.exit_code == 1
    assert "no Loki answers" in done.stderr
    assert names(here / "schema") == ALL
