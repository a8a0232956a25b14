"""`loki schema` against a whole Loki, judged by buf: it lints, builds, compares, calls with it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from loki.testing import LokiServer
from loki.v1 import script_pb2
from tests.e2e.foreign import BUF, need_node

pytestmark = pytest.mark.e2e

TIMEOUT_S = 60.0
Buf = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def buf(need: Callable[..., None], tmp_path: Path) -> Buf:
    """One command in the folder that `loki` runs in."""
    need_node(need)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (BUF, *words),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    return run


def test_buf_takes_what_was_written(loki, buf: Buf, server: LokiServer, tmp_path: Path) -> None:
    done = loki("schema", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scripts"].keys() == set(server.tools)
    for words in (
        ("lint", "schema/proto"),
        ("lint", "schema/image.binpb", "--config", "schema/proto/buf.yaml"),
        ("build", "schema/proto", "-o", "built.binpb"),
        ("breaking", "schema/proto", "--against", "schema/image.binpb"),
        ("breaking", "schema/image.binpb", "--against", "built.binpb"),
    ):
        judged = buf(*words)
        assert (judged.returncode, judged.stdout, judged.stderr) == (0, "", ""), words


def test_buf_calls_with_the_image_alone(loki, buf: Buf, server: LokiServer, tmp_path: Path) -> None:
    """What comes back is what the JSON Schema promises."""
    assert loki("schema").returncode == 0
    called = buf(
        "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--schema", "schema/image.binpb",
        "-d", '{"name": "Jörmungandr"}', f"http://{server.address}/loki.tools.v1.HelloService/Call",
    )  # fmt: skip
    assert called.returncode == 0, called.stderr
    response = json.loads(called.stdout)
    assert response["value"] == "hello, Jörmungandr"
    promised = json.loads((tmp_path / "schema/json-schema/hello.response.json").read_text())
    assert [error.message for error in Draft202012Validator(promised).iter_errors(response)] == []


def definition(*parameters: tuple[str, str]) -> script_pb2.ScriptDefinition:
    return script_pb2.ScriptDefinition(
        name="changing",
        source="return 1",
        parameters=[
            script_pb2.ParameterDefinition(name=name, type=f"VALUE_TYPE_{type_}")
            for name, type_ in parameters
        ],
        return_type="VALUE_TYPE_INTEGER",
    )


def test_two_images_tell_what_breaks_clients(buf: Buf, server: LokiServer, tmp_path: Path) -> None:
    revision = ""
    with server.client() as client:
        for name, parameters in (
            ("first", [("n", "INTEGER")]),
            ("more", [("n", "INTEGER"), ("m", "STRING")]),
            ("other", [("n", "STRING"), ("m", "STRING")]),
        ):
            made = client.register_script(definition(*parameters), expected_revision=revision)
            revision = made.revision
            image = client.get_schema("changing").image()
            (tmp_path / f"{name}.binpb").write_bytes(image)
        client.unregister_script("changing")

    def breaking(now: str, before: str) -> str:
        judged = buf("breaking", f"{now}.binpb", "--against", f"{before}.binpb")
        assert judged.stderr == ""
        assert judged.returncode in (0, 100)
        return judged.stdout

    assert breaking("more", "first") == ""
    assert 'field "1" with name "n" on message "ChangingServiceCallRequest"' in breaking(
        "other", "more"
    )


def test_a_server_that_is_not_there_leaves_nothing(loki, tmp_path: Path) -> None:
    done = loki("schema", LOKI_SERVER="127.0.0.1:1")
    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []
